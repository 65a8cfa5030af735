"""flyball's side: ``fit`` for whole steps, the native backend with preallocated outputs for operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from tasks import L2, LEARNING_RATE, NETWORKS, RATE, STEPS, Job, Network, close, kept_half, learns, matrix, normalised

import flyball
from flyball import _core, layers, optimizers, regularizers

if TYPE_CHECKING:
    from collections.abc import Callable


def start(threads: int) -> str:
    flyball.set_num_threads(threads)
    return f"flyball {flyball.__version__}, {_core.build_info()}"


def build(network: Network) -> Any:
    """Compile the network."""
    flyball.utils.set_random_seed(0)
    stack: list[Any] = [layers.Input((network.inputs,))]
    for units in network.hidden:
        stack += [
            layers.Dense(units, kernel_regularizer=regularizers.L2(L2 / 2)),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Dropout(RATE),
        ]
    stack.append(layers.Dense(network.classes, activation="softmax", kernel_regularizer=regularizers.L2(L2 / 2)))
    model = flyball.Sequential(stack)
    model.compile(
        optimizer=optimizers.Adam(learning_rate=LEARNING_RATE), loss="sparse_categorical_crossentropy", metrics=[]
    )
    return model


def step(name: str) -> Job:
    network = NETWORKS[name]
    x, y = network.data()
    model = build(network)
    losses: list[float] = []

    def run() -> None:
        losses.append(model.fit(x, y, batch_size=network.batch, epochs=1, verbose=0).history["loss"][-1])

    return Job(run, STEPS, lambda: learns(losses[0], losses[-1]))


def batch_norm_arrays(rows: int, columns: int, rate: float, activation: str) -> tuple[Any, Any, Any]:
    """Output, forward and backward of batch normalisation."""
    x, dy = matrix(rows, columns), matrix(rows, columns, 1)
    y, dx = np.empty_like(x), np.empty_like(x)
    mask = np.empty(x.shape, np.bool_) if rate > 0 else None
    mean, rstd = np.empty(columns), np.empty(columns)
    gamma, beta, dgamma, dbeta = np.ones(columns, x.dtype), np.zeros(columns, x.dtype), x[0].copy(), x[0].copy()
    running_mean, running_var = np.zeros(columns, x.dtype), np.ones(columns, x.dtype)
    steps = iter(range(1 << 40))

    def forward() -> None:
        if mask is not None:
            _core.dropout_mask(mask, rate, 7, 0, next(steps))
        _core.batch_norm_forward(
            y, mean, rstd, running_mean, running_var, x, gamma, beta, mask, 0.9, 1e-5, True, activation, rate
        )

    def both() -> None:
        forward()
        _core.batch_norm_backward(dx, dgamma, dbeta, dy, y, x, gamma, beta, mean, rstd, mask, activation, rate)

    return y, forward, both


def batch_norm_forward(rows: int, columns: int) -> Job:
    y, forward, _ = batch_norm_arrays(rows, columns, 0.0, "linear")
    return Job(forward, 1, lambda: close(y, normalised(matrix(rows, columns))))


def batch_norm(rows: int, columns: int) -> Job:
    y, _, both = batch_norm_arrays(rows, columns, 0.0, "linear")
    return Job(both, 1, lambda: close(y, normalised(matrix(rows, columns))))


def batch_norm_relu_dropout(rows: int, columns: int) -> Job:
    y, _, both = batch_norm_arrays(rows, columns, RATE, "relu")
    positive = normalised(matrix(rows, columns)) > 0.01
    return Job(both, 1, lambda: kept_half(y[positive]))


def dropout(rows: int, columns: int) -> Job:
    x = matrix(rows, columns)
    y = np.empty_like(x)
    steps = iter(range(1 << 40))
    return Job(lambda: _core.dropout_forward(y, None, x, RATE, 7, 0, next(steps), True, 2.0), 1, lambda: kept_half(y))


def gemm(rows: int, columns: int, inner: int) -> Job:
    a, b = matrix(rows, inner), matrix(inner, columns, 1)
    c = np.empty((rows, columns), np.float32)
    return Job(
        lambda: _core.matmul(c, a, b, None, False, False, "linear", 0.0), 1, lambda: close(c / inner, a @ b / inner)
    )


def adam(size: int) -> Job:
    w, g = matrix(1, size)[0], matrix(1, size, 1)[0]
    m, v, before = np.zeros_like(w), np.zeros_like(w), w[:1000].copy()
    steps = iter(range(1, 1 << 40))

    def run() -> None:
        _core.adam_update(w, m, v, None, g, LEARNING_RATE, 0.9, 0.999, 1e-7, next(steps), 0.0, L2, 0.0)

    def check() -> None:
        if not np.all(np.isfinite(w)) or np.array_equal(w[:1000], before):
            raise AssertionError("the update must change the weights and keep them finite")

    return Job(run, 1, check)


STEP_VARIANTS: dict[str, Callable[[str], Job]] = {"flyball": step}
OPERATIONS: dict[str, Callable[..., Job]] = {
    function.__name__: function
    for function in (batch_norm_forward, batch_norm, batch_norm_relu_dropout, dropout, gemm, adam)
}
