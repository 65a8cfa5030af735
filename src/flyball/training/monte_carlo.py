"""Prediction with dropout: the mean and the spread of passes that each drop other units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from flyball.data import step_bounds
from flyball.program.lowering import Lowering
from flyball.program.requests import Data
from flyball.program.runners import runner
from flyball.training.arrays import INFERENCE_ROWS
from flyball.training.steps import no_learning

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.program.memory import Memory
    from flyball.program.nodes import Node


class MonteCarloPrediction(NamedTuple):
    """What ``predict(x, mc_dropout=n)`` returns.

    Attributes
    ----------
    mean : array (samples, ...)
        Mean of the outputs over the passes.
    std : array (samples, ...)
        Their standard deviation, over n and not n - 1 passes: how uncertain the model is.
    """

    mean: NDArray[Any]
    std: NDArray[Any]


class MonteCarlo:
    """Predicts with what acts in training only, dropout and noise, and with everything else as in inference."""

    def __init__(self, nodes: list[Node], memory: Memory, passes: int, batch_size: int | None, seed: int) -> None:
        self._nodes, self._memory, self._passes, self._seed = nodes, memory, passes, seed
        self._rows = batch_size or INFERENCE_ROWS
        self._steps = 0  # done so far: the address of the next one's random numbers

    def run(self, x: NDArray[Any]) -> MonteCarloPrediction:
        """Return mean and spread for the samples ``x``; other samples are met with other random numbers.

        Raises
        ------
        ValueError
            If nothing in the model is random.
        """
        rows = len(x)
        lowering = Lowering(
            self._nodes, self._memory, Data(x), min(rows, self._rows), training=False, noisy=True, seed=self._seed
        )
        lowering.predictions(rows)
        if not any("seed" in instruction.scalars for instruction in lowering.program.instructions):
            msg = "mc_dropout must be None for a model without dropout or noise: all passes would be the same"
            raise ValueError(msg)
        program_runner = runner(lowering.program)
        out = lowering.program.buffers["predictions"].array
        bounds = step_bounds(rows, self._rows, batch_statistics=False)
        mean = np.zeros(out.shape)
        squares = np.zeros(out.shape)  # of the distances to the mean: Welford's sums, which cancel nothing
        for done in range(1, self._passes + 1):
            program_runner.run(no_learning(bounds, self._steps))
            self._steps += len(bounds) - 1
            distance = out - mean
            mean += distance / done
            squares += distance * (out - mean)
        return MonteCarloPrediction(mean.astype(out.dtype), np.sqrt(squares / self._passes).astype(out.dtype))
