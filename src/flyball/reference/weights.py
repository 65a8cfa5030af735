"""What happens to weights and gradients around a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flyball.reference._arrays import (
    FLOAT64,
    float_dtype,
    need,
    need_apart,
    need_ndim,
    need_out,
    need_out_apart,
    refuse_overlap,
)

if TYPE_CHECKING:
    from flyball.backend.types import Doubles, Floats


def squared_norm(total: Doubles, g: Floats, w: Floats | None, l1: float, l2: float) -> None:
    need_ndim("g", g, 1)
    dtype = float_dtype("g", g)
    need_out("total", total, FLOAT64, (1,))
    need("g", g, dtype, g.shape)
    need("w", w, dtype, g.shape)
    refuse_overlap({"total": total}, {"g": g, "w": w})

    if w is not None:
        g = g + l1 * np.sign(w) + l2 * w
    total[0] += np.sum(np.square(g, dtype=np.float64))


def clip_scale(scale: Doubles, total: Doubles, max_norm: float) -> None:
    need_out("scale", scale, FLOAT64, (1,))
    need_out("total", total, FLOAT64, (1,))
    refuse_overlap({"scale": scale, "total": total}, {})

    norm = np.sqrt(total[0])
    scale[0] = 1.0 if norm <= max_norm else max_norm / norm
    total[0] = 0.0


def orthogonal_penalty(penalty: Doubles, dw: Floats | None, w: Floats, factor: float, columns: bool) -> None:
    need_ndim("w", w, 2)
    dtype = float_dtype("w", w)
    need_out("penalty", penalty, FLOAT64, (1,))
    need_out("dw", dw, dtype, w.shape)
    need("w", w, dtype, w.shape)
    refuse_overlap({"penalty": penalty, "dw": dw}, {"w": w})

    axis = 0 if columns else 1
    norm = np.sqrt(np.sum(np.square(w, dtype=np.float64), axis=axis, keepdims=True))
    inverse = np.divide(1.0, norm, out=np.zeros_like(norm), where=norm > 0.0)
    unit = (w * inverse).astype(dtype)
    cosines = unit.T @ unit if columns else unit @ unit.T
    np.fill_diagonal(cosines, 0.0)
    penalty[0] += 0.5 * factor * np.sum(np.abs(cosines), dtype=np.float64)
    if dw is not None:
        signs = np.sign(cosines)
        pull = unit @ signs if columns else signs @ unit
        along = np.sum(pull.astype(np.float64) * unit, axis=axis, keepdims=True)
        dw += (factor * inverse * (pull - along * unit)).astype(dtype)


def constrain_norm(w: Floats, min_value: float, max_value: float, rate: float) -> None:
    need_ndim("w", w, 2)
    need_out("w", w, float_dtype("w", w), w.shape)

    norm = np.sqrt(np.sum(np.square(w, dtype=np.float64), axis=0))
    wanted = np.clip(norm, min_value, max_value)
    moves = (norm > 0.0) & (wanted != norm)
    factor = np.ones_like(norm)
    factor[moves] += rate * (wanted[moves] / norm[moves] - 1.0)
    w *= factor


def accumulate(y: Floats, x: Floats, keep: float, scale: float) -> None:
    need_ndim("y", y, 1, 2)
    dtype = float_dtype("y", y)
    need_out_apart("y", y, dtype, y.shape)
    need_apart("x", x, dtype, y.shape)
    refuse_overlap({"y": y}, {"x": x})

    y[...] = scale * x if keep == 0.0 else keep * y + scale * x


def average_update(average: Floats, w: Floats, decay: float, step: int) -> None:
    need_ndim("average", average, 1)
    dtype = float_dtype("average", average)
    need_out("average", average, dtype, average.shape)
    need("w", w, dtype, average.shape)
    refuse_overlap({"average": average}, {"w": w})

    keep = 0.0 if step == 1 else decay
    accumulate(average, w, keep, 1.0 - keep)
