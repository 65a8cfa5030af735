"""Histograms of what each layer puts out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.inspect import activation_statistics
from flyball.plotting._style import EDGE, QUIET, dress, one_axes
from flyball.plotting._style import colour as palette

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flyball.inspect import LayerActivations
    from flyball.models import Sequential

WIDTH = 0.86
"""Of the longest bar of a histogram, in shares of the place of a layer."""
THIN = 0.01
"""Share of the height of the picture below which a histogram is drawn as a line."""
NUMBERED = 6
"""Layers beyond which they are numbered instead of named."""


class ActivationHistogramDisplay:
    """Histograms of the outputs of layers, one beside the other, with their standard deviation above.

    A bar that dwarfs all others of its layer, as that of ReLU's zeros does, is cut, so that they are seen.

    Parameters
    ----------
    rows : sequence of LayerActivations
        Of :func:`flyball.inspect.activation_statistics`.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, rows: Sequence[LayerActivations]) -> None:
        self.rows = list(rows)
        if not self.rows:
            msg = "rows must have a layer, got none"
            raise ValueError(msg)

    @classmethod
    def from_model(
        cls,
        model: Sequential,
        x: Any,
        *,
        layers: Sequence[int | str] | None = None,
        training: bool = False,
        bins: int = 40,
    ) -> ActivationHistogramDisplay:
        """Make a display of what ``model`` puts out for ``x``.

        Parameters
        ----------
        model : Sequential
        x : array (samples, ...)
            As for ``predict``.
        layers : sequence of int or str, optional
            Numbers or names of the layers to draw; by default all but the last.
        training, bins
            As for :func:`flyball.inspect.activation_statistics`.
        """
        found = activation_statistics(model, x, training=training, bins=bins)
        return cls([found[layer] for layer in layers] if layers is not None else found.rows[:-1] or found.rows)

    def plot(
        self, ax: Any = None, *, title: str = "", colour: str = palette(0), spreads: bool = True
    ) -> ActivationHistogramDisplay:
        """Draw, and return the display.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to; a new figure by default.
        title, colour : str
            Of the picture, and of its bars.
        spreads : bool
            Whether standard deviations stand above the histograms.
        """
        self.ax_ = ax = one_axes(ax, (max(4.0, 0.62 * len(self.rows) + 1.0), 3.2))
        self.figure_ = ax.figure
        extent = max(row.max for row in self.rows) - min(row.min for row in self.rows)
        for i, row in enumerate(self.rows, 1):
            lengths = WIDTH * np.minimum(1.0, row.counts / _longest(row.counts))
            ax.axvline(i - WIDTH / 2, color=EDGE, linewidth=0.6)
            left = i - WIDTH / 2
            ax.stairs(
                left + lengths, row.edges, baseline=left, orientation="horizontal", fill=True, color=colour, linewidth=1
            )
            if np.ptp(row.edges) < THIN * extent:
                ax.plot([left, left + WIDTH], [row.mean, row.mean], color=colour, linewidth=1.2)
            if spreads:
                ax.annotate(
                    _short(row.std),
                    (i, 1.0),
                    xycoords=("data", "axes fraction"),
                    xytext=(0, 2),
                    textcoords="offset points",
                    ha="center",
                    va="bottom",
                    fontsize=7.5,
                    color=QUIET,
                )
        dress(ax, title=title, grid="y")
        ax.yaxis.set_major_formatter("{x:g}")
        if spreads and title:
            ax.set_title(title, loc="left", fontsize=11, pad=15)
        many = len(self.rows) > NUMBERED
        ax.set_xticks(
            range(1, len(self.rows) + 1), range(1, len(self.rows) + 1) if many else [r.name for r in self.rows]
        )
        ax.set_xlim(0.4, len(self.rows) + 0.6)
        if many:
            ax.set_xlabel("layer", color=QUIET, fontsize=10)
        return self


def _longest(counts: NDArray[np.int64]) -> float:
    """Return the count of a bar of full length."""
    *_, second, first = sorted([0, 0, *counts])
    return float(max(1.0, 2.0 * second if 0 < 4 * second < first else first))


def _short(value: float) -> str:
    """Return a number of few characters: its power of ten where it is far from 1."""
    if value == 0.0 or not np.isfinite(value) or 0.01 <= value < 1000.0:
        return f"{value:.0f}" if value >= 10.0 else f"{value:.2g}"
    return f"$10^{{{round(np.log10(value))}}}$"
