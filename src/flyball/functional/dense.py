"""Dense layers and matrix products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import empty, ndarray

from flyball.backend import get_backend
from flyball.functional._checks import (
    at_least_1d,
    native_float,
    new_or_given,
    not_empty,
    plain,
    positive,
    rows_of,
    tidy,
    typed,
    written,
    wrong_shape,
)
from flyball.functional.activation import alpha_of
from flyball.reference._arrays import FLOAT32, FLOAT64, need_ndim

if TYPE_CHECKING:
    from flyball.backend.types import Floats


class DenseGradients(NamedTuple):
    """What :func:`dense_backward` returns: the gradients with respect to input, weights and bias."""

    dx: Floats | None
    dw: Floats | None
    db: Floats | None


def matmul(
    a: Floats,
    b: Floats,
    *,
    bias: Floats | None = None,
    transpose_a: bool = False,
    transpose_b: bool = False,
    activation: str = "linear",
    alpha: float | None = None,
    out: Floats | None = None,
) -> Floats:
    """Product of two matrices, ``c = activation(op(a) @ op(b) + bias)``, where ``op`` transposes on request.

    Parameters
    ----------
    a, b : arrays of float32 or float64
        ``op(a)`` is (M, K) and ``op(b)`` is (K, N). Any strides are used as they are; arrays that are not aligned, or
        of the other byte order, are copied once.
    bias : array, shape (N,), optional
        Added to each row.
    transpose_a, transpose_b : bool
        Whether ``op(a)`` is ``a.T``, and ``op(b)`` is ``b.T``.
    activation : str
        Applied to each element: a name that :func:`activation_forward` knows.
    alpha : float, optional
        The activation's.
    out : array, shape (M, N), optional
        Receives the result; overlaps no input. It is never copied.

    Returns
    -------
    c : array, shape (M, N)
        ``out`` if that was given. Its bits do not depend on the number of threads.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If an array is empty, a shape does not fit, ``out`` overlaps an input, or the activation is unknown.
    """
    a = matrix("a", a)
    dtype = a.dtype
    b = matrix_like("b", b, dtype, "a")
    if a.ndim != 2 or b.ndim != 2:
        need_ndim("a", a, 2)
        need_ndim("b", b, 2)
    bias = None if bias is None else typed("bias", bias, dtype, "a")
    slope = alpha_of(activation, alpha)
    inner, m = a.shape if transpose_a else a.shape[::-1]
    n, depth = b.shape if transpose_b else b.shape[::-1]
    if depth != inner:
        wrong_shape("b", b, f"(N, {inner})" if transpose_b else f"({inner}, N)")
    c = new_or_given(out, (m, n), dtype, False, "a b bias", a, b, bias)
    get_backend().matmul(c, a, b, bias, bool(transpose_a), bool(transpose_b), activation, slope)
    return c


def matrix(name: str, value: Any) -> Floats:
    """Return a float array that is not empty, as it is unless its elements cannot be read where they are."""
    if type(value) is ndarray:
        dtype = value.dtype
        if (dtype is FLOAT32 or dtype is FLOAT64) and value.flags.aligned and value.size:
            return value
    array = not_empty(name, plain(name, value))
    return readable(array, native_float(name, array))


def matrix_like(name: str, value: Any, dtype: np.dtype[Any], like: str) -> Floats:
    """Return a float array of the dtype that the argument ``like`` has, copied as :func:`matrix` does."""
    if type(value) is ndarray and value.dtype is dtype and value.flags.aligned:
        return value
    array = plain(name, value)
    if array.dtype.newbyteorder("=") != dtype:
        msg = f"{name} must be {dtype} like {like}, got {array.dtype}"
        raise TypeError(msg)
    return readable(array, dtype)


def readable(array: Floats, dtype: np.dtype[Any]) -> Floats:
    """Return ``array``, copied if it is not aligned or of the other byte order."""
    return array if array.dtype == dtype and array.flags.aligned else tidy(array, dtype)


def dense_forward(
    x: Floats,
    w: Floats,
    b: Floats | None = None,
    *,
    activation: str = "linear",
    alpha: float | None = None,
    out: Floats | None = None,
) -> Floats:
    """Dense layer: ``y = activation(x @ w + b)``.

    Parameters
    ----------
    x : array of float32 or float64, shape (..., K)
        Input. ``x`` and ``w`` may have any strides; one that is not aligned or of the other byte order is copied once,
        and so is an ``x`` of more than two axes whose rows are not evenly apart, and a ``b`` that is not contiguous.
    w : array like x, shape (K, C)
        Weights, stored (in, out) as in Keras; PyTorch stores the transpose.
    b : array like x, shape (C,), optional
        Bias.
    activation : str
        Applied to each element: a name that :func:`activation_forward` knows.
    alpha : float, optional
        The activation's.
    out : array like x, shape (..., C), optional
        Receives the result; overlaps no input. It is never copied.

    Returns
    -------
    y : array, shape (..., C)
        ``out`` if that was given.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If an array is empty, a shape does not fit, ``out`` overlaps an input, or the activation is unknown.
    """
    x = at_least_1d("x", matrix("x", x))
    dtype = x.dtype
    w = matrix_like("w", w, dtype, "x")
    b = None if b is None else typed("b", b, dtype, "x")
    slope = alpha_of(activation, alpha)
    units = weight_units(w, x)
    y = new_or_given(out, (*x.shape[:-1], units), dtype, False, "x w b", x, w, b)
    get_backend().dense_forward(rows_of(y), rows_of(x), w, b, None, activation, slope)
    return y


def dense_batch_norm_inference(
    x: Floats,
    w: Floats,
    running_mean: Floats,
    running_var: Floats,
    b: Floats | None = None,
    gamma: Floats | None = None,
    beta: Floats | None = None,
    *,
    epsilon: float = 1e-5,
    activation: str = "linear",
    alpha: float | None = None,
    out: Floats | None = None,
) -> Floats:
    """Dense layer and batch normalisation with running statistics in one pass.

    ``y = activation(gamma * (x @ w + b - running_mean) / sqrt(running_var + epsilon) + beta)``.

    Parameters
    ----------
    x : array of float32 or float64, shape (..., K)
        Input; strides as in :func:`dense_forward`.
    w : array like x, shape (K, C)
        Weights.
    running_mean, running_var : arrays like x, shape (C,)
        Running statistics; a variance is not negative.
    b : array like x, shape (C,), optional
        Bias.
    gamma, beta : arrays like x, shape (C,), optional
        Scale and offset; 1 and 0 where absent.
    epsilon : float above 0
        Added to the variance.
    activation : str
        Applied to each element: a name that :func:`activation_forward` knows.
    alpha : float, optional
        The activation's.
    out : array like x, shape (..., C), optional
        Receives the result; overlaps no input. It is never copied.

    Returns
    -------
    y : array, shape (..., C)
        ``out`` if that was given.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If an array is empty, a shape does not fit, ``out`` overlaps an input, or an argument is outside what is said
        above.
    """
    x = at_least_1d("x", matrix("x", x))
    dtype = x.dtype
    w = matrix_like("w", w, dtype, "x")
    units = weight_units(w, x)
    b = None if b is None else typed("b", b, dtype, "x")
    gamma = None if gamma is None else typed("gamma", gamma, dtype, "x")
    beta = None if beta is None else typed("beta", beta, dtype, "x")
    mean = typed("running_mean", running_mean, dtype, "x")
    var = typed("running_var", running_var, dtype, "x")
    slope = alpha_of(activation, alpha)
    epsilon = positive("epsilon", epsilon)
    inputs = (x, w, b, gamma, beta, mean, var)
    y = new_or_given(out, (*x.shape[:-1], units), dtype, False, "x w b gamma beta running_mean running_var", *inputs)
    get_backend().dense_batch_norm_inference(
        rows_of(y), rows_of(x), w, b, gamma, beta, mean, var, epsilon, activation, slope
    )
    return y


def dense_backward(
    dy: Floats,
    x: Floats,
    w: Floats,
    *,
    need_dx: bool = True,
    need_dw: bool = True,
    need_db: bool = True,
    gated: bool = False,
    out: tuple[Floats | None, Floats | None, Floats | None] | None = None,
) -> DenseGradients:
    """Gradients of a linear dense layer: ``dx = dy @ w.T``, ``dw = x.T @ dy``, ``db = sum(dy)`` over the rows.

    With an activation, ``dy`` is the gradient with respect to its input: see :func:`activation_backward`.

    Parameters
    ----------
    dy : array of float32 or float64, shape (..., C)
        Gradient with respect to ``x @ w + b``. ``dy``, ``x`` and ``w`` may have any strides; one that is not aligned or
        of the other byte order is copied once, and so is one of more than two axes whose rows are not evenly apart.
    x : array like dy, shape (..., K)
        Input of the forward pass.
    w : array like dy, shape (K, C)
        Weights.
    need_dx, need_dw, need_db : bool
        Which gradients to compute; the others are None.
    gated : bool
        Whether ``dx`` is 0 where ``x`` is, ``dx = (dy @ w.T) * (x != 0)``: what the ReLU that ``x`` comes from, or
        dropout after a ReLU, makes of the gradient next, and quicker here where most of ``x`` is 0.
    out : tuple (dx, dw, db), optional
        Arrays that receive the results; a new one is made for a None. They are never copied, and overlap no input.

    Returns
    -------
    DenseGradients
        Named tuple of ``dx`` (..., K), ``dw`` (K, C) and ``db`` (C,).

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If an array is empty, a shape does not fit, or an output overlaps another array.
    """
    dy = at_least_1d("dy", matrix("dy", dy))
    dtype = dy.dtype
    x = at_least_1d("x", matrix_like("x", x, dtype, "dy"))
    w = matrix_like("w", w, dtype, "dy")
    units = weight_units(w, x)
    if dy.shape[:-1] != x.shape[:-1] or dy.shape[-1] != units:
        wrong_shape("dy", dy, str((*x.shape[:-1], units)))
    dx, dw, db = (None, None, None) if out is None else out
    dx = gradient("dx", dx, x.shape, dtype) if need_dx else None
    dw = gradient("dw", dw, w.shape, dtype) if need_dw else None
    db = gradient("db", db, (units,), dtype) if need_db else None
    get_backend().dense_backward(None if dx is None else rows_of(dx), dw, db, rows_of(dy), rows_of(x), w, bool(gated))
    return DenseGradients(dx, dw, db)


def weight_units(w: Floats, x: Floats) -> int:
    """Return the number of units of weights that fit the input ``x``."""
    shape: tuple[int, ...] = w.shape
    if len(shape) != 2 or shape[0] != x.shape[-1] or not shape[1]:
        wrong_shape("w", w, f"({x.shape[-1]}, units)")
    return shape[1]


def gradient(name: str, out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Floats:
    """Return ``out`` if it fits, a new array if it is None."""
    if out is None:
        return empty(shape, dtype)
    written(name, out, dtype, shape)
    result: Floats = out
    return result
