"""Cases of the operations of ``flyball.backend.dense``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cases.table import Case, cases, normal

if TYPE_CHECKING:
    from cases.table import Maker

DENSE = ((128, 256, 256), (1024, 784, 512))  # rows, in, out


def matmul(transpose_a: bool, transpose_b: bool) -> Maker:
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
            "alpha": 0.0,
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
        "added": None,
        "gamma": normal(rng, dtype, c),
        "beta": normal(rng, dtype, c),
        "running_mean": normal(rng, dtype, c),
        "running_var": np.ones(c, dtype),
        "epsilon": 1e-3,
        "activation": "relu",
        "alpha": 0.0,
        "gated": False,
    }


def behind_dropout(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    """Make the arguments of :func:`dense` with three quarters of x zero, as ReLU and dropout leave it."""
    arguments = dense(rng, dtype, sizes) | {"gated": True}
    arguments["x"] *= rng.random(arguments["x"].shape) < 0.25
    return arguments


CASES: list[Case] = [
    *cases("matmul", DENSE, matmul(False, False), ("c",)),
    *cases("matmul", DENSE, matmul(True, False), ("c",), "a.T"),
    *cases("matmul", DENSE, matmul(False, True), ("c",), "b.T"),
    *cases("dense_forward", DENSE, dense, ("y",)),
    *cases("dense_forward", DENSE, behind_dropout, ("y",), "behind-dropout"),
    *cases("dense_batch_norm_inference", DENSE, dense, ("y",)),
    *cases("dense_backward", DENSE, dense, ("dx", "dw", "db")),
    *cases("dense_backward", DENSE, behind_dropout, ("dx", "dw", "db"), "behind-dropout"),
]
