"""Whether the gradients of a model are the derivatives of its loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball.models.copying import copy_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from flyball.models import Sequential
    from flyball.program.nodes import Weight

STEP = 1e-4
"""Of the differences. Their error is about STEP**4 from the formula, and 1e-16 / STEP from rounding."""
BENT = 1e-6
"""Disagreement between the differences over one step and over two beyond which there is a kink in between."""
SMALL = 1e-4
"""Gradients below this share of the largest one count as if they were that large: they are known no better."""
SMALLEST = 1e-6
"""The same, as a share of the loss."""


@dataclass(frozen=True)
class WeightCheck:
    """One array of weights.

    Attributes
    ----------
    name : str
        As in ``model.weights``.
    checked : int
        Elements that were compared.
    kinks : int
        Elements that were left out: there the loss has no derivative, as where an input of ReLU is 0.
    error : float
        The largest relative error, ``|gradient - difference| / max(|gradient|, |difference|, smallest)``.
    index : tuple of int
        The element that has it.
    gradient, difference : float
        Its derivative, as the backward pass computes it and by finite differences.
    """

    name: str
    checked: int
    kinks: int
    error: float
    index: tuple[int, ...]
    gradient: float
    difference: float


@dataclass(frozen=True)
class GradientCheck:
    """What :func:`check_gradients` found, one row for each array of weights; print it.

    Attributes
    ----------
    rows : list of WeightCheck
    tolerance : float
        Largest relative error that passes.
    """

    rows: list[WeightCheck]
    tolerance: float

    @property
    def worst(self) -> WeightCheck:
        """The row with the largest error."""
        return max(self.rows, key=lambda row: row.error)

    @property
    def passed(self) -> bool:
        """Whether no error is above the tolerance, and something was compared."""
        return any(row.checked for row in self.rows) and self.worst.error <= self.tolerance

    def __iter__(self) -> Iterator[WeightCheck]:
        return iter(self.rows)

    def __str__(self) -> str:
        width = max(len(row.name) for row in self.rows)
        lines = [f"{'weights':<{width}}  checked  kinks  largest relative error"]
        for row in self.rows:
            mark = "" if row.error <= self.tolerance else "  wrong"
            lines.append(f"{row.name:<{width}}  {row.checked:7d}  {row.kinks:5d}  {row.error:22.2e}{mark}")
        worst = self.worst
        if not any(row.checked for row in self.rows):
            lines.append("nothing was compared: the loss has a kink at every weight")
        elif self.passed:
            lines.append(f"gradients are right: no relative error above {self.tolerance:g}")
        else:
            where = ", ".join(map(str, worst.index))
            lines.append(
                f"gradients are wrong: worst {worst.name}[{where}], {worst.gradient:.10g} instead of "
                f"{worst.difference:.10g}"
            )
        return "\n".join(lines)

    __repr__ = __str__


def check_gradients(
    model: Sequential, x: Any, y: Any, *, samples: int = 50, tolerance: float = 1e-5, seed: int = 0
) -> GradientCheck:
    """Compare the gradients of the loss that ``model`` is compiled with to finite differences, in float64.

    The rows of ``x`` are one batch, in training: batch normalisation takes their statistics, and dropout and noise
    are drawn once and held, which counter-based random numbers make exact. The derivative of the mean loss f, with
    penalties of activities and without those of weights, is ``(8 (f(w + h) - f(w - h)) - (f(w + 2 h) - f(w - 2 h))) /
    (12 h)`` with ``h = 1e-4``.

    Parameters
    ----------
    model : Sequential
        Compiled; a copy in float64 is checked, and the model is left as it is.
    x, y : array
        As for ``fit``; a few rows will do.
    samples : int
        Elements of each array of weights that are checked, drawn with ``seed``; all where there are no more.
    tolerance : float
        Largest relative error that passes.
    seed : int
        Of the choice of elements.

    Returns
    -------
    GradientCheck
        Print it, or ask whether it ``passed``, and for the ``worst``.

    Raises
    ------
    ValueError, TypeError
        If the model is not compiled, has nothing to train, or the data do not fit it.

    Notes
    -----
    The backend in use is checked; ``flyball.use_backend("reference")`` chooses the other one.
    """
    samples = _checks.integer("samples", samples, 1)
    tolerance = _checks.number("tolerance", tolerance, "(0, inf)")
    rng = np.random.default_rng(_checks.integer("seed", seed))
    model._data_set(x, y)  # refuses what does not fit, and builds
    copy = copy_model(model, dtype="float64")
    weights = [weight for weight in copy.weights if weight.trainable]
    if not weights:
        msg = f"model must have weights to train, got {model.name!r} without"
        raise ValueError(msg)
    loss = _batch_loss(copy, x, y)
    base = loss()
    gradients = [copy._require_built().gradient(weight).copy() for weight in weights]
    largest = max(float(np.abs(gradient).max()) for gradient in gradients)
    smallest = max(SMALL * largest, SMALLEST * abs(base))
    return GradientCheck(
        [
            _check(weight, gradient, _chosen(weight.size, samples, rng), base, loss, smallest)
            for weight, gradient in zip(weights, gradients, strict=True)
        ],
        tolerance,
    )


def _batch_loss(model: Sequential, x: Any, y: Any) -> Callable[[], float]:
    """Return a function of the weights as they are: the mean loss of one step, whose gradients it leaves behind."""
    trainer = model._trainer(x, y, len(np.asarray(x)))
    memory = model._require_built()
    statistics = memory.statistics.copy()

    def loss() -> float:
        weights = memory.parameters.copy()
        trainer.optimizer.steps = 0  # the address of the random numbers: the same masks every time
        penalty = memory.penalty_of_elements()  # the gradients are without it; the other penalties are in both
        value = trainer.run_epoch(0, shuffle=False)["objective"] - penalty
        memory.parameters[...] = weights  # constraints act without a step, too
        memory.statistics[...] = statistics
        return value

    return loss


def _chosen(size: int, samples: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return np.sort(rng.choice(size, samples, replace=False)) if size > samples else np.arange(size)


def _check(
    weight: Weight,
    gradient: NDArray[Any],
    chosen: NDArray[np.int64],
    base: float,
    loss: Callable[[], float],
    smallest: float,
) -> WeightCheck:
    flat = weight.value.reshape(-1)
    worst, kinks = (-1.0, 0, 0.0, 0.0), 0
    for i in chosen:
        kept = flat[i]
        values = []
        for steps in (-2, -1, 1, 2):
            flat[i] = kept + steps * STEP
            values.append(loss())
        flat[i] = kept
        difference, bend = _derivative(values, base)
        if not bend <= BENT * max(abs(difference), smallest):
            kinks += 1
            continue
        computed = float(gradient.reshape(-1)[i])
        error = abs(computed - difference) / max(abs(computed), abs(difference), smallest)
        worst = max(worst, (error if np.isfinite(error) else np.inf, int(i), computed, difference))
    error, i, computed, difference = worst
    index = tuple(int(j) for j in np.unravel_index(i, weight.shape))
    return WeightCheck(weight.name, len(chosen) - kinks, kinks, max(error, 0.0), index, computed, difference)


def _derivative(values: list[float], base: float) -> tuple[float, float]:
    """Return the derivative, and how far first and second differences over one step and over two disagree."""
    far_below, below, above, far_above = values
    near, far = (above - below) / (2.0 * STEP), (far_above - far_below) / (4.0 * STEP)
    curvature = (above + below - 2.0 * base) / STEP
    far_curvature = (far_above + far_below - 2.0 * base) / (2.0 * STEP)
    return (4.0 * near - far) / 3.0, max(abs(near - far), abs(far_curvature - 2.0 * curvature))
