"""Cases of layer, RMS and group normalisation, operations of ``flyball.backend.norm``."""

import numpy as np

from parity.cases.table import operation
from parity.tolerances import LONG

EPSILON = 0.01
"""Large enough that rows of one element, whose gradient is a difference of equal numbers, keep their digits."""


def layer_norm_forward_arguments(make, rows, columns, gamma=True, beta=True):
    return {
        "y": make.empty(rows, columns),
        "mean": make.doubles(rows),
        "rstd": make.doubles(rows),
        "x": make.normal(rows, columns, offset=3.0, scale=2.0),
        "gamma": make.normal(columns) if gamma else None,
        "beta": make.normal(columns) if beta else None,
        "epsilon": EPSILON,
    }


def affine(xhat, gamma, beta):
    y = xhat if gamma is None else gamma * xhat
    return y if beta is None else y + beta


def statistics(x, axes):
    mean = x.mean(axis=axes, keepdims=True)
    return mean, (((x - mean) ** 2).mean(axis=axes, keepdims=True) + EPSILON) ** -0.5


@operation(
    layer_norm_forward_arguments,
    [{"gamma": False, "beta": False}, {"gamma": False}, {"beta": False}, {}],
    tolerance=LONG,
    in_place=("y", "x"),
    empty=[(0, 5)],
)
def layer_norm_forward(x, gamma, beta, **_):
    mean, rstd = statistics(x, (1,))
    return {"y": affine((x - mean) * rstd, gamma, beta), "mean": mean[:, 0], "rstd": rstd[:, 0]}


def layer_norm_backward_arguments(make, rows, columns, gamma=True, beta=True, need_dx=True):
    x = make.normal(rows, columns, offset=3.0, scale=2.0)
    mean, rstd = statistics(x.astype(np.float64), (1,))
    return {
        "dx": make.empty(rows, columns) if need_dx else None,
        "dgamma": make.empty(columns) if gamma else None,
        "dbeta": make.empty(columns) if beta else None,
        "dy": make.normal(rows, columns),
        "x": x,
        "gamma": make.normal(columns) if gamma else None,
        "mean": mean[:, 0].copy(),
        "rstd": rstd[:, 0].copy(),
    }


def input_gradient(g, xhat, rstd, axes):
    return rstd * (g - g.mean(axis=axes, keepdims=True) - xhat * (g * xhat).mean(axis=axes, keepdims=True))


@operation(
    layer_norm_backward_arguments,
    [{"gamma": False}, {"gamma": False, "beta": False}, {"need_dx": False}, {}],
    tolerance=LONG,
    in_place=("dx", "dy"),
    empty=[(0, 5)],
)
def layer_norm_backward(dy, x, gamma, mean, rstd, **_):
    rstd = rstd[:, None]
    xhat = (x - mean[:, None]) * rstd
    dx = input_gradient(affine(dy, gamma, None), xhat, rstd, (1,))
    return {"dx": dx, "dgamma": (dy * xhat).sum(axis=0), "dbeta": dy.sum(axis=0)}


def rms_norm_forward_arguments(make, rows, columns, gamma=True):
    whole = layer_norm_forward_arguments(make, rows, columns, gamma)
    return {name: whole[name] for name in ("y", "rstd", "x", "gamma", "epsilon")}


@operation(rms_norm_forward_arguments, [{"gamma": False}, {}], tolerance=LONG, in_place=("y", "x"), empty=[(0, 5)])
def rms_norm_forward(x, gamma, **_):
    rstd = ((x**2).mean(axis=1) + EPSILON) ** -0.5
    return {"y": affine(x * rstd[:, None], gamma, None), "rstd": rstd}


def rms_norm_backward_arguments(make, rows, columns, gamma=True, need_dx=True):
    whole = layer_norm_backward_arguments(make, rows, columns, gamma, False, need_dx)
    whole["rstd"] = ((whole["x"].astype(np.float64) ** 2).mean(axis=1) + EPSILON) ** -0.5
    return {name: whole[name] for name in ("dx", "dgamma", "dy", "x", "gamma", "rstd")}


@operation(
    rms_norm_backward_arguments,
    [{"gamma": False}, {"need_dx": False}, {}],
    tolerance=LONG,
    in_place=("dx", "dy"),
    empty=[(0, 5)],
)
def rms_norm_backward(dy, x, gamma, rstd, **_):
    rstd = rstd[:, None]
    g = affine(dy, gamma, None)
    dx = rstd * (g - x * rstd * (g * x * rstd).mean(axis=1, keepdims=True))
    return {"dx": dx, "dgamma": (dy * x * rstd).sum(axis=0)}


# --- groups: `rows` is the extent S, `columns` the channels of a group ---


def group_shape(rows, columns, samples, groups, channels_last):
    channels = groups * columns
    return (samples, rows, channels) if channels_last else (samples, channels, rows)


def grouped(x, groups, channels_last):
    """x with an axis of groups, and the axes of a group."""
    if channels_last:
        return x.reshape(*x.shape[:2], groups, -1), (1, 3)
    return x.reshape(len(x), groups, -1, x.shape[2]), (2, 3)


def group_norm_forward_arguments(make, rows, columns, samples=2, groups=3, channels_last=False, with_affine=True):
    return {
        "y": make.empty(*group_shape(rows, columns, samples, groups, channels_last)),
        "mean": make.doubles(samples, groups),
        "rstd": make.doubles(samples, groups),
        "x": make.normal(*group_shape(rows, columns, samples, groups, channels_last), offset=3.0, scale=2.0),
        "gamma": make.normal(groups * columns) if with_affine else None,
        "beta": make.normal(groups * columns) if with_affine else None,
        "channels_last": channels_last,
        "epsilon": EPSILON,
    }


def of_channels(values, channels_last):
    return values if values is None or channels_last else values[:, None]


@operation(
    group_norm_forward_arguments,
    [
        {"channels_last": True},
        {"channels_last": True, "groups": 1, "samples": 1},
        {"groups": 1, "samples": 1},
        {"with_affine": False},
        {},
    ],
    tolerance=LONG,
    in_place=("y", "x"),
)
def group_norm_forward(x, mean, gamma, beta, channels_last, **_):
    values, axes = grouped(x, mean.shape[1], channels_last)
    average, rstd = statistics(values, axes)
    y = ((values - average) * rstd).reshape(x.shape)
    y = affine(y, of_channels(gamma, channels_last), of_channels(beta, channels_last))
    return {"y": y, "mean": average.reshape(mean.shape), "rstd": rstd.reshape(mean.shape)}


def group_norm_backward_arguments(
    make, rows, columns, samples=2, groups=3, channels_last=False, with_affine=True, need_dx=True
):
    shape = group_shape(rows, columns, samples, groups, channels_last)
    x = make.normal(*shape, offset=3.0, scale=2.0)
    values, axes = grouped(x.astype(np.float64), groups, channels_last)
    mean, rstd = statistics(values, axes)
    channels = groups * columns
    return {
        "dx": make.empty(*shape) if need_dx else None,
        "dgamma": make.empty(channels) if with_affine else None,
        "dbeta": make.empty(channels) if with_affine else None,
        "dy": make.normal(*shape),
        "x": x,
        "gamma": make.normal(channels) if with_affine else None,
        "mean": mean.reshape(samples, groups).copy(),
        "rstd": rstd.reshape(samples, groups).copy(),
        "channels_last": channels_last,
    }


@operation(
    group_norm_backward_arguments,
    [
        {"channels_last": True},
        {"channels_last": True, "groups": 1, "samples": 1},
        {"groups": 1, "samples": 1},
        {"with_affine": False},
        {"need_dx": False},
        {},
    ],
    tolerance=LONG,
    in_place=("dx", "dy"),
)
def group_norm_backward(dy, x, gamma, mean, rstd, channels_last, **_):
    values, axes = grouped(x, mean.shape[1], channels_last)
    rstd = np.expand_dims(rstd, axes)
    xhat = (values - np.expand_dims(mean, axes)) * rstd
    g = affine(dy, of_channels(gamma, channels_last), None).reshape(values.shape)
    others = (0, 1) if channels_last else (0, 2)
    return {
        "dx": input_gradient(g, xhat, rstd, axes).reshape(x.shape),
        "dgamma": (dy * xhat.reshape(x.shape)).sum(axis=others),
        "dbeta": dy.sum(axis=others),
    }
