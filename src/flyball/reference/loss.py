"""Losses, one value a row, and their gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flyball.reference._arrays import (
    FLOAT64,
    INT64,
    float_dtype,
    need,
    need_indices,
    need_ndim,
    need_out,
    refuse_overlap,
)

if TYPE_CHECKING:
    from flyball.backend.types import Doubles, Floats, Integers


def softmax_cross_entropy(
    losses: Doubles,
    hits: Doubles | None,
    dlogits: Floats | None,
    logits: Floats,
    labels: Integers,
    scale: float,
) -> None:
    need_ndim("logits", logits, 2)
    rows, classes = logits.shape
    dtype = float_dtype("logits", logits)
    need("logits", logits, dtype, logits.shape)
    need("labels", labels, INT64, (rows,))
    need_out("losses", losses, FLOAT64, (rows,))
    need_out("hits", hits, FLOAT64, (rows,))
    need_out("dlogits", dlogits, dtype, logits.shape)
    outputs = {"dlogits": dlogits, "losses": losses, "hits": hits}
    refuse_overlap(outputs, {"logits": logits, "labels": labels}, in_place=True)
    need_indices("labels", "row", labels, classes)

    row = np.arange(rows)
    if hits is not None:
        hits[...] = logits.argmax(axis=1) == labels
    shifted = logits - logits.max(axis=1, keepdims=True)
    exp = np.exp(shifted)
    total = exp.sum(axis=1, dtype=np.float64)
    np.subtract(np.log(total), shifted[row, labels], out=losses)
    if dlogits is not None:
        np.multiply(exp, (scale / total).astype(dtype, copy=False)[:, np.newaxis], out=dlogits)
        dlogits[row, labels] -= scale


def softmax_cross_entropy_soft(
    losses: Doubles,
    hits: Doubles | None,
    dlogits: Floats | None,
    logits: Floats,
    targets: Floats,
    scale: float,
) -> None:
    need_ndim("logits", logits, 2)
    rows = logits.shape[0]
    dtype = float_dtype("logits", logits)
    need("logits", logits, dtype, logits.shape)
    need("targets", targets, dtype, logits.shape)
    need_out("losses", losses, FLOAT64, (rows,))
    need_out("hits", hits, FLOAT64, (rows,))
    need_out("dlogits", dlogits, dtype, logits.shape)
    outputs = {"dlogits": dlogits, "losses": losses, "hits": hits}
    refuse_overlap(outputs, {"logits": logits, "targets": targets}, in_place=True)

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
        dlogits *= scale


def mean_squared_error(
    losses: Doubles,
    dpredictions: Floats | None,
    predictions: Floats,
    targets: Floats,
    scale: float,
) -> None:
    need_ndim("predictions", predictions, 2)
    rows, columns = predictions.shape
    dtype = float_dtype("predictions", predictions)
    need("predictions", predictions, dtype, predictions.shape)
    need("targets", targets, dtype, predictions.shape)
    need_out("losses", losses, FLOAT64, (rows,))
    need_out("dpredictions", dpredictions, dtype, predictions.shape)
    refuse_overlap({"losses": losses, "dpredictions": dpredictions}, {"predictions": predictions, "targets": targets})

    difference = predictions - targets
    np.mean(np.square(difference), axis=1, dtype=np.float64, out=losses)
    if dpredictions is not None:
        np.multiply(difference, 2.0 * scale / columns, out=dpredictions)
