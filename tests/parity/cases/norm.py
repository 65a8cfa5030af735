"""Cases of the operations of ``flyball.backend.norm``."""

import numpy as np

from flyball.backend import keep_probability
from parity.cases.table import activated, operation, to_double
from parity.tolerances import LONG, SHORT


def batch_norm_forward_arguments(
    make, rows, columns, affine=True, running=True, mask=False, unbiased=False, activation="linear", offset=3.0
):
    return {
        "y": make.empty(rows, columns),
        "mean": make.doubles(columns),
        "rstd": make.doubles(columns),
        "running_mean": make.normal(columns) if running else None,
        "running_var": make.positive(columns) if running else None,
        "x": make.normal(rows, columns, offset=offset, scale=2.0),
        "gamma": make.normal(columns) if affine else None,
        "beta": make.normal(columns) if affine else None,
        "mask": make.mask(rows, columns) if mask else None,
        "momentum": 0.9,
        "epsilon": 1e-3,
        "unbiased": unbiased,
        "activation": activation,
        "rate": 0.3 if mask else 0.0,
    }


@operation(
    batch_norm_forward_arguments,
    [
        {},
        {"affine": False, "running": False},
        {"activation": "relu", "unbiased": True},
        {"activation": "relu", "mask": True},
        {"mask": True, "affine": False},
    ],
    least_rows=2,
    tolerance=LONG,
    in_place=("y", "x"),
)
def batch_norm_forward(
    x, gamma, beta, running_mean, running_var, mask, momentum, epsilon, unbiased, activation, rate, **_
):
    rows = len(x)
    mean = np.add.reduce(x, axis=0) / rows
    var = np.add.reduce((x - mean) ** 2, axis=0) / rows
    z = (x - mean) / np.sqrt(var + epsilon)
    z = z if gamma is None else gamma * z + beta
    y = activated(z, activation)
    outputs = {"mean": mean, "rstd": (var + epsilon) ** -0.5}
    outputs["y"] = y if mask is None else np.where(mask, y / keep_probability(rate), 0.0)
    if running_mean is not None:
        outputs["running_mean"] = momentum * running_mean + (1 - momentum) * mean
        outputs["running_var"] = momentum * running_var + (1 - momentum) * var * (rows / (rows - 1) if unbiased else 1)
    return outputs


def batch_norm_backward_arguments(make, rows, columns, affine=True, mask=False, activation="linear", need_dx=True):
    forward = batch_norm_forward_arguments(make, rows, columns, affine, False, mask, activation=activation)
    doubled = {name: to_double(value) for name, value in forward.items()}
    outputs = batch_norm_forward(**doubled)
    return {
        "dx": make.empty(rows, columns) if need_dx else None,
        "dgamma": make.empty(columns) if affine else None,
        "dbeta": make.empty(columns) if affine else None,
        "dy": make.normal(rows, columns),
        "y": outputs["y"].astype(make.dtype),
        "x": forward["x"],
        "gamma": forward["gamma"],
        "beta": forward["beta"],
        "mean": outputs["mean"],
        "rstd": outputs["rstd"],
        "mask": forward["mask"],
        "activation": activation,
        "rate": forward["rate"],
    }


@operation(
    batch_norm_backward_arguments,
    [
        {},
        {"affine": False},
        {"activation": "relu"},
        {"activation": "relu", "mask": True},
        {"mask": True, "need_dx": False},
        {"mask": True},
    ],
    least_rows=2,
    tolerance=LONG,
    in_place=("dx", "dy"),
)
def batch_norm_backward(dy, y, x, gamma, mean, rstd, mask, activation, rate, **_):
    dz = dy if mask is None else np.where(mask, dy / keep_probability(rate), 0.0)
    dz = np.where(y > 0, dz, 0.0) if activation == "relu" else dz
    xhat = (x - mean) * rstd
    dxhat = dz if gamma is None else dz * gamma
    dx = rstd * (dxhat - dxhat.mean(axis=0) - xhat * (dxhat * xhat).mean(axis=0))
    return {"dx": dx, "dgamma": np.einsum("nc,nc->c", dz, xhat), "dbeta": np.einsum("nc->c", dz)}


def batch_norm_inference_arguments(make, rows, columns, affine=True, activation="linear"):
    return {
        "y": make.empty(rows, columns),
        "x": make.normal(rows, columns),
        "gamma": make.normal(columns) if affine else None,
        "beta": make.normal(columns) if affine else None,
        "running_mean": make.normal(columns),
        "running_var": make.positive(columns),
        "epsilon": 1e-3,
        "activation": activation,
    }


@operation(
    batch_norm_inference_arguments,
    [{}, {"affine": False}, {"activation": "relu"}],
    tolerance=SHORT,
    in_place=("y", "x"),
    empty=[(0, 5), (5, 0)],
)
def batch_norm_inference(x, gamma, beta, running_mean, running_var, epsilon, activation, **_):
    z = (x - running_mean) / np.sqrt(running_var + epsilon)
    return {"y": activated(z if gamma is None else gamma * z + beta, activation)}
