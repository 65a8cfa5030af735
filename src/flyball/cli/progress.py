"""One line on a terminal that says how far a training is."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

from flyball.callbacks import Callback

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

INTERVAL = 0.1
"""Seconds between two writes."""


class EpochLine(Callback):
    """Rewrites one line of stderr as epochs go by, and wipes it at the end; silent unless stderr is a terminal."""

    def __init__(self, label: str, quiet: bool) -> None:
        super().__init__()
        self._label = label
        self._shown = not quiet and sys.stderr.isatty()
        self._width = 0
        self._last = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write, unless the last time was a moment ago."""
        now = time.monotonic()
        if now - self._last < INTERVAL:
            return
        self._last = now
        figures = ", ".join(f"{name} {value:.4f}" for name, value in (logs or {}).items())
        self.write(f"epoch {epoch + 1}, {figures}")

    def write(self, text: str) -> None:
        """Write how far it is."""
        if not self._shown:
            return
        line = f"{self._label}: {text}"[:100]
        sys.stderr.write("\r" + line.ljust(self._width))
        sys.stderr.flush()
        self._width = len(line)
