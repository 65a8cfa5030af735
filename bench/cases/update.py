"""Cases of the operations of ``flyball.backend.update``, with penalties and clipping."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases.table import Case, cases, normal

PENALTY = {
    "l1": 1e-5, "l2": 1e-4, "weight_decay": 0.01, "proximal": False, "clip_value": 5.0, "clip_penalty": False
}  # fmt: skip
FLAT = ((10_000,), (1_000_000,))


def update(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    (size,) = sizes
    return {
        **{name: normal(rng, dtype, size) for name in ("w", "m", "velocity", "g")},
        **{name: rng.random(size).astype(dtype) for name in ("v", "u", "d")},
        "v_max": None,
        "penalty": np.zeros(1),
        "gradient_scale": np.array([0.5]),
        "learning_rate": 1e-3,
        "momentum": 0.9,
        "nesterov": False,
        "rho": 0.9,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-7,
        "epsilon_inside": True,
        "step": 10,
        **PENALTY,
    }


def plain_rmsprop(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    return {**update(rng, dtype, sizes), "m": None, "velocity": None}


CASES: list[Case] = [
    *cases("sgd_update", FLAT, update, ("w", "velocity", "penalty")),
    *cases("adam_update", FLAT, update, ("w", "m", "v", "penalty")),
    *cases("rmsprop_update", FLAT, plain_rmsprop, ("w", "v", "penalty")),
    *cases("adagrad_update", FLAT, update, ("w", "v", "penalty")),
    *cases("adamax_update", FLAT, update, ("w", "m", "u", "penalty")),
    *cases("adadelta_update", FLAT, update, ("w", "v", "d", "penalty")),
    *cases("lion_update", FLAT, update, ("w", "m", "penalty")),
]
