"""Lookahead: slow weights that follow an optimizer's fast ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball import _checks
from flyball._optimizer import Optimizer
from flyball._registry import serialize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.program.memory import Memory
    from flyball.program.requests import Update

SLOW = "slow"
"""Slot of the slow weights."""


class Lookahead(Optimizer):
    """Let another optimizer look ahead for some steps, then go a part of the way there.

    ``w`` are the weights that ``optimizer`` changes; after each ``sync_period``-th step
    ``slow += slow_step_size * (w - slow)``; ``w = slow``, where ``slow`` begins as the weights before the first step.
    Zhang et al. 2019. Between those steps nothing returns to Python.

    Parameters
    ----------
    optimizer : str or Optimizer
        What does the steps; its learning rate, decay, clipping and average are this one's.
    sync_period : int
        Steps between two of the slow weights.
    slow_step_size : float
        Share of the way that they go, in [0, 1].
    name : str, optional

    Notes
    -----
    Arguments and defaults are those of TensorFlow Addons.
    """

    def __init__(
        self,
        optimizer: str | Optimizer = "sgd",
        sync_period: int = 6,
        slow_step_size: float = 0.5,
        name: str | None = None,
    ) -> None:
        from flyball import optimizers

        self.optimizer = optimizers.get(optimizer)
        if isinstance(self.optimizer, Lookahead):
            _checks.refuse("optimizer", "another than Lookahead", self.optimizer)
        self.sync_period = _checks.integer("sync_period", sync_period, 1)
        self.slow_step_size = _checks.number("slow_step_size", slow_step_size, "[0, 1]")
        self.name = "lookahead" if name is None else _checks.text("name", name)

    def __getattr__(self, name: str) -> Any:
        if name == "optimizer":  # not there yet
            raise AttributeError(name)
        return getattr(self.optimizer, name)

    def __setattr__(self, name: str, value: object) -> None:
        own = name in ("optimizer", "owner", "sync_period", "slow_step_size", "name")
        object.__setattr__(self if own else self.optimizer, name, value)

    @property
    def learning_rate(self) -> float:
        """The size of the next step."""
        return self.optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: object) -> None:
        self.optimizer.learning_rate = value

    @property
    def has_schedule(self) -> bool:
        """Whether the learning rate is a schedule's."""
        return self.optimizer.has_schedule

    def learning_rates(self, steps: int) -> NDArray[Any]:
        """Return the learning rates of the next ``steps`` steps."""
        return self.optimizer.learning_rates(steps)

    def slots(self) -> tuple[str, ...]:
        """The other optimizer's; the slow weights are not its business."""
        return self.optimizer.slots()

    def params(self) -> dict[str, float]:
        """Scalars of the other optimizer's operation."""
        return self.optimizer.params()

    def update(self) -> Update:
        """Return what a Program does at each step."""
        return self.optimizer.update()

    def begin(self, memory: Memory) -> None:
        """Before the first step, let the slow weights be the weights."""
        if SLOW not in memory.slots:
            memory.slot(SLOW)[...] = memory.parameters

    def steps_to_sync(self) -> int:
        """Return how many steps there are until the slow weights go on: after ``sync_period`` updates."""
        period = self.sync_period * (self.gradient_accumulation_steps or 1)
        return period - self.steps % period

    def synchronise(self, memory: Memory) -> None:
        """Let the slow weights go on, and the weights begin there."""
        slow = memory.slot(SLOW)
        slow += memory.dtype.type(self.slow_step_size) * (memory.parameters - slow)
        memory.parameters[...] = slow

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as JSON types."""
        return {
            "optimizer": serialize(self.optimizer),
            "sync_period": self.sync_period,
            "slow_step_size": self.slow_step_size,
            "name": self.name,
        }
