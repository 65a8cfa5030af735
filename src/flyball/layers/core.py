"""Input, Dense, and activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from flyball import _checks, backend, initializers, regularizers
from flyball.layers.base import Layer, LayerOptions
from flyball.program.nodes import ActivationNode, DenseNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.program.nodes import Node, Weight

ACTIVATIONS = (*backend.ACTIVATIONS, "softmax")


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
        A name of :data:`flyball.backend.ACTIVATIONS`, ``"linear"`` being the same as None, or ``"softmax"``.
    use_bias : bool
        Whether there is a bias. In front of batch normalisation it changes nothing.
    kernel_initializer, bias_initializer : str or Initializer
        First values.
    kernel_regularizer, bias_regularizer : str or Regularizer, optional
        Penalties added to the loss.
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
        self.kernel = self.add_weight("kernel", shape, self.kernel_initializer, self.kernel_regularizer)
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", (self.units,), self.bias_initializer, self.bias_regularizer, decays=False
            )

    def lower(self) -> list[Node]:
        """Return a dense node, and an activation node unless the activation is linear."""
        if self.kernel is None:
            msg = f"{self.name} must be built before it is lowered"
            raise ValueError(msg)
        return [DenseNode(self.name, self.kernel, self.bias), *_activation_nodes(self.name, self.activation)]


class Activation(Layer):
    """An activation on its own: a name of :data:`flyball.backend.ACTIVATIONS`, or ``"softmax"`` (over the columns)."""

    def __init__(self, activation: str | None, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.activation = _activation(activation)

    def lower(self) -> list[Node]:
        """Return an activation node, unless the activation is linear."""
        return _activation_nodes(self.name, self.activation)


class ReLU(Layer):
    """``max(x, 0)``."""

    def __init__(self, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)

    def lower(self) -> list[Node]:
        """Return an activation node."""
        return _activation_nodes(self.name, "relu")


def _activation(value: str | None) -> str:
    return "linear" if value is None else _checks.choice("activation", value, ACTIVATIONS)


def _activation_nodes(layer: str, activation: str) -> list[Node]:
    return [] if activation == "linear" else [ActivationNode(layer, activation, backend.ALPHAS.get(activation, 0.0))]
