"""Cases of the operations of ``flyball.backend.loss``."""

import numpy as np

from flyball.backend import LOSSES, ROW_LOSSES
from parity.cases.activation import log_softmax
from parity.cases.table import operation
from parity.tolerances import EXPONENTIAL, LONG, SHORT


def row_weights(make, rows, weighted):
    return make.positive(rows) if weighted else None


def cross_entropy_arguments(make, rows, columns, hits=True, gradient=True, scale=2.0, weighted=False, smoothing=0.0):
    return {
        "losses": make.doubles(rows),
        "hits": make.doubles(rows) if hits else None,
        "dlogits": make.empty(rows, columns) if gradient else None,
        "logits": make.normal(rows, columns, scale=scale),
        "labels": make.rng.integers(0, columns, rows),
        "weights": row_weights(make, rows, weighted),
        "smoothing": smoothing / columns,
        "scale": 1.0 / max(rows, 1),
    }


@operation(
    cross_entropy_arguments,
    [
        {},
        {"hits": False},
        {"gradient": False},
        {"scale": 30.0},
        {"smoothing": 0.3},
        {"weighted": True, "smoothing": 0.1},
    ],
    tolerance=EXPONENTIAL,
    in_place=("dlogits", "logits"),
)
def softmax_cross_entropy(logits, labels, weights, smoothing, scale, **_):
    log_p = log_softmax(logits)
    columns = logits.shape[1]
    target = np.eye(columns)[labels] * (1.0 - columns * smoothing) + smoothing
    w = np.ones(len(logits)) if weights is None else weights
    return {
        "losses": w * -np.einsum("nc,nc->n", target, log_p),
        "hits": (logits.argmax(axis=1) == labels).astype(float),
        "dlogits": (np.exp(log_p) - target) * w[:, None] * scale,
    }


def soft_arguments(make, rows, columns, hits=True, gradient=True, weighted=False):
    arguments = cross_entropy_arguments(make, rows, columns, hits, gradient, weighted=weighted)
    del arguments["labels"], arguments["smoothing"], arguments["scale"]
    targets = make.rng.random((rows, columns))
    targets /= targets.sum(axis=1, keepdims=True)
    return {**arguments, "targets": targets.astype(make.dtype), "scale": 0.5}


@operation(
    soft_arguments,
    [{}, {"hits": False}, {"gradient": False}, {"weighted": True}],
    tolerance=LONG,
    in_place=("dlogits", "logits"),
)
def softmax_cross_entropy_soft(logits, targets, weights, scale, **_):
    log_p = log_softmax(logits)
    w = np.ones(len(logits)) if weights is None else weights
    return {
        "losses": w * -np.einsum("nc,nc->n", targets, log_p),
        "hits": (logits.argmax(axis=1) == targets.argmax(axis=1)).astype(float),
        "dlogits": (np.exp(log_p) * targets.sum(axis=1, keepdims=True) - targets) * w[:, None] * scale,
    }


def row_loss_arguments(make, rows, columns, loss, gamma=2.0, positive=1.0, negative=1.0, gradient=True, weighted=False):
    predictions = make.normal(rows, columns, scale=2.0)
    targets = make.rng.uniform(0.02, 0.98, (rows, columns)).astype(make.dtype)
    if loss == "binary_focal_cross_entropy":
        predictions = make.rng.uniform(0.02, 0.98, (rows, columns)).astype(make.dtype)
    if loss.startswith("categorical"):
        targets = np.eye(columns, dtype=make.dtype)[make.rng.integers(0, columns, rows)]
    return {
        "losses": make.doubles(rows),
        "dpredictions": make.empty(rows, columns) if gradient else None,
        "predictions": predictions,
        "targets": targets,
        "weights": row_weights(make, rows, weighted),
        "loss": loss,
        "gamma": gamma,
        "positive": positive,
        "negative": negative,
        "scale": 1.0 / max(rows, 1),
    }


def row_values(p, t, loss, gamma, positive, negative):
    """Return the loss of each row, and its derivatives: by the chain rule, written another way than in the kernels."""
    columns = p.shape[1]
    if loss.startswith("binary"):
        s = p if loss == "binary_focal_cross_entropy" else 0.5 * (1 + np.tanh(0.5 * p))
        ds = 1.0 if loss == "binary_focal_cross_entropy" else s * (1 - s)
        u, a = t + s - 2 * t * s, t * positive + (1 - t) * negative
        b = -t * np.log(s) - (1 - t) * np.log1p(-s)
        slope = a * (gamma * u ** (gamma - 1) * (1 - 2 * t) * b + u**gamma * ((1 - t) / (1 - s) - t / s)) * ds
        return (a * u**gamma * b).mean(axis=1), slope / columns
    log_q = log_softmax(p)
    q = np.exp(log_q)
    jacobian = q[:, :, None] * (np.eye(columns) - q[:, None, :])
    if loss == "categorical_focal_cross_entropy_logits":
        far = -np.expm1(log_q)
        by_q = t * (np.where(far > 0, gamma * np.maximum(far, 1e-300) ** (gamma - 1), 0.0) * log_q - far**gamma / q)
        return -(t * far**gamma * log_q).sum(axis=1), np.einsum("nj,njk->nk", by_q, jacobian)
    if loss == "categorical_generalized_cross_entropy_logits":
        share = (t * q).sum(axis=1)
        by_q = -(share ** (gamma - 1))[:, None] * t
        return (1 - share**gamma) / gamma, np.einsum("nj,njk->nk", by_q, jacobian)
    wrong = (1 - t) * p
    values = np.maximum(0.0, wrong.max(axis=1) - (t * p).sum(axis=1) + 1)
    first = np.eye(columns)[wrong.argmax(axis=1)]
    return values, (values > 0)[:, None] * (first * (1 - t) - t)


@operation(
    row_loss_arguments,
    [
        *({"loss": loss} for loss in ROW_LOSSES),
        *({"loss": loss, "gamma": 0.7} for loss in ROW_LOSSES if "cross_entropy" in loss),
        {"loss": "binary_focal_cross_entropy_logits", "gamma": 0.0},
        {"loss": "categorical_focal_cross_entropy_logits", "gamma": 0.0},
        {"loss": "binary_focal_cross_entropy_logits", "positive": 0.25, "negative": 0.75},
        {"loss": "categorical_focal_cross_entropy_logits", "gradient": False},
        {"loss": "categorical_hinge", "weighted": True},
    ],
    tolerance=LONG,
    in_place=("dpredictions", "predictions"),
    empty=[(0, 5)],
)
def row_loss(predictions, targets, weights, loss, gamma, positive, negative, scale, **_):
    values, derivatives = row_values(predictions, targets, loss, gamma, positive, negative)
    w = np.ones(len(predictions)) if weights is None else weights
    return {"losses": values * w, "dpredictions": derivatives * w[:, None] * scale}


def overlap_arguments(make, rows, columns, whole=False, alpha=0.5, beta=0.5, gradient=True, weighted=False):
    return {
        "losses": make.doubles(rows),
        "dpredictions": make.empty(rows, columns) if gradient else None,
        "predictions": make.rng.uniform(0.02, 0.98, (rows, columns)).astype(make.dtype),
        "targets": make.rng.integers(0, 2, (rows, columns)).astype(make.dtype),
        "weights": row_weights(make, rows, weighted),
        "alpha": alpha,
        "beta": beta,
        "epsilon": 1e-3,
        "whole": whole,
        "scale": 1.0 / max(rows, 1),
    }


@operation(
    overlap_arguments,
    [
        {},
        {"whole": True},
        {"alpha": 0.3, "beta": 0.9, "weighted": True},
        {"alpha": 0.3, "beta": 0.9, "whole": True, "weighted": True},
        {"gradient": False, "whole": True},
    ],
    tolerance=LONG,
    in_place=("dpredictions", "predictions"),
    empty=[(0, 5)],
)
def overlap_loss(predictions, targets, weights, alpha, beta, epsilon, whole, scale, **_):
    p, t = (array.reshape(1, -1) if whole else array for array in (predictions, targets))
    w = np.ones(len(predictions)) if weights is None else weights
    hits, missed, false = ((a * b).sum(axis=1)[:, None] for a, b in ((t, p), (t, 1 - p), (1 - t, p)))
    below = hits + alpha * missed + beta * false + epsilon
    slope = -(t * below - hits * (t - alpha * t + beta * (1 - t))) / below**2
    values = np.broadcast_to((1 - hits / below)[:, 0], len(predictions))
    factor = w.sum() if whole else w[:, None]
    return {"losses": w * values, "dpredictions": (slope.reshape(predictions.shape) * factor * scale)}


def loss_weights_arguments(make, rows, columns, weighted=True, labelled=True, kept=True, divisor=0, ignored=1):
    labels = make.rng.integers(0, min(columns, 3), rows)
    return {
        "out": make.empty(rows),
        "kept": np.full(rows, -1) if kept and labelled else None,
        "weights": row_weights(make, rows, weighted),
        "labels": labels if labelled else None,
        "ignored": ignored,
        "divisor": divisor,
    }


@operation(
    loss_weights_arguments,
    [
        *({"weighted": weighted, "divisor": divisor} for weighted in (True, False) for divisor in range(3)),
        {"labelled": False, "divisor": 1},
        {"kept": False},
        {"ignored": 0},
        {},
    ],
    tolerance=SHORT,
)
def loss_weights(out, weights, labels, ignored, divisor, **_):
    """Return the weights whose mean with losses is a mean over the labels that count, a weighted mean, or a sum."""
    counts = np.ones(len(out)) if labels is None else (labels != ignored).astype(float)
    factors = counts if weights is None else counts * weights
    total = [counts, factors, np.ones(1)][divisor].sum()
    return {
        "out": factors / total * len(out) if total else np.zeros(len(out)),
        "kept": None if labels is None else np.where(labels == ignored, 0, labels),
    }


PROBABILITIES = {"binary_cross_entropy", "categorical_cross_entropy", "kl_divergence"}
SUMS = {"categorical_cross_entropy", "kl_divergence", "cosine_similarity"}


def pointwise_arguments(make, rows, columns, loss="huber", delta=1.0, gradient=True, weighted=False):
    predictions = make.normal(rows, columns, scale=2.0)
    targets = make.normal(rows, columns)
    if loss in PROBABILITIES or loss == "poisson":
        predictions = make.rng.uniform(0.02, 0.98, (rows, columns)).astype(make.dtype)
    if loss in PROBABILITIES or loss == "binary_cross_entropy_logits":
        targets = make.rng.uniform(0.02, 0.98, (rows, columns)).astype(make.dtype)
    if loss == "poisson":
        targets = make.rng.poisson(3.0, (rows, columns)).astype(make.dtype)
    if loss in ("hinge", "squared_hinge"):
        targets = np.sign(targets)
    return {
        "losses": make.doubles(rows),
        "dpredictions": make.empty(rows, columns) if gradient else None,
        "predictions": predictions,
        "targets": targets,
        "weights": row_weights(make, rows, weighted),
        "loss": loss,
        "delta": delta,
        "scale": 1.0 / max(rows, 1),
    }


def pointwise(p, t, loss, delta):
    """Return the losses of elements, and their derivatives."""
    d = p - t
    match loss:
        case "mean_squared_error":
            return d**2, 2 * d
        case "mean_absolute_error":
            return np.abs(d), np.sign(d)
        case "huber":
            near = np.abs(d) <= delta
            return np.where(near, 0.5 * d**2, delta * np.abs(d) - 0.5 * delta**2), np.where(near, d, delta * np.sign(d))
        case "log_cosh":
            return np.logaddexp(d, -d) - np.log(2.0), np.tanh(d)
        case "hinge":
            return np.maximum(0.0, 1 - t * p), -t * (t * p < 1)
        case "squared_hinge":
            return np.maximum(0.0, 1 - t * p) ** 2, -2 * t * np.maximum(0.0, 1 - t * p)
        case "poisson":
            return p - t * np.log(p + 1e-7), 1 - t / (p + 1e-7)
        case "binary_cross_entropy":
            return -t * np.log(p) - (1 - t) * np.log1p(-p), (1 - t) / (1 - p) - t / p
        case "binary_cross_entropy_logits":
            return t * np.logaddexp(0, -p) + (1 - t) * np.logaddexp(0, p), 0.5 * (1 + np.tanh(0.5 * p)) - t
        case "categorical_cross_entropy":
            return -t * np.log(p), -t / p
        case "kl_divergence":
            return t * np.log(t) - t * np.log(p), -t / p
        case "mean_absolute_percentage_error":
            return 100 * np.abs(d / t), 100 * np.sign(d) / np.abs(t)
        case "mean_squared_logarithmic_error":
            ratio = np.log((1 + np.maximum(p, 1e-7)) / (1 + np.maximum(t, 1e-7)))
            return ratio**2, np.where(p >= 1e-7, 2 * ratio / (1 + p), 0.0)
        case "cosine_similarity":
            return -t * p, -t
    raise ValueError(loss)


@operation(
    pointwise_arguments,
    [
        *({"loss": loss} for loss in LOSSES),
        {"loss": "huber", "delta": 0.3},
        {"loss": "mean_squared_error", "gradient": False},
        {"loss": "binary_cross_entropy_logits", "weighted": True},
    ],
    tolerance=LONG,
    in_place=("dpredictions", "predictions"),
    empty=[(0, 5)],
)
def pointwise_loss(predictions, targets, weights, loss, delta, scale, **_):
    values, derivatives = pointwise(predictions, targets, loss, delta)
    share = np.full(len(predictions), 1.0 if loss in SUMS else 1.0 / predictions.shape[1])
    share = share if weights is None else share * weights
    return {
        "losses": np.einsum("nc,n->n", values, share),
        "dpredictions": derivatives * share[:, None] * scale,
    }
