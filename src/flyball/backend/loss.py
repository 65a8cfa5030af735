"""Losses, with their gradients. The conventions are those of :mod:`flyball.backend`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flyball.backend.types import Doubles, Floats, Integers


LOSSES = (
    "mean_squared_error",
    "mean_absolute_error",
    "huber",
    "log_cosh",
    "hinge",
    "squared_hinge",
    "poisson",
    "binary_cross_entropy",
    "binary_cross_entropy_logits",
    "categorical_cross_entropy",
    "kl_divergence",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "cosine_similarity",
)
"""Names of the losses that ``pointwise_loss`` computes."""

ROW_LOSSES = (
    "binary_focal_cross_entropy",
    "binary_focal_cross_entropy_logits",
    "categorical_focal_cross_entropy_logits",
    "categorical_generalized_cross_entropy_logits",
    "categorical_hinge",
)
"""Names of the losses that ``row_loss`` computes."""


class Losses(Protocol):
    """Losses, with their gradients.

    ``weights`` (N,), of the arrays' dtype, multiplies each row's loss and gradient; None stands for ones.
    """

    def softmax_cross_entropy(
        self,
        losses: Doubles,
        hits: Doubles | None,
        dlogits: Floats | None,
        logits: Floats,
        labels: Integers,
        weights: Floats | None,
        smoothing: float,
        scale: float,
    ) -> None:
        """``losses = w * sum(q * (logsumexp(logits) - logits))``, ``dlogits = w * (softmax(logits) - q) * scale``.

        The target ``q`` of a row is ``1 - (C - 1) * smoothing`` for its label and ``smoothing`` for each other class:
        ``eps / C`` for label smoothing over all classes, ``eps / (C - 1)`` over the others.
        ``logits`` (N, C), ``labels`` (N,) int64 in [0, C), ``losses`` (N,) float64; ``hits`` (N,) is 1 where the first
        largest logit is the label's, else 0. Labels out of range are refused. ``dlogits`` may be ``logits``.
        """
        ...

    def softmax_cross_entropy_soft(
        self,
        losses: Doubles,
        hits: Doubles | None,
        dlogits: Floats | None,
        logits: Floats,
        targets: Floats,
        weights: Floats | None,
        scale: float,
    ) -> None:
        """The same for a distribution ``targets`` (N, C) a row (one-hot or soft).

        ``losses = w * sum(targets * (logsumexp(logits) - logits))``,
        ``dlogits = w * (softmax(logits) * sum(targets) - targets) * scale``; a hit is where the argmaxes agree.
        """
        ...

    def pointwise_loss(
        self,
        losses: Doubles,
        dpredictions: Floats | None,
        predictions: Floats,
        targets: Floats,
        weights: Floats | None,
        loss: str,
        delta: float,
        scale: float,
    ) -> None:
        """``losses = w * mean(f(p, t), axis=1)``, ``dpredictions = w * f'(p, t) / C * scale``; ``p``, ``t`` (N, C).

        The functions and their constants are those of Keras 3; ``d = p - t``, and ``clip(p)`` is ``p`` between 1e-7 and
        ``1 - 1e-7``, of ``kl_divergence`` 1. Where ``p`` is clipped the derivative is 0.

        =============================== =================================================================
        ``loss``                        ``f(p, t)``
        =============================== =================================================================
        mean_squared_error              ``d**2``
        mean_absolute_error             ``abs(d)``; the derivative at 0 is 0
        huber                           ``d**2 / 2 if abs(d) <= delta else delta * (abs(d) - delta / 2)``
        log_cosh                        ``log(cosh(d))``
        hinge                           ``max(1 - t * p, 0)`` with ``t`` -1 or 1
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

        ``delta`` is positive, and ignored where it does not appear. ``dpredictions`` may be ``predictions``.
        """
        ...

    def row_loss(
        self,
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
        """``losses = w * f(p, t)`` of each row of ``p`` and ``t`` (N, C); ``dpredictions = w * df/dp * scale``.

        ============================================ ==============================================================
        ``loss``                                     ``f(p, t)``
        ============================================ ==============================================================
        binary_focal_cross_entropy                   ``mean(a * u**gamma * b)``, b the binary cross-entropy of p,
                                                     ``u = t * (1 - p) + (1 - t) * p``,
                                                     ``a = t * positive + (1 - t) * negative``
        binary_focal_cross_entropy_logits            the same of ``sigmoid(p)``
        categorical_focal_cross_entropy_logits       ``-sum(t * (1 - q)**gamma * log(q))``, ``q = softmax(p)``
        categorical_generalized_cross_entropy_logits ``(1 - sum(t * q)**gamma) / gamma``, ``q = softmax(p)``
        categorical_hinge                            ``max(1 + max((1 - t) * p) - sum(t * p), 0)``
        ============================================ ==============================================================

        ``gamma``, ``positive`` and ``negative`` are ignored where they do not appear. Of equal largest ``(1 - t) * p``
        the first has the gradient. ``dpredictions`` may be ``predictions``. Lin et al. 2017; Zhang and Sabuncu 2018.
        """
        ...

    def overlap_loss(
        self,
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
        """``losses = w * (1 - I / (I + alpha * (T - I) + beta * (P - I) + epsilon))``, with its gradient.

        ``I = sum(t * p)``, ``T = sum(t)`` and ``P = sum(p)`` over each row of p and t (N, C), or, with ``whole``, over
        all rows, each of which then has the loss of all. ``dpredictions`` is the derivative of ``scale * sum(losses)``
        by p, and may be ``predictions``. With alpha and beta 1/2 it is the Dice loss (Milletari et al. 2016), otherwise
        Tversky's (Salehi et al. 2017).
        """
        ...

    def loss_weights(
        self,
        out: Floats,
        kept: Integers | None,
        weights: Floats | None,
        labels: Integers | None,
        ignored: int,
        divisor: int,
    ) -> None:
        """``out = w * N / D``: weights for which a mean over the N rows is another way to join their losses.

        ``w = weights`` (N,), or 1, and 0 where a label is ``ignored``; D is the number of rows whose label is not where
        ``divisor`` is 0, ``sum(w)`` where it is 1, and 1, which makes the mean a sum, where it is 2. Where D is 0, so
        is ``out`` (N,). ``kept`` (N,) are the ``labels`` (N,), int64, those that are ignored being 0. These are the
        weights that Keras gives its losses for a mask, and its reductions. ``labels`` must be given where ``kept`` is.
        """
        ...
