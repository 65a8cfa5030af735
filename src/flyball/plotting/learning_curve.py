"""Learning curves: what training and validation measured, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball.callbacks import EarlyStopping, History
from flyball.plotting._style import PANEL, QUIET, colour, dress, many_axes, matplotlib

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Values = Mapping[str, Sequence[float]]

ROOM = 0.42
"""Share of the width that the curves leave for their labels."""
NEAR = 0.2
"""Share of the width within which a text that is centred on its mark would reach over the axis."""
LINE = 0.058
"""Height of a label in shares of the axes."""


class LearningCurveDisplay:
    """Quantities over the epochs of one or several runs: training dashed and thin, validation solid and thick.

    The epoch with the best value is marked, and where a run was stopped the point at which it was.

    Parameters
    ----------
    curves : mapping of str to mapping of str to array (epochs,)
        For each run its quantities, ``val_...`` being those of validation; nan in an epoch without a value.
    epochs : mapping of str to array (epochs,), optional
        For each run the numbers of its epochs, from 1 by default.
    best_epochs : mapping of str to int, optional
        For a run the epoch to mark as its best.
    stopped : collection of str
        Names of the runs that ended before they were planned to.

    Attributes
    ----------
    ax_ : matplotlib Axes, or ndarray of Axes where several quantities are drawn
    figure_ : matplotlib Figure

    Examples
    --------
    >>> history = model.fit(x, y, validation_split=0.2, epochs=50)  # doctest: +SKIP
    >>> LearningCurveDisplay.from_history(history).plot()  # doctest: +SKIP
    """

    def __init__(
        self,
        curves: Mapping[str, Mapping[str, ArrayLike]],
        *,
        epochs: Mapping[str, ArrayLike] | None = None,
        best_epochs: Mapping[str, int] | None = None,
        stopped: Sequence[str] = (),
    ) -> None:
        if not curves or not all(curves.values()):
            msg = f"curves must have a run with a quantity, got {_checks.shown(curves)}"
            raise ValueError(msg)
        self.curves = {
            run: {name: np.asarray(values, np.float64) for name, values in quantities.items()}
            for run, quantities in curves.items()
        }
        self.epochs: dict[str, NDArray[np.int64]] = {}
        for run, quantities in self.curves.items():
            longest = max(len(values) for values in quantities.values())
            numbers = np.arange(1, longest + 1) if epochs is None else np.asarray(epochs[run], np.int64)
            if not len(numbers):
                msg = f"curves must have an epoch, got none of run {run!r}"
                raise ValueError(msg)
            self.epochs[run] = numbers
            for name, values in quantities.items():
                if values.shape != numbers.shape:
                    expectation = f"one value for each of the {len(numbers)} epochs"
                    msg = f"curves must have {expectation}, got {values.shape} of {name!r} in run {run!r}"
                    raise ValueError(msg)
        self.best_epochs = dict(best_epochs or {})
        for run, epoch in self.best_epochs.items():
            if run not in self.curves or epoch not in self.epochs[run]:
                msg = f"best_epochs must name an epoch of a run, got {epoch!r} of {run!r}"
                raise ValueError(msg)
        self.stopped = [_checks.choice("stopped", run, self.curves) for run in stopped]

    @classmethod
    def from_history(
        cls,
        history: History | Values | Mapping[str, History | Values],
        *,
        monitor: str | None = "val_loss",
        mode: str = "auto",
        validation_freq: int = 1,
    ) -> LearningCurveDisplay:
        """Make a display from what ``fit`` returned, or from several of them by name.

        Parameters
        ----------
        history : History, mapping of its ``history``, or mapping of names to either
            What is drawn.
        monitor : str, optional
            The quantity whose best epoch is marked, as :class:`flyball.callbacks.EarlyStopping` would find it; None for
            no mark. A run without it has none.
        mode : {"auto", "min", "max"}
            Which direction is better; "auto" takes "max" for accuracies and "min" for everything else.
        validation_freq : int
            Epochs between validations, as ``fit`` was told; a History knows itself.

        Raises
        ------
        ValueError
            If there is nothing to draw, or validations are neither of every epoch nor of every ``validation_freq``-th.
        """
        validation_freq = _checks.integer("validation_freq", validation_freq, 1)
        curves, epochs, best, stopped = {}, {}, {}, []
        for run, recorded in _runs(history).items():
            values, numbers = _recorded(recorded)
            curves[run] = {
                name: _spread(name, np.asarray(v, np.float64), numbers, validation_freq) for name, v in values.items()
            }
            epochs[run] = numbers
            if monitor is not None and np.isfinite(curves[run].get(monitor, np.nan)).any():
                # A callback's best is infinite before the first epoch, in the direction that any value improves.
                lower = EarlyStopping(monitor, mode=mode).best > 0.0
                best[run] = int(numbers[(np.nanargmin if lower else np.nanargmax)(curves[run][monitor])])
            planned = getattr(recorded, "params", {}).get("epochs", 0)
            if len(numbers) and numbers[-1] < planned:
                stopped.append(run)
        return cls(curves, epochs=epochs, best_epochs=best, stopped=stopped)

    @property
    def metrics(self) -> list[str]:
        """The quantities of training and validation, without the ``val_``; the learning rate is not among them."""
        names = dict.fromkeys(name.removeprefix("val_") for run in self.curves.values() for name in run)
        return sorted((name for name in names if name != "learning_rate"), key=lambda name: name != "loss")

    def plot(
        self, ax: Any = None, *, metrics: str | Sequence[str] | None = None, log: bool | None = None
    ) -> LearningCurveDisplay:
        """Draw, and return the display.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of them, optional
            Where to: one for each quantity, or one that they share; a new figure by default.
        metrics : str or sequence of str, optional
            Quantities to draw, without ``val_``; by default all.
        log : bool, optional
            Whether axes are logarithmic; by default those of positive quantities that are no accuracies.
        """
        chosen = self.metrics if metrics is None else [metrics] if isinstance(metrics, str) else list(metrics)
        for name in chosen:
            _checks.choice("metrics", name, [*self.metrics, "learning_rate"])
        axes = many_axes(ax, len(chosen), PANEL)
        for panel, name in zip(axes, chosen, strict=True):
            marks = self._panel(panel, name, log)
            if panel is axes[0]:
                self._annotate(panel, marks)
        self.ax_ = axes[0] if len(axes) == 1 else np.array(axes)
        self.figure_ = axes[0].figure
        return self

    def _panel(self, ax: Any, name: str, log: bool | None) -> list[tuple[str, tuple[float, float], str]]:
        """Draw one quantity; return run, place and colour of each best epoch."""
        labels = []
        validated = any(f"val_{name}" in quantities for quantities in self.curves.values())
        for i, (run, quantities) in enumerate(self.curves.items()):
            for prefix, part in (("", "training"), ("val_", "validation")):
                values = quantities.get(prefix + name)
                if values is None or np.isnan(values).all():
                    continue
                there = ~np.isnan(values)
                epochs, drawn = self.epochs[run][there], values[there]
                style: dict[str, Any] = {"linewidth": 2.2 if validated else 1.6}
                if part == "training" and validated:
                    style = {"linewidth": 1.1, "alpha": 0.75, "linestyle": (0, (4, 1.5))}
                ax.plot(epochs, drawn, color=colour(i), **style)
                label = part if len(self.curves) == 1 else f"{run}, {part}" if validated else run
                labels.append((float(epochs[-1]), float(drawn[-1]), label, colour(i)))
        title = "Loss, any penalty included" if name == "loss" else name.replace("_", " ").capitalize()
        positive = min((np.nanmin(v) for v in self._drawn(name)), default=0.0) > 0.0
        rising = _is_share(name)
        if log if log is not None else positive and not rising and name != "learning_rate":
            title += " (logarithmic)"
            _logarithmic(ax)
        elif rising:
            _near_the_end(ax, [float(values[-1]) for values in self._drawn(name)])
        first = min(int(numbers[0]) for numbers in self.epochs.values())
        longest = max(int(numbers[-1]) for numbers in self.epochs.values())
        ax.set_xlim(first, first + max(1.0, (longest - first) * (1.0 + ROOM)))
        ax.set_xticks([tick for tick in ax.get_xticks() if first <= tick <= longest and tick == int(tick)])
        dress(ax, title=title, xlabel="epoch")
        _label_ends(ax, labels)
        marks = [(run, self._mark(ax, run, name, colour(i)), colour(i)) for i, run in enumerate(self.curves)]
        return [(run, place, drawn) for run, place, drawn in marks if place is not None]

    def _drawn(self, name: str) -> list[NDArray[np.float64]]:
        found = [run[part] for run in self.curves.values() for part in (name, f"val_{name}") if part in run]
        kept = [values[~np.isnan(values)] for values in found]
        return [values for values in kept if len(values)]

    def _mark(self, ax: Any, run: str, name: str, drawn: str) -> tuple[float, float] | None:
        """Mark the end of a run that was stopped with a bar, and the best epoch with a dot; return where the dot is."""
        quantities, numbers = self.curves[run], self.epochs[run]
        values = quantities.get(f"val_{name}", quantities.get(name))
        if values is None:
            return None
        if run in self.stopped:
            ax.plot(numbers[-1], values[-1], "|", color=drawn, markersize=16, markeredgewidth=2.2, zorder=5)
        best = self.best_epochs.get(run)
        if best is None or np.isnan(value := float(values[numbers == best][0])):
            return None
        ax.plot(best, value, "o", color=drawn, markersize=8, markeredgecolor="white", zorder=6)
        return best, value

    def _annotate(self, ax: Any, marks: list[tuple[str, tuple[float, float], str]]) -> None:
        """Say what the marks are: beside a single one, and in the corner for several, which would meet."""
        for line, (run, place, drawn) in enumerate(marks):
            words = [f"best epoch {place[0]:g}"]
            words += [f"stopped at {self.epochs[run][-1]}"] if run in self.stopped else []
            if len(marks) > 1:
                where = {"xy": (0.99, 0.98 - line * LINE), "xycoords": "axes fraction", "ha": "right", "va": "top"}
                ax.annotate(f"● {run}: {', '.join(words)}", fontsize=9, color=drawn, **where)
                continue
            first, last = ax.get_xlim()
            ax.annotate(
                ",\n".join(words),
                place,
                xytext=(0, 26),
                textcoords="offset points",
                ha="center" if place[0] - first > NEAR * (last - first) else "left",
                va="bottom",
                fontsize=9,
                color=drawn,
                arrowprops={"arrowstyle": "-", "color": drawn, "linewidth": 0.8, "shrinkB": 5},
            )


def _runs(history: Any) -> dict[str, Any]:
    """Return what was recorded, by the run's name."""
    if isinstance(history, History):
        return {"": history}
    if isinstance(history, Mapping) and history:
        named = [isinstance(value, History | Mapping) for value in history.values()]
        if all(named):
            return dict(history)
        if not any(named):
            return {"": history}
    msg = f"history must be a History, its values, or several by name, got {_checks.shown(history)}"
    raise ValueError(msg)


def _recorded(recorded: Any) -> tuple[Values, NDArray[np.int64]]:
    if isinstance(recorded, History):
        numbers = np.array(recorded.epoch, np.int64) + 1
        return {
            name: _placed(values, numbers, recorded.epochs.get(name)) for name, values in recorded.history.items()
        }, numbers
    longest = max((len(values) for values in recorded.values()), default=0)
    return recorded, np.arange(1, longest + 1)


def _placed(values: Any, numbers: NDArray[np.int64], epochs: list[int] | None) -> Any:
    """Return one value an epoch where it is known which epochs had one, nan elsewhere; else the values."""
    if epochs is None or len(epochs) != len(values):
        return values
    placed = np.full(numbers.shape, np.nan)
    placed[np.isin(numbers - 1, epochs)] = values
    return placed


def _spread(
    name: str, values: NDArray[np.float64], epochs: NDArray[np.int64], validation_freq: int
) -> NDArray[np.float64]:
    """Return one value an epoch: nan where there was no validation."""
    if values.shape == epochs.shape:
        return values
    validated = epochs % validation_freq == 0
    if not name.startswith("val_") or values.shape != (int(validated.sum()),):
        fact = f"{name!r} has {values.size} values in {len(epochs)} epochs"
        msg = f"validation_freq must be what fit was given, and {fact}, got {validation_freq}"
        raise ValueError(msg)
    spread = np.full(epochs.shape, np.nan)
    spread[validated] = values
    return spread


def _is_share(name: str) -> bool:
    return "acc" in name or name.endswith("auc")


def _logarithmic(ax: Any) -> None:
    ticker = matplotlib("matplotlib.ticker")
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    steps = (1.0,) if high > 300 * low else (1.0, 2.0, 5.0) if high > 8 * low else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
    ax.yaxis.set_major_locator(ticker.LogLocator(subs=steps))
    ax.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    ax.yaxis.set_minor_formatter(ticker.NullFormatter())


def _near_the_end(ax: Any, ends: list[float]) -> None:
    """Show shares from where they end, not from the first epochs' guesses."""
    worst = max(1.0 - min(ends), 0.02)
    low = max(0.0, 1.0 - 4.0 * worst)
    ax.set_ylim(low, 1.0 + 0.075 * (1.0 - low))


def _label_ends(ax: Any, labels: Sequence[tuple[float, float, str, str]]) -> None:
    """Write the labels right of the longest curve, each as near to its own curve's height as there is room."""
    if not labels:
        return
    ax.get_ylim()  # settles the limits, which are all that the transformation to the axes depends on
    to_axes = ax.transData + ax.transAxes.inverted()
    ordered = sorted(labels, key=lambda label: label[1])
    ends = [to_axes.transform(label[:2]) for label in ordered]
    heights = [min(max(float(end[1]), 0.0), 1.0) for end in ends]
    for _ in range(100):
        for lower in range(len(heights) - 1):
            excess = LINE - (heights[lower + 1] - heights[lower])
            if excess > 0:
                heights[lower] -= excess / 2
                heights[lower + 1] += excess / 2
    lowest = LINE / 2
    for i, height in enumerate(heights):  # what was pushed below the axis, and what is above it, upwards
        heights[i] = max(height, lowest)
        lowest = heights[i] + LINE
    right = max(float(end[0]) for end in ends) + 0.015
    for (_, _, text, drawn), height in zip(ordered, heights, strict=True):
        ax.text(right, height, text, transform=ax.transAxes, color=drawn or QUIET, fontsize=9, va="center")
