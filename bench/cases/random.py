"""Cases of the operations of ``flyball.backend.random``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cases.dropout import SEED
from cases.table import LARGE, ROWS, Case, cases, normal

if TYPE_CHECKING:
    from cases.table import Maker

SCALARS = {"low": -1.0, "high": 1.0, "mean": 0.5, "std": 0.25, "bound": 2.0, "rate": 0.5}


def floats(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    x = normal(rng, dtype, *sizes)
    empty = {name: np.empty(sizes, dtype) for name in ("out", "y", "dx")}
    return {**empty, "x": x, "dy": x, **SCALARS, **SEED}


def integers(low: int, high: int) -> Maker:
    def make(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
        del rng, dtype
        return {"out": np.empty(sizes, np.int64), "low": low, "high": high, **SEED}

    return make


CASES: list[Case] = [
    *cases("random_uniform", LARGE, floats, ("out",)),
    *cases("random_normal", LARGE, floats, ("out",)),
    *cases("random_truncated_normal", ROWS, floats, ("out",)),
    *cases("random_integers", ((1000,), (100_000,)), integers(0, 60_000), ("out",)),
    *cases("random_permutation", ((1000,), (100_000,)), integers(0, 0), ("out",)),
    *cases("gaussian_noise_forward", LARGE, floats, ("y",)),
    *cases("gaussian_dropout_forward", LARGE, floats, ("y",)),
    *cases("gaussian_dropout_backward", ROWS, floats, ("dx",)),
]
