"""Cases of the operations of ``flyball.backend.dropout``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cases.table import LARGE, ROWS, Case, cases, normal

if TYPE_CHECKING:
    from cases.table import Maker

RATE = 0.5
SEED = {"seed": 7, "stream": 1, "step": 3}


def dropout(draw: bool, given: bool, form: str = "bool") -> Maker:
    """Arguments with a mask or without: bool, packed, or one decision a column."""

    def make(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
        mask = rng.random(sizes if form != "broadcast" else (1, sizes[1])) < RATE
        return {
            "y": np.empty(sizes, dtype),
            "dx": np.empty(sizes, dtype),
            "dy": normal(rng, dtype, *sizes),
            "x": normal(rng, dtype, *sizes),
            "mask": None if not given else np.packbits(mask, bitorder="little") if form == "packed" else mask,
            "rate": RATE,
            "draw": draw,
            "scale": 2.0,
            **SEED,
        }

    return make


def columns(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    """The second half of a mask."""
    return {**dropout(True, True)(rng, dtype, sizes), "width": 2 * sizes[1], "first": sizes[1]}


def branch(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    made = dropout(True, False)(rng, dtype, sizes)
    return {**made, "branch": made["dy"], "mask": rng.random(sizes[0]) < RATE}


CASES: list[Case] = [
    *cases("dropout_mask", ROWS, dropout(True, True), ("mask",)),
    *cases("dropout_mask_columns", ROWS, columns, ("mask",)),
    *cases("dropout_forward", LARGE, dropout(True, False), ("y",)),
    *cases("dropout_forward", ROWS, dropout(True, True), ("y", "mask"), "mask-stored"),
    *cases("dropout_forward", ROWS, dropout(False, True), ("y",), "mask-given"),
    *cases("dropout_forward", ROWS, dropout(True, True, "packed"), ("y", "mask"), "packed-stored"),
    *cases("dropout_forward", ROWS, dropout(False, True, "packed"), ("y",), "packed-given"),
    *cases("dropout_forward", ROWS, dropout(True, True, "broadcast"), ("y", "mask"), "noise-shape"),
    *cases("add_branch", ROWS, branch, ("y",)),
    *cases("dropout_inference", LARGE, dropout(True, False), ("y",)),
    *cases("alpha_dropout_forward", LARGE, dropout(True, False), ("y",)),
    *cases("alpha_dropout_backward", ROWS, dropout(True, False), ("dx",)),
    *cases("dropout_backward", ROWS, dropout(True, False), ("dx",)),
    *cases("dropout_backward", ROWS, dropout(True, True), ("dx",), "mask-given"),
]
