"""What each sample counts in the loss: weights of samples, and of classes."""

from __future__ import annotations

import math
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
        """Return the weights of targets as a loss prepares them: integers, floats (n,) or (..., 1), or one-hot rows.

        Raises
        ------
        ValueError
            If rows of ``y`` do not say which one class they belong to.
        """
        if y.dtype.kind == "i":
            labels = y
        elif y.ndim == 1 or y.shape[-1] == 1:
            labels = np.rint(y if y.ndim == 1 else y[..., 0]).astype(np.int64)
        else:
            if (y < 0).any() or (np.abs(y.sum(axis=-1) - 1.0) > 1e-3).any():
                expectation = "of one class a row (labels or one-hot rows) where class_weight is given"
                msg = f"{name} must be {expectation}, got shape {y.shape} with rows of no, or of several classes"
                raise ValueError(msg)
            labels = y.argmax(axis=-1)
        places = np.minimum(np.searchsorted(self._labels, labels), len(self._labels) - 1)
        return np.where(self._labels[places] == labels, self._weights[places], 1.0)


def as_sample_weights(
    name: str, weights: Any, shape: tuple[int, ...], dtype: DTypeLike, *, each: bool = False
) -> NDArray[Any]:
    """Return weights of samples, non-negative and finite, as (n,) in ``dtype``; of their positions, as (n, positions).

    ``shape`` is (n, ...), the outputs' without its last axis: weights have this shape or (n,), or one of them with a
    last axis of 1 more. With ``each`` those of samples become those of all their positions.

    Raises
    ------
    ValueError, TypeError
        If they are something else.
    """
    array = as_array(name, weights)
    if array.dtype.kind not in "fiub":
        msg = f"{name} must be numbers, got dtype {array.dtype}"
        raise TypeError(msg)
    rows = shape[0]
    by_position = len(shape) > 1 and array.shape in (shape, (*shape, 1))
    if not by_position and array.shape not in ((rows,), (rows, 1)):
        of_positions = f", or {shape}, one a position" if len(shape) > 1 else ""
        msg = f"{name} must have shape ({rows},), one weight a sample{of_positions}, got shape {array.shape}"
        raise ValueError(msg)
    with np.errstate(over="ignore"):  # a weight too large for dtype becomes inf, which is refused here
        converted = np.ascontiguousarray(array.reshape(rows, -1), dtype=dtype)
    wrong = ~((converted >= 0) & np.isfinite(converted))
    if wrong.any():
        row, place = (int(i) for i in np.argwhere(wrong)[0])
        given = array.reshape(converted.shape)[row, place]
        msg = f"{name} must be non-negative and finite in {converted.dtype}, got {given} in row {row}"
        raise ValueError(msg)
    if each and len(shape) > 1:
        return np.ascontiguousarray(np.broadcast_to(converted, (rows, math.prod(shape[1:]))))
    return converted if by_position else converted[:, 0]
