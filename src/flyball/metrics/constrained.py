"""The best of one rate that a threshold can have while another is at least so large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flyball import _checks
from flyball.metrics.base import no_nan
from flyball.metrics.confusion import LEAST, Counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from flyball.backend.types import Doubles


class _BestAt(Counts):
    """Base: ``maximum`` and ``constraint`` are pairs of counts, the rates being the first's share of both."""

    sums = ("true_positives", "true_negatives", "false_positives", "false_negatives")
    maximum: ClassVar[tuple[str, str]]
    constraint: ClassVar[tuple[str, str]]

    def __init__(
        self, least: float, num_thresholds: int, class_id: int | None, name: str | None, **unknown: object
    ) -> None:
        super().__init__(None, name, **unknown)
        self.least = least
        self.num_thresholds = _checks.integer("num_thresholds", num_thresholds, 1)
        self.class_id = None if class_id is None else _checks.integer("class_id", class_id)
        count = self.num_thresholds
        # As in Keras, a prediction of 0 is above the first.
        self.at = np.array([0.5]) if count == 1 else np.concatenate([[-LEAST], np.arange(1, count) / (count - 1)])

    def statistics(self, y_true: NDArray[Any], y_pred: NDArray[Any], weights: Doubles | None) -> Sequence[ArrayLike]:
        """See :class:`flyball.metrics.base.Metric`."""
        counts = self.counts(y_true, y_pred, weights, class_id=self.class_id, at=self.at)
        return [counts[name] for name in self.sums]

    def of_counts(self, **state: Any) -> NDArray[Any]:
        """Return the largest rate where the other is large enough, or 0."""
        best, other = (
            no_nan(state[hits], np.asarray(state[hits]) + state[misses])
            for hits, misses in (self.maximum, self.constraint)
        )
        return np.atleast_1d(np.max(np.where(other >= self.least, best, 0.0), initial=0.0))


_SENSITIVITY = _RECALL = ("true_positives", "false_negatives")
_SPECIFICITY = ("true_negatives", "false_positives")
_PRECISION = ("true_positives", "false_positives")


class SensitivityAtSpecificity(_BestAt):
    """Largest sensitivity at any of some thresholds at which the specificity is at least ``specificity``.

    ``sensitivity = TP / (TP + FN)`` and ``specificity = TN / (TN + FP)``.

    Parameters
    ----------
    specificity : float
        In [0, 1].
    num_thresholds : int
        How many there are between 0 and 1, evenly spread.
    class_id : int, optional
        The class that counts; all, taken together, if not given.
    name : str, optional
        What ``History`` calls it.
    """

    maximum, constraint = _SENSITIVITY, _SPECIFICITY

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        **unknown: object,
    ) -> None:
        self.specificity = _checks.number("specificity", specificity, "[0, 1]")
        super().__init__(self.specificity, num_thresholds, class_id, name, **unknown)


class SpecificityAtSensitivity(_BestAt):
    """Largest specificity at any of some thresholds at which the sensitivity is at least ``sensitivity``.

    ``specificity = TN / (TN + FP)`` and ``sensitivity = TP / (TP + FN)``.

    Parameters
    ----------
    sensitivity : float
        In [0, 1].
    num_thresholds : int
        How many there are between 0 and 1, evenly spread.
    class_id : int, optional
        The class that counts; all, taken together, if not given.
    name : str, optional
        What ``History`` calls it.
    """

    maximum, constraint = _SPECIFICITY, _SENSITIVITY

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        **unknown: object,
    ) -> None:
        self.sensitivity = _checks.number("sensitivity", sensitivity, "[0, 1]")
        super().__init__(self.sensitivity, num_thresholds, class_id, name, **unknown)


class PrecisionAtRecall(_BestAt):
    """Largest precision at any of some thresholds at which the recall is at least ``recall``.

    ``precision = TP / (TP + FP)`` and ``recall = TP / (TP + FN)``.

    Parameters
    ----------
    recall : float
        In [0, 1].
    num_thresholds : int
        How many there are between 0 and 1, evenly spread.
    class_id : int, optional
        The class that counts; all, taken together, if not given.
    name : str, optional
        What ``History`` calls it.
    """

    maximum, constraint = _PRECISION, _RECALL

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        **unknown: object,
    ) -> None:
        self.recall = _checks.number("recall", recall, "[0, 1]")
        super().__init__(self.recall, num_thresholds, class_id, name, **unknown)


class RecallAtPrecision(_BestAt):
    """Largest recall at any of some thresholds at which the precision is at least ``precision``.

    ``recall = TP / (TP + FN)`` and ``precision = TP / (TP + FP)``.

    Parameters
    ----------
    precision : float
        In [0, 1].
    num_thresholds : int
        How many there are between 0 and 1, evenly spread.
    class_id : int, optional
        The class that counts; all, taken together, if not given.
    name : str, optional
        What ``History`` calls it.
    """

    maximum, constraint = _RECALL, _PRECISION

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        **unknown: object,
    ) -> None:
        self.precision = _checks.number("precision", precision, "[0, 1]")
        super().__init__(self.precision, num_thresholds, class_id, name, **unknown)
