"""Losses and their gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from flyball.backend import get_backend
from flyball.functional._checks import (
    at_least_1d,
    floats,
    floats_like,
    integers,
    new_or_given,
    plain,
    same_shape,
    wrong_shape,
)
from flyball.reference._arrays import FLOAT64, need_ndim

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.backend.types import Doubles, Floats

REDUCTIONS = ("mean", "sum", "none")


class CrossEntropy(NamedTuple):
    """What :func:`softmax_cross_entropy` returns."""

    loss: float | Doubles
    dlogits: Floats


class SquaredError(NamedTuple):
    """What :func:`mean_squared_error` returns."""

    loss: float | Doubles
    dpredictions: Floats


def softmax_cross_entropy(
    logits: Floats, labels: NDArray[Any], *, reduction: str = "mean", out: Floats | None = None
) -> CrossEntropy:
    """Cross-entropy of a softmax, and its gradient, in one pass.

    A row's loss is ``logsumexp(logits) - logits[label]``, or ``sum(labels * (logsumexp(logits) - logits))`` for a
    distribution; its gradient is ``softmax(logits) * sum(labels) - labels``, with one-hot labels for a class.

    Parameters
    ----------
    logits : array of float32 or float64, shape (N, C)
        Copied once if its layout asks for it, as is ``labels``.
    labels : array of integers in [0, C), shape (N,), or array like logits, shape (N, C)
        Class of each row, or a distribution over the classes (one-hot or soft; not normalised, not negative).
    reduction : {"mean", "sum", "none"}
        How the rows' losses are joined, in float64; "none" returns each of them. The gradient is that of the mean, or
        that of the sum otherwise.
    out : array like logits, optional
        Receives ``dlogits``; may be ``logits``. It is never copied.

    Returns
    -------
    CrossEntropy
        Named tuple of ``loss`` (a float, or float64 of shape (N,)) and ``dlogits`` (N, C).

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If ``logits`` is empty, a shape does not fit, a label is out of range or not a number, or an argument is outside
        what is said above.
    """
    logits = floats("logits", logits)
    dtype = logits.dtype
    need_ndim("logits", logits, 2)
    scale = gradient_scale(reduction, len(logits))
    labels = plain("labels", labels)
    losses = np.empty(len(logits), FLOAT64)
    if labels.dtype.kind == "f":
        if labels.ndim == 2:
            targets = floats_like("labels", labels, dtype, "logits")
            same_shape("labels", targets, logits)
        need_numbers("labels", labels)
        if labels.ndim != 2:
            msg = f"labels must be integers of shape ({len(logits)},), or {dtype} of shape {logits.shape}, "
            msg += f"got {labels.dtype} of shape {labels.shape}"
            raise TypeError(msg)
        if not targets.min() >= 0.0:
            msg = f"labels must not be negative, got {targets.min()}"
            raise ValueError(msg)
        dlogits = new_or_given(out, logits.shape, dtype, in_place=True, logits=logits, labels=targets)
        get_backend().softmax_cross_entropy_soft(losses, None, dlogits, logits, targets, scale)
    else:
        classes = integers("labels", labels)
        if classes.shape != losses.shape:
            wrong_shape("labels", classes, str(losses.shape))
        dlogits = new_or_given(out, logits.shape, dtype, in_place=True, logits=logits, labels=classes)
        get_backend().softmax_cross_entropy(losses, None, dlogits, logits, classes, scale)
    return CrossEntropy(reduce(losses, reduction), dlogits)


def mean_squared_error(
    predictions: Floats, targets: Floats, *, reduction: str = "mean", out: Floats | None = None
) -> SquaredError:
    """Mean squared error and its gradient, in one pass.

    A row's loss is ``mean((predictions - targets)**2)`` over all axes but the first; its gradient is
    ``2 * (predictions - targets) / C``, with C the number of elements in a row.

    Parameters
    ----------
    predictions : array of float32 or float64, shape (N, ...)
        Copied once if its layout asks for it, as is ``targets``.
    targets : array like predictions
        What should have been predicted; no broadcasting.
    reduction : {"mean", "sum", "none"}
        How the rows' losses are joined, in float64; "none" returns each of them. The gradient is that of the mean, or
        that of the sum otherwise.
    out : array like predictions, optional
        Receives ``dpredictions``; overlaps no input. It is never copied.

    Returns
    -------
    SquaredError
        Named tuple of ``loss`` (a float, or float64 of shape (N,)) and ``dpredictions``.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If ``predictions`` is empty, shapes differ, a target is not a number, or ``out`` does not fit.
    """
    predictions = at_least_1d("predictions", floats("predictions", predictions))
    dtype = predictions.dtype
    count = len(predictions)
    scale = gradient_scale(reduction, count)
    targets = floats_like("targets", targets, dtype, "predictions")
    same_shape("targets", targets, predictions)
    need_numbers("targets", targets)
    losses = np.empty(count, FLOAT64)
    gradient = new_or_given(out, predictions.shape, dtype, predictions=predictions, targets=targets)
    rows = (count, -1)
    get_backend().mean_squared_error(
        losses, gradient.reshape(rows), predictions.reshape(rows), targets.reshape(rows), scale
    )
    return SquaredError(reduce(losses, reduction), gradient)


def gradient_scale(reduction: str, rows: int) -> float:
    """Return the factor of a row's gradient."""
    if reduction not in REDUCTIONS:
        msg = f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}"
        raise ValueError(msg)
    return 1.0 / rows if reduction == "mean" else 1.0


def reduce(losses: Doubles, reduction: str) -> float | Doubles:
    """Join the losses of the rows."""
    if reduction == "none":
        return losses
    total = float(losses.sum())
    return total / len(losses) if reduction == "mean" else total


def need_numbers(name: str, array: NDArray[Any]) -> None:
    """Refuse an array with an element that is not a number, or not a finite one."""
    finite = np.isfinite(array)
    if not finite.all():
        place = np.unravel_index(int(np.argmin(finite)), array.shape)
        where = ", ".join(str(int(axis)) for axis in place)
        msg = f"{name} must be finite, got {array[place]} at [{where}]"
        raise ValueError(msg)
