"""One step of an optimiser, with penalties."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from flyball.reference._arrays import FLOAT64, float_dtype, need, need_ndim, need_out, refuse_overlap

if TYPE_CHECKING:
    from flyball.backend.types import Doubles, Floats


def penalise(penalty: Doubles | None, w: Floats, g: Floats, l1: float, l2: float) -> Floats:
    """Return ``g + l1 * sign(w) + l2 * w``; add ``sum(l1 * |w| + l2 / 2 * w**2)`` to ``penalty[0]``."""
    if l1 != 0.0:
        g = g + l1 * np.sign(w)
        if penalty is not None:
            penalty[0] += l1 * np.sum(np.abs(w), dtype=np.float64)
    if l2 != 0.0:
        g = g + l2 * w
        if penalty is not None:
            penalty[0] += l2 / 2.0 * np.sum(np.square(w), dtype=np.float64)
    return g


def sgd_update(
    w: Floats,
    velocity: Floats | None,
    penalty: Doubles | None,
    g: Floats,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
    l1: float,
    l2: float,
    weight_decay: float,
) -> None:
    need_ndim("w", w, 1)
    dtype = float_dtype("w", w)
    need_out("w", w, dtype, w.shape)
    need_out("velocity", velocity, dtype, w.shape)
    need_out("penalty", penalty, FLOAT64, (1,))
    need("g", g, dtype, w.shape)
    refuse_overlap({"w": w, "velocity": velocity, "penalty": penalty}, {"g": g})

    step = penalise(penalty, w, g, l1, l2) * -learning_rate
    if velocity is not None:
        velocity *= momentum
        velocity += step
        step = momentum * velocity + step if nesterov else velocity
    if weight_decay != 0.0:
        w *= 1.0 - learning_rate * weight_decay
    w += step


def adam_update(
    w: Floats,
    m: Floats,
    v: Floats,
    penalty: Doubles | None,
    g: Floats,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    step: int,
    l1: float,
    l2: float,
    weight_decay: float,
) -> None:
    need_ndim("w", w, 1)
    dtype = float_dtype("w", w)
    need_out("w", w, dtype, w.shape)
    need_out("m", m, dtype, w.shape)
    need_out("v", v, dtype, w.shape)
    need_out("penalty", penalty, FLOAT64, (1,))
    need("g", g, dtype, w.shape)
    refuse_overlap({"w": w, "m": m, "v": v, "penalty": penalty}, {"g": g})

    g = penalise(penalty, w, g, l1, l2)
    m += (1.0 - beta_1) * (g - m)
    v += (1.0 - beta_2) * (np.square(g) - v)
    rate = learning_rate * sqrt(1.0 - beta_2**step) / (1.0 - beta_1**step)
    if weight_decay != 0.0:
        w *= 1.0 - learning_rate * weight_decay
    w -= rate * m / (np.sqrt(v) + epsilon)
