"""W3 in JAX, the whole step jitted: LeNet for 3 x 32 x 32 images, batch 64, SGD over two groups, as ours/w3_lenet.cpp."""
from functools import partial

import jax
import jax.numpy as jnp
from common import Case, cross_entropy, linear
from serve import numbers

BATCH = 64
CASES = ["step/64"]


def parameters():
    made, seed = [], 1
    for sizes in ((6, 3, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84)):
        bound = 1 / (numbers_per_output(sizes)) ** 0.5
        made += [jnp.asarray(numbers(sizes, seed, bound)), jnp.asarray(numbers((sizes[0],), seed + 1, bound))]
        seed += 2
    return made


def numbers_per_output(sizes):
    count = 1
    for size in sizes[1:]:
        count *= size
    return count


def forward(p, x):
    for i in (0, 2):
        x = jax.lax.conv_general_dilated(x, p[i], (1, 1), "VALID") + p[i + 1][:, None, None]
        x = jax.lax.reduce_window(jax.nn.relu(x), -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    x = x.reshape(BATCH, -1)
    return linear(p[8:], jax.nn.relu(linear(p[6:8], jax.nn.relu(linear(p[4:6], x)))))


def make(name):
    images, classes = jnp.asarray(numbers((BATCH, 3, 32, 32), 100, 1)), jnp.arange(BATCH) % 10

    @partial(jax.jit, donate_argnums=(0, 1))
    def train(p, momentum):
        loss, grads = jax.value_and_grad(lambda p: cross_entropy(forward(p, images), classes))(p)
        momentum = [0.9 * m + g for m, g in zip(momentum, grads)]
        p = [x - (1e-3 if i < 4 else 1e-2) * m for i, (x, m) in enumerate(zip(p, momentum))]
        return p, momentum, loss

    first = parameters()
    held = [first, [jnp.zeros_like(x) for x in first], None]

    def step():
        held[:] = train(held[0], held[1])
        return held[2]

    return Case(step, lambda: [float(step()) for _ in range(10)], lambda: jax.block_until_ready(held[:2]))
