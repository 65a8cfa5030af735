"""The epoch loop; see :meth:`flyball.program.runners.Runner.run`."""

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from flyball._core import Program

def run(
    program: Program,
    bounds: NDArray[Any],
    learning_rates: NDArray[Any],
    first: int,
    progress: Callable[[int], None] | None,
    interval: float,
) -> None: ...
