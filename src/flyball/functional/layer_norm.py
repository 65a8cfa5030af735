"""Layer and root-mean-square normalisation."""

from __future__ import annotations

from math import prod
from operator import index
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from flyball.backend import get_backend
from flyball.functional._checks import (
    doubles,
    floats,
    floats_like,
    new_or_given,
    optional_like,
    positive,
    same_shape,
    wrong_shape,
)

if TYPE_CHECKING:
    from flyball.backend.types import Doubles, Floats


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
    rows = Rows(x, axis)
    gamma, beta = rows.parameter("gamma", gamma), rows.parameter("beta", beta)
    epsilon = positive("epsilon", epsilon)
    y = new_or_given(out, x.shape, x.dtype, in_place=True, x=x, gamma=gamma, beta=beta)
    mean, rstd = np.empty(rows.shape[0]), np.empty(rows.shape[0])
    get_backend().layer_norm_forward(
        y.reshape(rows.shape), mean, rstd, x.reshape(rows.shape), flat(gamma), flat(beta), epsilon
    )
    return LayerNorm(y, mean.reshape(rows.outer), rstd.reshape(rows.outer))


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
    rows = Rows(x, axis)
    dy = floats_like("dy", dy, x.dtype, "x")
    same_shape("dy", dy, x)
    gamma, beta = rows.parameter("gamma", gamma), rows.parameter("beta", beta)
    mean, rstd = rows.statistic("mean", mean), rows.statistic("rstd", rstd)
    dx = new_or_given(out, x.shape, x.dtype, in_place=True, dy=dy, x=x, gamma=gamma) if need_dx else None
    dgamma, dbeta = empty_like(gamma), empty_like(beta)
    get_backend().layer_norm_backward(
        None if dx is None else dx.reshape(rows.shape),
        flat(dgamma),
        flat(dbeta),
        dy.reshape(rows.shape),
        x.reshape(rows.shape),
        flat(gamma),
        mean,
        rstd,
    )
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
    rows = Rows(x, axis)
    gamma = rows.parameter("gamma", gamma)
    epsilon = positive("epsilon", epsilon)
    y = new_or_given(out, x.shape, x.dtype, in_place=True, x=x, gamma=gamma)
    rstd = np.empty(rows.shape[0])
    get_backend().rms_norm_forward(y.reshape(rows.shape), rstd, x.reshape(rows.shape), flat(gamma), epsilon)
    return RmsNorm(y, rstd.reshape(rows.outer))


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
    rows = Rows(x, axis)
    dy = floats_like("dy", dy, x.dtype, "x")
    same_shape("dy", dy, x)
    gamma = rows.parameter("gamma", gamma)
    rstd = rows.statistic("rstd", rstd)
    dx = new_or_given(out, x.shape, x.dtype, in_place=True, dy=dy, x=x, gamma=gamma) if need_dx else None
    dgamma = empty_like(gamma)
    get_backend().rms_norm_backward(
        None if dx is None else dx.reshape(rows.shape),
        flat(dgamma),
        dy.reshape(rows.shape),
        x.reshape(rows.shape),
        flat(gamma),
        rstd,
    )
    return RmsNormGradients(dx, dgamma)


# --- arguments --------------------------------------------------------------------------------------------------


class Rows:
    """An array as rows of the axes from ``axis`` on."""

    __slots__ = ("dtype", "inner", "outer", "shape")

    def __init__(self, x: Floats, axis: Any) -> None:
        try:
            position = index(axis)
        except TypeError:
            msg = f"axis must be an integer, got {axis!r}"
            raise TypeError(msg) from None
        if not -x.ndim < position < x.ndim or position == 0:
            msg = f"axis must be in [1, {x.ndim}) or [{1 - x.ndim}, 0), got {axis}"
            raise ValueError(msg)
        self.dtype = x.dtype
        self.outer, self.inner = x.shape[:position], x.shape[position:]
        self.shape = (prod(self.outer), prod(self.inner))

    def parameter(self, name: str, value: Floats | None) -> Floats | None:
        """Return gamma or beta, which have the shape of what is normalised together."""
        array = optional_like(name, value, self.dtype, "x")
        if array is not None and array.shape != self.inner:
            wrong_shape(name, array, str(self.inner))
        return array

    def statistic(self, name: str, value: Doubles) -> Doubles:
        """Return mean or rstd as one value a row."""
        array = doubles(name, value)
        if array.shape != self.outer:
            wrong_shape(name, array, str(self.outer))
        return array.reshape(-1)


def flat(array: Any) -> Any:
    """Return all elements in one dimension, None for None."""
    return None if array is None else array.reshape(-1)


def empty_like(array: Any) -> Any:
    """Return a new array of the same shape, None for None."""
    return None if array is None else np.empty_like(array)
