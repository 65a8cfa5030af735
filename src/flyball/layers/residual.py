"""Residual connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, Unpack

from flyball import _checks
from flyball._registry import serialize
from flyball.layers.base import Layer, LayerOptions, require_free
from flyball.program.nodes import ResidualNode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from flyball.program.nodes import Node
    from flyball.regularizers import Regularizer


class Residual(Layer):
    """``y = projection(x) + branch(x)``: layers that learn what to add to their input. He et al. 2016.

    With a ``drop_rate`` it is stochastic depth: in training the branch of each sample is left out with that
    probability, and multiplied by ``1 / (1 - drop_rate)`` otherwise; in inference all branches are there. Huang et al.
    2016. (An activation after the sum is a layer of its own, after this one.)

    Parameters
    ----------
    layers : sequence of Layer
        The branch: layers of its own, one after the other.
    projection : Layer, optional
        What makes the input fit the branch's output, such as a ``Dense``; the identity if not given.
    drop_rate : float
        In [0, 1).
    seed : int, optional
        In [0, 2**64). Without one, the model's seed and the layer's place decide.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known; at build where branch and input differ in shape.

    Examples
    --------
    >>> from flyball import layers
    >>> branch = [layers.LayerNormalization(), layers.Dense(64, "gelu"), layers.Dense(32)]
    >>> block = layers.Residual(branch, drop_rate=0.1)
    >>> block.compute_output_shape((32,))
    (32,)
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        projection: Layer | None = None,
        drop_rate: float = 0.0,
        seed: int | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        branch = [_inner("layers", layer) for layer in _iterable(layers)]
        if not branch:
            _checks.refuse("layers", "at least one layer", layers)
        self.layers = branch
        self.projection = None if projection is None else _inner("projection", projection)
        names = [layer.name for layer in self.inner_layers]
        for name in names:
            if names.count(name) > 1:
                msg = f"layer names must be unique, got {name!r} twice"
                raise ValueError(msg)
        super().__init__(**options)
        self.drop_rate = _checks.number("drop_rate", drop_rate, "[0, 1)")
        self.seed = _checks.seed_or_none(seed)
        if not self._trainable:
            self.trainable = False

    @property
    def inner_layers(self) -> list[Layer]:
        """The layers of the branch, and the projection."""
        return [*self.layers, *([] if self.projection is None else [self.projection])]

    def get_layer(self, name: str) -> Layer:
        """Return the layer of the branch, or the projection, of that name."""
        inner = {layer.name: layer for layer in self.inner_layers}
        return inner[_checks.choice("name", name, inner)]

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the branch's output shape, which must be the input's, or the projection's."""
        shape = input_shape
        for layer in self.layers:
            shape = _output_shape(layer, shape)
        skip = input_shape if self.projection is None else _output_shape(self.projection, input_shape)
        if shape != skip:
            what = "the input's" if self.projection is None else f"that of {self.projection.name!r}"
            _checks.refuse("layers", f"such that their output has {what} shape {skip}", shape)
        return shape

    def create_weights(self, input_shape: tuple[int, ...]) -> None:
        """Build the layers inside; their weights are called after this layer and after them."""
        for layer in self.inner_layers:
            require_free("layers", layer)
            layer.in_model = True
        shape = input_shape
        for layer in self.layers:
            layer.build(shape)
            shape = layer.output_shape or shape
        if self.projection is not None:
            self.projection.build(input_shape)
        self.weights = [weight for layer in self.inner_layers for weight in layer.weights]
        for weight in self.weights:
            weight.name = f"{self.name}/{weight.name}"

    def update_penalties(self, default: Regularizer | None = None, *, of_all: bool = False) -> None:
        """Give the weights the penalties that the regularizers of the layers inside now stand for."""
        for layer in self.inner_layers:
            layer.update_penalties(default, of_all=of_all)

    @property
    def trainable(self) -> bool:
        """Whether an optimizer may change the weights; a change is one of all layers inside."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = _checks.flag("trainable", value)
        for layer in self.inner_layers:
            layer.trainable = self._trainable

    def lower(self) -> list[Node]:
        """Return one node with those of the layers inside."""
        self.require_built()
        branch = _nodes(self.layers)
        skip = [] if self.projection is None else _nodes([self.projection])
        augmenting = next((node.layer for node in (*branch, *skip) if node.augments), None)
        if augmenting is not None:
            msg = f"{self.name}: augmentation must come before all layers that learn, got {augmenting!r} inside"
            raise ValueError(msg)
        return [ResidualNode(self.name, branch, skip, self.drop_rate, self.seed)]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as JSON types."""
        return super().get_config() | {"layers": [serialize(layer) for layer in self.layers]}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make a layer from what :meth:`get_config` returned."""
        from flyball.layers import deserialize  # which knows this class

        arguments = dict(config)
        if not isinstance(arguments.get("layers"), list):
            _checks.refuse("layers of a Residual", "a list of configurations", arguments.get("layers"))
        arguments["layers"] = [deserialize(layer) for layer in arguments["layers"]]
        if arguments.get("projection") is not None:
            arguments["projection"] = deserialize(arguments["projection"])
        return cls(**arguments)


def _iterable(layers: object) -> Iterable[object]:
    if not isinstance(layers, (tuple, list)):
        _checks.refuse("layers", "a list of layers", layers)
    return layers


def _inner(argument: str, layer: object) -> Layer:
    if not isinstance(layer, Layer) or not layer.computes:
        msg = f"{argument} must be of flyball.layers, without an input layer, got {layer!r}"
        raise TypeError(msg)
    require_free("layers", layer)
    return layer


def _output_shape(layer: Layer, shape: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return layer.compute_output_shape(shape)
    except ValueError as error:
        msg = f"{layer.name}: {error}"
        raise ValueError(msg) from error


def _nodes(layers: Iterable[Layer]) -> list[Node]:
    return [node for layer in layers for node in layer.nodes()]
