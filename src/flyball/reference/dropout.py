"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flyball.backend import keep_probability
from flyball.reference._arrays import (
    BOOL,
    UINT8,
    float_dtype,
    need,
    need_multiple,
    need_ndim,
    need_out,
    refuse_overlap,
)
from flyball.reference.random import coins, keep_bits

if TYPE_CHECKING:
    from flyball.backend.types import Bools, Bytes, Floats

    Mask = Bools | Bytes

SATURATION = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717
"""What SELU tends to far to the left: -scale * alpha."""


def draw_mask(shape: tuple[int, ...], rate: float, seed: int, stream: int, step: int) -> Bools:
    """Return a new mask."""
    count, keep = int(np.prod(shape)), keep_probability(rate)
    if keep == 0.5:
        return coins(count, seed, stream, step).reshape(shape)
    return (keep_bits(count, seed, stream, step) < keep * 65536.0).reshape(shape)


def packed(mask: Bools) -> Bytes:
    """Return a mask with a bit an element."""
    return np.packbits(mask, bitorder="little")


def unpacked(mask: Mask, shape: tuple[int, ...]) -> Bools:
    """Return a mask of ``shape`` with a byte an element."""
    count = int(np.prod(shape))
    return np.unpackbits(mask.view(np.uint8), count=count, bitorder="little").reshape(shape).view(np.bool_)


def mask_facts(mask: Mask, x: Floats) -> tuple[np.dtype[np.bool_] | np.dtype[np.uint8], tuple[int, ...]]:
    """Return dtype and shape that ``mask`` must have over ``x``."""
    if mask.dtype == UINT8:
        return UINT8, ((x.size + 7) // 8,)
    fits = mask.ndim == x.ndim and all(m in (n, 1) for m, n in zip(mask.shape, x.shape, strict=True))
    return BOOL, mask.shape if fits else x.shape


def drop(
    y: Floats, mask: Mask | None, x: Floats, rate: float, key: tuple[int, int, int], draw: bool, line: tuple[float, ...]
) -> None:
    """Put ``scale * x + shift`` into ``y`` where an element is kept, else ``dropped``; store a mask that is drawn."""
    scale, shift, dropped = line
    bits = mask is not None and mask.dtype == UINT8
    if draw or mask is None:
        kept = draw_mask(x.shape if bits or mask is None else mask.shape, rate, *key)
        if mask is not None:
            mask[...] = packed(kept) if bits else kept
    else:
        kept = unpacked(mask, x.shape) if bits else mask.view(np.bool_)
    value = x * x.dtype.type(scale)
    y[...] = np.where(kept, value + x.dtype.type(shift) if shift else value, x.dtype.type(dropped))


def forward(
    y: Floats, mask: Mask | None, x: Floats, rate: float, key: tuple[int, int, int], draw: bool, line: tuple[float, ...]
) -> None:
    if not draw and mask is None:
        msg = "mask must be given unless draw is true, got None"
        raise ValueError(msg)
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need_out("y", y, dtype, x.shape)
    if mask is not None:
        (need_out if draw else need)("mask", mask, *mask_facts(mask, x))
    if draw:
        refuse_overlap({"y": y, "mask": mask}, {"x": x}, in_place=True)
    else:
        refuse_overlap({"y": y}, {"x": x, "mask": mask}, in_place=True)

    drop(y, mask, x, rate, key, draw, line)


def backward(
    dx: Floats, dy: Floats, mask: Mask | None, rate: float, key: tuple[int, int, int], line: tuple[float, ...]
) -> None:
    dtype = float_dtype("dy", dy)
    need("dy", dy, dtype, dy.shape)
    need_out("dx", dx, dtype, dy.shape)
    if mask is not None:
        need("mask", mask, *mask_facts(mask, dy))
    refuse_overlap({"dx": dx}, {"dy": dy, "mask": mask}, in_place=True)

    drop(dx, mask, dy, rate, key, False, (line[0], 0.0, 0.0))


def alpha_dropout_line(rate: float) -> tuple[float, ...]:
    """Return scale, shift and the value of a dropped element."""
    keep = keep_probability(rate)
    a = 1.0 / np.sqrt(keep + SATURATION**2 * keep * (1.0 - keep))
    b = -a * SATURATION * (1.0 - keep)
    return a, b, a * SATURATION + b


def dropout_mask(mask: Mask, rate: float, seed: int, stream: int, step: int) -> None:
    bits = mask.dtype == UINT8
    need_out("mask", mask, UINT8 if bits else BOOL, mask.shape)

    kept = draw_mask((mask.size * 8 if bits else mask.size,), rate, seed, stream, step)
    mask[...] = (packed(kept) if bits else kept).reshape(mask.shape)


def dropout_mask_columns(mask: Bools, rate: float, seed: int, stream: int, step: int, width: int, first: int) -> None:
    need_ndim("mask", mask, 2)
    need_out("mask", mask, BOOL, mask.shape)
    rows, columns = mask.shape
    if columns % 64 != 0:
        msg = f"mask must have a multiple of 64 columns, got {columns}"
        raise ValueError(msg)
    need_multiple("width", width, first + columns)
    need_multiple("first", first, 0)

    mask[...] = draw_mask((rows, width), rate, seed, stream, step)[:, first : first + columns]


def dropout_forward(
    y: Floats,
    mask: Mask | None,
    x: Floats,
    rate: float,
    seed: int,
    stream: int,
    step: int,
    draw: bool,
    scale: float,
) -> None:
    forward(y, mask, x, rate, (seed, stream, step), draw, (scale, 0.0, 0.0))


def dropout_backward(
    dx: Floats, dy: Floats, mask: Mask | None, rate: float, seed: int, stream: int, step: int, scale: float
) -> None:
    backward(dx, dy, mask, rate, (seed, stream, step), (scale, 0.0, 0.0))


def dropout_inference(y: Floats, x: Floats, rate: float) -> None:
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need_out("y", y, dtype, x.shape)
    refuse_overlap({"y": y}, {"x": x}, in_place=True)

    np.multiply(x, keep_probability(rate), out=y)


def alpha_dropout_forward(
    y: Floats, mask: Mask | None, x: Floats, rate: float, seed: int, stream: int, step: int, draw: bool
) -> None:
    forward(y, mask, x, rate, (seed, stream, step), draw, alpha_dropout_line(rate))


def alpha_dropout_backward(
    dx: Floats, dy: Floats, mask: Mask | None, rate: float, seed: int, stream: int, step: int
) -> None:
    backward(dx, dy, mask, rate, (seed, stream, step), alpha_dropout_line(rate))


def add_branch(y: Floats, x: Floats, branch: Floats, mask: Bools | None, scale: float) -> None:
    need_ndim("x", x, 2)
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need("branch", branch, dtype, x.shape)
    if mask is not None:
        need("mask", mask, BOOL, x.shape[:1])
    need_out("y", y, dtype, x.shape)
    refuse_overlap({"y": y}, {"x": x, "branch": branch, "mask": mask}, in_place=True)

    value = x + dtype.type(scale) * branch
    y[...] = value if mask is None else np.where(mask[:, np.newaxis], value, x)
