"""Running a model's Programs over data: epochs of training, evaluation, prediction."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from flyball.backend import get_backend
from flyball.data import step_bounds
from flyball.program.interrupts import HeldInterrupts
from flyball.program.lowering import Data, Lowering
from flyball.program.memory import UNAVERAGED
from flyball.program.profile import measure_limits, summarise
from flyball.program.runners import Steps, runner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from flyball.layers import Layer
    from flyball.losses import Loss
    from flyball.optimizers import Optimizer
    from flyball.program.instructions import Program
    from flyball.program.memory import Memory
    from flyball.program.nodes import Node
    from flyball.program.profile import Profile

INFERENCE_ROWS = 1024
"""Rows a prediction or evaluation takes at a time: enough to fill the kernels, few enough to stay in the cache."""


def batch_statistics_layer(nodes: list[Node]) -> str | None:
    """Name the first layer that needs more than one row to train on, or return None."""
    return next((node.layer for node in nodes if node.needs_batch), None)


def shuffled(rows: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order of rows in an epoch: a function of (seed, epoch) only."""
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, epoch], np.uint64)))
    return generator.permutation(rows)


class BatchWatcher(Protocol):
    """Who wants to be told of every step."""

    def before(self, step: int) -> None:
        """Run before a step of the epoch."""
        ...

    def after(self, step: int, means: dict[str, float]) -> bool:
        """Run after a step with the means of the epoch so far; return whether the epoch goes on."""
        ...


@dataclass(frozen=True)
class Position:
    """A place inside an epoch: how many of its steps are done, and what they have added to its totals."""

    done: int
    totals: Mapping[str, float]


class Trainer:
    """Trains on one data set, an epoch at a time."""

    def __init__(
        self,
        nodes: list[Node],
        memory: Memory,
        loss: Loss,
        optimizer: Optimizer,
        x: NDArray[Any],
        y: NDArray[Any],
        batch_size: int,
        seed: int,
    ) -> None:
        self.memory = memory
        self.optimizer = optimizer
        self.seed = seed
        self.done = 0
        needs_statistics = batch_statistics_layer(nodes) is not None
        self.bounds = step_bounds(len(x), batch_size, batch_statistics=needs_statistics)
        self.order = np.arange(len(x), dtype=np.int64)
        self._loss, self._data = loss, Data(x, y, self.order)
        self._settings = self._settings_of(nodes)
        self._lower(nodes)

    def refresh(self, nodes: list[Node], seed: int) -> None:
        """Lower again if what was written into the Program has changed: layers, penalties, optimizer or seed."""
        self.seed = seed
        settings = self._settings_of(nodes)
        if settings != self._settings:
            self.memory.regroup()
            self._lower(nodes)
            self._settings = settings

    def _settings_of(self, nodes: list[Node]) -> str:
        return repr((nodes, self.optimizer.update(), self.seed))

    def _lower(self, nodes: list[Node]) -> None:
        largest = int(np.diff(self.bounds).max())
        lowering = Lowering(nodes, self.memory, self._data, largest, training=True, seed=self.seed)
        lowering.objective(self._loss.objective)
        lowering.update(self.optimizer.update())
        self.program = lowering.program
        self._runner = runner(self.program)

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return len(self.bounds) - 1

    def run_epoch(
        self,
        epoch: int,
        *,
        shuffle: bool,
        progress: Callable[[int], None] | None = None,
        interval: float = 0.1,
        watcher: BatchWatcher | None = None,
        position: Position | None = None,
    ) -> dict[str, float]:
        """Train for one epoch; return the means over its samples as :meth:`Evaluator.run` does.

        With a ``watcher`` every step returns to Python, and the epoch ends where the watcher says so. With a
        ``position`` the epoch goes on from there; :attr:`done` counts its steps, whatever ends it.
        """
        if shuffle:
            self.order[:] = shuffled(len(self.order), self.seed, epoch)
        _clear(self.program)
        self.done = 0
        if position is not None:
            self._go_to(position)
        if watcher is None or self.done == self.steps:
            if self.done < self.steps:
                self._run(self.done, self.steps, progress, interval)
            return self._means(self.steps)
        for step in range(self.done, self.steps):
            watcher.before(step)
            self._run(step, step + 1)
            if progress is not None:
                progress(step + 1)
            means = self._means(step + 1)
            if not watcher.after(step, means):
                break
        return means

    def position(self) -> Position:
        """Return where the epoch stands."""
        buffers = self.program.buffers
        return Position(self.done, {name: float(buffers[name].array[0]) for name in _totals(self.program)})

    def _go_to(self, position: Position) -> None:
        names = set(_totals(self.program))
        if position.done > self.steps or set(position.totals) != names:
            msg = (
                f"position must be one of an epoch of {self.steps} steps with the totals {', '.join(sorted(names))}, "
                f"got {position}: the data or the model have changed"
            )
            raise ValueError(msg)
        self.done = position.done
        for name, value in position.totals.items():
            self.program.buffers[name].array[0] = value

    def _run(self, begin: int, end: int, progress: Callable[[int], None] | None = None, interval: float = 0.1) -> None:
        learning_rates = self.optimizer.learning_rates(end - begin)
        steps = Steps(self.bounds[begin : end + 1], learning_rates, self.optimizer.iterations)
        report = progress if progress is None or begin == 0 else lambda done: progress(begin + done)
        # A Ctrl-C between the last step and its count would make the next run repeat random numbers.
        with HeldInterrupts() as interrupts:
            try:
                self._runner.run(steps, report, interval, interrupts.deliver)
            finally:
                self.optimizer.iterations += steps.done
                self.done += steps.done

    def _means(self, steps: int) -> dict[str, float]:
        penalties = sum(float(b.array[0]) for name, b in self.program.buffers.items() if name.startswith("penalty["))
        return _means(self.program, int(self.bounds[steps]), penalties / steps)

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

    def start(self) -> None:
        """Begin or go on: where :meth:`finish` averaged the parameters, they are again what they were before."""
        before = self.memory.slots.pop(UNAVERAGED, None)
        if before is not None and np.array_equal(self.memory.parameters, self.memory.slot("average")):
            self.memory.parameters[...] = before

    def finish(self) -> None:
        """End the training: where the optimiser averages the parameters, they become their average."""
        if self.optimizer.use_ema and self.optimizer.iterations:
            self.memory.slot(UNAVERAGED)[...] = self.memory.parameters
            self.memory.parameters[...] = self.memory.slot("average")


class Evaluator:
    """Computes loss and metrics on one data set with the model as it is."""

    def __init__(
        self, nodes: list[Node], memory: Memory, loss: Loss, x: NDArray[Any], y: NDArray[Any], batch_size: int | None
    ) -> None:
        self.memory = memory
        rows = min(len(x), batch_size or INFERENCE_ROWS)
        self.bounds = step_bounds(len(x), rows, batch_statistics=False)
        lowering = Lowering(nodes, memory, Data(x, y), rows, training=False)
        lowering.objective(loss.objective)
        self.program = lowering.program
        self._runner = runner(self.program)
        self._rows = len(x)

    def run(self) -> dict[str, float]:
        """Return the means over the samples: ``loss``, ``hits``, and ``objective``, the loss with penalties."""
        _clear(self.program)
        self._runner.run(_no_learning(self.bounds))
        return _means(self.program, self._rows, self.memory.penalty())


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
        self._steps = _no_learning(step_bounds(len(x), self.rows, batch_statistics=False))
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
                self._steps = _no_learning(step_bounds(rows, self.rows, batch_statistics=False))
            bind(self._x, x.reshape(rows, *self._x.sample_shape))
            bind(self._out, out)
            if "order" in buffers:
                bind(buffers["order"], np.arange(rows, dtype=np.int64))
            self._runner.run(self._steps)
        return out


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
        runner(lowering.program).run(_no_learning(np.array([0, len(x)], np.int64)))
    finally:
        memory.statistics[...] = statistics
    return {name: value.array.copy() for name, value in values.items()}


def _no_learning(bounds: NDArray[np.int64]) -> Steps:
    return Steps(bounds, np.zeros(len(bounds) - 1), 0)


def _totals(program: Program) -> list[str]:
    return [name for name in program.buffers if name.startswith(("total_", "penalty["))]


def _clear(program: Program) -> None:
    for name in _totals(program):
        program.buffers[name].array.fill(0.0)


def _means(program: Program, rows: int, penalty: float) -> dict[str, float]:
    loss = float(program.buffers["total_loss"].array[0]) / rows
    means = {"loss": loss, "objective": loss + penalty}
    if "total_hits" in program.buffers:
        means["hits"] = float(program.buffers["total_hits"].array[0]) / rows
    return means
