"""What ``fit`` shows: a line for each epoch, which on a terminal rewrites itself while the epoch runs."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Protocol, TextIO

from flyball import _checks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Progress(Protocol):
    """What ``fit`` tells whoever shows its progress."""

    def begin_epoch(self, epoch: int) -> None:
        """Epoch ``epoch``, the first is 0, begins."""
        ...

    def update(self, done: int) -> None:
        """``done`` steps of the epoch are done; called at intervals of time, not for every step."""
        ...

    def end_epoch(self, logs: Mapping[str, float], seconds: float) -> None:
        """The epoch is over, its validation included."""
        ...

    def close(self) -> None:
        """Training is over, finished or not."""
        ...


class Silent:
    """Shows nothing."""

    def begin_epoch(self, epoch: int) -> None:
        """See :class:`Progress`."""

    def update(self, done: int) -> None:
        """See :class:`Progress`."""

    def end_epoch(self, logs: Mapping[str, float], seconds: float) -> None:
        """See :class:`Progress`."""

    def close(self) -> None:
        """See :class:`Progress`."""


class EpochLines(Silent):
    """A line when an epoch is over: for files and pipes."""

    def __init__(self, epochs: int, steps: int | None, stream: TextIO) -> None:
        self.epochs, self.steps, self.stream = epochs, steps, stream
        self.epoch = 0

    def begin_epoch(self, epoch: int) -> None:
        """See :class:`Progress`."""
        self.epoch = epoch

    def end_epoch(self, logs: Mapping[str, float], seconds: float) -> None:
        """See :class:`Progress`."""
        self.stream.write(self.finished(logs, seconds) + "\n")
        self.stream.flush()

    def heading(self) -> str:
        """Return ``epoch  3/20``."""
        width = len(str(self.epochs))
        return f"epoch {self.epoch + 1:>{width}}/{self.epochs}"

    def finished(self, logs: Mapping[str, float], seconds: float) -> str:
        """Return the line of an epoch that is over."""
        return f"{self.heading()}  {_figures(logs)}  {_duration(seconds)}"


class MovingLine(EpochLines):
    """A line that rewrites itself: percent and the time left while an epoch runs, figures when it is over."""

    def __init__(
        self, epochs: int, steps: int | None, stream: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(epochs, steps, stream)
        self.clock = clock
        self.started = clock()
        self.epoch_started = self.started
        self.first: int | None = None
        self.open = False

    def begin_epoch(self, epoch: int) -> None:
        """See :class:`Progress`."""
        super().begin_epoch(epoch)
        self.epoch_started = self.clock()
        if self.first is None:
            self.first, self.started = epoch, self.epoch_started

    def update(self, done: int) -> None:
        """See :class:`Progress`."""
        elapsed = _duration(self.clock() - self.epoch_started)
        if self.steps is None:
            self._rewrite(f"{self.heading()}  step {done}  {elapsed}")
        else:
            share = min(1.0, done / self.steps)
            self._rewrite(f"{self.heading()}  {share:>4.0%}  {elapsed}, {_duration(self._left(share))} left")
        self.open = True

    def end_epoch(self, logs: Mapping[str, float], seconds: float) -> None:
        """See :class:`Progress`."""
        line = self.finished(logs, seconds)
        if self.epoch + 1 < self.epochs:
            line += f", {_duration(self._left(1.0))} left"
        self._rewrite(line)
        self.close(always=True)

    def close(self, *, always: bool = False) -> None:
        """See :class:`Progress`."""
        if self.open or always:
            self.stream.write("\n")
            self.stream.flush()
        self.open = False

    def _left(self, share: float) -> float:
        done = self.epoch - (self.first or 0) + share
        to_do = self.epochs - self.epoch - share
        return (self.clock() - self.started) / max(done, 1e-9) * to_do

    def _rewrite(self, text: str) -> None:
        import shutil  # slow to import, and seldom needed

        # A longer line would wrap, and the next carriage return would rewrite its last row only.
        columns = max(20, shutil.get_terminal_size().columns - 1)
        self.stream.write("\r\x1b[2K" + text[:columns])
        self.stream.flush()


def make_progress(verbose: str | int, epochs: int, steps: int | None, stream: TextIO | None = None) -> Progress:
    """Return what shows the progress of ``epochs`` epochs of ``steps`` steps on ``stream`` (standard output).

    ``steps`` is None where nobody knows how many batches an iterator will give.

    Parameters
    ----------
    verbose : {"auto", 0, 1, 2}
        0 is silent; 2 writes a line when an epoch is over; 1 and "auto" rewrite a line while it runs if ``stream`` is a
        terminal, and are 2 if not, where nothing can be rewritten.

    Raises
    ------
    ValueError
        If ``verbose`` is none of these.
    """
    check_verbose(verbose)
    stream = stream or sys.stdout
    if not verbose or stream is None:  # a windowed Python has no standard output
        return Silent()
    if verbose == 2 or not stream.isatty():
        return EpochLines(epochs, steps, stream)
    return MovingLine(epochs, steps, stream)


def check_verbose(verbose: object) -> None:
    """Refuse what is not ``"auto"``, 0, 1 or 2."""
    if not (verbose == "auto" or (isinstance(verbose, int) and verbose in (0, 1, 2))):
        _checks.refuse("verbose", "'auto', 0, 1 or 2", verbose)


def _figures(logs: Mapping[str, float]) -> str:
    """Return names and values, loss first, validation last."""
    order = sorted(logs, key=lambda name: (name.startswith("val_"), not name.endswith("loss")))
    return "  ".join(f"{name} {_value(logs[name])}" for name in order)


def _value(value: float) -> str:
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.3e}"


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
