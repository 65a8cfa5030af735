"""Data augmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flyball.backend.augment import AFFINE_RANGES, FILL_MODES, GREY, PIXEL_RANGES, TONE_RANGES, WORDS
from flyball.reference._arrays import (
    BOOL,
    FLOAT64,
    INT64,
    float_dtype,
    need,
    need_extent,
    need_indices,
    need_ndim,
    need_out,
    refuse_overlap,
)
from flyball.reference.random import GROUP_BLOCKS, WORD, philox

if TYPE_CHECKING:
    from flyball.backend.types import Bools, Doubles, Floats, Integers


def need_extents(**extents: int) -> None:
    """Refuse an extent that no image has."""
    for name, value in extents.items():
        need_extent(name, value, 12 if name == "channels" else 20)


def need_partners(partners: Integers | None, n: int) -> None:
    """Refuse partners that are no rows."""
    need("partners", partners, INT64, (n,))
    if partners is not None:
        need_indices("partners", "row", partners, n)


def need_ranges(ranges: Doubles, columns: int, labels: Integers | None, n: int) -> None:
    """Refuse ranges of another form, and labels that are no rows of them."""
    need_ndim("ranges", ranges, 2)
    if len(ranges) < 1:
        msg = "ranges must have at least 1 row, got 0"
        raise ValueError(msg)
    need("ranges", ranges, FLOAT64, (len(ranges), columns))
    need("labels", labels, INT64, (n,))
    if labels is not None:
        need_indices("labels", "row", labels, len(ranges))


def need_boxes(boxes: Integers, height: int, width: int) -> None:
    """Refuse boxes with pixels outside the image."""
    top, left, bottom, right = boxes.T
    outside = ~((top >= 0) & (top <= bottom) & (bottom <= height) & (left >= 0) & (left <= right) & (right <= width))
    if outside.any():
        row = int(outside.argmax())
        box = tuple(boxes[row].tolist())
        msg = f"boxes must be (top, left, bottom, right) inside ({height}, {width}), got {box} at row {row}"
        raise ValueError(msg)


def extended(pixels: Doubles, extent: int, fill_mode: str) -> tuple[Integers, Bools | bool]:
    """Return the pixels inside an axis that those of the axis extended without end stand for, and which are inside."""
    if fill_mode == "wrap":
        return np.mod(pixels, extent).astype(np.int64), True
    if fill_mode == "reflect":
        pixels = np.mod(pixels, 2 * extent)
        return np.minimum(pixels, 2 * extent - 1 - pixels).astype(np.int64), True
    inside = (pixels >= 0) & (pixels < extent)
    return np.clip(pixels, 0, extent - 1).astype(np.int64), True if fill_mode == "nearest" else inside


def affine_transform(
    y: Floats,
    x: Floats,
    matrices: Doubles,
    height: int,
    width: int,
    channels: int,
    out_height: int,
    out_width: int,
    nearest: bool,
    fill_mode: int,
    fill_value: float,
) -> None:
    need_ndim("x", x, 2)
    need_extents(height=height, width=width, channels=channels, out_height=out_height, out_width=out_width)
    if not 0 <= fill_mode < len(FILL_MODES):
        msg = f"fill_mode must be in [0, {len(FILL_MODES)}), got {fill_mode}"
        raise ValueError(msg)
    dtype = float_dtype("x", x)
    n = len(x)
    need_out("y", y, dtype, (n, out_height * out_width * channels))
    need("x", x, dtype, (n, height * width * channels))
    need("matrices", matrices, FLOAT64, (n, 6))
    refuse_overlap({"y": y}, {"x": x, "matrices": matrices}, in_place=True)

    images = x.reshape(n, height, width, channels)
    image = np.arange(n)[:, None, None]
    m = matrices.T[:, :, None, None]
    i, j = np.arange(out_height)[:, None], np.arange(out_width)
    row = m[0] * i + m[1] * j + m[2]
    column = m[3] * i + m[4] * j + m[5]
    if nearest:
        row, column = row + 0.5, column + 0.5
    above, left = np.floor(row), np.floor(column)

    def pixels(rows: Doubles, columns: Doubles) -> Floats:
        r, row_inside = extended(rows, height, FILL_MODES[fill_mode])
        c, column_inside = extended(columns, width, FILL_MODES[fill_mode])
        values: Floats = images[image, r, c]
        inside = row_inside & column_inside
        return values if inside is True else np.where(np.asarray(inside)[..., None], values, dtype.type(fill_value))

    if nearest:
        y[...] = pixels(above, left).reshape(y.shape)
        return
    down, right = ((f[..., None]).astype(dtype) for f in (row - above, column - left))
    top_left, top_right = pixels(above, left), pixels(above, left + 1)
    bottom_left, bottom_right = pixels(above + 1, left), pixels(above + 1, left + 1)
    at_left = top_left + down * (bottom_left - top_left)
    at_right = top_right + down * (bottom_right - top_right)
    y[...] = (at_left + right * (at_right - at_left)).reshape(y.shape)


# --- what is drawn for a sample ---------------------------------------------------------------------------------


def sample_uniforms(n: int, seed: int, stream: int, step: int) -> Doubles:
    """Return the 32 numbers of each of ``n`` samples, (n, 32); see ``flyball.backend.augment.WORDS``.

    Number ``16 * pair + 2 * block + word`` is word ``2 * pair + word`` of the sample's block ``block``.
    """
    block = np.arange(n * GROUP_BLOCKS, dtype=np.uint64)
    counter = (
        block & np.uint64(WORD),
        (block >> np.uint64(32)) & np.uint64(0xFFFF) | np.uint64(step >> 32 << 16),
        np.full_like(block, step & WORD),
        np.full_like(block, stream),
    )
    words = np.stack(philox(counter, (seed & WORD, seed >> 32)), axis=1).reshape(n, GROUP_BLOCKS, 2, 2)
    numbers: Doubles = (words.swapaxes(1, 2).reshape(n, 4 * GROUP_BLOCKS).astype(np.float64) + 0.5) * 2.0**-32
    return numbers


def turn_by(turns: Doubles) -> tuple[Doubles, Doubles]:
    """Return cosine and sine of full turns, exact for quarters."""
    quarters = np.rint(4.0 * turns)
    angle = 2.0 * np.pi * (turns - quarters / 4.0)
    c, s = np.cos(angle), np.sin(angle)
    quarter = np.mod(quarters, 4.0).astype(np.int64)
    return np.choose(quarter, (c, -s, -c, s)), np.choose(quarter, (s, c, -s, -c))


def symmetric_beta(u: Doubles, v: Doubles, alpha: float) -> Doubles:
    """Return numbers of Beta(alpha, alpha) from pairs of uniform ones."""
    cosine = np.cos(2.0 * np.pi * v)
    with np.errstate(over="ignore"):  # of a small alpha: the weight is 0 or 1
        t = np.expm1(-np.log(u) / alpha) * cosine * cosine
    half: Doubles = 0.5 / np.sqrt(1.0 + 1.0 / t)
    return np.where(cosine < 0.0, 0.5 - half, 0.5 + half)


def affine_matrices(
    matrices: Doubles,
    labels: Integers | None,
    ranges: Doubles,
    height: int,
    width: int,
    out_height: int,
    out_width: int,
    padding: int,
    keep_aspect: bool,
    seed: int,
    stream: int,
    step: int,
) -> None:
    need_ndim("matrices", matrices, 2)
    need_extents(height=height, width=width, out_height=out_height, out_width=out_width)
    n = len(matrices)
    need_out("matrices", matrices, FLOAT64, (n, 6))
    need_ranges(ranges, 2 * len(AFFINE_RANGES) + 2, labels, n)
    refuse_overlap({"matrices": matrices}, {"labels": labels, "ranges": ranges})

    u = sample_uniforms(n, seed, stream, step)
    bounds = ranges[np.zeros(n, np.int64) if labels is None else labels]
    low, high = bounds[:, :14:2], bounds[:, 1:14:2]
    rotation, shift_r, shift_c, zoom_r, zoom_c, shear_r, shear_c = (low + u[:, :7] * (high - low)).T
    cosine, sine = turn_by(rotation)
    scale_r = 1.0 + zoom_r
    scale_c = scale_r if keep_aspect else 1.0 + zoom_c
    scale_c = np.where(u[:, WORDS["flip_columns"]] < bounds[:, 14], -scale_c, scale_c)
    scale_r = np.where(u[:, WORDS["flip_rows"]] < bounds[:, 15], -scale_r, scale_r)
    crop_r = np.floor(u[:, WORDS["crop_row"]] * (height - out_height + 2 * padding + 1)) - padding
    crop_c = np.floor(u[:, WORDS["crop_column"]] * (width - out_width + 2 * padding + 1)) - padding
    middle_r, middle_c = (height - 1) / 2, (width - 1) / 2
    r = crop_r - shift_r * height - middle_r
    c = crop_c - shift_c * width - middle_c
    rr, rc = scale_r * (cosine - shear_r * sine), scale_r * (sine + shear_r * cosine)
    cr, cc = scale_c * (shear_c * cosine - sine), scale_c * (shear_c * sine + cosine)
    matrices[...] = np.stack([rr, rc, rr * r + rc * c + middle_r, cr, cc, cr * r + cc * c + middle_c], axis=1)


def cut_boxes(
    boxes: Integers,
    weights: Doubles,
    height: int,
    width: int,
    probability: float,
    alpha: float,
    low: float,
    high: float,
    aspect: float,
    seed: int,
    stream: int,
    step: int,
) -> None:
    need_ndim("boxes", boxes, 2)
    need_extents(height=height, width=width)
    n = len(boxes)
    need_out("boxes", boxes, INT64, (n, 4))
    need_out("weights", weights, FLOAT64, (n,))
    refuse_overlap({"boxes": boxes, "weights": weights}, {})

    u = sample_uniforms(n, seed, stream, step).T
    first = WORDS["box_share"]
    share = 1.0 - symmetric_beta(u[first], u[first + 1], alpha) if alpha > 0 else low + u[first] * (high - low)
    ratio = np.exp((u[WORDS["box_aspect"]] - 0.5) * np.log(aspect))
    there = u[WORDS["box_there"]] < probability
    sides = [
        np.where(there, np.minimum(np.rint(extent * np.sqrt(share) * factor), extent), 0.0)
        for extent, factor in ((height, ratio), (width, 1.0 / ratio))
    ]
    starts = [
        np.floor(u[WORDS[word]] * (extent - side + 1))
        for word, extent, side in zip(("box_row", "box_column"), (height, width), sides, strict=True)
    ]
    boxes[...] = np.stack([*starts, starts[0] + sides[0], starts[1] + sides[1]], axis=1)
    weights[...] = 1.0 - sides[0] * sides[1] / (height * width)


def mix_weights(weights: Doubles, alpha: float, seed: int, stream: int, step: int) -> None:
    need_ndim("weights", weights, 1)
    need_out("weights", weights, FLOAT64, (len(weights),))

    u = sample_uniforms(len(weights), seed, stream, step)
    first = WORDS["mix_share"]
    weights[...] = symmetric_beta(u[:, first], u[:, first + 1], alpha)


def partner_rows(partners: Integers, seed: int, stream: int, step: int) -> None:
    need_ndim("partners", partners, 1)
    need_out("partners", partners, INT64, (len(partners),))

    u = sample_uniforms(len(partners), seed, stream, step)
    partners[...] = np.argsort(u[:, WORDS["partner"]], kind="stable")


# --- what is done with it ---------------------------------------------------------------------------------------


def clip(values: Floats, low: float, high: float) -> Floats:
    """Return values limited to [low, high]; nan stays."""
    clipped: Floats = np.clip(values, values.dtype.type(low), values.dtype.type(high))
    return clipped


def adjust_pixels(
    y: Floats,
    x: Floats,
    labels: Integers | None,
    ranges: Doubles,
    channels: int,
    low: float,
    high: float,
    seed: int,
    stream: int,
    step: int,
) -> None:
    need_ndim("x", x, 2)
    need_extents(channels=channels)
    dtype = float_dtype("x", x)
    n, columns = x.shape
    need_out("y", y, dtype, x.shape)
    need("x", x, dtype, (n, columns // channels * channels))
    need_ranges(ranges, 2 * len(PIXEL_RANGES) + 1, labels, n)
    refuse_overlap({"y": y}, {"x": x, "labels": labels, "ranges": ranges}, in_place=True)

    u = sample_uniforms(n, seed, stream, step)
    bounds = ranges[np.zeros(n, np.int64) if labels is None else labels][:, None]

    def drawn(index: int, words: Integers) -> Doubles:
        low, high = bounds[..., 2 * index], bounds[..., 2 * index + 1]
        values: Doubles = (low + u[:, words] * (high - low))[:, None, :]
        return values

    brightness, contrast, saturation = (drawn(k, np.array([WORDS[PIXEL_RANGES[k]]])) for k in range(3))
    gain = drawn(3, WORDS["gain"] + np.arange(channels) % 8)
    images = x.reshape(n, columns // channels, channels).astype(np.float64)
    mean = images.mean(axis=1, keepdims=True)
    z = mean + contrast * (images - mean) + brightness
    if channels == 3:
        grey = z @ np.array(GREY)[:, None]
        turned_grey = (u[:, WORDS["grayscale"]] < bounds[:, 0, -1])[:, None, None]
        z = grey + np.where(turned_grey, 0.0, saturation) * (z - grey)
    clipped = clip((gain * z).astype(dtype), low, high)
    if channels == 3:
        turns = drawn(4, np.array([WORDS["hue"]]))
        clipped = np.where(turns == 0.0, clipped, turn_hues(clipped.astype(np.float64), turns))
    y[...] = clipped.reshape(y.shape)


def turn_hues(images: Doubles, turns: Doubles) -> Doubles:
    """Return pixels (..., 3) with their hue moved on the circle of six sextants; Smith 1978."""
    red, green, blue = (images[..., k : k + 1] for k in range(3))
    largest, smallest = images.max(axis=-1, keepdims=True), images.min(axis=-1, keepdims=True)
    chroma = largest - smallest
    inverse = 1.0 / np.where(chroma > 0.0, chroma, np.inf)
    of_blue = (red - green) * inverse + 4.0
    of_green = np.where(largest == green, (blue - red) * inverse + 2.0, of_blue)
    sextant = np.where(largest == red, (green - blue) * inverse, of_green)
    place = np.mod(sextant + 6.0 * turns + np.array([5.0, 3.0, 1.0]), 6.0)
    share = np.clip(np.minimum(place, 4.0 - place), 0.0, 1.0)
    turned: Doubles = np.clip(largest - chroma * share, smallest, largest)
    return turned


def adjust_tones(
    y: Floats,
    x: Floats,
    labels: Integers | None,
    ranges: Doubles,
    low: float,
    high: float,
    seed: int,
    stream: int,
    step: int,
) -> None:
    need_ndim("x", x, 2)
    dtype = float_dtype("x", x)
    n = len(x)
    need_out("y", y, dtype, x.shape)
    need("x", x, dtype, x.shape)
    need_ranges(ranges, 2 * len(TONE_RANGES) + 1, labels, n)
    refuse_overlap({"y": y}, {"x": x, "labels": labels, "ranges": ranges}, in_place=True)

    u = sample_uniforms(n, seed, stream, step)
    bounds = ranges[np.zeros(n, np.int64) if labels is None else labels]
    addition, threshold, bits = (
        bounds[:, 2 * k] + u[:, WORDS[f"tone_{name}"]] * (bounds[:, 2 * k + 1] - bounds[:, 2 * k])
        for k, name in enumerate(TONE_RANGES)
    )
    threshold = np.where(u[:, WORDS["tone_inverted"]] < bounds[:, -1], 0.0, threshold)
    bits = np.floor(bits)
    steps = np.where(bits > 0.0, np.exp2(8.0 - bits), 1.0)[:, None]
    values = np.clip((x.astype(np.float64) - low) * (255.0 / (high - low)) + addition[:, None], 0.0, 255.0)
    values = np.where(values < threshold[:, None], values, 255.0 - values)
    values = np.where(bits[:, None] > 0.0, np.floor(values / steps) * steps, values)
    y[...] = values * ((high - low) / 255.0) + low


def add_noise(
    y: Floats, x: Floats, noise: Floats, scale: Floats | None, deviation: float, low: float, high: float
) -> None:
    need_ndim("x", x, 2)
    dtype = float_dtype("x", x)
    need_out("y", y, dtype, x.shape)
    need("x", x, dtype, x.shape)
    need("noise", noise, dtype, x.shape)
    need("scale", scale, dtype, (x.shape[1],))
    refuse_overlap({"y": y}, {"x": x, "noise": noise, "scale": scale}, in_place=True)

    factor = dtype.type(deviation) if scale is None else dtype.type(deviation) * scale
    y[...] = clip(x + noise * factor, low, high)


def paste_boxes(
    y: Floats,
    x: Floats,
    boxes: Integers,
    partners: Integers | None,
    filling: Floats | None,
    height: int,
    width: int,
    channels: int,
    fill_value: float,
) -> None:
    need_ndim("x", x, 2)
    need_extents(height=height, width=width, channels=channels)
    dtype = float_dtype("x", x)
    n = len(x)
    need_out("y", y, dtype, (n, height * width * channels))
    need("x", x, dtype, y.shape)
    need("boxes", boxes, INT64, (n, 4))
    need_partners(partners, n)
    need("filling", filling, dtype, y.shape)
    refuse_overlap({"y": y}, {"x": x, "boxes": boxes, "partners": partners, "filling": filling})
    need_boxes(boxes, height, width)

    images, result = (array.reshape(n, height, width, channels) for array in (x, y))
    others = images[partners] if partners is not None else None
    if partners is None and filling is not None:
        others = filling.reshape(images.shape)
    result[...] = images
    for i, (top, left, bottom, right) in enumerate(boxes.tolist()):
        box = (slice(top, bottom), slice(left, right))
        result[i][box] = fill_value if others is None else others[i][box]


def mix_rows(y: Floats, x: Floats, partners: Integers, weights: Doubles) -> None:
    need_ndim("x", x, 2)
    dtype = float_dtype("x", x)
    need_out("y", y, dtype, x.shape)
    need("x", x, dtype, x.shape)
    need_partners(partners, len(x))
    need("weights", weights, FLOAT64, (len(x),))
    refuse_overlap({"y": y}, {"x": x, "partners": partners, "weights": weights})

    y[...] = x * weights[:, None].astype(dtype) + x[partners] * (1.0 - weights)[:, None].astype(dtype)


def swap_features(y: Floats, x: Floats, mask: Bools, partners: Integers | None, fill_value: float) -> None:
    need_ndim("x", x, 2)
    dtype = float_dtype("x", x)
    need_out("y", y, dtype, x.shape)
    need("x", x, dtype, x.shape)
    need("mask", mask, BOOL, x.shape)
    need_partners(partners, len(x))
    refuse_overlap({"y": y}, {"x": x, "mask": mask, "partners": partners})

    y[...] = np.where(mask, x, dtype.type(fill_value) if partners is None else x[partners])
