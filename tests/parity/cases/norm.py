"""Cases of the operations of ``flyball.backend.norm``."""

import numpy as np

from flyball.backend import keep_probability
from parity.cases.table import activated, operation, to_double
from parity.tolerances import LONG, SHORT


def shape_of(rows, columns, samples=None):
    """(N, C), or with a number of samples (N, C, S)."""
    return (rows, columns) if samples is None else (samples, columns, rows)


def others(x):
    """All axes but the channels'."""
    return (0,) if x.ndim == 2 else (0, 2)


def along(values, x):
    """A channel's values, to broadcast with x."""
    return values if values is None or x.ndim == 2 else values[:, None]


def mean_of(x):
    return np.add.reduce(x, axis=others(x)) * (x.shape[1] / x.size)


def batch_norm_forward_arguments(
    make,
    rows,
    columns,
    samples=None,
    affine=True,
    running=True,
    mask=False,
    unbiased=False,
    activation="linear",
    offset=3.0,
):
    shape = shape_of(rows, columns, samples)
    return {
        "y": make.empty(*shape),
        "mean": make.doubles(columns),
        "rstd": make.doubles(columns),
        "running_mean": make.normal(columns) if running else None,
        "running_var": make.positive(columns) if running else None,
        "x": make.normal(*shape, offset=offset, scale=2.0),
        "gamma": make.normal(columns) if affine else None,
        "beta": make.normal(columns) if affine else None,
        "mask": make.mask(*shape) if mask else None,
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
        {"samples": 2},
        {"samples": 5, "activation": "relu", "mask": True, "affine": False},
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
    count = x.size // x.shape[1]
    mean = mean_of(x)
    var = mean_of((x - along(mean, x)) ** 2)
    z = (x - along(mean, x)) / along(np.sqrt(var + epsilon), x)
    z = z if gamma is None else along(gamma, x) * z + along(beta, x)
    y = activated(z, activation)
    outputs = {"mean": mean, "rstd": (var + epsilon) ** -0.5}
    outputs["y"] = y if mask is None else np.where(mask, y / keep_probability(rate), 0.0)
    if running_mean is not None:
        outputs["running_mean"] = momentum * running_mean + (1 - momentum) * mean
        outputs["running_var"] = momentum * running_var + (1 - momentum) * var * (
            count / (count - 1) if unbiased else 1
        )
    return outputs


def batch_norm_backward_arguments(
    make, rows, columns, samples=None, affine=True, mask=False, activation="linear", need_dx=True
):
    forward = batch_norm_forward_arguments(make, rows, columns, samples, affine, False, mask, activation=activation)
    shape = forward["x"].shape
    doubled = {name: to_double(value) for name, value in forward.items()}
    outputs = batch_norm_forward(**doubled)
    statistics = {name: outputs[name] for name in ("mean", "rstd")}
    dy = make.normal(*shape)
    return {
        "dx": make.empty(*shape) if need_dx else None,
        "dgamma": make.empty(columns) if affine else None,
        "dbeta": make.empty(columns) if affine else None,
        "dy": where_decided(dy, **(doubled | statistics)),
        "x": forward["x"],
        "gamma": forward["gamma"],
        "beta": forward["beta"],
        **statistics,
        "mask": forward["mask"],
        "activation": activation,
        "rate": forward["rate"],
    }


@operation(
    batch_norm_backward_arguments,
    [
        {},
        {"affine": False},
        {"samples": 2, "activation": "relu", "mask": True},
        {"samples": 5, "mask": True},
        {"activation": "relu"},
        {"activation": "relu", "mask": True},
        {"mask": True, "need_dx": False},
        {"mask": True},
    ],
    least_rows=2,
    tolerance=LONG,
    in_place=("dx", "dy"),
)
def batch_norm_backward(x, **given):
    sums = batch_norm_backward_sums(x=x, **given)
    dx = batch_norm_backward_apply(x=x, **given, **sums, count=x.size // x.shape[1])
    return {**dx, "dgamma": sums["sum_dz_xhat"], "dbeta": sums["sum_dz"]}


def batch_norm_inference_arguments(make, rows, columns, samples=None, affine=True, activation="linear"):
    shape = shape_of(rows, columns, samples)
    return {
        "y": make.empty(*shape),
        "x": make.normal(*shape),
        "gamma": make.normal(columns) if affine else None,
        "beta": make.normal(columns) if affine else None,
        "running_mean": make.normal(columns),
        "running_var": make.positive(columns),
        "epsilon": 1e-3,
        "activation": activation,
    }


@operation(
    batch_norm_inference_arguments,
    [{}, {"affine": False}, {"samples": 3}, {"activation": "relu"}],
    tolerance=SHORT,
    in_place=("y", "x"),
    empty=[(0, 5), (5, 0)],
)
def batch_norm_inference(x, gamma, beta, running_mean, running_var, epsilon, activation, **_):
    z = (x - along(running_mean, x)) / along(np.sqrt(running_var + epsilon), x)
    return {"y": activated(z if gamma is None else along(gamma, x) * z + along(beta, x), activation)}


# --- steps ---


def batch_norm_moments_arguments(make, rows, columns, samples=None):
    shape = shape_of(rows, columns, samples)
    return {"mean": make.doubles(columns), "m2": make.doubles(columns), "x": make.normal(*shape, offset=3.0)}


@operation(
    batch_norm_moments_arguments,
    [{"samples": 2}, {"samples": 5}, {}],
    tolerance=LONG,
    empty=[(0, 5), (5, 0)],
)
def batch_norm_moments(x, **_):
    mean = mean_of(x) if x.size else np.zeros(x.shape[1])
    return {"mean": mean, "m2": np.add.reduce((x - along(mean, x)) ** 2, axis=others(x))}


def combine_moments_arguments(make, rows, columns):
    return {
        "mean": make.doubles(columns),
        "m2": make.doubles(columns),
        "means": make.rng.standard_normal((rows, columns)),
        "m2s": make.rng.random((rows, columns)),
        "counts": make.rng.integers(0, 100, rows),
    }


@operation(combine_moments_arguments, tolerance=LONG, empty=[(0, 5), (5, 0)])
def combine_moments(means, m2s, counts, **_):
    total = max(counts.sum(), 1)
    mean = (counts[:, None] * means).sum(axis=0) / total
    return {"mean": mean, "m2": ((m2s + counts[:, None] * (means - mean) ** 2) * (counts > 0)[:, None]).sum(axis=0)}


def batch_norm_statistics_arguments(make, rows, columns, running=True, unbiased=False):
    return {
        "rstd": make.doubles(columns),
        "running_mean": make.normal(columns) if running else None,
        "running_var": make.positive(columns) if running else None,
        "mean": make.rng.standard_normal(columns),
        "m2": make.rng.random(columns),
        "count": rows,
        "momentum": 0.9,
        "epsilon": 1e-3,
        "unbiased": unbiased,
    }


@operation(
    batch_norm_statistics_arguments,
    [{"running": False}, {"unbiased": True}, {}],
    least_rows=2,
    tolerance=SHORT,
    empty=[(5, 0)],
)
def batch_norm_statistics(running_mean, running_var, mean, m2, count, momentum, epsilon, unbiased, **_):
    outputs = {"rstd": (m2 / count + epsilon) ** -0.5}
    if running_mean is not None:
        outputs["running_mean"] = momentum * running_mean + (1 - momentum) * mean
        outputs["running_var"] = momentum * running_var + (1 - momentum) * m2 / (count - unbiased)
    return outputs


def batch_norm_apply_arguments(make, rows, columns, **options):
    forward = batch_norm_forward_arguments(make, rows, columns, running=False, **options)
    kept = ("y", "x", "gamma", "beta", "mask", "activation", "rate")
    statistics = {"mean": make.rng.standard_normal(columns), "rstd": 0.5 + make.rng.random(columns)}
    return {name: forward[name] for name in kept} | statistics


@operation(
    batch_norm_apply_arguments,
    [{"samples": 3, "activation": "relu"}, {"affine": False}, {"mask": True, "activation": "relu"}],
    tolerance=SHORT,
    in_place=("y", "x"),
    empty=[(0, 5), (5, 0)],
)
def batch_norm_apply(x, gamma, beta, mean, rstd, mask, activation, rate, **_):
    y = activated(z_of(x, gamma, beta, mean, rstd), activation)
    return {"y": y if mask is None else np.where(mask, y / keep_probability(rate), 0.0)}


def z_of(x, gamma, beta, mean, rstd):
    """What the activation is given."""
    xhat = (x - along(mean, x)) * along(rstd, x)
    return xhat if gamma is None else along(gamma, x) * xhat + along(beta, x)


def where_decided(dy, x, gamma, beta, mean, rstd, activation, **_):
    """The gradient, but 0 where rounding decides whether ReLU is open."""
    undecided = (activation == "relu") & (abs(z_of(x, gamma, beta, mean, rstd)) < 1e-5)
    return np.where(undecided, 0, dy).astype(dy.dtype)


def gradient_of_z(dy, x, gamma, beta, mean, rstd, mask, activation, rate):
    dz = dy if mask is None else np.where(mask, dy / keep_probability(rate), 0.0)
    return np.where(z_of(x, gamma, beta, mean, rstd) > 0, dz, 0.0) if activation == "relu" else dz


def batch_norm_backward_sums_arguments(make, rows, columns, **options):
    whole = batch_norm_backward_arguments(make, rows, columns, **options)
    sums = {"sum_dz": make.doubles(columns), "sum_dz_xhat": make.doubles(columns)}
    return sums | {name: value for name, value in whole.items() if name not in ("dx", "dgamma", "dbeta")}


@operation(
    batch_norm_backward_sums_arguments,
    [{"samples": 3, "activation": "relu"}, {"affine": False}, {"mask": True, "activation": "relu"}],
    least_rows=2,
    tolerance=LONG,
)
def batch_norm_backward_sums(dy, x, gamma, beta, mean, rstd, mask, activation, rate, **_):
    dz = gradient_of_z(dy, x, gamma, beta, mean, rstd, mask, activation, rate)
    xhat = (x - along(mean, x)) * along(rstd, x)
    return {"sum_dz": dz.sum(axis=others(x)), "sum_dz_xhat": (dz * xhat).sum(axis=others(x))}


def batch_norm_backward_apply_arguments(make, rows, columns, **options):
    whole = batch_norm_backward_arguments(make, rows, columns, **options)
    for name in ("sum_dz", "sum_dz_xhat"):
        whole[name] = make.rng.standard_normal(columns) * rows
    whole["count"] = 2 * rows
    return {name: value for name, value in whole.items() if name not in ("dgamma", "dbeta")}


@operation(
    batch_norm_backward_apply_arguments,
    [{"samples": 3, "activation": "relu"}, {"affine": False}, {"mask": True, "activation": "relu"}],
    least_rows=2,
    tolerance=LONG,
    in_place=("dx", "dy"),
)
def batch_norm_backward_apply(dy, x, gamma, beta, mean, rstd, sum_dz, sum_dz_xhat, mask, count, activation, rate, **_):
    dz = gradient_of_z(dy, x, gamma, beta, mean, rstd, mask, activation, rate)
    xhat = (x - along(mean, x)) * along(rstd, x)
    dx = along(rstd, x) * (dz - along(sum_dz, x) / count - xhat * along(sum_dz_xhat, x) / count)
    return {"dx": dx if gamma is None else along(gamma, x) * dx}
