"""Metrics of true and false positives and negatives, at one threshold or many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flyball import _checks
from flyball.losses.base import same_rank
from flyball.metrics.base import Metric, no_nan, same_shapes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from flyball.backend.types import Doubles

LEAST = 1e-7
"""Keras' epsilon."""


class Counts(Metric):
    """Base of the metrics at thresholds: a prediction above one is positive."""

    default_threshold: ClassVar[float] = 0.5

    def __init__(self, thresholds: float | Sequence[float] | None, name: str | None, **unknown: object) -> None:
        super().__init__(name, **unknown)
        self.thresholds = _thresholds(thresholds)

    def counts(
        self,
        y_true: NDArray[Any],
        y_pred: NDArray[Any],
        weights: Doubles | None,
        top_k: int | None = None,
        class_id: int | None = None,
        at: Doubles | None = None,
    ) -> dict[str, Doubles]:
        """Return the weighted counts at each threshold, or ``at`` others, by name."""
        y_true, y_pred = same_shapes(y_true, y_pred)
        factors = np.ones(y_true.shape) if weights is None else _factors(weights, y_true)
        if top_k is not None:
            y_pred = _top_k(y_pred, top_k)
        if class_id is not None:
            if y_pred.ndim < 2 or class_id >= y_pred.shape[-1]:
                _checks.refuse("class_id", f"a class of predictions of shape {y_pred.shape}", class_id)
            y_true, y_pred, factors = (array[..., class_id] for array in (y_true, y_pred, factors))
        if at is None:
            lowest = self.default_threshold if top_k is None else -np.inf
            at = np.atleast_1d(np.asarray(lowest if self.thresholds is None else self.thresholds, np.float64))
        return confusion(y_true, y_pred, factors, at)

    def value(self, **state: Any) -> ArrayLike:
        """See :class:`flyball.metrics.base.Metric`."""
        result = np.asarray(self.of_counts(**state))
        return result[0] if result.shape == (1,) else result

    def of_counts(self, **state: Any) -> NDArray[Any]:
        """Return the metric at each threshold."""
        raise NotImplementedError(_checks.lacks(self, "of_counts"))


class _Count(Counts):
    """Base of the four counts."""

    def __init__(
        self, thresholds: float | Sequence[float] | None = None, name: str | None = None, **unknown: object
    ) -> None:
        super().__init__(thresholds, name, **unknown)

    def statistics(self, y_true: NDArray[Any], y_pred: NDArray[Any], weights: Doubles | None) -> Sequence[ArrayLike]:
        """See :class:`flyball.metrics.base.Metric`."""
        return [self.counts(y_true, y_pred, weights)[self.sums[0]]]

    def of_counts(self, **state: Any) -> NDArray[Any]:
        """Return the count."""
        return np.asarray(state[self.sums[0]])


class TruePositives(_Count):
    """Number of targets 1 with a prediction above ``thresholds`` (0.5)."""

    sums = ("true_positives",)


class TrueNegatives(_Count):
    """Number of targets 0 with a prediction not above ``thresholds`` (0.5)."""

    sums = ("true_negatives",)


class FalsePositives(_Count):
    """Number of targets 0 with a prediction above ``thresholds`` (0.5)."""

    sums = ("false_positives",)


class FalseNegatives(_Count):
    """Number of targets 1 with a prediction not above ``thresholds`` (0.5)."""

    sums = ("false_negatives",)


class Precision(Counts):
    """Share of positive predictions that are right: ``TP / (TP + FP)``, and 0 where nothing is positive.

    Parameters
    ----------
    thresholds : float or sequence of float, optional
        In [0, 1]; what a prediction must exceed to be positive: 0.5, or with ``top_k`` nothing.
    top_k : int, optional
        Only the so many largest predictions of a sample can be positive.
    class_id : int, optional
        The class that counts; all, taken together, if not given.
    name : str, optional
        What ``History`` calls it.
    """

    sums = ("true_positives", "false_positives")

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        **unknown: object,
    ) -> None:
        super().__init__(thresholds, name, **unknown)
        self.top_k = None if top_k is None else _checks.integer("top_k", top_k, 1)
        self.class_id = None if class_id is None else _checks.integer("class_id", class_id)

    def statistics(self, y_true: NDArray[Any], y_pred: NDArray[Any], weights: Doubles | None) -> Sequence[ArrayLike]:
        """See :class:`flyball.metrics.base.Metric`."""
        counts = self.counts(y_true, y_pred, weights, self.top_k, self.class_id)
        return [counts[name] for name in self.sums]

    def of_counts(self, **state: Any) -> NDArray[Any]:
        """Return the metric at each threshold."""
        hits, misses = (state[name] for name in self.sums)
        return no_nan(hits, hits + misses)


class Recall(Precision):
    """Share of targets 1 whose prediction is positive: ``TP / (TP + FN)``, and 0 where no target is 1.

    Parameters
    ----------
    thresholds, top_k, class_id, name
        As in :class:`Precision`.
    """

    sums = ("true_positives", "false_negatives")


class AUC(Metric):
    """Area under a curve, by its points at thresholds between 0 and 1.

    Parameters
    ----------
    num_thresholds : int
        How many, evenly spread; at least 2. More are more exact.
    curve : {"ROC", "PR"}
        True-positive rate over false-positive rate, or precision over recall.
    summation_method : {"interpolation", "minoring", "majoring"}
        Between points the mean of both (of the PR curve the interpolation of Davis and Goadrich 2006), the lower, or
        the higher value.
    name : str, optional
        What ``History`` calls it.
    thresholds : sequence of float, optional
        In (0, 1), in the place of evenly spread ones; 0 and 1 are added.
    multi_label : bool
        Whether each output has an area of its own, of which the (weighted) mean is taken; otherwise all outputs are
        taken together.
    label_weights : sequence of float, optional
        Weights of the outputs.
    from_logits : bool
        Whether predictions are logits, of which the sigmoid is taken.
    """

    sums = ("true_positives", "true_negatives", "false_positives", "false_negatives")

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
        **unknown: object,
    ) -> None:
        super().__init__("auc" if name is None else name, **unknown)
        self.num_thresholds = _checks.integer("num_thresholds", num_thresholds, 2)
        self.curve = _checks.choice("curve", curve, ("ROC", "PR"))
        methods = ("interpolation", "minoring", "majoring")
        self.summation_method = _checks.choice("summation_method", summation_method, methods)
        self.thresholds = None
        if thresholds is not None:
            self.thresholds = sorted(_checks.number("thresholds", value, "[0, 1]") for value in thresholds)
            self.num_thresholds = len(self.thresholds) + 2
        self.multi_label = _checks.flag("multi_label", multi_label)
        self.label_weights = None
        if label_weights is not None:
            self.label_weights = [_checks.number("label_weights", value, "[0, inf)") for value in label_weights]
        self.from_logits = _checks.flag("from_logits", from_logits)

    def statistics(self, y_true: NDArray[Any], y_pred: NDArray[Any], weights: Doubles | None) -> Sequence[ArrayLike]:
        """See :class:`flyball.metrics.base.Metric`."""
        y_true, y_pred = same_shapes(y_true, y_pred)
        factors = np.ones(y_true.shape) if weights is None else _factors(weights, y_true)
        if self.label_weights is not None and not self.multi_label:
            factors = factors * self.label_weights
        if self.from_logits:
            y_pred = 0.5 * (1.0 + np.tanh(0.5 * y_pred))
        if not (y_pred.min(initial=0.0) >= 0.0 and y_pred.max(initial=0.0) <= 1.0):
            wrong = y_pred[~((y_pred >= 0.0) & (y_pred <= 1.0))]
            _checks.refuse("y_pred", "in [0, 1] for auc", wrong.flat[0])
        inner = self.thresholds
        if inner is None:
            inner = [(i + 1) / (self.num_thresholds - 1) for i in range(self.num_thresholds - 2)]
        at = np.array([-LEAST, *inner, 1.0 + LEAST])
        if not self.multi_label:
            counts = confusion(y_true, y_pred, factors, at)
            return [counts[name] for name in self.sums]
        if y_true.ndim != 2:
            _checks.refuse("y_pred", "of shape (samples, labels) where multi_label is True", y_pred.shape)
        each = [confusion(*columns, at) for columns in zip(y_true.T, y_pred.T, factors.T, strict=True)]
        return [np.stack([counts[name] for counts in each], axis=1) for name in self.sums]

    def value(self, **state: Any) -> ArrayLike:
        """See :class:`flyball.metrics.base.Metric`."""
        tp, tn, fp, fn = (np.atleast_1d(state[name]) for name in self.sums)
        if len(tp) == 1:  # nothing has been counted
            return 0.0
        if self.curve == "PR" and self.summation_method == "interpolation":
            areas = _interpolated_pr(tp, fp, fn)
        else:
            recall = no_nan(tp, tp + fn)
            x, y = (no_nan(fp, fp + tn), recall) if self.curve == "ROC" else (recall, no_nan(tp, tp + fp))
            ends = np.stack([y[:-1], y[1:]])
            method = self.summation_method
            height = (
                ends.mean(0) if method == "interpolation" else (ends.min(0) if method == "minoring" else ends.max(0))
            )
            areas = (x[:-1] - x[1:]) * height
        total = areas.sum(axis=0)
        if not self.multi_label:
            return np.asarray(total)
        return np.asarray(np.average(total, weights=self.label_weights))


class FBetaScore(Metric):
    """``(1 + beta**2) * precision * recall / (beta**2 * precision + recall)`` of each class.

    Parameters
    ----------
    average : {"micro", "macro", "weighted"} or None
        Of all classes taken together, the mean of the classes, or their mean weighted by how often they occur; None
        returns each class's.
    beta : float
        How much more recall counts than precision; positive.
    threshold : float, optional
        In (0, 1]; what a prediction must exceed to be positive. Without one, the largest of a sample is.
    name : str, optional
        What ``History`` calls it.
    """

    sums = ("true_positives", "false_positives", "false_negatives", "targets")
    default_name = "fbeta_score"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = None,
        **unknown: object,
    ) -> None:
        super().__init__(name, **unknown)
        ways = ("micro", "macro", "weighted")
        self.average = None if average is None else _checks.choice("average", average, ways)
        self.beta = _checks.number("beta", beta, "(0, inf)")
        self.threshold = None if threshold is None else _checks.number("threshold", threshold, "(0, 1]")

    def statistics(self, y_true: NDArray[Any], y_pred: NDArray[Any], weights: Doubles | None) -> Sequence[ArrayLike]:
        """See :class:`flyball.metrics.base.Metric`."""
        y_true, y_pred = same_shapes(y_true, y_pred)
        if y_true.ndim != 2:
            _checks.refuse("y_pred", f"of shape (samples, classes) for {self.name}", y_pred.shape)
        if self.threshold is None:
            positive = (y_pred >= y_pred.max(axis=-1, keepdims=True)) & (np.abs(y_pred) > 1e-9)
        else:
            positive = y_pred > self.threshold
        factors = np.ones(y_true.shape) if weights is None else _factors(weights, y_true)
        counted = (y_true * positive, positive * (1.0 - y_true), y_true * ~positive, y_true)
        return [(factors * count).sum(axis=None if self.average == "micro" else 0) for count in counted]

    def value(self, **state: Any) -> ArrayLike:
        """See :class:`flyball.metrics.base.Metric`."""
        tp, fp, fn, targets = (np.asarray(state[name]) for name in self.sums)
        precision, recall = tp / (tp + fp + LEAST), tp / (tp + fn + LEAST)
        square = self.beta**2
        scores = (1.0 + square) * precision * recall / (square * precision + recall + LEAST)
        if self.average == "weighted":
            return np.asarray(np.sum(scores * targets / (targets.sum() + LEAST)))
        return scores if self.average is None else np.asarray(scores.mean())


class F1Score(FBetaScore):
    """Harmonic mean of precision and recall of each class: :class:`FBetaScore` with beta 1.

    Parameters
    ----------
    average, threshold, name
        As in :class:`FBetaScore`.
    """

    default_name = "f1_score"

    def __init__(
        self, average: str | None = None, threshold: float | None = None, name: str | None = None, **unknown: object
    ) -> None:
        super().__init__(average, 1.0, threshold, name, **unknown)


def confusion(y_true: NDArray[Any], y_pred: NDArray[Any], factors: Doubles, thresholds: Doubles) -> dict[str, Doubles]:
    """Return the sums of ``factors`` by name at each of the ``thresholds``, in any order.

    A target other than 0 is positive, as is a prediction above the threshold. Each prediction is sorted among the
    thresholds once, however many there are.
    """
    order = np.argsort(thresholds, kind="stable")
    place = np.searchsorted(thresholds[order], y_pred.ravel(), side="left")  # thresholds below it
    positive = y_true.ravel() != 0
    totals = {}
    for name, members in (("true_positives", positive), ("false_positives", ~positive)):
        histogram = np.bincount(place[members], factors.ravel()[members], len(thresholds) + 1)
        above = np.empty(len(thresholds))
        above[order] = histogram[::-1].cumsum()[::-1][1:]
        totals[name] = above
        other = "false_negatives" if name == "true_positives" else "true_negatives"
        totals[other] = histogram.sum() - above
    return totals


def _interpolated_pr(tp: Doubles, fp: Doubles, fn: Doubles) -> Doubles:
    """Return the areas between the points of the precision-recall curve. Davis and Goadrich 2006, section 3."""
    p = tp + fp
    dtp, dp = tp[:-1] - tp[1:], p[:-1] - p[1:]
    slope = no_nan(dtp, np.maximum(dp, 0.0))
    intercept = tp[1:] - slope * p[1:]
    both = (p[:-1] > 0.0) & (p[1:] > 0.0)
    ratio = np.where(both, no_nan(p[:-1], np.maximum(p[1:], 0.0)), 1.0)
    return no_nan(slope * (dtp + intercept * np.log(ratio)), np.maximum(tp[1:] + fn[1:], 0.0))


def _factors(weights: Doubles, y_true: NDArray[Any]) -> Doubles:
    """Return weights of samples as weights of their outputs."""
    if weights.ndim < y_true.ndim and weights.ndim > 0:
        weights = weights.reshape(weights.shape + (1,) * (y_true.ndim - weights.ndim))
    _, weights = same_rank(y_true, weights)
    try:
        return np.broadcast_to(weights, y_true.shape)
    except ValueError:
        _checks.refuse("sample_weight", f"of a shape that broadcasts to {y_true.shape}", weights.shape)


def _top_k(y_pred: NDArray[Any], k: int) -> NDArray[Any]:
    """Return the ``k`` largest predictions of each sample, the others as minus infinity."""
    k = min(k, y_pred.shape[-1])
    best = np.argsort(-y_pred, axis=-1, kind="stable")[..., :k]
    kept = np.full(y_pred.shape, -np.inf)
    np.put_along_axis(kept, best, np.take_along_axis(y_pred, best, axis=-1), axis=-1)
    return kept


def _thresholds(value: float | Sequence[float] | None) -> float | list[float] | None:
    if value is None:
        return None
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_checks.number("thresholds", item, "[0, 1]") for item in value]
    return _checks.number("thresholds", value, "[0, 1]")
