"""Rows of data sets, their axes, and totals. The conventions are those of :mod:`flyball.backend`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.backend.types import Doubles, Floats, Integers


class Data(Protocol):
    """Rows of data sets, their axes, and totals."""

    def gather(self, out: Floats, x: NDArray[Any], rows: Integers) -> None:
        """``out[i] = x[rows[i]]`` with conversion; ``x`` (n, C) of any float or integer dtype, ``rows`` (N,) int64."""
        ...

    def gather_labels(self, out: Integers, labels: Integers, rows: Integers) -> None:
        """``out[i] = labels[rows[i]]``; ``labels`` (n,) or (n, C), ``out`` (N,) or (N, C), ``rows`` (N,), all int64."""
        ...

    def swap_axes(self, y: Floats, x: Floats, first: int, second: int) -> None:
        """``y[n, j, i] = x[n, i, j]``: of rows (first, second, rest) the first two axes change places.

        ``x`` and ``y`` (N, first * second * rest), the latter as rows (second, first, rest).
        """
        ...

    def find_not_finite(self, position: Integers, x: Floats) -> None:
        """``position[0] = min(i: x[i] has nan or inf)``, ``n`` if none has; ``position`` (1,) int64, ``x`` (n, C)."""
        ...

    def add_total(self, total: Doubles, values: Doubles, scale: float) -> None:
        """``total[0] += scale * sum(values)``, added in order; ``total`` (1,), ``values`` (N,)."""
        ...
