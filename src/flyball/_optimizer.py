"""What all optimizers are: a learning rate or a schedule, options, and the operation that does a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, Unpack

import numpy as np

from flyball import _checks, schedules
from flyball._registry import Configurable, parameters, serialize
from flyball.program.requests import Update
from flyball.schedules import LearningRateSchedule

if TYPE_CHECKING:
    from numpy.typing import NDArray


class OtherOptions(TypedDict, total=False):
    """:class:`OptimizerOptions` without weight decay."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    gradient_accumulation_steps: int | None
    name: str | None
    decay_biases: bool


class OptimizerOptions(OtherOptions, total=False):
    """Arguments that every optimizer takes by name.

    ``weight_decay`` (decoupled: at each step ``w`` is multiplied by ``1 - learning_rate * weight_decay``) and
    ``decay_biases`` (whether it applies to biases and the parameters of normalisations, as in Keras), at most one
    of ``clipnorm`` (largest norm of each array's gradient, penalties included), ``clipvalue`` (largest size of an
    element) and ``global_clipnorm`` (largest norm of the whole gradient), ``use_ema`` (whether the model ends its
    training with the exponential moving average of its weights, with ``ema_momentum`` of the old kept at each step, and
    goes on from that average every ``ema_overwrite_frequency`` updates), ``gradient_accumulation_steps`` (so many
    steps, at least 2, have one update, with the mean of their gradients) and ``name`` (what configurations call it).
    """

    weight_decay: float | None


class Optimizer(Configurable):
    """Base of all optimizers: a learning rate, a step count, and the operation that does a step.

    Attributes
    ----------
    learning_rate : float
        May be set at any time, to a number or a schedule; the next epoch uses it. Read, it is the next step's.
    steps : int
        Steps done, one a batch: what schedules of the learning rate count.
    iterations : int
        Updates done: ``steps``, or ``steps // gradient_accumulation_steps``.
    update_op : str
        The operation of :class:`flyball.backend.Backend` that does a step.
    """

    update_op: ClassVar[str]
    _fleeting: ClassVar[frozenset[str]] = frozenset(("steps", "_learning_rate"))
    """Attributes that change all the time, and that no Program depends on."""
    initial_state: float = 0.0
    owner: object = None
    """Stands for the model that was compiled with it last, as steps are counted for one model only."""

    def __init__(self, learning_rate: float | LearningRateSchedule, **options: Unpack[OptimizerOptions]) -> None:
        unknown: dict[str, Any] = {k: v for k, v in options.items() if k not in _OPTIONS}
        valid = dict.fromkeys([*parameters(type(self)), *_OPTIONS])
        _checks.no_more_arguments(type(self).__name__, unknown, valid)
        self.steps = 0
        self.learning_rate = learning_rate
        decay = options.get("weight_decay")
        self.weight_decay = None if decay is None else _checks.number("weight_decay", decay, "[0, inf)")
        self.decay_biases = _checks.flag("decay_biases", options.get("decay_biases", False))
        self.clipnorm = _positive("clipnorm", options.get("clipnorm"))
        self.clipvalue = _positive("clipvalue", options.get("clipvalue"))
        self.global_clipnorm = _positive("global_clipnorm", options.get("global_clipnorm"))
        clips = {"clipnorm": self.clipnorm, "clipvalue": self.clipvalue, "global_clipnorm": self.global_clipnorm}
        given = {name: value for name, value in clips.items() if value is not None}
        if len(given) > 1:
            _checks.refuse("one of clipnorm, clipvalue and global_clipnorm", "given at most", given)
        self.use_ema = _checks.flag("use_ema", options.get("use_ema", False))
        self.ema_momentum = _checks.number("ema_momentum", options.get("ema_momentum", 0.99), "[0, 1]")
        self.ema_overwrite_frequency = _checks.optional_count(
            "ema_overwrite_frequency", options.get("ema_overwrite_frequency")
        )
        accumulated = options.get("gradient_accumulation_steps")
        self._gradient_accumulation_steps = (
            None if accumulated is None else _checks.integer("gradient_accumulation_steps", accumulated, 2)
        )
        name = options.get("name")
        self.name = type(self).__name__.lower() if name is None else _checks.text("name", name)

    @property
    def gradient_accumulation_steps(self) -> int | None:
        """Steps an update; not to be changed, as another number would begin with a part of an update."""
        return self._gradient_accumulation_steps

    @property
    def iterations(self) -> int:
        """Updates done."""
        return self.steps // (self.gradient_accumulation_steps or 1)

    @property
    def learning_rate(self) -> float:
        """The size of the next step."""
        schedule = self._learning_rate
        return schedule(self.steps) if isinstance(schedule, LearningRateSchedule) else schedule

    @learning_rate.setter
    def learning_rate(self, value: object) -> None:
        if isinstance(value, (LearningRateSchedule, dict)):
            self._learning_rate: float | LearningRateSchedule = schedules.get(value)
        else:
            self._learning_rate = _checks.number("learning_rate", value, "[0, inf)")

    @property
    def lr(self) -> float:
        """An old name of ``learning_rate`` that is refused, as a new attribute would have no effect."""
        raise AttributeError(_NO_LR)

    @lr.setter
    def lr(self, value: object) -> None:
        del value
        raise AttributeError(_NO_LR)

    @property
    def has_schedule(self) -> bool:
        """Whether the learning rate is a schedule's."""
        return isinstance(self._learning_rate, LearningRateSchedule)

    def learning_rates(self, steps: int) -> NDArray[np.float64]:
        """Return the learning rates of the next ``steps`` steps."""
        schedule = self._learning_rate
        if isinstance(schedule, LearningRateSchedule):
            return schedule.evaluate(np.arange(self.steps, self.steps + steps))
        rates = np.empty(steps)
        rates.fill(schedule)
        return rates

    def slots(self) -> tuple[str, ...]:
        """Names of the state arrays, each as long as the parameters, as ``update_op`` calls them."""
        raise NotImplementedError(_checks.lacks(self, "slots"))

    def params(self) -> dict[str, float]:
        """Scalars of ``update_op`` by name, without ``learning_rate``, ``step``, penalties and clipping."""
        return {"weight_decay": self.weight_decay or 0.0}

    def update(self) -> Update:
        """Return what a Program does at each step."""
        clip_value = np.inf if self.clipvalue is None else self.clipvalue
        return Update(
            self.update_op,
            self.slots(),
            {**self.params(), "clip_value": clip_value},
            initial=self.initial_state,
            max_norm=self.clipnorm if self.global_clipnorm is None else self.global_clipnorm,
            max_norm_is_global=self.global_clipnorm is not None,
            decays_all=self.decay_biases,
            average_decay=self.ema_momentum if self.use_ema else None,
            overwrite_period=self.ema_overwrite_frequency,
            steps=self.gradient_accumulation_steps or 1,
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as JSON types; a schedule as ``{"class_name", "config"}``."""
        options = {name: getattr(self, name) for name in _OPTIONS}
        config = super().get_config() | options
        if isinstance(self._learning_rate, LearningRateSchedule):
            config["learning_rate"] = serialize(self._learning_rate)
        return config


_NO_LR = "an optimizer has no attribute 'lr'; did you mean 'learning_rate'?"
_OPTIONS = tuple(OptimizerOptions.__annotations__)


def _positive(name: str, value: float | None) -> float | None:
    return None if value is None else _checks.number(name, value, "(0, inf)")
