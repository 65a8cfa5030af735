"""Losses and their gradients."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np
from numpy import empty, vdot, zeros

from flyball.backend import get_backend
from flyball.functional._checks import (
    at_least_1d,
    floats,
    fraction,
    integers,
    matching,
    out_like,
    plain,
    positive,
    samples_of,
    typed,
    wrong_shape,
)
from flyball.reference._arrays import FLOAT64, need_indices, need_loss, need_ndim

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.backend.types import Doubles, Floats

REDUCTIONS = ("mean", "sum", "weighted_mean", "none")
MANY = 500
"""Of more rows than these NumPy adds up the losses sooner: it takes twice the time for a call, a quarter for a row."""


class CrossEntropy(NamedTuple):
    """What :func:`softmax_cross_entropy` returns."""

    loss: float | Doubles
    dlogits: Floats


class PointwiseLoss(NamedTuple):
    """What :func:`pointwise_loss`, :func:`row_loss` and :func:`overlap_loss` return."""

    loss: float | Doubles
    dpredictions: Floats


def softmax_cross_entropy(
    logits: Floats,
    labels: NDArray[Any],
    *,
    weights: Floats | None = None,
    class_weights: Floats | None = None,
    label_smoothing: float = 0.0,
    smooth: str = "all",
    reduction: str = "mean",
    out: Floats | None = None,
) -> CrossEntropy:
    """Cross-entropy of a softmax, and its gradient, in one pass.

    A row's loss is ``w * sum(q * (logsumexp(logits) - logits))``, its gradient ``w * (softmax(logits) * sum(q) - q)``,
    with q the one-hot row of its label, or the distribution that is given, smoothed on request.

    Parameters
    ----------
    logits : array of float32 or float64, shape (N, C)
        Copied once if its layout asks for it, as are the other arrays.
    labels : array of integers in [0, C), shape (N,), or array like logits, shape (N, C)
        Class of each row, or a distribution over the classes (one-hot or soft; not normalised, not negative).
    weights : array like logits, shape (N,), optional
        Weight of each row; not negative.
    class_weights : array like logits, shape (C,), optional
        Weight of each class; not negative. A row has that of its label as a factor of its weight; of a distribution,
        each class's share is multiplied by it.
    label_smoothing : float
        eps in [0, 1): how much of the target is spread over classes.
    smooth : {"all", "others"}
        Over all C classes, as in Keras and PyTorch: ``q = (1 - eps) * q + eps / C``; or over the others, so that the
        target's share is 1 - eps: ``q = (1 - eps) * q + eps / (C - 1) * (1 - q)``.
    reduction : {"mean", "sum", "weighted_mean", "none"}
        How the rows' losses are joined, in float64: divided by N (Keras' "sum_over_batch_size"), added up, divided by
        the sum of the rows' weights (PyTorch's mean of labels, and scikit-learn's), or each of them. The gradient is
        that of the result, for "none" that of the sum.
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
    if logits.ndim != 2:
        need_ndim("logits", logits, 2)
    rows, classes = logits.shape
    if reduction not in REDUCTIONS:
        wrong_reduction(reduction)
    eps = smoothing(label_smoothing, smooth, classes)
    weights = None if weights is None else row_weights("weights", weights, dtype, rows)
    if class_weights is not None:
        class_weights = row_weights("class_weights", class_weights, dtype, classes)
    labels = plain("labels", labels)
    losses = empty(rows)
    if labels.dtype.kind == "f":
        if labels.ndim == 2:
            targets = matching("labels", labels, logits, "logits")
        need_numbers("labels", labels)
        if labels.ndim != 2:
            msg = f"labels must be integers of shape ({rows},), or {dtype} of shape {logits.shape}, "
            msg += f"got {labels.dtype} of shape {labels.shape}"
            raise TypeError(msg)
        need_no_negative("labels", targets)
        if eps > 0.0:
            targets = targets * dtype.type(1.0 - classes * eps) + dtype.type(eps)
        if class_weights is not None:
            targets = targets * class_weights
        scale = gradient_scale(reduction, rows, weights)
        dlogits = out_like(out, "logits labels weights", logits, targets, weights)
        get_backend().softmax_cross_entropy_soft(losses, None, dlogits, logits, targets, weights, scale)
    else:
        indices = integers("labels", labels)
        if indices.shape != losses.shape:
            wrong_shape("labels", indices, str(losses.shape))
        if class_weights is not None:
            need_indices("labels", "row", indices, classes)
            weights = class_weights[indices] if weights is None else class_weights[indices] * weights
        scale = gradient_scale(reduction, rows, weights)
        dlogits = out_like(out, "logits labels weights", logits, indices, weights)
        get_backend().softmax_cross_entropy(losses, None, dlogits, logits, indices, weights, eps, scale)
    return CrossEntropy(reduce(losses, reduction, scale), dlogits)


def pointwise_loss(
    predictions: Floats,
    targets: Floats,
    loss: str,
    *,
    delta: float = 1.0,
    weights: Floats | None = None,
    reduction: str = "mean",
    out: Floats | None = None,
) -> PointwiseLoss:
    """Loss that is a mean or sum over the elements of a row, and its gradient, in one pass.

    A row's loss is ``w * mean(f(p, t))`` over all axes but the first. The functions and their constants are those of
    Keras 3; ``d = p - t``, and ``clip(p)`` is p between 1e-7 and 1 - 1e-7 (of ``kl_divergence``, 1), beyond which the
    derivative is 0.

    =============================== =================================================================
    ``loss``                        ``f(p, t)``
    =============================== =================================================================
    mean_squared_error              ``d**2``
    mean_absolute_error             ``abs(d)``; the derivative at 0 is 0
    huber                           ``d**2 / 2 if abs(d) <= delta else delta * (abs(d) - delta / 2)``
    log_cosh                        ``log(cosh(d))``
    hinge                           ``max(1 - t * p, 0)`` with t -1 or 1
    squared_hinge                   ``max(1 - t * p, 0)**2``
    poisson                         ``p - t * log(p + 1e-7)``
    binary_cross_entropy            ``-(t * log(clip(p)) + (1 - t) * log(1 - clip(p)))``
    binary_cross_entropy_logits     the same of ``sigmoid(p)``, without a bound: no logit overflows
    categorical_cross_entropy       ``-t * log(clip(p))``, added up: a sum over the row, not a mean
    kl_divergence                   ``clip(t) * log(clip(t) / clip(p))``, added up likewise
    mean_absolute_percentage_error  ``100 * abs(d) / max(abs(t), 1e-7)``
    mean_squared_logarithmic_error  ``(log1p(max(p, 1e-7)) - log1p(max(t, 1e-7)))**2``
    cosine_similarity               ``-t * p`` of rows of length 1, added up likewise
    =============================== =================================================================

    Parameters
    ----------
    predictions : array of float32 or float64, shape (N, ...)
        Copied once if its layout asks for it, as are ``targets`` and ``weights``.
    targets : array like predictions
        What should have been predicted; no broadcasting. A label of a binary cross-entropy that is smoothed is
        ``(1 - eps) * t + eps / 2``.
    loss : str
        One of the names above.
    delta : float
        Where ``huber`` turns from a parabola to a line; positive. Ignored by the others.
    weights : array like predictions, shape (N,), optional
        Weight of each row; not negative.
    reduction : {"mean", "sum", "weighted_mean", "none"}
        How the rows' losses are joined, in float64: divided by N (Keras' "sum_over_batch_size"), added up, divided by
        the sum of the weights (scikit-learn), or each of them. The gradient is that of the result, for "none" that of
        the sum.
    out : array like predictions, optional
        Receives ``dpredictions``; may be ``predictions``. It is never copied.

    Returns
    -------
    PointwiseLoss
        Named tuple of ``loss`` (a float, or float64 of shape (N,)) and ``dpredictions``.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If ``predictions`` is empty, shapes differ, a target is not a number, the loss is unknown, ``out`` does not fit,
        or an argument is outside what is said above.
    """
    need_loss(loss)
    delta = positive("delta", delta)
    return loss_of_matrices("pointwise_loss", predictions, targets, (loss, delta), weights, reduction, out)


def loss_of_matrices(
    op: str,
    predictions: Floats,
    targets: Floats,
    scalars: tuple[object, ...],
    weights: Floats | None,
    reduction: str,
    out: Floats | None,
) -> PointwiseLoss:
    """Return what an operation on matrices of predictions and targets gives, of arrays of any shape."""
    predictions = at_least_1d("predictions", floats("predictions", predictions))
    dtype = predictions.dtype
    count = len(predictions)
    if reduction not in REDUCTIONS:
        wrong_reduction(reduction)
    targets = matching("targets", targets, predictions, "predictions")
    need_numbers("targets", targets)
    weights = None if weights is None else row_weights("weights", weights, dtype, count)
    scale = gradient_scale(reduction, count, weights)
    losses = empty(count)
    names = "predictions targets weights"
    gradient = out_like(out, names, predictions, targets, weights)
    arrays = (gradient, predictions, targets)
    if predictions.ndim != 2:
        arrays = (samples_of(gradient), samples_of(predictions), samples_of(targets))
    getattr(get_backend(), op)(losses, *arrays, weights, *scalars, scale)
    return PointwiseLoss(reduce(losses, reduction, scale), gradient)


def smoothing(label_smoothing: float, smooth: str, classes: int) -> float:
    """Return the share of the target that label smoothing gives to each class that is not the label's."""
    eps = fraction("label_smoothing", label_smoothing)
    if smooth not in ("all", "others"):
        msg = f"smooth must be 'all' or 'others', got {smooth!r}"
        raise ValueError(msg)
    return eps / (classes if smooth == "all" else max(classes - 1, 1))


def row_weights(name: str, weights: Floats, dtype: np.dtype[Any], count: int) -> Floats:
    """Return weights as operations want them."""
    weights = typed(name, weights, dtype, "the predictions")
    if weights.shape != (count,):
        wrong_shape(name, weights, f"({count},)")
    need_numbers(name, weights)
    need_no_negative(name, weights)
    return weights


def wrong_reduction(reduction: str) -> NoReturn:
    """Raise the error of what is no way to join losses."""
    msg = f"reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}"
    raise ValueError(msg)


def gradient_scale(reduction: str, rows: int, weights: Floats | None) -> float:
    """Return the factor of the     sum of the losses, and so of each row's gradient."""
    if reduction == "mean" or (reduction == "weighted_mean" and weights is None):
        return 1.0 / rows
    if reduction == "weighted_mean" and weights is not None:
        total = float(weights.sum(dtype=FLOAT64))
        if not total > 0.0:
            msg = f"weights must have a positive sum for a weighted mean, got {total}"
            raise ValueError(msg)
        return 1.0 / total
    return 1.0


def reduce(losses: Doubles, reduction: str, scale: float) -> float | Doubles:
    """Join the losses of the rows."""
    if reduction == "none":
        return losses
    if losses.size > MANY:
        return float(np.add.reduce(losses)) * scale
    total = zeros(1)
    get_backend().add_total(total, losses, scale)
    return total.item()


def need_numbers(name: str, array: NDArray[Any]) -> None:
    """Refuse an array with an element that is not a number, or not a finite one."""
    if isfinite(vdot(array, array)):  # the squares of finite numbers may be too large, but no others add up to one
        return
    finite = np.isfinite(array)
    if not finite.all():
        place = np.unravel_index(int(np.argmin(finite)), array.shape)
        where = ", ".join(str(int(axis)) for axis in place)
        msg = f"{name} must be finite, got {array[place]} at [{where}]"
        raise ValueError(msg)


def need_no_negative(name: str, array: NDArray[Any]) -> None:
    """Refuse a contiguous array of finite numbers with one below 0."""
    least = array.item(array.argmin())  # a fourth of the time of array.min() on an array of (8, 8)
    if least < 0.0:
        msg = f"{name} must not be negative, got {array.dtype.type(least)}"
        raise ValueError(msg)
