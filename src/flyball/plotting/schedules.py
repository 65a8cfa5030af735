"""Learning rates over the steps of a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball import schedules as schedules_module
from flyball.plotting._style import colour, dress, one_axes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.schedules import LearningRateSchedule

MOST_POINTS = 2000
"""Steps that are computed: more than a picture has columns."""


class ScheduleDisplay:
    """Learning rates by step, of one or several schedules.

    Parameters
    ----------
    steps : array (points,)
    rates : mapping of str to array (points,)
        By name.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, steps: NDArray[Any], rates: Mapping[str, NDArray[Any]]) -> None:
        self.steps = np.asarray(steps)
        self.rates = {name: np.asarray(values, np.float64) for name, values in rates.items()}

    @classmethod
    def from_schedule(
        cls, schedule: LearningRateSchedule | Mapping[str, LearningRateSchedule], steps: int
    ) -> ScheduleDisplay:
        """Make a display of the first ``steps`` steps of a schedule, or of several by name."""
        steps = _checks.integer("steps", steps, 1)
        several = schedule if isinstance(schedule, Mapping) else {type(schedule).__name__: schedule}
        numbers = np.unique(np.linspace(0, steps - 1, min(steps, MOST_POINTS)).astype(np.int64))
        rates = {name: schedules_module.get(each).rates(numbers.astype(np.float64)) for name, each in several.items()}
        return cls(numbers, rates)

    def plot(self, ax: Any = None, *, log: bool = False) -> ScheduleDisplay:
        """Draw, and return the display.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to; a new figure by default.
        log : bool
            Whether rates are shown on a logarithmic axis.
        """
        self.ax_ = ax = one_axes(ax)
        self.figure_ = ax.figure
        for i, (name, rates) in enumerate(self.rates.items()):
            ax.plot(self.steps, rates, color=colour(i), linewidth=2.0, label=name)
        dress(
            ax,
            title="Learning rate" if len(self.rates) > 1 else f"Learning rate: {next(iter(self.rates))}",
            xlabel="step",
        )
        ax.set_yscale("log") if log else ax.set_ylim(bottom=0.0)
        if len(self.rates) > 1:
            ax.legend(frameon=False, fontsize=9.5, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return self
