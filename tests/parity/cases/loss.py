"""Cases of the operations of ``flyball.backend.loss``."""

import numpy as np

from parity.cases.activation import log_softmax
from parity.cases.table import operation
from parity.tolerances import EXPONENTIAL, LONG


def cross_entropy_arguments(make, rows, columns, hits=True, gradient=True, scale=2.0):
    return {
        "losses": make.doubles(rows),
        "hits": make.doubles(rows) if hits else None,
        "dlogits": make.empty(rows, columns) if gradient else None,
        "logits": make.normal(rows, columns, scale=scale),
        "labels": make.rng.integers(0, columns, rows),
        "scale": 1.0 / max(rows, 1),
    }


@operation(
    cross_entropy_arguments,
    [{}, {"hits": False}, {"gradient": False}, {"scale": 30.0}],
    tolerance=EXPONENTIAL,
    in_place=("dlogits", "logits"),
)
def softmax_cross_entropy(logits, labels, scale, **_):
    log_p = log_softmax(logits)
    one_hot = np.eye(logits.shape[1])[labels]
    return {
        "losses": -np.take_along_axis(log_p, labels[:, None], axis=1)[:, 0],
        "hits": (logits.argmax(axis=1) == labels).astype(float),
        "dlogits": (np.exp(log_p) - one_hot) * scale,
    }


def soft_arguments(make, rows, columns, hits=True, gradient=True):
    arguments = cross_entropy_arguments(make, rows, columns, hits, gradient)
    del arguments["labels"], arguments["scale"]
    targets = make.rng.random((rows, columns))
    targets /= targets.sum(axis=1, keepdims=True)
    return {**arguments, "targets": targets.astype(make.dtype), "scale": 0.5}


@operation(soft_arguments, [{}, {"hits": False}, {"gradient": False}], tolerance=LONG, in_place=("dlogits", "logits"))
def softmax_cross_entropy_soft(logits, targets, scale, **_):
    log_p = log_softmax(logits)
    return {
        "losses": -np.einsum("nc,nc->n", targets, log_p),
        "hits": (logits.argmax(axis=1) == targets.argmax(axis=1)).astype(float),
        "dlogits": (np.exp(log_p) * targets.sum(axis=1, keepdims=True) - targets) * scale,
    }


def squared_error_arguments(make, rows, columns, gradient=True):
    return {
        "losses": make.doubles(rows),
        "dpredictions": make.empty(rows, columns) if gradient else None,
        "predictions": make.normal(rows, columns),
        "targets": make.normal(rows, columns),
        "scale": 1.0 / max(rows, 1),
    }


@operation(squared_error_arguments, [{}, {"gradient": False}], tolerance=LONG, empty=[(0, 5)])
def mean_squared_error(predictions, targets, scale, **_):
    difference = predictions - targets
    columns = predictions.shape[1]
    return {
        "losses": np.einsum("nc,nc->n", difference, difference) / columns,
        "dpredictions": 2 * difference / columns * scale,
    }
