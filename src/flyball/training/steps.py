"""What all runs share: the order of rows, steps that are counted whatever happens, and the means they add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from flyball.program.interrupts import HeldInterrupts
from flyball.program.runners import Steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from flyball.optimizers import Optimizer
    from flyball.program.instructions import Program
    from flyball.program.memory import Memory
    from flyball.program.nodes import Node
    from flyball.program.runners import Runner

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


def batch_statistics_layer(nodes: list[Node]) -> str | None:
    """Name the first layer that needs more than one row to train on, or return None."""
    return next((node.layer for node in nodes if node.needs_batch), None)


def shuffled(rows: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order of rows in an epoch: a function of (seed, epoch) only."""
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, epoch], np.uint64)))
    return generator.permutation(rows)


def train(
    runner: Runner,
    optimizer: Optimizer,
    bounds: NDArray[np.int64],
    progress: Callable[[int], None] | None = None,
) -> None:
    """Run training steps over the rows between ``bounds``; the optimiser has counted them, however this ends."""
    steps = Steps(bounds, optimizer.learning_rates(len(bounds) - 1), optimizer.iterations)
    # A Ctrl-C between the last step and its count would make the next run repeat random numbers.
    with HeldInterrupts() as interrupts:
        try:
            runner.run(steps, progress, INTERVAL, interrupts.deliver)
        finally:
            optimizer.iterations += steps.done


def finish(optimizer: Optimizer, memory: Memory) -> None:
    """End the training: where the optimiser averages the parameters, they become their average."""
    if optimizer.use_ema and optimizer.iterations:
        memory.parameters[...] = memory.slot("average")


def no_learning(bounds: NDArray[np.int64], first: int = 0) -> Steps:
    """Return steps over the rows between ``bounds`` for a Program that updates nothing."""
    return Steps(bounds, np.zeros(len(bounds) - 1), first)


def clear_totals(program: Program) -> None:
    """Let sums over steps begin at zero."""
    for name, buffer in program.buffers.items():
        if _is_total(name):
            buffer.array.fill(0.0)


def take_totals(program: Program, other: Program) -> None:
    """Let sums over steps go on in ``program`` from where they are in ``other``."""
    for name, buffer in other.buffers.items():
        if _is_total(name):
            program.buffers[name].array[...] = buffer.array


def training_means(program: Program, rows: int, steps: int) -> dict[str, float]:
    """Return the means over ``rows`` samples of ``steps`` training steps, with the mean penalty of a step."""
    penalties = sum(float(b.array[0]) for name, b in program.buffers.items() if name.startswith("penalty["))
    return means(program, rows, penalties / steps)


def means(program: Program, rows: int, penalty: float) -> dict[str, float]:
    """Return the means over ``rows`` samples: ``data_loss``, ``hits``, and ``objective``, the loss with ``penalty``."""
    loss = float(program.buffers["total_loss"].array[0]) / rows
    found = {"data_loss": loss, "objective": loss + penalty}
    if "total_hits" in program.buffers:
        found["hits"] = float(program.buffers["total_hits"].array[0]) / rows
    return found


def _is_total(name: str) -> bool:
    return name.startswith(("total_", "penalty["))
