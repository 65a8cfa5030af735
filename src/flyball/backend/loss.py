"""Losses, with their gradients. The conventions are those of :mod:`flyball.backend`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flyball.backend.types import Doubles, Floats, Integers


class Losses(Protocol):
    """Losses, with their gradients."""

    def softmax_cross_entropy(
        self,
        losses: Doubles,
        hits: Doubles | None,
        dlogits: Floats | None,
        logits: Floats,
        labels: Integers,
        scale: float,
    ) -> None:
        """``losses = logsumexp(logits) - logits[label]``, ``dlogits = (softmax(logits) - onehot(label)) * scale``.

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
        scale: float,
    ) -> None:
        """The same for a distribution ``targets`` (N, C) a row (one-hot or soft).

        ``losses = sum(targets * (logsumexp(logits) - logits))``,
        ``dlogits = (softmax(logits) * sum(targets) - targets) * scale``; a hit is where the argmaxes agree.
        """
        ...

    def mean_squared_error(
        self,
        losses: Doubles,
        dpredictions: Floats | None,
        predictions: Floats,
        targets: Floats,
        scale: float,
    ) -> None:
        """``losses = mean((p - t)**2, axis=1)``, ``dpredictions = 2 * (p - t) / C * scale``; ``p``, ``t`` (N, C)."""
        ...
