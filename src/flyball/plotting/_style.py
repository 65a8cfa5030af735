"""What the pictures share: matplotlib where one is drawn, a palette, and quiet axes."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

# Okabe and Ito's palette, its strong colours first: told apart with every kind of colour vision.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
QUIET = "#555555"
FAINT = "#E6E6E6"
EDGE = "#999999"

PANEL = (5.6, 4.2)
"""Width and height of a panel in inches."""


def matplotlib(module: str = "matplotlib.pyplot") -> Any:
    """Import ``module`` of matplotlib, or say which extra of flyball brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        msg = f'plot needs matplotlib, which cannot be imported ({error}); pip install "flyball[plot]"'
        raise ImportError(msg, name="matplotlib") from error


def colour(i: int) -> str:
    """Return the colour of the thing that is drawn ``i``-th."""
    return PALETTE[i % len(PALETTE)]


def one_axes(ax: Any, size: tuple[float, float] = PANEL) -> Any:
    """Return ``ax``, or the axes of a new figure of ``size`` inches."""
    if ax is None:
        _, ax = matplotlib().subplots(figsize=size, layout="constrained")
    return ax


def many_axes(ax: Any, count: int, size: tuple[float, float] = PANEL, columns: int | None = None) -> list[Any]:
    """Return ``count`` axes: those given as one or as a sequence, or those of a new figure, ``columns`` side by side.

    One axes for several panels gives up its place to them.
    """
    columns = min(count, columns or count)
    rows = -(-count // columns)
    if ax is None:
        figure, grid = matplotlib().subplots(
            rows, columns, figsize=(size[0] * columns, size[1] * rows), layout="constrained", squeeze=False
        )
        del figure
        axes = list(grid.ravel())
    elif hasattr(ax, "plot"):
        if count == 1:
            return [ax]
        ax.set_axis_off()
        axes = list(ax.get_subplotspec().subgridspec(rows, columns).subplots(squeeze=False).ravel())
    else:
        axes = _flat(ax)
        if len(axes) != count:
            msg = f"ax must be one axes or {count}, one for each panel, got {len(axes)}"
            raise ValueError(msg)
    for spare in axes[count:]:
        spare.set_axis_off()
    return axes[:count]


def _flat(axes: Sequence[Any]) -> list[Any]:
    return list(axes.ravel()) if hasattr(axes, "ravel") else list(axes)


def dress(ax: Any, *, title: str = "", xlabel: str = "", ylabel: str = "", grid: str | None = "both") -> None:
    """Quieten the frame, and set the texts that are given."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(EDGE)
    ax.tick_params(which="both", color=EDGE, labelcolor=QUIET, labelsize=9.5)
    ax.tick_params(which="minor", length=0)
    if grid is not None:
        ax.set_axisbelow(True)
        ax.grid(visible=True, axis=grid, color=FAINT, linewidth=0.8)
    if title:
        ax.set_title(title, loc="left", fontsize=11)
    if xlabel:
        ax.set_xlabel(xlabel, color=QUIET, fontsize=10)
    if ylabel:
        ax.set_ylabel(ylabel, color=QUIET, fontsize=10)


def bare(ax: Any, title: str = "") -> None:
    """Leave only what is drawn: no frame, no ticks."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    if title:
        ax.set_title(title, loc="left", fontsize=11)
