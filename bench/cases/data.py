"""Cases of the operations of ``flyball.backend.data``."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases.table import ROWS, Case, cases, normal


def gather(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    n, c = sizes
    return {"out": np.empty((n, c), dtype), "x": normal(rng, dtype, 4 * n, c), "rows": rng.permutation(4 * n)[:n]}


def gather_labels(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    (n,) = sizes
    return {"out": np.empty(n, np.int64), "labels": rng.integers(0, 10, 4 * n), "rows": rng.permutation(4 * n)[:n]}


def axes(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    n, first, second, rest = sizes
    x = normal(rng, dtype, n, first * second * rest)
    return {"y": np.empty_like(x), "x": x, "first": first, "second": second}


def finite(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    return {"position": np.zeros(1, np.int64), "x": normal(rng, dtype, *sizes)}


def total(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    return {"total": np.zeros(1), "values": rng.random(sizes), "scale": 1.0}


CASES: list[Case] = [
    *cases("gather", ROWS, gather, ("out",)),
    *cases("gather_labels", ((128,), (1024,)), gather_labels, ("out",)),
    *cases("swap_axes", ((128, 3, 1024, 1), (128, 64, 256, 1), (128, 32, 32, 64)), axes, ("y",)),
    *cases("find_not_finite", ROWS, finite, ("position",)),
    *cases("add_total", ((128,), (1024,)), total, ("total",)),
]
