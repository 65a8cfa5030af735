"""Dense layers and matrix products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from flyball.backend import get_backend
from flyball.functional._checks import (
    at_least_1d,
    floats_like,
    native_float,
    new_or_given,
    not_empty,
    optional_like,
    plain,
    positive,
    tidy,
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
    for name, operand in (("a", a), ("b", b)):
        if operand.ndim != 2:
            need_ndim(name, operand, 2)
    bias = optional_like("bias", bias, dtype, "a")
    slope = alpha_of(activation, alpha)
    inner = a.shape[0 if transpose_a else 1]
    if b.shape[1 if transpose_b else 0] != inner:
        wrong_shape("b", b, f"(N, {inner})" if transpose_b else f"({inner}, N)")
    shape = (a.shape[1 if transpose_a else 0], b.shape[0 if transpose_b else 1])
    c = new_or_given(out, shape, dtype, a=a, b=b, bias=bias)
    get_backend().matmul(c, a, b, bias, bool(transpose_a), bool(transpose_b), activation, slope)
    return c


def matrix(name: str, value: Any) -> Floats:
    """Return a float array that is not empty, as it is unless its elements cannot be read where they are."""
    if type(value) is np.ndarray:
        dtype = value.dtype
        if (dtype is FLOAT32 or dtype is FLOAT64) and value.flags.aligned and value.size:
            return value
    array = not_empty(name, plain(name, value))
    return readable(array, native_float(name, array))


def matrix_like(name: str, value: Any, dtype: np.dtype[Any], like: str) -> Floats:
    """Return a float array of the dtype that the argument ``like`` has, copied as :func:`matrix` does."""
    if type(value) is np.ndarray and value.dtype is dtype and value.flags.aligned:
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
    b = optional_like("b", b, dtype, "x")
    slope = alpha_of(activation, alpha)
    units = weight_units(w, x)
    y = new_or_given(out, (*x.shape[:-1], units), dtype, x=x, w=w, b=b)
    if x.ndim == 2:
        get_backend().dense_forward(y, x, w, b, activation, slope)
    else:
        get_backend().dense_forward(y.reshape(-1, units), x.reshape(-1, x.shape[-1]), w, b, activation, slope)
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
    columns: dict[str, Any] = {"b": b, "gamma": gamma, "beta": beta}
    columns = {name: optional_like(name, value, dtype, "x") for name, value in columns.items()}
    statistics = {"running_mean": running_mean, "running_var": running_var}
    columns |= {name: floats_like(name, value, dtype, "x") for name, value in statistics.items()}
    slope = alpha_of(activation, alpha)
    epsilon = positive("epsilon", epsilon)
    y = new_or_given(out, (*x.shape[:-1], units), dtype, x=x, w=w, **columns)
    rows, flat = y.reshape(-1, units), x if x.ndim == 2 else x.reshape(-1, x.shape[-1])
    get_backend().dense_batch_norm_inference(
        rows, flat, w, **columns, epsilon=epsilon, activation=activation, alpha=slope
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
    if need_dx:
        dx = gradient("dx", dx, x.shape, dtype)
    if need_dw:
        dw = gradient("dw", dw, w.shape, dtype)
    if need_db:
        db = gradient("db", db, (units,), dtype)
    rows = (-1, x.shape[-1])
    get_backend().dense_backward(
        dx.reshape(rows) if need_dx and dx is not None else None,
        dw if need_dw else None,
        db if need_db else None,
        dy.reshape(-1, units),
        x.reshape(rows),
        w,
    )
    return DenseGradients(dx if need_dx else None, dw if need_dw else None, db if need_db else None)


def weight_units(w: Floats, x: Floats) -> int:
    """Return the number of units of weights that fit the input ``x``."""
    if w.ndim != 2 or w.shape[0] != x.shape[-1] or not w.size:
        wrong_shape("w", w, f"({x.shape[-1]}, units)")
    return int(w.shape[1])


def gradient(name: str, out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Floats:
    """Return ``out`` if it fits, a new array if it is None."""
    if out is None:
        return new_or_given(None, shape, dtype)
    written(name, out, dtype, shape)
    result: Floats = out
    return result
