"""Learning curves as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.cli.errors import require
from flyball.cli.files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flyball.cli.networks import Run

SUFFIXES = (".png", ".pdf", ".svg")
"""Formats of pictures."""

# Blue and vermilion of Okabe and Ito's palette: told apart with every kind of colour vision, and in grey.
_COLOURS = {"regularised": "#0072B2", "plain": "#D55E00"}
_QUIET = "#555555"
_TITLES = {"loss": "Loss", "accuracy": "Accuracy"}


def check_matplotlib() -> None:
    """Say so before a long training, not after it, if there is nothing to draw with."""
    require("matplotlib", "plot", "--plot")


def learning_curves(runs: Sequence[Run], title: str, path: Path) -> None:
    """Draw loss (and accuracy) over the epochs, in training (thin) and validation (thick), and where a run stopped.

    The training loss of a regularised network is what it was trained on: with dropout, and with its penalty.
    """
    require("matplotlib", "plot", "--plot").use("Agg")
    pyplot = require("matplotlib.pyplot", "plot", "--plot")
    names = [name for name in _TITLES if name in runs[0].history]
    style = {
        "font.size": 10.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#999999",
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#E6E6E6",
        "grid.linewidth": 0.8,
        "xtick.color": _QUIET,
        "ytick.color": _QUIET,
        "xtick.minor.size": 0,
        "ytick.minor.size": 0,
    }
    with pyplot.rc_context(style):
        figure, axes = pyplot.subplots(
            1, len(names), figsize=(5.6 * len(names), 4.2), layout="constrained", squeeze=False
        )
        for ax, name in zip(axes[0], names, strict=True):
            _panel(ax, runs, name)
        figure.suptitle(title, x=0.01, ha="left", fontsize=12.5, fontweight="bold")
        with replacing(path) as beside:
            figure.savefig(beside, dpi=160)
        pyplot.close(figure)


def _panel(ax: Any, runs: Sequence[Run], name: str) -> None:
    """Draw one quantity; the labels stand at the ends of the curves, pushed apart where they would meet."""
    labels = []
    longest = max(run.epochs for run in runs)
    for run in runs:
        colour = _COLOURS[run.name]
        epochs = range(1, run.epochs + 1)
        for part, prefix, width, alpha in (("training", "", 1.1, 0.75), ("validation", "val_", 2.2, 1.0)):
            values = run.history[prefix + name]
            dashes = (0, (4, 1.5)) if part == "training" else "solid"
            ax.plot(epochs, values, color=colour, linewidth=width, alpha=alpha, linestyle=dashes)
            labels.append((run.epochs, values[-1], f"{run.name}, {part}" if len(runs) > 1 else part, colour))
        if run.best_epoch < run.epochs:
            best = run.history["val_" + name][run.best_epoch - 1]
            ax.plot(run.best_epoch, best, "o", color=colour, markersize=8, markeredgecolor="white", zorder=5)
            ax.annotate(
                f"weights of epoch {run.best_epoch},\nstopped at {run.epochs}",
                (run.best_epoch, best),
                xytext=(0, 26 if name == "loss" else -26),
                textcoords="offset points",
                ha="center",
                va="bottom" if name == "loss" else "top",
                fontsize=9,
                color=colour,
                arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8, "shrinkB": 5},
            )
    _limits(ax, runs, name)
    ax.set_xlim(1, max(2.0, longest * 1.42))
    ax.set_xticks([tick for tick in ax.get_xticks() if 1 <= tick <= longest])
    ax.set_xlabel("epoch", color=_QUIET)
    ax.set_title(f"{_TITLES[name]}{' (logarithmic)' if name == 'loss' else ''}", loc="left", fontsize=11)
    _label_ends(ax, labels)


def _limits(ax: Any, runs: Sequence[Run], name: str) -> None:
    """Show what happens after the first epochs: the loss on a logarithmic axis, the accuracy from near its middle."""
    if name == "loss":
        ax.set_yscale("log")
        return
    ends = [value for run in runs for value in (run.history[name][-1], run.history["val_" + name][-1])]
    worst = 1 - min(ends)
    ax.set_ylim(max(0.0, 1 - 4 * max(worst, 0.02)), 1 + 0.3 * max(worst, 0.02))


def _label_ends(ax: Any, labels: Sequence[tuple[int, float, str, str]]) -> None:
    """Write each label right of its curve's end, at least a line's height from the one below."""
    ax.figure.canvas.draw()
    inverse = ax.transAxes.inverted()
    line = 0.058
    lowest = -1.0
    for x, y, text, colour in sorted(labels, key=lambda label: label[1]):
        across, height = inverse.transform(ax.transData.transform((x, y)))
        placed = max(height, lowest + line)
        lowest = placed
        ax.text(across + 0.015, placed, text, transform=ax.transAxes, color=colour, fontsize=9, va="center")
