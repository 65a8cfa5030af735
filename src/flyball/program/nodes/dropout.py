"""Dropout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.backend import keep_probability
from flyball.program.nodes.base import Node

if TYPE_CHECKING:
    from flyball.program.instructions import Buffer
    from flyball.program.lowering import Lowering


@dataclass(eq=False)
class DropoutNode(Node):
    """Inverted dropout; ``seed`` None takes the model's."""

    rate: float
    seed: int | None = None

    @property
    def training_only(self) -> bool:
        """See :class:`Node`."""
        return True

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        x = to.value
        y = to.value = to.batch(self.layer, x.sample_shape)
        random, scale = to.random(self.seed), 1.0 / keep_probability(self.rate)
        arrays = {"y": y, "mask": None, "x": x}
        to.add("dropout_forward", self.layer, arrays, rate=self.rate, **random, draw=True, scale=scale)

        def backward(dy: Buffer) -> Buffer:
            dy = to.shaped(dy, y)
            arrays = {"dx": dy, "dy": dy, "mask": None}
            to.add("dropout_backward", self.layer, arrays, rate=self.rate, **random, scale=scale)
            return dy

        to.on_backward(backward)
