"""Learning rates as functions of the step, counted from 0: names, arguments and formulas of Keras 3.

``flyball.optimizers.schedules`` is this module. An optimizer takes a schedule in the place of a learning rate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flyball import _checks
from flyball._registry import Configurable, Registry, serialize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Steps = NDArray[np.float64]

__all__ = [
    "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseScaling", "InverseTimeDecay",
    "LearningRateSchedule", "OneCycle", "PiecewiseConstantDecay", "PolynomialDecay", "StepDecay", "WarmUp", "get",
    "serialize",
]  # fmt: skip


class LearningRateSchedule(Configurable):
    """Base of all schedules; a class of one's own defines :meth:`rates`.

    Parameters
    ----------
    name : str, optional
        What configurations call it; all schedules take it as their last argument.
    """

    def __init__(self, name: str = "LearningRateSchedule") -> None:
        self.name = _checks.text("name", name)

    def __call__(self, step: float) -> float:
        """Return the learning rate of a step."""
        return float(self.evaluate(step))

    def evaluate(self, steps: ArrayLike) -> Steps:
        """Return the learning rates of an array of steps, each a finite number that is not negative."""
        rates = np.asarray(self.rates(np.asarray(steps, np.float64)), np.float64)
        bad = ~((rates >= 0.0) & np.isfinite(rates))
        if bad.any():
            _checks.refuse(f"the learning rates of {type(self).__name__}", "in [0, inf)", float(rates[bad][0]))
        return rates

    def rates(self, steps: Steps) -> Steps:
        """Return the formula's values at ``steps``."""
        raise NotImplementedError(_checks.lacks(self, "rates"))


class ExponentialDecay(LearningRateSchedule):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``, with staircase of the floor of the exponent."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        super().__init__(name)
        self.initial_learning_rate = _checks.number("initial_learning_rate", initial_learning_rate, "[0, inf)")
        self.decay_steps = _checks.number("decay_steps", decay_steps, "(0, inf)")
        self.decay_rate = _checks.number("decay_rate", decay_rate, "(0, inf)")
        self.staircase = _checks.flag("staircase", staircase)

    def rates(self, steps: Steps) -> Steps:
        """Return the formula's values at ``steps``."""
        exponent = steps / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (np.floor(exponent) if self.staircase else exponent)


class StepDecay(ExponentialDecay):
    """``initial_learning_rate * decay_rate ** floor(step / decay_steps)``: PyTorch's StepLR."""

    def __init__(
        self, initial_learning_rate: float, decay_steps: float, decay_rate: float = 0.1, name: str = "StepDecay"
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, decay_rate, True, name)


class InverseTimeDecay(LearningRateSchedule):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``, with staircase of the quotient's floor."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        super().__init__(name)
        self.initial_learning_rate = _checks.number("initial_learning_rate", initial_learning_rate, "[0, inf)")
        self.decay_steps = _checks.number("decay_steps", decay_steps, "(0, inf)")
        self.decay_rate = _checks.number("decay_rate", decay_rate, "[0, inf)")
        self.staircase = _checks.flag("staircase", staircase)

    def rates(self, steps: Steps) -> Steps:
        """Return the formula's values at ``steps``."""
        time = steps / self.decay_steps
        return self.initial_learning_rate / (1.0 + self.decay_rate * (np.floor(time) if self.staircase else time))


class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[i]`` for steps in (boundaries[i - 1], boundaries[i]]: one value more than there are boundaries."""

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        super().__init__(name)
        self.boundaries = [_checks.number("boundaries", boundary) for boundary in boundaries]
        self.values = [_checks.number("values", value, "[0, inf)") for value in values]
        if sorted(self.boundaries) != self.boundaries:
            _checks.refuse("boundaries", "ascending", self.boundaries)
        if len(self.values) != len(self.boundaries) + 1:
            _checks.refuse("values", f"{len(self.boundaries) + 1} numbers, one more than boundaries", self.values)

    def rates(self, steps: Steps) -> Steps:
        """Return the formula's values at ``steps``."""
        return np.asarray(self.values)[np.searchsorted(self.boundaries, steps, side="left")]


class PolynomialDecay(LearningRateSchedule):
    """``(initial - end) * (1 - step / decay_steps) ** power + end``, and ``end`` from ``decay_steps`` on.

    With cycle, ``decay_steps`` is multiplied by the number of times it fits into the step, rounded up.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        super().__init__(name)
        self.initial_learning_rate = _checks.number("initial_learning_rate", initial_learning_rate, "[0, inf)")
        self.decay_steps = _checks.number("decay_steps", decay_steps, "(0, inf)")
        self.end_learning_rate = _checks.number("end_learning_rate", end_learning_rate, "[0, inf)")
        self.power = _checks.number("power", power, "(0, inf)")
        self.cycle = _checks.flag("cycle", cycle)

    def rates(self, steps: Steps) -> Steps:
        """Return the formula's values at ``steps``."""
        time = steps / self.decay_steps
        left = 1.0 - time / np.maximum(np.ceil(time), 1.0) if self.cycle else 1.0 - np.minimum(time, 1.0)
        return (self.initial_learning_rate - self.end_learning_rate) * left**self.power + self.end_learning_rate


class CosineDecay(LearningRateSchedule):
    """Half a cosine from the initial rate to ``alpha`` times it, in ``decay_steps``; a linear warm-up may precede.

    ``initial_learning_rate * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha)``, constant afterwards.
    With ``warmup_target`` the rate first rises from the initial one to the target in ``warmup_steps``, and falls from
    there. Loshchilov and Hutter 2017.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        warmup_target: float | None = None,
        warmup_steps: float = 0,
        name: str = "CosineDecay",
    ) -> None:
        super().__init__(name)
        self.initial_learning_rate = _checks.number("initial_learning_rate", initial_learning_rate, "[0, inf)")
        self.decay_steps = _checks.number("decay_steps", decay_steps, "(0, inf)")
        self.alpha = _checks.number("alpha", alpha, "[0, inf)")
        self.warmup_target = (
            None if warmup_target is None else _checks.number("warmup_target", warmup_target, "[0, inf)")
        )
        self.warmup_steps = _checks.number("warmup_steps", warmup_steps, "[0, inf)")

    def rates(self, steps: Steps) -> Steps:
        """Return the formula's values at ``steps``."""
        first = self.initial_learning_rate
        if self.warmup_target is None:
            return first * self._cosine(steps)
        warmup = first + (self.warmup_target - first) * steps / max(self.warmup_steps, 1e-300)
        falling = self.warmup_target * self._cosine(steps - self.warmup_steps)
        return np.where(steps < self.warmup_steps, warmup, falling)

    def _cosine(self, steps: Steps) -> Steps:
        time = np.minimum(steps / self.decay_steps, 1.0)
        return (1.0 - self.alpha) * 0.5 * (1.0 + np.cos(np.pi * time)) + self.alpha


class CosineDecayRestarts(LearningRateSchedule):
    """Cosines one after the other, the first ``first_decay_steps`` long.

    Each is ``t_mul`` times as long as the one before and begins ``m_mul`` times as high; ``alpha`` times the initial
    rate is the lowest. Loshchilov and Hutter 2017 (SGDR).
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        super().__init__(name)
        self.initial_learning_rate = _checks.number("initial_learning_rate", initial_learning_rate, "[0, inf)")
        self.first_decay_steps = _checks.number("first_decay_steps", first_decay_steps, "(0, inf)")
        self.t_mul = _checks.number("t_mul", t_mul, "[1, inf)")
        self.m_mul = _checks.number("m_mul", m_mul, "[0, inf)")
        self.alpha = _checks.number("alpha", alpha, "[0, inf)")

    def rates(self, steps: Steps) -> Steps:
        """Return the formula's values at ``steps``."""
        time = steps / self.first_decay_steps
        if self.t_mul == 1.0:
            restarts = np.floor(time)
            fraction = time - restarts
        else:
            # Restart r is at time (t_mul**r - 1) / (t_mul - 1); a rounding of the logarithm must not miss it.
            restarts = np.floor(np.log1p(time * (self.t_mul - 1.0)) / np.log(self.t_mul) + 1e-12)
            length = self.t_mul**restarts
            fraction = (time - (length - 1.0) / (self.t_mul - 1.0)) / length
        height = self.m_mul**restarts * 0.5 * (1.0 + np.cos(np.pi * fraction))
        return self.initial_learning_rate * ((1.0 - self.alpha) * height + self.alpha)


class OneCycle(LearningRateSchedule):
    """One cycle of cosines: up to ``max_learning_rate``, down to far below where it began. PyTorch's OneCycleLR.

    From ``max_learning_rate / div_factor`` at step 0 up in the share ``pct_start`` of the steps, then down to
    ``max_learning_rate / div_factor / final_div_factor`` at the last of ``total_steps`` and from there on. Smith and
    Topin 2018.
    """

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        pct_start: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        name: str = "OneCycle",
    ) -> None:
        super().__init__(name)
        self.max_learning_rate = _checks.number("max_learning_rate", max_learning_rate, "[0, inf)")
        self.total_steps = _checks.integer("total_steps", total_steps, 2)
        self.pct_start = _checks.number("pct_start", pct_start, "(0, 1)")
        self.div_factor = _checks.number("div_factor", div_factor, "(0, inf)")
        self.final_div_factor = _checks.number("final_div_factor", final_div_factor, "(0, inf)")

    def rates(self, steps: Steps) -> Steps:
        """Return the formula's values at ``steps``."""
        first = self.max_learning_rate / self.div_factor
        last = first / self.final_div_factor
        end = self.total_steps - 1.0
        top = self.pct_start * self.total_steps - 1.0
        up = np.clip(steps / top, 0.0, 1.0) if top > 0.0 else np.ones_like(steps)
        down = np.clip((steps - top) / (end - top), 0.0, 1.0)
        rising = self.max_learning_rate + (first - self.max_learning_rate) * 0.5 * (1.0 + np.cos(np.pi * up))
        falling = last + (self.max_learning_rate - last) * 0.5 * (1.0 + np.cos(np.pi * down))
        return np.where(steps <= top, rising, falling)


class InverseScaling(LearningRateSchedule):
    """``initial_learning_rate / (step + 1) ** power``: scikit-learn's ``invscaling``, where it counts samples."""

    def __init__(self, initial_learning_rate: float, power: float = 0.5, name: str = "InverseScaling") -> None:
        super().__init__(name)
        self.initial_learning_rate = _checks.number("initial_learning_rate", initial_learning_rate, "[0, inf)")
        self.power = _checks.number("power", power, "[0, inf)")

    def rates(self, steps: Steps) -> Steps:
        """Return the formula's values at ``steps``."""
        return self.initial_learning_rate / (steps + 1.0) ** self.power


class WarmUp(LearningRateSchedule):
    """A line from ``initial_learning_rate`` to what ``schedule`` begins with, in ``steps``; then the schedule.

    Goyal et al. 2017, section 2.2.

    Parameters
    ----------
    schedule : float, LearningRateSchedule or dict
        What follows: a constant, a schedule, or the configuration of one.
    steps : int
        How many steps the line has.
    initial_learning_rate : float
        Where it begins.
    name : str
        What configurations call it.
    """

    def __init__(
        self,
        schedule: float | LearningRateSchedule,
        steps: int,
        initial_learning_rate: float = 0.0,
        name: str = "WarmUp",
    ) -> None:
        super().__init__(name)
        follows = isinstance(schedule, (LearningRateSchedule, dict))
        self.schedule = get(schedule) if follows else _checks.number("schedule", schedule, "[0, inf)")
        self.steps = _checks.integer("steps", steps, 1)
        self.initial_learning_rate = _checks.number("initial_learning_rate", initial_learning_rate, "[0, inf)")

    def rates(self, steps: Steps) -> Steps:
        """Return the formula's values at ``steps``."""
        top = self._after(np.zeros(1))[0]
        line = self.initial_learning_rate + (top - self.initial_learning_rate) * steps / self.steps
        return np.where(steps < self.steps, line, self._after(np.maximum(steps - self.steps, 0.0)))

    def _after(self, steps: Steps) -> Steps:
        follower = self.schedule
        return follower.evaluate(steps) if isinstance(follower, LearningRateSchedule) else np.full_like(steps, follower)


_names: dict[str, type[LearningRateSchedule]] = {
    cls.__name__: cls
    for cls in (
        ExponentialDecay, StepDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay, CosineDecay,
        CosineDecayRestarts, OneCycle, InverseScaling, WarmUp,
    )
}  # fmt: skip
REGISTRY: Registry[LearningRateSchedule] = Registry("schedule", LearningRateSchedule, _names)


def get(identifier: object) -> LearningRateSchedule:
    """Return a schedule, or the one that a configuration, from :func:`serialize`, stands for."""
    return REGISTRY.get(identifier, "learning_rate")
