"""Learning curves as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.cli.errors import require
from flyball.cli.files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flyball.cli.networks import Run

SUFFIXES = (".png", ".pdf", ".svg")
"""Formats of pictures."""


def check_matplotlib() -> None:
    """Say so before a long training, not after it, if there is nothing to draw with."""
    require("matplotlib", "plot", "--plot")


def learning_curves(runs: Sequence[Run], title: str, path: Path) -> None:
    """Draw loss (and accuracy) over the epochs, the best epoch of a run that has its weights, and where it stopped.

    The training loss of a regularised network is what it was trained on: with dropout, and with its penalty.
    """
    require("matplotlib", "plot", "--plot").use("Agg")
    from flyball.plotting import LearningCurveDisplay

    # The regularised network first: it has the same colour with and without the plain one beside it.
    ordered = sorted(runs, key=lambda run: run.name != "regularised")
    display = LearningCurveDisplay(
        {run.name: run.history for run in ordered},
        best_epochs={run.name: run.best_epoch for run in ordered if run.best_epoch < run.epochs},
        stopped=[run.name for run in ordered if run.epochs < run.planned],
    ).plot()
    display.figure_.suptitle(title, x=0.01, ha="left", fontsize=12.5, fontweight="bold")
    with replacing(path) as beside:
        display.figure_.savefig(beside, dpi=160)
    require("matplotlib.pyplot", "plot", "--plot").close(display.figure_)
