"""Activations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flyball.reference._arrays import float_dtype, need, need_apart, need_apart_or_same, need_ndim, need_out

if TYPE_CHECKING:
    from flyball.backend import Floats


def activate(y: Floats, activation: str) -> None:
    """Apply ``activation`` to ``y`` in place."""
    if activation == "relu":
        np.maximum(y, 0.0, out=y)


def relu_forward(y: Floats, x: Floats) -> None:
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need_out("y", y, dtype, x.shape)
    need_apart_or_same("y", y, "x", x)

    np.maximum(x, 0.0, out=y)


def relu_backward(dx: Floats, dy: Floats, y: Floats) -> None:
    dtype = float_dtype("dy", dy)
    need("dy", dy, dtype, dy.shape)
    need("y", y, dtype, dy.shape)
    need_out("dx", dx, dtype, dy.shape)
    need_apart_or_same("dx", dx, "dy", dy)
    need_apart("dx", dx, y=y)

    dx[...] = np.where(y > 0.0, dy, 0.0)


def softmax_forward(y: Floats, x: Floats) -> None:
    need_ndim("x", x, 2)
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need_out("y", y, dtype, x.shape)
    need_apart_or_same("y", y, "x", x)

    np.subtract(x, x.max(axis=1, keepdims=True, initial=-np.inf), out=y)
    np.exp(y, out=y)
    y /= y.sum(axis=1, keepdims=True)


def softmax_backward(dx: Floats, dy: Floats, y: Floats) -> None:
    need_ndim("dy", dy, 2)
    dtype = float_dtype("dy", dy)
    need("dy", dy, dtype, dy.shape)
    need("y", y, dtype, dy.shape)
    need_out("dx", dx, dtype, dy.shape)
    need_apart_or_same("dx", dx, "dy", dy)
    need_apart("dx", dx, y=y)

    np.subtract(dy, (dy * y).sum(axis=1, keepdims=True), out=dx)
    dx *= y
