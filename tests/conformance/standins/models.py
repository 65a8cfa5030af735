"""``keras.src.models`` and ``layers``: flyball's, with layers that can be called by themselves."""

import types

import numpy as np

import flyball
from conformance.standins.optimizers import Adapter
from flyball import layers as own
from flyball.program.lowering import Data, Lowering
from flyball.program.memory import Memory
from flyball.program.runners import Steps, runner


class Called:
    """A layer that is called runs as the only one of a Program, in training or as it predicts."""

    memory = None
    steps = 0

    def __call__(self, inputs, training=False, mask=None):
        x = np.ascontiguousarray(inputs, dtype=np.float32)
        if self.memory is None:
            self.build(x.shape[1:])
            self.memory = Memory(self.weights, x.dtype)
            for weight in self.weights:
                weight.value[...] = weight.initializer(weight.shape, x.dtype, np.random.Generator(np.random.Philox(0)))
        nodes = self.lower()
        if not nodes:
            return x
        lowering = Lowering(nodes, self.memory, Data(x), len(x), training=bool(training))
        if not any(node.computes for node in lowering.fused(nodes)):
            return x
        lowering.predictions(len(x))
        runner(lowering.program).run(Steps(np.array([0, len(x)]), np.zeros(1), self.steps))
        self.steps += 1
        return lowering.program.buffers["predictions"].array


layers = types.ModuleType("keras.src.layers")
for _name in own.__all__:
    _value = getattr(own, _name)
    _is_layer = isinstance(_value, type) and issubclass(_value, own.Layer) and _value not in (own.Layer, own.InputLayer)
    setattr(layers, _name, type(_name, (Called, _value), {}) if _is_layer else _value)


class Sequential(flyball.Sequential):
    """Keras' way to say that a model runs step by step in Python, which flyball's does on its reference backend."""

    def compile(self, optimizer="rmsprop", loss=None, *, run_eagerly=False, jit_compile="auto", **kwargs):
        self.adapter = optimizer if isinstance(optimizer, Adapter) else None
        super().compile(self.adapter.own if self.adapter else optimizer, loss, **kwargs)

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
