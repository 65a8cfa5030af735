"""Cases of the operations of ``flyball.backend.weights``."""

import numpy as np

from parity.cases.table import operation
from parity.tolerances import LONG, SHORT


def squared_norm_arguments(make, rows, columns, penalised=False, l1=0.01, l2=0.02):
    count = rows * columns
    return {
        "total": np.array([2.0]),
        "g": make.normal(count),
        "w": make.normal(count) if penalised else None,
        "l1": l1,
        "l2": l2,
    }


ONE_ALONE = [{"penalised": True, "l1": 0.0, "l2": 0.5}, {"penalised": True, "l1": 0.5, "l2": 0.0}]


@operation(squared_norm_arguments, [{}, {"penalised": True}, *ONE_ALONE], tolerance=SHORT, empty=[(0, 5)])
def squared_norm(total, g, w, l1, l2):
    g = g if w is None else g + l1 * np.sign(w) + l2 * w
    return {"total": total + np.sum(g**2)}


def clip_scale_arguments(make, rows, columns, max_norm=1.0):
    del columns
    return {"scale": make.doubles(1), "total": np.array([float(rows - 1) ** 2]), "max_norm": max_norm}


@operation(clip_scale_arguments, [{}, {"max_norm": 7.5}, {"max_norm": np.inf}], tolerance=SHORT)
def clip_scale(total, max_norm, **_):
    return {"scale": np.minimum(1.0, max_norm / np.maximum(np.sqrt(total), 1e-300)), "total": np.zeros(1)}


def constrain_norm_arguments(make, rows, columns, min_value=0.0, max_value=np.inf, rate=1.0):
    w = make.normal(rows, columns)
    w[:, ::3] = 0.0
    w[:, 1::3] /= 7
    return {"w": w, "min_value": min_value, "max_value": max_value, "rate": rate}


@operation(
    constrain_norm_arguments,
    [
        {},
        {"max_value": 0.5},
        {"min_value": 1.0, "max_value": 1.0},
        {"min_value": 0.8, "max_value": 1.4, "rate": 0.3},
        {"rate": 0.0, "max_value": 0.0},
    ],
    tolerance=SHORT,
    empty=[(0, 5), (5, 0)],
)
def constrain_norm(w, min_value, max_value, rate):
    norm = np.linalg.norm(w, axis=0)
    wanted = rate * np.clip(norm, min_value, max_value) + (1 - rate) * norm
    return {"w": w / np.where(norm > 0, norm, 1.0) * wanted}


def accumulate_arguments(make, rows, columns, keep=1.0, scale=1.0):
    y = make.empty(rows * columns) if keep == 0.0 else make.normal(rows * columns)
    return {"y": y, "x": make.normal(rows * columns), "keep": keep, "scale": scale}


@operation(
    accumulate_arguments,
    [{}, {"scale": 0.25}, {"keep": 0.0}, {"keep": -0.5, "scale": 2.0}],
    tolerance=SHORT,
    empty=[(0, 5)],
)
def accumulate(y, x, keep, scale):
    return {"y": (0.0 if keep == 0.0 else keep * y) + scale * x}


def average_update_arguments(make, rows, columns, step=2, decay=0.9):
    average = make.empty(rows * columns) if step == 1 else make.normal(rows * columns)
    return {"average": average, "w": make.normal(rows * columns), "decay": decay, "step": step}


@operation(average_update_arguments, [{}, {"step": 1}, {"decay": 1.0}], tolerance=SHORT, empty=[(0, 5)])
def average_update(average, w, decay, step):
    return {"average": w if step == 1 else decay * average + (1 - decay) * w}


def orthogonal_arguments(make, rows, columns, of_columns=False, gradient=True):
    return {
        "penalty": np.array([0.5]),
        "dw": make.normal(rows, columns) if gradient else None,
        "w": make.normal(rows, columns, scale=3.0),
        "factor": 0.25,
        "columns": of_columns,
    }


@operation(orthogonal_arguments, [{}, {"of_columns": True}, {"gradient": False}], tolerance=LONG, in_place=None)
def orthogonal_penalty(penalty, dw, w, factor, columns):
    v = w.T if columns else w
    length = np.sqrt((v**2).sum(axis=1, keepdims=True))
    unit = v / length
    cosines = unit @ unit.T - np.diag((unit**2).sum(axis=1))
    by_unit = np.sign(np.where(np.eye(len(v)) > 0, 0.0, cosines)) @ unit
    slope = factor * (by_unit - (by_unit * unit).sum(axis=1, keepdims=True) * unit) / length
    return {
        "penalty": penalty + 0.5 * factor * np.abs(cosines).sum(),
        "dw": None if dw is None else dw + (slope.T if columns else slope),
    }
