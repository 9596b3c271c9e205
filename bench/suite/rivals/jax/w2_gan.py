"""W2 in JAX, the pair of steps jitted: a fully connected GAN's discriminator and generator, as ours/w2_gan.cpp."""
from functools import partial

import jax
import jax.numpy as jnp
from common import Case, adam, adam_state, linear, linear_parameters
from serve import numbers

BATCH = 128
CASES = ["pair/128"]


def discriminate(D, x):
    for i in (0, 2):
        x = jax.nn.leaky_relu(linear(D[i:i + 2], x), 0.2)
    return jax.nn.sigmoid(linear(D[4:], x))


def generate(G, x):
    for i in (0, 2):
        x = jax.nn.relu(linear(G[i:i + 2], x))
    return jnp.tanh(linear(G[4:], x))


def cross_entropy(p, real):
    return -jnp.mean(jnp.maximum(jnp.log(p if real else 1 - p), -100))


def make(name):
    images = jnp.asarray(numbers((BATCH, 784), 100, 1))
    fixed_noise = jnp.asarray(numbers((BATCH, 100), 101, 1))
    D, G = linear_parameters([784, 256, 256, 1], 1), linear_parameters([100, 256, 256, 784], 50)

    def d_loss_of(D, G, noise):
        made = generate(G, noise)
        return cross_entropy(discriminate(D, images), True) + cross_entropy(discriminate(D, made), False)

    def g_loss_of(G, D, noise):
        return cross_entropy(discriminate(D, generate(G, noise)), True)

    @partial(jax.jit, static_argnums=4, donate_argnums=(0, 1, 2, 3))
    def train(D, G, states, key, random):
        d_state, g_state = states
        key, first, second = jax.random.split(key, 3)
        noise = jax.random.normal(first, (BATCH, 100)) if random else fixed_noise
        d_loss, grads = jax.value_and_grad(d_loss_of)(D, G, noise)
        D, d_state = adam(D, grads, d_state, 3e-4)
        noise = jax.random.normal(second, (BATCH, 100)) if random else fixed_noise
        g_loss, grads = jax.value_and_grad(g_loss_of)(G, D, noise)
        G, g_state = adam(G, grads, g_state, 3e-4)
        return D, G, (d_state, g_state), key, d_loss + g_loss

    held = [D, G, (adam_state(D), adam_state(G)), jax.random.key(1), None]

    def step(random=True):
        held[:] = train(*held[:4], random)
        return held[4]

    return Case(step, lambda: [float(step(False)) for _ in range(10)], lambda: jax.block_until_ready(held[:4]))
