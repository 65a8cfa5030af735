"""Optimizers: names, defaults and checks; the arithmetic is one fused operation each (see :mod:`flyball.backend`)."""

from __future__ import annotations

from typing import ClassVar

from flyball import _checks
from flyball._registry import Configurable, Registry, serialize

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "get", "serialize"]


class Optimizer(Configurable):
    """Base of all optimizers: a learning rate, a step count, and the operation that does a step.

    Attributes
    ----------
    learning_rate : float
        May be set at any time; the next step uses it.
    iterations : int
        Steps done.
    update_op : str
        The operation of :class:`flyball.backend.Backend` that does a step.
    """

    update_op: ClassVar[str]

    def __init__(self, learning_rate: float, weight_decay: float | None, name: str) -> None:
        self.learning_rate = learning_rate
        self.weight_decay = None if weight_decay is None else _checks.number("weight_decay", weight_decay, "[0, inf)")
        self.name = _checks.text("name", name)
        self.iterations = 0

    @property
    def learning_rate(self) -> float:
        """The size of a step."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learning_rate = _checks.number("learning_rate", value, "[0, inf)")

    def slots(self) -> tuple[str, ...]:
        """Names of the state arrays, each as long as the parameters, in the order ``update_op`` takes them."""
        raise NotImplementedError

    def params(self) -> dict[str, float]:
        """Scalars of ``update_op`` by name, without ``learning_rate``, ``step``, ``l1`` and ``l2``."""
        return {"weight_decay": self.weight_decay or 0.0}


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if asked for.

    ``velocity = momentum * velocity - learning_rate * g``; ``w += velocity``, or with Nesterov's look-ahead
    ``w += momentum * velocity - learning_rate * g``.

    Parameters
    ----------
    learning_rate : float
        Non-negative.
    momentum : float
        In [0, 1].
    nesterov : bool
        Whether to look ahead; without momentum it changes nothing.
    weight_decay : float, optional
        Decoupled: ``w`` is multiplied by ``1 - learning_rate * weight_decay`` at each step. Biases and
        normalisation parameters are spared.
    name : str
        What configurations call it.
    """

    update_op = "sgd_update"

    def __init__(
        self,
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        *,
        weight_decay: float | None = None,
        name: str = "sgd",
    ) -> None:
        super().__init__(learning_rate, weight_decay, name)
        self.momentum = _checks.number("momentum", momentum, "[0, 1]")
        self.nesterov = _checks.flag("nesterov", nesterov)

    def slots(self) -> tuple[str, ...]:
        """``("velocity",)``, or nothing without momentum."""
        return ("velocity",) if self.momentum else ()

    def params(self) -> dict[str, float]:
        """``momentum``, ``nesterov`` and ``weight_decay``."""
        return {"momentum": self.momentum, "nesterov": self.nesterov, **super().params()}


class Adam(Optimizer):
    """Adam: steps scaled by running moments of the gradient.

    ``m += (1 - beta_1) * (g - m)``; ``v += (1 - beta_2) * (g**2 - v)``;
    ``w -= learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (sqrt(v) + epsilon)``.
    Kingma and Ba 2015, in the form Keras has: ``epsilon`` is the paper's epsilon-hat.

    Parameters
    ----------
    learning_rate : float
        Non-negative.
    beta_1, beta_2 : float
        Decay of the first and the second moment, in [0, 1).
    epsilon : float
        Positive.
    weight_decay : float, optional
        Decoupled, as in :class:`SGD`.
    name : str
        What configurations call it.
    """

    update_op = "adam_update"

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        *,
        weight_decay: float | None = None,
        name: str = "adam",
    ) -> None:
        super().__init__(learning_rate, weight_decay, name)
        self.beta_1 = _checks.number("beta_1", beta_1, "[0, 1)")
        self.beta_2 = _checks.number("beta_2", beta_2, "[0, 1)")
        self.epsilon = _checks.number("epsilon", epsilon, "(0, inf)")

    def slots(self) -> tuple[str, ...]:
        """``("m", "v")``: the two moments."""
        return ("m", "v")

    def params(self) -> dict[str, float]:
        """``beta_1``, ``beta_2``, ``epsilon`` and ``weight_decay``."""
        return {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon, **super().params()}


class AdamW(Adam):
    """:class:`Adam` with decoupled weight decay by default. Loshchilov and Hutter 2019."""

    def __init__(
        self,
        learning_rate: float = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        *,
        name: str = "adamw",
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay=weight_decay, name=name)


_names: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}
REGISTRY: Registry[Optimizer] = Registry("optimizer", Optimizer, _names)


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
