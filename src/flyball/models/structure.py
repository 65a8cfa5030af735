"""What a model is made of: layers, their weights and memory, its table and its configuration."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from flyball import _checks, regularizers
from flyball import layers as layers_module
from flyball._own_objects import custom_object_scope
from flyball._registry import serialize
from flyball.layers.base import require_free
from flyball.models.summary import table
from flyball.program.memory import Memory
from flyball.training import Shelf
from flyball.utils import new_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from flyball.layers import Layer
    from flyball.program.nodes import Node, Weight
    from flyball.regularizers import Regularizer
    from flyball.training import Predictor


class Structure:
    """A stack of layers that knows its shapes and holds its weights, before anybody asks what it is for."""

    regularizer: Regularizer | None = None
    """Penalty of all kernels without one of their own; training takes a new one from its next epoch on."""
    regularize_biases: bool = False
    """Whether it applies to biases and parameters of normalisations as well."""

    def __init__(
        self,
        layers: Iterable[Layer] | None = None,
        trainable: bool = True,
        name: str | None = None,
        *,
        dtype: str = "float32",
    ) -> None:
        self.name = "sequential" if name is None else _checks.text("name", name)
        self._trainable = _checks.flag("trainable", trainable)
        self.dtype = np.dtype(_checks.choice("dtype", dtype, ("float32", "float64")))
        self._layers: list[Layer] = []
        self._input_shape: tuple[int, ...] | None = None
        self._memory: Memory | None = None
        self._predictor: Predictor | None = None
        self._shelf = Shelf()
        self._programs = 0
        self._seed = new_seed()
        self._draws: tuple[np.random.Generator | None, list[Weight]] = (None, [])
        for layer in layers or ():
            self.add(layer)

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input."""
        return [layer for layer in self._layers if layer.computes]

    def _flat_layers(self) -> list[Layer]:
        """Return the layers and those inside them."""
        return [inner for layer in self.layers for inner in _with_inner(layer)]

    @property
    def built(self) -> bool:
        """Whether the layers know their input and hold weights."""
        return self._memory is not None

    @property
    def weights(self) -> list[Weight]:
        """All arrays of all layers, in the layers' order."""
        return [weight for layer in self.layers for weight in layer.weights]

    @property
    def trainable_weights(self) -> list[Weight]:
        """The arrays an optimizer changes."""
        return [weight for weight in self.weights if weight.trainable]

    @property
    def non_trainable_weights(self) -> list[Weight]:
        """The arrays no optimizer changes."""
        return [weight for weight in self.weights if not weight.trainable]

    @property
    def trainable(self) -> bool:
        """Whether an optimizer may change the weights; set, it is set for all layers. ``compile`` the model again then.

        A layer that is added takes it over where it is False.
        """
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = _checks.flag("trainable", value)
        for layer in self.layers:
            layer.trainable = self._trainable

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of a batch of inputs; the first axis is the samples'."""
        self._require_built()
        return (None, *(self._input_shape or ()))

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of a batch of outputs; the first axis is the samples'."""
        self._require_built()
        return (None, *(self.layers[-1].output_shape or ()))

    def add(self, layer: Layer) -> None:
        """Append a layer; the model is built as soon as the shape of its input is known."""
        _require_layer(layer)
        if any(layer.name == other.name for other in self._layers):
            msg = f"layer names must be unique, got {layer.name!r} twice"
            raise ValueError(msg)
        own = {id(inner) for other in self._layers for inner in _with_inner(other)}
        twice = next((inner for inner in _with_inner(layer) if id(inner) in own), None)
        if twice is not None:
            msg = f"layer must be new, got {twice.name!r}, which is in the model already"
            raise ValueError(msg)
        require_free("layer", layer)
        if not self._trainable:
            layer.trainable = False
        self._layers.append(layer)
        shape = self._input_shape or self._layers[0].input_shape
        if shape is not None:
            try:
                self.build(shape)
            except ValueError:
                self._layers.pop()
                raise

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return the layer of a name, or in the place ``index``, counted without the input.

        Raises
        ------
        ValueError
            If there is none, or both or neither are given.
        """
        if (name is None) == (index is None):
            _checks.refuse("name", "given, or index in its place", (name, index))
        if name is not None:
            named = {layer.name: layer for layer in self.layers}
            return named[_checks.choice("name", name, named)]
        count = len(self.layers)
        place = _checks.integer("index", index, -(2**31))
        if not -count <= place < count:
            _checks.refuse("index", f"in [{-count}, {count})", index)
        return self.layers[place]

    def pop(self) -> Layer:
        """Remove and return the last layer."""
        if not self.layers:
            msg = "model must have a layer to pop, got none"
            raise ValueError(msg)
        layer = self._layers.pop()
        layer.in_model = False
        self._forget_programs()
        if self.built and self._input_shape is not None and self.layers:
            self.build(self._input_shape)
        return layer

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the weights for inputs of ``input_shape`` (with or without Keras' leading None for the batch).

        Layers that are built keep their weights' values.
        """
        shape = tuple(input_shape)
        if shape and shape[0] is None:
            shape = shape[1:]
        shape = _checks.shape("input_shape", shape)
        with self._unbuilt_on_error():
            kept = {id(weight): weight.value.copy() for weight in self.weights if weight.value.size}
            current: tuple[int, ...] | None = shape
            for layer in self._layers:
                if current is not None:
                    layer.build(current)
                    current = layer.output_shape
                    layer.in_model = True
            self._input_shape = shape
            if not self.layers:
                return
            self._update_penalties()
            self._memory = Memory(self.weights, self.dtype)
            self._draw_values(kept)
            self._forget_programs()

    @contextmanager
    def _unbuilt_on_error(self) -> Iterator[None]:
        """Let a model that is not built be so again where a ``with`` block raises, as if nothing had been asked of it.

        Data of another shape can be given to it then.
        """
        if self.built:
            yield
            return
        parts: list[Any] = [self, *(inner for layer in self._layers for inner in _with_inner(layer))]
        before = [
            (part, {k: copy.copy(v) if isinstance(v, (list, dict)) else v for k, v in vars(part).items()})
            for part in parts
        ]
        try:
            yield
        except BaseException:
            for part, attributes in before:
                vars(part).clear()
                vars(part).update(attributes)
            raise

    def get_weights(self) -> list[NDArray[Any]]:
        """Return copies of all arrays, in the order of :attr:`weights`."""
        return [weight.value.copy() for weight in self.weights]

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """Set all arrays from a list as :meth:`get_weights` returns it."""
        self._require_built()
        own = self.weights
        arrays = [np.asarray(weight) for weight in weights]
        if len(arrays) != len(own):
            msg = f"weights must have {len(own)} arrays, got {len(arrays)}"
            raise ValueError(msg)
        for weight, array in zip(own, arrays, strict=True):
            if array.shape != weight.shape:
                msg = f"weights must have shape {weight.shape} for {weight.name!r}, got {array.shape}"
                raise ValueError(msg)
        for weight, array in zip(own, arrays, strict=True):
            weight.value[...] = array

    def count_params(self) -> int:
        """Return the number of elements of all weights."""
        self._require_built()
        return sum(weight.size for weight in self.weights)

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], object] | None = None,
        expand_nested: bool = True,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print a table of the layers: name, kind, output shape, parameters.

        Parameters
        ----------
        line_length : int, optional
            Characters of a line; as many as the table needs if not given.
        positions : sequence of float, optional
            Where each column ends: in characters, or, up to 1, in lines.
        print_fn : callable, optional
            What is given the text in the place of ``print``.
        expand_nested : bool
            Whether layers inside others have rows too, below those.
        show_trainable : bool
            Whether there is a column that says which layers an optimizer may change.
        layer_range : two strings, optional
            Names of the first and the last layer to show, or patterns of such.
        """
        text = table(
            self,
            line_length,
            positions,
            expand_nested=_checks.flag("expand_nested", expand_nested),
            show_trainable=_checks.flag("show_trainable", show_trainable),
            layer_range=layer_range,
        )
        (print_fn or print)(text)

    # --- configuration -----------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return what :meth:`from_config` makes the same model from, weights aside."""
        layers = [serialize(layer) for layer in self._layers]
        return {"name": self.name, "dtype": self.dtype.name, "input_shape": self._input_shape, "layers": layers}

    def to_json(self) -> str:
        """Return :meth:`get_config` as a JSON text, which :func:`flyball.models.model_from_json` reads."""
        import json

        return json.dumps({"class_name": "Sequential", "config": self.get_config()})

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """Make a model from the result of :meth:`get_config`; ``custom_objects`` are layers of your own, by name."""
        with custom_object_scope(custom_objects):
            layers = [layers_module.deserialize(item) for item in config["layers"]]
        model = cls(layers, name=config["name"], dtype=config["dtype"])
        if not model.built and config.get("input_shape") is not None:
            model.build(config["input_shape"])
        return model

    # --- pieces ------------------------------------------------------------------------------------------------------

    def _nodes(self) -> list[Node]:
        self._update_penalties()
        if self._memory is not None:
            self._memory.regroup()
        return [node for layer in self.layers for node in layer.nodes()]

    def _update_penalties(self) -> None:
        self.regularizer = regularizers.get(self.regularizer)
        for layer in self.layers:
            layer.update_penalties(self.regularizer, of_all=self.regularize_biases)

    def _draw_values(self, kept: dict[int, NDArray[Any]]) -> None:
        """Give each weight its value in ``kept``, or a first one; all draw from one stream, in their order.

        What a model that grows has drawn before is not drawn again.
        """
        weights, (rng, drawn) = self.weights, self._draws
        if rng is None or [*map(id, weights[: len(drawn)])] != [*map(id, drawn)]:
            key = np.array([self._seed, 2**64 - 1], np.uint64)
            rng, drawn = np.random.Generator(np.random.Philox(key=key)), []
        for weight in weights[len(drawn) :]:
            value = weight.initializer(weight.shape, self.dtype, rng)
            kept.setdefault(id(weight), value)
        for weight in weights:
            weight.value[...] = kept[id(weight)]
        self._draws = rng, weights

    def _forget_programs(self) -> None:
        """Let Programs be made anew: layers or memory are others; whoever keeps one compares ``_programs``."""
        self._predictor = None
        self._shelf = Shelf()
        self._programs += 1

    def _require_built(self) -> Memory:
        if not self.layers:
            msg = "model must have at least one layer, got none"
            raise ValueError(msg)
        if self._memory is None:
            msg = "model must be built: give the first layer an input_shape, add layers.Input, or call fit or build"
            raise ValueError(msg)
        return self._memory


def _with_inner(layer: Layer) -> Iterator[Layer]:
    yield layer
    for inner in layer.inner_layers:
        yield from _with_inner(inner)


def _require_layer(layer: object) -> None:
    if not isinstance(layer, layers_module.Layer):
        msg = f"layer must be a flyball.layers.Layer, got {layer!r}"
        raise TypeError(msg)
