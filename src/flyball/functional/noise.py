"""Normal noise: added, and as a factor (Gaussian dropout)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.backend import get_backend
from flyball.functional._checks import address, floats, fraction, new_or_given, not_negative

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
    y = new_or_given(out, x.shape, x.dtype, in_place=True, x=x)
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
    y = new_or_given(out, x.shape, x.dtype, in_place=True, x=x)
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
    dx = new_or_given(out, dy.shape, dy.dtype, in_place=True, dy=dy)
    get_backend().gaussian_dropout_backward(dx, dy, rate, *address(seed, stream, step))
    return dx
