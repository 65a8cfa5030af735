"""Cases of the operations of ``flyball.backend.augment``."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases.table import ROWS, Case, cases, normal

ADDRESS = {"seed": 7, "stream": 1, "step": 3}
IMAGES = ((1000, 28, 28, 1), (256, 32, 32, 3))


def affine_transform(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    n, height, width, channels = sizes
    return {
        "y": np.empty((n, height * width * channels), dtype),
        "x": normal(rng, dtype, n, height * width * channels),
        "matrices": np.array([1, 0, 0, 0, 1, 0]) + rng.uniform(-0.3, 0.3, (n, 6)),
        "height": height,
        "width": width,
        "channels": channels,
        "out_height": height,
        "out_width": width,
        "nearest": False,
        "fill_mode": 0,
        "fill_value": 0.0,
    }


def affine_matrices(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    n, height, width, _ = sizes
    return {
        "matrices": np.empty((n, 6)),
        "labels": None,
        "ranges": np.tile([-0.1, 0.1], (1, 8)),
        "height": height,
        "width": width,
        "out_height": height,
        "out_width": width,
        "padding": 0,
        "keep_aspect": True,
        **ADDRESS,
    }


def adjust_pixels(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    n, height, width, channels = sizes
    x = normal(rng, dtype, n, height * width * channels)
    ranges = np.array([[-0.2, 0.2, 0.8, 1.2, 0.8, 1.2, 0.9, 1.1, 0.0, 0.0, 0.0]])
    return {
        "y": np.empty_like(x),
        "x": x,
        "labels": None,
        "ranges": ranges,
        "channels": channels,
        "low": -2.0,
        "high": 2.0,
        **ADDRESS,
    }


def turned(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    return {**(made := adjust_pixels(rng, dtype, sizes)), "ranges": made["ranges"] + np.eye(11)[9] * 0.1}


def adjust_tones(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    ranges = np.array([[0.0, 50.0, 128.0, 255.0, 4.0, 9.0, 0.2]])
    return {**adjust_pixels(rng, dtype, sizes), "ranges": ranges}


def add_noise(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    x, noise = normal(rng, dtype, *sizes), normal(rng, dtype, *sizes)
    scale = normal(rng, dtype, sizes[1])
    return {
        "y": np.empty_like(x),
        "x": x,
        "noise": noise,
        "scale": scale,
        "deviation": 0.1,
        "low": -2.0,
        "high": 2.0,
    }


def cut_boxes(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    n, height, width, _ = sizes
    return {
        "boxes": np.empty((n, 4), np.int64),
        "weights": np.empty(n),
        "height": height,
        "width": width,
        "probability": 0.5,
        "alpha": 1.0,
        "low": 0.0,
        "high": 0.0,
        "aspect": 2.0,
        **ADDRESS,
    }


def mix_weights(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    return {"weights": np.empty(sizes), "alpha": 0.2, **ADDRESS}


def partner_rows(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    return {"partners": np.empty(sizes, np.int64), **ADDRESS}


def paste_boxes(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    n, height, width, channels = sizes
    x = normal(rng, dtype, n, height * width * channels)
    corners = np.sort(rng.integers(0, height + 1, (n, 2, 2)), axis=1)
    return {
        "y": np.empty_like(x),
        "x": x,
        "boxes": corners.reshape(n, 4),
        "partners": rng.permutation(n),
        "filling": None,
        "height": height,
        "width": width,
        "channels": channels,
        "fill_value": 0.0,
    }


def mix_rows(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    x = normal(rng, dtype, *sizes)
    return {"y": np.empty_like(x), "x": x, "partners": rng.permutation(sizes[0]), "weights": rng.random(sizes[0])}


def swap_features(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    x = normal(rng, dtype, *sizes)
    mask = rng.random(sizes) < 0.9
    return {"y": np.empty_like(x), "x": x, "mask": mask, "partners": rng.permutation(sizes[0]), "fill_value": 0.0}


CASES: list[Case] = [
    *cases("affine_transform", IMAGES, affine_transform, ("y",)),
    *cases("affine_matrices", IMAGES, affine_matrices, ("matrices",)),
    *cases("adjust_pixels", IMAGES, adjust_pixels, ("y",)),
    *cases("adjust_pixels", IMAGES, turned, ("y",), "hue"),
    *cases("adjust_tones", IMAGES, adjust_tones, ("y",)),
    *cases("add_noise", ROWS, add_noise, ("y",)),
    *cases("cut_boxes", IMAGES, cut_boxes, ("boxes", "weights")),
    *cases("mix_weights", ((128,), (1024,)), mix_weights, ("weights",)),
    *cases("partner_rows", ((128,), (1024,)), partner_rows, ("partners",)),
    *cases("paste_boxes", IMAGES, paste_boxes, ("y",)),
    *cases("mix_rows", ROWS, mix_rows, ("y",)),
    *cases("swap_features", ROWS, swap_features, ("y",)),
]
