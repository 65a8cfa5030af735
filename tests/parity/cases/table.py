"""Every operation's cases, written once: arguments, and what they should become by a formula in float64.

An operation's entry makes arguments in the names of ``flyball.backend.Backend``, with outputs full of NaN, and has an
oracle that is given float64 copies of them (as they were before the call) and returns the expected outputs by name.
"""

import math
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


SELU = (1.0507009873554805, 1.6732632423543773)
ERF = np.vectorize(math.erf, otypes=[float])


def activated(z, activation, alpha=0.0):
    """Return an activation in float64, by its formula."""
    match activation:
        case "relu":
            return np.where(z > 0, z, 0.0)
        case "leaky_relu":
            return np.where(z > 0, z, alpha * z)
        case "relu6":
            return np.minimum(np.maximum(z, 0.0), 6.0)
        case "elu":
            return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0.0)))
        case "selu":
            return SELU[0] * activated(z, "elu", SELU[1])
        case "gelu":
            return z * 0.5 * (1.0 + ERF(z / np.sqrt(2.0)))
        case "gelu_tanh":
            return z * 0.5 * (1.0 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))
        case "sigmoid":
            return 0.5 * (1.0 + np.tanh(0.5 * z))
        case "hard_sigmoid":
            return np.minimum(np.maximum(z / 6.0 + 0.5, 0.0), 1.0)
        case "tanh":
            return np.tanh(z)
        case "silu":
            return z * 0.5 * (1.0 + np.tanh(0.5 * z))
        case "softplus":
            return np.logaddexp(0.0, z)
        case "softsign":
            return z / (1.0 + np.abs(z))
        case "exponential":
            return np.exp(z)
        case "mish":
            return z * np.tanh(np.logaddexp(0.0, z))
    return z


def derivative(x, y, activation, alpha=0.0):
    """Return an activation's derivative in float64, from the output unless only the input determines it."""
    match activation:
        case "linear":
            return 1.0
        case "relu":
            return y > 0
        case "leaky_relu":
            return np.where(y > 0, 1.0, alpha)
        case "relu6":
            return (y > 0) & (y < 6)
        case "elu":
            return np.where(y > 0, 1.0, y + alpha)
        case "selu":
            return np.where(y > 0, SELU[0], y + SELU[0] * SELU[1])
        case "gelu":
            return 0.5 * (1.0 + ERF(x / np.sqrt(2.0))) + x * np.exp(-0.5 * x**2) / np.sqrt(2.0 * np.pi)
        case "gelu_tanh":
            u = np.clip(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3), -300.0, 300.0)
            inner = np.sqrt(2 / np.pi) * (1.0 + 3 * 0.044715 * x**2)
            return 0.5 * (1.0 + np.tanh(u)) + 0.5 * x * np.cosh(u) ** -2.0 * inner
        case "sigmoid":
            return y - y**2
        case "hard_sigmoid":
            return ((y > 0) & (y < 1)) / 6.0
        case "tanh":
            return 1.0 - y**2
        case "silu":
            return 0.5 * (1.0 + np.tanh(0.5 * x)) + x * (2.0 * np.cosh(0.5 * x)) ** -2.0
        case "softplus":
            return 1.0 - np.exp(-y)
        case "softsign":
            return (1.0 - np.abs(y)) ** 2
        case "exponential":
            return y
        case "mish":
            z = np.logaddexp(0.0, x)
            return np.tanh(z) + x * np.cosh(z) ** -2.0 * np.exp(-np.logaddexp(0.0, -x))
    raise ValueError(activation)


def to_double(value):
    """Copy an array of floats to float64, other arrays as they are."""
    if isinstance(value, np.ndarray):
        return value.astype(np.float64) if value.dtype.kind == "f" else value.copy()
    return value
