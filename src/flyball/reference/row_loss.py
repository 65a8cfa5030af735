"""Losses of whole rows, and those of elements that have more than one parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flyball.reference.activation import sigmoid

if TYPE_CHECKING:
    from flyball.backend.types import Doubles, Floats

LEAST = 1e-7
"""Keras' bound of probabilities away from 0 and 1."""


def row_values(
    p: Floats, t: Floats, loss: str, gamma: float, positive: float, negative: float
) -> tuple[Doubles, Floats]:
    """Return the loss of each row, and its derivative by ``p``."""
    match loss:
        case "binary_focal_cross_entropy":
            q = np.clip(p, LEAST, 1.0 - LEAST)
            cross = -(t * np.log(q) + (1.0 - t) * np.log(1.0 - q))
            dcross = np.where(q == p, (q - t) / (q * (1.0 - q)), 0.0)
            return _focal(t, p, 1.0 - p, np.ones_like(p), cross, dcross, gamma, positive, negative)
        case "binary_focal_cross_entropy_logits":
            yes, no = sigmoid(p), sigmoid(-p)
            cross = np.maximum(p, 0.0) - p * t + np.log1p(np.exp(-np.abs(p)))
            return _focal(t, yes, no, yes * no, cross, yes - t, gamma, positive, negative)
        case "categorical_focal_cross_entropy_logits":
            log_q = _log_softmax(p)
            q = np.exp(log_q)
            far = power(1.0 - q, gamma)
            slope = -far
            if gamma != 0.0:
                slope = slope + gamma * power(1.0 - q, gamma - 1.0) * q * log_q
            slope = t * slope
            values: Doubles = np.sum(-t * far * log_q, axis=1, dtype=np.float64)
            return values, slope - q * slope.sum(axis=1, keepdims=True)
        case "categorical_generalized_cross_entropy_logits":
            q = np.exp(_log_softmax(p))
            share: Doubles = np.sum(t * q, axis=1, dtype=np.float64, keepdims=True)
            powered = power(share, gamma)
            of_target = np.where(share > 0.0, t * q / np.where(share > 0.0, share, 1.0), 0.0)
            return np.asarray((1.0 - powered[:, 0]) / gamma, np.float64), (powered * (q - of_target)).astype(p.dtype)
    rows, wrong = np.arange(len(p)), (1.0 - t) * p
    place = wrong.argmax(axis=1)
    values = 1.0 + wrong[rows, place].astype(np.float64) - np.sum(t * p, axis=1, dtype=np.float64)
    slope = -t
    slope[rows, place] += 1.0 - t[rows, place]
    active = ~(values <= 0.0)
    return np.where(active, values, 0.0), np.where(active[:, np.newaxis], slope, 0.0).astype(p.dtype)


def power(x: Floats, exponent: float) -> Floats:
    """Return ``x**exponent`` of x in [0, 1]; where it is below the least normal number, of that."""
    return np.asarray(np.maximum(x, np.finfo(x.dtype).tiny) ** exponent, x.dtype)


def _focal(
    t: Floats,
    yes: Floats,
    no: Floats,
    slope: Floats,
    cross: Floats,
    dcross: Floats,
    gamma: float,
    positive: float,
    negative: float,
) -> tuple[Doubles, Floats]:
    """Return the mean of ``a * u**gamma * cross`` over a row, and its derivative; ``slope`` is that of ``yes``."""
    u = t * no + (1.0 - t) * yes
    a = t * positive + (1.0 - t) * negative
    values = a * power(u, gamma) * cross
    derivative = power(u, gamma) * dcross
    if gamma != 0.0:
        derivative = derivative + gamma * power(u, gamma - 1.0) * slope * (1.0 - 2.0 * t) * cross
    columns = t.shape[1]
    return np.sum(values, axis=1, dtype=np.float64) / columns, a * derivative / columns


def _log_softmax(p: Floats) -> Floats:
    shifted = p - p.max(axis=1, keepdims=True)
    total = np.exp(shifted).sum(axis=1, dtype=np.float64, keepdims=True)
    return np.asarray(shifted - np.log(total), p.dtype)
