"""Inverted dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flyball.backend import keep_probability
from flyball.reference._arrays import BOOL, float_dtype, need, need_out, refuse_overlap
from flyball.reference.random import keep_bits

if TYPE_CHECKING:
    from flyball.backend.types import Bools, Floats


def draw_mask(shape: tuple[int, ...], size: int, rate: float, seed: int, stream: int, step: int) -> Bools:
    """Return a new mask."""
    threshold = keep_probability(rate) * 65536.0
    return (keep_bits(size, seed, stream, step) < threshold).reshape(shape)


def dropout_mask(mask: Bools, rate: float, seed: int, stream: int, step: int) -> None:
    need_out("mask", mask, BOOL, mask.shape)

    mask[...] = draw_mask(mask.shape, mask.size, rate, seed, stream, step)


def dropout_forward(
    y: Floats, mask: Bools | None, x: Floats, rate: float, seed: int, stream: int, step: int, draw: bool
) -> None:
    if not draw and mask is None:
        msg = "mask must be given unless draw is true, got None"
        raise ValueError(msg)
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need_out("y", y, dtype, x.shape)
    if draw:
        need_out("mask", mask, BOOL, x.shape)
        refuse_overlap({"y": y, "mask": mask}, {"x": x}, in_place=True)
    else:
        need("mask", mask, BOOL, x.shape)
        refuse_overlap({"y": y}, {"x": x, "mask": mask}, in_place=True)

    kept = draw_mask(x.shape, x.size, rate, seed, stream, step) if draw or mask is None else mask
    if draw and mask is not None:
        mask[...] = kept
    np.multiply(x, kept, out=y)
    y *= 1.0 / keep_probability(rate)


def dropout_backward(
    dx: Floats, dy: Floats, mask: Bools | None, rate: float, seed: int, stream: int, step: int
) -> None:
    dtype = float_dtype("dy", dy)
    need("dy", dy, dtype, dy.shape)
    need_out("dx", dx, dtype, dy.shape)
    need("mask", mask, BOOL, dy.shape)
    refuse_overlap({"dx": dx}, {"dy": dy, "mask": mask}, in_place=True)

    kept = draw_mask(dy.shape, dy.size, rate, seed, stream, step) if mask is None else mask
    np.multiply(dy, kept, out=dx)
    dx *= 1.0 / keep_probability(rate)
