"""Data on its way into a model: made arrays of, checked, never copied where it can be helped."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball.backend import get_backend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

DEFAULT_BATCH_SIZE = 32

_CHECKED_ELEMENTS = 1 << 22
"""Looked at in one go, so that a check of a large array needs little memory."""


@dataclass(frozen=True)
class DataSet:
    """Rows a Program can read: samples (n, ...), targets, and what each counts in the loss, (n,) or (n, positions).

    A position is a vector along the outputs' last axis.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    weights: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: slice) -> DataSet:
        return DataSet(self.x[rows], self.y[rows], None if self.weights is None else self.weights[rows])

    def outcomes(self, rows: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Return the targets and weights of ``rows``."""
        return self.y[rows], None if self.weights is None else self.weights[rows]


# --- arrays of anything ----------------------------------------------------------------------------------------------


def as_array(name: str, value: Any) -> NDArray[Any]:
    """Return ``value`` as a NumPy array, itself where it is one.

    Data frames and tables of numbers become matrices, with a dtype that holds all columns.

    Raises
    ------
    TypeError
        If a column is no numbers, naming it; or if ``value`` is sparse, masked, or nothing NumPy can convert.
    ValueError
        If it is a ragged list.
    """
    if type(value) is np.ndarray:
        return value
    if hasattr(value, "toarray"):
        msg = f"{name} must be a dense array, got {type(value).__name__}; its toarray() is one"
        raise TypeError(msg)
    if hasattr(value, "filled") and np.any(getattr(value, "mask", False)):
        msg = f"{name} must not have masked elements, got {type(value).__name__}; its filled(...) has none"
        raise TypeError(msg)
    if hasattr(value, "columns") or hasattr(value, "column_names"):
        return _frame(name, value)
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # a ragged list; a tensor that is elsewhere
        shapes = [getattr(part, "shape", None) for part in value] if isinstance(value, (list, tuple)) else [None]
        if all(shape is not None for shape in shapes):
            found = f"{type(value).__name__} of arrays of shapes {_checks.listed(shapes)}"
            msg = f"{name} must be one array, got a {found}"
            raise ValueError(msg) from error
        kind = ValueError if isinstance(value, (list, tuple)) else TypeError
        msg = f"{name} must be an array of numbers, got {type(value).__name__} ({error})"
        raise kind(msg) from error
    if array.dtype == object and array.ndim == 0:  # a dict, a function, None
        msg = f"{name} must be an array of numbers, got {type(value).__name__}"
        raise TypeError(msg)
    if array.dtype == object and hasattr(value, "to_numpy"):
        return _column(value)
    return array


def _frame(name: str, frame: Any) -> NDArray[Any]:
    """Return the matrix of a data frame of pandas or polars, or of a pyarrow table."""
    names = list(getattr(frame, "column_names", None) or frame.columns)
    if hasattr(frame, "dtypes"):
        try:
            matrix = np.asarray(frame)  # one block of numbers: no copy
        except (TypeError, ValueError):
            matrix = np.empty((0, 0), object)
        if matrix.dtype.kind in "fiub" and matrix.ndim == 2:
            return matrix
    columns = []
    for i, label in enumerate(names):
        column = _column(frame.iloc[:, i] if hasattr(frame, "iloc") else frame[label])
        if column.dtype.kind not in "fiub":
            first = f", which begins with {_checks.shown(column[0])}" if len(column) else ""
            msg = f"{name} must be numbers, got dtype {column.dtype} in column {label!r}{first}"
            raise TypeError(msg)
        columns.append(column)
    if not columns:
        msg = f"{name} must have columns, got none"
        raise ValueError(msg)
    return np.column_stack(columns)


def _column(column: Any) -> NDArray[Any]:
    """Return a column as an array; missing numbers are nan, which is what they are refused as."""
    array = np.asarray(column)
    if array.dtype == object:
        kind = getattr(getattr(column, "dtype", None), "kind", "")  # of pandas' own dtypes: Int64, boolean, ...
        if kind in ("f", "i", "u", "b"):
            return np.asarray(column.to_numpy(dtype="float64", na_value=np.nan))
    return array


# --- samples ---------------------------------------------------------------------------------------------------------


def as_samples(name: str, x: Any, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """Return ``x`` as an array of numbers (samples, ...) that a Program can read.

    Arrays of any float (32, 64), integer or bool dtype whose samples are contiguous are used as they are, memory-mapped
    ones included; others are copied once. As in Keras, a last axis of 1 may be missing, or be one too many.

    Parameters
    ----------
    name : str
        What errors call it.
    x : array_like
        As :func:`as_array` takes it.
    shape : tuple of int, optional
        What the shape of a sample must be.

    Raises
    ------
    ValueError, TypeError
        If ``x`` is no array of numbers, is empty, or has samples of another shape.
    """
    array = as_array(name, x)
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        msg = f"{name} must be numbers (float32, float64, integers or bool), got dtype {array.dtype}"
        raise TypeError(msg)
    if shape is not None:
        array = _with_shape(name, array, shape)
    elif array.ndim < 2:
        msg = f"{name} must have shape (samples, features), got shape {array.shape}"
        raise ValueError(msg)
    if array.size == 0:
        msg = f"{name} must not be empty, got shape {array.shape}"
        raise ValueError(msg)
    usable = array.strides[0] > 0 and array[0].flags.c_contiguous and array.flags.aligned and array.dtype.isnative
    return array if usable else np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def _with_shape(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    found = array.shape[1:]
    if found == shape:
        return array
    if array.ndim and (*found, 1) == shape:
        return array[..., np.newaxis]
    if found == (*shape, 1):
        return array[..., 0]
    if len(shape) > 1:
        sizes = ", ".join(str(size) for size in shape)
        msg = f"{name} must have shape (samples, {sizes}), got shape {array.shape}"
    elif array.ndim != 2:
        msg = f"{name} must have shape (samples, features), got shape {array.shape}"
    else:
        msg = f"{name} must have {shape[0]} features, got shape {array.shape}"
    if array.shape == shape:
        msg += f"; a single sample is {name}[numpy.newaxis]"
    raise ValueError(msg)


def require_finite(name: str, array: NDArray[Any]) -> None:
    """Raise ValueError naming the first element of an array of floats that is nan or infinite."""
    if array.dtype.kind != "f":
        return
    position = np.empty(1, np.int64)
    for begin, part in _parts(array):
        get_backend().find_not_finite(position, part.reshape(len(part), -1))
        found = int(position[0])
        if found < len(part):
            index = (found, *(int(i) for i in np.argwhere(~np.isfinite(part[found]))[0]))
            row = begin + found
            where = f"row {row}, column {index[1]}" if array.ndim == 2 else f"index {(row, *index[1:])}"
            msg = f"{name} must be finite, got {part[index]} at {where}"
            raise ValueError(msg)


def _parts(array: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    rows = max(1, _CHECKED_ELEMENTS // max(1, array[:1].size))
    for begin in range(0, len(array), rows):
        yield begin, array[begin : begin + rows]


def require_same_length(name: str, array: NDArray[Any], other_name: str, other: NDArray[Any]) -> None:
    """Raise ValueError unless the two have one row per sample each."""
    if len(array) != len(other):
        msg = f"{name} must have one row for each of the {len(other)} rows of {other_name}, got {len(array)}"
        raise ValueError(msg)


# --- steps -----------------------------------------------------------------------------------------------------------


def first_steps(data: DataSet, batch_size: int | None, steps: int | None, name: str) -> DataSet:
    """Return the first ``steps`` batches of ``data``; ``name`` is what the warning calls them where there are fewer.

    Without ``batch_size``, as in Keras, the data are cut into as many batches as there are steps: all of them.
    """
    if steps is None or batch_size is None:
        return data
    there = -(-len(data) // batch_size)
    if steps > there:
        msg = f"{name} must be at most the {there} batches of {batch_size} there are data for, got {steps}"
        warnings.warn(msg, UserWarning, stacklevel=4)
    return data[: steps * batch_size]


def step_bounds(rows: int, batch_size: int, *, batch_statistics: bool) -> NDArray[np.int64]:
    """Return where the steps of an epoch begin and end: step ``s`` covers rows ``[bounds[s], bounds[s + 1])``.

    A last batch of a single row has no batch statistics; where they are needed, it joins the batch before it.
    """
    size = max(1, min(batch_size, rows))
    bounds = np.arange(0, rows + size, size, dtype=np.int64)
    if batch_statistics and len(bounds) > 2 and rows - bounds[-2] == 1:
        bounds = bounds[:-1]
    bounds[-1] = rows
    return bounds
