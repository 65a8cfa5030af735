"""One step of an optimiser, with penalties and clipping."""

from __future__ import annotations

from math import prod, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.reference._arrays import FLOAT64, float_dtype, need, need_ndim, need_out, refuse_overlap

if TYPE_CHECKING:
    from flyball.backend.types import Doubles, Floats


def check(
    w: Floats, state: dict[str, Floats | None], penalty: Doubles | None, g: Floats, gradient_scale: Doubles | None
) -> None:
    """Refuse arrays that do not fit the weights."""
    need_ndim("w", w, 1)
    dtype = float_dtype("w", w)
    outputs: dict[str, Any] = {"w": w, **state}
    for name, array in outputs.items():
        need_out(name, array, dtype, w.shape)
    need_out("penalty", penalty, FLOAT64, (1,))
    need("g", g, dtype, w.shape)
    need("gradient_scale", gradient_scale, FLOAT64, (1,))
    refuse_overlap({**outputs, "penalty": penalty}, {"g": g, "gradient_scale": gradient_scale})


def penalised(
    w: Floats,
    penalty: Doubles | None,
    g: Floats,
    gradient_scale: Doubles | None,
    l1: float,
    l2: float,
    proximal: bool,
    clip_value: float,
    clip_penalty: bool,
) -> Floats:
    """Return the gradient ``g'`` of the Protocol; add to ``penalty[0]``."""
    scale = 1.0 if gradient_scale is None else float(gradient_scale[0])
    added = np.zeros_like(w)
    if l1 != 0.0:
        if not proximal:
            added += l1 * np.sign(w)
        if penalty is not None:
            penalty[0] += l1 * np.sum(np.abs(w), dtype=np.float64)
    if l2 != 0.0:
        added += l2 * w
        if penalty is not None:
            penalty[0] += l2 / 2.0 * np.sum(np.square(w), dtype=np.float64)
    if clip_penalty:
        g, added = g + added, np.zeros_like(w)
    clipped: Floats = np.clip(scale * g, -clip_value, clip_value)
    return clipped + added


def move(w: Floats, step: Floats, learning_rate: float, l1: float, weight_decay: float, proximal: bool) -> None:
    """Decay the weights, add the step, and draw weights to zero if that is asked for."""
    if weight_decay != 0.0:
        w *= 1.0 - learning_rate * weight_decay
    w += step
    if proximal:
        w -= np.clip(w, -learning_rate * l1, learning_rate * l1)


def sgd_update(
    w: Floats,
    velocity: Floats | None,
    penalty: Doubles | None,
    g: Floats,
    gradient_scale: Doubles | None,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
    l1: float,
    l2: float,
    weight_decay: float,
    proximal: bool,
    clip_value: float,
    clip_penalty: bool,
) -> None:
    check(w, {"velocity": velocity}, penalty, g, gradient_scale)
    g = penalised(w, penalty, g, gradient_scale, l1, l2, proximal, clip_value, clip_penalty)
    step = -learning_rate * g
    if velocity is not None:
        velocity *= momentum
        velocity += step
        step = momentum * velocity + step if nesterov else velocity
    move(w, step, learning_rate, l1, weight_decay, proximal)


def nadam_momentum(beta_1: float, step: int) -> float:
    """Return Nadam's momentum at a step."""
    return beta_1 * (1.0 - 0.5 * 0.96**step)


def nadam_product(beta_1: float, step: int) -> float:
    """Return the product of Nadam's momenta up to a step; from 1024 on each is ``beta_1`` to the last bit."""
    return beta_1 ** max(step - 1024, 0) * prod(nadam_momentum(beta_1, t) for t in range(1, min(step, 1024) + 1))


def adam_update(
    w: Floats,
    m: Floats,
    v: Floats,
    v_max: Floats | None,
    penalty: Doubles | None,
    g: Floats,
    gradient_scale: Doubles | None,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    step: int,
    nesterov: bool,
    l1: float,
    l2: float,
    weight_decay: float,
    proximal: bool,
    clip_value: float,
    clip_penalty: bool,
) -> None:
    check(w, {"m": m, "v": v, "v_max": v_max}, penalty, g, gradient_scale)
    g = penalised(w, penalty, g, gradient_scale, l1, l2, proximal, clip_value, clip_penalty)
    m += (1.0 - beta_1) * (g - m)
    v += (1.0 - beta_2) * (np.square(g) - v)
    if v_max is not None:
        v = np.maximum(v_max, v, out=v_max)
    correction = sqrt(1.0 - beta_2**step)
    if nesterov:
        ahead = nadam_momentum(beta_1, step + 1) / (1.0 - nadam_product(beta_1, step + 1)) * m
        now = (1.0 - nadam_momentum(beta_1, step)) / (1.0 - nadam_product(beta_1, step)) * g
        change = -learning_rate * (ahead + now) / (np.sqrt(v) / correction + epsilon)
    else:
        change = -learning_rate * correction / (1.0 - beta_1**step) * m / (np.sqrt(v) + epsilon)
    move(w, change, learning_rate, l1, weight_decay, proximal)


def scaled(g: Floats, v: Floats, learning_rate: float, epsilon: float, epsilon_inside: bool) -> Floats:
    """Return the gradient's step divided by the root of ``v``."""
    root = np.sqrt(v + epsilon) if epsilon_inside else np.sqrt(v) + epsilon
    return -learning_rate * g / root


def rmsprop_update(
    w: Floats,
    v: Floats,
    m: Floats | None,
    velocity: Floats | None,
    penalty: Doubles | None,
    g: Floats,
    gradient_scale: Doubles | None,
    learning_rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
    epsilon_inside: bool,
    l1: float,
    l2: float,
    weight_decay: float,
    proximal: bool,
    clip_value: float,
    clip_penalty: bool,
) -> None:
    check(w, {"v": v, "m": m, "velocity": velocity}, penalty, g, gradient_scale)
    g = penalised(w, penalty, g, gradient_scale, l1, l2, proximal, clip_value, clip_penalty)
    v *= rho
    v += (1.0 - rho) * np.square(g)
    spread = v
    if m is not None:
        m *= rho
        m += (1.0 - rho) * g
        spread = np.maximum(v - np.square(m), 0.0)
    step = scaled(g, spread, learning_rate, epsilon, epsilon_inside)
    if velocity is not None:
        velocity *= momentum
        velocity += step
        step = velocity
    move(w, step, learning_rate, l1, weight_decay, proximal)


def adagrad_update(
    w: Floats,
    v: Floats,
    penalty: Doubles | None,
    g: Floats,
    gradient_scale: Doubles | None,
    learning_rate: float,
    epsilon: float,
    epsilon_inside: bool,
    l1: float,
    l2: float,
    weight_decay: float,
    proximal: bool,
    clip_value: float,
    clip_penalty: bool,
) -> None:
    check(w, {"v": v}, penalty, g, gradient_scale)
    g = penalised(w, penalty, g, gradient_scale, l1, l2, proximal, clip_value, clip_penalty)
    v += np.square(g)
    step = scaled(g, v, learning_rate, epsilon, epsilon_inside)
    move(w, step, learning_rate, l1, weight_decay, proximal)


def adamax_update(
    w: Floats,
    m: Floats,
    u: Floats,
    penalty: Doubles | None,
    g: Floats,
    gradient_scale: Doubles | None,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    step: int,
    l1: float,
    l2: float,
    weight_decay: float,
    proximal: bool,
    clip_value: float,
    clip_penalty: bool,
) -> None:
    check(w, {"m": m, "u": u}, penalty, g, gradient_scale)
    g = penalised(w, penalty, g, gradient_scale, l1, l2, proximal, clip_value, clip_penalty)
    m += (1.0 - beta_1) * (g - m)
    u *= beta_2
    np.maximum(u, np.abs(g), out=u)
    change = -learning_rate / (1.0 - beta_1**step) * m / (u + epsilon)
    move(w, change, learning_rate, l1, weight_decay, proximal)


def adadelta_update(
    w: Floats,
    v: Floats,
    d: Floats,
    penalty: Doubles | None,
    g: Floats,
    gradient_scale: Doubles | None,
    learning_rate: float,
    rho: float,
    epsilon: float,
    l1: float,
    l2: float,
    weight_decay: float,
    proximal: bool,
    clip_value: float,
    clip_penalty: bool,
) -> None:
    check(w, {"v": v, "d": d}, penalty, g, gradient_scale)
    g = penalised(w, penalty, g, gradient_scale, l1, l2, proximal, clip_value, clip_penalty)
    v *= rho
    v += (1.0 - rho) * np.square(g)
    change = -np.sqrt(d + epsilon) / np.sqrt(v + epsilon) * g
    d *= rho
    d += (1.0 - rho) * np.square(change)
    step = learning_rate * change
    move(w, step, learning_rate, l1, weight_decay, proximal)


def lion_update(
    w: Floats,
    m: Floats,
    penalty: Doubles | None,
    g: Floats,
    gradient_scale: Doubles | None,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    l1: float,
    l2: float,
    weight_decay: float,
    proximal: bool,
    clip_value: float,
    clip_penalty: bool,
) -> None:
    check(w, {"m": m}, penalty, g, gradient_scale)
    g = penalised(w, penalty, g, gradient_scale, l1, l2, proximal, clip_value, clip_penalty)
    step = -learning_rate * np.sign(beta_1 * m + (1.0 - beta_1) * g)
    m *= beta_2
    m += (1.0 - beta_2) * g
    move(w, step, learning_rate, l1, weight_decay, proximal)
