"""Cases of the operations of ``flyball.backend.activation``."""

import numpy as np

from flyball.backend import ACTIVATIONS, ALPHAS
from parity.cases.table import activated, derivative, operation
from parity.tolerances import ELEMENTARY, EXPONENTIAL, LONG, SHORT


def forward_arguments(make, rows, columns, scale=2.0):
    return {"y": make.empty(rows, columns), "x": make.normal(rows, columns, scale=scale)}


VARIANTS = [{"activation": name} for name in ACTIVATIONS] + [
    {"activation": "leaky_relu", "alpha": 0.0},
    {"activation": "elu", "alpha": 0.7},
    *({"activation": name, "scale": 30.0} for name in ("gelu", "gelu_tanh", "silu", "softplus", "mish", "tanh")),
]


def activation_arguments(make, rows, columns, activation="gelu", alpha=None, scale=2.0):
    alpha = ALPHAS.get(activation, 0.3) if alpha is None else alpha
    return {**forward_arguments(make, rows, columns, scale), "activation": activation, "alpha": alpha}


def backward_arguments(make, rows, columns, activation="gelu", alpha=None, scale=2.0):
    given = activation_arguments(make, rows, columns, activation, alpha, scale)
    x = given.pop("x")
    y = activated(x.astype(np.float64), activation, given["alpha"]).astype(make.dtype)
    source = ACTIVATIONS[activation]
    # What is not needed is given in odd variants: ignored, not refused.
    spare = len(activation) % 2 == 1
    return {
        **given,
        "dx": make.empty(rows, columns),
        "dy": make.normal(rows, columns),
        "x": x if source == "x" or spare else None,
        "y": y if source == "y" or spare else None,
    }


RELUS = [
    {},
    {"max_value": 1.5},
    {"negative_slope": 0.3},
    {"threshold": 0.5},
    {"negative_slope": 0.3, "max_value": 1.5, "threshold": 0.5},
    {"negative_slope": 0.3, "max_value": 0.25, "threshold": 0.5},  # below the threshold
    {"negative_slope": 0.3, "max_value": 0.0},
]


def relu_arguments(make, rows, columns, negative_slope=0.0, threshold=0.0, max_value=np.inf):
    given = forward_arguments(make, rows, columns)
    given["x"][:, ::5] = threshold  # where it jumps
    return {**given, "negative_slope": negative_slope, "threshold": threshold, "max_value": max_value}


def relu_backward_arguments(make, rows, columns, **options):
    given = relu_arguments(make, rows, columns, **options)
    del given["y"]
    return {**given, "dx": make.empty(rows, columns), "dy": make.normal(rows, columns)}


def prelu_arguments(make, rows, columns):
    return {**forward_arguments(make, rows, columns), "alpha": make.normal(columns)}


def prelu_backward_arguments(make, rows, columns, without=()):
    given = prelu_arguments(make, rows, columns)
    del given["y"]
    given |= {"dx": make.empty(rows, columns), "dalpha": make.empty(columns), "dy": make.normal(rows, columns)}
    return given | dict.fromkeys(without)


def softmax_backward_arguments(make, rows, columns):
    probabilities = softmax_forward(make.normal(rows, columns).astype(np.float64))["y"].astype(make.dtype)
    return {"dx": make.empty(rows, columns), "dy": make.normal(rows, columns), "y": probabilities}


def log_softmax(x):
    return x - np.logaddexp.reduce(x, axis=1, keepdims=True)


@operation(activation_arguments, VARIANTS, tolerance=ELEMENTARY, in_place=("y", "x"), empty=[(0, 5), (5, 0)])
def activation_forward(x, activation, alpha, **_):
    return {"y": activated(x, activation, alpha)}


@operation(backward_arguments, VARIANTS, tolerance=ELEMENTARY, in_place=("dx", "dy"), empty=[(0, 5), (5, 0)])
def activation_backward(dy, x, y, activation, alpha, **_):
    return {"dx": dy * derivative(x, y, activation, alpha)}


@operation(relu_arguments, RELUS, tolerance=SHORT, in_place=("y", "x"), empty=[(0, 5), (5, 0)])
def relu_forward(x, negative_slope, threshold, max_value, **_):
    return {"y": np.where(x > threshold, np.minimum(x, max_value), negative_slope * (x - threshold))}


@operation(relu_backward_arguments, RELUS, tolerance=SHORT, in_place=("dx", "dy"), empty=[(0, 5), (5, 0)])
def relu_backward(dy, x, negative_slope, threshold, max_value, **_):
    return {"dx": dy * np.where(x > threshold, x < max_value, negative_slope)}


@operation(prelu_arguments, tolerance=SHORT, in_place=("y", "x"), empty=[(0, 5), (5, 0)])
def prelu_forward(x, alpha, **_):
    return {"y": np.maximum(x, 0.0) + alpha * np.minimum(x, 0.0)}


@operation(
    prelu_backward_arguments,
    [{}, {"without": ("dx",)}, {"without": ("dalpha",)}],
    tolerance=LONG,
    in_place=("dx", "dy"),
    empty=[(0, 5), (5, 0)],
)
def prelu_backward(dy, x, alpha, **_):
    return {"dx": dy * np.where(x > 0.0, 1.0, alpha), "dalpha": np.einsum("nc,nc->c", dy, np.minimum(x, 0.0))}


@operation(forward_arguments, [{}, {"scale": 30.0}], tolerance=EXPONENTIAL, in_place=("y", "x"), empty=[(0, 5)])
def softmax_forward(x, **_):
    return {"y": np.exp(log_softmax(x))}


@operation(softmax_backward_arguments, tolerance=LONG, in_place=("dx", "dy"), empty=[(0, 5)])
def softmax_backward(dy, y, **_):
    return {"dx": y * dy - y * np.einsum("nc,nc->n", dy, y)[:, None]}


@operation(forward_arguments, [{}, {"scale": 30.0}], tolerance=LONG, in_place=("y", "x"), empty=[(0, 5)])
def log_softmax_forward(x, **_):
    return {"y": log_softmax(x)}


def log_softmax_backward_arguments(make, rows, columns):
    y = log_softmax(make.normal(rows, columns).astype(np.float64)).astype(make.dtype)
    return {"dx": make.empty(rows, columns), "dy": make.normal(rows, columns), "y": y}


@operation(log_softmax_backward_arguments, tolerance=LONG, in_place=("dx", "dy"), empty=[(0, 5)])
def log_softmax_backward(dy, y, **_):
    return {"dx": dy - np.exp(y) * dy.sum(axis=1, keepdims=True)}


def activity_penalty_arguments(make, rows, columns, l1=0.01, l2=0.02):
    x = make.normal(rows, columns)
    x[:, ::3] = 0.0
    return {"total": np.array([2.0]), "x": x, "l1": l1, "l2": l2}


@operation(
    activity_penalty_arguments,
    [{}, {"l1": 0.0}, {"l2": 0.0}],
    tolerance=SHORT,
    empty=[(0, 5)],
)
def activity_penalty(total, x, l1, l2):
    return {"total": total + l1 * np.abs(x).sum() + l2 / 2 * np.sum(x**2)}


def activity_penalty_backward_arguments(make, rows, columns, **options):
    made = activity_penalty_arguments(make, rows, columns, **options)
    del made["total"]
    return {"dx": make.empty(rows, columns), "dy": make.normal(rows, columns), **made, "scale": 0.25}


@operation(
    activity_penalty_backward_arguments,
    [{}, {"l1": 0.0}, {"l2": 0.0}],
    tolerance=SHORT,
    in_place=("dx", "dy"),
    empty=[(0, 5)],
)
def activity_penalty_backward(dy, x, l1, l2, scale, **_):
    return {"dx": dy + scale * (l1 * np.sign(x) + l2 * x)}
