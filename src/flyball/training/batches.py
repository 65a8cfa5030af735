"""One batch at a time, of any number of rows: what trains and evaluates on data that comes in batches."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.backend import get_backend
from flyball.data import DataSet
from flyball.program.lowering import Lowering
from flyball.program.requests import Data
from flyball.program.runners import runner
from flyball.training.steps import (
    INTERVAL,
    EpochEnds,
    Position,
    Totals,
    batch_statistics_layer,
    means,
    no_learning,
    noise,
    settings_of,
    train,
    training_means,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from flyball.optimizers import Optimizer
    from flyball.program.instructions import Program
    from flyball.program.memory import Memory
    from flyball.program.nodes import Node
    from flyball.program.runners import Runner
    from flyball.training.goal import Goal
    from flyball.training.source import BatchSource
    from flyball.training.steps import BatchWatcher


class _Batches:
    """A Program that is given each batch's arrays; it is written again only for what it cannot take.

    That is a batch of more rows than any before, or one with weights after one without.
    """

    optimizer: Optimizer | None = None

    def __init__(self, nodes: list[Node], memory: Memory, goal: Goal, seed: int = 0) -> None:
        self.nodes, self.memory, self.goal, self.seed = nodes, memory, goal, seed
        self._settings = self._settings_of()
        self._meters = goal.meters(weighted=True)
        self.rows = self.steps = 0
        self._capacity = 0
        self._key: object = None
        self._program: Program | None = None
        self._runner: Runner | None = None
        self._totals: Totals | None = None
        self._first_totals: Mapping[str, float] | None = None

    def clear(self) -> None:
        """Let the sums over steps begin anew."""
        self.rows = self.steps = 0
        self._first_totals = None
        self._meters.reset()
        if self._totals is not None:
            self._totals.begin()

    def totals(self) -> Mapping[str, float]:
        """Return the sums over steps so far, by name."""
        return (self._first_totals or {}) if self._totals is None else self._totals.values()

    @property
    def program(self) -> Program | None:
        """What a batch goes through, once there was one."""
        return self._program

    def loss_is_finite(self) -> bool:
        """Whether the sum of the losses so far is a number."""
        return math.isfinite(self.totals().get("total_loss", 0.0))

    def refresh(self, nodes: list[Node], seed: int) -> None:
        """Lower again if what was written into the Program has changed: layers, penalties, optimizer or seed.

        The same list of nodes says that nothing has.
        """
        if nodes is self.nodes:
            return
        self.nodes, self.seed = nodes, seed
        settings = self._settings_of()
        if settings != self._settings:
            self.memory.regroup()
            self.forget()
            self._settings = settings

    def _settings_of(self) -> object:
        return settings_of(self.nodes, self.optimizer, self.seed)

    def forget(self) -> None:
        """Write the Program anew for the next batch; sums over steps go on."""
        if self._totals is not None:
            self._first_totals, self._totals = self._totals.values(), None
        self._program = self._runner = None

    def _take(self, given: DataSet, random: np.random.Generator | None = None) -> tuple[Runner, NDArray[np.int64]]:
        """Put the batch's arrays in their places; return what runs them, and their bounds.

        Where the loss has label noise, it is drawn from ``random``.
        """
        rows = len(given)
        batch = DataSet(given.x, self.goal.targets(given.y, random), given.weights)
        dtype = self.memory.dtype
        x = np.ascontiguousarray(batch.x, dtype)
        if self._runner is None or rows > self._capacity or self._key != self._key_of(batch):
            self._write(x, batch)
        assert self._program is not None, "a Program has been written"
        assert self._runner is not None, "a Program has been written"
        buffers, bind = self._program.buffers, self._runner.bind
        for name, array in (("x", x), ("y", batch.y), ("weights", batch.weights)):
            if array is not None:
                buffer = buffers[name]
                bind(buffer, array.reshape(rows, *buffer.sample_shape))
        if "order" in buffers:
            bind(buffers["order"], np.arange(rows))
        return self._runner, np.array([0, rows])

    def _measure(self, batch: DataSet) -> None:
        """Let the metrics that ask for outputs take in those of the batch that has been run."""
        if self._meters.recorded and self._program is not None:
            self._meters.update(batch.y, self._program.buffers["outputs"].array[: len(batch)], batch.weights)

    def _recorded(self, capacity: int) -> int | None:
        return capacity if self._meters.recorded else None

    def _write(self, x: NDArray[Any], batch: DataSet) -> None:
        self.forget()
        self._capacity, self._key = max(self._capacity, len(batch)), self._key_of(batch)
        program = self._lowered(Data(x, batch.y, None, batch.weights), self._capacity)
        totals = Totals(program)
        totals.begin(self._first_totals)
        self._program, self._totals, self._runner = program, totals, runner(program)

    @staticmethod
    def _key_of(batch: DataSet) -> object:
        weights = None if batch.weights is None else batch.weights.shape[1:]
        return weights, batch.y.shape[1:], get_backend().name

    def _lowered(self, data: Data, capacity: int) -> Program:
        raise NotImplementedError


class BatchTrainer(_Batches):
    """Trains on one batch after the other."""

    optimizer: Optimizer

    def __init__(self, nodes: list[Node], memory: Memory, goal: Goal, optimizer: Optimizer, seed: int) -> None:
        self.optimizer = optimizer
        super().__init__(nodes, memory, goal, seed)

    def step(self, batch: DataSet, name: str = "x") -> None:
        """Train on ``batch``, which errors call ``name``."""
        layer = self._needs_rows
        if layer is not None and len(batch) < 2:
            msg = f"{name} must have at least 2 samples for the batch statistics of layer {layer!r}, got 1"
            raise ValueError(msg)
        random = noise(self.seed, self.optimizer.steps) if self.goal.loss.label_noise else None
        taker, bounds = self._take(batch, random)
        train(taker, self.optimizer, self.memory, bounds, None, (self, "steps"))
        self.rows += len(batch)
        self._measure(batch)

    def resume(self, position: Position) -> None:
        """Let the sums over steps go on from ``position``."""
        sums = dict(position.totals)
        self.forget()
        self.steps, self.rows = position.done, int(sums.pop("rows", 0))
        self._first_totals = sums

    def position(self) -> Position:
        """Return the sums over steps, with their rows among them."""
        return Position(self.steps, None, {**self.totals(), "rows": float(self.rows)})

    def means(self) -> dict[str, float]:
        """Return the means over the samples since :meth:`clear`."""
        found = training_means(self.totals(), self.rows, self.steps)
        return found | self._meters.report(found)

    def _settings_of(self) -> object:
        self._needs_rows = batch_statistics_layer(self.nodes)
        return super()._settings_of()

    def _lowered(self, data: Data, capacity: int) -> Program:
        lowering = Lowering(self.nodes, self.memory, data, capacity, training=True, seed=self.seed)
        lowering.objective(self.goal.objective, recorded=self._recorded(capacity))
        lowering.update(self.optimizer.update())
        return lowering.program


class BatchEvaluator(_Batches):
    """Computes loss and metrics on one batch after the other."""

    def step(self, batch: DataSet) -> None:
        """Take in ``batch``."""
        taker, bounds = self._take(batch)
        taker.run(no_learning(bounds))
        self.rows += len(batch)
        self._measure(batch)
        self.steps += 1

    def means(self) -> dict[str, float]:
        """Return the means over the samples since :meth:`clear`."""
        found = means(self.totals(), self.rows, self.memory.penalty())
        return found | self._meters.report(found)

    def _lowered(self, data: Data, capacity: int) -> Program:
        lowering = Lowering(self.nodes, self.memory, data, capacity, training=False)
        lowering.objective(self.goal.objective, recorded=self._recorded(capacity))
        return lowering.program


class StreamTrainer:
    """Trains on the batches of a source, an epoch at a time; ``prepare`` makes a data set of a batch and its name.

    Has what :class:`flyball.training.Trainer` has.

    Attributes
    ----------
    last_rows : int
        Samples of the last batch.
    """

    def __init__(self, source: BatchSource, prepare: Callable[[str, Any], DataSet], trainer: BatchTrainer) -> None:
        self.source, self._prepare, self._trainer = source, prepare, trainer
        self.last_rows = 0

    @property
    def memory(self) -> Memory:
        """The model's arrays."""
        return self._trainer.memory

    @property
    def program(self) -> Program | None:
        """What a step does, once there was one."""
        return self._trainer.program

    def loss_is_finite(self) -> bool:
        """Whether the epoch's loss so far is a number."""
        return self._trainer.loss_is_finite()

    @property
    def done(self) -> int:
        """Steps of the epoch that have finished, whatever ended it."""
        return self._trainer.steps

    @property
    def steps(self) -> int | None:
        """Steps in an epoch, where that is known."""
        return self.source.steps

    @property
    def exhausted(self) -> bool:
        """Whether there can be no more epochs."""
        return self.source.exhausted

    def release(self) -> None:
        """End; its Program depends on the batches, and nobody else has use for it."""

    def refresh(self, nodes: list[Node], seed: int) -> None:
        """Lower again if what was written into the Program has changed: layers, penalties, optimizer or seed."""
        self.source.seed = seed
        self._trainer.refresh(nodes, seed)

    def position(self) -> Position:
        """Return where the epoch stands."""
        return replace(self._trainer.position(), steps=self.steps)

    def clear(self) -> None:
        """Stand at the beginning of an epoch."""
        self._trainer.clear()

    def run_epoch(
        self,
        number: int,
        epoch: int = 0,
        *,
        shuffle: bool,
        progress: Callable[[int], None] | None = None,
        watcher: BatchWatcher | None = None,
        position: Position | None = None,
    ) -> dict[str, float] | None:
        """Train for an epoch; return the means over its samples, or None if there was no batch.

        As :meth:`flyball.training.Trainer.run_epoch`; a ``position`` skips the batches before it.
        """
        del epoch
        trainer = self._trainer
        trainer.clear()
        if position is not None:
            trainer.resume(position)
        reported = time.perf_counter()
        with suppress(EpochEnds):
            for name, given in self.source.epoch(number, shuffle=shuffle, skip=trainer.steps):
                batch = self._prepare(name, given)
                if watcher is not None:
                    watcher.before(trainer.steps)
                trainer.step(batch, name)
                self.last_rows = len(batch)
                due = time.perf_counter() - reported >= INTERVAL or not trainer.loss_is_finite()
                if progress is not None and due:
                    progress(trainer.steps)
                    reported = time.perf_counter()
                if watcher is not None and not watcher.after(trainer.steps - 1, trainer.means()):
                    break
        return trainer.means() if trainer.steps else None


class StreamEvaluator:
    """Computes loss and metrics on the batches of a source with the model as it is."""

    def __init__(self, source: BatchSource, prepare: Callable[[str, Any], DataSet], evaluator: BatchEvaluator) -> None:
        self._source, self._prepare, self._evaluator = source, prepare, evaluator

    @property
    def steps(self) -> int | None:
        """Batches there are, where that is known."""
        return self._source.steps

    def release(self) -> None:
        """End; its Program depends on the batches, and nobody else has use for it."""

    def run(self, watcher: BatchWatcher | None = None) -> dict[str, float] | None:
        """Return the means over the samples, or None if there was no batch; see :meth:`Evaluator.run`."""
        evaluator = self._evaluator
        evaluator.clear()
        self._source.restart()
        for name, given in self._source.epoch():
            batch = self._prepare(name, given)
            if watcher is not None:
                watcher.before(evaluator.steps)
            evaluator.step(batch)
            if watcher is not None and not watcher.after(evaluator.steps - 1, evaluator.means()):
                break
        return evaluator.means() if evaluator.steps else None
