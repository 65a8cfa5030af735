"""One batch at a time, of any number of rows: what trains and evaluates on data that comes in batches."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.backend import get_backend
from flyball.program.lowering import Data, Lowering
from flyball.program.runners import runner
from flyball.training.steps import (
    INTERVAL,
    batch_statistics_layer,
    clear_totals,
    means,
    no_learning,
    take_totals,
    train,
    training_means,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from flyball.data import DataSet
    from flyball.losses import Loss
    from flyball.optimizers import Optimizer
    from flyball.program.instructions import Program
    from flyball.program.memory import Memory
    from flyball.program.nodes import Node
    from flyball.program.runners import Runner
    from flyball.training.source import BatchSource
    from flyball.training.steps import BatchWatcher


class _Batches:
    """A Program that is given each batch's arrays; it is written again only for what it cannot take.

    That is a batch of more rows than any before, or one with weights after one without.
    """

    def __init__(self, nodes: list[Node], memory: Memory, loss: Loss) -> None:
        self.nodes, self.memory, self.loss = nodes, memory, loss
        self.rows = self.steps = 0
        self._capacity = 0
        self._key: object = None
        self._program: Program | None = None
        self._runner: Runner | None = None

    @property
    def program(self) -> Program:
        """The Program of the last batch."""
        assert self._program is not None, "there must have been a batch"
        return self._program

    def clear(self) -> None:
        """Let the means begin anew."""
        self.rows = self.steps = 0
        if self._program is not None:
            clear_totals(self._program)

    def _take(self, batch: DataSet) -> tuple[Runner, NDArray[np.int64]]:
        """Put the batch's arrays in their places; return what runs them, and their bounds."""
        rows = len(batch)
        dtype = self.memory.dtype
        x = np.ascontiguousarray(batch.x, dtype)
        if self._runner is None or rows > self._capacity or self._key != self._key_of(batch):
            self._write(x, batch)
        assert self._runner is not None, "a Program has been written"
        buffers, bind = self.program.buffers, self._runner.bind
        for name, array in (("x", x), ("y", batch.y), ("weights", batch.weights)):
            if array is not None:
                buffer = buffers[name]
                bind(buffer, array.reshape(rows, *buffer.sample_shape))
        if "order" in buffers:
            bind(buffers["order"], np.arange(rows))
        return self._runner, np.array([0, rows])

    def _write(self, x: NDArray[Any], batch: DataSet) -> None:
        capacity = max(self._capacity, len(batch))
        program = self._lowered(Data(x, batch.y, None, batch.weights), capacity)
        if self._program is not None:
            take_totals(program, self._program)
        self._program, self._capacity, self._key = program, capacity, self._key_of(batch)
        self._runner = runner(program)

    @staticmethod
    def _key_of(batch: DataSet) -> object:
        return batch.weights is None, batch.y.shape[1:], get_backend().name

    def _lowered(self, data: Data, capacity: int) -> Program:
        raise NotImplementedError


class BatchTrainer(_Batches):
    """Trains on one batch after the other."""

    def __init__(self, nodes: list[Node], memory: Memory, loss: Loss, optimizer: Optimizer, seed: int) -> None:
        super().__init__(nodes, memory, loss)
        self.optimizer, self.seed = optimizer, seed
        self._needs_rows = batch_statistics_layer(nodes)

    def step(self, batch: DataSet, name: str = "x") -> None:
        """Train on ``batch``, which errors call ``name``."""
        if self._needs_rows is not None and len(batch) < 2:
            msg = f"{name} must have at least 2 samples for the batch statistics of layer {self._needs_rows!r}, got 1"
            raise ValueError(msg)
        taker, bounds = self._take(batch)
        train(taker, self.optimizer, bounds)
        self.rows += len(batch)
        self.steps += 1

    def means(self) -> dict[str, float]:
        """Return the means over the samples since :meth:`clear`."""
        return training_means(self.program, self.rows, self.steps)

    def _lowered(self, data: Data, capacity: int) -> Program:
        lowering = Lowering(self.nodes, self.memory, data, capacity, training=True, seed=self.seed)
        lowering.objective(self.loss.objective)
        lowering.update(self.optimizer.update())
        return lowering.program


class BatchEvaluator(_Batches):
    """Computes loss and metrics on one batch after the other."""

    def step(self, batch: DataSet) -> None:
        """Take in ``batch``."""
        taker, bounds = self._take(batch)
        taker.run(no_learning(bounds))
        self.rows += len(batch)
        self.steps += 1

    def means(self) -> dict[str, float]:
        """Return the means over the samples since :meth:`clear`."""
        return means(self.program, self.rows, self.memory.penalty())

    def _lowered(self, data: Data, capacity: int) -> Program:
        lowering = Lowering(self.nodes, self.memory, data, capacity, training=False)
        lowering.objective(self.loss.objective)
        return lowering.program


class StreamTrainer:
    """Trains on the batches of a source, an epoch at a time; ``prepare`` makes a data set of a batch and its name."""

    def __init__(self, source: BatchSource, prepare: Callable[[str, Any], DataSet], trainer: BatchTrainer) -> None:
        self.source, self._prepare, self._trainer = source, prepare, trainer

    @property
    def steps(self) -> int | None:
        """Steps in an epoch, where that is known."""
        return self.source.steps

    @property
    def exhausted(self) -> bool:
        """Whether there will be no more batches."""
        return self.source.exhausted

    def run_epoch(
        self,
        epoch: int,
        count: int,
        *,
        shuffle: bool,
        progress: Callable[[int], None] | None = None,
        watcher: BatchWatcher | None = None,
    ) -> dict[str, float] | None:
        """Train for an epoch; return the means over its samples, or None if there was no batch.

        As :meth:`flyball.training.Trainer.run_epoch`.
        """
        del epoch
        trainer = self._trainer
        trainer.clear()
        reported = time.perf_counter()
        for name, given in self.source.epoch(count, shuffle=shuffle):
            batch = self._prepare(name, given)
            if watcher is not None:
                watcher.before(trainer.steps)
            trainer.step(batch, name)
            if progress is not None and time.perf_counter() - reported >= INTERVAL:
                progress(trainer.steps)
                reported = time.perf_counter()
            if watcher is not None and not watcher.after(trainer.steps - 1, trainer.means()):
                break
        return trainer.means() if trainer.steps else None


class StreamEvaluator:
    """Computes loss and metrics on the batches of a source with the model as it is."""

    def __init__(self, source: BatchSource, prepare: Callable[[str, Any], DataSet], evaluator: BatchEvaluator) -> None:
        self._source, self._prepare, self._evaluator = source, prepare, evaluator

    def run(self) -> dict[str, float] | None:
        """Return the means over the samples, or None if there was no batch."""
        self._evaluator.clear()
        self._source.restart()
        for name, given in self._source.epoch():
            self._evaluator.step(self._prepare(name, given))
        return self._evaluator.means() if self._evaluator.steps else None
