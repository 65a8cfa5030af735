"""Cases of the operations of ``flyball.backend.update``."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases.table import Case, cases, normal

PENALTY = {"l1": 1e-5, "l2": 1e-4, "weight_decay": 0.01}
FLAT = ((10_000,), (1_000_000,))


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


CASES: list[Case] = [
    *cases("sgd_update", FLAT, update, ("w", "velocity", "penalty")),
    *cases("adam_update", FLAT, update, ("w", "m", "v", "penalty")),
]
