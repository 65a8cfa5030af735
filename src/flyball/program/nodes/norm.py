"""Normalisations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flyball.backend import OPERATIONS
from flyball.program.nodes.base import Node

if TYPE_CHECKING:
    from flyball.program.instructions import Buffer
    from flyball.program.lowering import Lowering
    from flyball.program.nodes.base import Weight


@dataclass(eq=False)
class BatchNormNode(Node):
    """Batch normalisation over the last axis, then ``activation``, then dropout at ``rate`` on a stream of its own.

    With ``channels_first`` over the first axis of a sample.
    """

    gamma: Weight | None
    beta: Weight | None
    running_mean: Weight
    running_var: Weight
    momentum: float
    epsilon: float
    activation: str = "linear"
    rate: float = 0.0
    seed: int | None = None
    channels_first: bool = False

    @property
    def needs_batch(self) -> bool:
        """See :class:`Node`."""
        return True

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        first = to.is_first(self.gamma, self.beta)
        x = self._channels(to, to.value)
        to.value = to.batch(self.layer, to.value.sample_shape)
        y = self._channels(to, to.value)
        if not to.training:
            arrays = {"y": y, "x": x, **self.running(to)}
            to.add("batch_norm_inference", self.layer, arrays, epsilon=self.epsilon, activation=self.activation)
            return
        channels = self.running_mean.size
        statistics = {name: to.whole(f"{self.layer}.{name}", np.zeros(channels)) for name in ("mean", "rstd")}
        mask = None
        if self.rate > 0.0:
            mask = to.like(y, f"{self.layer}.mask", np.bool_)
            to.add("dropout_mask", self.layer, {"mask": mask}, rate=self.rate, **to.random(self.seed))
        arrays = {"y": y, **statistics, "x": x, "mask": mask, **self.running(to)}
        arrays = {name: arrays[name] for name in OPERATIONS["batch_norm_forward"] if name in arrays}
        to.add(
            "batch_norm_forward",
            self.layer,
            arrays,
            momentum=self.momentum,
            epsilon=self.epsilon,
            unbiased=False,
            activation=self.activation,
            rate=self.rate,
        )

        def backward(dy: Buffer) -> Buffer | None:
            dy = to.shaped(dy, y)
            dx = None if first else dy
            outputs = {"dx": dx, "dgamma": to.gradient(self.gamma), "dbeta": to.gradient(self.beta)}
            affine = {"gamma": to.weight(self.gamma), "beta": to.weight(self.beta)}
            inputs = {"dy": dy, "y": y, "x": x, **affine, **statistics, "mask": mask}
            arrays = {**outputs, **inputs}
            to.add("batch_norm_backward", self.layer, arrays, activation=self.activation, rate=self.rate)
            return dx

        to.on_backward(backward)

    def running(self, to: Lowering) -> dict[str, Buffer | None]:
        """Return the arrays that inference normalises with, in the operations' order."""
        weights = {"gamma": self.gamma, "beta": self.beta}
        weights |= {"running_mean": self.running_mean, "running_var": self.running_var}
        return {name: to.weight(weight) for name, weight in weights.items()}

    def _channels(self, to: Lowering, value: Buffer) -> Buffer:
        """Return ``value`` as the operations take it: (N, C), (N, C, S), or (N * S, C) with channels last."""
        shape = value.sample_shape
        if self.channels_first and len(shape) > 1:
            return to.view(value, (shape[0], int(np.prod(shape[1:]))))
        return to.matrix(value)
