"""Activations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flyball.reference._arrays import float_dtype, need, need_ndim, need_out, refuse_overlap

if TYPE_CHECKING:
    from flyball.backend.types import Floats


def activate(y: Floats, activation: str) -> None:
    """Apply ``activation`` to ``y`` in place."""
    if activation == "relu":
        np.maximum(y, 0.0, out=y)


def relu_forward(y: Floats, x: Floats) -> None:
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need_out("y", y, dtype, x.shape)
    refuse_overlap({"y": y}, {"x": x}, in_place=True)

    np.maximum(x, 0.0, out=y)


def relu_backward(dx: Floats, dy: Floats, y: Floats) -> None:
    dtype = float_dtype("dy", dy)
    need("dy", dy, dtype, dy.shape)
    need("y", y, dtype, dy.shape)
    need_out("dx", dx, dtype, dy.shape)
    refuse_overlap({"dx": dx}, {"dy": dy, "y": y}, in_place=True)

    dx[...] = np.where(y > 0.0, dy, 0.0)


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
