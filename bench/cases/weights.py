"""Cases of the operations of ``flyball.backend.weights``."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases.table import Case, cases, normal

FLAT = ((10_000,), (1_000_000,))


def flat(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    (size,) = sizes
    return {
        **{name: normal(rng, dtype, size) for name in ("g", "w", "y", "x", "average")},
        "total": np.zeros(1),
        "l1": 1e-5,
        "l2": 1e-4,
        "keep": 1.0,
        "scale": 0.25,
        "decay": 0.99,
        "step": 10,
    }


def scale(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    del rng, dtype, sizes
    return {"scale": np.empty(1), "total": np.array([2.0]), "max_norm": 1.0}


def matrix(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    return {"w": normal(rng, dtype, *sizes), "min_value": 0.0, "max_value": 2.0, "rate": 1.0}


def kernel(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    w = normal(rng, dtype, *sizes)
    return {"penalty": np.zeros(1), "dw": np.zeros_like(w), "w": w, "factor": 1e-3, "columns": True}


CASES: list[Case] = [
    *cases("squared_norm", FLAT, flat, ("total",)),
    *cases("clip_scale", ((1,),), scale, ("scale", "total")),
    *cases("constrain_norm", ((128, 64), (784, 512)), matrix, ("w",)),
    *cases("orthogonal_penalty", ((64, 64), (256, 256)), kernel, ("penalty", "dw")),
    *cases("accumulate", FLAT, flat, ("y",)),
    *cases("average_update", FLAT, flat, ("average",)),
]
