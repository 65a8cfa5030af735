"""A picture of a training while it runs."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import _checks
from flyball.callbacks.base import Callback
from flyball.saving import files

if TYPE_CHECKING:
    import os

    from flyball.callbacks.base import Logs

PANEL = (5.6, 4.2)
"""Width and height of a panel in inches."""


class LiveCurve(Callback):
    """Draw the learning curves of a running training, into a file and into the notebook.

    The picture is :class:`flyball.plotting.LearningCurveDisplay`'s: a panel for each quantity, the best epoch and, in
    the end, the point at which the training was stopped.

    Parameters
    ----------
    path : path, optional
        File of the picture (.png, .svg, .pdf); replaced whole, so that whoever looks at it never sees half of one.
    notebook : bool, optional
        Whether to show it in the notebook, where it is drawn over; by default where there is one.
    seconds : float
        Shortest time between two drawings, in seconds. The last epoch is always drawn.
    monitor : str, optional
        The quantity whose best epoch is marked; none where it is not there.

    Raises
    ------
    ImportError
        At the beginning of the training where matplotlib is missing: the extra ``plot`` has it.
    """

    runs_last = True

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        notebook: bool | None = None,
        seconds: float = 1.0,
        monitor: str | None = "val_loss",
    ) -> None:
        self.path = None if path is None else Path(path)
        self.notebook = None if notebook is None else _checks.flag("notebook", notebook)
        self.seconds = _checks.number("seconds", seconds, "[0, inf)")
        self.monitor = None if monitor is None else _checks.text("monitor", monitor)
        self._drawn = 0.0
        self._handle: Any = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Find matplotlib before the first epoch."""
        del logs
        from flyball.plotting import LearningCurveDisplay
        from flyball.plotting._style import matplotlib

        matplotlib("matplotlib.figure")
        self._display = LearningCurveDisplay
        self._drawn, self._handle = 0.0, None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Draw, if it is time."""
        del epoch, logs
        if time.monotonic() - self._drawn >= self.seconds:
            self._draw(running=not self.model.stop_training)

    def on_train_end(self, logs: Logs = None) -> None:
        """Draw what has not been drawn, and where the training ended."""
        del logs
        if self.model.history is not None and self.model.history.epoch:
            self._draw(running=False)

    def _draw(self, *, running: bool) -> None:
        from matplotlib.figure import Figure

        history = self.model.history
        if history is None:
            return
        display = self._display.from_history(history, monitor=self.monitor)
        if running:  # it has not been stopped, it is not there yet
            display.stopped = []
        figure = Figure(figsize=(PANEL[0] * len(display.metrics), PANEL[1]), layout="constrained")
        display.plot(ax=figure.add_subplot())
        if self.path is not None:
            content = io.BytesIO()
            figure.savefig(content, format=self.path.suffix[1:] or "png")
            files.replace(self.path, content.getvalue())
        if self.notebook or (self.notebook is None and _in_notebook()):
            self._show(figure)
        self._drawn = time.monotonic()

    def _show(self, figure: Any) -> None:
        from IPython.display import display

        if self._handle is None:
            self._handle = display(figure, display_id=True)
        else:
            self._handle.update(figure)


def _in_notebook() -> bool:
    """Whether this is a notebook's kernel; nobody else has imported IPython."""
    if "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return shell is not None and hasattr(shell, "kernel")
