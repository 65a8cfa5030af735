"""Weights, as histograms that show exact zeros, or as images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball.plotting._style import QUIET, bare, colour, dress, many_axes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from flyball.models import Sequential

BINS = 61
"""Odd: one is around zero."""
GAP = 1
"""Pixels between images."""


class WeightDisplay:
    """Arrays of weights.

    Parameters
    ----------
    weights : mapping of str to array (inputs, ..., units)
        By name, one panel each.

    Attributes
    ----------
    zeros : dict of str to float
        Share of weights that are exactly 0.
    ax_ : matplotlib Axes, or ndarray of Axes where there are several arrays
    figure_ : matplotlib Figure
    """

    def __init__(self, weights: Mapping[str, ArrayLike]) -> None:
        self.weights: dict[str, NDArray[np.float64]] = {
            name: np.asarray(values, np.float64) for name, values in weights.items()
        }
        if not self.weights or any(values.size == 0 for values in self.weights.values()):
            msg = f"weights must have an array that is not empty, got {_checks.shown(weights)}"
            raise ValueError(msg)
        self.zeros = {name: float(np.mean(values == 0.0)) for name, values in self.weights.items()}

    @classmethod
    def from_model(cls, model: Sequential, *, layers: Sequence[str] | None = None) -> WeightDisplay:
        """Make a display of the kernels of a model: of the named layers, by default of all that have one."""
        kernels = _kernels(model)
        chosen = list(kernels) if layers is None else [_checks.choice("layers", name, kernels) for name in layers]
        return cls({name: kernels[name] for name in chosen})

    @classmethod
    def from_models(cls, models: Mapping[str, Sequential], *, layer: str | int = 0) -> WeightDisplay:
        """Make a display of one kernel of several models, by the models' names.

        ``layer`` is a layer's name, or its number among those with a kernel.
        """
        arrays = {}
        for name, model in models.items():
            kernels = _kernels(model)
            if isinstance(layer, str):
                arrays[name] = kernels[_checks.choice("layer", layer, kernels)]
            else:
                number = _checks.integer("layer", layer)
                if number >= len(kernels):
                    _checks.refuse("layer", f"in [0, {len(kernels)}), the layers with a kernel", number)
                arrays[name] = list(kernels.values())[number]
        return cls(arrays)

    def plot(
        self,
        ax: Any = None,
        *,
        kind: str = "histogram",
        shape: tuple[int, int] | None = None,
        units: int = 16,
        columns: int | None = None,
    ) -> WeightDisplay:
        """Draw, and return the display.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of them, optional
            Where to: one for each array, or one that they share; a new figure by default.
        kind : {"histogram", "images"}
            How many weights have which size, exact zeros in another colour; or an image for each unit, of the weights
            of its inputs.
        shape : (int, int), optional
            Of an image; by default a square.
        units : int
            Images in a panel, those of the largest weights.
        columns : int, optional
            Panels side by side; by default all.
        """
        kind = _checks.choice("kind", kind, ("histogram", "images"))
        axes = many_axes(ax, len(self.weights), (4.0, 3.2) if kind == "histogram" else (3.4, 3.6), columns)
        largest = max(float(np.abs(values).max()) for values in self.weights.values())
        for panel, (name, values) in zip(axes, self.weights.items(), strict=True):
            if kind == "histogram":
                self._histogram(panel, name, values, largest)
            else:
                _images(panel, name, values, shape, _checks.integer("units", units, 1))
        self.ax_ = axes[0] if len(axes) == 1 else np.array(axes)
        self.figure_ = axes[0].figure
        return self

    def _histogram(self, ax: Any, name: str, values: NDArray[np.float64], largest: float) -> None:
        edges = np.linspace(-1.02, 1.02, BINS + 1) * (largest or 1.0)
        other = values[values != 0.0]
        ax.hist(other, edges, color=colour(0))
        exact = values.size - other.size
        if exact:
            ax.bar(0.0, exact, 0.8 * np.diff(edges)[0], color=colour(1))
        ax.set_yscale("symlog", linthresh=10)
        ax.set_ylim(0, 2.0 * values.size)
        words = f"{100 * self.zeros[name]:.0f} % are exactly 0" if exact else "none is exactly 0"
        ax.annotate(
            f"{words}\n$|w|_1$ = {np.abs(values).sum():.3g}, $|w|_2$ = {np.linalg.norm(values):.3g}",
            (0.98, 0.97),
            xycoords="axes fraction",
            ha="right",
            va="top",
            fontsize=9,
            color=colour(1) if exact else QUIET,
        )
        dress(ax, title=name, xlabel="weight", grid="y")


def _kernels(model: Sequential) -> dict[str, NDArray[Any]]:
    found = {layer.name: w.value for layer in model.layers for w in layer.weights[:1] if len(w.shape) > 1}
    if not found:
        msg = f"model must have a built layer with a kernel, got {model.name!r} without"
        raise ValueError(msg)
    return found


def _images(ax: Any, name: str, values: NDArray[np.float64], shape: tuple[int, int] | None, units: int) -> None:
    columns = values.reshape(-1, values.shape[-1])
    side = round(len(columns) ** 0.5)
    height, width = shape or (side, side)
    if height * width != len(columns):
        msg = f"shape must have {len(columns)} pixels, one for each weight of a unit, got {(height, width)}"
        raise ValueError(msg)
    order = np.argsort(-np.linalg.norm(columns, axis=0), kind="stable")[:units]
    across = int(np.ceil(np.sqrt(len(order))))
    down = -(-len(order) // across)
    mosaic = np.full((down * (height + GAP) - GAP, across * (width + GAP) - GAP), np.nan)
    for i, unit in enumerate(order):
        row, column = i // across * (height + GAP), i % across * (width + GAP)
        mosaic[row : row + height, column : column + width] = columns[:, unit].reshape(height, width)
    limit = float(np.nanmax(np.abs(mosaic))) or 1.0
    ax.imshow(mosaic, cmap="PuOr", vmin=-limit, vmax=limit, interpolation="nearest")
    bare(ax, name)
