"""Cases of the operations of ``flyball.backend.activation``."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases.table import CLASSES, ROWS, Case, cases, normal


def elementwise(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    x = normal(rng, dtype, *sizes)
    y = np.exp(x)
    return {
        "y": y / y.sum(axis=-1, keepdims=True),
        "dx": np.empty(sizes, dtype),
        "dy": normal(rng, dtype, *sizes),
        "x": x,
    }


CASES: list[Case] = [
    *cases("relu_forward", ROWS, elementwise, ("y",)),
    *cases("relu_backward", ROWS, elementwise, ("dx",)),
    *cases("softmax_forward", CLASSES, elementwise, ("y",)),
    *cases("softmax_backward", CLASSES, elementwise, ("dx",)),
]
