"""Executing a Program: natively, or instruction by instruction on any backend."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from flyball.backend import get_backend
from flyball.program.instructions import Buffer, Dynamic
from flyball.program.interrupts import HeldInterrupts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from flyball.backend import Backend
    from flyball.program.instructions import Instruction, Program, Scalar


Counter = tuple[object, str, int]
"""An attribute that counts steps: whose it is, its name, and what it was before the first."""

Exchange = Callable[[object], "NDArray[Any] | None"]
"""Puts an array in the place of a Program's samples, and new memory, which it returns, in that of the results.

It returns None, and changes nothing, where it is not called with an array whose rows can be read where they are.
"""


@dataclass(eq=False)
class Steps:
    """The steps of an epoch: step ``s`` covers rows ``[bounds[s], bounds[s + 1])`` of the order."""

    bounds: NDArray[np.int64]
    learning_rates: NDArray[np.float64]
    first: int
    """Steps done before this epoch: what random numbers and bias corrections are counted from."""
    done: int = 0
    """Steps of this epoch that have finished, whatever ended the run."""
    counters: tuple[Counter, ...] = ()
    """Who counts these steps too."""

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def count(self, done: int) -> None:
        """Tell all counters how many steps have finished; what calls it lets no Ctrl-C come between."""
        self.done = done
        for owner, name, before in self.counters:
            setattr(owner, name, before + done)


class Runner(Protocol):
    """Runs a Program; made by :func:`runner`."""

    def bind(self, buffer: Buffer, array: NDArray[Any]) -> None:
        """Put another array in the place of a buffer's."""
        ...

    def exchange(
        self, x: Buffer, out: Buffer, sample_shape: tuple[int, ...], result_shape: tuple[int, ...]
    ) -> Exchange:
        """Return what exchanges the rows of ``x``, of ``sample_shape``, and of ``out``, of ``result_shape``."""
        ...

    def run(
        self,
        steps: Steps,
        progress: Callable[[int], None] | None = None,
        interval: float = 0.1,
        between: Callable[[], None] | None = None,
    ) -> None:
        """Run all steps; ``progress(done)`` is called about every ``interval`` seconds.

        ``between`` is called between steps, ten times a second at least. Both may raise to stop, and so may Ctrl-C:
        everything is then as the last finished step left it, and the counters of ``steps`` have counted it.
        """
        ...

    def prepared(self, steps: Steps) -> Callable[[], None]:
        """Return what runs all steps each time it is called, on the arrays that are bound by then."""
        ...

    def profile(self, steps: Steps) -> NDArray[np.float64]:
        """Run all steps, each instruction by itself; return the seconds of each, (steps, instructions)."""
        ...

    def threads(self, rows: int) -> int:
        """Return the threads that run steps of ``rows`` rows."""
        ...


def runner(program: Program) -> Runner:
    """Return what runs ``program`` on the backend in use."""
    backend = get_backend()
    return NativeRunner(program) if backend.name == "native" else BackendRunner(program, backend)


class BackendRunner:
    """Calls one operation of a backend after the other: the Program's meaning, in plain Python."""

    def __init__(self, program: Program, backend: Backend) -> None:
        self.calls = [(getattr(backend, i.op), {**i.arrays, **i.scalars}, i.turn) for i in program.instructions]
        self.steps_per_update = program.steps_per_update

    def bind(self, buffer: Buffer, array: NDArray[Any]) -> None:
        """See :class:`Runner`."""
        buffer.replace(array)

    def exchange(
        self, x: Buffer, out: Buffer, sample_shape: tuple[int, ...], result_shape: tuple[int, ...]
    ) -> Exchange:
        """See :class:`Runner`."""
        dtype, out_dtype = x.array.dtype, out.array.dtype

        def exchange(array: object) -> NDArray[Any] | None:
            if type(array) is not np.ndarray or array.dtype != dtype or array.shape[1:] != sample_shape:
                return None
            if len(array) == 0 or not (array.flags.c_contiguous and array.flags.aligned):
                return None
            results = np.empty((len(array), *result_shape), out_dtype)
            self.bind(x, array.reshape(len(array), *x.sample_shape))
            self.bind(out, results.reshape(len(array), *out.sample_shape))
            return results

        return exchange

    def run(
        self,
        steps: Steps,
        progress: Callable[[int], None] | None = None,
        interval: float = 0.1,
        between: Callable[[], None] | None = None,
    ) -> None:
        """See :class:`Runner`."""
        reported = time.perf_counter()
        with HeldInterrupts() as interrupts:
            for s in range(len(steps)):
                for _, call in self._resolved(steps, s):
                    call()
                steps.count(s + 1)
                interrupts.deliver()
                if between is not None:
                    between()
                if progress is not None and time.perf_counter() - reported >= interval:
                    progress(s + 1)
                    reported = time.perf_counter()

    def prepared(self, steps: Steps) -> Callable[[], None]:
        """See :class:`Runner`."""
        return partial(self.run, steps)

    def profile(self, steps: Steps) -> NDArray[np.float64]:
        """See :class:`Runner`."""
        seconds = np.zeros((len(steps), len(self.calls)))
        for s in range(len(steps)):
            for i, call in self._resolved(steps, s):
                began = time.perf_counter()
                call()
                seconds[s, i] = time.perf_counter() - began
            steps.done = s + 1
        return seconds

    def _resolved(self, steps: Steps, s: int) -> Iterator[tuple[int, Callable[[], None]]]:
        start, end = int(steps.bounds[s]), int(steps.bounds[s + 1])
        count = steps.first + s
        values = {
            Dynamic.LEARNING_RATE: float(steps.learning_rates[s]),
            Dynamic.STEP: count,
            Dynamic.COUNT: count // self.steps_per_update + 1,
            Dynamic.INVERSE_ROWS: 1.0 / (end - start),
        }
        for i, (operation, arguments, turn) in enumerate(self.calls):
            if not turn.includes(count):
                continue
            first = next(iter(arguments.values()))
            if isinstance(first, Buffer):
                values[Dynamic.INVERSE_POSITIONS] = 1.0 / max(1, len(first.rows(start, end)))
            resolved = {name: _resolve(value, start, end, values) for name, value in arguments.items()}
            yield i, partial(operation, **resolved)

    def threads(self, rows: int) -> int:
        """Return 1: the loop over instructions is Python's; an operation may use more."""
        del rows
        return 1


def _resolve(value: Buffer | Scalar | None, start: int, end: int, dynamic: dict[Dynamic, float]) -> Any:
    if isinstance(value, Buffer):
        return value.rows(start, end)
    return dynamic[value] if isinstance(value, Dynamic) else value


class NativeRunner:
    """Runs whole epochs in native code: one team, no Python between steps."""

    def __init__(self, program: Program) -> None:
        from flyball import _core, _loop

        self._loop = _loop.Loop
        buffers = list(program.buffers.values())
        self._index = {id(buffer): i for i, buffer in enumerate(buffers)}
        self._program = _core.Program(
            [(buffer.array, int(buffer.kind), buffer.rows_per_sample) for buffer in buffers],
            [self._encode(instruction) for instruction in program.instructions],
            program.steps_per_update,
            program.batch_rows,
        )

    def _encode(self, instruction: Instruction) -> tuple[str, list[int], list[Any], tuple[int, int, int], int]:
        arrays = [-1 if b is None else self._index[id(b)] for b in instruction.arrays.values()]
        scalars = [("dynamic", s.value) if isinstance(s, Dynamic) else s for s in instruction.scalars.values()]
        turn = instruction.turn
        lane = -1 if instruction.lane is None else instruction.lane
        return instruction.op, arrays, scalars, (turn.period, turn.begin, turn.end), lane

    def bind(self, buffer: Buffer, array: NDArray[Any]) -> None:
        """See :class:`Runner`."""
        buffer.replace(array)
        self._program.bind(self._index[id(buffer)], array)
        for view in buffer.views:
            self._program.bind(self._index[id(view)], view.array)

    def exchange(
        self, x: Buffer, out: Buffer, sample_shape: tuple[int, ...], result_shape: tuple[int, ...]
    ) -> Exchange:
        """See :class:`Runner`."""
        from flyball import _core

        x_places, out_places = ([self._index[id(part)] for part in (buffer, *buffer.views)] for buffer in (x, out))
        dtype, out_dtype = x.array.dtype, out.array.dtype
        return _core.Exchange(self._program, x_places, out_places, dtype, out_dtype, sample_shape, result_shape)

    def run(
        self,
        steps: Steps,
        progress: Callable[[int], None] | None = None,
        interval: float = 0.1,
        between: Callable[[], None] | None = None,
    ) -> None:
        """See :class:`Runner`."""
        self._loop(self._program, steps)(progress, interval, between)

    def prepared(self, steps: Steps) -> Callable[[], None]:
        """See :class:`Runner`."""
        return self._loop(self._program, steps)

    def profile(self, steps: Steps) -> NDArray[np.float64]:
        """Run all steps, each instruction by itself; return the seconds of each, (steps, instructions)."""
        seconds: NDArray[np.float64] = self._program.profile(steps.bounds, steps.learning_rates, steps.first)
        steps.done = len(steps)
        return seconds

    def threads(self, rows: int) -> int:
        """Return the threads that steps of ``rows`` rows are worth, of those allowed."""
        return int(self._program.threads(rows))
