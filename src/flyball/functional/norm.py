"""Batch normalisation, with activation and dropout in the same pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from numpy import empty

from flyball.backend import get_backend
from flyball.functional._channels import Layout, layout_of
from flyball.functional._checks import (
    floats,
    fraction,
    positive,
    share,
    typed,
    whole,
    written,
    wrong_shape,
)
from flyball.reference._arrays import BOOL, FLOAT64, need_rectifier

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
    axis: int = -1,
    running_mean: Floats | None = None,
    running_var: Floats | None = None,
    momentum: float = 0.9,
    epsilon: float = 1e-5,
    unbiased: bool = False,
    activation: str = "linear",
    mask: Bools | None = None,
    rate: float = 0.0,
    virtual_batch_size: int | None = None,
    out: Floats | None = None,
) -> BatchNorm:
    """Batch normalisation in training: ``y = activation(gamma * (x - mean) * rstd + beta) * mask / keep``.

    ``mean`` and ``var`` are those of each channel over all other axes, ``rstd = 1 / sqrt(var + epsilon)``; without
    ``mask`` the last factor is absent. Values are taken relative to one of the channel before they are summed, so that
    an offset costs no digits beyond those that ``x`` itself has lost to it.

    Parameters
    ----------
    x : array of float32 or float64, shape (N, C) or any other with at least 2 dimensions, batch first
        Input: (N, C), (N, L, C), (N, H, W, C), or (N, C, L), (N, C, H, W), (N, C, D, H, W) with ``axis=1``. A channel
        has at least 2 values. Copied once if its layout asks for it, as are ``gamma``, ``beta`` and ``mask``.
    gamma, beta : arrays like x, shape (C,), optional
        Scale and offset; 1 and 0 where absent.
    axis : int
        The channels' axis: -1 (the last) as in Keras, 1 as in PyTorch and ONNX. With any other, ``x`` and ``mask`` are
        copied once and the result is copied back.
    running_mean, running_var : arrays like x, shape (C,), optional
        Running statistics, updated in place: ``running = momentum * running + (1 - momentum) * batch``. They are
        never copied.
    momentum : float in [0, 1]
        Share of the *old* running value that is kept, as in Keras and ONNX. PyTorch's ``momentum=m`` is ``1 - m`` here.
    epsilon : float above 0
        Added to the variance.
    unbiased : bool
        Whether the running variance takes ``n / (n - 1)`` of the batch's, n values of a channel, as in PyTorch; Keras
        and ONNX do not.
    activation : {"linear", "relu"}
        Applied after the normalisation.
    mask : array of bool, shape of x, optional
        Dropout's mask: True where an element is kept. See :func:`dropout_mask`.
    rate : float in [0, 1)
        Dropout's rate, from which ``keep`` comes; above 0 only with a mask.
    virtual_batch_size : int, optional
        Ghost batch normalisation: so many samples after each other have statistics of their own, the last of these
        groups those that remain too. ``running_mean`` and ``running_var`` are updated by one group after the other.
    out : array like x, optional
        Receives ``y``; may be ``x``. It is never copied.

    Returns
    -------
    BatchNorm
        Named tuple of ``y``, like ``x``, and ``mean`` and ``rstd``, float64 of shape (C,), or (groups, C) with
        ``virtual_batch_size``.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If ``x`` is empty or has one value a channel, or another argument is outside what is said above.

    Notes
    -----
    A channel that holds inf or nan becomes nan as a whole, its ``mean`` and ``rstd`` too; others are not touched by
    it. Denormal numbers are computed with like any others. Squares of deviations are of the dtype of ``x``: one above
    1.8e19 in float32 (1.3e154 in float64) makes the variance inf and ``rstd`` 0.

    References
    ----------
    Ioffe and Szegedy, "Batch normalization", 2015. Hoffer, Hubara and Soudry, "Train longer, generalize better", 2017
    (ghost batch normalisation).
    """
    x = floats("x", x)
    dtype = x.dtype
    layout = layout_of(x, axis, True)
    gamma = None if gamma is None else typed("gamma", gamma, dtype, "x")
    beta = None if beta is None else typed("beta", beta, dtype, "x")
    mask = None if mask is None else typed("mask", mask, BOOL)
    need_rectifier(activation)
    momentum = share("momentum", momentum)
    epsilon = positive("epsilon", epsilon)
    rate = dropout_rate(rate, mask)
    channels = layout.channels
    groups, group = ghost_groups(layout, virtual_batch_size)
    if running_mean is not None:
        written("running_mean", running_mean, dtype, (channels,))
    if running_var is not None:
        written("running_var", running_var, dtype, (channels,))
    packed_mask = None if mask is None else layout.checked("mask", mask)
    y, target = layout.result(out, "x gamma beta mask", x, gamma, beta, mask)
    shape = (groups, channels) if group else channels
    mean, rstd = empty(shape), empty(shape)
    arrays = (target, mean, rstd, running_mean, running_var, layout.packed(x), gamma, beta, packed_mask)
    scalars = (momentum, epsilon, bool(unbiased), activation, rate)
    if group:
        get_backend().ghost_batch_norm_forward(*arrays, group, *scalars)
    else:
        get_backend().batch_norm_forward(*arrays, *scalars)
    layout.restore(y, target)
    return BatchNorm(y, mean, rstd)


def batch_norm_backward(
    dy: Floats,
    x: Floats,
    mean: Doubles,
    rstd: Doubles,
    gamma: Floats | None = None,
    beta: Floats | None = None,
    *,
    axis: int = -1,
    activation: str = "linear",
    mask: Bools | None = None,
    rate: float = 0.0,
    virtual_batch_size: int | None = None,
    need_dx: bool = True,
    out: Floats | None = None,
) -> BatchNormGradients:
    """Gradients of :func:`batch_norm_forward`, given what it was given, ``mean`` and ``rstd``.

    With ``xhat = (x - mean) * rstd`` and ``dz = dy * mask / keep * activation'(z)``: ``dgamma = sum(dz * xhat)``,
    ``dbeta = sum(dz)``, ``dx = gamma * rstd * (dz - dbeta / n - xhat * dgamma / n)``, n the values of a channel.

    Parameters
    ----------
    dy : array of float32 or float64, shape of x
        Gradient with respect to ``y``. Inputs are copied once if their layout asks for it.
    x : array like dy
        Input of the forward pass.
    mean, rstd : arrays of float64
        As the forward pass returned them.
    gamma, beta : arrays like dy, shape (C,), optional
        Scale and offset of the forward pass; with relu both say which units were active.
    axis, activation, mask, rate, virtual_batch_size
        Those of the forward pass.
    need_dx : bool
        Whether to compute ``dx``; it is None otherwise.
    out : array like dy, optional
        Receives ``dx``; may be ``dy``. It is never copied.

    Returns
    -------
    BatchNormGradients
        Named tuple of ``dx``, like ``x``, ``dgamma`` and ``dbeta`` (C,); the latter two are None where ``gamma`` or
        ``beta`` is.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If an array is empty, a shape does not fit, or an argument is outside what is said above.
    """
    x = floats("x", x)
    dtype = x.dtype
    layout = layout_of(x, axis, True)
    dy = typed("dy", dy, dtype, "x")
    gamma = None if gamma is None else typed("gamma", gamma, dtype, "x")
    beta = None if beta is None else typed("beta", beta, dtype, "x")
    mean = typed("mean", mean, FLOAT64)
    rstd = typed("rstd", rstd, FLOAT64)
    mask = None if mask is None else typed("mask", mask, BOOL)
    need_rectifier(activation)
    rate = dropout_rate(rate, mask)
    channels = layout.channels
    groups, group = ghost_groups(layout, virtual_batch_size, least=1)
    if group:
        for name, value in (("mean", mean), ("rstd", rstd)):
            if value.shape != (groups, channels):
                wrong_shape(name, value, str((groups, channels)))
    packed_x, packed_dy = layout.packed(x), layout.checked("dy", dy)
    packed_mask = None if mask is None else layout.checked("mask", mask)
    dx, target = layout.result(out, "dy x gamma beta mask", dy, x, gamma, beta, mask) if need_dx else (None, None)
    dgamma = None if gamma is None else empty(channels, dtype)
    dbeta = None if beta is None else empty(channels, dtype)
    arrays = (target, dgamma, dbeta, packed_dy, packed_x, gamma, beta, mean, rstd, packed_mask)
    if group:
        get_backend().ghost_batch_norm_backward(*arrays, group, activation, rate)
    else:
        get_backend().batch_norm_backward(*arrays, activation, rate)
    if dx is not None and target is not None:
        layout.restore(dx, target)
    return BatchNormGradients(dx, dgamma, dbeta)


def batch_norm_inference(
    x: Floats,
    running_mean: Floats,
    running_var: Floats,
    gamma: Floats | None = None,
    beta: Floats | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    activation: str = "linear",
    out: Floats | None = None,
) -> Floats:
    """Batch normalisation with running statistics.

    ``y = activation(gamma * (x - running_mean) / sqrt(running_var + epsilon) + beta)``.

    Parameters
    ----------
    x : array of float32 or float64, shape (N, C) or any other with at least 2 dimensions, batch first
        Input. Inputs are copied once if their layout asks for it.
    running_mean, running_var : arrays like x, shape (C,)
        Running statistics; a variance is not negative.
    gamma, beta : arrays like x, shape (C,), optional
        Scale and offset; 1 and 0 where absent.
    axis : int
        The channels' axis, as in :func:`batch_norm_forward`.
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
    layout = layout_of(x, axis, True)
    running_mean = typed("running_mean", running_mean, dtype, "x")
    running_var = typed("running_var", running_var, dtype, "x")
    gamma = None if gamma is None else typed("gamma", gamma, dtype, "x")
    beta = None if beta is None else typed("beta", beta, dtype, "x")
    need_rectifier(activation)
    epsilon = positive("epsilon", epsilon)
    arrays = (x, gamma, beta, running_mean, running_var)
    y, target = layout.result(out, "x gamma beta running_mean running_var", *arrays)
    get_backend().batch_norm_inference(target, layout.packed(x), *arrays[1:], epsilon, activation)
    layout.restore(y, target)
    return y


# --- arguments --------------------------------------------------------------------------------------------------


def dropout_rate(rate: float, mask: Bools | None) -> float:
    """Return the rate of fused dropout, which needs a mask."""
    result = fraction("rate", rate)
    if mask is None and result > 0.0:
        msg = f"mask must be given where rate is above 0, got None and rate {rate}"
        raise ValueError(msg)
    return result


def ghost_groups(layout: Layout, virtual_batch_size: int | None, least: int = 2) -> tuple[int, int]:
    """Return the number of groups with statistics of their own, and a group's rows in packed arrays; 0 for all."""
    samples, extent = layout.shape[0], layout.extent
    size = samples
    if virtual_batch_size is not None:
        size = min(whole("virtual_batch_size", virtual_batch_size, 1, 63), samples)
    if size * extent < least:
        if virtual_batch_size is not None and samples * extent >= least:
            msg = f"virtual_batch_size must be at least 2 for batch statistics, got {virtual_batch_size}"
        elif len(layout.shape) == 2:
            msg = f"x must have at least 2 rows for batch statistics, got {samples}"
        else:
            msg = f"x must have at least 2 values a channel for batch statistics, got shape {layout.shape}"
        raise ValueError(msg)
    if virtual_batch_size is None:
        return 1, 0
    return samples // size, size * (extent if layout.channels_last else 1)
