"""Normal noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.program.nodes.base import Node

if TYPE_CHECKING:
    from flyball.program.instructions import Buffer
    from flyball.program.lowering import Lowering


@dataclass(eq=False)
class GaussianNoiseNode(Node):
    """Normal noise of standard deviation ``std`` added, in training; ``seed`` None takes the model's."""

    std: float
    seed: int | None = None

    @property
    def training_only(self) -> bool:
        """See :class:`Node`."""
        return True

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        x = to.value
        to.value = to.batch(self.layer, x.sample_shape)  # its gradient is the identity
        random = to.random(self.seed)
        to.add("gaussian_noise_forward", self.layer, {"y": to.value, "x": x}, std=self.std, **random)


@dataclass(eq=False)
class GaussianDropoutNode(Node):
    """Normal factors of mean 1 and the variance of dropout at ``rate``; ``seed`` None takes the model's."""

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
        random = to.random(self.seed)
        to.add("gaussian_dropout_forward", self.layer, {"y": y, "x": x}, rate=self.rate, **random)

        def backward(dy: Buffer) -> Buffer:
            dy = to.shaped(dy, y)
            to.add("gaussian_dropout_backward", self.layer, {"dx": dy, "dy": dy}, rate=self.rate, **random)
            return dy

        to.on_backward(backward)
