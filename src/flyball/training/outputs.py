"""What the layers put out, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.program.lowering import Lowering
from flyball.program.requests import Data
from flyball.program.runners import runner
from flyball.training.steps import no_learning

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from flyball.layers import Layer
    from flyball.program.memory import Memory


def layer_outputs(
    layers: Iterable[Layer], memory: Memory, x: NDArray[Any], *, training: bool, seed: int
) -> dict[str, NDArray[Any]]:
    """Return the output of each of the layers for all rows of ``x`` as one batch; what is stored stays as it is.

    Keys are the layers' names. ``training`` is how layers behave, dropout and noise included.
    """
    lowering = Lowering([], memory, Data(x), len(x), training=training, seed=seed)
    values = {}
    for layer in layers:
        lowering.write(lowering.fused(layer.lower()))
        values[layer.name] = lowering.view(lowering.value, layer.output_shape or ())
    statistics = memory.statistics.copy()
    try:
        runner(lowering.program).run(no_learning(np.array([0, len(x)], np.int64)))
    finally:
        memory.statistics[...] = statistics
    return {name: value.array.copy() for name, value in values.items()}
