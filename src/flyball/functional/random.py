"""Random numbers of distributions, integers and permutations: functions of (seed, stream, step, element) only."""

from __future__ import annotations

from math import inf
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.backend import get_backend
from flyball.functional._checks import (
    address,
    native_float,
    new_or_given,
    not_negative,
    number,
    outside,
    plain,
    shape_of,
)
from flyball.reference._arrays import FLOAT32, FLOAT64, INT64

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike

    from flyball.backend.types import Floats, Integers


def random_uniform(
    shape: int | Sequence[int],
    low: float = 0.0,
    high: float = 1.0,
    *,
    seed: int,
    step: int = 0,
    stream: int = 0,
    dtype: DTypeLike = np.float32,
    out: Floats | None = None,
) -> Floats:
    """Uniform random numbers in [low, high): ``low + (high - low) * u``, ``u`` a multiple of 2**-24 or 2**-52.

    The bits are a function of seed, stream, step and the element's index only: neither the number of threads nor the
    instruction set nor the backend changes them. Two functions of this family with one address use the same bits, so
    let each place that draws have its own stream.

    Parameters
    ----------
    shape : int or sequence of ints
        Shape of the result.
    low, high : float
        Bounds; ``low`` is at most ``high``.
    seed : int in [0, 2**64)
        Names a sequence of random numbers.
    step : int in [0, 2**48)
        Names a draw, such as a training step.
    stream : int in [0, 2**32)
        Names a place that draws, such as a layer.
    dtype : float32 or float64
        Dtype of the result, unless ``out`` has one.
    out : array of float32 or float64 of that shape, optional
        Receives the result. It is never copied.

    Returns
    -------
    array
        ``out`` if that was given.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If an argument is outside what is said above.

    References
    ----------
    Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011 (Philox4x32-10).
    """
    low, high = finite("low", low), finite("high", high)
    if high < low:
        outside("high", f"[{low}, inf)", high)
    result = destination(shape, dtype, out)
    get_backend().random_uniform(result, low, high, *address(seed, stream, step))
    return result


def random_normal(
    shape: int | Sequence[int],
    mean: float = 0.0,
    std: float = 1.0,
    *,
    seed: int,
    step: int = 0,
    stream: int = 0,
    dtype: DTypeLike = np.float32,
    out: Floats | None = None,
) -> Floats:
    """Normal random numbers ``mean + std * n``, with ``n`` by the method of Box and Muller.

    ``|n|`` is at most 6.7 in float32 and 8.5 in float64. The random bits are the same on both backends and at every
    level; ``n`` agrees to 1e-6 in float32 and to 2e-15 in float64, times its size.

    Parameters
    ----------
    shape : int or sequence of ints
        Shape of the result.
    mean : float
        Mean.
    std : float, at least 0
        Standard deviation.
    seed, step, stream, dtype, out
        As in :func:`random_uniform`.

    Returns
    -------
    array
        ``out`` if that was given.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If an argument is outside what is said above.

    References
    ----------
    Box and Muller, "A note on the generation of random normal deviates", 1958.
    """
    mean, std = finite("mean", mean), not_negative("std", std)
    result = destination(shape, dtype, out)
    get_backend().random_normal(result, mean, std, *address(seed, stream, step))
    return result


def random_truncated_normal(
    shape: int | Sequence[int],
    mean: float = 0.0,
    std: float = 1.0,
    bound: float = 2.0,
    *,
    seed: int,
    step: int = 0,
    stream: int = 0,
    dtype: DTypeLike = np.float32,
    out: Floats | None = None,
) -> Floats:
    """Normal random numbers under the condition that they are within ``bound`` standard deviations of the mean.

    By inversion, ``mean + std * quantile(1/2 + t * erf(bound / sqrt(2)))`` with ``t`` uniform in [-1/2, 1/2]: one
    word an element, and nothing is drawn again. ``std`` is that of the distribution before it is cut.

    Parameters
    ----------
    shape : int or sequence of ints
        Shape of the result.
    mean : float
        Mean.
    std : float, at least 0
        Standard deviation before the cut.
    bound : float in (0, 6]
        Where the distribution is cut, in standard deviations; 2 in Keras.
    seed, step, stream, dtype, out
        As in :func:`random_uniform`.

    Returns
    -------
    array
        ``out`` if that was given.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If an argument is outside what is said above.

    References
    ----------
    Wichura, "Algorithm AS 241: The percentage points of the normal distribution", 1988.
    """
    mean, std = finite("mean", mean), not_negative("std", std)
    bound = number("bound", bound)
    if not 0.0 < bound <= 6.0:
        outside("bound", "(0, 6]", bound)
    result = destination(shape, dtype, out)
    get_backend().random_truncated_normal(result, mean, std, bound, *address(seed, stream, step))
    return result


def random_integers(
    shape: int | Sequence[int],
    low: int,
    high: int,
    *,
    seed: int,
    step: int = 0,
    stream: int = 0,
    out: Integers | None = None,
) -> Integers:
    """Random integers in [low, high), such as the rows of a bootstrap sample.

    ``low + floor(word * (high - low) / 2**64)`` of 64 bits an element: the probability of a value is off by less than
    2**-64.

    Parameters
    ----------
    shape : int or sequence of ints
        Shape of the result.
    low, high : int in [-2**63, 2**63)
        Bounds; ``low`` is less than ``high``.
    seed, step, stream
        As in :func:`random_uniform`.
    out : array of int64 of that shape, optional
        Receives the result. It is never copied.

    Returns
    -------
    array of int64
        ``out`` if that was given.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If an argument is outside what is said above.

    References
    ----------
    Lemire, "Fast random integer generation in an interval", 2019.
    """
    low, high = int64("low", low), int64("high", high)
    if high <= low:
        msg = f"high must be above low = {low}, got {high}"
        raise ValueError(msg)
    result: Integers = new_or_given(out, shape_of(shape), INT64)
    get_backend().random_integers(result, low, high, *address(seed, stream, step))
    return result


def random_permutation(
    size: int, *, seed: int, step: int = 0, stream: int = 0, out: Integers | None = None
) -> Integers:
    """Return 0 to ``size - 1`` in random order, each order with the same probability (to ``size / 2**64``).

    Parameters
    ----------
    size : int, at least 0
        Number of elements.
    seed, step, stream
        As in :func:`random_uniform`.
    out : array of int64, shape (size,), optional
        Receives the result. It is never copied.

    Returns
    -------
    array of int64
        ``out`` if that was given.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If an argument is outside what is said above.

    References
    ----------
    Durstenfeld, "Algorithm 235: Random permutation", 1964 (the shuffle of Fisher and Yates).
    """
    result: Integers = new_or_given(out, shape_of(size), INT64)
    get_backend().random_permutation(result, *address(seed, stream, step))
    return result


def destination(shape: int | Sequence[int], dtype: DTypeLike, out: Any) -> Floats:
    """Return ``out`` if it fits, a new array of floats if it is None."""
    extents = shape_of(shape)
    if out is not None:
        return new_or_given(out, extents, native_float("out", plain("out", out)))
    chosen = np.dtype(dtype)
    if chosen not in (FLOAT32, FLOAT64):
        msg = f"dtype must be float32 or float64, got {chosen}"
        raise TypeError(msg)
    return np.empty(extents, chosen)


def finite(name: str, value: Any) -> float:
    """Return a finite number."""
    if type(value) is float and -inf < value < inf:
        return value
    result = number(name, value)
    if not -inf < result < inf:
        outside(name, "(-inf, inf)", value)
    return result


def int64(name: str, value: Any) -> int:
    """Return an integer in [-2**63, 2**63)."""
    try:
        result = index(value)
    except TypeError:
        msg = f"{name} must be an integer in [-2**63, 2**63), got {value!r}"
        raise TypeError(msg) from None
    if not -(1 << 63) <= result < 1 << 63:
        outside(name, "[-2**63, 2**63)", value)
    return result
