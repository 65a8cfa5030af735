from collections.abc import Callable

from flyball._core import Program
from flyball.program.runners import Steps

def run(
    program: Program,
    steps: Steps,
    progress: Callable[[int], None] | None,
    interval: float,
    between: Callable[[], None] | None,
) -> None: ...
