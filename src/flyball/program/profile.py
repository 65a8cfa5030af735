"""Where the time of a step goes, and what bounds each instruction."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flyball.program.instructions import Kind
from flyball.program.work import moved_bytes, operations

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.program.instructions import Program

LAST_LEVEL_CACHE = 32 * 1024 * 1024
"""Bytes, where the system does not say."""

OVERHEAD = 3.0
"""An instruction this many times slower than its limits is bound by neither: starting, waiting, odd sizes."""


@dataclass(frozen=True)
class Limits:
    """What the machine can do with the threads of a run: measured, not looked up."""

    threads: int
    multiply_adds: float
    """Floating-point operations a second."""
    bandwidth: float
    """Bytes a second read and written, walking over memory of the Program's size."""
    level: str
    """``"cache"`` or ``"memory"``: where memory of that size lies."""


@dataclass(frozen=True)
class Line:
    """One instruction of a profile; times in seconds a step."""

    instruction: str
    layer: str
    seconds: float
    operations: float
    bytes: int
    limit: float
    """The least time that the machine's multiply-adds and bandwidth allow."""
    bound: str
    """``"compute"``, ``"cache"``, ``"memory"``, or ``"overhead"`` where neither explains the time."""


@dataclass(frozen=True)
class Profile:
    """Median times of the instructions of one step, each run by itself with all threads waiting for its end.

    An instruction of a lane runs beside one of the other, and half of its time is its own, as half of the threads are.
    One that has its turn in a part of the steps has that part of the time.
    """

    lines: tuple[Line, ...]
    rows: int
    limits: Limits

    @property
    def seconds(self) -> float:
        """Sum over the instructions."""
        return sum(line.seconds for line in self.lines)

    def __str__(self) -> str:
        limits = self.limits
        title = (
            f"{self.seconds * 1e6:,.1f} us a step of {self.rows} rows, {limits.threads} "
            f"thread{'s' * (limits.threads > 1)}; limits: {limits.multiply_adds / 1e9:,.0f} GFLOP/s, "
            f"{limits.bandwidth / 1e9:,.0f} GB/s ({limits.level})"
        )
        text = [
            title,
            f"{'us':>9} {'share':>6} {'GFLOP/s':>8} {'GB/s':>6} {'of limit':>8}  {'bound':8}  instruction",
        ]
        for line in self.lines:
            seconds, share = max(line.seconds, 1e-9), line.seconds / self.seconds
            text.append(
                f"{line.seconds * 1e6:9.2f} {share:6.1%} {line.operations / seconds / 1e9:8.1f} "
                f"{line.bytes / seconds / 1e9:6.1f} {line.limit / seconds:8.0%}  {line.bound:8}  "
                f"{line.instruction}{' of ' + line.layer if line.layer else ''}"
            )
        return "\n".join(text)


def measure_limits(program: Program, dtype: np.dtype[np.generic], threads: int) -> Limits:
    """Measure what this machine can do for ``program``; takes some hundredths of a second."""
    from flyball import _core

    size = working_set(program)
    cache = _last_level_cache()
    return Limits(
        threads,
        _core.measure_multiply_adds(dtype.name, threads),
        _core.measure_bandwidth(threads, size),
        "cache" if size <= cache else "memory",
    )


def working_set(program: Program) -> int:
    """Return the bytes that every step walks over: all buffers, without the data set."""
    gathers = [i for i in program.instructions if i.op.startswith("gather")]
    data = {id(buffer) for i in gathers for name, buffer in i.arrays.items() if name != "out"}
    own = [b for b in program.buffers.values() if b.base is None and b.kind is not Kind.WINDOW]
    return sum(b.nbytes for b in own if id(b) not in data)


def summarise(program: Program, seconds: NDArray[np.float64], first: int, rows: int, limits: Limits) -> Profile:
    """Return the profile of ``program`` from a runner's times (steps, instructions) of the steps from ``first`` on."""
    lines = []
    for instruction, times in zip(program.instructions, seconds.T, strict=True):
        turn = instruction.turn
        ran = [turn.includes(first + s) for s in range(len(times))]
        time = turn.share * float(np.median(times[ran])) if any(ran) else 0.0
        work, moved = operations(instruction), moved_bytes(instruction, rows)
        if instruction.lane is not None and limits.threads > 1:
            time /= 2
        compute, memory = work / limits.multiply_adds, moved / limits.bandwidth
        limit = max(compute, memory)
        bound = "overhead" if time > OVERHEAD * limit else "compute" if compute >= memory else limits.level
        lines.append(Line(instruction.op, instruction.layer, time, work, moved, limit, bound))
    return Profile(tuple(lines), rows, limits)


def _last_level_cache() -> int:
    try:
        return os.sysconf("SC_LEVEL3_CACHE_SIZE") or LAST_LEVEL_CACHE
    except (AttributeError, ValueError, OSError):  # not a system that tells
        return LAST_LEVEL_CACHE
