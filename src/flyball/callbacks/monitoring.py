"""What callbacks share that watch one quantity for improvement."""

from __future__ import annotations

import math
import sys
import warnings
from typing import TYPE_CHECKING

from flyball import _checks
from flyball.callbacks.base import Callback

if TYPE_CHECKING:
    from flyball.callbacks.base import Logs

_MAXIMISED = ("acc", "auc", "precision", "recall", "f1", "fbeta", "r2_score", "iou", "similarity")
"""Parts of the names of quantities of which more is better."""


class MonitorCallback(Callback):
    """Base of callbacks that compare the values of one quantity.

    Parameters
    ----------
    monitor : str
        The quantity, as ``History`` names it.
    mode : {"auto", "min", "max"}
        Which direction is better; "auto" takes "max" for accuracies, precisions, recalls, areas under curves and their
        kin, and "min" for everything else.
    min_delta : float
        Smaller changes are no improvement; its sign does not matter.
    verbose : {0, 1}
        Whether to say what is done.
    """

    consequence = "nothing is done"
    """What it means that the quantity is not there."""

    def __init__(self, monitor: str, mode: str, min_delta: float, verbose: int) -> None:
        self.monitor = _checks.text("monitor", monitor)
        self.mode = _checks.choice("mode", mode, ("auto", "min", "max"))
        self.min_delta = abs(_checks.number("min_delta", min_delta))
        self.verbose = check_verbose(verbose)
        maximises = mode == "max" or (mode == "auto" and any(part in monitor for part in _MAXIMISED))
        self._sign = -1.0 if maximises else 1.0
        self._warned = False

    @property
    def worst(self) -> float:
        """What every value improves on."""
        return self._sign * math.inf

    def improves(self, value: float, reference: float) -> bool:
        """Return whether ``value`` is better than ``reference`` by more than ``min_delta``."""
        return self._sign * value + self.min_delta < self._sign * reference

    def current(self, logs: Logs) -> float | None:
        """Return the quantity's value; where there is none, say so once and return None."""
        logs = logs or {}
        if self.monitor not in logs and not self._warned:
            self._warned = True
            near = _checks.hint(self.monitor, logs)
            msg = f"monitor must be one of {', '.join(logs)}, got {self.monitor!r}: {self.consequence}{near}"
            warnings.warn(msg, UserWarning, stacklevel=2)
        return logs.get(self.monitor)

    def say(self, text: str) -> None:
        """Write a line if asked to."""
        if self.verbose:
            say(text)


def check_verbose(verbose: int) -> int:
    """Return ``verbose`` if it is 0 or 1."""
    if verbose not in (0, 1):
        _checks.refuse("verbose", "0 or 1", verbose)
    return verbose


def say(text: str) -> None:
    """Write a line to standard output."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
