"""flyball's side: ``fit`` for whole steps, the native backend with preallocated outputs for operations."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import tasks
from tasks import (
    CLIP,
    DECAY,
    GROUPS,
    L1,
    L2,
    LEARNING_RATE,
    NETWORKS,
    RATE,
    STEPS,
    UPDATE_RATE,
    UPDATES,
    Job,
    Network,
    activated,
    close,
    images,
    kept_half,
    learns,
    maps,
    matrix,
    mean_cross_entropy,
    normalised,
    normalised_over,
    permuted,
    pictures,
    resampled,
    standard_normal,
)

import flyball
from flyball import _core, layers, optimizers, regularizers
from flyball import functional as F
from flyball.backend import ACTIVATIONS, ALPHAS

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


def step(name: str, epochs: int = 1) -> Job:
    network = NETWORKS[name]
    x, y = network.data()
    model = build(network)
    losses: list[float] = []

    def run() -> None:
        losses.extend(model.fit(x, y, batch_size=network.batch, epochs=epochs, verbose=0).history["loss"])

    return Job(run, epochs * STEPS, lambda: learns(losses[0], losses[-1]))


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
        _core.batch_norm_backward(dx, dgamma, dbeta, dy, x, gamma, beta, mean, rstd, mask, activation, rate)

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


def batch_norm_layout(shape: tuple[int, ...], last: bool) -> Job:
    """Forward and backward over images."""
    x, dy = images(shape, last), images(shape, last, 1)
    axis = -1 if last else 1
    memory = [np.moveaxis(array, 1, -1) if last else array for array in (x, dy)]
    y, dx = np.empty_like(memory[0]), np.empty_like(memory[0])
    gamma, beta = np.ones(shape[1], x.dtype), np.zeros(shape[1], x.dtype)
    running_mean, running_var = np.zeros(shape[1], x.dtype), np.ones(shape[1], x.dtype)

    def run() -> None:
        _, mean, rstd = F.batch_norm_forward(
            memory[0], gamma, beta, axis=axis, running_mean=running_mean, running_var=running_var, unbiased=True, out=y
        )
        F.batch_norm_backward(memory[1], memory[0], mean, rstd, gamma, beta, axis=axis, out=dx)

    expected = normalised_over(x, (0, 2, 3))
    return Job(run, 1, lambda: close(np.moveaxis(y, -1, 1) if last else y, expected))


def batch_norm_images(*shape: int) -> Job:
    return batch_norm_layout(shape, last=False)


def batch_norm_images_last(*shape: int) -> Job:
    return batch_norm_layout(shape, last=True)


def layer_norm(rows: int, columns: int) -> Job:
    x, dy = matrix(rows, columns), matrix(rows, columns, 1)
    y, dx = np.empty_like(x), np.empty_like(x)
    gamma, beta = np.ones(columns, x.dtype), np.zeros(columns, x.dtype)

    def run() -> None:
        _, mean, rstd = F.layer_norm_forward(x, gamma, beta, out=y)
        F.layer_norm_backward(dy, x, mean, rstd, gamma, beta, out=dx)

    return Job(run, 1, lambda: close(y, normalised_over(x, (1,))))


def group_norm(*shape: int) -> Job:
    x, dy = images(shape, last=False), images(shape, last=False, seed=1)
    y, dx = np.empty_like(x), np.empty_like(x)
    gamma, beta = np.ones(shape[1], x.dtype), np.zeros(shape[1], x.dtype)

    def run() -> None:
        _, mean, rstd = F.group_norm_forward(x, GROUPS, gamma, beta, axis=1, out=y)
        F.group_norm_backward(dy, x, mean, rstd, gamma, beta, axis=1, out=dx)

    grouped = x.reshape(shape[0], GROUPS, -1)
    return Job(run, 1, lambda: close(y, normalised_over(grouped, (2,)).reshape(shape)))


def dropout(rows: int, columns: int) -> Job:
    x = matrix(rows, columns)
    y = np.empty_like(x)
    steps = iter(range(1 << 40))
    return Job(lambda: _core.dropout_forward(y, None, x, RATE, 7, 0, next(steps), True, 2.0), 1, lambda: kept_half(y))


def scaled_copy(rows: int, columns: int) -> Job:
    """What moving the array through the arithmetic units costs: half of each element."""
    x = matrix(rows, columns)
    y = np.empty_like(x)
    return Job(lambda: _core.dropout_inference(y, x, RATE), 1, lambda: close(y, x * (1 - RATE)))


def alpha_dropout(rows: int, columns: int) -> Job:
    x = matrix(rows, columns)
    y = np.empty_like(x)
    steps = iter(range(1 << 40))
    return Job(
        lambda: _core.alpha_dropout_forward(y, None, x, RATE, 7, 0, next(steps), True), 1, lambda: standard_normal(y)
    )


def random_normal(rows: int, columns: int) -> Job:
    y = np.empty((rows, columns), np.float32)
    steps = iter(range(1 << 40))
    return Job(lambda: _core.random_normal(y, 0.0, 1.0, 7, 0, next(steps)), 1, lambda: standard_normal(y))


def permutation(size: int) -> Job:
    order = np.empty(size, np.int64)
    steps = iter(range(1 << 40))
    return Job(lambda: _core.random_permutation(order, 7, 0, next(steps)), 1, lambda: permuted(order))


def gemm(rows: int, columns: int, inner: int) -> Job:
    a, b = matrix(rows, inner), matrix(inner, columns, 1)
    c = np.empty((rows, columns), np.float32)
    return Job(
        lambda: _core.matmul(c, a, b, None, False, False, "linear", 0.0), 1, lambda: close(c / inner, a @ b / inner)
    )


def softmax_cross_entropy(rows: int, classes: int) -> Job:
    logits, labels = matrix(rows, classes), np.arange(rows) % classes
    losses, dlogits = np.empty(rows), np.empty_like(logits)

    def run() -> None:
        _core.softmax_cross_entropy(losses, None, dlogits, logits, labels, None, 0.0, 1.0 / rows)

    return Job(run, 1, lambda: close(losses.mean(), mean_cross_entropy(logits, labels)))


def activation(name: str, rows: int, columns: int) -> Job:
    x, dy = matrix(rows, columns), matrix(rows, columns, 1)
    y, dx = np.empty_like(x), np.empty_like(x)
    alpha = ALPHAS.get(name, 0.0)
    source = {"x": x} if ACTIVATIONS[name] == "x" else {"y": y}

    def run() -> None:
        _core.activation_forward(y, x, name, alpha)
        _core.activation_backward(dx, dy, source.get("x"), source.get("y"), name, alpha)

    return Job(run, 1, lambda: close(y[:4], activated(name, rows, columns)))


def update(name: str, penalised: bool, size: int) -> Job:
    """One step of an optimizer with coupled L2 (AdamW: decoupled decay), its gradient scaled as norm clipping does.

    A penalised one has elastic net, decoupled decay and clipping by value, and adds up the penalty.
    """
    w, g = matrix(1, size)[0], matrix(1, size, 1)[0]
    m, v, before = np.zeros_like(w), np.zeros_like(w), w[:1000].copy()
    scale = np.ones(1)
    total = np.zeros(1) if penalised else None
    l1, l2, decay, clip = (L1, L2, DECAY, CLIP) if penalised else (0.0, L2, 0.0, math.inf)
    if name == "adamw" and not penalised:
        l2, decay = 0.0, L2
    tail = (l1, l2, decay, False, clip, False)  # l1, l2, weight_decay, proximal, clip_value, clip_penalty
    steps = iter(range(1, 1 << 40))

    def run() -> None:
        match name:
            case "sgd":
                _core.sgd_update(w, m, total, g, scale, UPDATE_RATE, 0.9, False, *tail)
            case "rmsprop":
                _core.rmsprop_update(w, v, None, None, total, g, scale, UPDATE_RATE, 0.9, 0.0, 1e-7, True, *tail)
            case "adagrad":
                _core.adagrad_update(w, v, total, g, scale, UPDATE_RATE, 1e-7, True, *tail)
            case _:
                step = next(steps)
                _core.adam_update(
                    w, m, v, None, total, g, scale, UPDATE_RATE, 0.9, 0.999, 1e-7, step, False, *tail
                )  # fmt: skip

    def check() -> None:
        if not np.all(np.isfinite(w)) or np.array_equal(w[:1000], before):
            raise AssertionError("the update must change the weights and keep them finite")

    return Job(run, 1, check)


def augment(number: int, height: int, width: int, channels: int) -> Job:
    x, matrices = pictures(number, height, width, channels), maps(number, height, width)
    flat = x.reshape(number, -1)
    y, rows = np.empty_like(flat), matrices.reshape(number, 6)

    def run() -> None:
        _core.affine_transform(y, flat, rows, height, width, channels, height, width, False, 0, 0.0)

    return Job(run, 1, lambda: close(y[:20].reshape(x[:20].shape), resampled(x[:20], matrices[:20])))


STEP_VARIANTS: dict[str, Callable[[str], Job]] = {
    "flyball": step,
    "flyball, ten epochs a fit": lambda name: step(name, 10),
}
OPERATIONS: dict[str, Callable[..., Job]] = (
    {
        function.__name__: function
        for function in (
            batch_norm_forward,
            batch_norm,
            batch_norm_relu_dropout,
            batch_norm_images,
            batch_norm_images_last,
            layer_norm,
            group_norm,
            dropout,
            scaled_copy,
            alpha_dropout,
            random_normal,
            permutation,
            gemm,
            softmax_cross_entropy,
            augment,
        )
    }
    | {f"activation_{name}": partial(activation, name) for name in tasks.ACTIVATIONS}
    | {name: partial(update, name, False) for name in UPDATES}
    | {f"{name}_penalised": partial(update, name, True) for name in UPDATES}
)
