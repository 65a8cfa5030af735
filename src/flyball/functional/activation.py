"""Activations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.backend import get_backend
from flyball.functional._checks import at_least_1d, floats, floats_like, new_or_given, same_shape

if TYPE_CHECKING:
    from flyball.backend.types import Floats


def relu_forward(x: Floats, *, out: Floats | None = None) -> Floats:
    """Rectified linear unit: ``y = max(x, 0)``; ``nan`` stays ``nan``.

    Parameters
    ----------
    x : array of float32 or float64, any shape
        Copied once if it is not C-contiguous, aligned and of the machine's byte order.
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
        If ``x`` is empty, or ``out`` does not fit or overlaps ``x`` in part.
    """
    x = floats("x", x)
    y = new_or_given(out, x.shape, x.dtype, in_place=True, x=x)
    get_backend().relu_forward(y, x)
    return y


def relu_backward(dy: Floats, y: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of :func:`relu_forward`: ``dx = dy where y > 0 else 0``.

    Parameters
    ----------
    dy : array of float32 or float64, any shape
        Gradient with respect to the output. Copied once if its layout asks for it.
    y : array like dy
        The output, or the input, of the forward pass. Copied once if its layout asks for it.
    out : array like dy, optional
        Receives the result; may be ``dy``. It is never copied.

    Returns
    -------
    dx : array like dy
        Gradient with respect to the input.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If a shape does not fit, or ``out`` overlaps an input otherwise than by being ``dy``.
    """
    dy = floats("dy", dy)
    y = floats_like("y", y, dy.dtype, "dy")
    dx = new_or_given(out, dy.shape, dy.dtype, in_place=True, dy=dy, y=y)
    get_backend().relu_backward(dx, dy, y)
    return dx


def softmax_forward(x: Floats, *, out: Floats | None = None) -> Floats:
    """Softmax over the last axis: ``y = exp(x - max(x)) / sum(exp(x - max(x)))``.

    Parameters
    ----------
    x : array of float32 or float64, shape (..., C)
        Logits. Copied once if its layout asks for it.
    out : array like x, optional
        Receives the result; may be ``x``. It is never copied.

    Returns
    -------
    y : array like x
        Probabilities; they add up to 1 along the last axis.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If ``x`` is empty or has no dimensions, or ``out`` does not fit or overlaps ``x`` in part.
    """
    x = at_least_1d("x", floats("x", x))
    y = new_or_given(out, x.shape, x.dtype, in_place=True, x=x)
    rows = (-1, x.shape[-1])
    get_backend().softmax_forward(y.reshape(rows), x.reshape(rows))
    return y


def softmax_backward(dy: Floats, y: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of :func:`softmax_forward`: ``dx = y * (dy - sum(dy * y))`` over the last axis.

    Parameters
    ----------
    dy : array of float32 or float64, shape (..., C)
        Gradient with respect to the output. Copied once if its layout asks for it.
    y : array like dy
        The output of the forward pass. Copied once if its layout asks for it.
    out : array like dy, optional
        Receives the result; may be ``dy``. It is never copied.

    Returns
    -------
    dx : array like dy
        Gradient with respect to the input.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If a shape does not fit, or ``out`` overlaps an input otherwise than by being ``dy``.
    """
    dy = at_least_1d("dy", floats("dy", dy))
    y = floats_like("y", y, dy.dtype, "dy")
    same_shape("y", y, dy)
    dx = new_or_given(out, dy.shape, dy.dtype, in_place=True, dy=dy, y=y)
    rows = (-1, dy.shape[-1])
    get_backend().softmax_backward(dx.reshape(rows), dy.reshape(rows), y.reshape(rows))
    return dx
