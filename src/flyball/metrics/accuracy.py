"""How many samples are classified right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball.metrics.base import MeanOfSamples, same_shapes

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Accuracy(MeanOfSamples):
    """Share of predictions that are equal to their targets."""

    def values(self, y_true: NDArray[Any], y_pred: NDArray[Any]) -> Any:
        """See :class:`flyball.metrics.base.MeanOfSamples`."""
        return np.equal(*same_shapes(y_true, y_pred))


class BinaryAccuracy(MeanOfSamples):
    """Share of outputs that are on their target's side of a threshold: ``(y_pred > threshold) == y_true``.

    Parameters
    ----------
    name : str, optional
        What ``History`` calls it.
    threshold : float
        What a prediction must exceed to count as 1.
    """

    def __init__(self, name: str | None = None, threshold: float = 0.5, **unknown: object) -> None:
        super().__init__(name, **unknown)
        self.threshold = _checks.number("threshold", threshold)

    def values(self, y_true: NDArray[Any], y_pred: NDArray[Any]) -> Any:
        """See :class:`flyball.metrics.base.MeanOfSamples`."""
        y_true, y_pred = same_shapes(y_true, y_pred)
        return np.equal(y_pred > self.threshold, y_true)


class SignAccuracy(MeanOfSamples):
    """Share of outputs that have their target's sign, 0 counting as negative: what a hinge asks for."""

    def values(self, y_true: NDArray[Any], y_pred: NDArray[Any]) -> Any:
        """See :class:`flyball.metrics.base.MeanOfSamples`."""
        y_true, y_pred = same_shapes(y_true, y_pred)
        return np.equal(y_pred > 0, y_true > 0)


class CategoricalAccuracy(MeanOfSamples):
    """Share of samples whose most likely class is that of the target, a distribution over the classes."""

    def values(self, y_true: NDArray[Any], y_pred: NDArray[Any]) -> Any:
        """See :class:`flyball.metrics.base.MeanOfSamples`."""
        y_true, y_pred = same_shapes(y_true, y_pred)
        return np.equal(y_true.argmax(axis=-1), y_pred.argmax(axis=-1))


class SparseCategoricalAccuracy(MeanOfSamples):
    """Share of samples whose most likely class is the target, an index; one that is no class is never hit."""

    def values(self, y_true: NDArray[Any], y_pred: NDArray[Any]) -> Any:
        """See :class:`flyball.metrics.base.MeanOfSamples`."""
        return np.equal(labels_of(y_true, y_pred), y_pred.argmax(axis=-1))


class _TopK(MeanOfSamples):
    """Base of the shares of samples whose target is among the ``k`` most likely classes."""

    def __init__(self, k: int = 5, name: str | None = None, **unknown: object) -> None:
        super().__init__(name, **unknown)
        self.k = _checks.integer("k", k, 1)

    def found(self, labels: NDArray[Any], y_pred: NDArray[Any]) -> Any:
        """Return whether fewer than ``k`` classes are more likely than the label's."""
        known = (labels >= 0) & (labels < y_pred.shape[-1])
        indices = np.where(known, labels, 0).astype(np.int64)[..., np.newaxis]
        likelihood = np.take_along_axis(y_pred, indices, axis=-1)
        return known & ((y_pred > likelihood).sum(axis=-1) < self.k)


class TopKCategoricalAccuracy(_TopK):
    """Share of samples whose target, a distribution, has its largest class among the ``k`` most likely ones.

    Parameters
    ----------
    k : int
        How many classes count.
    name : str, optional
        What ``History`` calls it.
    """

    default_name = "top_k_categorical_accuracy"

    def values(self, y_true: NDArray[Any], y_pred: NDArray[Any]) -> Any:
        """See :class:`flyball.metrics.base.MeanOfSamples`."""
        y_true, y_pred = same_shapes(y_true, y_pred)
        return self.found(y_true.argmax(axis=-1), y_pred)


class SparseTopKCategoricalAccuracy(_TopK):
    """Share of samples whose target, an index, is among the ``k`` most likely classes.

    Parameters
    ----------
    k : int
        How many classes count.
    name : str, optional
        What ``History`` calls it.
    """

    default_name = "sparse_top_k_categorical_accuracy"

    def values(self, y_true: NDArray[Any], y_pred: NDArray[Any]) -> Any:
        """See :class:`flyball.metrics.base.MeanOfSamples`."""
        return self.found(labels_of(y_true, y_pred), y_pred)


class AccuracyByShape(MeanOfSamples):
    """Accuracy of a model whose loss says nothing of classes: of one output, of one-hot rows or of class indices."""

    default_name = "accuracy"

    def values(self, y_true: NDArray[Any], y_pred: NDArray[Any]) -> Any:
        """See :class:`flyball.metrics.base.MeanOfSamples`."""
        outputs = y_pred.shape[-1] if y_pred.ndim > 1 else 1
        kind: type[MeanOfSamples] = CategoricalAccuracy
        if outputs == 1:
            kind = BinaryAccuracy
        elif y_true.ndim < y_pred.ndim or y_true.shape[-1] == 1:
            kind = SparseCategoricalAccuracy
        return kind().values(y_true, y_pred)


def labels_of(y_true: NDArray[Any], y_pred: NDArray[Any]) -> NDArray[Any]:
    """Return class indices of the shape of ``y_pred`` without its last axis."""
    labels = y_true[..., 0] if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1 else y_true
    if labels.shape != y_pred.shape[:-1]:
        _checks.refuse("y_true", f"of shape {y_pred.shape[:-1]}, that of y_pred without its last axis", y_true.shape)
    return labels
