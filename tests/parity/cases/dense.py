"""Cases of the operations of ``flyball.backend.dense``."""

import numpy as np

from parity.cases.table import activated, operation
from parity.tolerances import LONG


def matmul_arguments(
    make, rows, columns, transpose_a=False, transpose_b=False, bias=True, activation="linear", alpha=0.0
):
    inner = (columns * 7) // 5 + 1
    return {
        "c": make.empty(rows, columns),
        "a": make.normal(*((inner, rows) if transpose_a else (rows, inner))),
        "b": make.normal(*((columns, inner) if transpose_b else (inner, columns))),
        "bias": make.normal(columns) if bias else None,
        "transpose_a": transpose_a,
        "transpose_b": transpose_b,
        "activation": activation,
        "alpha": 0.0,
    }


@operation(
    matmul_arguments,
    [
        {"bias": False},
        {"activation": "relu"},
        {"activation": "silu"},
        {"transpose_a": True},
        {"transpose_b": True, "bias": False},
        {"transpose_a": True, "transpose_b": True, "activation": "relu"},
    ],
    tolerance=LONG,
    empty=[(0, 5), (5, 0)],
)
def matmul(a, b, bias, transpose_a, transpose_b, activation, alpha, **_):
    c = np.einsum("ki,kj->ij" if transpose_a else "ik,kj->ij", a, b.T if transpose_b else b)
    return {"c": activated(c if bias is None else c + bias, activation, alpha)}


ADDED = ({"added": True, "bias": False}, {"added": True, "activation": "relu"}, {"added": True, "activation": "tanh"})


def dense_forward_arguments(make, rows, columns, activation="linear", alpha=0.0, bias=True, added=False):
    inner = columns // 2 + 3
    return {
        "y": make.empty(rows, columns),
        "x": make.normal(rows, inner),
        "w": make.normal(inner, columns),
        "b": make.normal(columns) if bias else None,
        "added": make.normal(rows, columns) if added else None,
        "activation": activation,
        "alpha": alpha,
    }


@operation(
    dense_forward_arguments,
    [
        *ADDED,
        {},
        {"bias": False},
        {"activation": "relu"},
        {"activation": "gelu"},
        {"activation": "leaky_relu", "alpha": 0.1},
    ],
    tolerance=LONG,
    empty=[(0, 5), (5, 0)],
)
def dense_forward(x, w, b, added, activation, alpha, **_):
    y = np.einsum("nk,kc->nc", x, w)
    return {"y": activated(y + (0.0 if b is None else b) + (0.0 if added is None else added), activation, alpha)}


def dense_batch_norm_inference_arguments(
    make, rows, columns, activation="linear", alpha=0.0, bias=True, gamma=True, beta=True
):
    inner = columns // 2 + 3
    return {
        "y": make.empty(rows, columns),
        "x": make.normal(rows, inner),
        "w": make.normal(inner, columns),
        "b": make.normal(columns) if bias else None,
        "gamma": make.normal(columns) if gamma else None,
        "beta": make.normal(columns) if beta else None,
        "running_mean": make.normal(columns),
        "running_var": make.positive(columns),
        "epsilon": 1e-3,
        "activation": activation,
        "alpha": alpha,
    }


@operation(
    dense_batch_norm_inference_arguments,
    [
        {},
        {"bias": False, "activation": "relu"},
        {"gamma": False, "activation": "gelu"},
        {"beta": False, "bias": False, "gamma": False},
    ],
    tolerance=LONG,
    empty=[(0, 5), (5, 0)],
)
def dense_batch_norm_inference(x, w, b, gamma, beta, running_mean, running_var, epsilon, activation, alpha, **_):
    z = np.einsum("nk,kc->nc", x, w)
    z = ((z if b is None else z + b) - running_mean) / np.sqrt(running_var + epsilon)
    z = z if gamma is None else z * gamma
    return {"y": activated(z if beta is None else z + beta, activation, alpha)}


def dense_backward_arguments(make, rows, columns, outputs=("dx", "dw", "db"), gated=False):
    inner = columns // 2 + 3
    shapes = {"dx": (rows, inner), "dw": (inner, columns), "db": (columns,)}
    return {
        **{name: make.empty(*shape) if name in outputs else None for name, shape in shapes.items()},
        "dy": make.normal(rows, columns),
        "x": np.maximum(make.normal(rows, inner), 0) if gated else make.normal(rows, inner),
        "w": make.normal(inner, columns),
        "gated": gated,
    }


@operation(
    dense_backward_arguments,
    [{}, {"outputs": ("dw", "db")}, {"outputs": ("dx",)}, {"gated": True}],
    tolerance=LONG,
    empty=[(0, 5), (5, 0)],
)
def dense_backward(dy, x, w, gated, **_):
    dx = np.einsum("nc,kc->nk", dy, w)
    return {
        "dx": np.where(x == 0, 0, dx) if gated else dx,
        "dw": np.einsum("nk,nc->kc", x, dy),
        "db": np.einsum("nc->c", dy),
    }
