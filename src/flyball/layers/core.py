"""The input, and products with a matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from flyball import _checks, activations, constraints, initializers, regularizers
from flyball.layers.activation import activation_nodes
from flyball.layers.base import CommonOptions, Layer
from flyball.program.nodes import DenseNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.program.nodes import Node, Weight


class InputLayer(Layer):
    """The shape of one sample; computes nothing.

    Parameters
    ----------
    shape : tuple of int
        The shape of one sample, without the batch axis.
    name : str, optional
        Unique in a model.
    """

    computes = False

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
    """``y = activation(x @ kernel + bias)`` over the last axis: x (n, ..., in), kernel (in, units), bias (units,).

    Parameters
    ----------
    units : int
        Number of outputs.
    activation : str or function, optional
        A name or a function of :mod:`flyball.activations`; ``"linear"`` is the same as None.
    use_bias : bool
        Whether there is a bias. In front of batch normalisation it changes nothing.
    kernel_initializer, bias_initializer : str or Initializer
        First values.
    kernel_regularizer, bias_regularizer : str or Regularizer, optional
        Penalties added to the loss.
    activity_regularizer : str or Regularizer, optional
        Penalty of the outputs, after the activation, see :class:`flyball.layers.ActivityRegularization`.
    kernel_constraint, bias_constraint : str or Constraint, optional
        What the weights must be after each step.
    kernel_noise : float
        Standard deviation of weight noise: in training each step computes, forward and backward, with ``kernel +
        kernel_noise * n``, n standard normal and new at each step, and changes the kernel without the noise. It prefers
        flat minima: Murray and Edwards 1994, Hochreiter and Schmidhuber 1997, Graves 2011.
    **options
        What every layer takes, see :class:`flyball.layers.base.CommonOptions`.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    def __init__(
        self,
        units: int,
        activation: object = None,
        use_bias: bool = True,
        kernel_initializer: object = "glorot_uniform",
        bias_initializer: object = "zeros",
        kernel_regularizer: object = None,
        bias_regularizer: object = None,
        activity_regularizer: object = None,
        kernel_constraint: object = None,
        bias_constraint: object = None,
        *,
        kernel_noise: float = 0.0,
        **options: Unpack[CommonOptions],
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **options)
        self.units = _checks.integer("units", units, 1)
        self.activation = activations.name_of(activation)
        self.use_bias = _checks.flag("use_bias", use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer, "kernel_initializer")
        self.bias_initializer = initializers.get(bias_initializer, "bias_initializer")
        self.kernel_regularizer = regularizers.get(kernel_regularizer, "kernel_regularizer")
        self.bias_regularizer = regularizers.get(bias_regularizer, "bias_regularizer")
        self.kernel_constraint = constraints.get(kernel_constraint, "kernel_constraint")
        self.bias_constraint = constraints.get(bias_constraint, "bias_constraint")
        self.kernel_noise = _checks.number("kernel_noise", kernel_noise, "[0, inf)")
        self.kernel: Weight | None = None
        self.bias: Weight | None = None

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``input_shape`` with ``units`` in place of the last axis."""
        return (*input_shape[:-1], self.units)

    def create_weights(self, input_shape: tuple[int, ...]) -> None:
        """Declare the kernel and the bias."""
        shape = (input_shape[-1], self.units)
        self.kernel = self.add_weight(
            "kernel", shape, self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint
        )
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", (self.units,), self.bias_initializer, self.bias_regularizer, self.bias_constraint, decays=False
            )

    def lower(self) -> list[Node]:
        """Return a dense node, and an activation node unless the activation is linear."""
        node = DenseNode(self.name, self.required(self.kernel), self.bias, noise=self.kernel_noise)
        return [node, *activation_nodes(self.name, self.activation)]
