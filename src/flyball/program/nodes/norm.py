"""Normalisations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from flyball.backend import OPERATIONS
from flyball.program.nodes.activation import activation_backward
from flyball.program.nodes.base import Node, flat, flat_gradient, last_axes

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyball.program.instructions import Buffer
    from flyball.program.lowering import Lowering
    from flyball.program.nodes.base import Weight


@dataclass(eq=False)
class BatchNormNode(Node):
    """Batch normalisation over the last axis, then ``activation``, then dropout at ``rate`` on a stream of its own.

    With ``channels_first`` over the first axis of a sample. ``positions`` are the values a channel has in a sample.
    ``frozen`` takes the moving statistics in training too. With ``group`` so many samples after each other have
    statistics of their own.
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
    positions: int = 1
    frozen: bool = False
    group: int | None = None

    @property
    def needs_batch(self) -> bool:
        """See :class:`Node`."""
        return self.positions == 1 and not self.frozen

    @property
    def centres_columns(self) -> bool:
        """Whether it takes away what a bias adds to its input's last axis."""
        return not self.frozen and (not self.channels_first or self.positions == 1)

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        first = to.is_first(self.gamma, self.beta)
        x = self._channels(to, to.value)
        to.value = to.batch(self.layer, to.value.sample_shape)
        y = self._channels(to, to.value)
        if self.activation == "relu":
            to.note_open(y, 0.5 * (1.0 - self.rate))
        if self.frozen or not to.training:
            arrays = {"y": y, "x": x, **self.running(to)}
            to.add("batch_norm_inference", self.layer, arrays, epsilon=self.epsilon, activation=self.activation)
            to.on_backward(partial(self._frozen_backward, to, y, first))
            return
        prefix, ghosts = "", {}
        shape: tuple[int, ...] = x.sample_shape[:1]  # a number for each channel
        if self.group is not None:
            prefix, ghosts = "ghost_", {"group": self.group * x.rows_per_sample}
            shape = (max(1, to.rows // self.group), *shape)
        statistics = {name: to.whole(f"{self.layer}.{name}", np.zeros(shape)) for name in ("mean", "rstd")}
        mask = None
        if self.rate > 0.0:
            mask = to.like(y, f"{self.layer}.mask", np.bool_)
            to.draw_mask(self.layer, mask, self.rate, self.seed)
        arrays = {"y": y, **statistics, "x": x, "mask": mask, **self.running(to)}
        arrays = {name: arrays[name] for name in OPERATIONS["batch_norm_forward"] if name in arrays}
        to.add(
            f"{prefix}batch_norm_forward",
            self.layer,
            arrays,
            **ghosts,
            momentum=self.momentum,
            epsilon=self.epsilon,
            unbiased=False,
            activation=self.activation,
            rate=self.rate,
        )

        def backward(dy: Buffer) -> Buffer | None:
            dy = to.shaped(dy, y)
            dx = None if first else to.gradient_place or dy
            outputs = {"dx": dx, "dgamma": to.gradient(self.gamma), "dbeta": to.gradient(self.beta)}
            affine = {"gamma": to.weight(self.gamma), "beta": to.weight(self.beta)}
            inputs = {"dy": dy, "x": x, **affine, **statistics, "mask": mask}
            arrays = {**outputs, **inputs}
            scalars = {**ghosts, "activation": self.activation, "rate": self.rate}
            to.add(f"{prefix}batch_norm_backward", self.layer, arrays, **scalars)
            return dx

        to.on_backward(backward)

    def _frozen_backward(self, to: Lowering, y: Buffer, first: bool, dy: Buffer) -> Buffer | None:
        """Write ``dx = gamma / sqrt(running_var + epsilon) * dz``: the same line, without its constant."""
        if first:
            return None
        dy = to.shaped(dy, y)
        if self.activation != "linear":
            activation_backward(to, self.layer, dy, None, y, activation=self.activation, alpha=0.0)
        zeros = to.whole(f"{self.layer}.zeros", np.zeros(self.running_mean.size, to.memory.dtype))
        arrays = {"y": dy, "x": dy, **self.running(to), "beta": None, "running_mean": zeros}
        to.add("batch_norm_inference", self.layer, arrays, epsilon=self.epsilon, activation="linear")
        return dy

    def running(self, to: Lowering) -> dict[str, Buffer | None]:
        """Return the arrays that inference normalises with, in the operations' order."""
        weights = {"gamma": self.gamma, "beta": self.beta}
        weights |= {"running_mean": self.running_mean, "running_var": self.running_var}
        return {name: to.weight(weight) for name, weight in weights.items()}

    def _channels(self, to: Lowering, value: Buffer) -> Buffer:
        """Return ``value`` as the operations take it: (N, C), (N, C, S), or (N * S, C) with channels last."""
        shape = value.sample_shape
        if self.channels_first and len(shape) > 1:
            return to.view(value, (shape[0], prod(shape[1:])))
        return to.matrix(value)


@dataclass(eq=False)
class LayerNormNode(Node):
    """Layer normalisation over the last ``axes`` axes."""

    gamma: Weight | None
    beta: Weight | None
    epsilon: float
    axes: int = 1

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        first = to.is_first(self.gamma, self.beta)
        x = last_axes(to, to.value, self.axes)
        to.value = to.batch(self.layer, to.value.sample_shape)
        y = last_axes(to, to.value, self.axes)
        statistics = {name: one_a_row(to, x, f"{self.layer}.{name}") for name in ("mean", "rstd")}
        gamma, beta = flat(to, self.gamma), flat(to, self.beta)
        arrays = {"y": y, **statistics, "x": x, "gamma": gamma, "beta": beta}
        to.add("layer_norm_forward", self.layer, arrays, epsilon=self.epsilon)

        def backward(dy: Buffer) -> Buffer | None:
            dy = to.shaped(dy, y)
            dx = None if first else dy
            outputs = {"dx": dx, "dgamma": flat_gradient(to, self.gamma), "dbeta": flat_gradient(to, self.beta)}
            if any(output is not None for output in outputs.values()):
                arrays = {**outputs, "dy": dy, "x": x, "gamma": gamma, **statistics}
                to.add("layer_norm_backward", self.layer, arrays)
            return dx

        to.on_backward(backward)


@dataclass(eq=False)
class RMSNormNode(Node):
    """Root-mean-square normalisation over the last ``axes`` axes."""

    gamma: Weight | None
    epsilon: float
    axes: int = 1

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        first = to.is_first(self.gamma)
        write_rms_norm(to, self, first, flat(to, self.gamma), lambda: flat_gradient(to, self.gamma))


@dataclass(eq=False)
class UnitNormNode(Node):
    """Euclidean length 1 over the last ``axes`` axes."""

    axes: int = 1
    epsilon: float = 1e-24
    """Of the mean of the squares: what keeps zeros zero."""

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        # The length is sqrt(n) root-mean-squares of n elements.
        size = prod(to.value.sample_shape[-self.axes :])
        factor = to.whole(f"{self.layer}.factor", np.full(size, size**-0.5, to.memory.dtype))
        write_rms_norm(to, self, to.is_first(), factor, lambda: None)


def write_rms_norm(
    to: Lowering,
    node: RMSNormNode | UnitNormNode,
    first: bool,
    gamma: Buffer | None,
    dgamma: Callable[[], Buffer | None],
) -> None:
    """Write a root-mean-square normalisation times ``gamma``, whose gradient goes to ``dgamma()``."""
    x = last_axes(to, to.value, node.axes)
    to.value = to.batch(node.layer, to.value.sample_shape)
    y = last_axes(to, to.value, node.axes)
    rstd = one_a_row(to, x, f"{node.layer}.rstd")
    to.add("rms_norm_forward", node.layer, {"y": y, "rstd": rstd, "x": x, "gamma": gamma}, epsilon=node.epsilon)

    def backward(dy: Buffer) -> Buffer | None:
        dy = to.shaped(dy, y)
        dx, gradient = None if first else dy, dgamma()
        if dx is not None or gradient is not None:
            arrays = {"dx": dx, "dgamma": gradient, "dy": dy, "x": x, "gamma": gamma, "rstd": rstd}
            to.add("rms_norm_backward", node.layer, arrays)
        return dx

    to.on_backward(backward)


@dataclass(eq=False)
class GroupNormNode(Node):
    """Group normalisation over the last axis' channels, or with ``channels_first`` the first axis' of a sample."""

    gamma: Weight | None
    beta: Weight | None
    epsilon: float
    groups: int
    channels_first: bool = False

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        first = to.is_first(self.gamma, self.beta)
        x = self._channels(to, to.value)
        to.value = to.batch(self.layer, to.value.sample_shape)
        y = self._channels(to, to.value)
        statistics = {name: to.batch(f"{self.layer}.{name}", (self.groups,), np.float64) for name in ("mean", "rstd")}
        gamma, beta = to.weight(self.gamma), to.weight(self.beta)
        last = not self.channels_first
        arrays = {"y": y, **statistics, "x": x, "gamma": gamma, "beta": beta}
        to.add("group_norm_forward", self.layer, arrays, channels_last=last, epsilon=self.epsilon)

        def backward(dy: Buffer) -> Buffer | None:
            dy = to.shaped(dy, y)
            dx = None if first else dy
            outputs = {"dx": dx, "dgamma": to.gradient(self.gamma), "dbeta": to.gradient(self.beta)}
            if any(output is not None for output in outputs.values()):
                arrays = {**outputs, "dy": dy, "x": x, "gamma": gamma, **statistics}
                to.add("group_norm_backward", self.layer, arrays, channels_last=last)
            return dx

        to.on_backward(backward)

    def _channels(self, to: Lowering, value: Buffer) -> Buffer:
        """Return ``value`` as the operations take it: (N, C, S) or (N, S, C)."""
        shape = value.sample_shape
        if self.channels_first:
            return to.view(value, (shape[0], prod(shape[1:])))
        return to.view(value, (prod(shape[:-1]), shape[-1]))


def one_a_row(to: Lowering, matrix: Buffer, name: str) -> Buffer:
    """Add a buffer with a number in double precision for each row of ``matrix``."""
    base = to.batch(name, (matrix.rows_per_sample,), np.float64)
    return to.view(base, (), matrix.rows_per_sample)
