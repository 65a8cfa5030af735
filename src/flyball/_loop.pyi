from collections.abc import Callable

from flyball._core import Program
from flyball.program.runners import Steps

class Loop:
    def __init__(self, program: Program, steps: Steps) -> None: ...
    def __call__(
        self,
        progress: Callable[[int], None] | None = None,
        interval: float = 0.1,
        between: Callable[[], None] | None = None,
    ) -> None: ...
