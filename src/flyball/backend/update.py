"""Steps of optimisers, with penalties. The conventions are those of :mod:`flyball.backend`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flyball.backend.types import Doubles, Floats


class Updates(Protocol):
    """Steps of optimisers, with penalties."""

    def sgd_update(
        self,
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
        """One step of stochastic gradient descent over a flat array, with penalties, in one pass.

        ``g' = g + l1 * sign(w) + l2 * w``; ``velocity = momentum * velocity - learning_rate * g'``;
        ``w = w * (1 - learning_rate * weight_decay) + velocity`` (with nesterov: ``+ momentum * velocity -
        learning_rate * g'``; without ``velocity``: ``- learning_rate * g'``). ``penalty[0]`` (shape (1,)), where
        given, is increased by ``sum(l1 * |w| + l2 / 2 * w**2)`` of the weights before the step.
        """
        ...

    def adam_update(
        self,
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
        """One step of Adam over a flat array, with penalties, in one pass; ``step`` counts from 1.

        ``g' = g + l1 * sign(w) + l2 * w``; ``m += (1 - beta_1) * (g' - m)``; ``v += (1 - beta_2) * (g'**2 - v)``;
        ``a = learning_rate * sqrt(1 - beta_2**step) / (1 - beta_1**step)``;
        ``w = w * (1 - learning_rate * weight_decay) - a * m / (sqrt(v) + epsilon)``. ``penalty`` as in
        :meth:`sgd_update`. Kingma and Ba 2015, in the form of its section 2's end, as Keras has it.
        """
        ...
