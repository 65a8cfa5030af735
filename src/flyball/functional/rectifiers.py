"""ReLU with any numbers, and with slopes that are learned."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from flyball.backend import get_backend
from flyball.functional._checks import (
    at_least_1d,
    floats,
    matching,
    not_negative,
    out_like,
    typed,
    wrong_shape,
)

if TYPE_CHECKING:
    from flyball.backend.types import Floats


def relu_forward(
    x: Floats,
    *,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
    out: Floats | None = None,
) -> Floats:
    """Keras' relu: ``y = min(x, max_value) if x > threshold else negative_slope * (x - threshold)``.

    Parameters
    ----------
    x : array of float32 or float64, any shape
        Copied once if its layout asks for it.
    negative_slope : float, 0 or above
        Slope below the threshold.
    max_value : float, 0 or above, optional
        Largest value; None is no limit.
    threshold : float, 0 or above
        From here on, not included, ``x`` is let through.
    out : array like x, optional
        Receives the result; may be ``x``. It is never copied.

    Returns
    -------
    y : array like x
        ``out`` if that was given; ``nan`` stays ``nan``.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If ``x`` is empty, a number is negative or not finite, or ``out`` does not fit or overlaps ``x`` in part.
    """
    x = floats("x", x)
    y = out_like(out, "x", x)
    get_backend().relu_forward(y, x, *_relu_numbers(negative_slope, max_value, threshold))
    return y


def relu_backward(
    dy: Floats,
    x: Floats,
    *,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
    out: Floats | None = None,
) -> Floats:
    """Gradient of :func:`relu_forward`: ``dx = dy * (x < max_value if x > threshold else negative_slope)``.

    Parameters
    ----------
    dy : array of float32 or float64, any shape
        Gradient with respect to the output. Copied once if its layout asks for it.
    x : array like dy
        The input of the forward pass. Copied once if its layout asks for it.
    negative_slope, max_value, threshold : float
        Those of the forward pass.
    out : array like dy, optional
        Receives the result; may be ``dy``. It is never copied.

    Returns
    -------
    dx : array like dy
        Gradient with respect to the input; where the function is constant it is 0 whatever ``dy`` is.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If a shape does not fit, a number is negative or not finite, or ``out`` overlaps an input otherwise than by
        being ``dy``.
    """
    dy = floats("dy", dy)
    x = matching("x", x, dy, "dy")
    dx = out_like(out, "dy x", dy, x)
    get_backend().relu_backward(dx, dy, x, *_relu_numbers(negative_slope, max_value, threshold))
    return dx


def _relu_numbers(slope: float, max_value: float | None, threshold: float) -> tuple[float, float, float]:
    """Return a relu's numbers as the operations take them."""
    highest = math.inf if max_value is None else not_negative("max_value", max_value)
    return not_negative("negative_slope", slope), not_negative("threshold", threshold), highest


class PreluGradients(NamedTuple):
    """What :func:`prelu_backward` returns: the gradients with respect to input and slopes."""

    dx: Floats | None
    dalpha: Floats


def prelu_forward(x: Floats, alpha: Floats, *, out: Floats | None = None) -> Floats:
    """ReLU with learned slopes: ``y = x if x > 0 else alpha * x``. He et al. 2015.

    Parameters
    ----------
    x : array of float32 or float64, shape (..., C)
        Copied once if its layout asks for it.
    alpha : array like x, shape (C,), or that of several last axes of x
        Slopes. Copied once if its layout asks for it.
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
        If an array is empty, a shape does not fit, or ``out`` overlaps an input otherwise than by being ``x``.
    """
    x = at_least_1d("x", floats("x", x))
    alpha = _slopes(alpha, x)
    y = out_like(out, "x alpha", x, alpha)
    rows = (x.size // alpha.size, alpha.size)
    get_backend().prelu_forward(y.reshape(rows), x.reshape(rows), alpha)
    return y


def prelu_backward(
    dy: Floats, x: Floats, alpha: Floats, *, need_dx: bool = True, out: Floats | None = None
) -> PreluGradients:
    """Gradients of :func:`prelu_forward`: ``dx = dy if x > 0 else alpha * dy``, ``dalpha = sum(dy * min(x, 0))``.

    Parameters
    ----------
    dy : array of float32 or float64, shape of x
        Gradient with respect to the output. Copied once if its layout asks for it, as are the other inputs.
    x, alpha : arrays like dy
        What the forward pass was given.
    need_dx : bool
        Whether to compute ``dx``; it is None otherwise.
    out : array like dy, optional
        Receives ``dx``; may be ``dy``. It is never copied.

    Returns
    -------
    PreluGradients
        Named tuple of ``dx``, like ``x``, and ``dalpha``, like ``alpha``.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If an array is empty, a shape does not fit, or ``out`` overlaps an input otherwise than by being ``dy``.
    """
    dy = at_least_1d("dy", floats("dy", dy))
    x = matching("x", x, dy, "dy")
    shape = np.shape(alpha)
    alpha = _slopes(alpha, x)
    dx = out_like(out, "dy x alpha", dy, x, alpha) if need_dx else None
    dalpha = np.empty(alpha.size, alpha.dtype)
    rows = (x.size // alpha.size, alpha.size)
    get_backend().prelu_backward(
        None if dx is None else dx.reshape(rows), dalpha, dy.reshape(rows), x.reshape(rows), alpha
    )
    return PreluGradients(dx, dalpha.reshape(shape))


def _slopes(alpha: Floats, x: Floats) -> Floats:
    """Return the slopes as a vector."""
    slopes = typed("alpha", alpha, x.dtype, "x")
    if not slopes.ndim or slopes.shape != x.shape[x.ndim - slopes.ndim :]:
        wrong_shape("alpha", slopes, f"the shape of x's last axes, x being of {x.shape}")
    return slopes if slopes.ndim == 1 else slopes.ravel()
