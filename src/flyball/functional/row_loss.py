"""Losses of whole rows, and of sets, with their gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.functional._checks import not_negative, positive
from flyball.functional.loss import PointwiseLoss, loss_of_matrices
from flyball.reference._arrays import need_row_loss

if TYPE_CHECKING:
    from flyball.backend.types import Floats


def row_loss(
    predictions: Floats,
    targets: Floats,
    loss: str,
    *,
    gamma: float = 2.0,
    weights_of_targets: tuple[float, float] = (1.0, 1.0),
    weights: Floats | None = None,
    reduction: str = "mean",
    out: Floats | None = None,
) -> PointwiseLoss:
    """Loss of each row of classes or scores, and its gradient.

    ============================================ ==================================================================
    ``loss``                                     of a row p of predictions and t of targets
    ============================================ ==================================================================
    binary_focal_cross_entropy                   ``mean(a * u**gamma * b)``, b the binary cross-entropy of p,
                                                 ``u = t * (1 - p) + (1 - t) * p``, a a weight of the target
    binary_focal_cross_entropy_logits            the same of ``sigmoid(p)``
    categorical_focal_cross_entropy_logits       ``-sum(t * (1 - q)**gamma * log(q))``, ``q = softmax(p)``
    categorical_generalized_cross_entropy_logits ``(1 - sum(t * q)**gamma) / gamma``, ``q = softmax(p)``
    categorical_hinge                            ``max(1 + max((1 - t) * p) - sum(t * p), 0)``
    ============================================ ==================================================================

    Lin et al. 2017, "Focal Loss for Dense Object Detection"; Zhang and Sabuncu 2018, "Generalized Cross Entropy Loss".

    Parameters
    ----------
    predictions : array of float32 or float64, shape (N, ...)
        Copied once if its layout asks for it, as are ``targets`` and ``weights``. A row is all but the first axis.
    targets : array like predictions
        What should have been predicted: 0 and 1, or probabilities.
    loss : str
        One of the names above.
    gamma : float
        The exponent: at least 0, of the generalized loss positive. Ignored by the hinge.
    weights_of_targets : tuple of two float
        Of the binary ones, a of targets 1 and of targets 0; not negative. Lin's alpha is ``(alpha, 1 - alpha)``.
    weights : array like predictions, shape (N,), optional
        Weight of each row; not negative.
    reduction : {"mean", "sum", "weighted_mean", "none"}
        As in :func:`pointwise_loss`.
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
    need_row_loss(loss)
    of_classes = loss == "categorical_generalized_cross_entropy_logits"
    gamma = positive("gamma", gamma) if of_classes else not_negative("gamma", gamma)
    one, zero = (not_negative("weights_of_targets", weight) for weight in weights_of_targets)
    return loss_of_matrices("row_loss", predictions, targets, (loss, gamma, one, zero), weights, reduction, out)


def overlap_loss(
    predictions: Floats,
    targets: Floats,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    epsilon: float = 1e-7,
    whole: bool = False,
    weights: Floats | None = None,
    reduction: str = "mean",
    out: Floats | None = None,
) -> PointwiseLoss:
    """Loss of how little two sets have in common, and its gradient: Dice's, or Tversky's.

    ``1 - I / (I + alpha * (T - I) + beta * (P - I) + epsilon)`` with I, T and P the sums of ``t * p``, t and p.
    Milletari et al. 2016 (alpha and beta 1/2); Salehi et al. 2017.

    Parameters
    ----------
    predictions : array of float32 or float64, shape (N, ...)
        Copied once if its layout asks for it, as are ``targets`` and ``weights``.
    targets : array like predictions
        0 and 1, or shares.
    alpha, beta : float
        What elements of the target alone count, and of the prediction alone; not negative.
    epsilon : float
        Keeps the quotient of empty sets from being none; not negative.
    whole : bool
        Whether the sums are over all rows, each of which then has the loss of all, and not over each.
    weights : array like predictions, shape (N,), optional
        Weight of each row; not negative.
    reduction : {"mean", "sum", "weighted_mean", "none"}
        As in :func:`pointwise_loss`.
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
        If ``predictions`` is empty, shapes differ, a target is not a number, ``out`` does not fit, or an argument is
        outside what is said above.
    """
    named = (("alpha", alpha), ("beta", beta), ("epsilon", epsilon))
    scalars = (*(not_negative(name, value) for name, value in named), bool(whole))
    return loss_of_matrices("overlap_loss", predictions, targets, scalars, weights, reduction, out)
