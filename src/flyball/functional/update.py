"""Steps of optimisers, in place, with penalties, decay and clipping in the same pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from flyball.functional._checks import fraction, plain, positive, share, whole
from flyball.functional._step import UpdateOptions, run_update

if TYPE_CHECKING:
    from flyball.backend.types import Floats


def sgd_update(
    w: Floats,
    g: Floats,
    velocity: Floats | None = None,
    *,
    learning_rate: float = 0.01,
    momentum: float = 0.0,
    nesterov: bool = False,
    **options: Unpack[UpdateOptions],
) -> None:
    """One step of stochastic gradient descent, in place.

    ``velocity = momentum * velocity - learning_rate * g'``, ``w = w * (1 - learning_rate * weight_decay) + velocity``;
    with nesterov the last term is ``momentum * velocity - learning_rate * g'``, without ``velocity`` it is
    ``-learning_rate * g'``. See :class:`UpdateOptions` for ``g'``. PyTorch's momentum buffer is
    ``-velocity / learning_rate``: the same steps as long as the learning rate does not change.

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
    **options : UpdateOptions
        Penalties, decay, clipping, settings of ranges.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array; for an unknown option.
    ValueError
        If a shape does not fit, arrays overlap, or an argument is outside what is said above.
    """
    momentum = share("momentum", momentum)
    if velocity is None and momentum > 0.0:
        msg = f"velocity must be given where momentum is above 0, got None and momentum {momentum}"
        raise ValueError(msg)
    run_update("sgd_update", w, g, {"velocity": velocity}, learning_rate, (momentum, bool(nesterov)), options)


def adam_update(
    w: Floats,
    g: Floats,
    m: Floats,
    v: Floats,
    v_max: Floats | None = None,
    *,
    step: int,
    learning_rate: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    nesterov: bool = False,
    **options: Unpack[UpdateOptions],
) -> None:
    """One step of Adam, in place: AdamW with ``weight_decay``, AMSGrad with ``v_max``, Nadam with ``nesterov``.

    ``m += (1 - beta_1) * (g' - m)``, ``v += (1 - beta_2) * (g'**2 - v)``, ``v_max = max(v_max, v)``, which then takes
    the place of v; ``a = learning_rate * sqrt(1 - beta_2**step) / (1 - beta_1**step)``,
    ``w = w * (1 - learning_rate * weight_decay) - a * m / (sqrt(v) + epsilon)``. See :class:`UpdateOptions` for ``g'``.
    Nadam: with ``u(t) = beta_1 * (1 - 0.96**t / 2)`` and ``p(t) = u(1) * ... * u(t)`` the last term is ``learning_rate
    * (u(step + 1) / (1 - p(step + 1)) * m + (1 - u(step)) / (1 - p(step)) * g') / (sqrt(v / (1 - beta_2**step)) +
    epsilon)``.

    Parameters
    ----------
    w : array of float32 or float64, any shape
        Weights, updated in place; never copied.
    g : array like w
        Gradient. Copied once if its layout asks for it.
    m, v, v_max : arrays like w
        State, zeros before the first step, updated in place; ``v_max`` is optional.
    step : int, at least 1
        Number of this step, which the bias correction needs.
    learning_rate : float, at least 0
        Size of the step.
    beta_1, beta_2 : float in [0, 1)
        Shares of ``m`` and ``v`` that are kept.
    epsilon : float above 0
        Added to ``sqrt(v)`` as in Keras (the paper's epsilon-hat). PyTorch adds its ``eps`` (1e-8) after the bias
        correction: give ``epsilon=eps * sqrt(1 - beta_2**step)`` for its numbers. Nadam has it as PyTorch does.
    nesterov : bool
        Nadam, with the schedule of momenta that Keras has. PyTorch's NAdam slows it: its 0.96 is 0.96**0.004.
    **options : UpdateOptions
        Penalties, decay, clipping, settings of ranges.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array; for an unknown option.
    ValueError
        If a shape does not fit, arrays overlap, or an argument is outside what is said above.

    References
    ----------
    Kingma and Ba, "Adam", 2015, in the form of the end of its section 2; Loshchilov and Hutter, "Decoupled weight decay
    regularization", 2019; Reddi, Kale and Kumar, "On the convergence of Adam and beyond", 2018; Dozat, "Incorporating
    Nesterov momentum into Adam", 2016.
    """
    own = (fraction("beta_1", beta_1), fraction("beta_2", beta_2), positive("epsilon", epsilon))
    state = {"m": plain("m", m), "v": plain("v", v), "v_max": v_max}
    run_update("adam_update", w, g, state, learning_rate, (*own, whole("step", step, 1, 63), bool(nesterov)), options)


def rmsprop_update(
    w: Floats,
    g: Floats,
    v: Floats,
    m: Floats | None = None,
    velocity: Floats | None = None,
    *,
    learning_rate: float = 0.001,
    rho: float = 0.9,
    momentum: float = 0.0,
    epsilon: float = 1e-7,
    epsilon_inside: bool = True,
    **options: Unpack[UpdateOptions],
) -> None:
    """One step of RMSprop, in place: centered with ``m``, with momentum with ``velocity``.

    ``v = rho * v + (1 - rho) * g'**2``, ``m = rho * m + (1 - rho) * g'``, ``r = max(v - m**2, 0)`` (without m: v);
    ``s = learning_rate * g' / sqrt(r + epsilon)``, ``velocity = momentum * velocity - s``,
    ``w = w * (1 - learning_rate * weight_decay) + velocity`` (without velocity: ``- s``). See :class:`UpdateOptions`
    for ``g'``. PyTorch's numbers: ``rho=0.99, epsilon=1e-8, epsilon_inside=False``.

    Parameters
    ----------
    w : array of float32 or float64, any shape
        Weights, updated in place; never copied.
    g : array like w
        Gradient. Copied once if its layout asks for it.
    v, m, velocity : arrays like w
        State, zeros before the first step, updated in place; ``m`` and ``velocity`` are optional.
    learning_rate : float, at least 0
        Size of the step.
    rho : float in [0, 1)
        Share of ``v`` and ``m`` that is kept.
    momentum : float in [0, 1]
        Share of the velocity that is kept; above 0 it needs ``velocity``.
    epsilon : float above 0
        Keeps the quotient finite.
    epsilon_inside : bool
        Whether epsilon is added inside the root, as in Keras, or to it, as in PyTorch.
    **options : UpdateOptions
        Penalties, decay, clipping, settings of ranges.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array; for an unknown option.
    ValueError
        If a shape does not fit, arrays overlap, or an argument is outside what is said above.

    References
    ----------
    Tieleman and Hinton, "Lecture 6.5", 2012; centered: Graves, "Generating sequences with recurrent neural networks",
    2013.
    """
    momentum = share("momentum", momentum)
    if velocity is None and momentum > 0.0:
        msg = f"velocity must be given where momentum is above 0, got None and momentum {momentum}"
        raise ValueError(msg)
    own = (fraction("rho", rho), momentum, positive("epsilon", epsilon), bool(epsilon_inside))
    run_update("rmsprop_update", w, g, {"v": plain("v", v), "m": m, "velocity": velocity}, learning_rate, own, options)


def adagrad_update(
    w: Floats,
    g: Floats,
    v: Floats,
    *,
    learning_rate: float = 0.001,
    epsilon: float = 1e-7,
    epsilon_inside: bool = True,
    **options: Unpack[UpdateOptions],
) -> None:
    """One step of Adagrad, in place.

    ``v += g'**2``, ``w = w * (1 - learning_rate * weight_decay) - learning_rate * g' / sqrt(v + epsilon)``. See
    :class:`UpdateOptions` for ``g'``. PyTorch's numbers: ``epsilon=1e-10, epsilon_inside=False`` and v of zeros.

    Parameters
    ----------
    w : array of float32 or float64, any shape
        Weights, updated in place; never copied.
    g : array like w
        Gradient. Copied once if its layout asks for it.
    v : array like w
        State, updated in place; before the first step 0.1 everywhere in Keras, 0 in PyTorch.
    learning_rate : float, at least 0
        Size of the step.
    epsilon : float above 0
        Keeps the quotient finite.
    epsilon_inside : bool
        Whether epsilon is added inside the root, as in Keras, or to it, as in PyTorch.
    **options : UpdateOptions
        Penalties, decay, clipping, settings of ranges.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array; for an unknown option.
    ValueError
        If a shape does not fit, arrays overlap, or an argument is outside what is said above.

    References
    ----------
    Duchi, Hazan and Singer, "Adaptive subgradient methods", 2011.
    """
    own = (positive("epsilon", epsilon), bool(epsilon_inside))
    run_update("adagrad_update", w, g, {"v": plain("v", v)}, learning_rate, own, options)


def adamax_update(
    w: Floats,
    g: Floats,
    m: Floats,
    u: Floats,
    *,
    step: int,
    learning_rate: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    **options: Unpack[UpdateOptions],
) -> None:
    """One step of Adamax, Adam with the largest gradient in the place of the root of the squares', in place.

    ``m += (1 - beta_1) * (g' - m)``, ``u = max(beta_2 * u, |g'|)``,
    ``w = w * (1 - learning_rate * weight_decay) - learning_rate / (1 - beta_1**step) * m / (u + epsilon)``. See
    :class:`UpdateOptions` for ``g'``. PyTorch adds its ``eps`` to ``|g'|`` instead.

    Parameters
    ----------
    w : array of float32 or float64, any shape
        Weights, updated in place; never copied.
    g : array like w
        Gradient. Copied once if its layout asks for it.
    m, u : arrays like w
        State, zeros before the first step, updated in place.
    step : int, at least 1
        Number of this step, which the bias correction needs.
    learning_rate : float, at least 0
        Size of the step.
    beta_1, beta_2 : float in [0, 1)
        Shares of ``m`` and ``u`` that are kept.
    epsilon : float above 0
        Keeps the quotient finite.
    **options : UpdateOptions
        Penalties, decay, clipping, settings of ranges.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array; for an unknown option.
    ValueError
        If a shape does not fit, arrays overlap, or an argument is outside what is said above.

    References
    ----------
    Kingma and Ba, "Adam", 2015, section 7.
    """
    own = (fraction("beta_1", beta_1), fraction("beta_2", beta_2), positive("epsilon", epsilon))
    state: dict[str, Floats | None] = {"m": plain("m", m), "u": plain("u", u)}
    run_update("adamax_update", w, g, state, learning_rate, (*own, whole("step", step, 1, 63)), options)


def adadelta_update(
    w: Floats,
    g: Floats,
    v: Floats,
    d: Floats,
    *,
    learning_rate: float = 0.001,
    rho: float = 0.95,
    epsilon: float = 1e-7,
    **options: Unpack[UpdateOptions],
) -> None:
    """One step of Adadelta, in place.

    ``v = rho * v + (1 - rho) * g'**2``, ``s = -sqrt(d + epsilon) / sqrt(v + epsilon) * g'``,
    ``d = rho * d + (1 - rho) * s**2``, ``w = w * (1 - learning_rate * weight_decay) + learning_rate * s``. See
    :class:`UpdateOptions` for ``g'``. PyTorch's numbers: ``learning_rate=1, rho=0.9, epsilon=1e-6``.

    Parameters
    ----------
    w : array of float32 or float64, any shape
        Weights, updated in place; never copied.
    g : array like w
        Gradient. Copied once if its layout asks for it.
    v, d : arrays like w
        State, zeros before the first step, updated in place.
    learning_rate : float, at least 0
        Size of the step; 1 in the paper.
    rho : float in [0, 1)
        Share of ``v`` and ``d`` that is kept.
    epsilon : float above 0
        Keeps the quotient finite, and begins the first step.
    **options : UpdateOptions
        Penalties, decay, clipping, settings of ranges.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array; for an unknown option.
    ValueError
        If a shape does not fit, arrays overlap, or an argument is outside what is said above.

    References
    ----------
    Zeiler, "ADADELTA: an adaptive learning rate method", 2012.
    """
    own = (fraction("rho", rho), positive("epsilon", epsilon))
    run_update("adadelta_update", w, g, {"v": plain("v", v), "d": plain("d", d)}, learning_rate, own, options)


def lion_update(
    w: Floats,
    g: Floats,
    m: Floats,
    *,
    learning_rate: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.99,
    **options: Unpack[UpdateOptions],
) -> None:
    """One step of Lion, in place: every element moves by the learning rate, or not at all.

    ``w = w * (1 - learning_rate * weight_decay) - learning_rate * sign(beta_1 * m + (1 - beta_1) * g')``, then
    ``m = beta_2 * m + (1 - beta_2) * g'``. See :class:`UpdateOptions` for ``g'``.

    Parameters
    ----------
    w : array of float32 or float64, any shape
        Weights, updated in place; never copied.
    g : array like w
        Gradient. Copied once if its layout asks for it.
    m : array like w
        State, zeros before the first step, updated in place.
    learning_rate : float, at least 0
        Size of the step.
    beta_1, beta_2 : float in [0, 1)
        Shares of ``m`` in the step, and in the new ``m``.
    **options : UpdateOptions
        Penalties, decay, clipping, settings of ranges.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array; for an unknown option.
    ValueError
        If a shape does not fit, arrays overlap, or an argument is outside what is said above.

    References
    ----------
    Chen et al., "Symbolic discovery of optimization algorithms", 2023.
    """
    own = (fraction("beta_1", beta_1), fraction("beta_2", beta_2))
    run_update("lion_update", w, g, {"m": plain("m", m)}, learning_rate, own, options)
