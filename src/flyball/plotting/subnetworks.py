"""Dropout as an ensemble: the sub-networks of a small network, and their mean beside the scaled network."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks, layers
from flyball.models.copying import copy_model
from flyball.plotting._style import FAINT, QUIET, bare, colour, dress, many_axes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from flyball.models import Sequential

SHOWN_SAMPLES = 8
SPREAD = 0.28
"""How far from its sample's place the dot of a sub-network may lie."""


class SubnetworksDisplay:
    """All networks that dropout makes of one, drawn, with what they predict.

    Parameters
    ----------
    sizes : sequence of int
        Units of the layers, the input's first.
    masks : list of mapping of int to array of bool
        For each sub-network and each layer (an index of ``sizes``) that dropout acts on, which units are there.
    probabilities : array (networks,)
        Of the sub-networks, each unit being kept or dropped by itself.
    outputs : array (networks, samples, outputs)
        What each predicts, with the inverted scale of training.
    scaled : array (samples, outputs)
        What the whole network predicts.

    Attributes
    ----------
    mean : array (samples, outputs)
        Mean of the sub-networks, each by its probability.
    ax_ : ndarray of matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(
        self,
        sizes: Sequence[int],
        masks: Sequence[dict[int, NDArray[np.bool_]]],
        probabilities: NDArray[np.float64],
        outputs: NDArray[np.float64],
        scaled: NDArray[np.float64],
    ) -> None:
        self.sizes, self.masks, self.probabilities = list(sizes), list(masks), probabilities
        self.outputs, self.scaled = outputs, scaled
        self.mean: NDArray[np.float64] = np.tensordot(probabilities, outputs, axes=1)

    @classmethod
    def from_model(cls, model: Sequential, x: Any, *, most: int = 4096) -> SubnetworksDisplay:
        """Make a display of all sub-networks of ``model`` and what they predict for ``x``.

        Parameters
        ----------
        model : Sequential
            Of dense layers, with dropout in front of some; it is left as it is.
        x : array (samples, features)
        most : int
            Sub-networks there may be: 2 to the number of units that can be dropped.

        Raises
        ------
        ValueError
            If there are more, or none, or a dropout layer is not in front of a dense one.
        """
        most = _checks.integer("most", most, 1)
        scaled = model.predict(x).astype(np.float64)
        copy = copy_model(model, dtype="float64")
        sizes = [int(model.input_shape[1] or 0)]
        droppable: dict[int, tuple[layers.Layer, float]] = {}
        rate = 0.0
        for layer in copy.layers:
            if isinstance(layer, layers.Dropout):
                rate = layer.rate
                continue
            if isinstance(layer, layers.Dense):
                if rate > 0.0:
                    droppable[len(sizes) - 1] = layer, rate
                rate = 0.0
                sizes.append(layer.units)
            elif rate > 0.0 or (layer.output_shape or ()) != (sizes[-1],):
                msg = f"model must have its dropout layers in front of dense ones, got {layer.name!r} behind one"
                raise ValueError(msg)
        units = sum(sizes[place] for place in droppable)
        if not 0 < units <= np.log2(most):
            msg = f"model must have 1 to {int(np.log2(most))} units that can be dropped, for most={most}, got {units}"
            raise ValueError(msg)
        masks = list(_masks(sizes, list(droppable)))
        probabilities, outputs = np.empty(len(masks)), np.empty((len(masks), *scaled.shape))
        kernels = {place: layer.weights[0].value.copy() for place, (layer, _) in droppable.items()}
        for i, mask in enumerate(masks):
            probabilities[i] = 1.0
            for place, (layer, rate) in droppable.items():
                keep = 1.0 - rate
                layer.weights[0].value[...] = kernels[place] * (mask[place] / keep)[:, np.newaxis]
                probabilities[i] *= np.where(mask[place], keep, rate).prod()
            outputs[i] = copy.predict(x)
        return cls(sizes, masks, probabilities, outputs, scaled)

    def plot(self, ax: Any = None, *, networks: int = 16, output: int = 0) -> SubnetworksDisplay:
        """Draw, and return the display.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of them, optional
            Where to: one to share, or one for the networks and one for their outputs; a new figure by default.
        networks : int
            How many are drawn.
        output : int
            Which output is compared.
        """
        networks = min(len(self.masks), _checks.integer("networks", networks, 1))
        output = _checks.integer("output", output)
        if output >= self.scaled.shape[1]:
            _checks.refuse("output", f"in [0, {self.scaled.shape[1]})", output)
        drawn, compared = many_axes(ax, 2, (5.6, 4.8))
        columns = int(np.ceil(np.sqrt(networks)))
        for i, mask in enumerate(self.masks[:networks]):
            self._network(drawn, mask, i % columns, -(i // columns))
        drawn.set_aspect("equal")
        bare(drawn, f"{networks} of {len(self.masks)} networks that dropout trains")
        self._outputs(compared, output)
        self.ax_ = np.array([drawn, compared])
        self.figure_ = drawn.figure
        return self

    def _network(self, ax: Any, mask: dict[int, NDArray[np.bool_]], column: int, row: int) -> None:
        """Draw one network into the unit square at (column, row): layers from the bottom up."""
        places, kept = [], []
        for level, size in enumerate(self.sizes):
            across = column + 0.12 + 0.68 * (np.arange(size) + 0.5) / size
            places.append(np.stack([across, np.full(size, row + 0.12 + 0.62 * level / (len(self.sizes) - 1))], axis=1))
            kept.append(mask.get(level, np.ones(size, bool)))
        for level in range(len(self.sizes) - 1):
            for i, j in product(range(self.sizes[level]), range(self.sizes[level + 1])):
                there = kept[level][i] and kept[level + 1][j]
                ends = np.array([places[level][i], places[level + 1][j]])
                style = {"color": colour(0), "linewidth": 1.2} if there else {"color": FAINT, "linewidth": 0.8}
                ax.plot(*ends.T, zorder=2 if there else 1, **style)
        for points, there in zip(places, kept, strict=True):
            ax.scatter(*points[there].T, s=26, color=colour(0), zorder=3)
            ax.scatter(*points[~there].T, s=26, facecolor="white", edgecolor="#BBBBBB", zorder=3)

    def _outputs(self, ax: Any, output: int) -> None:
        shown = min(SHOWN_SAMPLES, self.scaled.shape[0])
        across = np.linspace(-SPREAD, SPREAD, len(self.masks)) if len(self.masks) > 1 else np.zeros(1)
        sizes = 14 + 60 * self.probabilities / self.probabilities.max()
        for sample in range(shown):
            values = self.outputs[:, sample, output]
            label = {} if sample else {"label": f"each of the {len(self.masks)} sub-networks"}
            ax.scatter(sample + 1 + across, values, sizes, color=colour(0), alpha=0.45, linewidth=0, **label)
            label = {} if sample else {"label": "their mean"}
            ends = [sample + 1 - 1.4 * SPREAD, sample + 1 + 1.4 * SPREAD]
            ax.plot(ends, [self.mean[sample, output]] * 2, color=colour(1), linewidth=2.4, **label)
            label = {} if sample else {"label": "the scaled network"}
            marks = {"color": "black", "markersize": 10, "markerfacecolor": "none", "markeredgewidth": 1.6}
            ax.plot(sample + 1, self.scaled[sample, output], "o", **marks, **label)
        dress(ax, title="What they predict", xlabel="sample", grid="y")
        ax.set_xticks(range(1, shown + 1))
        ax.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3, frameon=False, fontsize=8.5, labelcolor=QUIET
        )


def _masks(sizes: Sequence[int], places: Sequence[int]) -> Iterator[dict[int, NDArray[np.bool_]]]:
    """Yield every choice of units, the whole network first."""
    total = sum(sizes[place] for place in places)
    for bits in product([True, False], repeat=total):
        mask, begin = {}, 0
        for place in places:
            mask[place] = np.array(bits[begin : begin + sizes[place]])
            begin += sizes[place]
        yield mask
