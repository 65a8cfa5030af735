"""Activations as layers."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Unpack

from flyball import _checks, activations
from flyball.backend import ALPHAS
from flyball.layers._axes import trailing_axes
from flyball.layers.base import Layer, LayerOptions
from flyball.program.nodes import ActivationNode, ReshapeNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.program.nodes import Node


def activation_nodes(layer: str, activation: str, alpha: float | None = None) -> list[Node]:
    """Return the node of an activation, or none where it is linear."""
    if alpha is None:
        alpha = ALPHAS.get(activation, 0.0)
    return [] if activation == "linear" else [ActivationNode(layer, activation, alpha)]


class Activation(Layer):
    """An activation on its own.

    Parameters
    ----------
    activation : str or function, optional
        A name or a function of :mod:`flyball.activations`; ``softmax`` and ``log_softmax`` are over the last axis.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    def __init__(self, activation: object, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.activation = activations.name_of(activation)

    def lower(self) -> list[Node]:
        """Return an activation node, unless the activation is linear."""
        return activation_nodes(self.name, self.activation)


class ReLU(Layer):
    """``max(x, 0)``, or ``negative_slope * x`` below 0, or at most ``max_value``.

    Parameters
    ----------
    max_value : float, optional
        6 or None.
    negative_slope : float
        Not negative; 0 where there is a ``max_value``.
    threshold : float
        0.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self._kind = activations.relu_kind(negative_slope, max_value, threshold)
        self.max_value = None if max_value is None else 6.0
        self.negative_slope = float(negative_slope)
        self.threshold = 0.0

    def lower(self) -> list[Node]:
        """Return an activation node."""
        return activation_nodes(self.name, *self._kind)


class LeakyReLU(Layer):
    """``x`` where it is positive, else ``negative_slope * x``.

    Parameters
    ----------
    negative_slope : float
        Not negative.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    def __init__(self, negative_slope: float = 0.3, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.negative_slope = _checks.number("negative_slope", negative_slope, "[0, inf)")

    def lower(self) -> list[Node]:
        """Return an activation node."""
        return activation_nodes(self.name, "leaky_relu", self.negative_slope)


class ELU(Layer):
    """``x`` where it is positive, else ``alpha * (exp(x) - 1)``. Clevert et al. 2016.

    Parameters
    ----------
    alpha : float
        Not negative.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    def __init__(self, alpha: float = 1.0, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.alpha = _checks.number("alpha", alpha, "[0, inf)")

    def lower(self) -> list[Node]:
        """Return an activation node."""
        return activation_nodes(self.name, "elu", self.alpha)


class Softmax(Layer):
    """``exp(x) / sum(exp(x))`` over ``axis``.

    Parameters
    ----------
    axis : int or sequence of int
        The last axis, or several up to the last.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    def __init__(self, axis: int | Sequence[int] = -1, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.axis = _checks.axes("axis", axis)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``input_shape``."""
        trailing_axes(self.axis, input_shape)
        return input_shape

    def lower(self) -> list[Node]:
        """Return an activation node, over samples of another shape where there are several axes."""
        nodes = activation_nodes(self.name, "softmax")
        shape = self.require_built()
        rows = trailing_axes(self.axis, shape)
        if rows == shape[-1:]:
            return nodes
        outer = shape[: len(shape) - len(rows)]
        return [ReshapeNode(self.name, (*outer, prod(rows))), *nodes, ReshapeNode(self.name, shape)]
