"""What the functions of this package ask of their arguments: the fast path first, a diagnosis where something is off.

Inputs are used as they are if they are aligned, C-contiguous float32 or float64 arrays of the machine's byte order, and
copied once if only layout or byte order is wrong. Arrays that are written to are never copied.
"""

from __future__ import annotations

import sys
from math import inf
from numbers import Real
from operator import index
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy import empty, ndarray

from flyball.reference._arrays import FLOAT32, FLOAT64, INT64, need_out, refuse_overlap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.backend.types import Floats, Integers

    Array = NDArray[Any]
    Dtype = np.dtype[Any]

# --- arrays -----------------------------------------------------------------------------------------------------


def floats(name: str, value: Any) -> Floats:
    """Return a float array as operations want it."""
    if type(value) is ndarray:
        dtype = value.dtype
        if dtype is FLOAT32 or dtype is FLOAT64:
            flags = value.flags
            if flags.c_contiguous and flags.aligned and value.size:
                return value
    array = not_empty(name, plain(name, value))
    return tidy(array, native_float(name, array))


def typed(name: str, value: Any, dtype: Dtype, like: str = "") -> Array:
    """Return an array of ``dtype`` as operations want it; ``like`` names the argument that the dtype is taken from."""
    if type(value) is ndarray and value.dtype is dtype:
        flags = value.flags
        if flags.c_contiguous and flags.aligned:
            return value
    array = plain(name, value)
    if array.dtype.newbyteorder("=") != dtype:
        msg = f"{name} must be {dtype}{like and f' like {like}'}, got {array.dtype}"
        raise TypeError(msg)
    return tidy(array, dtype)


def matching(name: str, value: Any, like: Array, like_name: str) -> Array:
    """Return an array of the dtype and shape of the argument ``like`` as operations want it."""
    if type(value) is ndarray and value.dtype is like.dtype and value.shape == like.shape:
        flags = value.flags
        if flags.c_contiguous and flags.aligned:
            return value
    array = typed(name, value, like.dtype, like_name)
    if array.shape != like.shape:
        wrong_shape(name, array, str(like.shape))
    return array


def integers(name: str, value: Any) -> Integers:
    """Return an int64 array as operations want it, converted from any integer dtype."""
    if type(value) is ndarray and value.dtype is INT64:
        return typed(name, value, INT64)
    array = plain(name, value)
    if array.dtype.kind not in "iu":
        msg = f"{name} must be integers, got {array.dtype}"
        raise TypeError(msg)
    if array.dtype.kind == "u" and array.dtype.itemsize == 8 and array.size and int(array.max()) > sys.maxsize:
        msg = f"{name} must be below 2**63, got {array.max()}"
        raise ValueError(msg)
    return tidy(array, INT64)


def plain(name: str, value: Any) -> Array:
    """Return ``value`` as a base-class array without a copy; refuse what is no array, or has a mask of its own."""
    if type(value) is ndarray:
        return value
    if isinstance(value, ndarray) and not isinstance(value, np.ma.MaskedArray):
        return np.asarray(value)
    msg = f"{name} must be a NumPy array, got {type(value).__name__}"
    raise TypeError(msg)


def native_float(name: str, array: Array) -> Dtype:
    """Return float32 or float64 in the machine's byte order, whichever ``array`` has in any byte order."""
    dtype = array.dtype
    if dtype is FLOAT32 or dtype is FLOAT64:
        return dtype
    dtype = dtype.newbyteorder("=")
    if dtype not in (FLOAT32, FLOAT64):
        msg = f"{name} must be float32 or float64, got {array.dtype}"
        raise TypeError(msg)
    return dtype


def not_empty(name: str, array: Array) -> Array:
    """Refuse an array without elements."""
    if not array.size:
        msg = f"{name} must not be empty, got shape {array.shape}"
        raise ValueError(msg)
    return array


def tidy(array: Array, dtype: Dtype) -> Array:
    """Return ``array`` as an aligned, C-contiguous one of ``dtype``, copied only if it is not."""
    flags = array.flags
    if array.dtype == dtype and flags.c_contiguous and flags.aligned:
        return array
    return np.array(array, dtype=dtype, order="C")


def at_least_1d(name: str, array: Array) -> Array:
    """Refuse an array without dimensions."""
    if not array.ndim:
        msg = f"{name} must have at least 1 dimension, got shape ()"
        raise ValueError(msg)
    return array


def wrong_shape(name: str, array: Array, expected: str) -> NoReturn:
    """Raise the error of a shape that does not fit."""
    msg = f"{name} must have shape {expected}, got {array.shape}"
    raise ValueError(msg)


def out_like(out: Any, names: str, like: Array, *others: Array | None) -> Array:
    """Return ``out`` if it fits the input ``like``, which it may be, or a new array if it is None.

    ``names`` are those of ``like`` and ``others``, with spaces between them: only an error has a use for them.
    """
    if type(out) is not ndarray or out.dtype is not like.dtype or out.shape != like.shape or not out.flags.carray:
        return new_or_given(out, like.shape, like.dtype, True, names, like, *others)
    if out.base is None and like.base is None:  # arrays that own their memory are apart
        for x in others:  # a generator would take half the time of a call on an array of (8, 8)
            if x is not None and (x.base is not None or x is out):
                break
        else:
            return out
    keep_apart(out, True, names, like, *others)
    return out


def new_or_given(
    out: Any, shape: tuple[int, ...], dtype: Dtype, in_place: bool = False, names: str = "", *inputs: Array | None
) -> Array:
    """Return ``out`` if it fits, a new array if it is None; with ``in_place`` it may be exactly the first input."""
    if out is None:
        return empty(shape, dtype)
    if type(out) is not ndarray or out.dtype is not dtype or out.shape != shape or not out.flags.carray:
        written("out", out, dtype, shape)
        out = plain("out", out)
    if out.base is None:
        for x in inputs:
            if x is not None and (x.base is not None or x is out):
                break
        else:
            return out  # type: ignore[no-any-return]
    keep_apart(out, in_place, names, *inputs)
    return out  # type: ignore[no-any-return]


def keep_apart(out: Array, in_place: bool, names: str, *inputs: Array | None) -> None:
    """Refuse an output that shares memory with an input; with ``in_place`` it may be exactly the first."""
    mine = out if out.base is None else owner(out)
    may_be = in_place
    for x in inputs:
        if x is not None and not (may_be and x is out):
            other = x if x.base is None else owner(x)
            if other is mine or other is None or mine is None:
                refuse_overlap({"out": out}, dict(zip(names.split(), inputs, strict=True)), in_place)
                return
        may_be = False


def owner(view: Array) -> Array | None:
    """Return the array whose memory a view is of; None where that cannot be told."""
    base = view.base
    return base if type(base) is ndarray and base.base is None else None


def written(name: str, value: Any, dtype: Dtype, shape: tuple[int, ...]) -> None:
    """Refuse an array that is to be written to unless it fits without a copy."""
    if type(value) is not ndarray or value.dtype is not dtype or value.shape != shape or not value.flags.carray:
        need_out(name, plain(name, value), dtype, shape)


def flat(name: str, value: Any) -> Floats:
    """Return a flat view of an array of floats that is written to."""
    array = plain(name, value)
    written(name, array, native_float(name, array), array.shape)
    return array if array.ndim == 1 else array.ravel()


def rows_of(array: Array) -> Array:
    """Return a contiguous array as a matrix whose rows are those of its last axis."""
    return array if array.ndim == 2 else array.reshape(-1, array.shape[-1])


def samples_of(array: Array) -> Array:
    """Return a contiguous array as a matrix whose rows are those of its first axis."""
    return array if array.ndim == 2 else array.reshape(len(array), -1)


# --- scalars ----------------------------------------------------------------------------------------------------


def number(name: str, value: Any) -> float:
    """Return a real number as a float."""
    if type(value) is float:
        return value
    if isinstance(value, Real):
        return float(value)
    msg = f"{name} must be a number, got {value!r}"
    raise TypeError(msg)


def outside(name: str, interval: str, value: object) -> NoReturn:
    """Raise the error of a number outside an interval."""
    msg = f"{name} must be in {interval}, got {value}"
    raise ValueError(msg)


def fraction(name: str, value: Any) -> float:
    """Return a number in [0, 1)."""
    if type(value) is float and 0.0 <= value < 1.0:
        return value
    result = number(name, value)
    if not 0.0 <= result < 1.0:
        outside(name, "[0, 1)", value)
    return result


def share(name: str, value: Any) -> float:
    """Return a number in [0, 1]."""
    if type(value) is float and 0.0 <= value <= 1.0:
        return value
    result = number(name, value)
    if not 0.0 <= result <= 1.0:
        outside(name, "[0, 1]", value)
    return result


def positive(name: str, value: Any) -> float:
    """Return a finite number above 0."""
    if type(value) is float and 0.0 < value < inf:
        return value
    result = number(name, value)
    if not 0.0 < result < inf:
        outside(name, "(0, inf)", value)
    return result


def not_negative(name: str, value: Any) -> float:
    """Return a finite number, 0 or above."""
    if type(value) is float and 0.0 <= value < inf:
        return value
    result = number(name, value)
    if not 0.0 <= result < inf:
        outside(name, "[0, inf)", value)
    return result


def whole(name: str, value: Any, low: int, bits: int) -> int:
    """Return an integer in [low, 2**bits)."""
    try:
        result = index(value)
    except TypeError:
        msg = f"{name} must be an integer in [{low}, 2**{bits}), got {value!r}"
        raise TypeError(msg) from None
    if not low <= result < 1 << bits:
        msg = f"{name} must be an integer in [{low}, 2**{bits}), got {value}"
        raise ValueError(msg)
    return result


def address(seed: Any, stream: Any, step: Any) -> tuple[int, int, int]:
    """Return seed, stream and step of random numbers."""
    if type(seed) is type(stream) is type(step) is int and not (seed >> 64 or stream >> 32 or step >> 48):
        return seed, stream, step
    return whole("seed", seed, 0, 64), whole("stream", stream, 0, 32), whole("step", step, 0, 48)


def shape_of(value: Any) -> tuple[int, ...]:
    """Return a shape, given as an integer or a sequence of them, that has an array's worth of elements."""
    try:
        shape = tuple(map(index, value)) if hasattr(value, "__iter__") else (index(value),)
    except TypeError:
        msg = f"shape must be an integer or a sequence of integers, got {value!r}"
        raise TypeError(msg) from None
    elements = 1
    for size in shape:
        if size < 0:
            msg = f"shape must not have negative sizes, got {shape}"
            raise ValueError(msg)
        elements *= size or 1
    if elements > sys.maxsize:
        msg = f"shape {shape} has too many elements"
        raise ValueError(msg)
    return shape
