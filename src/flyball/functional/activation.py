"""Activations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flyball.backend import ALPHAS, get_backend
from flyball.functional._checks import (
    at_least_1d,
    floats,
    matching,
    not_negative,
    number,
    out_like,
    rows_of,
    typed,
    written,
)
from flyball.reference._arrays import FLOAT64

if TYPE_CHECKING:
    from flyball.backend.types import Doubles, Floats


def activation_forward(x: Floats, activation: str, *, alpha: float | None = None, out: Floats | None = None) -> Floats:
    """Activation of each element, ``y = f(x)``: the functions of Keras 3.

    ============== ======================================================================== ==========
    ``activation`` ``f(x)``                                                                 derivative
    ============== ======================================================================== ==========
    linear         ``x``                                                                    neither
    relu           ``max(x, 0)``                                                            y
    leaky_relu     ``x if x >= 0 else alpha * x``                                           y
    relu6          ``min(max(x, 0), 6)``                                                    y
    elu            ``x if x > 0 else alpha * (exp(x) - 1)``                                 y
    selu           ``1.05070098735548 * (x if x > 0 else 1.67326324235438 * (exp(x) - 1))`` y
    gelu           ``x * (1 + erf(x / sqrt(2))) / 2``                                       x
    gelu_tanh      ``x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2``             x
    sigmoid        ``1 / (1 + exp(-x))``                                                    y
    hard_sigmoid   ``min(max(x / 6 + 1 / 2, 0), 1)``                                        y
    tanh           ``tanh(x)``                                                              y
    silu           ``x / (1 + exp(-x))``                                                    x
    softplus       ``log(1 + exp(x))``                                                      y
    softsign       ``x / (1 + abs(x))``                                                     y
    exponential    ``exp(x)``                                                               y
    mish           ``x * tanh(log(1 + exp(x)))``                                            x
    ============== ======================================================================== ==========

    At ``-inf`` and ``inf`` they are their limits; ``nan`` stays ``nan``. The last column says whether
    :func:`activation_backward` needs the input or the output.

    Parameters
    ----------
    x : array of float32 or float64, any shape
        Copied once if it is not C-contiguous, aligned and of the machine's byte order.
    activation : str
        One of the names above.
    alpha : float, optional
        Not negative; 0.2 for leaky_relu and 1.0 for elu if not given, ignored by the others.
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
        If ``x`` is empty, the activation is unknown, ``alpha`` is negative or not finite, or ``out`` does not fit or
        overlaps ``x`` in part.
    """
    x = floats("x", x)
    slope = alpha_of(activation, alpha)
    y = out_like(out, "x", x)
    get_backend().activation_forward(y, x, activation, slope)
    return y


def activation_backward(
    dy: Floats,
    activation: str,
    *,
    x: Floats | None = None,
    y: Floats | None = None,
    alpha: float | None = None,
    out: Floats | None = None,
) -> Floats:
    """Gradient of :func:`activation_forward`: ``dx = dy * f'(x)``.

    Parameters
    ----------
    dy : array of float32 or float64, any shape
        Gradient with respect to the output. Copied once if its layout asks for it, as are ``x`` and ``y``.
    activation : str
        A name that :func:`activation_forward` knows.
    x, y : array like dy, optional
        Input and output of the forward pass. Only the one that :func:`activation_forward`'s table names is needed.
    alpha : float, optional
        As in the forward pass.
    out : array like dy, optional
        Receives the result; may be ``dy``. It is never copied.

    Returns
    -------
    dx : array like dy
        Gradient with respect to the input. Where a piecewise linear function has a corner, its derivative is the one
        below; where relu, relu6 and hard_sigmoid are constant, ``dx`` is 0 whatever ``dy`` is.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If a shape does not fit, the activation is unknown, the array its derivative is computed from is missing,
        ``alpha`` is negative or not finite, or ``out`` overlaps an input otherwise than by being ``dy``.
    """
    dy = floats("dy", dy)
    dtype = dy.dtype
    x = None if x is None else typed("x", x, dtype, "dy")
    y = None if y is None else typed("y", y, dtype, "dy")
    slope = alpha_of(activation, alpha)
    dx = out_like(out, "dy x y", dy, x, y)
    get_backend().activation_backward(dx, dy, x, y, activation, slope)
    return dx


def alpha_of(activation: str, alpha: float | None) -> float:
    """Return ``alpha``, or the activation's own where it is None."""
    return ALPHAS.get(activation, 0.0) if alpha is None else not_negative("alpha", alpha)


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
    y = out_like(out, "x", x)
    get_backend().softmax_forward(rows_of(y), rows_of(x))
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
    y = matching("y", y, dy, "dy")
    dx = out_like(out, "dy y", dy, y)
    get_backend().softmax_backward(rows_of(dx), rows_of(dy), rows_of(y))
    return dx


def log_softmax_forward(x: Floats, *, out: Floats | None = None) -> Floats:
    """Logarithm of the softmax over the last axis: ``y = x - max(x) - log(sum(exp(x - max(x))))``.

    Parameters
    ----------
    x : array of float32 or float64, shape (..., C)
        Logits. Copied once if its layout asks for it.
    out : array like x, optional
        Receives the result; may be ``x``. It is never copied.

    Returns
    -------
    y : array like x
        Logarithms of probabilities, also of those that would be rounded to 0.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If ``x`` is empty or has no dimensions, or ``out`` does not fit or overlaps ``x`` in part.
    """
    x = at_least_1d("x", floats("x", x))
    y = out_like(out, "x", x)
    get_backend().log_softmax_forward(rows_of(y), rows_of(x))
    return y


def log_softmax_backward(dy: Floats, y: Floats, *, out: Floats | None = None) -> Floats:
    """Gradient of :func:`log_softmax_forward`: ``dx = dy - exp(y) * sum(dy)`` over the last axis.

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
    y = matching("y", y, dy, "dy")
    dx = out_like(out, "dy y", dy, y)
    get_backend().log_softmax_backward(rows_of(dx), rows_of(dy), rows_of(y))
    return dx


def activity_penalty(x: Floats, *, l1: float = 0.0, l2: float = 0.0, out: Doubles | None = None) -> Doubles:
    """Penalty of what a layer puts out: ``sum(l1 * abs(x) + l2 / 2 * x**2)``, summed in float64.

    Parameters
    ----------
    x : array of float32 or float64, any shape
        Outputs of a layer. Copied once if its layout asks for it.
    l1, l2 : float, at least 0
        Factors. (Keras' ``l2`` is half of this one.)
    out : array of float64, shape (1,), optional
        Increased by the result, and returned: the penalty of several layers.

    Returns
    -------
    array of float64, shape (1,)

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If a shape does not fit, or a number is negative.
    """
    array = floats("x", x)
    total = np.zeros(1) if out is None else out
    written("out", total, FLOAT64, (1,))
    get_backend().activity_penalty(total, array, not_negative("l1", l1), not_negative("l2", l2))
    return total


def activity_penalty_backward(
    dy: Floats, x: Floats, *, l1: float = 0.0, l2: float = 0.0, scale: float = 1.0, out: Floats | None = None
) -> Floats:
    """Gradient of a loss that :func:`activity_penalty` is added to: ``dx = dy + scale * (l1 * sign(x) + l2 * x)``.

    Parameters
    ----------
    dy : array of float32 or float64, any shape
        Gradient with respect to ``x`` without the penalty. Copied once if its layout asks for it.
    x : array like dy
        What was penalised. Copied once if its layout asks for it.
    l1, l2 : float, at least 0
        Those of the penalty.
    scale : float
        Factor of the penalty in the loss; Keras' is 1 over the batch size.
    out : array like dy, optional
        Receives the result; may be ``dy``. It is never copied.

    Returns
    -------
    dx : array like dy
        ``out`` if that was given.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If a shape does not fit, arrays overlap, or ``l1`` or ``l2`` is negative.
    """
    dy = floats("dy", dy)
    x = matching("x", x, dy, "dy")
    dx = out_like(out, "dy x", dy, x)
    numbers = not_negative("l1", l1), not_negative("l2", l2), number("scale", scale)
    get_backend().activity_penalty_backward(dx, dy, x, *numbers)
    return dx
