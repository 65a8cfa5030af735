"""Intersection over union of what is predicted and what is there, by class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball.metrics.base import Metric, no_nan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from flyball.backend.types import Doubles


class IoU(Metric):
    """Mean over some classes of ``TP / (TP + FP + FN)``; classes that are neither there nor predicted are left out.

    Parameters
    ----------
    num_classes : int
        How many there are; targets and predictions of others do not count.
    target_class_ids : sequence of int
        Whose mean it is.
    name : str, optional
        What ``History`` calls it.
    ignore_class : int, optional
        A target that does not count.
    sparse_y_true, sparse_y_pred : bool
        Whether targets and predictions are class numbers, and not rows whose largest element says the class. (In Keras
        predictions are numbers by default: models put out rows.)
    axis : int
        The axis of these rows.
    """

    sums = ("confusion",)
    default_name = "io_u"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        *,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
        **unknown: object,
    ) -> None:
        super().__init__(name, **unknown)
        self.num_classes = _checks.integer("num_classes", num_classes, 1)
        self.target_class_ids = [_checks.integer("target_class_ids", item) for item in target_class_ids]
        if not self.target_class_ids or max(self.target_class_ids) >= self.num_classes:
            _checks.refuse("target_class_ids", f"classes in [0, {self.num_classes})", target_class_ids)
        self.ignore_class = None if ignore_class is None else _checks.integer("ignore_class", ignore_class, -(2**53))
        self.sparse_y_true = _checks.flag("sparse_y_true", sparse_y_true)
        self.sparse_y_pred = _checks.flag("sparse_y_pred", sparse_y_pred)
        self.axis = _checks.integer("axis", axis, -32)

    def statistics(self, y_true: NDArray[Any], y_pred: NDArray[Any], weights: Doubles | None) -> Sequence[ArrayLike]:
        """See :class:`flyball.metrics.base.Metric`."""
        targets = _classes("y_true", y_true if self.sparse_y_true else y_true.argmax(axis=self.axis))
        predictions = _classes("y_pred", y_pred if self.sparse_y_pred else y_pred.argmax(axis=self.axis))
        if targets.size != predictions.size:
            _checks.refuse("y_true", f"of as many classes as y_pred has, {predictions.size}", targets.size)
        factors = np.ones(targets.size)
        if weights is not None:
            if weights.size not in (1, targets.size):
                _checks.refuse("sample_weight", f"one number, or {targets.size}", weights.shape)
            factors = factors * weights.reshape(-1)
        count = self.num_classes
        kept = (targets >= 0) & (targets < count) & (predictions >= 0) & (predictions < count)
        if self.ignore_class is not None:
            kept &= targets != self.ignore_class
        places = targets[kept] * count + predictions[kept]
        return [np.bincount(places, factors[kept], count * count).reshape(count, count)]

    def value(self, **state: Any) -> ArrayLike:
        """See :class:`flyball.metrics.base.Metric`."""
        confusion = np.broadcast_to(state["confusion"], (self.num_classes, self.num_classes))
        hits = np.diag(confusion)
        there = confusion.sum(axis=0) + confusion.sum(axis=1) - hits
        chosen = self.target_class_ids
        return no_nan(no_nan(hits, there)[chosen].sum(), np.count_nonzero(there[chosen]))


class BinaryIoU(IoU):
    """:class:`IoU` of yes and no, a prediction of at least ``threshold`` being a yes.

    Parameters
    ----------
    target_class_ids : sequence of int
        0, 1 or both.
    threshold : float
        In [0, 1] for probabilities.
    name : str, optional
        What ``History`` calls it.
    """

    default_name = "binary_io_u"

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__(2, target_class_ids, name, **unknown)
        self.threshold = _checks.number("threshold", threshold)

    def statistics(self, y_true: NDArray[Any], y_pred: NDArray[Any], weights: Doubles | None) -> Sequence[ArrayLike]:
        """See :class:`flyball.metrics.base.Metric`."""
        return super().statistics(y_true, (y_pred >= self.threshold).astype(np.int64), weights)


class MeanIoU(IoU):
    """:class:`IoU` of all classes.

    Parameters
    ----------
    num_classes, name, ignore_class, sparse_y_true, sparse_y_pred, axis
        As in :class:`IoU`.
    """

    default_name = "mean_io_u"

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        *,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
        **unknown: Any,
    ) -> None:
        super().__init__(
            num_classes,
            range(_checks.integer("num_classes", num_classes, 1)),
            name,
            ignore_class=ignore_class,
            sparse_y_true=sparse_y_true,
            sparse_y_pred=sparse_y_pred,
            axis=axis,
            **unknown,
        )


class OneHotIoU(IoU):
    """:class:`IoU` of one-hot targets.

    Parameters
    ----------
    num_classes, target_class_ids, name, ignore_class, sparse_y_pred, axis
        As in :class:`IoU`; predictions are rows by default.
    """

    default_name = "one_hot_io_u"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        *,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
        **unknown: Any,
    ) -> None:
        super().__init__(
            num_classes,
            target_class_ids,
            name,
            ignore_class=ignore_class,
            sparse_y_true=False,
            sparse_y_pred=sparse_y_pred,
            axis=axis,
            **unknown,
        )


class OneHotMeanIoU(MeanIoU):
    """:class:`IoU` of all classes, of one-hot targets.

    Parameters
    ----------
    num_classes, name, ignore_class, sparse_y_pred, axis
        As in :class:`IoU`; predictions are rows by default.
    """

    default_name = "one_hot_mean_io_u"

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        *,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
        **unknown: Any,
    ) -> None:
        super().__init__(
            num_classes,
            name,
            ignore_class=ignore_class,
            sparse_y_true=False,
            sparse_y_pred=sparse_y_pred,
            axis=axis,
            **unknown,
        )


def _classes(name: str, values: NDArray[Any]) -> NDArray[np.int64]:
    """Return numbers of classes as one row."""
    classes: NDArray[np.int64] = np.nan_to_num(values).astype(np.int64).reshape(-1)
    if (classes != values.reshape(-1)).any():
        expectation = "numbers of classes, or scores where sparse_y_true or sparse_y_pred is False"
        _checks.refuse(name, expectation, values[np.not_equal(classes.reshape(values.shape), values)].flat[0])
    return classes
