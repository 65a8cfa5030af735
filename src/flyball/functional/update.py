"""Steps of optimisers, with penalties, in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.backend import get_backend
from flyball.functional._checks import (
    floats_like,
    fraction,
    native_float,
    not_negative,
    plain,
    positive,
    same_shape,
    share,
    whole,
    written,
)
from flyball.reference._arrays import FLOAT64

if TYPE_CHECKING:
    from flyball.backend.types import Doubles, Floats


def sgd_update(
    w: Floats,
    g: Floats,
    velocity: Floats | None = None,
    *,
    learning_rate: float = 0.01,
    momentum: float = 0.0,
    nesterov: bool = False,
    l1: float = 0.0,
    l2: float = 0.0,
    weight_decay: float = 0.0,
    penalty: Doubles | None = None,
) -> None:
    """One step of stochastic gradient descent, in place, with penalties in the same pass.

    ``g' = g + l1 * sign(w) + l2 * w``, ``velocity = momentum * velocity - learning_rate * g'``,
    ``w = w * (1 - learning_rate * weight_decay) + velocity``; with nesterov the last term is
    ``momentum * velocity - learning_rate * g'``, without ``velocity`` it is ``-learning_rate * g'``.

    Parameters
    ----------
    w : array of float32 or float64, any shape
        Weights, updated in place; never copied.
    g : array like w
        Gradient. Copied once if its layout asks for it.
    velocity : array like w, optional
        State, zeros before the first step, updated in place; required if ``momentum`` is above 0.
    learning_rate : float, at least 0
        Size of the step.
    momentum : float in [0, 1]
        Share of the velocity that is kept.
    nesterov : bool
        Whether to look ahead.
    l1, l2 : float, at least 0
        The loss has the penalty ``l1 * sum(|w|) + l2 / 2 * sum(w**2)``. ``l2`` is PyTorch's ``weight_decay`` of SGD and
        twice Keras' ``l2``.
    weight_decay : float, at least 0
        Decoupled decay: apart from the gradient, weights shrink by ``learning_rate * weight_decay``.
    penalty : array of float64, shape (1,), optional
        Increased by the penalty of the weights before the step.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If a shape does not fit, arrays overlap, or an argument is outside what is said above.
    """
    parameters = flat("w", w)
    gradient = floats_like("g", g, parameters.dtype, "w")
    same_shape("g", gradient, w)
    if velocity is not None:
        written("velocity", velocity, parameters.dtype, w.shape)
    momentum = share("momentum", momentum)
    if velocity is None and momentum > 0.0:
        msg = f"velocity must be given where momentum is above 0, got None and momentum {momentum}"
        raise ValueError(msg)
    written("penalty", penalty, FLOAT64, (1,))
    get_backend().sgd_update(
        parameters,
        None if velocity is None else velocity.reshape(-1),
        penalty,
        gradient.reshape(-1),
        not_negative("learning_rate", learning_rate),
        momentum,
        bool(nesterov),
        not_negative("l1", l1),
        not_negative("l2", l2),
        not_negative("weight_decay", weight_decay),
    )


def adam_update(
    w: Floats,
    g: Floats,
    m: Floats,
    v: Floats,
    *,
    step: int,
    learning_rate: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    l1: float = 0.0,
    l2: float = 0.0,
    weight_decay: float = 0.0,
    penalty: Doubles | None = None,
) -> None:
    """One step of Adam, in place, with penalties in the same pass; AdamW with ``weight_decay``.

    ``g' = g + l1 * sign(w) + l2 * w``, ``m += (1 - beta_1) * (g' - m)``, ``v += (1 - beta_2) * (g'**2 - v)``,
    ``a = learning_rate * sqrt(1 - beta_2**step) / (1 - beta_1**step)``,
    ``w = w * (1 - learning_rate * weight_decay) - a * m / (sqrt(v) + epsilon)``.

    Parameters
    ----------
    w : array of float32 or float64, any shape
        Weights, updated in place; never copied.
    g : array like w
        Gradient. Copied once if its layout asks for it.
    m, v : arrays like w
        State, zeros before the first step, updated in place.
    step : int, at least 1
        Number of this step, which the bias correction needs.
    learning_rate : float, at least 0
        Size of the step.
    beta_1, beta_2 : float in [0, 1)
        Shares of ``m`` and ``v`` that are kept.
    epsilon : float above 0
        Added to ``sqrt(v)`` as in Keras; PyTorch adds it after the bias correction.
    l1, l2 : float, at least 0
        The loss has the penalty ``l1 * sum(|w|) + l2 / 2 * sum(w**2)``.
    weight_decay : float, at least 0
        Decoupled decay: apart from the gradient, weights shrink by ``learning_rate * weight_decay``.
    penalty : array of float64, shape (1,), optional
        Increased by the penalty of the weights before the step.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If a shape does not fit, arrays overlap, or an argument is outside what is said above.

    References
    ----------
    Kingma and Ba, "Adam", 2015, in the form of the end of its section 2; Loshchilov and Hutter, "Decoupled weight decay
    regularization", 2019.
    """
    parameters = flat("w", w)
    gradient = floats_like("g", g, parameters.dtype, "w")
    same_shape("g", gradient, w)
    written("m", plain("m", m), parameters.dtype, w.shape)
    written("v", plain("v", v), parameters.dtype, w.shape)
    written("penalty", penalty, FLOAT64, (1,))
    get_backend().adam_update(
        parameters,
        m.reshape(-1),
        v.reshape(-1),
        penalty,
        gradient.reshape(-1),
        not_negative("learning_rate", learning_rate),
        fraction("beta_1", beta_1),
        fraction("beta_2", beta_2),
        positive("epsilon", epsilon),
        whole("step", step, 1, 63),
        not_negative("l1", l1),
        not_negative("l2", l2),
        not_negative("weight_decay", weight_decay),
    )


def flat(name: str, value: Any) -> Floats:
    """Return a flat view of an array of floats that is written to."""
    array = plain(name, value)
    written(name, array, native_float(name, array), array.shape)
    return array.reshape(-1)
