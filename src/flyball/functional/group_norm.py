"""Group and instance normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from numpy import empty

from flyball.backend import get_backend
from flyball.functional._channels import layout_of
from flyball.functional._checks import floats, positive, typed, whole
from flyball.reference._arrays import FLOAT64

if TYPE_CHECKING:
    from flyball.backend.types import Doubles, Floats


class GroupNorm(NamedTuple):
    """What :func:`group_norm_forward` returns; the backward pass takes ``mean`` and ``rstd``."""

    y: Floats
    mean: Doubles
    rstd: Doubles


class GroupNormGradients(NamedTuple):
    """Gradients with respect to input, scale and offset."""

    dx: Floats | None
    dgamma: Floats | None
    dbeta: Floats | None


def group_norm_forward(
    x: Floats,
    groups: int,
    gamma: Floats | None = None,
    beta: Floats | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    out: Floats | None = None,
) -> GroupNorm:
    """Group normalisation: ``y = gamma * (x - mean) * rstd + beta``, statistics of each group of a sample's channels.

    ``mean`` and ``var`` are over the group's channels and all axes but batch and channels,
    ``rstd = 1 / sqrt(var + epsilon)``. Numerics are those of :func:`batch_norm_forward`.

    Parameters
    ----------
    x : array of float32 or float64, shape (N, C) or any other with at least 2 dimensions, batch first
        Input. Copied once if its layout asks for it, as are ``gamma`` and ``beta``.
    groups : int
        Number of groups, a divisor of C; neighbouring channels share one.
    gamma, beta : arrays like x, shape (C,), optional
        Scale and offset; 1 and 0 where absent.
    axis : int
        The channels' axis: -1 (the last) as in Keras, 1 as in PyTorch and ONNX. With any other, ``x`` is copied once
        and the result is copied back.
    epsilon : float above 0
        Added to the variance (PyTorch and ONNX 1e-5, Keras 1e-3).
    out : array like x, optional
        Receives ``y``; may be ``x``. It is never copied.

    Returns
    -------
    GroupNorm
        Named tuple of ``y``, like ``x``, and ``mean`` and ``rstd``, float64 of shape (N, groups).

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If ``x`` is empty, a shape does not fit, or an argument is outside what is said above.

    References
    ----------
    Wu and He, "Group normalization", 2018.
    """
    x = floats("x", x)
    layout = layout_of(x, axis)
    count = whole("groups", groups, 1, 63)
    if layout.channels % count:
        msg = f"groups must divide the {layout.channels} channels of x, got {groups}"
        raise ValueError(msg)
    gamma = None if gamma is None else typed("gamma", gamma, x.dtype, "x")
    beta = None if beta is None else typed("beta", beta, x.dtype, "x")
    epsilon = positive("epsilon", epsilon)
    y, target = layout.result(out, "x gamma beta", x, gamma, beta)
    mean, rstd = empty((layout.shape[0], count)), empty((layout.shape[0], count))
    get_backend().group_norm_forward(
        target,
        mean,
        rstd,
        layout.packed(x),
        gamma,
        beta,
        layout.channels_last,
        epsilon,
    )
    layout.restore(y, target)
    return GroupNorm(y, mean, rstd)


def group_norm_backward(
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
) -> GroupNormGradients:
    """Gradients of :func:`group_norm_forward`, given what it was given and what it returned.

    With ``xhat = (x - mean) * rstd`` and ``g = gamma * dy``: ``dgamma = sum(dy * xhat)``, ``dbeta = sum(dy)`` over all
    but the channels, ``dx = rstd * (g - mean(g) - xhat * mean(g * xhat))`` with means over a sample's group.

    Parameters
    ----------
    dy : array of float32 or float64, shape of x
        Gradient with respect to ``y``. Inputs are copied once if their layout asks for it.
    x : array like dy
        Input of the forward pass.
    mean, rstd : arrays of float64, shape (N, groups)
        As the forward pass returned them.
    gamma, beta : arrays like dy, shape (C,), optional
        Scale and offset of the forward pass.
    axis : int
        That of the forward pass.
    need_dx : bool
        Whether to compute ``dx``; it is None otherwise.
    out : array like dy, optional
        Receives ``dx``; may be ``dy``. It is never copied.

    Returns
    -------
    GroupNormGradients
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
    layout = layout_of(x, axis)
    dy = typed("dy", dy, x.dtype, "x")
    gamma = None if gamma is None else typed("gamma", gamma, x.dtype, "x")
    beta = None if beta is None else typed("beta", beta, x.dtype, "x")
    mean, rstd = typed("mean", mean, FLOAT64), typed("rstd", rstd, FLOAT64)
    packed_dy = layout.checked("dy", dy)
    dx, target = layout.result(out, "dy x gamma", dy, x, gamma) if need_dx else (None, None)
    dgamma = None if gamma is None else empty(layout.channels, x.dtype)
    dbeta = None if beta is None else empty(layout.channels, x.dtype)
    get_backend().group_norm_backward(
        target, dgamma, dbeta, packed_dy, layout.packed(x), gamma, mean, rstd, layout.channels_last
    )
    if dx is not None and target is not None:
        layout.restore(dx, target)
    return GroupNormGradients(dx, dgamma, dbeta)


def instance_norm_forward(
    x: Floats,
    gamma: Floats | None = None,
    beta: Floats | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    out: Floats | None = None,
) -> GroupNorm:
    """Instance normalisation: :func:`group_norm_forward` with as many groups as channels.

    Parameters
    ----------
    x, gamma, beta, axis, epsilon, out
        Those of :func:`group_norm_forward`.

    Returns
    -------
    GroupNorm
        Named tuple of ``y``, like ``x``, and ``mean`` and ``rstd``, float64 of shape (N, C).

    Raises
    ------
    TypeError, ValueError
        As :func:`group_norm_forward`.

    References
    ----------
    Ulyanov, Vedaldi and Lempitsky, "Instance normalization", 2016.
    """
    groups = layout_of(floats("x", x), axis).channels
    return group_norm_forward(x, groups, gamma, beta, axis=axis, epsilon=epsilon, out=out)


def instance_norm_backward(
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
) -> GroupNormGradients:
    """Gradients of :func:`instance_norm_forward`.

    Parameters
    ----------
    dy, x, mean, rstd, gamma, beta, axis, need_dx, out
        Those of :func:`group_norm_backward`.

    Returns
    -------
    GroupNormGradients
        Named tuple of ``dx``, like ``x``, ``dgamma`` and ``dbeta`` (C,).

    Raises
    ------
    TypeError, ValueError
        As :func:`group_norm_backward`.
    """
    return group_norm_backward(dy, x, mean, rstd, gamma, beta, axis=axis, need_dx=need_dx, out=out)
