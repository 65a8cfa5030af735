"""A layer applied to arrays, outside of any model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks, utils
from flyball.program.lowering import Lowering
from flyball.program.memory import Memory
from flyball.program.requests import Data
from flyball.program.runners import Steps, runner

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from flyball.layers.base import Layer


class Caller:
    """Calls one layer: each call draws other random numbers."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._seed = utils.new_seed()
        self._calls = 0

    def __call__(self, x: ArrayLike, *, training: bool) -> NDArray[Any]:
        """Return what the layer makes of samples; see :meth:`flyball.layers.Layer.__call__`."""
        layer = self._layer
        array = np.ascontiguousarray(x)
        if array.dtype.kind not in "biuf" or array.ndim < 2 or array.size == 0:
            _checks.refuse("x", "an array of numbers (samples, ...)", f"{array.dtype} of shape {array.shape}")
        layer.build(array.shape[1:])
        memory = self._memory(np.dtype(np.float64 if array.dtype == np.float64 else np.float32))
        rows = len(array)
        lowering = Lowering(layer.lower(), memory, Data(array), rows, training=training, seed=self._seed)
        lowering.predictions(rows)
        runner(lowering.program).run(Steps(np.array([0, rows]), np.zeros(1), self._calls))
        self._calls += 1
        return lowering.program.buffers["predictions"].array.reshape(rows, *(layer.output_shape or ()))

    def _memory(self, dtype: np.dtype[Any]) -> Memory:
        """Return a memory of the dtype of the layer's weights, which get one where no model has given them any."""
        weights = self._layer.weights
        if any(weight.value.shape != weight.shape for weight in weights):
            memory = Memory(weights, dtype)
            rng = np.random.Generator(np.random.Philox(key=self._seed))
            for weight in weights:
                weight.value[...] = weight.initializer(weight.shape, dtype, rng)
            return memory
        return Memory([], weights[0].value.dtype if weights else dtype)
