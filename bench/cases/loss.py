"""Cases of the operations of ``flyball.backend.loss``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cases.table import CLASSES, ROWS, Case, cases, normal
from flyball.backend import LOSSES, ROW_LOSSES

if TYPE_CHECKING:
    from cases.table import Maker


def loss_of(kind: str) -> Maker:
    """Of probabilities, which all losses take."""

    def make(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
        predictions = (0.05 + 0.9 * rng.random(sizes)).astype(dtype)
        return {**loss(rng, dtype, sizes), "predictions": predictions, "loss": kind, "delta": 1.0}

    return make


def loss(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    n, c = sizes
    targets = rng.random((n, c)) + 0.1
    return {
        "losses": np.empty(n),
        "hits": np.empty(n),
        "dlogits": np.empty((n, c), dtype),
        "dpredictions": np.empty((n, c), dtype),
        "logits": normal(rng, dtype, n, c),
        "labels": rng.integers(0, c, n),
        "targets": (targets / targets.sum(axis=1, keepdims=True)).astype(dtype),
        "weights": None,
        "smoothing": 0.0,
        "scale": 1 / n,
    }


def weights_of_loss(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    (n,) = sizes
    labels = rng.integers(0, 10, n)
    made = {"out": np.empty(n, dtype), "kept": np.empty(n, np.int64), "weights": rng.random(n).astype(dtype)}
    return {**made, "labels": labels, "ignored": 3, "divisor": 0}


def row_loss_of(kind: str) -> Maker:
    def make(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
        predictions = (0.05 + 0.9 * rng.random(sizes)).astype(dtype)
        given = {"predictions": predictions, "loss": kind, "gamma": 2.0, "positive": 1.0, "negative": 1.0}
        return {**loss(rng, dtype, sizes), **given}

    return make


def overlap(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    predictions = (0.05 + 0.9 * rng.random(sizes)).astype(dtype)
    given = {"predictions": predictions, "alpha": 0.5, "beta": 0.5, "epsilon": 1e-7, "whole": True}
    return {**loss(rng, dtype, sizes), **given}


CASES: list[Case] = [
    *cases("softmax_cross_entropy", CLASSES, loss, ("losses", "hits", "dlogits")),
    *cases("softmax_cross_entropy_soft", CLASSES, loss, ("losses", "hits", "dlogits")),
    *(
        case
        for kind in ROW_LOSSES
        for case in cases("row_loss", CLASSES, row_loss_of(kind), ("losses", "dpredictions"), kind)
    ),
    *cases("overlap_loss", ROWS, overlap, ("losses", "dpredictions")),
    *cases("loss_weights", ((128,), (1024,)), weights_of_loss, ("out", "kept")),
    *(
        case
        for kind in LOSSES
        for case in cases("pointwise_loss", ROWS, loss_of(kind), ("losses", "dpredictions"), kind)
    ),
]
