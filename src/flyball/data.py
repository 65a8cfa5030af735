"""Samples on their way into a model: checked, never copied where it can be helped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFAULT_BATCH_SIZE = 32

_CHECKED_ELEMENTS = 1 << 20
"""Looked at in one go, so that a check of a large array needs little memory."""


def as_samples(name: str, x: Any, features: int | None = None) -> NDArray[Any]:
    """Return ``x`` as a matrix of numbers (samples, features) that a Program can read.

    Arrays of any float (32, 64), integer or bool dtype whose rows are contiguous are used as they are, memory-mapped
    ones included; others are copied once.

    Raises
    ------
    ValueError, TypeError
        If ``x`` is not a matrix of numbers, is empty, or has not the number of ``features``.
    """
    array = np.asarray(x)
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        msg = f"{name} must be numbers (float32, float64, integers or bool), got dtype {array.dtype}"
        raise TypeError(msg)
    if array.ndim != 2:
        msg = f"{name} must have shape (samples, features), got shape {array.shape}"
        raise ValueError(msg)
    if array.size == 0:
        msg = f"{name} must not be empty, got shape {array.shape}"
        raise ValueError(msg)
    if features is not None and array.shape[1] != features:
        msg = f"{name} must have {features} features, got shape {array.shape}"
        raise ValueError(msg)
    rows_contiguous = array.shape[1] == 1 or array.strides[1] == array.itemsize
    if not (rows_contiguous and array.strides[0] > 0 and array.flags.aligned and array.dtype.isnative):
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    return array


def require_finite(name: str, array: NDArray[Any]) -> None:
    """Raise ValueError naming the first element of a float matrix that is nan or infinite."""
    if array.dtype.kind != "f":
        return
    rows = max(1, _CHECKED_ELEMENTS // max(1, array[:1].size))
    for begin in range(0, len(array), rows):
        finite = np.isfinite(array[begin : begin + rows])
        if not finite.all():
            row, column = (int(i) for i in np.argwhere(~finite)[0])
            value = array[begin + row, column]
            msg = f"{name} must be finite, got {value} at row {begin + row}, column {column}"
            raise ValueError(msg)


def require_same_length(name: str, array: NDArray[Any], other_name: str, other: NDArray[Any]) -> None:
    """Raise ValueError unless the two have one row per sample each."""
    if len(array) != len(other):
        msg = f"{name} must have one row for each of the {len(other)} rows of {other_name}, got {len(array)}"
        raise ValueError(msg)


def step_bounds(rows: int, batch_size: int, *, batch_statistics: bool) -> NDArray[np.int64]:
    """Return where the steps of an epoch begin and end: step ``s`` covers rows ``[bounds[s], bounds[s + 1])``.

    A last batch of a single row has no batch statistics; where they are needed, it joins the batch before it.
    """
    bounds = np.append(np.arange(0, rows, batch_size, dtype=np.int64), rows)
    if batch_statistics and len(bounds) > 2 and bounds[-1] - bounds[-2] == 1:
        bounds = np.delete(bounds, -2)
    return bounds
