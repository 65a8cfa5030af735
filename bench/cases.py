"""Arguments of every operation of the Backend, at sizes that training meets.

A case names its arguments as the Protocol does; arrays of the argument list that the operation writes are compared
between the backends before anything is timed.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.backend import Backend

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Maker = Callable[[np.random.Generator, np.dtype[Any], tuple[int, ...]], dict[str, Any]]

OPERATIONS = tuple(name for name, member in vars(Backend).items() if inspect.isfunction(member) and name[0] != "_")

RATE = 0.5
SEED = {"seed": 7, "stream": 1, "step": 3}
PENALTY = {"l1": 1e-5, "l2": 1e-4, "weight_decay": 0.01}


@dataclass(frozen=True)
class Case:
    """One operation at one size."""

    operation: str
    sizes: tuple[int, ...]
    make: Maker
    writes: tuple[str, ...]
    label: str = ""

    @property
    def id(self) -> str:
        """Name of the case in reports."""
        return f"{self.operation}{'-' + self.label if self.label else ''}-{'x'.join(map(str, self.sizes))}"

    def arguments(self, dtype: np.dtype[Any]) -> dict[str, Any]:
        """Fresh arguments, the same each time, in the order of the Protocol's parameters."""
        made = self.make(np.random.default_rng(0), dtype, self.sizes)
        parameters = list(inspect.signature(getattr(Backend, self.operation)).parameters)[1:]
        return {name: made[name] for name in parameters}


def normal(rng: np.random.Generator, dtype: np.dtype[Any], *shape: int) -> NDArray[Any]:
    return rng.standard_normal(shape).astype(dtype)


def matmul(
    transpose_a: bool, transpose_b: bool
) -> Callable[[np.random.Generator, np.dtype[Any], tuple[int, ...]], dict[str, Any]]:
    def make(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
        m, n, k = sizes
        return {
            "c": np.empty((m, n), dtype),
            "a": normal(rng, dtype, *((k, m) if transpose_a else (m, k))),
            "b": normal(rng, dtype, *((n, k) if transpose_b else (k, n))),
            "bias": normal(rng, dtype, n),
            "transpose_a": transpose_a,
            "transpose_b": transpose_b,
            "activation": "relu",
        }

    return make


def dense(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    n, k, c = sizes
    return {
        "y": np.empty((n, c), dtype),
        "dx": np.empty((n, k), dtype),
        "dw": np.empty((k, c), dtype),
        "db": np.empty(c, dtype),
        "dy": normal(rng, dtype, n, c),
        "x": normal(rng, dtype, n, k),
        "w": normal(rng, dtype, k, c),
        "b": normal(rng, dtype, c),
        "activation": "relu",
    }


def batch_norm(
    activation: str, rate: float
) -> Callable[[np.random.Generator, np.dtype[Any], tuple[int, ...]], dict[str, Any]]:
    def make(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
        n, c = sizes
        x = normal(rng, dtype, n, c)
        mean = x.mean(axis=0, dtype=np.float64)
        rstd = 1.0 / np.sqrt(x.var(axis=0, dtype=np.float64) + 1e-3)
        mask = rng.random((n, c)) >= rate if rate > 0 else None
        y = (x - mean) * rstd
        if activation == "relu":
            y = np.maximum(y, 0)
        if mask is not None:
            y = y * mask / (1 - rate)
        return {
            "y": y.astype(dtype),
            "dx": np.empty((n, c), dtype),
            "dgamma": np.empty(c, dtype),
            "dbeta": np.empty(c, dtype),
            "dy": normal(rng, dtype, n, c),
            "x": x,
            "gamma": np.ones(c, dtype),
            "beta": np.zeros(c, dtype),
            "mean": mean,
            "rstd": rstd,
            "running_mean": np.zeros(c, dtype),
            "running_var": np.ones(c, dtype),
            "mask": mask,
            "momentum": 0.99,
            "epsilon": 1e-3,
            "unbiased": False,
            "activation": activation,
            "rate": rate,
        }

    return make


def dropout(draw: bool, given: bool) -> Callable[[np.random.Generator, np.dtype[Any], tuple[int, ...]], dict[str, Any]]:
    def make(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
        return {
            "y": np.empty(sizes, dtype),
            "dx": np.empty(sizes, dtype),
            "dy": normal(rng, dtype, *sizes),
            "x": normal(rng, dtype, *sizes),
            "mask": rng.random(sizes) < RATE if given else None,
            "rate": RATE,
            "draw": draw,
            **SEED,
        }

    return make


def elementwise(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    x = normal(rng, dtype, *sizes)
    y = np.exp(x)
    return {
        "y": y / y.sum(axis=-1, keepdims=True),
        "dx": np.empty(sizes, dtype),
        "dy": normal(rng, dtype, *sizes),
        "x": x,
    }


def loss(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    n, c = sizes
    targets = rng.random((n, c)) + 0.1
    return {
        "losses": np.empty(n),
        "hits": np.empty(n),
        "dlogits": np.empty((n, c), dtype),
        "dpredictions": np.empty((n, c), dtype),
        "logits": normal(rng, dtype, n, c),
        "predictions": normal(rng, dtype, n, c),
        "labels": rng.integers(0, c, n),
        "targets": (targets / targets.sum(axis=1, keepdims=True)).astype(dtype),
        "scale": 1 / n,
    }


def update(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    (size,) = sizes
    return {
        "w": normal(rng, dtype, size),
        "m": normal(rng, dtype, size),
        "v": rng.random(size).astype(dtype),
        "velocity": normal(rng, dtype, size),
        "penalty": np.zeros(1),
        "g": normal(rng, dtype, size),
        "learning_rate": 1e-3,
        "momentum": 0.9,
        "nesterov": True,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-7,
        "step": 10,
        **PENALTY,
    }


def gather(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    n, c = sizes
    return {"out": np.empty((n, c), dtype), "x": normal(rng, dtype, 4 * n, c), "rows": rng.permutation(4 * n)[:n]}


def gather_labels(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    (n,) = sizes
    return {"out": np.empty(n, np.int64), "labels": rng.integers(0, 10, 4 * n), "rows": rng.permutation(4 * n)[:n]}


def total(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    return {"total": np.zeros(1), "values": rng.random(sizes)}


DENSE = ((128, 256, 256), (1024, 784, 512))  # rows, in, out
ROWS = ((128, 256), (1024, 512))
LARGE = (*ROWS, (8192, 1024))
CLASSES = ((128, 10), (1024, 1000))
FLAT = ((10_000,), (1_000_000,))


def _cases(
    operation: str, sizes: tuple[tuple[int, ...], ...], make: Maker, writes: tuple[str, ...], label: str = ""
) -> list[Case]:
    return [Case(operation, size, make, writes, label) for size in sizes]


CASES: list[Case] = [
    *_cases("matmul", DENSE, matmul(False, False), ("c",)),
    *_cases("matmul", DENSE, matmul(True, False), ("c",), "a.T"),
    *_cases("matmul", DENSE, matmul(False, True), ("c",), "b.T"),
    *_cases("dense_forward", DENSE, dense, ("y",)),
    *_cases("dense_backward", DENSE, dense, ("dx", "dw", "db")),
    *_cases(
        "batch_norm_forward",
        LARGE,
        batch_norm("linear", 0.0),
        ("y", "mean", "rstd", "running_mean", "running_var"),
    ),
    *_cases("batch_norm_forward", ROWS, batch_norm("relu", RATE), ("y", "mean", "rstd"), "relu-dropout"),
    *_cases("batch_norm_backward", LARGE, batch_norm("linear", 0.0), ("dx", "dgamma", "dbeta")),
    *_cases("batch_norm_backward", ROWS, batch_norm("relu", RATE), ("dx", "dgamma", "dbeta"), "relu-dropout"),
    *_cases("batch_norm_inference", ROWS, batch_norm("relu", 0.0), ("y",)),
    *_cases("dropout_mask", ROWS, dropout(True, True), ("mask",)),
    *_cases("dropout_forward", LARGE, dropout(True, False), ("y",)),
    *_cases("dropout_forward", ROWS, dropout(True, True), ("y", "mask"), "mask-stored"),
    *_cases("dropout_forward", ROWS, dropout(False, True), ("y",), "mask-given"),
    *_cases("dropout_backward", ROWS, dropout(True, False), ("dx",)),
    *_cases("dropout_backward", ROWS, dropout(True, True), ("dx",), "mask-given"),
    *_cases("relu_forward", ROWS, elementwise, ("y",)),
    *_cases("relu_backward", ROWS, elementwise, ("dx",)),
    *_cases("softmax_forward", CLASSES, elementwise, ("y",)),
    *_cases("softmax_backward", CLASSES, elementwise, ("dx",)),
    *_cases("softmax_cross_entropy", CLASSES, loss, ("losses", "hits", "dlogits")),
    *_cases("softmax_cross_entropy_soft", CLASSES, loss, ("losses", "hits", "dlogits")),
    *_cases("mean_squared_error", ROWS, loss, ("losses", "dpredictions")),
    *_cases("sgd_update", FLAT, update, ("w", "velocity", "penalty")),
    *_cases("adam_update", FLAT, update, ("w", "m", "v", "penalty")),
    *_cases("gather", ROWS, gather, ("out",)),
    *_cases("gather_labels", ((128,), (1024,)), gather_labels, ("out",)),
    *_cases("add_total", ((128,), (1024,)), total, ("total",)),
]
