"""W1 in JAX, the whole step jitted: the autoencoder 16-128-8, 8-128-16, as ours/w1_autoencoder.cpp."""
from functools import partial

import jax
import jax.numpy as jnp
from common import Case, adam, adam_state, cross_entropy, linear, linear_parameters

CASES = [f"{part}/{batch}" for part in ("joint", "decoder") for batch in (64, 1024)]


def received(encoder, x, key, sigma):
    code = linear(encoder[2:], jax.nn.leaky_relu(linear(encoder[:2], x)))
    sent = code * (8**0.5 / jnp.linalg.norm(code, axis=1, keepdims=True))
    return sent + jax.random.normal(key, sent.shape) * sigma


def decode(decoder, y):
    return linear(decoder[2:], jax.nn.leaky_relu(linear(decoder[:2], y)))


def make(name):
    part, batch = name.split("/")
    messages = jnp.arange(int(batch)) % 16
    x = jax.nn.one_hot(messages, 16)
    encoder, decoder = linear_parameters([16, 128, 8], 1), linear_parameters([8, 128, 16], 5)
    joint = part == "joint"

    def loss_of(trained, key, sigma):
        into, out = trained if joint else (encoder, trained)
        return cross_entropy(decode(out, received(into, x, key, sigma)), messages)

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def train(trained, state, key, sigma):
        key, now = jax.random.split(key)
        loss, grads = jax.value_and_grad(loss_of)(trained, now, sigma)
        trained, state = adam(trained, grads, state, 1e-3)
        return trained, state, key, loss

    trained = jax.tree.map(jnp.copy, (encoder, decoder) if joint else decoder)
    held = [trained, adam_state(trained), jax.random.key(1), None]

    def step(sigma=0.5):
        held[:] = train(held[0], held[1], held[2], sigma)
        return held[3]

    return Case(step, lambda: [float(step(0.0)) for _ in range(20)], lambda: jax.block_until_ready(held[:3]))
