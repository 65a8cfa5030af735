"""What each sample counts in the loss: weights of samples, and of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball.data import as_array

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray


class ClassWeights:
    """Weights of classes; a class that is not named weighs 1, as in Keras.

    Parameters
    ----------
    weights : mapping of int to float
        Non-negative and finite.
    classes : int, optional
        How many there are: a larger class is refused.
    """

    def __init__(self, weights: object, classes: int | None = None) -> None:
        if not isinstance(weights, Mapping) or not weights:
            _checks.refuse("class_weight", "a dict of class indices and weights, such as {0: 1.0, 1: 5.0}", weights)
        known: dict[int, float] = {}
        for label, weight in weights.items():
            if isinstance(label, (bool, np.bool_)) or not isinstance(label, (int, np.integer)):
                _checks.refuse("class_weight", "given for classes as integers", label)
            if classes is not None and not 0 <= label < classes:
                _checks.refuse("class_weight", f"given for classes in [0, {classes})", int(label))
            known[int(label)] = _checks.number(f"class_weight[{label}]", weight, "[0, inf)")
        self._labels = np.array(sorted(known), np.int64)
        self._weights = np.array([known[int(label)] for label in self._labels])

    def of(self, name: str, y: NDArray[Any]) -> NDArray[np.float64]:
        """Return the weight of each row of ``y``: labels (n,) or (n, 1), or one-hot rows (n, classes).

        Raises
        ------
        ValueError
            If rows of ``y`` do not say which one class they belong to.
        """
        if y.ndim > 1 and y.shape[-1] != 1:
            if y.ndim > 2 or (y < 0).any() or (np.abs(y.sum(axis=-1) - 1.0) > 1e-3).any():
                expectation = "of one class a row (labels or one-hot rows) where class_weight is given"
                msg = f"{name} must be {expectation}, got shape {y.shape} with rows of no, or of several classes"
                raise ValueError(msg)
            labels = y.argmax(axis=-1)
        else:
            labels = np.rint(y.reshape(len(y))).astype(np.int64)
        places = np.minimum(np.searchsorted(self._labels, labels), len(self._labels) - 1)
        return np.where(self._labels[places] == labels, self._weights[places], 1.0)


def as_sample_weights(name: str, weights: Any, rows: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return ``weights``, (n,) or (n, 1), non-negative and finite, as (n,) in ``dtype``.

    Raises
    ------
    ValueError, TypeError
        If they are something else.
    """
    array = as_array(name, weights)
    if array.dtype.kind not in "fiub":
        msg = f"{name} must be numbers, got dtype {array.dtype}"
        raise TypeError(msg)
    if array.shape not in ((rows,), (rows, 1)):
        msg = f"{name} must have shape ({rows},), one weight a sample, got shape {array.shape}"
        raise ValueError(msg)
    with np.errstate(over="ignore"):  # a weight too large for dtype becomes inf, which is refused here
        converted = np.ascontiguousarray(array.reshape(rows), dtype=dtype)
    wrong = ~((converted >= 0) & np.isfinite(converted))
    if wrong.any():
        row = int(wrong.argmax())
        msg = f"{name} must be non-negative and finite in {converted.dtype}, got {array.flat[row]} in row {row}"
        raise ValueError(msg)
    return converted
