"""What the JAX side shares: threads, layers, cross entropy, Adam."""
import os
import sys

if sys.argv[2] == "1":  # XLA takes its threads from the cores that it may use
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from serve import Case, numbers  # noqa: E402, F401


def linear_parameters(widths, seed):
    """Weights and biases of layers in a row, in PyTorch's order and layout."""
    parameters = []
    for into, out in zip(widths, widths[1:]):
        bound = 1 / into**0.5
        for sizes in ((out, into), (out,)):
            parameters.append(jnp.asarray(numbers(sizes, seed, bound)))
            seed += 1
    return parameters


def linear(parameters, x):
    return x @ parameters[0].T + parameters[1]


def cross_entropy(scores, classes):
    logs = jax.nn.log_softmax(scores)
    return -jnp.mean(jnp.take_along_axis(logs, classes[:, None], axis=1))


def adam_state(parameters):
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    return zeros, jax.tree.map(jnp.zeros_like, parameters), jnp.zeros(())


def adam(parameters, grads, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m, v, t = state
    t = t + 1
    m = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, m, grads)
    v = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, v, grads)
    size, root = lr / (1 - beta1**t), 1 / jnp.sqrt(1 - beta2**t)
    parameters = jax.tree.map(lambda p, m, v: p - size * m / (jnp.sqrt(v) * root + eps), parameters, m, v)
    return parameters, (m, v, t)
