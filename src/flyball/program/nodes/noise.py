"""Normal noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flyball.program.nodes.augment import AugmentNode
from flyball.program.nodes.base import Node

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


@dataclass(eq=False)
class FeatureNoiseNode(AugmentNode):
    """``clip(x + std * scale * n)``, n standard normal, with a scale for each element of a sample."""

    std: float
    scale: NDArray[np.float64] | None
    bounds: tuple[float, float]
    seed: int | None = None

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        self.require_inputs(to)
        x = to.matrix_of_samples(to.value)
        noise = standard_normal(to, self.layer, x, self.seed)[1]
        scale = None
        if self.scale is not None:
            scale = to.whole(f"{self.layer}.scale", np.ascontiguousarray(self.scale.reshape(-1), to.memory.dtype))
        to.value = to.batch(self.layer, to.value.sample_shape)
        arrays = {"y": to.matrix_of_samples(to.value), "x": x, "noise": noise, "scale": scale}
        low, high = self.bounds
        to.add("add_noise", self.layer, arrays, deviation=self.std, low=low, high=high)


def standard_normal(to: Lowering, layer: str, like: Buffer, seed: int | None) -> tuple[Buffer, Buffer]:
    """Write standard normal numbers, as many as ``like`` has elements; return zeros, and them."""
    zeros, noise = to.like(like, f"{layer}.zeros"), to.like(like, f"{layer}.noise")
    zeros.array.fill(0.0)  # for good: no instruction writes there
    to.add("gaussian_noise_forward", layer, {"y": noise, "x": zeros}, std=1.0, **to.random(seed))
    return zeros, noise
