"""Batch normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flyball.backend import keep_probability
from flyball.reference._arrays import (
    BOOL,
    FLOAT64,
    float_dtype,
    need,
    need_ndim,
    need_out,
    need_rectifier,
    refuse_overlap,
)
from flyball.reference.activation import activate

if TYPE_CHECKING:
    from flyball.backend.types import Bools, Doubles, Floats


def centre(x: Floats, mean: Doubles) -> Floats:
    """Return ``x - mean``, subtracted in float64 and rounded to the dtype of ``x``."""
    return np.subtract(x, mean, out=np.empty_like(x), casting="same_kind")


def affine(y: Floats, centred: Floats, gamma: Floats | None, beta: Floats | None, rstd: Doubles) -> None:
    """``y = gamma * rstd * centred + beta``; the coefficients in float64, the rest in the dtype of ``y``."""
    alpha = rstd if gamma is None else gamma * rstd
    np.multiply(centred, alpha.astype(y.dtype, copy=False), out=y)
    if beta is not None:
        y += beta


def batch_norm_forward(
    y: Floats,
    mean: Doubles,
    rstd: Doubles,
    running_mean: Floats | None,
    running_var: Floats | None,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    mask: Bools | None,
    momentum: float,
    epsilon: float,
    unbiased: bool,
    activation: str,
    rate: float,
) -> None:
    need_ndim("x", x, 2)
    need_rectifier(activation)
    rows, channels = x.shape
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need("gamma", gamma, dtype, (channels,))
    need("beta", beta, dtype, (channels,))
    need("mask", mask, BOOL, x.shape)
    need_out("y", y, dtype, x.shape)
    need_out("mean", mean, FLOAT64, (channels,))
    need_out("rstd", rstd, FLOAT64, (channels,))
    need_out("running_mean", running_mean, dtype, (channels,))
    need_out("running_var", running_var, dtype, (channels,))
    refuse_overlap(
        {"y": y, "mean": mean, "rstd": rstd, "running_mean": running_mean, "running_var": running_var},
        {"x": x, "gamma": gamma, "beta": beta, "mask": mask},
        in_place=True,
    )

    np.mean(x, axis=0, dtype=np.float64, out=mean)
    centred = centre(x, mean)
    var = np.mean(np.square(centred), axis=0, dtype=np.float64)
    rstd[...] = 1.0 / np.sqrt(var + epsilon)
    if running_mean is not None:
        running_mean[...] = momentum * running_mean + (1.0 - momentum) * mean
    if running_var is not None:
        correction = rows / (rows - 1) if unbiased else 1.0
        running_var[...] = momentum * running_var + (1.0 - momentum) * correction * var

    affine(y, centred, gamma, beta, rstd)
    y[...] = activate(y, activation, 0.0)
    if mask is not None:
        y *= mask
        y *= 1.0 / keep_probability(rate)


def batch_norm_backward(
    dx: Floats | None,
    dgamma: Floats | None,
    dbeta: Floats | None,
    dy: Floats,
    y: Floats,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    mean: Doubles,
    rstd: Doubles,
    mask: Bools | None,
    activation: str,
    rate: float,
) -> None:
    need_ndim("x", x, 2)
    need_rectifier(activation)
    rows, channels = x.shape
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need("dy", dy, dtype, x.shape)
    need("y", y, dtype, x.shape)
    need("gamma", gamma, dtype, (channels,))
    need("beta", beta, dtype, (channels,))
    need("mean", mean, FLOAT64, (channels,))
    need("rstd", rstd, FLOAT64, (channels,))
    need("mask", mask, BOOL, x.shape)
    need_out("dx", dx, dtype, x.shape)
    need_out("dgamma", dgamma, dtype, (channels,))
    need_out("dbeta", dbeta, dtype, (channels,))
    refuse_overlap(
        {"dx": dx, "dgamma": dgamma, "dbeta": dbeta},
        {"dy": dy, "y": y, "x": x, "gamma": gamma, "beta": beta, "mean": mean, "rstd": rstd, "mask": mask},
        in_place=True,
    )

    if activation == "relu":
        dz = np.where(y > 0.0, dy, 0.0).astype(dtype, copy=False)
    elif mask is not None:
        dz = dy * mask
    else:
        dz = dy
    if mask is not None:
        dz = dz * (1.0 / keep_probability(rate))
    xhat = centre(x, mean)
    xhat *= rstd.astype(dtype, copy=False)
    sum_dz = np.sum(dz, axis=0, dtype=np.float64)
    sum_dz_xhat = np.sum(dz * xhat, axis=0, dtype=np.float64)
    if dgamma is not None:
        dgamma[...] = sum_dz_xhat
    if dbeta is not None:
        dbeta[...] = sum_dz
    if dx is not None:
        xhat *= (sum_dz_xhat / rows).astype(dtype, copy=False)
        np.subtract(dz, (sum_dz / rows).astype(dtype, copy=False), out=dx)
        dx -= xhat
        dx *= (rstd if gamma is None else gamma * rstd).astype(dtype, copy=False)


def batch_norm_inference(
    y: Floats,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    running_mean: Floats,
    running_var: Floats,
    epsilon: float,
    activation: str,
) -> None:
    need_ndim("x", x, 2)
    need_rectifier(activation)
    channels = x.shape[1]
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need("gamma", gamma, dtype, (channels,))
    need("beta", beta, dtype, (channels,))
    need("running_mean", running_mean, dtype, (channels,))
    need("running_var", running_var, dtype, (channels,))
    need_out("y", y, dtype, x.shape)
    refuse_overlap(
        {"y": y},
        {"x": x, "gamma": gamma, "beta": beta, "running_mean": running_mean, "running_var": running_var},
        in_place=True,
    )

    rstd = 1.0 / np.sqrt(running_var.astype(np.float64) + epsilon)
    affine(y, x - running_mean, gamma, beta, rstd)
    y[...] = activate(y, activation, 0.0)
