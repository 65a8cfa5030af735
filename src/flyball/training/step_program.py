"""The Programs of whole data sets, which a model keeps from one run to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from flyball.backend import get_backend
from flyball.program.instructions import Kind
from flyball.program.lowering import Lowering
from flyball.program.memory import UNAVERAGED
from flyball.program.runners import runner
from flyball.training.steps import Totals, settings_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.optimizers import Optimizer
    from flyball.program.memory import Memory
    from flyball.program.nodes import Node
    from flyball.program.requests import Data, Objective

KEPT_BYTES = 1 << 24
"""Activations of a batch up to which a Program is kept: where they are more, lowering is not what takes time."""


class Recipe(NamedTuple):
    """What a Program of steps of up to ``rows`` rows is made from; with an ``optimizer`` they are steps of training.

    With ``recorded`` it keeps the outputs of so many rows.
    """

    nodes: list[Node]
    memory: Memory
    objective: Objective
    data: Data
    rows: int
    recorded: int | None
    optimizer: Optimizer | None = None
    seed: int = 0

    def key(self) -> tuple[object, ...]:
        """Return what is written into the Program: of arrays, which are they, or of what kind those of the data."""
        data = self.data
        slots = tuple((name, id(array)) for name, array in self.memory.slots.items() if name != UNAVERAGED)
        kinds = tuple(map(_kind, (data.x, data.y, data.weights))), data.order is None, self.rows, self.recorded
        return get_backend().name, self.memory, slots, kinds, self.objective

    def settings(self) -> object:
        """Return the rest of it, which is the same as long as the list of nodes is."""
        return settings_of(self.nodes, self.optimizer, self.seed), tuple(self.memory.groups)


def _kind(array: NDArray[Any] | None) -> object:
    return None if array is None else (array.dtype, array.shape, array.flags.c_contiguous)


class StepProgram:
    """A Program of the steps over a data set, with its totals and what runs it.

    Attributes
    ----------
    nodes : list of Node
        What it was made from, or a later list that says the same.
    kept : bool
        Whether it is worth keeping.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.nodes = recipe.nodes  # as long as they live, their arrays' identities are theirs
        training = recipe.optimizer is not None
        lowering = Lowering(recipe.nodes, recipe.memory, recipe.data, recipe.rows, training=training, seed=recipe.seed)
        lowering.objective(recipe.objective, recorded=recipe.recorded)
        if recipe.optimizer is not None:
            lowering.update(recipe.optimizer.update())
        self._key, self._settings = recipe.key(), recipe.settings()
        self.program = lowering.program
        self.totals = Totals(self.program)
        self.runner = runner(self.program)
        self._sources = lowering.sources
        batches = (buffer for buffer in self.program.buffers.values() if buffer.kind is Kind.BATCH)
        activations = sum(buffer.nbytes for buffer in batches if buffer.base is None)
        self.kept = recipe.recorded is None and activations <= KEPT_BYTES

    def follows(self, recipe: Recipe) -> bool:
        """Whether it is what ``recipe`` makes, but for the arrays of the data."""
        if self._key != recipe.key():
            return False
        if self.nodes is not recipe.nodes:
            if self._settings != recipe.settings():
                return False
            self.nodes = recipe.nodes
        return True

    def bind(self, data: Data) -> None:
        """Read ``data`` from now on."""
        order = np.arange(len(data.x)) if data.order is None else data.order
        given = {"x": data.x, "y": data.y, "weights": data.weights, "order": order}
        for name, buffer in self._sources.items():
            array = given[name]
            if array is not None:
                self.runner.bind(buffer, array.reshape(len(array), *buffer.sample_shape))

    def release(self) -> None:
        """Hold no array of the data."""
        for buffer in self._sources.values():
            self.runner.bind(buffer, np.zeros((1, *buffer.sample_shape), buffer.array.dtype))


class Shelf:
    """The last Program of training and the last of evaluation, while nobody runs them, and memory for copies of arrays.

    Lowering takes as long as some dozens of steps of a small network.
    """

    def __init__(self) -> None:
        self._programs: dict[bool, StepProgram] = {}
        self._copies: list[NDArray[Any]] = []

    def take(self, recipe: Recipe, current: StepProgram | None = None) -> StepProgram:
        """Return the Program of ``recipe``: the ``current`` one, else the one that is kept, else a new one."""
        if current is None:
            kept = self._programs.pop(recipe.optimizer is not None, None)
            if kept is not None and kept.follows(recipe):
                kept.bind(recipe.data)
                return kept
        elif current.follows(recipe):
            return current
        return StepProgram(recipe)

    def copies(self, arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
        """Return copies of ``arrays``, in memory that is kept if it fits: new memory takes several times as long."""
        copies, self._copies = self._copies, []
        if [(copy.dtype, copy.shape) for copy in copies] != [(array.dtype, array.shape) for array in arrays]:
            copies = [np.empty_like(array) for array in arrays]
        for copy, array in zip(copies, arrays, strict=True):
            copy[...] = array
        return copies

    def keep(self, copies: list[NDArray[Any]]) -> None:
        """Take the memory of copies that nobody needs any more."""
        if sum(copy.nbytes for copy in copies) <= KEPT_BYTES:
            self._copies = copies

    def put(self, program: StepProgram, *, training: bool) -> None:
        """Take back a Program that nobody runs any more."""
        if program.kept:
            program.release()
            self._programs[training] = program
