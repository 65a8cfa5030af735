"""Cases of the operations of ``flyball.backend.norm``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cases.table import LARGE, ROWS, Case, cases, normal

if TYPE_CHECKING:
    from cases.table import Maker

RATE = 0.5


def batch_norm(activation: str, rate: float) -> Maker:
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


CASES: list[Case] = [
    *cases(
        "batch_norm_forward",
        LARGE,
        batch_norm("linear", 0.0),
        ("y", "mean", "rstd", "running_mean", "running_var"),
    ),
    *cases("batch_norm_forward", ROWS, batch_norm("relu", RATE), ("y", "mean", "rstd"), "relu-dropout"),
    *cases("batch_norm_backward", LARGE, batch_norm("linear", 0.0), ("dx", "dgamma", "dbeta")),
    *cases("batch_norm_backward", ROWS, batch_norm("relu", RATE), ("dx", "dgamma", "dbeta"), "relu-dropout"),
    *cases("batch_norm_inference", ROWS, batch_norm("relu", 0.0), ("y",)),
]
