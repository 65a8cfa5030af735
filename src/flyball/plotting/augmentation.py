"""Galleries of augmented images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball.plotting._style import QUIET, bare, one_axes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    Images = NDArray[Any]

CELL = 0.62
"""Inches of an image."""
GAP = 0.06
"""Of a cell, between images."""


class AugmentationDisplay:
    """Images as they are, and augmented in several ways, a row each.

    Parameters
    ----------
    rows : mapping of str to array (images, height, width) or (images, height, width, channels)
        Rows of as many images, by what was done to them.
    labels : sequence, optional
        Written above the images.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, rows: Mapping[str, ArrayLike], *, labels: Sequence[object] | None = None) -> None:
        self.rows: dict[str, Images] = {name: np.asarray(images) for name, images in rows.items()}
        counts = {len(images) if images.ndim in (3, 4) else 0 for images in self.rows.values()}
        if len(counts) != 1 or 0 in counts:
            shapes = {name: images.shape for name, images in self.rows.items()}
            msg = (
                f"rows must have as many images each, (images, height, width[, channels]), got {_checks.shown(shapes)}"
            )
            raise ValueError(msg)
        self.labels = None if labels is None else [str(label) for label in labels]
        if self.labels is not None and len(self.labels) != counts.pop():
            msg = f"labels must be one for each image, got {len(self.labels)}"
            raise ValueError(msg)

    @classmethod
    def from_functions(
        cls,
        images: ArrayLike,
        functions: Mapping[str, Callable[[Images], ArrayLike]],
        *,
        labels: Sequence[object] | None = None,
        original: str | None = "as they are",
    ) -> AugmentationDisplay:
        """Make a display of ``images`` and of what each function makes of them.

        Parameters
        ----------
        images : array (images, height, width) or (images, height, width, channels)
        functions : mapping of str to callable
            Augmentations of a batch, by name, as those of :mod:`flyball.functional`.
        labels : sequence, optional
            Written above the images.
        original : str, optional
            Name of the row of the images as they are; None leaves it out.
        """
        batch = np.asarray(images)
        rows: dict[str, ArrayLike] = {} if original is None else {original: batch}
        return cls({**rows, **{name: augment(batch) for name, augment in functions.items()}}, labels=labels)

    def plot(self, ax: Any = None, *, value_range: tuple[float, float] | None = None) -> AugmentationDisplay:
        """Draw, and return the display.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to; a new figure by default.
        value_range : (float, float), optional
            The values of black and white; by default the range of the first row.
        """
        first = next(iter(self.rows.values()))
        count = len(first)
        low, high = value_range or (float(first.min()), float(first.max()))
        self.ax_ = ax = one_axes(ax, (CELL * count + 2.0, CELL * len(self.rows) + 0.3))
        self.figure_ = ax.figure
        for row, images in enumerate(self.rows.values()):
            for column, image in enumerate(images):
                shown = np.clip((image.astype(np.float64) - low) / ((high - low) or 1.0), 0.0, 1.0)
                extent = (column + GAP, column + 1 - GAP, row + 1 - GAP, row + GAP)
                shown = shown[..., 0] if shown.ndim == 3 and shown.shape[-1] == 1 else shown
                ax.imshow(shown, cmap="gray", vmin=0.0, vmax=1.0, extent=extent, interpolation="nearest")
        for column, label in enumerate(self.labels or ()):
            ax.text(column + 0.5, -0.05, label, ha="center", va="bottom", fontsize=9.5, color=QUIET)
        ax.set_xlim(0, count)
        ax.set_ylim(len(self.rows), 0)
        bare(ax)
        ax.set_yticks(np.arange(len(self.rows)) + 0.5, self.rows)
        ax.tick_params(length=0, labelsize=9.5, labelcolor=QUIET)
        return self
