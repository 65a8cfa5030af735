"""Means of distances: regression, and the losses as metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flyball import _checks, losses
from flyball.metrics.base import MeanOfSamples, Metric, no_nan, same_shapes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from flyball.backend.types import Doubles


class LossMean(MeanOfSamples):
    """Base of the metrics that are the mean of a loss."""

    loss: ClassVar[type[losses.Loss]]

    def values(self, y_true: NDArray[Any], y_pred: NDArray[Any]) -> Any:
        """See :class:`flyball.metrics.base.MeanOfSamples`."""
        return np.asarray(self.make_loss()(y_true, y_pred))

    def make_loss(self) -> losses.Loss:
        """Return the loss, one value a sample."""
        return self.loss(reduction="none")


class MeanSquaredError(LossMean):
    """``mean((p - t)**2)``."""

    loss = losses.MeanSquaredError


class MeanAbsoluteError(LossMean):
    """``mean(abs(p - t))``."""

    loss = losses.MeanAbsoluteError


class LogCoshError(LossMean):
    """``mean(log(cosh(p - t)))``."""

    default_name = "logcosh"
    loss = losses.LogCosh


class Poisson(LossMean):
    """``mean(p - t * log(p + 1e-7))``."""

    loss = losses.Poisson


class KLDivergence(LossMean):
    """``sum(t * log(t / p))``, with t and p between 1e-7 and 1, averaged over the samples."""

    default_name = "kl_divergence"
    loss = losses.KLDivergence


class Hinge(LossMean):
    """``mean(max(1 - t * p, 0))``, with targets -1 and 1, or 0 and 1."""

    loss = losses.Hinge


class SquaredHinge(LossMean):
    """``mean(max(1 - t * p, 0)**2)``, with targets -1 and 1, or 0 and 1."""

    loss = losses.SquaredHinge


class BinaryCrossentropy(LossMean):
    """``-mean(t * log(p) + (1 - t) * log(1 - p))``.

    Parameters
    ----------
    name : str, optional
        What ``History`` calls it.
    from_logits : bool
        Whether predictions are logits.
    label_smoothing : float
        As in :class:`flyball.losses.BinaryCrossentropy`.
    """

    loss: ClassVar[type[losses.Loss]] = losses.BinaryCrossentropy

    def __init__(
        self, name: str | None = None, from_logits: bool = False, label_smoothing: float = 0.0, **unknown: object
    ) -> None:
        super().__init__(name, **unknown)
        self.from_logits, self.label_smoothing = from_logits, label_smoothing
        self.make_loss()

    def make_loss(self) -> losses.Loss:
        """See :class:`LossMean`."""
        options: dict[str, Any] = {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing}
        return self.loss(reduction="none", **options)


class CategoricalCrossentropy(BinaryCrossentropy):
    """``-sum(t * log(p))`` of distributions, averaged over the samples.

    Parameters
    ----------
    name : str, optional
        What ``History`` calls it.
    from_logits : bool
        Whether predictions are logits.
    label_smoothing : float
        As in :class:`flyball.losses.CategoricalCrossentropy`.
    """

    loss = losses.CategoricalCrossentropy


class SparseCategoricalCrossentropy(LossMean):
    """``-log(p[label])``, averaged over the samples.

    Parameters
    ----------
    name : str, optional
        What ``History`` calls it.
    from_logits : bool
        Whether predictions are logits.
    """

    loss = losses.SparseCategoricalCrossentropy

    def __init__(self, name: str | None = None, from_logits: bool = False, **unknown: object) -> None:
        super().__init__(name, **unknown)
        self.from_logits = from_logits
        self.make_loss()

    def make_loss(self) -> losses.Loss:
        """See :class:`LossMean`."""
        return losses.SparseCategoricalCrossentropy(self.from_logits, reduction="none")


class RootMeanSquaredError(MeanOfSamples):
    """``sqrt(mean((p - t)**2))`` over all outputs of all samples."""

    def values(self, y_true: NDArray[Any], y_pred: NDArray[Any]) -> Any:
        """See :class:`flyball.metrics.base.MeanOfSamples`."""
        y_true, y_pred = same_shapes(y_true, y_pred)
        return np.square(y_pred.astype(np.float64) - y_true)

    def value(self, **state: Any) -> ArrayLike:
        """See :class:`flyball.metrics.base.Metric`."""
        return np.sqrt(super().value(**state))


class MeanAbsolutePercentageError(LossMean):
    """``100 * mean(abs(p - t) / max(abs(t), 1e-7))``."""

    loss = losses.MeanAbsolutePercentageError


class MeanSquaredLogarithmicError(LossMean):
    """``mean((log(1 + p) - log(1 + t))**2)``, with p and t at least 1e-7."""

    loss = losses.MeanSquaredLogarithmicError


class CategoricalHinge(MeanOfSamples):
    """``max(1 + max((1 - t) * p) - sum(t * p), 0)`` of one-hot targets."""

    def values(self, y_true: NDArray[Any], y_pred: NDArray[Any]) -> Any:
        """See :class:`flyball.metrics.base.MeanOfSamples`."""
        y_true, y_pred = same_shapes(y_true, y_pred)
        wrong, right = np.max((1.0 - y_true) * y_pred, axis=-1), np.sum(y_true * y_pred, axis=-1)
        return np.maximum(1.0 + wrong - right, 0.0)


class CosineSimilarity(MeanOfSamples):
    """Cosine of the angle between prediction and target: 1 where they point the same way.

    Parameters
    ----------
    name : str, optional
        What ``History`` calls it.
    axis : int
        The axis of the vectors.
    """

    def __init__(self, name: str | None = None, axis: int = -1, **unknown: object) -> None:
        super().__init__(name, **unknown)
        self.axis = _checks.integer("axis", axis, -32)

    def values(self, y_true: NDArray[Any], y_pred: NDArray[Any]) -> Any:
        """See :class:`flyball.metrics.base.MeanOfSamples`."""
        units = [_unit(array.astype(np.float64), self.axis) for array in same_shapes(y_true, y_pred)]
        return np.asarray(np.sum(units[0] * units[1], axis=self.axis))


class R2Score(Metric):
    """Coefficient of determination: ``1 - sum((p - t)**2) / sum((t - mean(t))**2)``.

    Parameters
    ----------
    class_aggregation : {"uniform_average", "variance_weighted_average"} or None
        How the scores of several outputs are joined; None returns each.
    num_regressors : int
        Above 0, the score is adjusted for so many inputs of a linear model: ``1 - (1 - R2) * (n - 1) / (n - p - 1)``.
    name : str, optional
        What ``History`` calls it.
    """

    sums = ("sum", "squared_sum", "residual", "count", "num_samples")
    default_name = "r2_score"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = None,
        **unknown: object,
    ) -> None:
        super().__init__(name, **unknown)
        ways = ("uniform_average", "variance_weighted_average")
        self.class_aggregation = (
            None if class_aggregation is None else _checks.choice("class_aggregation", class_aggregation, ways)
        )
        self.num_regressors = _checks.integer("num_regressors", num_regressors)

    def statistics(self, y_true: NDArray[Any], y_pred: NDArray[Any], weights: Doubles | None) -> Sequence[ArrayLike]:
        """See :class:`flyball.metrics.base.Metric`."""
        y_true, y_pred = (array.astype(np.float64) for array in same_shapes(y_true, y_pred))
        if y_true.ndim != 2:
            _checks.refuse("y_pred", "of shape (samples, outputs) for r2_score", y_pred.shape)
        factors = np.ones_like(y_true)
        if weights is not None:
            factors = factors * (weights[:, np.newaxis] if weights.ndim == 1 else weights)
        weighted = factors * y_true
        residual = np.sum(factors * np.square(y_true - y_pred), axis=0)
        return weighted.sum(0), (weighted * y_true).sum(0), residual, factors.sum(0), y_true.size

    def value(self, **state: Any) -> ArrayLike:
        """See :class:`flyball.metrics.base.Metric`."""
        total = np.asarray(state["squared_sum"] - state["sum"] * (state["sum"] / np.asarray(state["count"])))
        scores = 1.0 - state["residual"] / total
        scores = np.where(np.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            scores = np.mean(scores)
        elif self.class_aggregation is not None:
            scores = np.sum(total * scores) / np.sum(total)
        samples, regressors = state["num_samples"], self.num_regressors
        if 0 < regressors < samples - 1:
            scores = 1.0 - (1.0 - scores) * (samples - 1.0) / (samples - regressors - 1.0)
        return np.asarray(scores)


def _unit(vectors: NDArray[Any], axis: int) -> NDArray[Any]:
    return no_nan(vectors, np.sqrt(np.sum(np.square(vectors), axis=axis, keepdims=True)))
