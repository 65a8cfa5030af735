"""Rows of a data set, and the order of their axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.backend import get_backend
from flyball.functional._checks import (
    at_least_1d,
    floats,
    integers,
    new_or_given,
    not_empty,
    plain,
    samples_of,
    tidy,
    wrong_shape,
)
from flyball.reference._arrays import FLOAT32, FLOAT64, float_dtype

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from flyball.backend.types import Floats


def gather(x: NDArray[Any], rows: NDArray[Any], *, dtype: DTypeLike | None = None, out: Floats | None = None) -> Floats:
    """Gather rows, with conversion: ``out[i] = x[rows[i]]``.

    Parameters
    ----------
    x : array of any float or integer dtype, shape (n, ...)
        Data. Copied once if its rows are not consecutive, or its dtype has 16 bits or more than 64.
    rows : array of integers in [0, n), shape (N,)
        Which rows to take; repeats are welcome, negative ones are not.
    dtype : dtype, optional
        float32 or float64; that of ``out``, else that of ``x`` if it is one of these, else float32 (float64 if
        ``x`` has more than 64 bits).
    out : array of that dtype, shape (N, ...), optional
        Receives the result. It is never copied.

    Returns
    -------
    out : array, shape (N, ...)
        The rows.

    Raises
    ------
    TypeError
        If a dtype is another one, or an argument is no array.
    ValueError
        If ``x`` or ``rows`` is empty, a row is out of range, or ``out`` does not fit or overlaps ``x``.
    """
    data = at_least_1d("x", not_empty("x", plain("x", x)))
    if data.dtype.kind not in "fiu":
        msg = f"x must be of a float or integer dtype, got {data.dtype}"
        raise TypeError(msg)
    if data.dtype.kind == "f" and data.itemsize not in (4, 8):
        data = data.astype(FLOAT32 if data.itemsize < 4 else FLOAT64)
    elif data.ndim != 2 or data.strides[1] != data.itemsize or not data.flags.aligned or not data.dtype.isnative:
        data = tidy(data, data.dtype.newbyteorder("="))
    indices = not_empty("rows", integers("rows", rows))
    if indices.ndim != 1:
        msg = f"rows must have 1 dimension, got shape {indices.shape}"
        raise ValueError(msg)
    if dtype is not None:
        wanted = np.dtype(dtype)
        float_dtype("dtype", np.empty(0, wanted))
    elif out is not None:
        wanted = float_dtype("out", plain("out", out))
    else:
        wanted = data.dtype if data.dtype.kind == "f" else FLOAT32
    result = new_or_given(out, (indices.size, *data.shape[1:]), wanted, False, "x rows", data, indices)
    get_backend().gather(samples_of(result), samples_of(data), indices)
    return result


def swap_axes(x: Floats, *, out: Floats | None = None) -> Floats:
    """Exchange the two axes after the samples': ``y[n, j, i] = x[n, i, j]``.

    With channels and positions it is the way from channels first to channels last, and back.

    Parameters
    ----------
    x : array of float32 or float64, shape (N, A, B, ...)
        Copied once if its layout asks for it.
    out : array like x, shape (N, B, A, ...), optional
        Receives the result; not ``x``. It is never copied.

    Returns
    -------
    y : array like x, shape (N, B, A, ...)
        ``out`` if that was given.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If ``x`` is empty or has fewer than three axes, or ``out`` does not fit or overlaps ``x``.
    """
    x = floats("x", x)
    if x.ndim < 3:
        wrong_shape("x", x, "(N, A, B, ...)")
    n, first, second, *rest = x.shape
    y = new_or_given(out, (n, second, first, *rest), x.dtype, False, "x", x)
    get_backend().swap_axes(samples_of(y), samples_of(x), first, second)
    return y
