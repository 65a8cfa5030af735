"""Losses, one value a row, and their gradients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from flyball.reference._arrays import (
    FLOAT64,
    INT64,
    float_dtype,
    need,
    need_indices,
    need_loss,
    need_ndim,
    need_out,
    need_row_loss,
    refuse_overlap,
)
from flyball.reference.activation import sigmoid
from flyball.reference.row_loss import LEAST, row_values

if TYPE_CHECKING:
    from flyball.backend.types import Doubles, Floats, Integers


def softmax_cross_entropy(
    losses: Doubles,
    hits: Doubles | None,
    dlogits: Floats | None,
    logits: Floats,
    labels: Integers,
    weights: Floats | None,
    smoothing: float,
    scale: float,
) -> None:
    need_ndim("logits", logits, 2)
    rows, classes = logits.shape
    dtype = float_dtype("logits", logits)
    need("logits", logits, dtype, logits.shape)
    need("labels", labels, INT64, (rows,))
    need("weights", weights, dtype, (rows,))
    need_out("losses", losses, FLOAT64, (rows,))
    need_out("hits", hits, FLOAT64, (rows,))
    need_out("dlogits", dlogits, dtype, logits.shape)
    outputs = {"dlogits": dlogits, "losses": losses, "hits": hits}
    refuse_overlap(outputs, {"logits": logits, "labels": labels, "weights": weights}, in_place=True)
    need_indices("labels", "row", labels, classes)

    row = np.arange(rows)
    if hits is not None:
        hits[...] = logits.argmax(axis=1) == labels
    shifted = logits - logits.max(axis=1, keepdims=True)
    exp = np.exp(shifted)
    total = exp.sum(axis=1, dtype=np.float64)
    on = 1.0 - (classes - 1) * smoothing
    np.subtract(np.log(total), (on - smoothing) * shifted[row, labels].astype(np.float64), out=losses)
    if smoothing > 0.0:
        losses -= smoothing * shifted.sum(axis=1, dtype=np.float64)
    row_scale = scale if weights is None else scale * weights.astype(np.float64)
    if dlogits is not None:
        np.multiply(exp, (row_scale / total).astype(dtype, copy=False)[:, np.newaxis], out=dlogits)
        targets = np.full(dlogits.shape, smoothing, dtype)
        targets[row, labels] = on
        dlogits -= targets * np.asarray(row_scale, dtype).reshape(-1, 1)
    if weights is not None:
        losses *= weights


def softmax_cross_entropy_soft(
    losses: Doubles,
    hits: Doubles | None,
    dlogits: Floats | None,
    logits: Floats,
    targets: Floats,
    weights: Floats | None,
    scale: float,
) -> None:
    need_ndim("logits", logits, 2)
    rows = logits.shape[0]
    dtype = float_dtype("logits", logits)
    need("logits", logits, dtype, logits.shape)
    need("targets", targets, dtype, logits.shape)
    need("weights", weights, dtype, (rows,))
    need_out("losses", losses, FLOAT64, (rows,))
    need_out("hits", hits, FLOAT64, (rows,))
    need_out("dlogits", dlogits, dtype, logits.shape)
    outputs = {"dlogits": dlogits, "losses": losses, "hits": hits}
    refuse_overlap(outputs, {"logits": logits, "targets": targets, "weights": weights}, in_place=True)

    if hits is not None:
        hits[...] = logits.argmax(axis=1) == targets.argmax(axis=1)
    shifted = logits - logits.max(axis=1, keepdims=True)
    exp = np.exp(shifted)
    total = exp.sum(axis=1, dtype=np.float64)
    np.sum(targets * (np.log(total)[:, np.newaxis] - shifted), axis=1, out=losses)
    if dlogits is not None:
        weight = targets.sum(axis=1, dtype=np.float64)
        np.multiply(exp, (weight / total).astype(dtype, copy=False)[:, np.newaxis], out=dlogits)
        dlogits -= targets
        dlogits *= scale if weights is None else scale * weights[:, np.newaxis]
    if weights is not None:
        losses *= weights


def pointwise_loss(
    losses: Doubles,
    dpredictions: Floats | None,
    predictions: Floats,
    targets: Floats,
    weights: Floats | None,
    loss: str,
    delta: float,
    scale: float,
) -> None:
    need_ndim("predictions", predictions, 2)
    need_loss(loss)
    _need_matrices(losses, dpredictions, predictions, targets, weights)

    rows, columns = predictions.shape
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        values, derivatives = _pointwise(predictions, targets, loss, delta)
    share = np.full(rows, 1.0 if loss in SUMS else 1.0 / columns)
    if weights is not None:
        share *= weights
    np.sum(values, axis=1, dtype=np.float64, out=losses)
    losses *= share
    if dpredictions is not None:
        np.multiply(derivatives, (share * scale).astype(predictions.dtype)[:, np.newaxis], out=dpredictions)


def row_loss(
    losses: Doubles,
    dpredictions: Floats | None,
    predictions: Floats,
    targets: Floats,
    weights: Floats | None,
    loss: str,
    gamma: float,
    positive: float,
    negative: float,
    scale: float,
) -> None:
    need_ndim("predictions", predictions, 2)
    need_row_loss(loss)
    _need_matrices(losses, dpredictions, predictions, targets, weights)

    rows = len(predictions)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        values, derivatives = row_values(predictions, targets, loss, gamma, positive, negative)
    w = np.ones(rows) if weights is None else weights.astype(np.float64)
    np.multiply(values, w, out=losses)
    if dpredictions is not None:
        np.multiply(derivatives, (w * scale).astype(predictions.dtype)[:, np.newaxis], out=dpredictions)


def overlap_loss(
    losses: Doubles,
    dpredictions: Floats | None,
    predictions: Floats,
    targets: Floats,
    weights: Floats | None,
    alpha: float,
    beta: float,
    epsilon: float,
    whole: bool,
    scale: float,
) -> None:
    need_ndim("predictions", predictions, 2)
    _need_matrices(losses, dpredictions, predictions, targets, weights)

    rows = len(predictions)
    axis = None if whole else 1
    both, target, prediction = (
        np.sum(array, axis=axis, dtype=np.float64, keepdims=True)
        for array in (predictions * targets, targets, predictions)
    )
    rest = 1.0 - alpha - beta
    total = rest * both + alpha * target + beta * prediction + epsilon
    w = np.ones(rows) if weights is None else weights.astype(np.float64)
    losses[...] = w * (1.0 - both / total).reshape(-1)
    if dpredictions is not None:
        factor = scale * (w.sum() if whole else w[:, np.newaxis]) / np.square(total)
        dpredictions[...] = factor * (both * beta - targets * (total - rest * both))


def _need_matrices(
    losses: Doubles, dpredictions: Floats | None, predictions: Floats, targets: Floats, weights: Floats | None
) -> None:
    """Check what the losses of matrices of predictions and targets share."""
    rows, dtype = len(predictions), float_dtype("predictions", predictions)
    need("predictions", predictions, dtype, predictions.shape)
    need("targets", targets, dtype, predictions.shape)
    need("weights", weights, dtype, (rows,))
    need_out("losses", losses, FLOAT64, (rows,))
    need_out("dpredictions", dpredictions, dtype, predictions.shape)
    inputs = {"predictions": predictions, "targets": targets, "weights": weights}
    refuse_overlap({"dpredictions": dpredictions, "losses": losses}, inputs, in_place=True)


def loss_weights(
    out: Floats,
    kept: Integers | None,
    weights: Floats | None,
    labels: Integers | None,
    ignored: int,
    divisor: int,
) -> None:
    need_ndim("out", out, 1)
    if not 0 <= divisor < 3:
        msg = f"divisor must be in [0, 3), got {divisor}"
        raise ValueError(msg)
    dtype = float_dtype("out", out)
    need_out("out", out, dtype, out.shape)
    need_out("kept", kept, INT64, out.shape)
    need("weights", weights, dtype, out.shape)
    need("labels", labels, INT64, out.shape)
    if kept is not None and labels is None:
        msg = "labels must be given where kept is, got None"
        raise ValueError(msg)
    refuse_overlap({"out": out, "kept": kept}, {"weights": weights, "labels": labels})

    counts = np.ones(out.shape, np.bool_) if labels is None else labels != ignored
    w = np.where(counts, 1.0 if weights is None else weights.astype(np.float64), 0.0)
    total = (counts.sum(), w.sum(), 1.0)[divisor]
    out[...] = w * (out.size / total if total else 0.0)
    if kept is not None and labels is not None:
        kept[...] = np.where(counts, labels, 0)


SUMS = ("categorical_cross_entropy", "kl_divergence", "cosine_similarity")
"""Losses of distributions, which add up to 1 over a row, and of unit vectors, whose squares do."""


def _pointwise(p: Floats, t: Floats, loss: str, delta: float) -> tuple[Floats, Floats]:
    """Return ``f(p, t)`` and its derivative by ``p``."""
    d = p - t
    match loss:
        case "mean_squared_error":
            return np.square(d), 2.0 * d
        case "mean_absolute_error":
            return np.abs(d), np.sign(d)
        case "huber":
            a = np.abs(d)
            return np.where(a > delta, delta * (a - 0.5 * delta), 0.5 * d * d), np.clip(d, -delta, delta)
        case "log_cosh":
            a = np.abs(d)
            return a + (np.log1p(np.exp(-2.0 * a)) - math.log(2.0)), np.tanh(d)
        case "hinge" | "squared_hinge":
            margin = np.maximum(1.0 - t * p, 0.0)
            if loss == "hinge":
                return margin, np.where(margin > 0.0, -t, 0.0)
            return np.square(margin), -2.0 * margin * t
        case "poisson":
            return p - t * np.log(p + LEAST), 1.0 - t / (p + LEAST)
        case "binary_cross_entropy":
            q = np.clip(p, LEAST, 1.0 - LEAST)
            return -(t * np.log(q) + (1.0 - t) * np.log(1.0 - q)), np.where(q == p, (q - t) / (q * (1.0 - q)), 0.0)
        case "binary_cross_entropy_logits":
            return np.maximum(p, 0.0) - p * t + np.log1p(np.exp(-np.abs(p))), sigmoid(p) - t
        case "categorical_cross_entropy":
            q = np.clip(p, LEAST, 1.0 - LEAST)
            return -(t * np.log(q)), np.where(q == p, -t / q, 0.0)
        case "mean_absolute_percentage_error":
            share = 100.0 / np.maximum(np.abs(t), LEAST)
            return np.abs(d) * share, np.sign(d) * share
        case "mean_squared_logarithmic_error":
            d = np.log1p(np.maximum(p, LEAST)) - np.log1p(np.maximum(t, LEAST))
            return np.square(d), np.where(p < LEAST, 0.0, 2.0 * d / (p + 1.0))
        case "cosine_similarity":
            return -t * p, -t
    target, q = np.clip(t, LEAST, 1.0), np.clip(p, LEAST, 1.0)
    return target * np.log(target / q), np.where(q == p, -target / q, 0.0)
