"""Every operation's cases, written once: arguments, and what they should become by a formula in float64.

An operation's entry makes arguments in the names of ``flyball.backend.Backend``, with outputs full of NaN, and has an
oracle that is given float64 copies of them (as they were before the call) and returns the expected outputs by name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from flyball.backend import keep_probability
from flyball.reference.random import keep_bits

Arguments = dict[str, Any]

# (rows, columns): one element; a lane less, a lane, and one more at each vector width (2 to 16); primes; row counts
# about the micro-kernels' heights; and some that are worth several blocks and threads.
SHAPES = [
    (1, 1), (2, 1), (1, 3), (3, 2), (2, 4), (3, 5), (5, 7), (7, 8), (4, 9), (6, 15), (12, 16), (13, 17),
    (11, 31), (24, 32), (25, 33), (10, 64), (97, 101), (130, 10), (300, 67), (1031, 129),
]  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """A row of the table; ``least_rows`` is what the formula needs."""

    name: str
    arguments: Callable[..., Arguments]
    oracle: Callable[..., dict[str, np.ndarray]]
    variants: tuple[Arguments, ...] = ({},)
    least_rows: int = 1


OPERATIONS: dict[str, Operation] = {}


def operation(arguments, variants=({},), least_rows=1):
    """Register an oracle under its name."""

    def register(oracle):
        OPERATIONS[oracle.__name__] = Operation(oracle.__name__, arguments, oracle, tuple(variants), least_rows)
        return oracle

    return register


class Make:
    """Random arrays of one dtype."""

    def __init__(self, dtype, seed):
        self.dtype = np.dtype(dtype)
        self.rng = np.random.default_rng(seed)

    def normal(self, *shape, scale=1.0, offset=0.0):
        return (offset + scale * self.rng.standard_normal(shape)).astype(self.dtype)

    def positive(self, *shape):
        return (0.5 + self.rng.random(shape)).astype(self.dtype)

    def mask(self, *shape, rate=0.5):
        return self.rng.random(shape) >= rate

    def empty(self, *shape, dtype=None):
        return np.full(shape, np.nan, self.dtype if dtype is None else dtype)

    def doubles(self, *shape):
        return np.full(shape, np.nan)


def activated(z, activation):
    return np.where(z > 0, z, 0.0) if activation == "relu" else z


# --- dense ------------------------------------------------------------------------------------------------------


def matmul_arguments(make, rows, columns, transpose_a=False, transpose_b=False, bias=True, activation="linear"):
    inner = (columns * 7) // 5 + 1
    return {
        "c": make.empty(rows, columns),
        "a": make.normal(*((inner, rows) if transpose_a else (rows, inner))),
        "b": make.normal(*((columns, inner) if transpose_b else (inner, columns))),
        "bias": make.normal(columns) if bias else None,
        "transpose_a": transpose_a,
        "transpose_b": transpose_b,
        "activation": activation,
    }


@operation(
    matmul_arguments,
    [
        {"bias": False},
        {"activation": "relu"},
        {"transpose_a": True},
        {"transpose_b": True, "bias": False},
        {"transpose_a": True, "transpose_b": True, "activation": "relu"},
    ],
)
def matmul(a, b, bias, transpose_a, transpose_b, activation, **_):
    c = np.einsum("ki,kj->ij" if transpose_a else "ik,kj->ij", a, b.T if transpose_b else b)
    return {"c": activated(c if bias is None else c + bias, activation)}


def dense_forward_arguments(make, rows, columns, activation="linear", bias=True):
    inner = columns // 2 + 3
    return {
        "y": make.empty(rows, columns),
        "x": make.normal(rows, inner),
        "w": make.normal(inner, columns),
        "b": make.normal(columns) if bias else None,
        "activation": activation,
    }


@operation(dense_forward_arguments, [{}, {"bias": False}, {"activation": "relu"}])
def dense_forward(x, w, b, activation, **_):
    y = np.einsum("nk,kc->nc", x, w)
    return {"y": activated(y if b is None else y + b, activation)}


def dense_backward_arguments(make, rows, columns, outputs=("dx", "dw", "db")):
    inner = columns // 2 + 3
    shapes = {"dx": (rows, inner), "dw": (inner, columns), "db": (columns,)}
    return {
        **{name: make.empty(*shape) if name in outputs else None for name, shape in shapes.items()},
        "dy": make.normal(rows, columns),
        "x": make.normal(rows, inner),
        "w": make.normal(inner, columns),
    }


@operation(dense_backward_arguments, [{}, {"outputs": ("dw", "db")}, {"outputs": ("dx",)}])
def dense_backward(dy, x, w, **_):
    return {"dx": np.einsum("nc,kc->nk", dy, w), "dw": np.einsum("nk,nc->kc", x, dy), "db": np.einsum("nc->c", dy)}


# --- batch normalisation ----------------------------------------------------------------------------------------


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


@operation(batch_norm_inference_arguments, [{}, {"affine": False}, {"activation": "relu"}])
def batch_norm_inference(x, gamma, beta, running_mean, running_var, epsilon, activation, **_):
    z = (x - running_mean) / np.sqrt(running_var + epsilon)
    return {"y": activated(z if gamma is None else gamma * z + beta, activation)}


# --- dropout ----------------------------------------------------------------------------------------------------

ADDRESS = {"seed": 0x9E3779B97F4A7C15, "stream": 0xDEADBEEF, "step": 0x123456789ABC}


def drawn(shape, rate, seed, stream, step):
    bits = keep_bits(int(np.prod(shape)), seed, stream, step).reshape(shape)
    return bits < keep_probability(rate) * 65536


def dropout_mask_arguments(make, rows, columns, rate=0.5):
    return {"mask": np.zeros((rows, columns), bool), "rate": rate, **ADDRESS}


@operation(dropout_mask_arguments, [{}, {"rate": 0.0}, {"rate": 0.1}, {"rate": 0.999999}])
def dropout_mask(mask, rate, seed, stream, step):
    return {"mask": drawn(mask.shape, rate, seed, stream, step)}


def dropout_forward_arguments(make, rows, columns, rate=0.25, draw=True, store=True):
    mask = make.mask(rows, columns)
    return {
        "y": make.empty(rows, columns),
        "mask": None if draw and not store else mask,
        "x": make.normal(rows, columns),
        "rate": rate,
        **ADDRESS,
        "draw": draw,
    }


@operation(dropout_forward_arguments, [{}, {"store": False}, {"draw": False}, {"rate": 0.0}])
def dropout_forward(mask, x, rate, seed, stream, step, draw, **_):
    mask = drawn(x.shape, rate, seed, stream, step) if draw else mask
    return {"y": np.where(mask, x / keep_probability(rate), 0.0), "mask": mask}


def dropout_backward_arguments(make, rows, columns, rate=0.25, store=True):
    return {
        "dx": make.empty(rows, columns),
        "dy": make.normal(rows, columns),
        "mask": make.mask(rows, columns) if store else None,
        "rate": rate,
        **ADDRESS,
    }


@operation(dropout_backward_arguments, [{}, {"store": False}])
def dropout_backward(dy, mask, rate, seed, stream, step, **_):
    mask = drawn(dy.shape, rate, seed, stream, step) if mask is None else mask
    return {"dx": np.where(mask, dy / keep_probability(rate), 0.0)}


# --- activations ------------------------------------------------------------------------------------------------


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


@operation(forward_arguments)
def relu_forward(x, **_):
    return {"y": np.where(x > 0, x, 0.0)}


@operation(relu_backward_arguments)
def relu_backward(dy, y, **_):
    return {"dx": np.where(y > 0, dy, 0.0)}


@operation(forward_arguments, [{}, {"scale": 30.0}])
def softmax_forward(x, **_):
    return {"y": np.exp(log_softmax(x))}


@operation(softmax_backward_arguments)
def softmax_backward(dy, y, **_):
    return {"dx": y * dy - y * np.einsum("nc,nc->n", dy, y)[:, None]}


# --- losses -----------------------------------------------------------------------------------------------------


def cross_entropy_arguments(make, rows, columns, hits=True, gradient=True, scale=2.0):
    return {
        "losses": make.doubles(rows),
        "hits": make.doubles(rows) if hits else None,
        "dlogits": make.empty(rows, columns) if gradient else None,
        "logits": make.normal(rows, columns, scale=scale),
        "labels": make.rng.integers(0, columns, rows),
        "scale": 1.0 / max(rows, 1),
    }


@operation(cross_entropy_arguments, [{}, {"hits": False}, {"gradient": False}, {"scale": 30.0}])
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


@operation(soft_arguments, [{}, {"hits": False}, {"gradient": False}])
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


@operation(squared_error_arguments, [{}, {"gradient": False}])
def mean_squared_error(predictions, targets, scale, **_):
    difference = predictions - targets
    columns = predictions.shape[1]
    return {
        "losses": np.einsum("nc,nc->n", difference, difference) / columns,
        "dpredictions": 2 * difference / columns * scale,
    }


# --- updates ----------------------------------------------------------------------------------------------------

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


@operation(adam_arguments, [{}, {"step": 1}, {"step": 10**6}, {"penalties": PENALTIES}, {"total": False}])
def adam_update(w, m, v, penalty, g, learning_rate, beta_1, beta_2, epsilon, step, l1, l2, weight_decay):
    g, outputs = penalised(w, penalty, g, l1, l2)
    m = beta_1 * m + (1 - beta_1) * g
    v = beta_2 * v + (1 - beta_2) * g**2
    rate = learning_rate * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
    w = w * (1 - learning_rate * weight_decay) - rate * m / (np.sqrt(v) + epsilon)
    return {**outputs, "w": w, "m": m, "v": v}


# --- data -------------------------------------------------------------------------------------------------------


def gather_arguments(make, rows, columns, source=None):
    x = make.normal(rows + 2, columns, scale=50.0)
    return {
        "out": make.empty(rows, columns),
        "x": x if source is None else np.abs(x).astype(source),
        "rows": make.rng.integers(0, rows + 2, rows),
    }


SOURCES = ("f4", "f8", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")


@operation(gather_arguments, [{}, *({"source": source} for source in SOURCES)])
def gather(out, x, rows):
    return {"out": np.stack([x[row] for row in rows]).astype(out.dtype)}


def gather_labels_arguments(make, rows, columns):
    integers = make.rng.integers
    return {"out": np.full(rows, -1), "labels": integers(0, columns, rows + 2), "rows": integers(0, rows + 2, rows)}


@operation(gather_labels_arguments)
def gather_labels(labels, rows, **_):
    return {"out": np.array([labels[row] for row in rows])}


def add_total_arguments(make, rows, columns):
    return {"total": np.array([1.5]), "values": make.rng.standard_normal(rows * columns)}


@operation(add_total_arguments)
def add_total(total, values):
    running = 0.0
    for value in values.tolist():
        running += value
    return {"total": total + running}


def to_double(value):
    """Copy an array of floats to float64, other arrays as they are."""
    if isinstance(value, np.ndarray):
        return value.astype(np.float64) if value.dtype.kind == "f" else value.copy()
    return value
