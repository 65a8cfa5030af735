"""Noise: normal, added and as a factor (Gaussian dropout), and any other in each feature's unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.backend import get_backend
from flyball.functional._checks import (
    address,
    floats,
    fraction,
    matching,
    not_negative,
    out_like,
    samples_of,
    typed,
    wrong_shape,
)
from flyball.functional._images import value_bounds

if TYPE_CHECKING:
    from flyball.backend.types import Floats


def gaussian_noise_forward(
    x: Floats, std: float, *, seed: int, step: int = 0, stream: int = 0, out: Floats | None = None
) -> Floats:
    """Noise on inputs, hidden features or weights: ``y = x + std * n``; its gradient is the identity.

    ``n`` is that of :func:`random_normal` at the same address.

    Parameters
    ----------
    x : array of float32 or float64, any shape
        Copied once if its layout asks for it.
    std : float, at least 0
        Standard deviation.
    seed, step, stream : int
        Address of the random numbers, see :func:`random_uniform`.
    out : array like x, optional
        Receives ``y``; may be ``x``. It is never copied.

    Returns
    -------
    y : array like x
        ``out`` if that was given.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If an argument is outside what is said above.

    References
    ----------
    Bishop, "Training with noise is equivalent to Tikhonov regularization", 1995.
    """
    x = floats("x", x)
    std = not_negative("std", std)
    y = out_like(out, "x", x)
    get_backend().gaussian_noise_forward(y, x, std, *address(seed, stream, step))
    return y


def gaussian_dropout_forward(
    x: Floats, rate: float, *, seed: int, step: int = 0, stream: int = 0, out: Floats | None = None
) -> Floats:
    """Gaussian dropout in training: ``y = x * (1 + sqrt(rate / (1 - rate)) * n)``; inference needs no operation.

    The factor has the mean and variance of inverted dropout's. ``n`` is that of :func:`random_normal` at the same
    address. Keras' ``GaussianDropout``.

    Parameters
    ----------
    x : array of float32 or float64, any shape
        Copied once if its layout asks for it.
    rate : float in [0, 1)
        Rate of the dropout it stands for.
    seed, step, stream : int
        Address of the random numbers, see :func:`random_uniform`.
    out : array like x, optional
        Receives ``y``; may be ``x``. It is never copied.

    Returns
    -------
    y : array like x
        ``out`` if that was given.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If an argument is outside what is said above.

    References
    ----------
    Srivastava et al., "Dropout", 2014, section 10.
    """
    x = floats("x", x)
    rate = fraction("rate", rate)
    y = out_like(out, "x", x)
    get_backend().gaussian_dropout_forward(y, x, rate, *address(seed, stream, step))
    return y


def gaussian_dropout_backward(
    dy: Floats, rate: float, *, seed: int, step: int = 0, stream: int = 0, out: Floats | None = None
) -> Floats:
    """Gradient of :func:`gaussian_dropout_forward`: ``dx = dy * (1 + sqrt(rate / (1 - rate)) * n)``, drawn again.

    Parameters
    ----------
    dy : array of float32 or float64, any shape
        Gradient with respect to the output. Copied once if its layout asks for it.
    rate, seed, step, stream
        Those of the forward pass.
    out : array like dy, optional
        Receives the result; may be ``dy``. It is never copied.

    Returns
    -------
    dx : array like dy
        Gradient with respect to the input.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If an argument is outside what is said above.
    """
    dy = floats("dy", dy)
    rate = fraction("rate", rate)
    dx = out_like(out, "dy", dy)
    get_backend().gaussian_dropout_backward(dx, dy, rate, *address(seed, stream, step))
    return dx


def add_noise(
    x: Floats,
    noise: Floats,
    deviation: float = 1.0,
    *,
    scale: Floats | None = None,
    value_range: tuple[float, float] | None = None,
    out: Floats | None = None,
) -> Floats:
    """Add noise, each feature's in its own unit, and clip: ``y = clip(x + deviation * scale * noise, low, high)``.

    Parameters
    ----------
    x : array of float32 or float64, shape (N, ...)
        Rows or images. Copied once if its layout asks for it, as are the other inputs.
    noise : array like x
        Numbers of mean 0 and variance 1.
    deviation : float, 0 or above
        Standard deviation, in units of ``scale``.
    scale : array of x's dtype, shape (...), optional
        Standard deviation of each feature; 1 by default.
    value_range : (low, high), optional
        Limits of the result, none by default.
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
        If an argument is outside what is said above.
    """
    x = floats("x", x)
    if x.ndim < 1:
        wrong_shape("x", x, "(N, ...)")
    noise = matching("noise", noise, x, "x")
    scale = None if scale is None else typed("scale", scale, x.dtype, "x")
    if scale is not None and scale.shape != x.shape[1:]:
        wrong_shape("scale", scale, str(x.shape[1:]))
    low, high = value_bounds(value_range)
    y = out_like(out, "x noise scale", x, noise, scale)
    deviation = not_negative("deviation", deviation)
    scale = None if scale is None else scale.ravel()
    get_backend().add_noise(samples_of(y), samples_of(x), samples_of(noise), scale, deviation, low, high)
    return y
