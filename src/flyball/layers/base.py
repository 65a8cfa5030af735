"""What all layers are: a name, weights, shapes, and the nodes they lower to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, TypeVar, Unpack

import numpy as np

from flyball import _checks, initializers, regularizers, utils
from flyball._registry import Configurable, parameters, serialize, snake_case
from flyball.layers.calling import Caller
from flyball.program.nodes import ActivityPenaltyNode, Orthogonality, Weight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from flyball.constraints import Constraint
    from flyball.program.nodes import Node
    from flyball.regularizers import Regularizer

T = TypeVar("T")


class CommonOptions(TypedDict, total=False):
    """Arguments that every layer takes by name.

    ``name`` (unique in a model; made from the class if not given), ``trainable`` (whether an optimizer may change the
    weights), and ``input_shape`` or ``input_dim`` (the shape of one sample, for a first layer without an ``Input``).
    """

    name: str | None
    trainable: bool
    input_shape: Sequence[int] | None
    input_dim: int | None


class LayerOptions(CommonOptions, total=False):
    """Those, and ``activity_regularizer``, a penalty as :class:`flyball.layers.ActivityRegularization` is one.

    (``Dense`` has it among its own arguments.)
    """

    activity_regularizer: object


class Layer(Configurable, ABC):
    """Base of all layers.

    A layer says what it computes, and computes nothing: :meth:`build` declares its weights for an input shape,
    :meth:`lower` returns the nodes a :class:`flyball.program.Program` is made of. A model gives the weights memory.

    Attributes
    ----------
    name : str
        Unique in a model.
    built : bool
        Whether :meth:`build` was called.
    input_shape, output_shape : tuple of int or None
        Shapes of one sample; None while unknown.
    declared_input_shape : tuple of int or None
        What the constructor was told about the input.
    weights : list of Weight
        All arrays, in Keras' order: parameters, then running statistics.
    in_model : bool
        Whether a model, or a layer with layers inside, has taken it in, so that its weights are that one's.
    computes : bool
        Whether it does anything to samples: all but :class:`InputLayer` do.
    """

    computes: ClassVar[bool] = True
    _fleeting: ClassVar[frozenset[str]] = frozenset(("_caller",))
    """Attributes that no Program depends on."""

    _augments = False
    """Whether it makes other samples of those given, so that calling it without ``training`` is to see it do so."""

    def __init__(self, **options: Unpack[LayerOptions]) -> None:
        _checks.no_more_arguments(
            type(self).__name__,
            {name: value for name, value in options.items() if name not in LayerOptions.__annotations__},
            dict.fromkeys([*parameters(type(self)), *LayerOptions.__annotations__]),
        )
        name = options.get("name")
        self.name = _automatic_name(type(self)) if name is None else _checks.text("name", name)
        self.weights: list[Weight] = []
        self._statistics: list[Weight] = []
        self._declared: dict[str, Regularizer | None] = {}
        self.built = False
        self._trainable = _checks.flag("trainable", options.get("trainable", True))
        self.activity_regularizer = _of_activities(options.get("activity_regularizer"))
        self.declared_input_shape = _declared_shape(options.get("input_shape"), options.get("input_dim"))
        self.input_shape = self.declared_input_shape
        self.output_shape: tuple[int, ...] | None = None
        self._caller: Caller | None = None
        self.in_model = False

    def __call__(self, x: ArrayLike, *, training: bool | None = None) -> NDArray[Any]:
        """Return what the layer makes of samples (samples, ...), on its own: to look at, or before a model is there.

        Each call draws other random numbers. A layer that is not built is, and its weights get their first values; one
        of a model has the model's weights.

        Parameters
        ----------
        x : array (samples, ...)
            Float, integer or bool.
        training : bool, optional
            Whether the layer behaves as in training. As in Keras, augmentation does if not said otherwise, others do
            not.

        Returns
        -------
        y : array (samples, ...)
            In double precision where ``x`` or the model is, else in single precision.

        Raises
        ------
        ValueError
            If ``x`` is no such array, or its samples do not fit the layer.
        """
        if self._caller is None:
            self._caller = Caller(self)
        training = self._augments if training is None else _checks.flag("training", training)
        return self._caller(x, training=training)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one sample of the output; raise ValueError where ``input_shape`` is not possible."""
        return input_shape

    def create_weights(self, input_shape: tuple[int, ...]) -> None:
        """Declare the weights with :meth:`add_weight`; called once by :meth:`build`."""

    @abstractmethod
    def lower(self) -> list[Node]:
        """Return the nodes of a built layer, unfused."""

    def nodes(self) -> list[Node]:
        """Return what :meth:`lower` does, and the penalty of the outputs."""
        penalty = _of_activities(self.activity_regularizer)
        if penalty is None or not (penalty.l1 or penalty.l2):
            return self.lower()
        # A node's penalty is l2 / 2 * sum(x**2), a regularizer's l2 * sum(x**2).
        l1, l2 = penalty.convention_factor * penalty.l1, penalty.convention_factor * 2.0 * penalty.l2
        return [*self.lower(), ActivityPenaltyNode(self.name, l1, l2)]

    def build(self, input_shape: Sequence[int]) -> None:
        """Fix the shapes, and declare the weights; a second call with the same shape does nothing.

        Raises
        ------
        ValueError
            If the layer cannot take ``input_shape`` (one sample's), or was built or declared with another.
        """
        shape = _checks.shape("input_shape", tuple(input_shape))
        if self.input_shape not in (None, shape):
            msg = f"{self.name}: input_shape must be {self.input_shape}, as the layer was given, got {shape}"
            raise ValueError(msg)
        if not self.built:
            try:
                self.output_shape = self.compute_output_shape(shape)
            except ValueError as error:
                msg = f"{self.name}: {error}"
                raise ValueError(msg) from error
            self.create_weights(shape)
            self.input_shape = shape
            self.built = True

    def add_weight(
        self,
        name: str,
        shape: tuple[int, ...],
        initializer: object,
        regularizer: Regularizer | None = None,
        constraint: Constraint | None = None,
        *,
        trainable: bool = True,
        decays: bool = True,
    ) -> Weight:
        """Declare one array of the layer, which is called ``layer/name``.

        ``trainable=False`` is for running statistics; ``decays=False`` spares it from an optimizer's weight decay.
        """
        weight = Weight(
            f"{self.name}/{name}",
            shape,
            initializers.get(initializer),
            trainable=trainable and self._trainable,
            decays=decays,
            projection=constraint.projection(shape) if constraint else None,
        )
        self._declared[name] = regularizer
        penalise(weight, regularizer)
        self.weights.append(weight)
        if not trainable:
            self._statistics.append(weight)
        return weight

    def regularizers(self) -> dict[str, Regularizer | None]:
        """Return the penalties that can be changed at any time, by the attributes that hold them.

        An attribute ``kernel_regularizer`` belongs to the weight ``kernel``. Training takes a new one from its next
        epoch on.
        """
        names = [f"{_stem(weight)}_regularizer" for weight in self.weights]
        return {name: regularizers.get(getattr(self, name), name) for name in names if hasattr(self, name)}

    def update_penalties(self, default: Regularizer | None = None, *, of_all: bool = False) -> None:
        """Give the weights the penalties that the layer's regularizers now stand for.

        A weight without one gets ``default``, if it is one that decays, or ``of_all`` is True.
        """
        own = self.regularizers()
        for name, regularizer in own.items():
            setattr(self, name, regularizer)
        for weight in self.weights:
            stem = _stem(weight)
            penalty = own.get(f"{stem}_regularizer", self._declared.get(stem))
            penalise(weight, penalty or (default if of_all or weight.decays else None))

    @property
    def inner_layers(self) -> list[Layer]:
        """The layers inside this one, whose weights are this one's."""
        return []

    @property
    def trainable(self) -> bool:
        """Whether an optimizer may change the weights; ``compile`` the model again after a change."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = _checks.flag("trainable", value)
        for weight in self.weights:
            weight.trainable = self._trainable and weight not in self._statistics

    @property
    def trainable_weights(self) -> list[Weight]:
        """The arrays an optimizer changes."""
        return [weight for weight in self.weights if weight.trainable]

    @property
    def non_trainable_weights(self) -> list[Weight]:
        """The arrays no optimizer changes."""
        return [weight for weight in self.weights if not weight.trainable]

    def count_params(self) -> int:
        """Return the number of elements in all weights."""
        if not self.built:
            msg = f"{self.name} must be built before its parameters can be counted; give its model an input shape"
            raise ValueError(msg)
        return sum(weight.size for weight in self.weights)

    def get_weights(self) -> list[NDArray[Any]]:
        """Return copies of all weights."""
        self._require_memory()
        return [weight.value.copy() for weight in self.weights]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Copy ``weights``, in the order of :meth:`get_weights`, into the layer's.

        Raises
        ------
        ValueError
            If their number or a shape is wrong; nothing is changed then.
        """
        self._require_memory()
        if len(weights) != len(self.weights):
            names = ", ".join(weight.name for weight in self.weights) or "none"
            msg = f"{self.name}: weights must be {len(self.weights)} arrays ({names}), got {len(weights)}"
            raise ValueError(msg)
        arrays = [np.asarray(array) for array in weights]
        for weight, array in zip(self.weights, arrays, strict=True):
            if array.shape != weight.shape or array.dtype.kind not in "biuf":
                found = array.shape if array.dtype.kind in "biuf" else f"dtype {array.dtype}"
                msg = f"weight {weight.name} must be numbers of shape {weight.shape}, got {found}"
                raise ValueError(msg)
        for weight, array in zip(self.weights, arrays, strict=True):
            weight.value[...] = array

    def require_built(self) -> tuple[int, ...]:
        """Return the input shape of a built layer; raise ValueError where it is not built."""
        return self.required(self.input_shape if self.built else None)

    def required(self, made_by_build: T | None) -> T:
        """Return what :meth:`build` made; raise ValueError where it was not called."""
        if made_by_build is None:
            msg = f"{self.name} must be built before it is lowered"
            raise ValueError(msg)
        return made_by_build

    def _require_memory(self) -> None:
        if not self.built or any(weight.value.shape != weight.shape for weight in self.weights):
            msg = f"{self.name} must be in a built model before it has values; give its model an input shape"
            raise ValueError(msg)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as JSON types."""
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable}
        if self.declared_input_shape is not None:
            config["input_shape"] = list(self.declared_input_shape)
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = serialize(self.activity_regularizer)
        return config | super().get_config()


def _stem(weight: Weight) -> str:
    return weight.name.rpartition("/")[2]


def penalise(weight: Weight, regularizer: Regularizer | None) -> None:
    """Give ``weight`` the penalty of ``regularizer``, or none."""
    # A Weight's penalty is l2 / 2 * sum(w**2), a regularizer's l2 * sum(w**2).
    weight.l1 = regularizer.convention_factor * regularizer.l1 if regularizer else 0.0
    weight.l2 = regularizer.convention_factor * 2.0 * regularizer.l2 if regularizer else 0.0
    weight.per_sample = regularizer is not None and regularizer.needs_samples
    weight.proximal = regularizer is not None and regularizer.proximal
    weight.orthogonality = None
    if isinstance(regularizer, regularizers.OrthogonalRegularizer):
        factor = regularizer.of_each_pair(weight.name, weight.shape)
        weight.orthogonality = Orthogonality(factor, regularizer.mode == "columns")


def require_free(argument: str, layer: Layer) -> None:
    """Refuse a layer whose weights are a model's; those that a call has made go with their layer."""
    if layer.in_model and layer.weights:
        how = f"{type(layer).__name__}.from_config(layer.get_config()) makes one like it"
        msg = f"{argument} must be in no other model, got {layer.name!r}, whose weights are in one; {how}"
        raise ValueError(msg)


def _of_activities(identifier: object) -> Regularizer | None:
    """Return the regularizer of a layer's outputs; refuse what is meant for weights only."""
    regularizer = regularizers.get(identifier, "activity_regularizer")
    orthogonal = isinstance(regularizer, regularizers.OrthogonalRegularizer)
    if regularizer is not None and (regularizer.proximal or regularizer.needs_samples or orthogonal):
        expectation = "L1 or L2 in the gradient, whose convention is 'lambda' or 'lambda/2', or is given samples"
        _checks.refuse("activity_regularizer", expectation, regularizer)
    return regularizer


def _declared_shape(input_shape: object, input_dim: object) -> tuple[int, ...] | None:
    if input_dim is not None:
        if input_shape is not None:
            _checks.refuse("input_dim", "None where input_shape is given", input_dim)
        return (_checks.integer("input_dim", input_dim, 1),)
    return None if input_shape is None else _checks.shape("input_shape", input_shape)


def _automatic_name(cls: type) -> str:
    return utils.unique_name(snake_case(cls.__name__))
