"""Whole data sets: epochs of training, evaluation, prediction, without Python between the steps."""

from __future__ import annotations

import time
import warnings
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.backend import get_backend
from flyball.data import step_bounds
from flyball.program.lowering import Data, Lowering
from flyball.program.profile import measure_limits, summarise
from flyball.program.runners import Steps, runner
from flyball.training.steps import (
    INTERVAL,
    batch_statistics_layer,
    clear_totals,
    means,
    no_learning,
    shuffled,
    train,
    training_means,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from flyball.data import DataSet
    from flyball.losses import Loss
    from flyball.optimizers import Optimizer
    from flyball.program.memory import Memory
    from flyball.program.nodes import Node
    from flyball.program.profile import Profile
    from flyball.training.steps import BatchWatcher

INFERENCE_ROWS = 1024
"""Rows a prediction or evaluation takes at a time: enough to fill the kernels, few enough to stay in the cache."""


class Trainer:
    """Trains on one data set, an epoch at a time.

    With ``steps`` an epoch is that many steps, and the next one goes on where it ended; where the data end, so does
    the epoch, and the next one begins at the beginning.
    """

    exhausted = False
    """Whether there will be no more epochs."""

    def __init__(
        self,
        nodes: list[Node],
        memory: Memory,
        loss: Loss,
        optimizer: Optimizer,
        data: DataSet,
        batch_size: int,
        seed: int,
        steps: int | None = None,
    ) -> None:
        self.memory = memory
        self.optimizer = optimizer
        self.seed = seed
        needs_statistics = batch_statistics_layer(nodes) is not None
        self.bounds = step_bounds(len(data), batch_size, batch_statistics=needs_statistics)
        self._asked = steps
        self.order = np.arange(len(data), dtype=np.int64)
        largest = int(np.diff(self.bounds).max())
        rows = Data(data.x, data.y, self.order, data.weights)
        lowering = Lowering(nodes, memory, rows, largest, training=True, seed=seed)
        lowering.objective(loss.objective)
        lowering.update(optimizer.update())
        self.program = lowering.program
        self._runner = runner(self.program)

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return self._all_steps if self._asked is None else min(self._asked, self._all_steps)

    @property
    def _all_steps(self) -> int:
        return len(self.bounds) - 1

    def run_epoch(
        self,
        epoch: int,
        count: int | None = None,
        *,
        shuffle: bool,
        progress: Callable[[int], None] | None = None,
        watcher: BatchWatcher | None = None,
    ) -> dict[str, float]:
        """Train for epoch ``epoch`` of a run; return the means over its samples as :meth:`Evaluator.run` does.

        ``count`` is what the order of samples is drawn from: the epochs that the model has been trained for. With a
        ``watcher`` every step returns to Python, and the epoch ends where the watcher says so.
        """
        part = epoch % -(-self._all_steps // self.steps)  # how many epochs ago these samples' order was drawn
        if shuffle:
            drawn = max(0, (epoch if count is None else count) - part)
            self.order[:] = shuffled(len(self.order), self.seed, drawn)
        begin = part * self.steps
        end = min(begin + self.steps, self._all_steps)
        if self._asked is not None and end - begin < self._asked:
            msg = f"steps_per_epoch must be at most the {end - begin} steps there is data for, got {self._asked}"
            warnings.warn(msg, UserWarning, stacklevel=3)
        clear_totals(self.program)
        if watcher is None:
            train(self._runner, self.optimizer, self.bounds[begin : end + 1], progress)
            return self._means(begin, end)
        reported = time.perf_counter()
        for step in range(begin, end):
            watcher.before(step - begin)
            train(self._runner, self.optimizer, self.bounds[step : step + 2])
            if progress is not None and time.perf_counter() - reported >= INTERVAL:
                progress(step - begin + 1)
                reported = time.perf_counter()
            found = self._means(begin, step + 1)
            if not watcher.after(step - begin, found):
                break
        return found

    def _means(self, begin: int, end: int) -> dict[str, float]:
        return training_means(self.program, int(self.bounds[end] - self.bounds[begin]), end - begin)

    def profile(self, steps: int) -> Profile:
        """Run at least ``steps`` batches, which leave no trace, and return where their time went."""
        rows = int(np.diff(self.bounds).max())
        full = self.bounds[: max(2, len(self.order) // rows + 1)]
        epoch = Steps(full, self.optimizer.learning_rates(len(full) - 1), self.optimizer.iterations)
        saved = [array.copy() for array in self.memory.arrays()]
        try:
            seconds = [self._runner.profile(epoch) for _ in range(-(-steps // len(epoch)) + 1)]
        finally:
            for array, value in zip(self.memory.arrays(), saved, strict=True):
                array[...] = value
        limits = measure_limits(self.program, self.memory.dtype, self._runner.threads(rows))
        return summarise(self.program, np.concatenate(seconds[1:]), rows, limits)


class Evaluator:
    """Computes loss and metrics on one data set with the model as it is."""

    def __init__(self, nodes: list[Node], memory: Memory, loss: Loss, data: DataSet, batch_size: int | None) -> None:
        self.memory = memory
        rows = min(len(data), batch_size or INFERENCE_ROWS)
        self.bounds = step_bounds(len(data), rows, batch_statistics=False)
        lowering = Lowering(nodes, memory, Data(data.x, data.y, None, data.weights), rows, training=False)
        lowering.objective(loss.objective)
        self.program = lowering.program
        self._runner = runner(self.program)
        self._rows = len(data)

    def run(self) -> dict[str, float]:
        """Return the means over the samples: ``data_loss``, ``hits``, and ``objective``, the loss with penalties."""
        clear_totals(self.program)
        self._runner.run(no_learning(self.bounds))
        return means(self.program, self._rows, self.memory.penalty())


class Predictor:
    """Predicts; made once for a model and a dtype of samples, used for any number of rows."""

    def __init__(self, nodes: list[Node], memory: Memory, x: NDArray[Any], batch_size: int | None) -> None:
        self.rows = batch_size or INFERENCE_ROWS
        self.key = self.key_of(x, batch_size)
        lowering = Lowering(nodes, memory, Data(x, None), self.rows, training=False)
        lowering.predictions(len(x))
        self.program = lowering.program
        self._x, self._out = self.program.buffers["x"], self.program.buffers["predictions"]
        self._runner = runner(self.program)
        self._steps = no_learning(step_bounds(len(x), self.rows, batch_statistics=False))
        self._lock = Lock()  # threads that predict with one model share its buffers: they take turns

    @staticmethod
    def key_of(x: NDArray[Any], batch_size: int | None) -> tuple[object, ...]:
        """What a Predictor is made for: another key needs another one."""
        return x.dtype, x.flags.c_contiguous, batch_size, get_backend().name

    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the outputs, one row for each row of ``x``."""
        rows = len(x)
        bind, buffers = self._runner.bind, self.program.buffers
        out = np.empty((rows, *self._out.array.shape[1:]), self._out.array.dtype)
        with self._lock:
            if rows != self._steps.bounds[-1]:
                self._steps = no_learning(step_bounds(rows, self.rows, batch_statistics=False))
            bind(self._x, x.reshape(rows, *self._x.sample_shape))
            bind(self._out, out)
            if "order" in buffers:
                bind(buffers["order"], np.arange(rows, dtype=np.int64))
            self._runner.run(self._steps)
        return out
