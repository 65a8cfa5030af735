"""Activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball.backend import ACTIVATIONS
from flyball.program.nodes.base import Node, Weight, flat, flat_gradient, last_axes

if TYPE_CHECKING:
    from flyball.program.instructions import Buffer
    from flyball.program.lowering import Lowering


@dataclass(eq=False)
class ActivationNode(Node):
    """An activation on its own: one of :data:`flyball.backend.ACTIVATIONS`, ``softmax`` or ``log_softmax``.

    The last two go over the last axis.
    """

    activation: str
    alpha: float = 0.0

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        if self.activation in ACTIVATIONS:
            self._elementwise(to)
        else:
            self._over_rows(to)

    def _elementwise(self, to: Lowering) -> None:
        x = to.value
        y = to.value = to.batch(self.layer, x.sample_shape)
        kind = {"activation": self.activation, "alpha": self.alpha}
        to.add("activation_forward", self.layer, {"y": y, "x": x}, **kind)
        if self.activation == "relu":
            to.note_open(y, 0.5)

        def backward(dy: Buffer) -> Buffer:
            dy = to.shaped(dy, y)
            activation_backward(to, self.layer, dy, x, y, **kind)
            return dy

        to.on_backward(backward)

    def _over_rows(self, to: Lowering) -> None:
        x = to.matrix(to.value)
        to.value = to.batch(self.layer, to.value.sample_shape)
        y = to.matrix(to.value)
        to.add(f"{self.activation}_forward", self.layer, {"y": y, "x": x})

        def backward(dy: Buffer) -> Buffer:
            dy = to.shaped(dy, y)
            to.add(f"{self.activation}_backward", self.layer, {"dx": dy, "dy": dy, "y": y})
            return dy

        to.on_backward(backward)


@dataclass(eq=False)
class ReluNode(Node):
    """The general ReLU, of any slope, threshold and upper bound."""

    negative_slope: float
    threshold: float
    max_value: float

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        x = to.value
        y = to.value = to.batch(self.layer, x.sample_shape)
        numbers = {
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
            "max_value": self.max_value,
        }
        to.add("relu_forward", self.layer, {"y": y, "x": x}, **numbers)

        def backward(dy: Buffer) -> Buffer:
            dy = to.shaped(dy, y)
            to.add("relu_backward", self.layer, {"dx": dy, "dy": dy, "x": x}, **numbers)
            return dy

        to.on_backward(backward)


@dataclass(eq=False)
class PreluNode(Node):
    """ReLU with a learned slope for each index of the last ``axes`` axes."""

    alpha: Weight
    axes: int

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        first = to.is_first(self.alpha)
        x = last_axes(to, to.value, self.axes)
        to.value = to.batch(self.layer, to.value.sample_shape)
        y = last_axes(to, to.value, self.axes)
        alpha = flat(to, self.alpha)
        to.add("prelu_forward", self.layer, {"y": y, "x": x, "alpha": alpha})

        def backward(dy: Buffer) -> Buffer | None:
            dy = to.shaped(dy, y)
            dx, dalpha = None if first else dy, flat_gradient(to, self.alpha)
            if dx is not None or dalpha is not None:
                arrays = {"dx": dx, "dalpha": dalpha, "dy": dy, "x": x, "alpha": alpha}
                to.add("prelu_backward", self.layer, arrays)
            return dx

        to.on_backward(backward)


def activation_backward(to: Lowering, layer: str, dy: Buffer, x: Buffer | None, y: Buffer, **kind: Any) -> None:
    """Write dy times the derivative into dy; what it is not computed from is left out, and need not be kept."""
    source = ACTIVATIONS[kind["activation"]]
    arrays = {"dx": dy, "dy": dy, "x": x if source == "x" else None, "y": y if source == "y" else None}
    to.add("activation_backward", layer, arrays, **kind)
