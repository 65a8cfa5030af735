"""Every operation's cases, written once: arguments, and what they should become by a formula in float64.

An operation's entry makes arguments in the names of ``flyball.backend.Backend``, with outputs full of NaN, and has an
oracle that is given float64 copies of them (as they were before the call) and returns the expected outputs by name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.tolerances import Tolerance

Arguments = dict[str, Any]

# (rows, columns): one element; a lane less, a lane, and one more at each vector width (2 to 16); primes; row counts
# about the micro-kernels' heights; and some that are worth several blocks and threads.
SHAPES = [
    (1, 1), (2, 1), (1, 3), (3, 2), (2, 4), (3, 5), (5, 7), (7, 8), (4, 9), (6, 15), (12, 16), (13, 17),
    (11, 31), (24, 32), (25, 33), (10, 64), (97, 101), (130, 10), (300, 67), (1031, 129),
]  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """A row of the table.

    ``variants`` are options of ``arguments``; ``tolerance`` is for all outputs. ``in_place`` names an output and the
    input whose memory it may be, by the Protocol. ``empty`` lists shapes without rows, columns or anything to add up,
    which are no error below the faces. ``least_rows`` is what the formula needs.
    """

    name: str
    arguments: Callable[..., Arguments]
    oracle: Callable[..., dict[str, np.ndarray]]
    variants: tuple[Arguments, ...]
    tolerance: dict[str, Tolerance]
    in_place: tuple[str, str] | None
    empty: tuple[tuple[int, int], ...]
    least_rows: int


OPERATIONS: dict[str, Operation] = {}


def operation(arguments, variants=({},), *, tolerance, in_place=None, empty=(), least_rows=1):
    """Register an oracle under its name; see :class:`Operation`."""

    def register(oracle):
        name = oracle.__name__
        OPERATIONS[name] = Operation(
            name, arguments, oracle, tuple(variants), tolerance, in_place, tuple(empty), least_rows
        )
        return oracle

    return register


class Make:
    """Random arrays of one dtype."""

    def __init__(self, dtype, seed):
        self.dtype = np.dtype(dtype)
        self.rng = np.random.default_rng(seed)

    def normal(self, *shape, scale=1.0, offset=0.0):
        return (offset + scale * self.rng.standard_normal(shape)).astype(self.dtype)

    def positive(self, *shape):
        return (0.5 + self.rng.random(shape)).astype(self.dtype)

    def mask(self, *shape, rate=0.5):
        return self.rng.random(shape) >= rate

    def empty(self, *shape, dtype=None):
        return np.full(shape, np.nan, self.dtype if dtype is None else dtype)

    def doubles(self, *shape):
        return np.full(shape, np.nan)


def activated(z, activation):
    return np.where(z > 0, z, 0.0) if activation == "relu" else z


def to_double(value):
    """Copy an array of floats to float64, other arrays as they are."""
    if isinstance(value, np.ndarray):
        return value.astype(np.float64) if value.dtype.kind == "f" else value.copy()
    return value
