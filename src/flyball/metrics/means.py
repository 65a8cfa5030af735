"""Means of distances: regression, and the losses as metrics."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flyball import _checks, losses
from flyball.losses.base import same_rank
from flyball.metrics.base import MeanOfSamples, Metric, no_nan, same_shapes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from flyball.backend.types import Doubles


LEAST = 1e-7
"""Keras' epsilon."""


class LossMean(MeanOfSamples):
    """Base of the metrics that are the mean of a loss, whose ``options`` they take as well.

    ``class Name(LossMean, loss=losses.Name, options=("from_logits",))`` is such a metric.
    """

    loss: ClassVar[type[losses.Loss]]
    options: ClassVar[tuple[str, ...]] = ()
    sign: ClassVar[float] = 1.0

    def __init_subclass__(cls, loss: type[losses.Loss] | None = None, options: tuple[str, ...] = ()) -> None:
        if loss is None:  # of a metric that has one
            return
        cls.loss, cls.options = loss, options
        named = inspect.signature(loss).parameters
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        name = inspect.Parameter("name", kind, default=None)
        cls.__signature__ = inspect.Signature([name, *(named[option].replace(kind=kind) for option in options)])  # type: ignore[attr-defined]

    def __init__(self, name: str | None = None, *values: Any, **options: Any) -> None:
        if len(values) > len(self.options):
            msg = f"{type(self).__name__} takes at most {1 + len(self.options)} arguments, got {1 + len(values)}"
            raise TypeError(msg)
        unknown = {key: value for key, value in options.items() if key not in self.options[len(values) :]}
        super().__init__(name, **unknown)
        for option in self.options:
            setattr(self, option, getattr(self._made(values, options), option))

    def _made(self, values: tuple[Any, ...], options: dict[str, Any]) -> losses.Loss:
        given: dict[str, Any] = dict(zip(self.options, values, strict=False))
        return self.loss(reduction="none", **given, **options)

    def make_loss(self) -> losses.Loss:
        """Return the loss, one value a sample."""
        return self._made(tuple(getattr(self, option) for option in self.options), {})

    def values(self, y_true: NDArray[Any], y_pred: NDArray[Any]) -> Any:
        """See :class:`flyball.metrics.base.MeanOfSamples`."""
        return self.sign * np.asarray(self.make_loss()(y_true, y_pred))

    def statistics(self, y_true: NDArray[Any], y_pred: NDArray[Any], weights: Doubles | None) -> Sequence[ArrayLike]:
        """See :class:`flyball.metrics.base.Metric`.

        As in Keras, a class that the loss ignores counts as 0, but not at all where there are weights.
        """
        loss = self.make_loss()
        if weights is not None and loss.ignore_class is not None:
            kept = loss.paired(y_true, y_pred)[1] != loss.ignore_class
            kept, weights = same_rank(kept, weights)
            weights = weights * kept
        return super().statistics(y_true, y_pred, weights)


class MeanSquaredError(LossMean, loss=losses.MeanSquaredError):
    """``mean((p - t)**2)``."""


class MeanAbsoluteError(LossMean, loss=losses.MeanAbsoluteError):
    """``mean(abs(p - t))``."""


class MeanAbsolutePercentageError(LossMean, loss=losses.MeanAbsolutePercentageError):
    """``100 * mean(abs(p - t) / max(abs(t), 1e-7))``."""


class MeanSquaredLogarithmicError(LossMean, loss=losses.MeanSquaredLogarithmicError):
    """``mean((log(1 + p) - log(1 + t))**2)``, with p and t at least 1e-7."""


class LogCoshError(LossMean, loss=losses.LogCosh):
    """``mean(log(cosh(p - t)))``."""

    default_name = "logcosh"


class Poisson(LossMean, loss=losses.Poisson):
    """``mean(p - t * log(p + 1e-7))``."""


class KLDivergence(LossMean, loss=losses.KLDivergence):
    """``sum(t * log(t / p))``, with t and p between 1e-7 and 1, averaged over the samples."""

    default_name = "kl_divergence"


class Hinge(LossMean, loss=losses.Hinge):
    """``mean(max(1 - t * p, 0))``, with targets -1 and 1, or 0 and 1."""


class SquaredHinge(LossMean, loss=losses.SquaredHinge):
    """``mean(max(1 - t * p, 0)**2)``, with targets -1 and 1, or 0 and 1."""


class CategoricalHinge(LossMean, loss=losses.CategoricalHinge):
    """``max(1 + max((1 - t) * p) - sum(t * p), 0)`` of one-hot targets."""


class CosineSimilarity(LossMean, loss=losses.CosineSimilarity, options=("axis",)):
    """Cosine of the angle between prediction and target: 1 where they point the same way.

    Parameters
    ----------
    name : str, optional
        What ``History`` calls it.
    axis : int
        The axis of the vectors.
    """

    sign = -1.0


class BinaryCrossentropy(LossMean, loss=losses.BinaryCrossentropy, options=("from_logits", "label_smoothing", "axis")):
    """``-mean(t * log(p) + (1 - t) * log(1 - p))``.

    Parameters
    ----------
    name : str, optional
        What ``History`` calls it.
    from_logits, label_smoothing, axis
        As in :class:`flyball.losses.BinaryCrossentropy`.
    """


class CategoricalCrossentropy(
    LossMean, loss=losses.CategoricalCrossentropy, options=("from_logits", "label_smoothing", "axis")
):
    """``-sum(t * log(p))`` of distributions, averaged over the samples.

    Parameters
    ----------
    name : str, optional
        What ``History`` calls it.
    from_logits, label_smoothing, axis
        As in :class:`flyball.losses.CategoricalCrossentropy`.
    """


class SparseCategoricalCrossentropy(
    LossMean, loss=losses.SparseCategoricalCrossentropy, options=("from_logits", "ignore_class", "axis")
):
    """``-log(p[label])``, averaged over the samples.

    Parameters
    ----------
    name : str, optional
        What ``History`` calls it.
    from_logits, ignore_class, axis
        As in :class:`flyball.losses.SparseCategoricalCrossentropy`. As in Keras, a label that is ignored counts as a
        value of 0; with sample weights it does not count.
    """


class RootMeanSquaredError(MeanOfSamples):
    """``sqrt(mean((p - t)**2))`` over all outputs of all samples."""

    def values(self, y_true: NDArray[Any], y_pred: NDArray[Any]) -> Any:
        """See :class:`flyball.metrics.base.MeanOfSamples`."""
        y_true, y_pred = same_shapes(y_true, y_pred)
        return np.square(y_pred.astype(np.float64) - y_true)

    def value(self, **state: Any) -> ArrayLike:
        """See :class:`flyball.metrics.base.Metric`."""
        return np.sqrt(super().value(**state))


class ConcordanceCorrelation(MeanOfSamples):
    """Concordance of predictions and targets along an axis, averaged: 1 where they are the same.

    ``2 * c / (var(t) + var(p) + (mean(t) - mean(p))**2 + 1e-7)`` with c their covariance, ``mean((t - mean(t)) * (p -
    mean(p)))``.

    Parameters
    ----------
    name : str, optional
        What ``History`` calls it.
    axis : int
        The axis of what is correlated; 0 for the samples of a batch.
    """

    def __init__(self, name: str | None = None, axis: int = -1, **unknown: object) -> None:
        super().__init__(name, **unknown)
        self.axis = _checks.integer("axis", axis, -32)

    def values(self, y_true: NDArray[Any], y_pred: NDArray[Any]) -> Any:
        """See :class:`flyball.metrics.base.MeanOfSamples`."""
        t, p = (array.astype(np.float64) for array in same_shapes(y_true, y_pred))
        if not -t.ndim <= self.axis < t.ndim:
            _checks.refuse("axis", f"one of the {t.ndim} of y_pred", self.axis)
        covariance = ((t - t.mean(axis=self.axis, keepdims=True)) * (p - p.mean(axis=self.axis, keepdims=True))).mean(
            axis=self.axis
        )
        return self.scaled(covariance, t, p)

    def scaled(self, covariance: NDArray[Any], t: NDArray[Any], p: NDArray[Any]) -> NDArray[Any]:
        """Return the coefficient from the covariance."""
        apart = np.square(t.mean(axis=self.axis) - p.mean(axis=self.axis))
        return np.asarray(2.0 * covariance / (t.var(axis=self.axis) + p.var(axis=self.axis) + apart + LEAST))


class PearsonCorrelation(ConcordanceCorrelation):
    """Correlation of predictions and targets along an axis, averaged: 1 where one is a rising line of the other.

    ``c / (std(t) * std(p))`` with c their covariance, ``mean((t - mean(t)) * (p - mean(p)))``.

    Parameters
    ----------
    name : str, optional
        What ``History`` calls it.
    axis : int
        The axis of what is correlated; 0 for the samples of a batch.
    """

    def scaled(self, covariance: NDArray[Any], t: NDArray[Any], p: NDArray[Any]) -> NDArray[Any]:
        """Return the coefficient from the covariance."""
        return no_nan(covariance, t.std(axis=self.axis) * p.std(axis=self.axis))


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
