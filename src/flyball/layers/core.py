"""Input, Dense, and activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from flyball import _checks, backend, constraints, initializers, regularizers
from flyball.layers.base import Layer, LayerOptions
from flyball.program.nodes import ActivationNode, DenseNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.program.nodes import Node, Weight

ACTIVATIONS = (*backend.ACTIVATIONS, "softmax", "log_softmax")


class InputLayer(Layer):
    """The shape of one sample; computes nothing.

    Parameters
    ----------
    shape : tuple of int
        The shape of one sample, without the batch axis.
    name : str, optional
        Unique in a model.
    """

    def __init__(self, shape: Sequence[int], *, name: str | None = None) -> None:
        self.shape = _checks.shape("shape", shape)
        super().__init__(name=name, input_shape=self.shape)

    def lower(self) -> list[Node]:
        """Return no node."""
        return []

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as JSON types."""
        return {"shape": list(self.shape), "name": self.name}


def Input(shape: Sequence[int], *, name: str | None = None) -> InputLayer:  # Keras' name
    """Return an :class:`InputLayer`: the first item of a ``Sequential`` whose input shape is known."""
    return InputLayer(shape, name=name)


class Dense(Layer):
    """``y = activation(x @ kernel + bias)``, with x (n, in), kernel (in, units), bias (units,).

    Parameters
    ----------
    units : int
        Number of outputs.
    activation : str, optional
        A name of :data:`flyball.backend.ACTIVATIONS`, ``"linear"`` being the same as None, ``"softmax"`` or
        ``"log_softmax"``.
    use_bias : bool
        Whether there is a bias. In front of batch normalisation it changes nothing.
    kernel_initializer, bias_initializer : str or Initializer
        First values.
    kernel_regularizer, bias_regularizer : str or Regularizer, optional
        Penalties added to the loss.
    kernel_constraint, bias_constraint : str or Constraint, optional
        What the weights must be after each step.
    **options
        ``name``, ``trainable``, ``input_shape``, ``input_dim``.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    def __init__(
        self,
        units: int,
        activation: str | None = None,
        use_bias: bool = True,
        kernel_initializer: object = "glorot_uniform",
        bias_initializer: object = "zeros",
        kernel_regularizer: object = None,
        bias_regularizer: object = None,
        kernel_constraint: object = None,
        bias_constraint: object = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.units = _checks.integer("units", units, 1)
        self.activation = _activation(activation)
        self.use_bias = _checks.flag("use_bias", use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer, "kernel_initializer")
        self.bias_initializer = initializers.get(bias_initializer, "bias_initializer")
        self.kernel_regularizer = regularizers.get(kernel_regularizer, "kernel_regularizer")
        self.bias_regularizer = regularizers.get(bias_regularizer, "bias_regularizer")
        self.kernel_constraint = constraints.get(kernel_constraint, "kernel_constraint")
        self.bias_constraint = constraints.get(bias_constraint, "bias_constraint")
        self.kernel: Weight | None = None
        self.bias: Weight | None = None

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(units,)``."""
        if len(input_shape) != 1:
            _checks.refuse("input_shape", "(features,): one axis beside the batch", input_shape)
        return (self.units,)

    def create_weights(self, input_shape: tuple[int, ...]) -> None:
        """Declare the kernel and the bias."""
        shape = (input_shape[0], self.units)
        self.kernel = self.add_weight(
            "kernel", shape, self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint
        )
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", (self.units,), self.bias_initializer, self.bias_regularizer, self.bias_constraint, decays=False
            )

    def lower(self) -> list[Node]:
        """Return a dense node, and an activation node unless the activation is linear."""
        if self.kernel is None:
            msg = f"{self.name} must be built before it is lowered"
            raise ValueError(msg)
        return [DenseNode(self.name, self.kernel, self.bias), *_activation_nodes(self.name, self.activation)]


class Activation(Layer):
    """An activation on its own.

    A name of :data:`flyball.backend.ACTIVATIONS`, or ``"softmax"`` or ``"log_softmax"``, over the columns.
    """

    def __init__(self, activation: str | None, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.activation = _activation(activation)

    def lower(self) -> list[Node]:
        """Return an activation node, unless the activation is linear."""
        return _activation_nodes(self.name, self.activation)


class ReLU(Layer):
    """``max(x, 0)``, or ``negative_slope * x`` below 0, or at most ``max_value``.

    Parameters
    ----------
    max_value : float, optional
        6 or None.
    negative_slope : float
        Not negative; 0 where there is a ``max_value``.
    **options
        ``name``, ``trainable``, ``input_shape``, ``input_dim``.
    """

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, **options: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**options)
        if max_value is not None and max_value != 6:
            _checks.refuse("max_value", "6 or None", max_value)
        self.max_value = None if max_value is None else 6.0
        self.negative_slope = _checks.number("negative_slope", negative_slope, "[0, inf)")
        if self.max_value is not None and self.negative_slope > 0.0:
            _checks.refuse("negative_slope", "0 where max_value is given", negative_slope)

    def lower(self) -> list[Node]:
        """Return an activation node."""
        if self.max_value is not None:
            return _activation_nodes(self.name, "relu6")
        if self.negative_slope > 0.0:
            return _activation_nodes(self.name, "leaky_relu", self.negative_slope)
        return _activation_nodes(self.name, "relu")


class LeakyReLU(Layer):
    """``x`` where it is positive, else ``negative_slope * x``.

    Parameters
    ----------
    negative_slope : float
        Not negative.
    **options
        ``name``, ``trainable``, ``input_shape``, ``input_dim``.
    """

    def __init__(self, negative_slope: float = 0.3, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.negative_slope = _checks.number("negative_slope", negative_slope, "[0, inf)")

    def lower(self) -> list[Node]:
        """Return an activation node."""
        return _activation_nodes(self.name, "leaky_relu", self.negative_slope)


class ELU(Layer):
    """``x`` where it is positive, else ``alpha * (exp(x) - 1)``. Clevert et al. 2016.

    Parameters
    ----------
    alpha : float
        Not negative.
    **options
        ``name``, ``trainable``, ``input_shape``, ``input_dim``.
    """

    def __init__(self, alpha: float = 1.0, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.alpha = _checks.number("alpha", alpha, "[0, inf)")

    def lower(self) -> list[Node]:
        """Return an activation node."""
        return _activation_nodes(self.name, "elu", self.alpha)


class Softmax(Layer):
    """``exp(x) / sum(exp(x))`` over the columns."""

    def __init__(self, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)

    def lower(self) -> list[Node]:
        """Return an activation node."""
        return _activation_nodes(self.name, "softmax")


def _activation(value: str | None) -> str:
    return "linear" if value is None else _checks.choice("activation", value, ACTIVATIONS)


def _activation_nodes(layer: str, activation: str, alpha: float | None = None) -> list[Node]:
    if alpha is None:
        alpha = backend.ALPHAS.get(activation, 0.0)
    return [] if activation == "linear" else [ActivationNode(layer, activation, alpha)]
