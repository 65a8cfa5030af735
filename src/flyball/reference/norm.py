"""Batch normalisation, whole and in steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flyball.backend import keep_probability
from flyball.reference._arrays import (
    BOOL,
    FLOAT64,
    INT64,
    float_dtype,
    need,
    need_ndim,
    need_out,
    need_out_apart,
    need_rectifier,
    refuse_overlap,
)

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from flyball.backend.types import Bools, Doubles, Floats, Integers

# --- the formula ------------------------------------------------------------------------------------------------


def others(x: Floats) -> tuple[int, ...]:
    """Return the axes of (N, C) or (N, C, S) that are not the channels'."""
    return (0,) if x.ndim == 2 else (0, 2)


def along(values: NDArray[Any], x: Floats) -> NDArray[Any]:
    """Return a channel's values (C,) in a shape that broadcasts with ``x``."""
    return values if x.ndim == 2 else values[:, None]


def centre(x: Floats, mean: Doubles) -> Floats:
    """Return ``x - mean``, subtracted in float64 and rounded to the dtype of ``x``."""
    return np.subtract(x, mean, out=np.empty_like(x), casting="same_kind")


def moments(mean: Doubles, m2: Doubles, x: Floats) -> None:
    """``mean = mean(x)``, ``m2 = sum((x - mean)**2)``; 0 without values."""
    count = max(x.size // max(x.shape[1], 1), 1)
    mean[...] = np.sum(x, axis=others(x), dtype=np.float64) / count
    m2[...] = np.sum(np.square(centre(x, along(mean, x))), axis=others(x), dtype=np.float64)


def statistics(
    rstd: Doubles,
    running_mean: Floats | None,
    running_var: Floats | None,
    mean: Doubles,
    m2: Doubles,
    count: int,
    momentum: float,
    epsilon: float,
    unbiased: bool,
) -> None:
    var = m2 / max(count, 1)
    rstd[...] = 1.0 / np.sqrt(var + epsilon)
    if running_mean is not None:
        running_mean[...] = momentum * running_mean + (1.0 - momentum) * mean
    if running_var is not None:
        correction = count / (count - 1) if unbiased and count > 1 else 1.0
        running_var[...] = momentum * running_var + (1.0 - momentum) * correction * var


def normalise(
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
    """Scale and shift with coefficients found in float64, then activation and dropout, in the dtype of ``y``."""
    alpha = rstd if gamma is None else gamma * rstd
    np.multiply(centre(x, along(mean, x)), along(alpha, x).astype(y.dtype, copy=False), out=y)
    if beta is not None:
        y += along(beta, x)
    if activation == "relu":
        np.maximum(y, 0.0, out=y)
    if mask is not None:
        y *= mask
        y *= 1.0 / keep_probability(rate)


def gradient_of_z(
    dy: Floats,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    mean: Doubles,
    rstd: Doubles,
    mask: Bools | None,
    activation: str,
    rate: float,
) -> Floats:
    """Return ``dy * mask / keep * activation'(z)``."""
    dz = dy if mask is None else np.where(mask, dy, 0.0).astype(dy.dtype, copy=False)
    if activation == "relu":
        z = np.empty_like(x)
        normalise(z, x, gamma, beta, mean, rstd, None, "linear", 0.0)
        dz = np.where(z > 0.0, dz, 0.0).astype(dy.dtype, copy=False)
    return dz if mask is None else dz * (1.0 / keep_probability(rate))


def normalised(x: Floats, mean: Doubles, rstd: Doubles) -> Floats:
    """Return ``xhat``."""
    xhat = centre(x, along(mean, x))
    xhat *= along(rstd, x).astype(x.dtype, copy=False)
    return xhat


def gradient_sums(dz: Floats, xhat: Floats) -> tuple[Doubles, Doubles]:
    axes = others(dz)
    return np.sum(dz, axis=axes, dtype=np.float64), np.sum(dz * xhat, axis=axes, dtype=np.float64)


def input_gradient(
    dx: Floats,
    dz: Floats,
    xhat: Floats,
    gamma: Floats | None,
    rstd: Doubles,
    sum_dz: Doubles,
    sum_dz_xhat: Doubles,
    count: int,
) -> None:
    dtype = dx.dtype
    xhat *= along(sum_dz_xhat / count, dx).astype(dtype, copy=False)
    np.subtract(dz, along(sum_dz / count, dx).astype(dtype, copy=False), out=dx)
    dx -= xhat
    dx *= along(rstd if gamma is None else gamma * rstd, dx).astype(dtype, copy=False)


# --- the operations ---------------------------------------------------------------------------------------------


def need_inputs(inputs: dict[str, Any], x: Floats, activation: str) -> tuple[np.dtype[Any], int]:
    """Check what operations on (N, C) or (N, C, S) are given, by its name; return dtype and channels."""
    need_ndim("x", x, 2, 3)
    need_rectifier(activation)
    channels = x.shape[1]
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    for name, value in inputs.items():
        kind = BOOL if name == "mask" else FLOAT64 if name in STATISTICS else dtype
        need(name, value, kind, x.shape if name in ("x", "y", "dy", "mask") else (channels,))
    return dtype, channels


STATISTICS = ("mean", "rstd", "sum_dz", "sum_dz_xhat")
"""Arguments that are float64 whatever the dtype of x."""


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
    inputs = {"x": x, "gamma": gamma, "beta": beta, "mask": mask}
    dtype, channels = need_inputs(inputs, x, activation)
    need_out("y", y, dtype, x.shape)
    need_out("mean", mean, FLOAT64, (channels,))
    need_out("rstd", rstd, FLOAT64, (channels,))
    need_out("running_mean", running_mean, dtype, (channels,))
    need_out("running_var", running_var, dtype, (channels,))
    refuse_overlap(
        {"y": y, "mean": mean, "rstd": rstd, "running_mean": running_mean, "running_var": running_var},
        inputs,
        in_place=True,
    )

    count = x.size // max(channels, 1)
    m2 = np.empty_like(rstd)
    moments(mean, m2, x)
    statistics(rstd, running_mean, running_var, mean, m2, count, momentum, epsilon, unbiased)
    normalise(y, x, gamma, beta, mean, rstd, mask, activation, rate)


def batch_norm_backward(
    dx: Floats | None,
    dgamma: Floats | None,
    dbeta: Floats | None,
    dy: Floats,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    mean: Doubles,
    rstd: Doubles,
    mask: Bools | None,
    activation: str,
    rate: float,
) -> None:
    inputs = {"dy": dy, "x": x, "gamma": gamma, "beta": beta, "mean": mean, "rstd": rstd, "mask": mask}
    dtype, channels = need_inputs(inputs, x, activation)
    need_out_apart("dx", dx, dtype, x.shape)
    need_out("dgamma", dgamma, dtype, (channels,))
    need_out("dbeta", dbeta, dtype, (channels,))
    refuse_overlap(
        {"dx": dx, "dgamma": dgamma, "dbeta": dbeta},
        inputs,
        in_place=True,
    )

    dz = gradient_of_z(dy, x, gamma, beta, mean, rstd, mask, activation, rate)
    xhat = normalised(x, mean, rstd)
    sum_dz, sum_dz_xhat = gradient_sums(dz, xhat)
    if dgamma is not None:
        dgamma[...] = sum_dz_xhat
    if dbeta is not None:
        dbeta[...] = sum_dz
    if dx is not None:
        input_gradient(dx, dz, xhat, gamma, rstd, sum_dz, sum_dz_xhat, max(x.size // max(channels, 1), 1))


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
    inputs = {"x": x, "gamma": gamma, "beta": beta, "running_mean": running_mean, "running_var": running_var}
    dtype, _ = need_inputs(inputs, x, activation)
    need_out("y", y, dtype, x.shape)
    refuse_overlap({"y": y}, inputs, in_place=True)

    rstd = 1.0 / np.sqrt(running_var.astype(np.float64) + epsilon)
    normalise(y, x, gamma, beta, running_mean.astype(np.float64), rstd, None, activation, 0.0)


def batch_norm_moments(mean: Doubles, m2: Doubles, x: Floats) -> None:
    need_ndim("x", x, 2, 3)
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need_out("mean", mean, FLOAT64, (x.shape[1],))
    need_out("m2", m2, FLOAT64, (x.shape[1],))
    refuse_overlap({"mean": mean, "m2": m2}, {"x": x})

    moments(mean, m2, x)


def combine_moments(mean: Doubles, m2: Doubles, means: Doubles, m2s: Doubles, counts: Integers) -> None:
    need_ndim("means", means, 2)
    parts, channels = means.shape
    need("means", means, FLOAT64, (parts, channels))
    need("m2s", m2s, FLOAT64, (parts, channels))
    need("counts", counts, INT64, (parts,))
    need_out("mean", mean, FLOAT64, (channels,))
    need_out("m2", m2, FLOAT64, (channels,))
    refuse_overlap({"mean": mean, "m2": m2}, {"means": means, "m2s": m2s, "counts": counts})

    mean[...] = 0.0
    m2[...] = 0.0
    total = 0
    for part_mean, part_m2, count in zip(means, m2s, counts.tolist(), strict=True):
        if count:
            delta = part_mean - mean if total else np.zeros_like(mean)
            share = count / (total + count)
            mean += delta * share if total else part_mean
            m2 += part_m2 + delta**2 * (total * share)
            total += count


def batch_norm_statistics(
    rstd: Doubles,
    running_mean: Floats | None,
    running_var: Floats | None,
    mean: Doubles,
    m2: Doubles,
    count: int,
    momentum: float,
    epsilon: float,
    unbiased: bool,
) -> None:
    need_ndim("mean", mean, 1)
    if running_mean is not None:
        dtype = float_dtype("running_mean", running_mean)
    elif running_var is not None:
        dtype = float_dtype("running_var", running_var)
    else:
        dtype = float_dtype("mean", mean)
    need("mean", mean, FLOAT64, mean.shape)
    need("m2", m2, FLOAT64, mean.shape)
    need_out("rstd", rstd, FLOAT64, mean.shape)
    need_out("running_mean", running_mean, dtype, mean.shape)
    need_out("running_var", running_var, dtype, mean.shape)
    refuse_overlap({"rstd": rstd, "running_mean": running_mean, "running_var": running_var}, {"mean": mean, "m2": m2})

    statistics(rstd, running_mean, running_var, mean, m2, count, momentum, epsilon, unbiased)


def batch_norm_apply(
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
    inputs = {"x": x, "gamma": gamma, "beta": beta, "mean": mean, "rstd": rstd, "mask": mask}
    dtype, _ = need_inputs(inputs, x, activation)
    need_out("y", y, dtype, x.shape)
    refuse_overlap({"y": y}, inputs, in_place=True)

    normalise(y, x, gamma, beta, mean, rstd, mask, activation, rate)


def batch_norm_backward_sums(
    sum_dz: Doubles,
    sum_dz_xhat: Doubles,
    dy: Floats,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    mean: Doubles,
    rstd: Doubles,
    mask: Bools | None,
    activation: str,
    rate: float,
) -> None:
    inputs = {"dy": dy, "x": x, "gamma": gamma, "beta": beta, "mean": mean, "rstd": rstd, "mask": mask}
    _, channels = need_inputs(inputs, x, activation)
    need_out("sum_dz", sum_dz, FLOAT64, (channels,))
    need_out("sum_dz_xhat", sum_dz_xhat, FLOAT64, (channels,))
    refuse_overlap(
        {"sum_dz": sum_dz, "sum_dz_xhat": sum_dz_xhat},
        inputs,
    )

    dz = gradient_of_z(dy, x, gamma, beta, mean, rstd, mask, activation, rate)
    sum_dz[...], sum_dz_xhat[...] = gradient_sums(dz, normalised(x, mean, rstd))


def batch_norm_backward_apply(
    dx: Floats,
    dy: Floats,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    mean: Doubles,
    rstd: Doubles,
    sum_dz: Doubles,
    sum_dz_xhat: Doubles,
    mask: Bools | None,
    count: int,
    activation: str,
    rate: float,
) -> None:
    inputs = {"dy": dy, "x": x, "gamma": gamma, "beta": beta, "mean": mean, "rstd": rstd, "mask": mask}
    inputs |= {"sum_dz": sum_dz, "sum_dz_xhat": sum_dz_xhat}
    dtype, _ = need_inputs(inputs, x, activation)
    need_out("dx", dx, dtype, x.shape)
    refuse_overlap({"dx": dx}, inputs, in_place=True)

    dz = gradient_of_z(dy, x, gamma, beta, mean, rstd, mask, activation, rate)
    input_gradient(dx, dz, normalised(x, mean, rstd), gamma, rstd, sum_dz, sum_dz_xhat, max(count, 1))
