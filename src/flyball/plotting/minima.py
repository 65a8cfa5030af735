"""How flat a minimum is: the loss along random directions from where training ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball.models.copying import copy_model
from flyball.plotting._style import colour, dress, one_axes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from flyball.models import Sequential


class FlatMinimaDisplay:
    """The loss of networks along random directions of their weights.

    Parameters
    ----------
    distances : array (points,)
        From the weights, in shares of their norm.
    losses : mapping of str to array (directions, points)
        For each network.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, distances: NDArray[np.float64], losses: Mapping[str, NDArray[np.float64]]) -> None:
        self.distances = np.asarray(distances, np.float64)
        self.losses = {name: np.asarray(values, np.float64) for name, values in losses.items()}
        for name, values in self.losses.items():
            if values.ndim != 2 or values.shape[1] != len(self.distances):
                msg = f"losses must have shape (directions, {len(self.distances)}), got {values.shape} of {name!r}"
                raise ValueError(msg)

    @classmethod
    def from_models(
        cls,
        models: Mapping[str, Sequential],
        x: Any,
        y: Any,
        *,
        radius: float = 1.0,
        points: int = 21,
        directions: int = 20,
        seed: int = 0,
    ) -> FlatMinimaDisplay:
        """Make a display of the losses of ``models`` on ``x`` and ``y`` around their weights.

        A direction is a normal random number for each parameter, scaled array by array to the norm of the parameters
        (Li et al. 2018), so that networks with larger weights are not flatter only for that. All networks of one shape
        are looked at along the same directions.

        Parameters
        ----------
        models : mapping of str to Sequential
            Compiled, and trained; they are left as they are.
        x, y : array
            As for ``evaluate``. Penalties are left out of the loss.
        radius : float
            How far to go, in shares of the weights' norm.
        points : int
            Distances at which the loss is computed, from ``-radius`` to ``radius``; odd, so that 0 is one of them.
        directions : int
        seed : int
            Of the directions.

        Raises
        ------
        ValueError
            If an argument is not as described.
        """
        radius = _checks.number("radius", radius, "(0, inf)")
        points = _checks.integer("points", points, 3)
        directions = _checks.integer("directions", directions, 1)
        seed = _checks.integer("seed", seed)
        distances = np.linspace(-radius, radius, points)
        losses = {name: _losses(model, x, y, distances, directions, seed) for name, model in models.items()}
        return cls(distances, losses)

    def rise(self, distance: float) -> dict[str, float]:
        """Return by how much the loss of each network rises at ``distance``, on the mean over directions and sides."""
        at = np.isclose(np.abs(self.distances), distance)
        if not at.any():
            nearest = float(self.distances[np.argmin(np.abs(self.distances - distance))])
            _checks.refuse("distance", f"one of distances, as {nearest:g}", distance)
        middle = int(np.argmin(np.abs(self.distances)))
        return {name: float(values[:, at].mean() - values[:, middle].mean()) for name, values in self.losses.items()}

    def plot(self, ax: Any = None, *, title: str = "", ylabel: str = "loss") -> FlatMinimaDisplay:
        """Draw the mean over the directions, and a band that holds four fifths of them; return the display.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to; a new figure by default.
        title, ylabel : str
            Of the picture.
        """
        self.ax_ = ax = one_axes(ax)
        self.figure_ = ax.figure
        for i, (name, values) in enumerate(self.losses.items()):
            low, high = np.quantile(values, [0.1, 0.9], axis=0)
            ax.fill_between(self.distances, low, high, color=colour(i), alpha=0.16, linewidth=0)
            ax.plot(self.distances, values.mean(axis=0), color=colour(i), linewidth=2.2, label=name)
        dress(ax, title=title, xlabel="distance from the trained weights, in shares of their norm", ylabel=ylabel)
        ax.set_ylim(bottom=0.0)
        ax.legend(frameon=False, fontsize=9.5, loc="upper center")
        return self


def _losses(
    model: Sequential, x: Any, y: Any, distances: NDArray[np.float64], directions: int, seed: int
) -> NDArray[np.float64]:
    data = model._data_set(x, y)  # refuses what does not fit, and builds
    copy = copy_model(model)
    evaluator = copy._evaluator(data, None)
    trainable = [weight for weight in copy.weights if weight.trainable]
    start = [weight.value.copy() for weight in trainable]
    rng = np.random.default_rng(seed)
    losses = np.empty((directions, len(distances)))
    for i in range(directions):
        steps = [rng.standard_normal(value.shape) for value in start]
        steps = [step * np.linalg.norm(value) / np.linalg.norm(step) for step, value in zip(steps, start, strict=True)]
        for j, distance in enumerate(distances):
            for weight, value, step in zip(trainable, start, steps, strict=True):
                weight.value[...] = value + distance * step
            losses[i, j] = evaluator.run()["data_loss"]
    return losses
