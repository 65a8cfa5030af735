"""Activations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from flyball.backend import ACTIVATIONS
from flyball.reference._arrays import (
    FLOAT64,
    float_dtype,
    need,
    need_activation,
    need_for_derivative,
    need_ndim,
    need_out,
    refuse_overlap,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyball.backend.types import Doubles, Floats


def activate(x: Floats, activation: str, alpha: float) -> Floats:
    """Return ``f(x)``, in ``x``'s dtype."""
    with np.errstate(over="ignore", invalid="ignore"):
        match activation:
            case "relu":
                return np.maximum(x, 0.0)
            case "leaky_relu":
                return np.where(x < 0.0, x * alpha, x)
            case "relu6":
                return np.clip(x, 0.0, 6.0)
            case "elu" | "selu":
                scale, alpha = SELU if activation == "selu" else (1.0, alpha)
                return np.where(x > 0.0, x * scale, np.expm1(x) * (scale * alpha))
            case "gelu":
                return _vanishing(x, normal_probability)
            case "gelu_tanh":
                return _vanishing(x, lambda x: sigmoid(x * (TWO_U[0] + TWO_U[1] * x * x)))
            case "sigmoid":
                return sigmoid(x)
            case "hard_sigmoid":
                line: Floats = x / 6.0 + 0.5
                return np.minimum(np.maximum(line, 0.0), 1.0)
            case "tanh":
                return np.tanh(x)
            case "silu":
                return _vanishing(x, sigmoid)
            case "softplus":
                return softplus(x)
            case "softsign":
                finite = np.clip(x, np.finfo(x.dtype).min, np.finfo(x.dtype).max)
                return finite / (1.0 + np.abs(finite))
            case "exponential":
                return np.exp(x)
            case "mish":
                return _vanishing(x, lambda x: np.tanh(softplus(x)))
    return x


def derivative(v: Floats, activation: str, alpha: float) -> Floats:
    """Return ``f'(x)`` from ``v``, x or y as ``ACTIVATIONS`` says, of an activation that is nowhere constant."""
    with np.errstate(over="ignore"):
        match activation:
            case "leaky_relu":
                return np.where(v > 0.0, 1.0, alpha)
            case "elu" | "selu":
                scale, alpha = SELU if activation == "selu" else (1.0, alpha)
                return np.where(v > 0.0, scale, v + scale * alpha)
            case "gelu":
                return _of_a_product(v, normal_probability, lambda x: np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi))
            case "gelu_tanh":
                linear, cubic = TWO_U
                return _of_a_product(
                    v,
                    lambda x: sigmoid(x * (linear + cubic * x * x)),
                    lambda x: sigmoid_derivative(x * (linear + cubic * x * x)) * (linear + 3.0 * cubic * x * x),
                )
            case "sigmoid":
                return v * (1.0 - v)
            case "tanh":
                return (1.0 - v) * (1.0 + v)
            case "silu":
                return _of_a_product(v, sigmoid, sigmoid_derivative)
            case "softplus":
                return -np.expm1(-v)
            case "softsign":
                return np.square(1.0 - np.abs(v))
            case "mish":
                return _of_a_product(
                    v, lambda x: np.tanh(softplus(x)), lambda x: np.cosh(softplus(x)) ** -2.0 * sigmoid(x)
                )
    return v  # the exponential


SELU = 1.0507009873554804934, 1.6732632423543772848
"""Scale and alpha; Klambauer et al. 2017."""

TWO_U = 2.0 * math.sqrt(2.0 / math.pi), 2.0 * math.sqrt(2.0 / math.pi) * 0.044715
"""Factors of x and x**3 in twice the argument of gelu_tanh's tanh; ``(1 + tanh(u)) / 2 = sigmoid(2 * u)``."""


def sigmoid(x: Floats) -> Floats:
    e = np.exp(-np.abs(x))
    return np.where(x < 0.0, e, 1.0) / (1.0 + e)


def sigmoid_derivative(x: Floats) -> Floats:
    e = np.exp(-np.abs(x))
    return e / np.square(1.0 + e)


def softplus(x: Floats) -> Floats:
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def normal_probability(x: Floats) -> Floats:
    """Return ``(1 + erf(x / sqrt(2))) / 2``; the only erf without another package takes one element at a time."""
    values = np.asarray(x, np.float64) / math.sqrt(2.0)
    errors = np.array([math.erf(value) for value in values.flat]).reshape(values.shape)
    return (0.5 * (1.0 + errors)).astype(x.dtype)


def _vanishing(x: Floats, factor: Callable[[Floats], Floats]) -> Floats:
    """Return ``x * factor(x)`` where the factor vanishes at ``-inf``, so that the product does."""
    bounded = np.maximum(x, -750.0)
    return bounded * factor(bounded)


def _of_a_product(x: Floats, factor: Callable[[Floats], Floats], slope: Callable[[Floats], Floats]) -> Floats:
    """Return the derivative of ``x * factor(x)``, which is 0 or 1 beyond the bounds."""
    bounded = np.clip(x, -300.0, 300.0)
    return factor(bounded) + bounded * slope(bounded)


def activation_forward(y: Floats, x: Floats, activation: str, alpha: float) -> None:
    need_activation(activation)
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need_out("y", y, dtype, x.shape)
    refuse_overlap({"y": y}, {"x": x}, in_place=True)

    y[...] = activate(x, activation, alpha)


def activation_backward(
    dx: Floats, dy: Floats, x: Floats | None, y: Floats | None, activation: str, alpha: float
) -> None:
    need_activation(activation)
    need_for_derivative(activation, x, y)
    dtype = float_dtype("dy", dy)
    need("dy", dy, dtype, dy.shape)
    need("x", x, dtype, dy.shape)
    need("y", y, dtype, dy.shape)
    need_out("dx", dx, dtype, dy.shape)
    refuse_overlap({"dx": dx}, {"dy": dy, "x": x, "y": y}, in_place=True)

    v = x if ACTIVATIONS[activation] == "x" else y
    if v is None or activation == "linear":
        dx[...] = dy
    elif activation == "relu":
        dx[...] = np.where(v > 0.0, dy, 0.0)
    elif activation == "relu6":
        dx[...] = np.where((v > 0.0) & (v < 6.0), dy, 0.0)
    elif activation == "hard_sigmoid":
        dx[...] = np.where((v > 0.0) & (v < 1.0), dy / 6.0, 0.0)
    else:
        np.multiply(dy, derivative(v, activation, alpha), out=dx)


def relu_forward(y: Floats, x: Floats, negative_slope: float, threshold: float, max_value: float) -> None:
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need_out("y", y, dtype, x.shape)
    refuse_overlap({"y": y}, {"x": x}, in_place=True)

    above, below = x > dtype.type(threshold), x <= dtype.type(threshold)
    slope = np.zeros_like(x) if negative_slope == 0.0 else (x - dtype.type(threshold)) * dtype.type(negative_slope)
    y[...] = np.where(above, np.minimum(x, dtype.type(max_value)), np.where(below, slope, x))


def relu_backward(dx: Floats, dy: Floats, x: Floats, negative_slope: float, threshold: float, max_value: float) -> None:
    dtype = float_dtype("dy", dy)
    need("dy", dy, dtype, dy.shape)
    need("x", x, dtype, dy.shape)
    need_out("dx", dx, dtype, dy.shape)
    refuse_overlap({"dx": dx}, {"dy": dy, "x": x}, in_place=True)

    below = np.zeros_like(dy) if negative_slope == 0.0 else dy * dtype.type(negative_slope)
    above = np.where(x < dtype.type(max_value), dy, 0.0)
    dx[...] = np.where(x > dtype.type(threshold), above, below)


def prelu_forward(y: Floats, x: Floats, alpha: Floats) -> None:
    need_ndim("x", x, 2)
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need("alpha", alpha, dtype, (x.shape[1],))
    need_out("y", y, dtype, x.shape)
    refuse_overlap({"y": y}, {"x": x, "alpha": alpha}, in_place=True)

    y[...] = np.where(x > 0.0, x, x * alpha)


def prelu_backward(dx: Floats | None, dalpha: Floats | None, dy: Floats, x: Floats, alpha: Floats) -> None:
    need_ndim("dy", dy, 2)
    dtype = float_dtype("dy", dy)
    need("dy", dy, dtype, dy.shape)
    need("x", x, dtype, dy.shape)
    need("alpha", alpha, dtype, (dy.shape[1],))
    need_out("dx", dx, dtype, dy.shape)
    need_out("dalpha", dalpha, dtype, (dy.shape[1],))
    refuse_overlap({"dx": dx, "dalpha": dalpha}, {"dy": dy, "x": x, "alpha": alpha}, in_place=True)

    if dalpha is not None:
        dalpha[...] = np.where(x < 0.0, dy * x, 0.0).sum(axis=0, dtype=np.float64)
    if dx is not None:
        dx[...] = np.where(x > 0.0, dy, dy * alpha)


def softmax_forward(y: Floats, x: Floats) -> None:
    need_ndim("x", x, 2)
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need_out("y", y, dtype, x.shape)
    refuse_overlap({"y": y}, {"x": x}, in_place=True)

    np.subtract(x, x.max(axis=1, keepdims=True, initial=-np.inf), out=y)
    np.exp(y, out=y)
    y /= y.sum(axis=1, keepdims=True)


def softmax_backward(dx: Floats, dy: Floats, y: Floats) -> None:
    need_ndim("dy", dy, 2)
    dtype = float_dtype("dy", dy)
    need("dy", dy, dtype, dy.shape)
    need("y", y, dtype, dy.shape)
    need_out("dx", dx, dtype, dy.shape)
    refuse_overlap({"dx": dx}, {"dy": dy, "y": y}, in_place=True)

    np.subtract(dy, (dy * y).sum(axis=1, keepdims=True), out=dx)
    dx *= y


def log_softmax_forward(y: Floats, x: Floats) -> None:
    need_ndim("x", x, 2)
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need_out("y", y, dtype, x.shape)
    refuse_overlap({"y": y}, {"x": x}, in_place=True)

    np.subtract(x, x.max(axis=1, keepdims=True, initial=-np.inf), out=y)
    y -= np.log(np.exp(y).sum(axis=1, keepdims=True, dtype=np.float64)).astype(dtype)


def log_softmax_backward(dx: Floats, dy: Floats, y: Floats) -> None:
    need_ndim("dy", dy, 2)
    dtype = float_dtype("dy", dy)
    need("dy", dy, dtype, dy.shape)
    need("y", y, dtype, dy.shape)
    need_out("dx", dx, dtype, dy.shape)
    refuse_overlap({"dx": dx}, {"dy": dy, "y": y}, in_place=True)

    np.subtract(dy, np.exp(y) * dy.sum(axis=1, keepdims=True), out=dx)


def activity_penalty(total: Doubles, x: Floats, l1: float, l2: float) -> None:
    need("x", x, float_dtype("x", x), x.shape)
    need_out("total", total, FLOAT64, (1,))
    refuse_overlap({"total": total}, {"x": x})

    if l1 != 0.0:
        total[0] += l1 * np.abs(x).sum(dtype=np.float64)
    if l2 != 0.0:
        total[0] += 0.5 * l2 * np.square(x, dtype=np.float64).sum()


def activity_penalty_backward(dx: Floats, dy: Floats, x: Floats, l1: float, l2: float, scale: float) -> None:
    dtype = float_dtype("dy", dy)
    need("dy", dy, dtype, dy.shape)
    need("x", x, dtype, dy.shape)
    need_out("dx", dx, dtype, dy.shape)
    refuse_overlap({"dx": dx}, {"dy": dy, "x": x}, in_place=True)

    dx[...] = dy + (scale * l1) * np.sign(x) + (scale * l2) * x
