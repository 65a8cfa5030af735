"""Cases of the operations of ``flyball.backend.update``."""

import numpy as np

from parity.cases.table import operation
from parity.tolerances import SHORT

PENALTIES = {"l1": 0.01, "l2": 0.02, "weight_decay": 0.1}
NO_PENALTIES = {"l1": 0.0, "l2": 0.0, "weight_decay": 0.0}


def sgd_arguments(make, rows, columns, momentum=0.9, nesterov=False, penalties=NO_PENALTIES, total=True):
    count = rows * columns
    return {
        "w": make.normal(count),
        "velocity": make.normal(count) if momentum else None,
        "penalty": np.array([2.0]) if total else None,
        "g": make.normal(count),
        "learning_rate": 0.1,
        "momentum": momentum,
        "nesterov": nesterov,
        **penalties,
    }


def penalised(w, penalty, g, l1, l2):
    outputs = {} if penalty is None else {"penalty": penalty + np.sum(l1 * np.abs(w) + l2 / 2 * w**2)}
    return g + l1 * np.sign(w) + l2 * w, outputs


@operation(
    sgd_arguments,
    [
        {"momentum": 0.0},
        {},
        {"nesterov": True},
        {"penalties": PENALTIES},
        {"momentum": 0.0, "penalties": PENALTIES, "total": False},
        {"nesterov": True, "penalties": PENALTIES},
    ],
    tolerance=SHORT,
    empty=[(0, 5)],
)
def sgd_update(w, velocity, penalty, g, learning_rate, momentum, nesterov, l1, l2, weight_decay):
    g, outputs = penalised(w, penalty, g, l1, l2)
    step = -learning_rate * g
    if velocity is not None:
        outputs["velocity"] = velocity = momentum * velocity + step
        step = momentum * velocity + step if nesterov else velocity
    return {**outputs, "w": w * (1 - learning_rate * weight_decay) + step}


def adam_arguments(make, rows, columns, step=3, penalties=NO_PENALTIES, total=True):
    count = rows * columns
    return {
        "w": make.normal(count),
        "m": make.normal(count),
        "v": make.positive(count),
        "penalty": np.array([2.0]) if total else None,
        "g": make.normal(count),
        "learning_rate": 0.01,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-7,
        "step": step,
        **penalties,
    }


@operation(
    adam_arguments,
    [{}, {"step": 1}, {"step": 10**6}, {"penalties": PENALTIES}, {"total": False}],
    tolerance=SHORT,
    empty=[(0, 5)],
)
def adam_update(w, m, v, penalty, g, learning_rate, beta_1, beta_2, epsilon, step, l1, l2, weight_decay):
    g, outputs = penalised(w, penalty, g, l1, l2)
    m = beta_1 * m + (1 - beta_1) * g
    v = beta_2 * v + (1 - beta_2) * g**2
    rate = learning_rate * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
    w = w * (1 - learning_rate * weight_decay) - rate * m / (np.sqrt(v) + epsilon)
    return {**outputs, "w": w, "m": m, "v": v}
