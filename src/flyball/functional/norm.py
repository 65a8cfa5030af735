"""Batch normalisation, with activation and dropout in the same pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from flyball.backend import get_backend
from flyball.functional._checks import (
    bools,
    doubles,
    floats,
    floats_like,
    fraction,
    new_or_given,
    optional_like,
    positive,
    share,
    written,
)
from flyball.reference._arrays import FLOAT64, need_ndim, need_rectifier

if TYPE_CHECKING:
    from flyball.backend.types import Bools, Doubles, Floats


class BatchNorm(NamedTuple):
    """What :func:`batch_norm_forward` returns; the backward pass takes ``mean`` and ``rstd``."""

    y: Floats
    mean: Doubles
    rstd: Doubles


class BatchNormGradients(NamedTuple):
    """What :func:`batch_norm_backward` returns: the gradients with respect to input, scale and offset."""

    dx: Floats | None
    dgamma: Floats | None
    dbeta: Floats | None


def batch_norm_forward(
    x: Floats,
    gamma: Floats | None = None,
    beta: Floats | None = None,
    *,
    running_mean: Floats | None = None,
    running_var: Floats | None = None,
    momentum: float = 0.9,
    epsilon: float = 1e-5,
    unbiased: bool = False,
    activation: str = "linear",
    mask: Bools | None = None,
    rate: float = 0.0,
    out: Floats | None = None,
) -> BatchNorm:
    """Batch normalisation in training: ``y = activation(gamma * (x - mean) * rstd + beta) * mask / keep``.

    ``mean`` and ``var`` are those of the columns of ``x``, ``rstd = 1 / sqrt(var + epsilon)``; without ``mask`` the
    last factor is absent.

    Parameters
    ----------
    x : array of float32 or float64, shape (N, C), N at least 2
        Input. Copied once if its layout asks for it, as are ``gamma``, ``beta`` and ``mask``.
    gamma, beta : arrays like x, shape (C,), optional
        Scale and offset; 1 and 0 where absent.
    running_mean, running_var : arrays like x, shape (C,), optional
        Running statistics, updated in place: ``running = momentum * running + (1 - momentum) * batch``. They are
        never copied.
    momentum : float in [0, 1]
        Share of the *old* running value that is kept, as in Keras and ONNX. PyTorch's ``momentum`` is one minus this.
    epsilon : float above 0
        Added to the variance.
    unbiased : bool
        Whether the running variance takes ``N / (N - 1)`` of the batch's, as in PyTorch; Keras does not.
    activation : {"linear", "relu"}
        Applied after the normalisation.
    mask : array of bool, shape (N, C), optional
        Dropout's mask: True where an element is kept. See :func:`dropout_mask`.
    rate : float in [0, 1)
        Dropout's rate, from which ``keep`` comes; above 0 only with a mask.
    out : array like x, optional
        Receives ``y``; may be ``x``. It is never copied.

    Returns
    -------
    BatchNorm
        Named tuple of ``y`` (N, C), and ``mean`` and ``rstd`` (C,), which are float64.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If ``x`` is empty or has one row, or another argument is outside what is said above.

    References
    ----------
    Ioffe and Szegedy, "Batch normalization", 2015.
    """
    x = floats("x", x)
    dtype = x.dtype
    need_ndim("x", x, 2)
    gamma = optional_like("gamma", gamma, dtype, "x")
    beta = optional_like("beta", beta, dtype, "x")
    mask = bools("mask", mask)
    need_rectifier(activation)
    momentum = share("momentum", momentum)
    epsilon = positive("epsilon", epsilon)
    rate = dropout_rate(rate, mask)
    rows, channels = x.shape
    if rows < 2:
        msg = f"x must have at least 2 rows for batch statistics, got {rows}"
        raise ValueError(msg)
    written("running_mean", running_mean, dtype, (channels,))
    written("running_var", running_var, dtype, (channels,))
    y = new_or_given(out, x.shape, dtype, in_place=True, x=x, gamma=gamma, beta=beta, mask=mask)
    mean = np.empty(channels, FLOAT64)
    rstd = np.empty(channels, FLOAT64)
    get_backend().batch_norm_forward(
        y,
        mean,
        rstd,
        running_mean,
        running_var,
        x,
        gamma,
        beta,
        mask,
        momentum,
        epsilon,
        bool(unbiased),
        activation,
        rate,
    )
    return BatchNorm(y, mean, rstd)


def batch_norm_backward(
    dy: Floats,
    x: Floats,
    mean: Doubles,
    rstd: Doubles,
    gamma: Floats | None = None,
    beta: Floats | None = None,
    *,
    y: Floats | None = None,
    activation: str = "linear",
    mask: Bools | None = None,
    rate: float = 0.0,
    need_dx: bool = True,
    out: Floats | None = None,
) -> BatchNormGradients:
    """Gradients of :func:`batch_norm_forward`, given what it was given and what it returned.

    With ``xhat = (x - mean) * rstd`` and ``dz = dy * mask / keep * activation'(z)``: ``dgamma = sum(dz * xhat)``,
    ``dbeta = sum(dz)``, ``dx = gamma * rstd * (dz - dbeta / N - xhat * dgamma / N)``.

    Parameters
    ----------
    dy : array of float32 or float64, shape (N, C)
        Gradient with respect to ``y``. Inputs are copied once if their layout asks for it.
    x : array like dy
        Input of the forward pass.
    mean, rstd : arrays of float64, shape (C,)
        As the forward pass returned them.
    gamma, beta : arrays like dy, shape (C,), optional
        Scale and offset of the forward pass.
    y : array like dy, optional
        Output of the forward pass; needed if ``activation`` is relu, where it says which units were active and kept.
    activation, mask, rate
        Those of the forward pass.
    need_dx : bool
        Whether to compute ``dx``; it is None otherwise.
    out : array like dy, optional
        Receives ``dx``; may be ``dy``. It is never copied.

    Returns
    -------
    BatchNormGradients
        Named tuple of ``dx`` (N, C), ``dgamma`` and ``dbeta`` (C,); the latter two are None where ``gamma`` or ``beta``
        is.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If an array is empty, a shape does not fit, ``y`` is missing, or an argument is outside what is said above.
    """
    x = floats("x", x)
    dtype = x.dtype
    need_ndim("x", x, 2)
    dy = floats_like("dy", dy, dtype, "x")
    gamma = optional_like("gamma", gamma, dtype, "x")
    beta = optional_like("beta", beta, dtype, "x")
    mean = doubles("mean", mean)
    rstd = doubles("rstd", rstd)
    mask = bools("mask", mask)
    need_rectifier(activation)
    rate = dropout_rate(rate, mask)
    if y is not None:
        y = floats_like("y", y, dtype, "x")
    elif activation == "linear":
        y = x  # the operation wants an array of the shape, and does not read it
    else:
        msg = f"y must be given where activation is {activation!r}, got None"
        raise ValueError(msg)
    channels = x.shape[1]
    dx = new_or_given(out, x.shape, dtype, in_place=True, dy=dy, x=x, y=y, gamma=gamma, mask=mask) if need_dx else None
    dgamma = None if gamma is None else np.empty(channels, dtype)
    dbeta = None if beta is None else np.empty(channels, dtype)
    get_backend().batch_norm_backward(dx, dgamma, dbeta, dy, y, x, gamma, beta, mean, rstd, mask, activation, rate)
    return BatchNormGradients(dx, dgamma, dbeta)


def batch_norm_inference(
    x: Floats,
    running_mean: Floats,
    running_var: Floats,
    gamma: Floats | None = None,
    beta: Floats | None = None,
    *,
    epsilon: float = 1e-5,
    activation: str = "linear",
    out: Floats | None = None,
) -> Floats:
    """Batch normalisation with running statistics.

    ``y = activation(gamma * (x - running_mean) / sqrt(running_var + epsilon) + beta)``.

    Parameters
    ----------
    x : array of float32 or float64, shape (N, C)
        Input. Inputs are copied once if their layout asks for it.
    running_mean, running_var : arrays like x, shape (C,)
        Running statistics; a variance is not negative.
    gamma, beta : arrays like x, shape (C,), optional
        Scale and offset; 1 and 0 where absent.
    epsilon : float above 0
        Added to the variance.
    activation : {"linear", "relu"}
        Applied after the normalisation.
    out : array like x, optional
        Receives the result; may be ``x``. It is never copied.

    Returns
    -------
    y : array like x
        ``out`` if that was given.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If ``x`` is empty, a shape does not fit, or an argument is outside what is said above.
    """
    x = floats("x", x)
    dtype = x.dtype
    need_ndim("x", x, 2)
    running_mean = floats_like("running_mean", running_mean, dtype, "x")
    running_var = floats_like("running_var", running_var, dtype, "x")
    gamma = optional_like("gamma", gamma, dtype, "x")
    beta = optional_like("beta", beta, dtype, "x")
    need_rectifier(activation)
    epsilon = positive("epsilon", epsilon)
    inputs = {"x": x, "gamma": gamma, "beta": beta, "running_mean": running_mean, "running_var": running_var}
    y = new_or_given(out, x.shape, dtype, in_place=True, **inputs)
    get_backend().batch_norm_inference(y, x, gamma, beta, running_mean, running_var, epsilon, activation)
    return y


def dropout_rate(rate: float, mask: Bools | None) -> float:
    """Return the rate of fused dropout, which needs a mask."""
    result = fraction("rate", rate)
    if mask is None and result > 0.0:
        msg = f"mask must be given where rate is above 0, got None and rate {rate}"
        raise ValueError(msg)
    return result
