"""JAX: a jitted step called from Python, and a whole epoch as one jitted scan."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import jax
import optax
from jax import numpy as jnp
from tasks import L2, LEARNING_RATE, NETWORKS, RATE, STEPS, Job, Network, learns

if TYPE_CHECKING:
    from collections.abc import Callable

MOMENTUM = 0.9


def start(threads: int) -> str:
    # XLA sizes its pool by the CPUs the process may use; run.py has set the affinity.
    return f"jax {jax.__version__}, on {threads} CPUs"


def parameters(network: Network, key: Any) -> tuple[Any, Any]:
    """Weights, and running statistics."""
    weights, statistics = [], []
    sizes = (network.inputs, *network.hidden, network.classes)
    for inputs, units in pairwise(sizes):
        key, draw = jax.random.split(key)
        weights.append(
            {
                "w": jax.random.normal(draw, (inputs, units)) * (2 / inputs) ** 0.5,
                "b": jnp.zeros(units),
                "gamma": jnp.ones(units),
                "beta": jnp.zeros(units),
            }
        )
        statistics.append((jnp.zeros(units), jnp.ones(units)))
    return weights, statistics


def loss_function(weights: Any, statistics: Any, x: Any, y: Any, key: Any) -> tuple[Any, Any]:
    updated = []
    for layer, (mean, variance) in zip(weights[:-1], statistics, strict=False):
        x = x @ layer["w"] + layer["b"]
        batch_mean, batch_variance = x.mean(0), x.var(0)
        x = layer["gamma"] * (x - batch_mean) / jnp.sqrt(batch_variance + 1e-5) + layer["beta"]
        key, draw = jax.random.split(key)
        x = jnp.where(jax.random.bernoulli(draw, 1 - RATE, x.shape), jax.nn.relu(x) / (1 - RATE), 0.0)
        updated.append(
            (
                MOMENTUM * mean + (1 - MOMENTUM) * batch_mean,
                MOMENTUM * variance + (1 - MOMENTUM) * batch_variance,
            )
        )
    logits = x @ weights[-1]["w"] + weights[-1]["b"]
    data_loss = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
    penalty = L2 / 2 * sum(jnp.sum(layer["w"] ** 2) for layer in weights)
    return data_loss + penalty, [*updated, statistics[-1]]


OPTIMIZER = optax.adam(LEARNING_RATE)


def train_step(state: Any, x: Any, y: Any) -> tuple[Any, Any]:
    weights, statistics, optimizer_state, key = state
    key, draw = jax.random.split(key)
    (loss, statistics), gradients = jax.value_and_grad(loss_function, has_aux=True)(weights, statistics, x, y, draw)
    updates, optimizer_state = OPTIMIZER.update(gradients, optimizer_state)
    return (optax.apply_updates(weights, updates), statistics, optimizer_state, key), loss


def step(name: str, scanned: bool) -> Job:
    network = NETWORKS[name]
    x, y = (jnp.asarray(array) for array in network.data())
    weights, statistics = parameters(network, jax.random.key(0))
    state: list[Any] = [(weights, statistics, OPTIMIZER.init(weights), jax.random.key(1))]
    losses: list[float] = []

    def epoch(state: Any, x: Any, y: Any) -> tuple[Any, Any]:
        weights, statistics, optimizer_state, key = state
        key, draw = jax.random.split(key)
        rows = jax.random.permutation(draw, len(x)).reshape(STEPS, network.batch)

        def body(carry: Any, batch: Any) -> tuple[Any, Any]:
            return train_step(carry, x[batch], y[batch])

        state, values = jax.lax.scan(body, (weights, statistics, optimizer_state, key), rows)
        return state, values.mean()

    one_epoch = jax.jit(epoch, donate_argnums=0)
    one_step = jax.jit(lambda state, x, y, rows: train_step(state, x[rows], y[rows]), donate_argnums=0)
    shuffle = jax.jit(lambda key: jax.random.permutation(key, len(x)).reshape(STEPS, network.batch))

    def run_scanned() -> None:
        state[0], loss = one_epoch(state[0], x, y)
        losses.append(float(loss))

    def run_steps() -> None:
        total = 0.0
        rows = shuffle(jax.random.key(len(losses)))
        for batch in range(STEPS):
            state[0], loss = one_step(state[0], x, y, rows[batch])
            total += float(loss)
        losses.append(total / STEPS)

    return Job(run_scanned if scanned else run_steps, STEPS, lambda: learns(losses[0], losses[-1]))


STEP_VARIANTS: dict[str, Callable[[str], Job]] = {
    "jax, scanned epoch": lambda name: step(name, True),
    "jax, jit per step": lambda name: step(name, False),
}
OPERATIONS: dict[str, Callable[..., Job]] = {}
