"""Arguments of every operation of the Backend, at sizes that training meets.

A case names its arguments as the Protocol does; arrays of the argument list that the operation writes are compared
between the backends before anything is timed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.backend import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Maker = Callable[[np.random.Generator, np.dtype[Any], tuple[int, ...]], dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """One operation at one size."""

    operation: str
    sizes: tuple[int, ...]
    make: Maker
    writes: tuple[str, ...]
    label: str = ""

    @property
    def id(self) -> str:
        """Name of the case in reports."""
        return f"{self.operation}{'-' + self.label if self.label else ''}-{'x'.join(map(str, self.sizes))}"

    def arguments(self, dtype: np.dtype[Any]) -> dict[str, Any]:
        """Fresh arguments, the same each time, in the order of the Protocol's parameters."""
        made = self.make(np.random.default_rng(0), dtype, self.sizes)
        return {name: made[name] for name in OPERATIONS[self.operation]}


def normal(rng: np.random.Generator, dtype: np.dtype[Any], *shape: int) -> NDArray[Any]:
    return rng.standard_normal(shape).astype(dtype)


def cases(
    operation: str, sizes: tuple[tuple[int, ...], ...], make: Maker, writes: tuple[str, ...], label: str = ""
) -> list[Case]:
    """Return one operation at several sizes."""
    return [Case(operation, size, make, writes, label) for size in sizes]


ROWS = ((128, 256), (1024, 512))
LARGE = (*ROWS, (8192, 1024))
CLASSES = ((128, 10), (1024, 1000))
