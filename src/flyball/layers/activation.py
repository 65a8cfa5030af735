"""Activations as layers."""

from __future__ import annotations

from math import inf, prod
from typing import TYPE_CHECKING, Unpack

from flyball import _checks, activations, constraints, initializers, regularizers
from flyball.backend import ALPHAS
from flyball.layers._axes import extents, over_last_axes, sample_axes
from flyball.layers.base import Layer, LayerOptions
from flyball.program.nodes import ActivationNode, PreluNode, ReluNode, ReshapeNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.program.nodes import Node, Weight


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
    """``min(x, max_value)`` above ``threshold``, ``negative_slope * (x - threshold)`` elsewhere.

    Without threshold, and with a slope or a bound of 6 or neither, it is an activation that a layer before it includes.

    Parameters
    ----------
    max_value : float, optional
        Largest value, not negative; None is no limit.
    negative_slope : float
        Not negative.
    threshold : float
        Not negative. At it, as in Keras' code, the part below counts.
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
        numbers = activations.relu_numbers(negative_slope, max_value, threshold)
        self.negative_slope, self.max_value, self.threshold = numbers

    def lower(self) -> list[Node]:
        """Return an activation node, or one of the general ReLU."""
        numbers = self.negative_slope, self.max_value, self.threshold
        kind = activations.relu_kind(*numbers)
        if kind is not None:
            return activation_nodes(self.name, *kind)
        highest = inf if self.max_value is None else self.max_value
        return [ReluNode(self.name, self.negative_slope, self.threshold, highest)]


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
        One axis of a sample or several. Other than the last ones cost two passes more, which bring them there and back.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    def __init__(self, axis: int | Sequence[int] = -1, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.axis = _checks.axes("axis", axis)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``input_shape``."""
        sample_axes(self.axis, input_shape)
        return input_shape

    def lower(self) -> list[Node]:
        """Return an activation node, over samples of another shape where there are several axes."""
        shape = self.require_built()
        axes = sample_axes(self.axis, shape)
        nodes = activation_nodes(self.name, "softmax")
        if len(axes) > 1:
            outer = extents([axis for axis in range(len(shape)) if axis not in axes], shape)
            rows = extents(axes, shape)
            nodes = [ReshapeNode(self.name, (*outer, prod(rows))), *nodes, ReshapeNode(self.name, (*outer, *rows))]
        return over_last_axes(self.name, axes, shape, nodes)


class PReLU(Layer):
    """``x`` where it is positive, else ``alpha * x`` with slopes ``alpha`` that are learned. He et al. 2015.

    Parameters
    ----------
    alpha_initializer : str or Initializer
        First values.
    alpha_regularizer : str or Regularizer, optional
        Penalty added to the loss. Weight decay of an optimizer leaves slopes alone: it would make them those of ReLU.
    alpha_constraint : str or Constraint, optional
        What the slopes must be after each step.
    shared_axes : int or sequence of int, optional
        Axes, the first of a sample being 1, along which one slope is for all: ``[1, 2]`` of images with channels last
        is a slope a channel. All elements of a sample have their own if not given. Others than the first axes of a
        sample cost two passes more, which bring them there and back.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    def __init__(
        self,
        alpha_initializer: object = "zeros",
        alpha_regularizer: object = None,
        alpha_constraint: object = None,
        shared_axes: int | Sequence[int] | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.alpha_initializer = initializers.get(alpha_initializer, "alpha_initializer")
        self.alpha_regularizer = regularizers.get(alpha_regularizer, "alpha_regularizer")
        self.alpha_constraint = constraints.get(alpha_constraint, "alpha_constraint")
        axes = [] if shared_axes in (None, [], ()) else _checks.axes("shared_axes", shared_axes)
        self.shared_axes = ([axes] if isinstance(axes, int) else axes) or None
        self.alpha: Weight | None = None

    def _shared(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return sample_axes(self.shared_axes or [], shape, "shared_axes")

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``input_shape``."""
        self._shared(input_shape)
        return input_shape

    def create_weights(self, input_shape: tuple[int, ...]) -> None:
        """Declare the slopes."""
        shared = self._shared(input_shape)
        shape = tuple(1 if axis in shared else extent for axis, extent in enumerate(input_shape))
        self.alpha = self.add_weight(
            "alpha", shape, self.alpha_initializer, self.alpha_regularizer, self.alpha_constraint, decays=False
        )

    def lower(self) -> list[Node]:
        """Return a node of learned slopes."""
        shape = self.require_built()
        shared = self._shared(shape)
        own = [axis for axis in range(len(shape)) if axis not in shared]
        node = PreluNode(self.name, self.required(self.alpha), len(own))
        return over_last_axes(self.name, own, shape, [node])
