"""What all runs share: the order of rows, steps that are counted whatever happens, and the sums they add up to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from flyball._lookahead import Lookahead
from flyball.backend import get_backend
from flyball.program.interrupts import HeldInterrupts
from flyball.program.memory import UNAVERAGED
from flyball.program.nodes import Weight
from flyball.program.runners import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from flyball.optimizers import Optimizer
    from flyball.program.instructions import Program
    from flyball.program.memory import Memory
    from flyball.program.nodes import Node
    from flyball.program.runners import Runner

ORDER_STREAM = 2**32 - 1
"""The stream of random numbers that orders of rows are drawn from; layers count theirs from 0."""

INTERVAL = 0.1
"""Seconds between two reports of progress."""


class BatchWatcher(Protocol):
    """Who wants to be told of every step."""

    def before(self, step: int) -> None:
        """Run before a step of the epoch."""
        ...

    def after(self, step: int, means: dict[str, float]) -> bool:
        """Run after a step with the means of the epoch so far; return whether the epoch goes on."""
        ...


class EpochEnds(Exception):  # no error
    """Raised by a report of progress to end the epoch there."""


class Replayed(NamedTuple):
    """A step that was run again."""

    rows: int
    loss: float
    """Mean over the rows, without penalties."""
    learning_rate: float


@dataclass(frozen=True)
class Position:
    """A place inside an epoch: how many of its steps are done, and what they have added to its totals."""

    done: int
    steps: int | None
    """Of the epoch, where that is known."""
    totals: Mapping[str, float]
    outputs: NDArray[Any] | None = None
    """Of the samples so far, where metrics ask for them."""

    def require(self, steps: int | None) -> None:
        """Raise ValueError unless an epoch of ``steps`` steps has such a place."""
        if self.steps != steps or self.done < 1 or (steps is not None and self.done > steps):
            of = "" if steps is None else f" of {steps} steps"
            place = f"step {self.done} of {self.steps}"
            msg = f"position must be one in an epoch{of}, got {place}: the data have changed"
            raise ValueError(msg)


def batch_statistics_layer(nodes: list[Node]) -> str | None:
    """Name the first layer that needs more than one row to train on, or return None."""
    return next((node.layer for node in nodes if node.needs_batch), None)


def require_batches(nodes: list[Node], counts: Mapping[str, int]) -> None:
    """Raise ValueError where a count, by what it is of, is too small for a layer's batch statistics."""
    layer = batch_statistics_layer(nodes)
    for name, count in counts.items():
        if layer is not None and count < 2:
            msg = f"{name} must be at least 2 for the batch statistics of layer {layer!r}, got {count}"
            raise ValueError(msg)


def settings_of(nodes: list[Node], optimizer: Optimizer | None, seed: int) -> object:
    """Return all that is written into a Program of these, to be compared with what it is later."""
    return [_plain(node) for node in nodes], None if optimizer is None else optimizer.update(), seed


_PLAIN = frozenset((bool, int, float, str, type(None)))


def _plain(value: Any) -> object:
    """Return ``value`` as a list of what it is made of; arrays, which training changes, by identity."""
    if isinstance(value, (list, tuple)):
        parts: list[Any] = [*value]
    else:
        kind: type = type(value)
        names = _parts_of(kind)
        if names is None:
            return id(value) if isinstance(value, np.ndarray) else value
        parts = [kind, *[getattr(value, name) for name in names]]
    return [part if type(part) in _PLAIN else _plain(part) for part in parts]


@cache
def _parts_of(kind: type) -> tuple[str, ...] | None:
    """Return the attributes that settings of ``kind`` are made of, or None where it is no dataclass."""
    names = getattr(kind, "__dataclass_fields__", None)
    skipped = ("value", "initializer") if issubclass(kind, Weight) else ()
    return None if names is None else tuple(name for name in names if name not in skipped)


def draw_order(order: NDArray[np.int64], seed: int, epoch: int) -> None:
    """Write the order of rows in an epoch: a function of its length and (seed, epoch) only."""
    get_backend().random_permutation(order, seed, ORDER_STREAM, epoch)


def shuffled(rows: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return what :func:`draw_order` writes."""
    order = np.empty(rows, np.int64)
    draw_order(order, seed, epoch)
    return order


def noise(seed: int, number: int) -> np.random.Generator:
    """Return the source of label noise of an epoch or a step: a function of (seed, number) only."""
    # Jumped only so that runs keep their noise: the order of rows has a generator of its own.
    return np.random.Generator(np.random.Philox(key=np.array([seed, number], np.uint64)).jumped())


# --- steps -----------------------------------------------------------------------------------------------------------


def train(
    runner: Runner,
    optimizer: Optimizer,
    memory: Memory,
    bounds: NDArray[np.int64],
    progress: Callable[[int], None] | None = None,
    *counted: tuple[object, str],
) -> None:
    """Run training steps over the rows between ``bounds``.

    However it ends, the optimizer has counted the steps that are done, and so have the attributes ``counted`` by name.
    """

    def run(
        part: NDArray[np.int64],
        report: Callable[[int], None] | None = None,
        between: Callable[[], None] | None = None,
    ) -> None:
        counters = tuple((owner, name, getattr(owner, name)) for owner, name in ((optimizer, "steps"), *counted))
        steps = Steps(part, optimizer.learning_rates(len(part) - 1), optimizer.steps, counters=counters)
        runner.run(steps, report, INTERVAL, between)

    if isinstance(optimizer, Lookahead):
        with HeldInterrupts() as interrupts:
            _look_ahead(partial(run, between=interrupts.deliver), optimizer, memory, bounds, progress)
    else:
        run(bounds, progress)


def _look_ahead(
    run: Callable[[NDArray[np.int64]], None],
    optimizer: Lookahead,
    memory: Memory,
    bounds: NDArray[np.int64],
    progress: Callable[[int], None] | None,
) -> None:
    """Run steps with the slow weights' between them, of which no interrupt may come between two."""
    done, steps, reported = 0, len(bounds) - 1, time.perf_counter()
    while done < steps:
        ahead = optimizer.steps_to_sync()
        end, due = min(steps, done + ahead), optimizer.steps + ahead
        try:
            run(bounds[done : end + 1])
        finally:
            if optimizer.steps == due:
                optimizer.synchronise(memory)
        done = end
        if progress is not None and time.perf_counter() - reported >= INTERVAL:
            progress(done)
            reported = time.perf_counter()


def no_learning(bounds: NDArray[np.int64], first: int = 0) -> Steps:
    """Return steps over the rows between ``bounds`` for a Program that updates nothing."""
    return Steps(bounds, np.zeros(len(bounds) - 1), first)


def start(memory: Memory, optimizer: Optimizer) -> None:
    """Begin or go on: where :func:`finish` averaged the parameters, they are again what they were before."""
    before = memory.slots.pop(UNAVERAGED, None)
    if before is not None and np.array_equal(memory.parameters, memory.slot("average")):
        memory.parameters[...] = before
    if isinstance(optimizer, Lookahead):
        optimizer.begin(memory)


def finish(memory: Memory, optimizer: Optimizer) -> None:
    """End the training: where the optimizer averages the parameters, they become their average."""
    if memory.averaged:
        memory.swap_average()
    if optimizer.use_ema and optimizer.steps:
        memory.slot(UNAVERAGED)[...] = memory.parameters
        memory.parameters[...] = memory.slot("average")


# --- sums over steps -------------------------------------------------------------------------------------------------


class Totals:
    """The sums over steps that a Program adds up, by name."""

    def __init__(self, program: Program) -> None:
        names = [name for name in program.buffers if name.startswith(("total_", "penalty["))]
        self._arrays = {name: program.buffers[name].array for name in names}

    def values(self) -> dict[str, float]:
        """Return the sums so far."""
        return {name: array.item(0) for name, array in self._arrays.items()}

    def begin(self, values: Mapping[str, float] | None = None) -> None:
        """Begin at ``values``, or at zero.

        Raises
        ------
        ValueError
            If ``values`` are not those of such a Program.
        """
        if values is not None and set(values) != set(self._arrays):
            names = ", ".join(self._arrays)
            msg = f"totals must be {names}, got {dict(values)}: the data or the model have changed"
            raise ValueError(msg)
        for name, array in self._arrays.items():
            array[0] = 0.0 if values is None else values[name]


def training_means(sums: Mapping[str, float], rows: int, steps: int) -> dict[str, float]:
    """Return the means over ``rows`` samples of ``steps`` training steps, with the mean penalty of a step."""
    penalties = sum(value for name, value in sums.items() if name.startswith("penalty["))
    return means(sums, rows, penalties / steps)


def means(sums: Mapping[str, float], rows: int, penalty: float) -> dict[str, float]:
    """Return the means over ``rows`` samples: ``data_loss``, ``hits``, and ``objective``, the loss with penalties."""
    loss = sums["total_loss"] / rows
    of_activities = sum(value for name, value in sums.items() if name.startswith("total_activity.")) / rows
    found = {"data_loss": loss, "objective": loss + of_activities + penalty}
    if "total_hits" in sums:
        found["hits"] = sums["total_hits"] / rows
    return found
