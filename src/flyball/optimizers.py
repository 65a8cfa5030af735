"""Optimizers: names, defaults and checks; the arithmetic is one fused operation each (see :mod:`flyball.backend`).

Names, arguments and defaults are those of Keras 3. Weight decay is decoupled, as in Keras, but spares biases and the
parameters of normalisations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from flyball import _checks, schedules
from flyball._lookahead import Lookahead
from flyball._optimizer import Optimizer, OptimizerOptions, OtherOptions
from flyball._registry import Registry, serialize

if TYPE_CHECKING:
    from flyball.schedules import LearningRateSchedule

__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "Lookahead", "Nadam", "Optimizer", "RMSprop",
    "get", "schedules", "serialize",
]  # fmt: skip


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if asked for.

    ``velocity = momentum * velocity - learning_rate * g``; ``w += velocity``, or with Nesterov's look-ahead
    ``w += momentum * velocity - learning_rate * g``.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
        Non-negative.
    momentum : float
        In [0, 1].
    nesterov : bool
        Whether to look ahead; without momentum it changes nothing.
    **options
        ``weight_decay``, ``clipnorm``, ``clipvalue``, ``global_clipnorm``, ``use_ema``, ``ema_momentum``,
        ``ema_overwrite_frequency``, ``gradient_accumulation_steps``, ``name``; see :class:`OptimizerOptions`.
    """

    update_op = "sgd_update"

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **options: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.momentum = _checks.number("momentum", momentum, "[0, 1]")
        self.nesterov = _checks.flag("nesterov", nesterov)

    def slots(self) -> tuple[str, ...]:
        """``("velocity",)``, or nothing without momentum."""
        return ("velocity",) if self.momentum else ()

    def params(self) -> dict[str, float]:
        """Scalars of the operation."""
        return {"momentum": self.momentum, "nesterov": self.nesterov, **super().params()}


class _Moments(Optimizer):
    """What Adam and its kin share: two moments' shares, and epsilon."""

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **options: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1 = _checks.number("beta_1", beta_1, "[0, 1)")
        self.beta_2 = _checks.number("beta_2", beta_2, "[0, 1)")
        self.epsilon = _checks.number("epsilon", epsilon, "(0, inf)")

    def params(self) -> dict[str, float]:
        """Scalars of the operation."""
        return {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon, **super().params()}


class Adam(_Moments):
    """Adam: steps scaled by running moments of the gradient.

    ``m += (1 - beta_1) * (g - m)``; ``v += (1 - beta_2) * (g**2 - v)``;
    ``w -= learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (sqrt(v) + epsilon)``.
    Kingma and Ba 2015, in the form Keras has: ``epsilon`` is the paper's epsilon-hat.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
        Non-negative.
    beta_1 : float
        Share of the first moment that is kept, in [0, 1).
    beta_2 : float
        Share of the second moment that is kept, in [0, 1).
    epsilon : float
        Positive; keeps the quotient finite.
    amsgrad : bool
        Whether the largest v so far takes its place (Reddi et al. 2018).
    **options
        ``weight_decay``, ``clipnorm``, ``clipvalue``, ``global_clipnorm``, ``use_ema``, ``ema_momentum``,
        ``ema_overwrite_frequency``, ``gradient_accumulation_steps``, ``name``; see :class:`OptimizerOptions`.
    """

    update_op = "adam_update"

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **options)
        self.amsgrad = _checks.flag("amsgrad", amsgrad)

    def slots(self) -> tuple[str, ...]:
        """``("m", "v")``: the two moments, and with AMSGrad ``"v_max"``."""
        return ("m", "v", "v_max") if self.amsgrad else ("m", "v")

    def params(self) -> dict[str, float]:
        """Scalars of the operation."""
        return {"nesterov": False, **super().params()}


class AdamW(Adam):
    """:class:`Adam` with decoupled weight decay by default: 0.004. Loshchilov and Hutter 2019."""

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Unpack[OtherOptions],
    ) -> None:
        if weight_decay is None:
            _checks.refuse("weight_decay", "a number; without weight decay take Adam", weight_decay)
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **options)


class Nadam(_Moments):
    """Adam with Nesterov's look-ahead.

    With ``u(t) = beta_1 * (1 - 0.96**t / 2)`` and p(t) the product of u(1) to u(t),
    ``w -= learning_rate * (u(t + 1) / (1 - p(t + 1)) * m + (1 - u(t)) / (1 - p(t)) * g) / (sqrt(v / (1 - beta_2**t)) +
    epsilon)``, m and v as in :class:`Adam`. Dozat 2016, with Keras' schedule of u.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
        Non-negative.
    beta_1 : float
        Share of the first moment that is kept, in [0, 1).
    beta_2 : float
        Share of the second moment that is kept, in [0, 1).
    epsilon : float
        Positive; keeps the quotient finite.
    **options
        ``weight_decay``, ``clipnorm``, ``clipvalue``, ``global_clipnorm``, ``use_ema``, ``ema_momentum``,
        ``ema_overwrite_frequency``, ``gradient_accumulation_steps``, ``name``; see :class:`OptimizerOptions`.
    """

    update_op = "adam_update"

    def slots(self) -> tuple[str, ...]:
        """``("m", "v")``: the two moments."""
        return ("m", "v")

    def params(self) -> dict[str, float]:
        """Scalars of the operation."""
        return {"nesterov": True, **super().params()}


class Adamax(_Moments):
    """Adam with the decayed largest gradient in the place of the root of the second moment.

    ``m += (1 - beta_1) * (g - m)``; ``u = max(beta_2 * u, |g|)``;
    ``w -= learning_rate / (1 - beta_1**t) * m / (u + epsilon)``. Kingma and Ba 2015, section 7.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
        Non-negative.
    beta_1 : float
        Share of the first moment that is kept, in [0, 1).
    beta_2 : float
        Share of the second moment that is kept, in [0, 1).
    epsilon : float
        Positive; keeps the quotient finite.
    **options
        ``weight_decay``, ``clipnorm``, ``clipvalue``, ``global_clipnorm``, ``use_ema``, ``ema_momentum``,
        ``ema_overwrite_frequency``, ``gradient_accumulation_steps``, ``name``; see :class:`OptimizerOptions`.
    """

    update_op = "adamax_update"

    def slots(self) -> tuple[str, ...]:
        """``("m", "u")``: the first moment and the largest gradient."""
        return ("m", "u")


class RMSprop(Optimizer):
    """RMSprop: steps divided by the root of a running mean of squares.

    ``v = rho * v + (1 - rho) * g**2``; ``s = learning_rate * g / sqrt(v + epsilon)``, centered with ``v - m**2`` for v
    and ``m = rho * m + (1 - rho) * g``; ``w -= s``, with momentum ``velocity = momentum * velocity - s``;
    ``w += velocity``. Tieleman and Hinton 2012; centered: Graves 2013.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
        Non-negative.
    rho : float
        Share of the running means that is kept, in [0, 1).
    momentum : float
        In [0, 1].
    epsilon : float
        Positive; keeps the quotient finite.
    centered : bool
        Whether the gradient's variance takes the place of its mean square.
    **options
        ``weight_decay``, ``clipnorm``, ``clipvalue``, ``global_clipnorm``, ``use_ema``, ``ema_momentum``,
        ``ema_overwrite_frequency``, ``gradient_accumulation_steps``, ``name``; see :class:`OptimizerOptions`.
    """

    update_op = "rmsprop_update"

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **options: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho = _checks.number("rho", rho, "[0, 1)")
        self.momentum = _checks.number("momentum", momentum, "[0, 1]")
        self.epsilon = _checks.number("epsilon", epsilon, "(0, inf)")
        self.centered = _checks.flag("centered", centered)

    def slots(self) -> tuple[str, ...]:
        """``v``, and where they are asked for ``m`` and ``velocity``."""
        return ("v", *(("m",) if self.centered else ()), *(("velocity",) if self.momentum else ()))

    def params(self) -> dict[str, float]:
        """Scalars of the operation."""
        return {
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "epsilon_inside": True,
            **super().params(),
        }


class Adagrad(Optimizer):
    """Adagrad: steps divided by the root of the sum of all squares so far.

    ``v += g**2``; ``w -= learning_rate * g / sqrt(v + epsilon)``. Duchi et al. 2011.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
        Non-negative.
    initial_accumulator_value : float
        First value of v, non-negative.
    epsilon : float
        Positive; keeps the quotient finite.
    **options
        ``weight_decay``, ``clipnorm``, ``clipvalue``, ``global_clipnorm``, ``use_ema``, ``ema_momentum``,
        ``ema_overwrite_frequency``, ``gradient_accumulation_steps``, ``name``; see :class:`OptimizerOptions`.
    """

    update_op = "adagrad_update"

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **options: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.initial_accumulator_value = _checks.number(
            "initial_accumulator_value", initial_accumulator_value, "[0, inf)"
        )
        self.epsilon = _checks.number("epsilon", epsilon, "(0, inf)")
        self.initial_state = self.initial_accumulator_value

    def slots(self) -> tuple[str, ...]:
        """``("v",)``: the sum of squares."""
        return ("v",)

    def params(self) -> dict[str, float]:
        """Scalars of the operation."""
        return {"epsilon": self.epsilon, "epsilon_inside": True, **super().params()}


class Adadelta(Optimizer):
    """Adadelta: steps in the unit of the weights.

    ``v = rho * v + (1 - rho) * g**2``; ``s = -sqrt(d + epsilon) / sqrt(v + epsilon) * g``;
    ``d = rho * d + (1 - rho) * s**2``; ``w += learning_rate * s``. Zeiler 2012, whose learning rate is 1.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
        Non-negative.
    rho : float
        Share of the running means that is kept, in [0, 1).
    epsilon : float
        Positive; keeps the quotient finite.
    **options
        ``weight_decay``, ``clipnorm``, ``clipvalue``, ``global_clipnorm``, ``use_ema``, ``ema_momentum``,
        ``ema_overwrite_frequency``, ``gradient_accumulation_steps``, ``name``; see :class:`OptimizerOptions`.
    """

    update_op = "adadelta_update"

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        **options: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho = _checks.number("rho", rho, "[0, 1)")
        self.epsilon = _checks.number("epsilon", epsilon, "(0, inf)")

    def slots(self) -> tuple[str, ...]:
        """``("v", "d")``: mean squares of gradients and of steps."""
        return ("v", "d")

    def params(self) -> dict[str, float]:
        """Scalars of the operation."""
        return {"rho": self.rho, "epsilon": self.epsilon, **super().params()}


class Lion(Optimizer):
    """Lion: each weight moves by the learning rate, in the direction of a momentum.

    ``w -= learning_rate * sign(beta_1 * m + (1 - beta_1) * g)``; then ``m = beta_2 * m + (1 - beta_2) * g``.
    Chen et al. 2023.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
        Non-negative.
    beta_1 : float
        Share of m in the step, in (0, 1).
    beta_2 : float
        Share of m that is kept, in [0, 1).
    **options
        ``weight_decay``, ``clipnorm``, ``clipvalue``, ``global_clipnorm``, ``use_ema``, ``ema_momentum``,
        ``ema_overwrite_frequency``, ``gradient_accumulation_steps``, ``name``; see :class:`OptimizerOptions`.
    """

    update_op = "lion_update"

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        **options: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1 = _checks.number("beta_1", beta_1, "(0, 1)")
        self.beta_2 = _checks.number("beta_2", beta_2, "[0, 1)")

    def slots(self) -> tuple[str, ...]:
        """``("m",)``: the momentum."""
        return ("m",)

    def params(self) -> dict[str, float]:
        """Scalars of the operation."""
        return {"beta_1": self.beta_1, "beta_2": self.beta_2, **super().params()}


_names: dict[str, type[Optimizer]] = {
    cls.__name__.lower(): cls for cls in (SGD, Adam, AdamW, Nadam, Adamax, RMSprop, Adagrad, Adadelta, Lion)
}
REGISTRY: Registry[Optimizer] = Registry("optimizer", Optimizer, _names)
REGISTRY.classes["Lookahead"] = Lookahead  # in files; by its name alone nobody means it


def get(identifier: object) -> Optimizer:
    """Return the optimizer that ``identifier`` stands for.

    Parameters
    ----------
    identifier : str, Optimizer, type or dict
        A name in any case (``"adam"``, with the default arguments), an optimizer, its class, or its configuration.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    return REGISTRY.get(identifier)


if not TYPE_CHECKING:  # type checkers know the names

    def __getattr__(name: str) -> Any:
        raise _checks.no_attribute(__name__, name, __all__)
