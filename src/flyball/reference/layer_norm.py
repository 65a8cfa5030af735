"""Layer, root-mean-square and group normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flyball.reference._arrays import FLOAT64, float_dtype, need, need_ndim, need_out, refuse_overlap
from flyball.reference.norm import centre

if TYPE_CHECKING:
    from flyball.backend.types import Doubles, Floats


def reciprocal_root(squares: Floats, axes: tuple[int, ...], epsilon: float) -> Doubles:
    """Return ``1 / sqrt(mean(squares) + epsilon)``."""
    result: Doubles = 1.0 / np.sqrt(np.mean(squares, axis=axes, dtype=np.float64) + epsilon)
    return result


def scale(values: Floats, rstd: Doubles) -> Floats:
    """Multiply ``values`` in place by what broadcasts with them, rounded to their dtype."""
    values *= rstd.astype(values.dtype, copy=False)
    return values


def mean_of(values: Floats, axes: tuple[int, ...]) -> Floats:
    """Return the mean along ``axes``, found in float64, rounded to the dtype of ``values``."""
    mean: Doubles = np.mean(values, axis=axes, dtype=np.float64, keepdims=True)
    return mean.astype(values.dtype, copy=False)


def layer_norm_forward(
    y: Floats,
    mean: Doubles,
    rstd: Doubles,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    epsilon: float,
) -> None:
    need_ndim("x", x, 2)
    rows, columns = x.shape
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need("gamma", gamma, dtype, (columns,))
    need("beta", beta, dtype, (columns,))
    need_out("y", y, dtype, x.shape)
    need_out("mean", mean, FLOAT64, (rows,))
    need_out("rstd", rstd, FLOAT64, (rows,))
    refuse_overlap({"y": y, "mean": mean, "rstd": rstd}, {"x": x, "gamma": gamma, "beta": beta}, in_place=True)

    np.mean(x, axis=1, dtype=np.float64, out=mean)
    centred = centre(x, mean[:, None])
    rstd[...] = reciprocal_root(np.square(centred), (1,), epsilon)
    y[...] = scale(centred, rstd[:, None])
    if gamma is not None:
        y *= gamma
    if beta is not None:
        y += beta


def layer_norm_backward(
    dx: Floats | None,
    dgamma: Floats | None,
    dbeta: Floats | None,
    dy: Floats,
    x: Floats,
    gamma: Floats | None,
    mean: Doubles,
    rstd: Doubles,
) -> None:
    need_ndim("x", x, 2)
    rows, columns = x.shape
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need("dy", dy, dtype, x.shape)
    need("gamma", gamma, dtype, (columns,))
    need("mean", mean, FLOAT64, (rows,))
    need("rstd", rstd, FLOAT64, (rows,))
    need_out("dx", dx, dtype, x.shape)
    need_out("dgamma", dgamma, dtype, (columns,))
    need_out("dbeta", dbeta, dtype, (columns,))
    refuse_overlap(
        {"dx": dx, "dgamma": dgamma, "dbeta": dbeta},
        {"dy": dy, "x": x, "gamma": gamma, "mean": mean, "rstd": rstd},
        in_place=True,
    )

    xhat = scale(centre(x, mean[:, None]), rstd[:, None])
    if dgamma is not None:
        dgamma[...] = np.sum(dy * xhat, axis=0, dtype=np.float64)
    if dbeta is not None:
        dbeta[...] = np.sum(dy, axis=0, dtype=np.float64)
    if dx is not None:
        g = dy if gamma is None else dy * gamma
        dx[...] = scale(g - mean_of(g, (1,)) - xhat * mean_of(g * xhat, (1,)), rstd[:, None])


def rms_norm_forward(y: Floats, rstd: Doubles, x: Floats, gamma: Floats | None, epsilon: float) -> None:
    need_ndim("x", x, 2)
    rows, columns = x.shape
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need("gamma", gamma, dtype, (columns,))
    need_out("y", y, dtype, x.shape)
    need_out("rstd", rstd, FLOAT64, (rows,))
    refuse_overlap({"y": y, "rstd": rstd}, {"x": x, "gamma": gamma}, in_place=True)

    rstd[...] = reciprocal_root(np.square(x), (1,), epsilon)
    np.multiply(x, rstd[:, None].astype(dtype, copy=False), out=y)
    if gamma is not None:
        y *= gamma


def rms_norm_backward(
    dx: Floats | None, dgamma: Floats | None, dy: Floats, x: Floats, gamma: Floats | None, rstd: Doubles
) -> None:
    need_ndim("x", x, 2)
    rows, columns = x.shape
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need("dy", dy, dtype, x.shape)
    need("gamma", gamma, dtype, (columns,))
    need("rstd", rstd, FLOAT64, (rows,))
    need_out("dx", dx, dtype, x.shape)
    need_out("dgamma", dgamma, dtype, (columns,))
    refuse_overlap({"dx": dx, "dgamma": dgamma}, {"dy": dy, "x": x, "gamma": gamma, "rstd": rstd}, in_place=True)

    xhat = scale(x.copy(), rstd[:, None])
    if dgamma is not None:
        dgamma[...] = np.sum(dy * xhat, axis=0, dtype=np.float64)
    if dx is not None:
        g = dy if gamma is None else dy * gamma
        dx[...] = scale(g - xhat * mean_of(g * xhat, (1,)), rstd[:, None])


def groups_of(x: Floats, mean: Doubles, channels_last: bool) -> int:
    """Return the number of groups; refuse one that does not divide the channels."""
    channels = x.shape[2 if channels_last else 1]
    groups: int = mean.shape[1]
    if 0 < groups <= channels and channels % groups == 0:
        return groups
    msg = f"mean must have shape (N, G) with G a divisor of the {channels} channels of x, got shape {mean.shape}"
    raise ValueError(msg)


def grouped(x: Floats, groups: int, channels_last: bool) -> tuple[tuple[int, ...], tuple[int, int]]:
    """Return the shape in which an axis of ``x`` is the groups', and the axes of a group."""
    if channels_last:
        return (*x.shape[:2], groups, x.shape[2] // groups), (1, 3)
    return (x.shape[0], groups, x.shape[1] // groups, x.shape[2]), (2, 3)


def group_norm_forward(
    y: Floats,
    mean: Doubles,
    rstd: Doubles,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    channels_last: bool,
    epsilon: float,
) -> None:
    need_ndim("x", x, 3)
    need_ndim("mean", mean, 2)
    groups = groups_of(x, mean, channels_last)
    channels = (x.shape[2 if channels_last else 1],)
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need("gamma", gamma, dtype, channels)
    need("beta", beta, dtype, channels)
    need_out("y", y, dtype, x.shape)
    need_out("mean", mean, FLOAT64, (len(x), groups))
    need_out("rstd", rstd, FLOAT64, (len(x), groups))
    refuse_overlap({"y": y, "mean": mean, "rstd": rstd}, {"x": x, "gamma": gamma, "beta": beta}, in_place=True)

    shape, axes = grouped(x, groups, channels_last)
    values = x.reshape(shape)
    np.mean(values, axis=axes, dtype=np.float64, out=mean)
    centred = centre(values, np.expand_dims(mean, axes))
    rstd[...] = reciprocal_root(np.square(centred), axes, epsilon)
    y[...] = scale(centred, np.expand_dims(rstd, axes)).reshape(x.shape)
    if gamma is not None:
        y *= gamma if channels_last else gamma[:, None]
    if beta is not None:
        y += beta if channels_last else beta[:, None]


def group_norm_backward(
    dx: Floats | None,
    dgamma: Floats | None,
    dbeta: Floats | None,
    dy: Floats,
    x: Floats,
    gamma: Floats | None,
    mean: Doubles,
    rstd: Doubles,
    channels_last: bool,
) -> None:
    need_ndim("x", x, 3)
    need_ndim("mean", mean, 2)
    groups = groups_of(x, mean, channels_last)
    channels = (x.shape[2 if channels_last else 1],)
    dtype = float_dtype("x", x)
    need("x", x, dtype, x.shape)
    need("dy", dy, dtype, x.shape)
    need("gamma", gamma, dtype, channels)
    need("mean", mean, FLOAT64, (len(x), groups))
    need("rstd", rstd, FLOAT64, (len(x), groups))
    need_out("dx", dx, dtype, x.shape)
    need_out("dgamma", dgamma, dtype, channels)
    need_out("dbeta", dbeta, dtype, channels)
    refuse_overlap(
        {"dx": dx, "dgamma": dgamma, "dbeta": dbeta},
        {"dy": dy, "x": x, "gamma": gamma, "mean": mean, "rstd": rstd},
        in_place=True,
    )

    shape, axes = grouped(x, groups, channels_last)
    wide_rstd = np.expand_dims(rstd, axes)
    xhat = scale(centre(x.reshape(shape), np.expand_dims(mean, axes)), wide_rstd)
    others = (0, 1) if channels_last else (0, 2)
    if dgamma is not None:
        dgamma[...] = np.sum(dy * xhat.reshape(x.shape), axis=others, dtype=np.float64)
    if dbeta is not None:
        dbeta[...] = np.sum(dy, axis=others, dtype=np.float64)
    if dx is not None:
        weighted = dy if gamma is None else dy * (gamma if channels_last else gamma[:, None])
        g = weighted.reshape(shape)
        result = scale(g - mean_of(g, axes) - xhat * mean_of(g * xhat, axes), wide_rstd)
        dx[...] = result.reshape(x.shape)
