"""Cases of the operations of ``flyball.backend.activation``."""

import numpy as np

from parity.cases.table import operation
from parity.tolerances import EXACT, EXPONENTIAL, LONG


def forward_arguments(make, rows, columns, scale=2.0):
    return {"y": make.empty(rows, columns), "x": make.normal(rows, columns, scale=scale)}


def relu_backward_arguments(make, rows, columns):
    return {
        "dx": make.empty(rows, columns),
        "dy": make.normal(rows, columns),
        "y": np.maximum(make.normal(rows, columns), 0),
    }


def softmax_backward_arguments(make, rows, columns):
    probabilities = softmax_forward(make.normal(rows, columns).astype(np.float64))["y"].astype(make.dtype)
    return {"dx": make.empty(rows, columns), "dy": make.normal(rows, columns), "y": probabilities}


def log_softmax(x):
    return x - np.logaddexp.reduce(x, axis=1, keepdims=True)


@operation(forward_arguments, tolerance=EXACT, in_place=("y", "x"), empty=[(0, 5), (5, 0)])
def relu_forward(x, **_):
    return {"y": np.where(x > 0, x, 0.0)}


@operation(relu_backward_arguments, tolerance=EXACT, in_place=("dx", "dy"), empty=[(0, 5), (5, 0)])
def relu_backward(dy, y, **_):
    return {"dx": np.where(y > 0, dy, 0.0)}


@operation(forward_arguments, [{}, {"scale": 30.0}], tolerance=EXPONENTIAL, in_place=("y", "x"), empty=[(0, 5)])
def softmax_forward(x, **_):
    return {"y": np.exp(log_softmax(x))}


@operation(softmax_backward_arguments, tolerance=LONG, in_place=("dx", "dy"), empty=[(0, 5)])
def softmax_backward(dy, y, **_):
    return {"dx": y * dy - y * np.einsum("nc,nc->n", dy, y)[:, None]}
