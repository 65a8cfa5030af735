"""Cases of the operations of ``flyball.backend.dropout``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cases.table import LARGE, ROWS, Case, cases, normal

if TYPE_CHECKING:
    from cases.table import Maker

RATE = 0.5
SEED = {"seed": 7, "stream": 1, "step": 3}


def dropout(draw: bool, given: bool) -> Maker:
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


CASES: list[Case] = [
    *cases("dropout_mask", ROWS, dropout(True, True), ("mask",)),
    *cases("dropout_forward", LARGE, dropout(True, False), ("y",)),
    *cases("dropout_forward", ROWS, dropout(True, True), ("y", "mask"), "mask-stored"),
    *cases("dropout_forward", ROWS, dropout(False, True), ("y",), "mask-given"),
    *cases("dropout_backward", ROWS, dropout(True, False), ("dx",)),
    *cases("dropout_backward", ROWS, dropout(True, True), ("dx",), "mask-given"),
]
