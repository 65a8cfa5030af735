"""Cases of the operations of ``flyball.backend.loss``."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases.table import CLASSES, ROWS, Case, cases, normal


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


CASES: list[Case] = [
    *cases("softmax_cross_entropy", CLASSES, loss, ("losses", "hits", "dlogits")),
    *cases("softmax_cross_entropy_soft", CLASSES, loss, ("losses", "hits", "dlogits")),
    *cases("mean_squared_error", ROWS, loss, ("losses", "dpredictions")),
]
