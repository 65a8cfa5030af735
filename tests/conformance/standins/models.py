"""``keras.src.models`` and ``layers``: flyball's, with layers that can be called by themselves."""

import inspect
import types

import numpy as np

import flyball
from conformance.standins.optimizers import Adapter
from flyball import layers as own
from flyball.layers.images import ImageLayer
from flyball.program.lowering import Lowering
from flyball.program.memory import Memory
from flyball.program.requests import Data
from flyball.program.runners import Steps, runner


class Called:
    """A layer that is called runs as the only one of a Program, in training or as it predicts."""

    memory = None
    steps = 0
    compute_dtype = "float32"

    def __init__(self, *args, dtype="float32", **arguments):
        assert dtype == "float32", "flyball's models have a dtype, not its layers"
        super().__init__(*args, **arguments)

    def __call__(self, inputs, training=None, mask=None):
        x = np.ascontiguousarray(inputs, dtype=np.float32)
        if isinstance(self, ImageLayer) and x.ndim == 3:  # to Keras a single image, to flyball several grey ones
            return self(x[np.newaxis], training)[0]
        training = self._augments if training is None else training
        if self.memory is None:
            self.build(x.shape[1:])
            self.memory = Memory(self.weights, x.dtype)
            for weight in self.weights:
                weight.value[...] = weight.initializer(weight.shape, x.dtype, np.random.Generator(np.random.Philox(0)))
        nodes = self.lower()
        if not nodes:
            return x
        lowering = Lowering(nodes, self.memory, Data(x), len(x), training=bool(training))
        lowering.predictions(len(x))
        runner(lowering.program).run(Steps(np.array([0, len(x)]), np.zeros(1), self.steps))
        self.steps += 1
        # Some layers work on any shape, and are called with several.
        shape = self.output_shape if x.shape[1:] == self.input_shape else x.shape[1:]
        return lowering.program.buffers["predictions"].array.reshape(len(x), *shape)


layers = types.ModuleType("keras.src.layers")
for _name in own.__all__:
    _value = getattr(own, _name)
    _is_layer = isinstance(_value, type) and issubclass(_value, own.Layer) and _value not in (own.Layer, own.InputLayer)
    if _is_layer:
        _value = type(_name, (Called, _value), {"__signature__": inspect.signature(_value)})
    setattr(layers, _name, _value)


def _without_mask():
    """``layers.Masking()``: flyball's arrays have no masks, so that it changes nothing."""
    return lambda x: x


layers.Masking = _without_mask


class Rate(float):
    """A number that also answers as Keras' variables do."""

    value = property(np.float32)


class Rated:
    """An optimizer whose learning rate is a :class:`Rate`."""

    learning_rate = property(
        lambda self: Rate(super().learning_rate),
        lambda self, value: super(Rated, type(self)).learning_rate.__set__(self, value),
    )


class Sequential(flyball.Sequential):
    """A model that takes adapters of optimizers, and has an optimizer as Keras' tests look at it."""

    def compile(self, optimizer="rmsprop", loss=None, **kwargs):
        self.adapter = optimizer if isinstance(optimizer, Adapter) else None
        super().compile(self.adapter.own if self.adapter else optimizer, loss, **kwargs)
        kind = type(self.optimizer)
        if not issubclass(kind, Rated):
            signature = {"__signature__": inspect.signature(kind)}
            self.optimizer.__class__ = type(kind.__name__, (Rated, kind), signature)

    def fit(self, *args, verbose=0, **kwargs):
        history = super().fit(*args, verbose=verbose, **kwargs)
        if self.adapter:
            self.adapter.trained(self._memory, [weight for weight in self.weights if weight.trainable])
            if self.optimizer.use_ema:
                self.optimizer._model_variables_moving_average = self.adapter._model_variables_moving_average
        return history

    @property
    def trainable_variables(self):
        return [types.SimpleNamespace(numpy=weight.value.copy) for weight in self.weights if weight.trainable]


models = types.ModuleType("keras.src.models")
models.Sequential = Sequential
