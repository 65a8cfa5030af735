"""Cases of the operations of ``flyball.backend.augment``."""

from colorsys import hsv_to_rgb, rgb_to_hsv

import numpy as np

from flyball.backend.augment import FILL_MODES
from flyball.reference.random import WORD, philox
from parity.cases.table import operation
from parity.tolerances import DRAWN, EXACT, RESAMPLED, SHORT, SHORT_SUMS

PADDING = {"constant": "constant", "nearest": "edge", "reflect": "symmetric", "wrap": "wrap"}
"""What ``np.pad`` calls the fill modes."""


def affine_transform_arguments(make, rows, columns, channels=1, nearest=False, fill_mode="constant", transposed=False):
    n, height, width = min(rows, 24), 1 + rows % 6, columns
    matrices = make.rng.uniform(-1.5, 1.5, (n, 6)) * [1, 1, height, 1, 1, width]
    matrices[0] = [1, 0, -1, 0, -1, width]  # whole pixels, beyond two edges
    return {
        "y": make.empty(n, height * width * channels),
        "x": make.normal(n, height * width * channels),
        "matrices": matrices,
        "height": height,
        "width": width,
        "channels": channels,
        "out_height": width if transposed else height,
        "out_width": height if transposed else width,
        "nearest": nearest,
        "fill_mode": FILL_MODES.index(fill_mode),
        "fill_value": 0.75,
    }


@operation(
    affine_transform_arguments,
    [
        *({"fill_mode": mode} for mode in FILL_MODES),
        *({"fill_mode": mode, "nearest": True} for mode in FILL_MODES),
        {"channels": 2, "nearest": True},
        {"channels": 5, "fill_mode": "wrap", "transposed": True},
        {"channels": 3, "fill_mode": "reflect"},
    ],
    tolerance=RESAMPLED,
    in_place=("y", "x"),
)
def affine_transform(
    y, x, matrices, height, width, channels, out_height, out_width, nearest, fill_mode, fill_value
):  # fmt: skip
    reach = 8 * (height + width)
    options = {"constant_values": -1} if FILL_MODES[fill_mode] == "constant" else {}
    rows, columns = (
        np.pad(np.arange(extent), reach, PADDING[FILL_MODES[fill_mode]], **options) for extent in (height, width)
    )

    def pixels(image, r, c):
        r, c = rows[r + reach], columns[c + reach]
        return np.where(((r < 0) | (c < 0))[..., None], fill_value, image[r, c])

    images = []
    for image, (a, b, c, d, e, f) in zip(x.reshape(-1, height, width, channels), matrices, strict=True):
        i, j = np.mgrid[:out_height, :out_width]
        u, v = a * i + b * j + c, d * i + e * j + f
        if nearest:
            images.append(pixels(image, np.floor(u + 0.5).astype(int), np.floor(v + 0.5).astype(int)))
            continue
        r, s = np.floor(u).astype(int), np.floor(v).astype(int)
        images.append(
            sum(
                (np.abs(1 - p - (u - r)) * np.abs(1 - q - (v - s)))[..., None] * pixels(image, r + p, s + q)
                for p in (0, 1)
                for q in (0, 1)
            )
        )
    return {"y": np.stack(images).reshape(y.shape)}


# --- what is drawn ----------------------------------------------------------------------------------------------

ADDRESS = {"seed": 0x9E3779B97F4A7C15, "stream": 0xDEADBEEF, "step": 0x123456789ABC}


def uniforms(n, seed, stream, step):
    """A sample's 32 numbers, from blocks counted one by one."""
    numbers = np.empty((n, 32))
    for i in range(n):
        for block in range(8):
            counter = [np.array([v], np.uint64) for v in (8 * i + block, step >> 32 << 16, step & WORD, stream)]
            words = [int(word[0]) for word in philox(tuple(counter), (seed & WORD, seed >> 32))]
            for k, word in enumerate(words):
                numbers[i, 16 * (k // 2) + 2 * block + k % 2] = (word + 0.5) / 2**32
    return numbers


def affine_matrices_arguments(make, rows, columns, classes=0, crop=0, keep_aspect=True):
    bounds = np.sort(make.rng.uniform(-0.6, 0.6, (max(classes, 1), 7, 2)), axis=2).reshape(-1, 14)
    n = min(rows, 40)
    return {
        "matrices": make.doubles(n, 6),
        "labels": make.rng.integers(0, classes, n) if classes else None,
        "ranges": np.hstack([bounds, make.rng.random((len(bounds), 2))]),
        "height": columns + crop,
        "width": 9 + crop,
        "out_height": columns,
        "out_width": 9,
        "padding": 2 if crop else 0,
        "keep_aspect": keep_aspect,
        **ADDRESS,
    }


def about(middle, matrix):
    """A 2 x 2 matrix that leaves ``middle`` where it is, as 3 x 3."""
    whole = np.eye(3)
    whole[:2, :2] = matrix
    whole[:2, 2] = middle - matrix @ middle
    return whole


@operation(
    affine_matrices_arguments,
    [{}, {"crop": 3, "keep_aspect": False}, {"classes": 3}],
    tolerance=DRAWN,
    empty=[(0, 4)],
)
def affine_matrices(
    matrices, labels, ranges, height, width, out_height, out_width, padding, keep_aspect, seed, stream, step
):  # fmt: skip
    middle = np.array([(height - 1) / 2, (width - 1) / 2])
    result = np.empty(matrices.shape)
    for i, u in enumerate(uniforms(len(matrices), seed, stream, step)):
        row = ranges[0 if labels is None else labels[i]]
        turns, down, across, zoom_r, zoom_c, shear_r, shear_c = row[:14:2] + u[:7] * (row[1:14:2] - row[:14:2])
        angle = 2 * np.pi * turns
        rotate = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        shear = np.array([[1, shear_r], [shear_c, 1]])
        zoom = np.diag([1 + zoom_r, 1 + (zoom_r if keep_aspect else zoom_c)])
        flip = np.diag([-1.0 if u[8] < row[15] else 1.0, -1.0 if u[7] < row[14] else 1.0])
        crop = [int(u[9] * (height - out_height + 2 * padding + 1)), int(u[10] * (width - out_width + 2 * padding + 1))]
        move = np.eye(3)
        move[:2, 2] = np.array(crop) - padding - [down * height, across * width]
        result[i] = (about(middle, flip @ zoom @ shear @ rotate) @ move)[:2].reshape(6)
    return {"matrices": result}


def beta(u, v, alpha):
    """Student's t with 2 alpha degrees of freedom by the polar method, then t / sqrt(2 alpha + t**2) in [-1, 1]."""
    t = np.sqrt(2 * alpha * (u ** (-1 / alpha) - 1)) * np.cos(2 * np.pi * v)
    return (1 + t / np.sqrt(2 * alpha + t * t)) / 2


def cut_boxes_arguments(make, rows, columns, alpha=0.0, probability=1.0):
    n = min(rows, 40)
    return {
        "boxes": np.full((n, 4), -1),
        "weights": make.doubles(n),
        "height": columns,
        "width": 7,
        "probability": probability,
        "alpha": alpha,
        "low": 0.1,
        "high": 0.7,
        "aspect": 3.0,
        **ADDRESS,
    }


@operation(
    cut_boxes_arguments,
    [{"probability": 0.5}, {"alpha": 0.8}, {}],
    tolerance=DRAWN,
    empty=[(0, 4)],
)
def cut_boxes(boxes, weights, height, width, probability, alpha, low, high, aspect, seed, stream, step):
    boxes, weights = np.zeros_like(boxes), np.ones(len(weights))
    for i, u in enumerate(uniforms(len(boxes), seed, stream, step)):
        share = 1 - beta(u[23], u[24], alpha) if alpha else low + u[23] * (high - low)
        stretch = aspect ** (u[25] - 0.5)
        there = u[22] < probability
        tall = min(round(height * share**0.5 * stretch), height) * there
        wide = min(round(width * share**0.5 / stretch), width) * there
        top, left = int(u[26] * (height - tall + 1)), int(u[27] * (width - wide + 1))
        boxes[i] = top, left, top + tall, left + wide
        weights[i] = 1 - tall * wide / (height * width)
    return {"boxes": boxes, "weights": weights}


def mix_weights_arguments(make, rows, columns, alpha=0.2):
    return {"weights": make.doubles(min(rows, 40)), "alpha": alpha, **ADDRESS}


@operation(mix_weights_arguments, [{}, {"alpha": 1.0}, {"alpha": 30.0}], tolerance=DRAWN, empty=[(0, 4)])
def mix_weights(weights, alpha, seed, stream, step):
    u = uniforms(len(weights), seed, stream, step)
    return {"weights": beta(u[:, 28], u[:, 29], alpha)}


def partner_rows_arguments(make, rows, columns):
    return {"partners": np.full(min(rows, 200), -1), **ADDRESS}


@operation(partner_rows_arguments, tolerance=EXACT, empty=[(0, 4)])
def partner_rows(partners, seed, stream, step):
    u = uniforms(len(partners), seed, stream, step)[:, 30]
    return {"partners": np.array(sorted(range(len(u)), key=lambda i: u[i]), np.int64)}


# --- what is done with it ---------------------------------------------------------------------------------------


def adjust_pixels_arguments(make, rows, columns, channels=1, classes=0, hue=(0.0, 0.0), grayscale=0.0):
    n = min(rows, 40)
    x = make.normal(n, columns * channels)
    ranges = np.array([-0.3, 0.4, 0.5, 1.5, 0.0, 1.5, 0.7, 1.4]) + make.rng.uniform(-0.1, 0.1, (max(classes, 1), 8))
    ranges = np.hstack([ranges, np.tile([*hue, grayscale], (len(ranges), 1))])
    return {
        "y": make.empty(*x.shape),
        "x": x,
        "labels": make.rng.integers(0, classes, n) if classes else None,
        "ranges": ranges,
        "channels": channels,
        "low": -1.25,
        "high": 1.5,
        **ADDRESS,
    }


@operation(
    adjust_pixels_arguments,
    [
        {},
        {"channels": 3},
        {"channels": 4, "hue": (0.2, 0.3), "grayscale": 1.0},
        {"channels": 11},
        {"channels": 3, "hue": (-0.5, 1.5), "grayscale": 0.4},
        {"channels": 3, "classes": 4, "grayscale": 0.4},
    ],
    tolerance=SHORT_SUMS,
    in_place=("y", "x"),
    empty=[(0, 4)],
)
def adjust_pixels(y, x, labels, ranges, channels, low, high, seed, stream, step):
    result = np.empty((len(x), x.shape[1] // channels, channels))
    for i, u in enumerate(uniforms(len(x), seed, stream, step)):
        row = ranges[0 if labels is None else labels[i]]
        bright, contrast, colour = row[:6:2] + u[11:14] * (row[1:6:2] - row[:6:2])
        gain = row[6] + u[14 + np.arange(channels) % 8] * (row[7] - row[6])
        image = x[i].reshape(-1, channels)
        image = image.mean(0) + contrast * (image - image.mean(0)) + bright
        if channels == 3:
            grey = image @ [[0.299], [0.587], [0.114]]
            colour = 0.0 if u[17] < row[10] else colour
            image = colour * image + (1 - colour) * grey
        result[i] = np.clip(gain * image, low, high)
        turns = row[8] + u[18] * (row[9] - row[8])
        if channels == 3 and turns:
            unit = (result[i] - low) / (high - low)
            turned = [hsv_to_rgb((h + turns) % 1.0, s, v) for h, s, v in (rgb_to_hsv(*pixel) for pixel in unit)]
            result[i] = low + (high - low) * np.array(turned)
    return {"y": result.reshape(x.shape)}


def adjust_tones_arguments(make, rows, columns, classes=0, **given):
    n = min(rows, 40)
    off = {"addition": (0.0, 0.0), "threshold": (256.0, 256.0), "bits": (0.0, 0.0), "inversion": (0.0,)}
    row = [bound for bounds in {**off, **given}.values() for bound in bounds]
    x = make.normal(n, columns)
    return {
        "y": make.empty(n, columns),
        "x": x,
        "labels": make.rng.integers(0, classes, n) if classes else None,
        "ranges": np.array(row) + np.zeros((max(classes, 1), 1)) * np.arange(max(classes, 1))[:, None],
        "low": -1.25,
        "high": 1.5,
        **ADDRESS,
    }


@operation(
    adjust_tones_arguments,
    [
        {},
        {"inversion": (0.5,)},
        {"addition": (0.0, 90.0), "threshold": (64.0, 200.0)},
        {"bits": (1.0, 9.0)},
        {"bits": (3.0, 4.0), "addition": (-20.0, 20.0), "threshold": (0.0, 255.0), "inversion": (0.3,), "classes": 3},
    ],
    tolerance=SHORT_SUMS,
    in_place=("y", "x"),
    empty=[(0, 4)],
)
def adjust_tones(y, x, labels, ranges, low, high, seed, stream, step):
    result = np.empty(y.shape)
    for i, u in enumerate(uniforms(len(x), seed, stream, step)):
        row = ranges[0 if labels is None else labels[i]]
        addition, threshold, bits = row[:6:2] + u[19:22] * (row[1:6:2] - row[:6:2])
        v = np.clip(255.0 * (x[i] - low) / (high - low) + addition, 0.0, 255.0)
        v = np.where(v < (0.0 if u[31] < row[6] else threshold), v, 255.0 - v)
        if bits >= 1.0:
            v -= np.mod(v, 2.0 ** (8 - int(bits)))
        result[i] = low + v * (high - low) / 255.0
    return {"y": result}


def add_noise_arguments(make, rows, columns, scaled=True):
    return {
        "y": make.empty(rows, columns),
        "x": make.normal(rows, columns),
        "noise": make.normal(rows, columns),
        "scale": make.positive(columns) if scaled else None,
        "deviation": 0.4,
        "low": -1.0 if scaled else -np.inf,
        "high": 1.0 if scaled else np.inf,
    }


@operation(add_noise_arguments, [{"scaled": False}, {}], tolerance=SHORT, in_place=("y", "x"), empty=[(0, 4), (4, 0)])
def add_noise(x, noise, scale, deviation, low, high, **_):
    return {"y": np.clip(x + deviation * (1.0 if scale is None else scale) * noise, low, high)}


def paste_boxes_arguments(make, rows, columns, channels=1, partners=True, filling=False):
    n, height = min(rows, 40), 1 + rows % 6
    x = make.normal(n, height * columns * channels)
    corners = np.stack([np.sort(make.rng.integers(0, size + 1, (n, 2)), axis=1) for size in (height, columns)], axis=2)
    return {
        "y": make.empty(*x.shape),
        "x": x,
        "boxes": corners.reshape(n, 4),
        "partners": make.rng.permutation(n) if partners else None,
        "filling": make.normal(*x.shape) if filling else None,
        "height": height,
        "width": columns,
        "channels": channels,
        "fill_value": 0.5,
    }


@operation(
    paste_boxes_arguments,
    [{"partners": False}, {"partners": False, "filling": True, "channels": 2}, {"filling": True}, {"channels": 3}, {}],
    tolerance=EXACT,
)
def paste_boxes(y, x, boxes, partners, filling, height, width, channels, fill_value):
    result = x.reshape(-1, height, width, channels).copy()
    others = x if filling is None or partners is not None else filling
    others = others.reshape(result.shape) if partners is None else others.reshape(result.shape)[partners]
    constant = partners is None and filling is None
    for i, (top, left, bottom, right) in enumerate(boxes):
        for r in range(top, bottom):
            for c in range(left, right):
                result[i, r, c] = fill_value if constant else others[i, r, c]
    return {"y": result.reshape(x.shape)}


def mix_rows_arguments(make, rows, columns):
    return {
        "y": make.empty(rows, columns),
        "x": make.normal(rows, columns),
        "partners": make.rng.permutation(rows),
        "weights": make.rng.random(rows),
    }


@operation(mix_rows_arguments, tolerance=SHORT, empty=[(0, 4), (4, 0)])
def mix_rows(x, partners, weights, **_):
    return {"y": (weights * x.T + (1 - weights) * x[partners].T).T}


def swap_features_arguments(make, rows, columns, partners=True):
    return {
        "y": make.empty(rows, columns),
        "x": make.normal(rows, columns),
        "mask": make.mask(rows, columns),
        "partners": make.rng.permutation(rows) if partners else None,
        "fill_value": -0.5,
    }


@operation(swap_features_arguments, [{"partners": False}, {}], tolerance=EXACT, empty=[(0, 4), (4, 0)])
def swap_features(y, x, mask, partners, fill_value):
    return {"y": np.where(mask, x, fill_value if partners is None else x[partners])}
