"""What L1 and L2 do to two weights: contours of the loss, balls of the penalties, and the paths of the solutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.functional import sgd_update
from flyball.plotting._style import QUIET, colour, dress, many_axes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

PENALTIES = ("l2", "l1")
TITLES = {"l2": "L2: $\\lambda\\,(w_1^2 + w_2^2)$", "l1": "L1: $\\lambda\\,(|w_1| + |w_2|)$"}
STRENGTHS = 60
CONVERGED = 1e-12
MOST_STEPS = 5000


class PenaltyContourDisplay:
    """Contours of a loss of two weights, and where an L2 and an L1 penalty move its minimum.

    Parameters
    ----------
    hessian : array (2, 2)
    optimum : array (2,)
        The loss is ``base + (w - optimum) @ hessian @ (w - optimum) / 2``.
    base : float
        The loss without a penalty.
    strengths : mapping of {"l1", "l2"} to array (n,)
    paths : mapping of {"l1", "l2"} to array (n, 2)
        For each strength of a penalty, in Keras' convention, the weights that minimise the loss and the penalty.
    chosen : mapping of {"l1", "l2"} to int
        Which point of a path is drawn with its ball.
    names : sequence of 2 str
        Of the weights.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(
        self,
        hessian: ArrayLike,
        optimum: ArrayLike,
        *,
        base: float,
        strengths: Mapping[str, ArrayLike],
        paths: Mapping[str, ArrayLike],
        chosen: Mapping[str, int],
        names: Sequence[str] = ("$w_1$", "$w_2$"),
    ) -> None:
        self.hessian: NDArray[np.float64] = np.asarray(hessian, np.float64)
        self.optimum: NDArray[np.float64] = np.asarray(optimum, np.float64)
        self.base = base
        self.strengths = {name: np.asarray(values, np.float64) for name, values in strengths.items()}
        self.paths = {name: np.asarray(values, np.float64) for name, values in paths.items()}
        self.chosen = dict(chosen)
        self.names = list(names)

    @classmethod
    def from_data(
        cls, x: ArrayLike, y: ArrayLike, *, names: Sequence[str] = ("$w_1$", "$w_2$")
    ) -> PenaltyContourDisplay:
        """Make a display of the regression of ``y`` on the two columns of ``x``, both centred first.

        Both paths are followed by gradient descent with flyball's own step, L1 by its proximal form, whose zeros are
        exact. The L1 solution that is drawn with its ball is the first on its path with a weight of zero; the L2
        solution is the one whose loss is nearest to it.

        Parameters
        ----------
        x : array (samples, 2)
            Features; best scaled alike.
        y : array (samples,)
            Values.
        names : sequence of 2 str
            Of the features.

        Raises
        ------
        ValueError
            If ``x`` has not two columns that differ, or ``y`` not a value for each row.
        """
        features, values = np.asarray(x, np.float64), np.asarray(y, np.float64)
        if features.ndim != 2 or features.shape[1] != 2:
            msg = f"x must have shape (samples, 2), got {features.shape}"
            raise ValueError(msg)
        if values.shape != features.shape[:1]:
            msg = f"y must have shape ({len(features)},), got {values.shape}"
            raise ValueError(msg)
        features, values = features - features.mean(axis=0), values - values.mean()
        hessian = 2.0 * features.T @ features / len(features)
        slope = 2.0 * features.T @ values / len(features)
        if not np.isfinite(hessian).all() or np.linalg.cond(hessian) > 1e8:
            msg = "x must be finite, with two columns that are no multiples of each other"
            raise ValueError(msg)
        optimum = np.linalg.solve(hessian, slope)
        largest = {"l1": float(np.abs(slope).max()), "l2": 30.0 * float(np.linalg.eigvalsh(hessian)[-1])}
        strengths = {
            "l1": np.linspace(0.0, largest["l1"], STRENGTHS),
            "l2": np.concatenate([[0.0], np.geomspace(1e-4 * largest["l2"], largest["l2"], STRENGTHS - 1)]),
        }
        paths = {name: _path(hessian, slope, name, strengths[name]) for name in PENALTIES}
        display = cls(
            hessian,
            optimum,
            base=float(np.mean((values - features @ optimum) ** 2)),
            strengths=strengths,
            paths=paths,
            chosen={},
            names=names,
        )
        sparse = (paths["l1"] == 0.0).any(axis=1) & (paths["l1"] != 0.0).any(axis=1)
        first = int(np.argmax(sparse)) if sparse.any() else STRENGTHS // 2
        target = display.loss(paths["l1"][first])
        display.chosen = {"l1": first, "l2": int(np.argmin(np.abs(display.loss(paths["l2"]) - target)))}
        return display

    def loss(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean squared error of weights (..., 2)."""
        away = weights - self.optimum
        result: NDArray[np.float64] = self.base + 0.5 * np.einsum("...i,ij,...j->...", away, self.hessian, away)
        return result

    def plot(self, ax: Any = None) -> PenaltyContourDisplay:
        """Draw, and return the display; ``ax`` is one axes to share, or two: for L2 and for L1."""
        axes = many_axes(ax, 2, (4.6, 4.4))
        for panel, name in zip(axes, PENALTIES, strict=True):
            self._panel(panel, name)
        self.ax_ = np.array(axes)
        self.figure_ = axes[0].figure
        return self

    def _panel(self, ax: Any, name: str) -> None:
        solution = self.paths[name][self.chosen[name]]
        reach = 1.35 * np.abs([*self.optimum, *self.paths[name].ravel()]).max()
        side = np.linspace(-0.55 * reach, reach, 161)
        signs = np.where(self.optimum < 0, -1.0, 1.0)
        first, second = np.meshgrid(signs[0] * side, signs[1] * side)
        heights = self.loss(np.stack([first, second], axis=-1))
        reached = float(self.loss(solution))
        steps = reached - self.base
        levels = self.base + steps * np.array([0.04, 0.3, 1.0, 2.2, 4.0, 6.5, 9.5])
        ax.contour(first, second, heights, levels, colors=[colour(0)], linewidths=[1, 1, 2, 1, 1, 1, 1], alpha=0.75)
        if name == "l2":
            angle = np.linspace(0, 2 * np.pi, 200)
            ball = np.linalg.norm(solution) * np.stack([np.cos(angle), np.sin(angle)])
        else:
            ball = np.abs(solution).sum() * np.array([[1, 0, -1, 0, 1], [0, 1, 0, -1, 0]])
        ax.fill(*ball, color=colour(1), alpha=0.18)
        ax.plot(*ball, color=colour(1), linewidth=1.6)
        ax.plot(*self.paths[name].T, color=colour(2), linewidth=2.2)
        ax.plot(*self.optimum, "x", color=colour(0), markersize=9, markeredgewidth=2.2)
        ax.plot(*solution, "o", color=colour(1), markersize=9, markeredgecolor="white", zorder=5)
        for line in (ax.axhline, ax.axvline):
            line(0.0, color=QUIET, linewidth=0.8)
        dress(ax, title=TITLES[name], xlabel=self.names[0], ylabel=self.names[1], grid=None)
        ax.set_aspect("equal")
        below = {"textcoords": "offset points", "fontsize": 9}
        ax.annotate("least loss", self.optimum, xytext=(0, 9), ha="center", color=colour(0), **below)
        words = "a weight is exactly 0" if (solution == 0.0).any() else "both are smaller, none is 0"
        strength = self.strengths[name][self.chosen[name]]
        ax.annotate(
            f"$\\lambda$ = {strength:.2g}: {words}",
            (0.02, 0.02),
            xycoords="axes fraction",
            color=colour(1),
            fontsize=9,
            bbox={"facecolor": "white", "alpha": 0.85, "linewidth": 0, "pad": 2},
        )


def _path(
    hessian: NDArray[np.float64], slope: NDArray[np.float64], penalty: str, strengths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the minimum for each strength, each followed from the one before."""
    weights = np.linalg.solve(hessian, slope)
    steepest = float(np.linalg.eigvalsh(hessian)[-1])
    path = np.empty((len(strengths), 2))
    for i, strength in enumerate(strengths):
        # The step's penalty is l2 / 2 * sum(w**2), Keras' l2 * sum(w**2).
        options = {"l1": strength, "proximal": True} if penalty == "l1" else {"l2": 2.0 * strength}
        rate = 1.0 / (steepest + options.get("l2", 0.0))
        for _ in range(MOST_STEPS):
            before = weights.copy()
            sgd_update(weights, hessian @ weights - slope, learning_rate=rate, **options)
            if np.abs(weights - before).max() <= CONVERGED * np.abs(weights).max():
                break
        path[i] = weights
    return path
