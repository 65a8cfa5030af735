"""Ctrl-C between steps, never inside one, nor between a step and its bookkeeping."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import FrameType


class HeldInterrupts:
    """Keeps Ctrl-C from breaking in: it is delivered when :meth:`deliver` is called, or at the end of the block."""

    def __init__(self) -> None:
        self._held: tuple[int, FrameType | None] | None = None
        self._handler: Any = None

    def __enter__(self) -> Self:
        """Take the place of the handler of SIGINT, where there is one and this is the thread that gets it."""
        if threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGINT)):
            self._handler = signal.signal(signal.SIGINT, self._hold)
        return self

    def __exit__(self, *_: object) -> None:
        """Put the handler back."""
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
            self.deliver()

    def deliver(self) -> None:
        """Call the handler if there was a Ctrl-C."""
        if self._held is not None:
            held, self._held = self._held, None
            self._handler(*held)

    def _hold(self, number: int, frame: FrameType | None) -> None:
        self._held = (number, frame)
