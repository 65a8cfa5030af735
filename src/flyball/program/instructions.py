"""Instructions and the table of buffers they work on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Kind(IntEnum):
    """Which part of a buffer an instruction sees in a step that covers rows [start, start + rows) of the data."""

    WHOLE = 0
    """All of it: parameters, statistics, the data set."""
    BATCH = 1
    """Its first ``rows`` rows: activations and their gradients."""
    WINDOW = 2
    """Its rows [start, start + rows): the order of samples, predictions."""


class Dynamic(Enum):
    """Scalars whose value the step decides. The names are those the native side knows."""

    LEARNING_RATE = "learning_rate"
    STEP = "step"
    """Steps done before this one: the address of its random numbers."""
    COUNT = "count"
    """Updates done, this step's included: what bias corrections count; ``STEP + 1`` where each step has its update."""
    INVERSE_ROWS = "inverse_rows"
    """``1 / rows``: a mean over the batch."""
    INVERSE_POSITIONS = "inverse_positions"
    """1 over the rows of the instruction's first array: a mean over all parts of the batch's samples."""


@dataclass(eq=False)
class Buffer:
    """A named array, which a :class:`flyball.program.runners.Runner` may put another in the place of between runs.

    ``rows_per_sample`` is more than 1 where the rows are parts of samples, as the positions of images are: a step of
    ``rows`` samples then sees ``rows * rows_per_sample`` of them. ``views`` are other shapes of the same memory, and
    columns of it.
    """

    name: str
    array: NDArray[Any]
    kind: Kind
    rows_per_sample: int = 1
    base: Buffer | None = None
    views: list[Buffer] = field(default_factory=list, repr=False)
    columns: tuple[int, slice] | None = None
    """Of a matrix of how many columns it is which, if not all."""

    @property
    def root(self) -> Buffer:
        """The buffer that owns the memory."""
        return self if self.base is None else self.base

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of a row."""
        return self.array.shape[1:]

    @property
    def nbytes(self) -> int:
        """Size of the array in bytes."""
        return int(self.array.nbytes)

    def rows(self, start: int, end: int) -> NDArray[Any]:
        """Return what an instruction sees in a step that covers the samples [start, end)."""
        each = self.rows_per_sample
        match self.kind:
            case Kind.BATCH:
                return self.array[: (end - start) * each]
            case Kind.WINDOW:
                return self.array[start * each : end * each]
        return self.array

    def replace(self, array: NDArray[Any]) -> None:
        """Put ``array`` in the place of this one's, and of its views'."""
        self.array = array
        for view in self.views:
            if view.columns is None:
                view.array = array.reshape(-1, *view.sample_shape)
            else:
                width, part = view.columns
                view.array = array.reshape(-1, width)[:, part]


Scalar = bool | int | float | str | Dynamic


class Turn(NamedTuple):
    """Steps in which an instruction runs: those whose ``STEP`` modulo ``period`` is in [begin, end)."""

    period: int
    begin: int
    end: int

    def includes(self, step: int) -> bool:
        """Whether it is the turn of an instruction in the step after ``step`` steps."""
        return self.begin <= step % self.period < self.end

    @property
    def share(self) -> float:
        """Of all steps."""
        return (self.end - self.begin) / self.period

    def __str__(self) -> str:
        return f"if step % {self.period} in range({self.begin}, {self.end})"


ALWAYS = Turn(1, 0, 1)


@dataclass(eq=False)
class Instruction:
    """One operation of :class:`flyball.backend.Backend` with its arguments, by the operation's parameter names.

    Arrays (and absent ones, None) stand before scalars, both in the operation's order. Instructions of ``lane`` 0 and 1
    are for one half of the threads each, and may run at the same time; those of lane None are for all threads.
    """

    op: str
    arrays: dict[str, Buffer | None]
    scalars: dict[str, Scalar] = field(default_factory=dict)
    layer: str = ""
    turn: Turn = ALWAYS
    lane: int | None = None

    def __str__(self) -> str:
        arrays = ", ".join(f"{k}={'None' if b is None else b.name}" for k, b in self.arrays.items())
        scalars = "".join(
            f", {k}={s.value if isinstance(s, Dynamic) else format(s, 'g') if isinstance(s, float) else repr(s)}"
            for k, s in self.scalars.items()
        )
        turn = "" if self.turn == ALWAYS else f" {self.turn}"
        lane = "" if self.lane is None else f" in lane {self.lane}"
        return f"{self.op}({arrays}{scalars}){turn}{lane}"


@dataclass(eq=False)
class Program:
    """A flat list of instructions: one step of training, evaluation or prediction.

    ``steps_per_update`` is how many steps there are for each of ``Dynamic.COUNT``, ``batch_rows`` how many rows the
    largest step has.
    """

    buffers: dict[str, Buffer] = field(default_factory=dict)
    instructions: list[Instruction] = field(default_factory=list)
    steps_per_update: int = 1
    batch_rows: int = 1

    def buffer(self, name: str, array: NDArray[Any], kind: Kind) -> Buffer:
        """Add a buffer; names are unique."""
        if name in self.buffers:
            msg = f"buffer names must be unique, got {name!r} twice"
            raise ValueError(msg)
        self.buffers[name] = Buffer(name, array, kind)
        return self.buffers[name]

    def batch(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any] | type, rows_per_sample: int = 1) -> Buffer:
        """Add a buffer of activations or gradients; ``shape`` starts with the rows of the largest batch."""
        buffer = self.buffer(name, aligned_empty(shape, dtype), Kind.BATCH)
        buffer.rows_per_sample = rows_per_sample
        return buffer

    def view(self, buffer: Buffer, sample_shape: tuple[int, ...], rows_per_sample: int | None = None) -> Buffer:
        """Return the memory of ``buffer`` with rows of another shape, ``rows_per_sample`` of them a sample."""
        base = buffer.root
        count = buffer.rows_per_sample if rows_per_sample is None else rows_per_sample
        for known in (base, *base.views):
            if known.columns is None and known.sample_shape == sample_shape and known.rows_per_sample == count:
                return known
        array = base.array.reshape(-1, *sample_shape)
        view = Buffer(self.unused(base.name), array, base.kind, count, base)
        base.views.append(view)
        self.buffers[view.name] = view
        return view

    def columns(self, buffer: Buffer, part: slice) -> Buffer:
        """Return the memory of some columns of a matrix, ``buffer`` itself where it has no others."""
        if part == slice(0, buffer.array.shape[1]):
            return buffer
        name = self.unused(f"{buffer.name}[:, {part.start}:{part.stop}]")
        columns = Buffer(name, buffer.array[:, part], buffer.kind, buffer.rows_per_sample, buffer.root)
        columns.columns = buffer.array.shape[1], part
        buffer.root.views.append(columns)
        self.buffers[name] = columns
        return columns

    def unused(self, name: str) -> str:
        """Return ``name``, or ``name.1``, ``name.2``, ... where a buffer has it."""
        unique, i = name, 1
        while unique in self.buffers:
            unique, i = f"{name}.{i}", i + 1
        return unique

    @property
    def nbytes(self) -> int:
        """Size of all arrays in bytes."""
        return sum(buffer.nbytes for buffer in self.buffers.values() if buffer.base is None)

    def add(
        self,
        op: str,
        layer: str,
        arrays: dict[str, Buffer | None],
        turn: Turn = ALWAYS,
        lane: int | None = None,
        /,
        **scalars: Scalar,
    ) -> None:
        """Append an instruction."""
        self.instructions.append(Instruction(op, arrays, scalars, layer, turn, lane))

    def __str__(self) -> str:
        lines = [f"{len(self.instructions)} instructions, {self.nbytes:,} bytes"]
        lines += [f"{i:3d}  {instruction}" for i, instruction in enumerate(self.instructions)]
        return "\n".join(lines)


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype[Any] | type) -> NDArray[Any]:
    """Return an uninitialised array whose data starts on a 64-byte boundary (a cache line, a vector)."""
    dtype = np.dtype(dtype)
    nbytes = math.prod(shape) * dtype.itemsize
    raw = np.empty(nbytes + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + nbytes].view(dtype).reshape(shape)
