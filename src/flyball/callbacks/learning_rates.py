"""Learning rates that change between epochs."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from flyball import _checks
from flyball.callbacks.base import Callback
from flyball.callbacks.monitoring import MonitorCallback, check_verbose, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyball.callbacks.base import Logs
    from flyball.optimizers import Optimizer


class ReduceLROnPlateau(MonitorCallback):
    """Reduce the learning rate when a quantity has not improved for ``patience`` epochs.

    Parameters
    ----------
    monitor : str
        The quantity, as ``History`` names it.
    factor : float
        What the learning rate is multiplied by, in (0, 1).
    patience : int
        Epochs without improvement after which that happens.
    verbose : {0, 1}
        Whether to say when it happens.
    mode : {"auto", "min", "max"}
        Which direction is better; "auto" takes "max" for accuracies and their kin, "min" for everything else.
    min_delta : float
        Smaller changes are no improvement.
    cooldown : int
        Epochs after a reduction that are not counted.
    min_lr : float
        The learning rate is not reduced further.

    Notes
    -----
    ``logs`` and the history get the epoch's ``learning_rate``.
    """

    consequence = "the learning rate stays"

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta, verbose)
        self.factor = _checks.number("factor", factor, "(0, 1)")
        self.patience = _checks.integer("patience", patience)
        self.cooldown = _checks.integer("cooldown", cooldown)
        self.min_lr = _checks.number("min_lr", min_lr, "[0, inf)")
        self._reset()

    def _reset(self) -> None:
        self.best, self.wait, self.cooldown_counter = self.worst, 0, 0
        self._warned = False

    def get_state(self) -> dict[str, Any]:
        """Return the best value so far, and what is waited for."""
        return {"best": self.best, "wait": self.wait, "cooldown_counter": self.cooldown_counter}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.best, self.wait, self.cooldown_counter = state["best"], state["wait"], state["cooldown_counter"]

    def on_train_begin(self, logs: Logs = None) -> None:
        """Forget an earlier training."""
        del logs
        _settable_optimizer(self)
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Compare, and reduce."""
        optimizer = _settable_optimizer(self)
        if logs is not None:
            logs["learning_rate"] = optimizer.learning_rate
        value = self.current(logs)
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(value, self.best):
            self.best, self.wait = value, 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            if self.wait >= self.patience and optimizer.learning_rate > self.min_lr:
                optimizer.learning_rate = max(optimizer.learning_rate * self.factor, self.min_lr)
                self.cooldown_counter, self.wait = self.cooldown, 0
                self.say(f"Epoch {epoch + 1}: reducing learning rate to {optimizer.learning_rate:g}")


class LearningRateScheduler(Callback):
    """Set the learning rate at the beginning of each epoch to what a function says.

    Schedules of single steps, without Python, are in :mod:`flyball.optimizers.schedules`.

    Parameters
    ----------
    schedule : callable
        Called with the epoch, from 0, and the learning rate, or with the epoch alone if it takes one argument; returns
        the new learning rate.
    verbose : {0, 1}
        Whether to say it.

    Notes
    -----
    ``logs`` and the history get the epoch's ``learning_rate``.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        if not callable(schedule):
            _checks.refuse("schedule", "callable", schedule)
        self.schedule = schedule
        self.verbose = check_verbose(verbose)
        self._takes_rate = _takes_two(schedule)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Refuse an optimizer that has a schedule already."""
        del logs
        _settable_optimizer(self)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Set the learning rate."""
        del logs
        optimizer = _settable_optimizer(self)
        rate = self.schedule(epoch, optimizer.learning_rate) if self._takes_rate else self.schedule(epoch)
        optimizer.learning_rate = _checks.number("what schedule returns", rate, "[0, inf)")
        if self.verbose:
            say(f"Epoch {epoch + 1}: setting learning rate to {optimizer.learning_rate:g}")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Record the learning rate."""
        del epoch
        if logs is not None:
            logs["learning_rate"] = _settable_optimizer(self).learning_rate


def _settable_optimizer(callback: Callback) -> Optimizer:
    optimizer = callback.model.optimizer
    if optimizer is None or optimizer.has_schedule:
        name = type(callback).__name__
        shown = None if optimizer is None else optimizer.get_config()["learning_rate"]
        _checks.refuse(f"the optimizer's learning_rate with {name}", "a number, not a schedule", shown)
    return optimizer


def _takes_two(function: Callable[..., float]) -> bool:
    try:
        inspect.signature(function).bind(0, 0.1)
    except TypeError:
        return False
    except ValueError:  # a function without a signature
        pass
    return True
