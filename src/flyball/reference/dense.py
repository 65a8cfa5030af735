"""Matrix products."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flyball.reference._arrays import (
    float_dtype,
    need,
    need_activation,
    need_matrix,
    need_ndim,
    need_out,
    need_out_apart,
    refuse_overlap,
)
from flyball.reference.activation import activate

if TYPE_CHECKING:
    from flyball.backend.types import Floats


def matmul(
    c: Floats,
    a: Floats,
    b: Floats,
    bias: Floats | None,
    transpose_a: bool,
    transpose_b: bool,
    activation: str,
    alpha: float,
) -> None:
    need_ndim("a", a, 2)
    need_ndim("b", b, 2)
    need_activation(activation)
    m, k = a.shape[::-1] if transpose_a else a.shape
    n = b.shape[0 if transpose_b else 1]
    dtype = float_dtype("a", a)
    need_matrix("a", a, dtype, a.shape)
    need_matrix("b", b, dtype, (n, k) if transpose_b else (k, n))
    need("bias", bias, dtype, (n,))
    need_out("c", c, dtype, (m, n))
    refuse_overlap({"c": c}, {"a": a, "b": b, "bias": bias})

    np.matmul(a.T if transpose_a else a, b.T if transpose_b else b, out=c)
    if bias is not None:
        c += bias
    c[...] = activate(c, activation, alpha)


def dense_forward(
    y: Floats, x: Floats, w: Floats, b: Floats | None, added: Floats | None, activation: str, alpha: float
) -> None:
    need_ndim("x", x, 2)
    need_ndim("w", w, 2)
    need_activation(activation)
    rows, inputs = x.shape
    units = w.shape[1]
    dtype = float_dtype("x", x)
    need_matrix("x", x, dtype, x.shape)
    need_matrix("w", w, dtype, (inputs, units))
    need("b", b, dtype, (units,))
    need("added", added, dtype, (rows, units))
    need_out("y", y, dtype, (rows, units))
    refuse_overlap({"y": y}, {"x": x, "w": w, "b": b, "added": added})

    np.matmul(x, w, out=y)
    if b is not None:
        y += b
    if added is not None:
        y += added
    y[...] = activate(y, activation, alpha)


def dense_batch_norm_inference(
    y: Floats,
    x: Floats,
    w: Floats,
    b: Floats | None,
    gamma: Floats | None,
    beta: Floats | None,
    running_mean: Floats,
    running_var: Floats,
    epsilon: float,
    activation: str,
    alpha: float,
) -> None:
    need_ndim("x", x, 2)
    need_ndim("w", w, 2)
    need_activation(activation)
    rows, inputs = x.shape
    units = w.shape[1]
    dtype = float_dtype("x", x)
    need_matrix("x", x, dtype, x.shape)
    need_matrix("w", w, dtype, (inputs, units))
    columns = {"b": b, "gamma": gamma, "beta": beta, "running_mean": running_mean, "running_var": running_var}
    for name, value in columns.items():
        need(name, value, dtype, (units,))
    need_out("y", y, dtype, (rows, units))
    refuse_overlap({"y": y}, {"x": x, "w": w, **columns})

    scale = 1.0 / np.sqrt(running_var.astype(np.float64) + epsilon)
    if gamma is not None:
        scale *= gamma
    shift = (0.0 if b is None else b.astype(np.float64)) - running_mean
    shift *= scale
    if beta is not None:
        shift += beta
    np.matmul(x, w, out=y)
    y *= scale.astype(dtype)
    y += shift.astype(dtype)
    y[...] = activate(y, activation, alpha)


def dense_backward(
    dx: Floats | None, dw: Floats | None, db: Floats | None, dy: Floats, x: Floats, w: Floats, gated: bool
) -> None:
    need_ndim("x", x, 2)
    need_ndim("w", w, 2)
    rows, inputs = x.shape
    units = w.shape[1]
    dtype = float_dtype("x", x)
    need_matrix("x", x, dtype, x.shape)
    need_matrix("w", w, dtype, (inputs, units))
    need_matrix("dy", dy, dtype, (rows, units))
    need_out("dx", dx, dtype, (rows, inputs))
    need_out_apart("dw", dw, dtype, (inputs, units))
    need_out("db", db, dtype, (units,))
    refuse_overlap({"dx": dx, "dw": dw, "db": db}, {"dy": dy, "x": x, "w": w})

    if dx is not None:
        np.matmul(dy, w.T, out=dx)
        if gated:
            np.copyto(dx, 0, where=x == 0)
    if dw is not None:
        np.matmul(x.T, dy, out=dw)
    if db is not None:
        db[...] = dy.sum(axis=0, dtype=np.float64)
