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
_TITLES = {"loss": "Loss, any penalty included (logarithmic)", "accuracy": "Accuracy"}


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
            if name == "loss":
                ax.annotate(
                    f"weights of epoch {run.best_epoch},\nstopped at {run.epochs}",
                    (run.best_epoch, best),
                    xytext=(0, 26),
                    textcoords="offset points",
                    ha="center",
                    va="bottom",
                    fontsize=9,
                    color=colour,
                    arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8, "shrinkB": 5},
                )
    _limits(ax, runs, name)
    ax.set_xlim(1, max(2.0, longest * 1.42))
    ax.set_xticks([tick for tick in ax.get_xticks() if 1 <= tick <= longest])
    ax.set_xlabel("epoch", color=_QUIET)
    ax.set_title(f"{_TITLES[name]}", loc="left", fontsize=11)
    _label_ends(ax, labels)


def _limits(ax: Any, runs: Sequence[Run], name: str) -> None:
    """Show what happens after the first epochs: the loss on a logarithmic axis, the accuracy from near its end."""
    if name == "loss":
        ticker = require("matplotlib.ticker", "plot", "--plot")
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        steps = (
            (1.0,) if high > 300 * low else (1.0, 2.0, 5.0) if high > 8 * low else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
        )
        ax.yaxis.set_major_locator(ticker.LogLocator(subs=steps))
        ax.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        ax.yaxis.set_minor_formatter(ticker.NullFormatter())
        return
    ends = [value for run in runs for value in (run.history[name][-1], run.history["val_" + name][-1])]
    worst = max(1 - min(ends), 0.02)
    ax.set_ylim(max(0.0, 1 - 4 * worst), 1 + 0.3 * worst)


def _label_ends(ax: Any, labels: Sequence[tuple[int, float, str, str]]) -> None:
    """Write the labels right of the longest curve, each as near to its own curve's height as there is room."""
    ax.figure.canvas.draw()
    to_axes = ax.transData + ax.transAxes.inverted()
    ordered = sorted(labels, key=lambda label: label[1])
    ends = [to_axes.transform(label[:2]) for label in ordered]
    heights = [float(end[1]) for end in ends]
    line = 0.058
    for _ in range(100):
        for lower in range(len(heights) - 1):
            excess = line - (heights[lower + 1] - heights[lower])
            if excess > 0:
                heights[lower] -= excess / 2
                heights[lower + 1] += excess / 2
    right = max(float(end[0]) for end in ends) + 0.015
    for (_, _, text, colour), height in zip(ordered, heights, strict=True):
        ax.text(right, height, text, transform=ax.transAxes, color=colour, fontsize=9, va="center")
