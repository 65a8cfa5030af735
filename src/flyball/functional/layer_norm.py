"""Layer and root-mean-square normalisation."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from operator import index
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVarTuple

import numpy as np
from numpy import empty

from flyball.backend import get_backend
from flyball.functional._checks import (
    floats,
    matching,
    out_like,
    positive,
    typed,
    wrong_shape,
)
from flyball.reference._arrays import FLOAT64

if TYPE_CHECKING:
    from flyball.backend.types import Doubles, Floats


Arrays = TypeVarTuple("Arrays")


class LayerNorm(NamedTuple):
    """What :func:`layer_norm_forward` returns; the backward pass takes ``mean`` and ``rstd``."""

    y: Floats
    mean: Doubles
    rstd: Doubles


class RmsNorm(NamedTuple):
    """What :func:`rms_norm_forward` returns; the backward pass takes ``rstd``."""

    y: Floats
    rstd: Doubles


class LayerNormGradients(NamedTuple):
    """What :func:`layer_norm_backward` returns: the gradients with respect to input, scale and offset."""

    dx: Floats | None
    dgamma: Floats | None
    dbeta: Floats | None


class RmsNormGradients(NamedTuple):
    """Gradients with respect to input and scale."""

    dx: Floats | None
    dgamma: Floats | None


def layer_norm_forward(
    x: Floats,
    gamma: Floats | None = None,
    beta: Floats | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    out: Floats | None = None,
) -> LayerNorm:
    """Layer normalisation: ``y = gamma * (x - mean) * rstd + beta``, with statistics of each sample of its own.

    ``mean`` and ``var`` are over the axes from ``axis`` on, ``rstd = 1 / sqrt(var + epsilon)``. Numerics are those of
    :func:`batch_norm_forward`.

    Parameters
    ----------
    x : array of float32 or float64
        Input, with at least one axis before ``axis``. Copied once if its layout asks for it, as are gamma and beta.
    gamma, beta : arrays like x, shape ``x.shape[axis:]``, optional
        Scale and offset; 1 and 0 where absent.
    axis : int
        First of the axes that are normalised together, as in ONNX: -1 the last alone; 1 all but the batch.
    epsilon : float above 0
        Added to the variance (PyTorch and ONNX 1e-5, Keras 1e-3).
    out : array like x, optional
        Receives ``y``; may be ``x``. It is never copied.

    Returns
    -------
    LayerNorm
        Named tuple of ``y``, like ``x``, and ``mean`` and ``rstd``, float64 of shape ``x.shape[:axis]``.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If ``x`` is empty, a shape does not fit, or an argument is outside what is said above.

    References
    ----------
    Ba, Kiros and Hinton, "Layer normalization", 2016.
    """
    x = floats("x", x)
    rows = rows_from(x, axis)
    gamma = None if gamma is None else rows.parameter("gamma", gamma, x.dtype)
    beta = None if beta is None else rows.parameter("beta", beta, x.dtype)
    epsilon = positive("epsilon", epsilon)
    y = out_like(out, "x gamma beta", x, gamma, beta)
    mean, rstd = empty(rows.outer), empty(rows.outer)
    get_backend().layer_norm_forward(*rows.of(y, mean, rstd, x, gamma, beta), epsilon)
    return LayerNorm(y, mean, rstd)


def layer_norm_backward(
    dy: Floats,
    x: Floats,
    mean: Doubles,
    rstd: Doubles,
    gamma: Floats | None = None,
    beta: Floats | None = None,
    *,
    axis: int = -1,
    need_dx: bool = True,
    out: Floats | None = None,
) -> LayerNormGradients:
    """Gradients of :func:`layer_norm_forward`, given what it was given and what it returned.

    With ``xhat = (x - mean) * rstd`` and ``g = gamma * dy``: ``dgamma = sum(dy * xhat)``, ``dbeta = sum(dy)`` over the
    samples, ``dx = rstd * (g - mean(g) - xhat * mean(g * xhat))`` with means over a sample.

    Parameters
    ----------
    dy : array of float32 or float64, shape of x
        Gradient with respect to ``y``. Inputs are copied once if their layout asks for it.
    x : array like dy
        Input of the forward pass.
    mean, rstd : arrays of float64
        As the forward pass returned them.
    gamma, beta : arrays like dy, optional
        Scale and offset of the forward pass.
    axis : int
        That of the forward pass.
    need_dx : bool
        Whether to compute ``dx``; it is None otherwise.
    out : array like dy, optional
        Receives ``dx``; may be ``dy``. It is never copied.

    Returns
    -------
    LayerNormGradients
        Named tuple of ``dx``, like ``x``, ``dgamma`` and ``dbeta``; the latter two are None where ``gamma`` or ``beta``
        is.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If an array is empty, a shape does not fit, or an argument is outside what is said above.
    """
    x = floats("x", x)
    rows = rows_from(x, axis)
    dy = matching("dy", dy, x, "x")
    gamma = None if gamma is None else rows.parameter("gamma", gamma, x.dtype)
    beta = None if beta is None else rows.parameter("beta", beta, x.dtype)
    mean, rstd = rows.statistic("mean", mean), rows.statistic("rstd", rstd)
    dx = out_like(out, "dy x gamma", dy, x, gamma) if need_dx else None
    dgamma = None if gamma is None else empty(rows.inner, x.dtype)
    dbeta = None if beta is None else empty(rows.inner, x.dtype)
    get_backend().layer_norm_backward(*rows.of(dx, dgamma, dbeta, dy, x, gamma, mean, rstd))
    return LayerNormGradients(dx, dgamma, dbeta)


def rms_norm_forward(
    x: Floats,
    gamma: Floats | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    out: Floats | None = None,
) -> RmsNorm:
    """Root-mean-square normalisation: ``y = gamma * x * rstd``, ``rstd = 1 / sqrt(mean(x**2) + epsilon)``.

    The mean is over the axes from ``axis`` on, as in :func:`layer_norm_forward`.

    Parameters
    ----------
    x : array of float32 or float64
        Input, with at least one axis before ``axis``. Copied once if its layout asks for it, as is gamma.
    gamma : array like x, shape ``x.shape[axis:]``, optional
        Scale; 1 where absent.
    axis : int
        First of the axes that are normalised together.
    epsilon : float above 0
        Added to the mean square.
    out : array like x, optional
        Receives ``y``; may be ``x``. It is never copied.

    Returns
    -------
    RmsNorm
        Named tuple of ``y``, like ``x``, and ``rstd``, float64 of shape ``x.shape[:axis]``.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If ``x`` is empty, a shape does not fit, or an argument is outside what is said above.

    References
    ----------
    Zhang and Sennrich, "Root mean square layer normalization", 2019.
    """
    x = floats("x", x)
    rows = rows_from(x, axis)
    gamma = None if gamma is None else rows.parameter("gamma", gamma, x.dtype)
    epsilon = positive("epsilon", epsilon)
    y = out_like(out, "x gamma", x, gamma)
    rstd = empty(rows.outer)
    get_backend().rms_norm_forward(*rows.of(y, rstd, x, gamma), epsilon)
    return RmsNorm(y, rstd)


def rms_norm_backward(
    dy: Floats,
    x: Floats,
    rstd: Doubles,
    gamma: Floats | None = None,
    *,
    axis: int = -1,
    need_dx: bool = True,
    out: Floats | None = None,
) -> RmsNormGradients:
    """Gradients of :func:`rms_norm_forward`, given what it was given and what it returned.

    With ``xhat = x * rstd`` and ``g = gamma * dy``: ``dgamma = sum(dy * xhat)`` over the samples,
    ``dx = rstd * (g - xhat * mean(g * xhat))`` with the mean over a sample.

    Parameters
    ----------
    dy : array of float32 or float64, shape of x
        Gradient with respect to ``y``. Inputs are copied once if their layout asks for it.
    x : array like dy
        Input of the forward pass.
    rstd : array of float64
        As the forward pass returned it.
    gamma : array like dy, optional
        Scale of the forward pass.
    axis : int
        That of the forward pass.
    need_dx : bool
        Whether to compute ``dx``; it is None otherwise.
    out : array like dy, optional
        Receives ``dx``; may be ``dy``. It is never copied.

    Returns
    -------
    RmsNormGradients
        Named tuple of ``dx``, like ``x``, and ``dgamma``, None where ``gamma`` is.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If an array is empty, a shape does not fit, or an argument is outside what is said above.
    """
    x = floats("x", x)
    rows = rows_from(x, axis)
    dy = matching("dy", dy, x, "x")
    gamma = None if gamma is None else rows.parameter("gamma", gamma, x.dtype)
    rstd = rows.statistic("rstd", rstd)
    dx = out_like(out, "dy x gamma", dy, x, gamma) if need_dx else None
    dgamma = None if gamma is None else empty(rows.inner, x.dtype)
    get_backend().rms_norm_backward(*rows.of(dx, dgamma, dy, x, gamma, rstd))
    return RmsNormGradients(dx, dgamma)


# --- arguments --------------------------------------------------------------------------------------------------


class Rows:
    """Arrays of one shape as rows of the axes from ``axis`` on."""

    __slots__ = ("inner", "ndim", "outer", "shape")

    def __init__(self, shape: tuple[int, ...], axis: Any) -> None:
        try:
            position = index(axis)
        except TypeError:
            msg = f"axis must be an integer, got {axis!r}"
            raise TypeError(msg) from None
        self.ndim = ndim = len(shape)
        if not -ndim < position < ndim or position == 0:
            msg = f"axis must be in [1, {ndim}) or [{1 - ndim}, 0), got {axis}"
            raise ValueError(msg)
        self.outer, self.inner = shape[:position], shape[position:]
        self.shape = (prod(self.outer), prod(self.inner))

    def of(self, *arrays: *Arrays) -> tuple[*Arrays]:
        """Return contiguous arrays of the shape as matrices of its rows, others as vectors, None as it is."""
        if self.ndim == 2:
            return arrays
        each: tuple[Any, ...] = arrays
        return tuple(  # type: ignore[return-value]
            None if array is None else array.reshape(self.shape) if array.ndim == self.ndim else array.ravel()
            for array in each
        )

    def parameter(self, name: str, value: Floats, dtype: np.dtype[Any]) -> Floats:
        """Return gamma or beta, which have the shape of what is normalised together."""
        array = typed(name, value, dtype, "x")
        if array.shape != self.inner:
            wrong_shape(name, array, str(self.inner))
        return array

    def statistic(self, name: str, value: Doubles) -> Doubles:
        """Return mean or rstd, which have one value a row."""
        array = typed(name, value, FLOAT64)
        if array.shape != self.outer:
            wrong_shape(name, array, str(self.outer))
        return array


_rows = lru_cache(maxsize=1024)(Rows)


def rows_from(x: Floats, axis: Any) -> Rows:
    """Return where the rows of ``x`` are; the same for arrays of the same shape."""
    return _rows(x.shape, axis) if type(axis) is int else Rows(x.shape, axis)
