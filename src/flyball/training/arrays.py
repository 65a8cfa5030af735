"""Whole data sets: epochs of training, evaluation, prediction, without Python between the steps."""

from __future__ import annotations

import math
import time
import warnings
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.backend import get_backend
from flyball.data import step_bounds
from flyball.program.lowering import Lowering
from flyball.program.requests import Data
from flyball.program.runners import Steps, runner
from flyball.training.step_program import Recipe, Shelf
from flyball.training.steps import (
    INTERVAL,
    EpochEnds,
    Position,
    Replayed,
    batch_statistics_layer,
    draw_order,
    means,
    no_learning,
    noise,
    train,
    training_means,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from flyball.data import DataSet
    from flyball.optimizers import Optimizer
    from flyball.program.instructions import Program
    from flyball.program.memory import Memory
    from flyball.program.nodes import Node
    from flyball.program.profile import Profile
    from flyball.training.goal import Goal
    from flyball.training.steps import BatchWatcher

INFERENCE_ROWS = 1024
"""Rows a prediction or evaluation takes at a time: enough to fill the kernels, few enough to stay in the cache."""


class Trainer:
    """Trains on one data set, an epoch at a time.

    With ``steps`` an epoch is that many steps, and the next one goes on where it ended; where the data end, so does
    the epoch, and the next one begins at the beginning. Its Program comes from the ``shelf``, where :meth:`release`
    puts it back.

    Attributes
    ----------
    done : int
        Steps of the epoch that have finished, whatever ended it.
    exhausted : bool
        Whether there can be no more epochs.
    """

    exhausted = False

    def __init__(
        self,
        nodes: list[Node],
        memory: Memory,
        goal: Goal,
        optimizer: Optimizer,
        data: DataSet,
        batch_size: int,
        seed: int,
        steps: int | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        self.memory = memory
        self.optimizer = optimizer
        self.seed = seed
        self.done = 0
        self._shuffle = False
        self._first = 0
        needs_statistics = batch_statistics_layer(nodes) is not None
        self.bounds = step_bounds(len(data), batch_size, batch_statistics=needs_statistics)
        self._asked = steps
        self.order = np.arange(len(data), dtype=np.int64)
        self._goal, self._given, self._meters = goal, data, goal.meters(weighted=data.weights is not None)
        noisy = goal.loss.label_noise > 0.0
        self._noisy = np.array(goal.targets(data.y)) if noisy else None
        targets = goal.targets(data.y) if self._noisy is None else self._noisy
        self._data = Data(data.x, targets, self.order, data.weights)
        self._shelf = shelf or Shelf()
        memory.set_samples(len(data))
        self._step_program = self._shelf.take(self._recipe(nodes))

    def refresh(self, nodes: list[Node], seed: int) -> None:
        """Lower again if what was written into the Program has changed: layers, penalties, optimizer or seed.

        The same list of nodes says that nothing has.
        """
        if nodes is self._step_program.nodes:
            return
        self.seed = seed
        self._step_program = self._shelf.take(self._recipe(nodes), self._step_program)

    def _recipe(self, nodes: list[Node]) -> Recipe:
        bounds, recorded = self.bounds, len(self.order) if self._meters.recorded else None
        largest = int(max(bounds[1], bounds[-1] - bounds[-2]))  # steps differ in the last alone
        objective = self._goal.objective
        return Recipe(nodes, self.memory, objective, self._data, largest, recorded, self.optimizer, self.seed)

    def copies(self) -> list[NDArray[Any]]:
        """Return copies of all that training changes; they go to :meth:`keep` once nobody needs them."""
        return self._shelf.copies(self.memory.arrays())

    def keep(self, copies: list[NDArray[Any]]) -> None:
        """Use the memory of ``copies`` for the next ones, in this run or a later one."""
        self._shelf.keep(copies)

    def release(self) -> None:
        """Let the next run have the Program: this one has ended."""
        self._shelf.put(self._step_program, training=True)

    @property
    def program(self) -> Program:
        """The Program of a step."""
        return self._step_program.program

    @property
    def samples(self) -> NDArray[Any]:
        """The samples it trains on."""
        return self._data.x

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return self._all_steps if self._asked is None else min(self._asked, self._all_steps)

    @property
    def _all_steps(self) -> int:
        return len(self.bounds) - 1

    def run_epoch(
        self,
        number: int,
        epoch: int = 0,
        *,
        shuffle: bool,
        progress: Callable[[int], None] | None = None,
        watcher: BatchWatcher | None = None,
        position: Position | None = None,
    ) -> dict[str, float]:
        """Train for epoch ``epoch`` of a run; return the means over its samples as :meth:`Evaluator.run` does.

        ``number`` is what the order of samples is drawn from: how many epochs the model has been trained for. With a
        ``watcher`` every step returns to Python, and the epoch ends where the watcher says so. With a ``position`` the
        epoch goes on from there.
        """
        first, count = self._enter(number, epoch, shuffle)
        if self._asked is not None and count < self._asked:
            msg = (
                f"steps_per_epoch must be at most the {count} steps there is data for in this epoch, got {self._asked}"
            )
            warnings.warn(msg, UserWarning, stacklevel=3)
        if position is not None:
            self.go_to(position)
        with suppress(EpochEnds):
            if watcher is None:
                self._run(first, count, progress)
            else:
                self._run_watched(first, count, progress, watcher)
        return self._means(first)

    def _run_watched(
        self, first: int, count: int, progress: Callable[[int], None] | None, watcher: BatchWatcher
    ) -> None:
        reported = time.perf_counter()
        while self.done < count:
            watcher.before(self.done)
            self._run(first, self.done + 1)
            if progress is not None and time.perf_counter() - reported >= INTERVAL:
                progress(self.done)
                reported = time.perf_counter()
            if not watcher.after(self.done - 1, self._means(first)):
                break

    def _enter(self, number: int, epoch: int, shuffle: bool) -> tuple[int, int]:
        """Stand at the beginning of an epoch; return its first step among those of the data, and its steps."""
        part = epoch % -(-self._all_steps // self.steps)  # how many epochs ago the order of samples was drawn
        drawn = max(0, number - part)
        if shuffle:
            draw_order(self.order, self.seed, drawn)
        if self._noisy is not None:
            self._noisy[...] = self._goal.targets(self._given.y, noise(self.seed, drawn))
        self._shuffle = shuffle
        first = self._first = part * self.steps
        self.clear()
        return first, min(self.steps, self._all_steps - first)

    def replay(self, number: int, epoch: int, done: int) -> Iterator[Replayed]:
        """Run an epoch again from its step ``done``, one step at a time; parameters and counts are up to the caller."""
        first, count = self._enter(number, epoch, self._shuffle)
        self.done = done
        while self.done < count:
            rate = float(self.optimizer.learning_rates(1)[0])
            self._step_program.totals.begin()
            self._run(first, self.done + 1)
            rows = int(self.bounds[first + self.done] - self.bounds[first + self.done - 1])
            yield Replayed(rows, self._step_program.totals.values()["total_loss"] / rows, rate)

    def position(self) -> Position:
        """Return where the epoch stands."""
        outputs = self.program.buffers["outputs"].array[self._rows_so_far()].copy() if self._meters.recorded else None
        return Position(self.done, self.steps, self._step_program.totals.values(), outputs)

    def go_to(self, position: Position) -> None:
        """Stand inside the epoch that was entered last."""
        self._step_program.totals.begin(position.totals)
        self.done = position.done
        if self._meters.recorded and position.outputs is not None:
            rows = self._rows_so_far()
            self.program.buffers["outputs"].array[rows] = position.outputs
            self._meters.reset()
            self._measure(rows)

    def loss_is_finite(self) -> bool:
        """Whether the epoch's loss so far is a number."""
        return math.isfinite(self._step_program.totals.values()["total_loss"])

    def clear(self) -> None:
        """Stand at the beginning of an epoch."""
        self.done = 0
        self._step_program.totals.begin()
        self._meters.reset()

    def _run(self, first: int, end: int, progress: Callable[[int], None] | None = None) -> None:
        """Run from where the epoch stands to its step ``end``; the epoch begins at step ``first`` of the data."""
        begin = self.done
        if begin == end:
            return
        report = progress if progress is None or begin == 0 else lambda done: progress(begin + done)
        bounds = self.bounds[first + begin : first + end + 1]
        try:
            train(self._step_program.runner, self.optimizer, self.memory, bounds, report, (self, "done"))
        except EpochEnds:
            self._measure(slice(self.bounds[first + begin], self.bounds[first + self.done]))
            raise
        self._measure(slice(self.bounds[first + begin], self.bounds[first + end]))

    def _measure(self, rows: slice) -> None:
        """Let the metrics that ask for outputs take in those of ``rows`` of the order."""
        if not self._meters.recorded:
            return
        targets, weights = self._given.outcomes(self.order[rows])
        self._meters.update(targets, self.program.buffers["outputs"].array[rows], weights)

    def _rows_so_far(self) -> slice:
        return slice(self.bounds[self._first], self.bounds[self._first + self.done])

    def _means(self, first: int) -> dict[str, float]:
        rows = int(self.bounds[first + self.done] - self.bounds[first])
        found = training_means(self._step_program.totals.values(), rows, self.done)
        return found | self._meters.report(found)

    def profile(self, steps: int) -> Profile:
        """Run at least ``steps`` batches, which leave no trace, and return where their time went."""
        from flyball.program.profile import measure_limits, summarise

        rows = int(np.diff(self.bounds).max())
        full = self.bounds[: max(2, len(self.order) // rows + 1)]
        rates, first = self.optimizer.learning_rates(len(full) - 1), self.optimizer.steps
        count = len(rates)
        run = self._step_program.runner
        saved = [array.copy() for array in self.memory.arrays()]
        try:
            seconds = [run.profile(Steps(full, rates, first + i * count)) for i in range(-(-steps // count) + 1)]
        finally:
            for array, value in zip(self.memory.arrays(), saved, strict=True):
                array[...] = value
        limits = measure_limits(self.program, self.memory.dtype, run.threads(rows))
        return summarise(self.program, np.concatenate(seconds[1:]), first + count, rows, limits)


class Evaluator:
    """Computes loss and metrics on one data set with the model as it is."""

    def __init__(
        self,
        nodes: list[Node],
        memory: Memory,
        goal: Goal,
        data: DataSet,
        batch_size: int | None,
        shelf: Shelf,
    ) -> None:
        self.memory, self._data, self._meters = memory, data, goal.meters(weighted=data.weights is not None)
        if memory.samples is None:
            memory.set_samples(len(data))
        rows = min(len(data), batch_size or INFERENCE_ROWS)
        self.bounds = step_bounds(len(data), rows, batch_statistics=False)
        given = Data(data.x, goal.targets(data.y), None, data.weights)
        recorded = len(data) if self._meters.recorded else None
        self._shelf = shelf
        self._step_program = shelf.take(Recipe(nodes, memory, goal.objective, given, rows, recorded))

    def release(self) -> None:
        """Let the next run have the Program: this one has ended."""
        self._shelf.put(self._step_program, training=False)

    @property
    def program(self) -> Program:
        """The Program of a step."""
        return self._step_program.program

    @property
    def steps(self) -> int:
        """Batches there are."""
        return len(self.bounds) - 1

    def run(self, watcher: BatchWatcher | None = None) -> dict[str, float]:
        """Return the means over the samples: ``data_loss``, ``hits``, ``objective`` (with penalties), and metrics.

        With a ``watcher`` every batch returns to Python, and the last one is the one after which it says so.
        """
        self._step_program.totals.begin()
        self._meters.reset()
        if watcher is None:
            return self._run(0, self.steps)
        found: dict[str, float] = {}
        for step in range(self.steps):
            watcher.before(step)
            found = self._run(step, step + 1)
            if not watcher.after(step, found):
                break
        return found

    def _run(self, first: int, end: int) -> dict[str, float]:
        """Take in some batches; return the means over them and those before them."""
        bounds = self.bounds[first : end + 1]
        rows = slice(bounds[0], bounds[-1])
        self._step_program.runner.run(no_learning(bounds))
        if self._meters.recorded:
            data = self._data[rows]
            self._meters.update(data.y, self.program.buffers["outputs"].array[rows], data.weights)
        found = means(self._step_program.totals.values(), int(bounds[-1]), self.memory.penalty())
        return found | self._meters.report(found)


class Predictor:
    """Predicts rows of ``shape``; made once for a model and a dtype of samples, used for any number of rows."""

    def __init__(
        self, nodes: list[Node], memory: Memory, x: NDArray[Any], batch_size: int | None, shape: tuple[int, ...]
    ) -> None:
        self._sample_shape, self._shape = x.shape[1:], shape
        self._batch_size, self.rows = batch_size, batch_size or INFERENCE_ROWS
        self._dtype, self._contiguous, self._backend = x.dtype, x.flags.c_contiguous, get_backend()
        lowering = Lowering(nodes, memory, Data(x, None), self.rows, training=False)
        lowering.predictions(len(x))
        self.program = lowering.program
        self._x, self._out = self.program.buffers["x"], self.program.buffers["predictions"]
        self._order = self.program.buffers.get("order")
        self._row, self._out_dtype = self._out.sample_shape, self._out.array.dtype
        self._runner = runner(self.program)
        self._exchange = self._runner.exchange(self._x, self._out, self._sample_shape, shape)
        self._prepare(len(x))
        self._lock = Lock()  # threads that predict with one model share its buffers: they take turns

    def _prepare(self, rows: int) -> None:
        self._count = 0  # until all is: an interrupt in between must not leave bounds beyond the arrays
        bounds = step_bounds(rows, self.rows, batch_statistics=False)
        self._run_all = self._runner.prepared(no_learning(bounds))
        if self._order is not None:
            self._runner.bind(self._order, np.arange(rows, dtype=np.int64))
        self._count = rows

    def is_for(self, x: NDArray[Any], batch_size: int | None) -> bool:
        """Whether it was made for samples like ``x``: others need another one."""
        return (
            x.dtype == self._dtype
            and x.flags.c_contiguous == self._contiguous
            and batch_size == self._batch_size
            and get_backend() is self._backend
        )

    def run_in_place(self, x: object) -> NDArray[Any] | None:
        """Return the outputs as :meth:`run` does, or None where ``x`` needs a closer look first."""
        if self._batch_size is not None or get_backend() is not self._backend:
            return None
        with self._lock:
            out = self._exchange(x)
            if out is None:
                return None
            if len(out) != self._count:
                self._prepare(len(out))
            self._run_all()
        return out

    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the outputs, one row for each row of ``x``."""
        rows = len(x)
        bind = self._runner.bind
        out = np.empty((rows, *self._row), self._out_dtype)
        with self._lock:
            if rows != self._count:
                self._prepare(rows)
            bind(self._x, x if x.ndim == 2 else x.reshape(rows, *self._x.sample_shape))
            bind(self._out, out)
            self._run_all()
        # Where no layer computes anything, the Program hands on rows that are flat.
        return out if self._row == self._shape else out.reshape(rows, *self._shape)
