"""Averages of the weights a training passes through, and ensembles of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball.callbacks.base import Callback
from flyball.schedules import CosineDecayRestarts
from flyball.training import BatchSource, Trainer, batch_statistics_layer

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from flyball.callbacks.base import Logs


class SwapEMAWeights(Callback):
    """Evaluate and validate with the moving average of the weights, and train on with the weights.

    For an optimizer with ``use_ema=True``. With ``fit`` it is the validations that see the average; given to
    ``evaluate`` or ``predict`` in the middle of a training, those do. At the end of a training the model has the
    average in any case.

    Parameters
    ----------
    swap_on_epoch : bool
        Whether the model has the average also between epochs, where callbacks after this one, such as
        :class:`ModelCheckpoint`, see it.
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        self.swap_on_epoch = _checks.flag("swap_on_epoch", swap_on_epoch)
        self._was: list[bool] = []

    def on_train_begin(self, logs: Logs = None) -> None:
        """Refuse an optimizer that keeps no average."""
        del logs
        self._require_average()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Train on with the weights."""
        del epoch, logs
        self._put(False)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Let the callbacks after this one see the average."""
        del epoch, logs
        if self.swap_on_epoch:
            self._put(True)

    def on_train_end(self, logs: Logs = None) -> None:
        """Leave a training that was broken off with its weights."""
        del logs
        self._put(False)

    def on_test_begin(self, logs: Logs = None) -> None:
        """Evaluate the average."""
        del logs
        self._require_average()
        self._was.append(self.model._require_built().averaged)
        self._put(True)

    def on_test_end(self, logs: Logs = None) -> None:
        """Go back to the weights."""
        del logs
        if self._was:
            self._put(self._was.pop())

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Predict with the average."""
        self.on_test_begin(logs)

    def on_predict_end(self, logs: Logs = None) -> None:
        """Go back to the weights."""
        self.on_test_end(logs)

    def _require_average(self) -> None:
        optimizer = self.model.optimizer
        if optimizer is None or not optimizer.use_ema:
            msg = "SwapEMAWeights must be used with an optimizer with use_ema=True, got use_ema=False"
            raise ValueError(msg)

    def _put(self, averaged: bool) -> None:
        """Let the model have the average or not; at the end of a training it has it, and there is nothing to swap."""
        memory, optimizer = self.model._require_built(), self.model.optimizer
        begun = optimizer is not None and optimizer.steps > 0
        if begun and "average" in memory.slots and memory.averaged != averaged and not _is_done(self.model):
            memory.swap_average()


def _is_done(model: Any) -> bool:
    from flyball.program.memory import UNAVERAGED

    return UNAVERAGED in model._require_built().slots


class StochasticWeightAveraging(Callback):
    """End the training with the mean of the weights of its last epochs.

    ``w = mean of w(e) over the ends of epochs e >= start_from_epoch``, summed in float64; then the moving statistics of
    batch normalisations are recomputed with those weights. Works best with a learning rate that stays high over the
    epochs that are averaged.

    Parameters
    ----------
    start_from_epoch : int
        The first epoch, from 0, whose weights count.
    period : int
        Epochs between those that count.
    x : array (samples, ...), optional
        Samples to recompute statistics on; those of the training where they are given as an array.

    Attributes
    ----------
    count : int
        Epochs that counted so far.

    Notes
    -----
    A training that is broken off keeps the weights it has.

    References
    ----------
    Izmailov et al., "Averaging weights leads to wider optima and better generalization", 2018.
    """

    def __init__(self, start_from_epoch: int, period: int = 1, x: Any = None) -> None:
        self.start_from_epoch = _checks.integer("start_from_epoch", start_from_epoch)
        self.period = _checks.integer("period", period, 1)
        self.x = x
        self.count = 0
        self._mean: list[NDArray[np.float64]] = []

    def get_state(self) -> dict[str, Any]:
        """Return the mean so far, and of how many."""
        return {"count": self.count, "mean": [array.copy() for array in self._mean]}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.count, self._mean = state["count"], [np.array(array, np.float64) for array in state["mean"]]

    def on_train_begin(self, logs: Logs = None) -> None:
        """Forget an earlier training; find the samples for batch normalisations."""
        del logs
        self.count, self._mean = 0, []
        run = self.model._run
        if self._needs_samples() and self.x is None and not (run is not None and isinstance(run.trainer, Trainer)):
            msg = "x must be given, samples to recompute statistics on, where training is on batches, got None"
            raise ValueError(msg)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Take the weights in."""
        del logs
        past = epoch - self.start_from_epoch
        if past < 0 or past % self.period:
            return
        weights = self.model.get_weights()
        self.count += 1
        if not self._mean:
            self._mean = [np.array(weight, np.float64) for weight in weights]
        else:
            pairs = zip(self._mean, weights, strict=True)
            self._mean = [mean + (weight - mean) / self.count for mean, weight in pairs]

    def on_train_end(self, logs: Logs = None) -> None:
        """Give the model the mean."""
        del logs
        if not self._watchers.completed or not self._mean:
            return
        self.model.set_weights(self._mean)
        if self._needs_samples():
            run = self.model._run
            trained_on = run.trainer.samples if run is not None and isinstance(run.trainer, Trainer) else None
            self.model.recompute_statistics(trained_on if self.x is None else self.x)

    def _needs_samples(self) -> bool:
        return batch_statistics_layer(self.model._nodes()) is not None


class SnapshotEnsemble(Callback):
    """Train once, keep several models: the weights at the end of each cycle of a cosine learning rate.

    The learning rate falls from its initial value to zero over ``epochs / cycles`` epochs, and begins anew: each cycle
    ends in another minimum. The members predict together.

    Parameters
    ----------
    cycles : int
        Members; ``fit``'s epochs must be a multiple of it.
    initial_learning_rate : float, optional
        What each cycle begins with; the optimizer's learning rate by default.

    Attributes
    ----------
    members : list of list of ndarray
        The weights of each, as :meth:`flyball.Sequential.get_weights` returns them.

    Notes
    -----
    The optimizer must be new: its schedule counts from its first step.

    References
    ----------
    Huang et al., "Snapshot ensembles: train 1, get M for free", 2017.
    """

    def __init__(self, cycles: int, initial_learning_rate: float | None = None) -> None:
        self.cycles = _checks.integer("cycles", cycles, 1)
        rate = initial_learning_rate
        self.initial_learning_rate = None if rate is None else _checks.number("initial_learning_rate", rate, "(0, inf)")
        self.members: list[list[NDArray[Any]]] = []
        self._epochs = 1

    def get_state(self) -> dict[str, Any]:
        """Return the members so far."""
        return {"members": [[array.copy() for array in member] for member in self.members]}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.members = [list(member) for member in state["members"]]

    def on_train_begin(self, logs: Logs = None) -> None:
        """Set the schedule."""
        del logs
        self.members = []
        epochs, steps, optimizer = self.params["epochs"], self.params["steps"], self.model.optimizer
        if epochs % self.cycles:
            _checks.refuse("epochs", f"a multiple of the {self.cycles} cycles of SnapshotEnsemble", epochs)
        self._epochs = epochs // self.cycles
        if optimizer is None or steps is None:
            _checks.refuse("steps_per_epoch", "known for SnapshotEnsemble", steps)
        if optimizer.steps:
            if not optimizer.has_schedule:
                expectation = "new for SnapshotEnsemble: compile the model again, or resume a run of it"
                _checks.refuse("the optimizer", expectation, f"one after {optimizer.steps} steps")
            return
        rate = self.initial_learning_rate or optimizer.learning_rate
        optimizer.learning_rate = CosineDecayRestarts(rate, self._epochs * steps, t_mul=1.0)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """At the end of a cycle, keep the weights."""
        del logs
        if (epoch + 1) % self._epochs == 0:
            self.members.append(self.model.get_weights())

    def predict(self, x: Any, batch_size: int | None = None, steps: int | None = None) -> NDArray[Any]:
        """Return the mean of the members' predictions; the model has its own weights again afterwards.

        Parameters
        ----------
        x, batch_size, steps
            As for :meth:`flyball.Sequential.predict`. Of an iterator, which gives its batches once only, each batch is
            predicted by all members in turn.
        """
        if not self.members:
            msg = "members must be there to predict with: train for a cycle at least, got none"
            raise ValueError(msg)
        own = self.model.get_weights()
        try:
            if not hasattr(x, "__next__"):
                return self._mean_of(lambda: x, batch_size, steps)
            batches = BatchSource("x", x, _checks.optional_count("steps", steps), steps_name="steps").epoch()
            return np.concatenate([self._mean_of(partial(iter, [batch]), batch_size, None) for _, batch in batches])
        finally:
            self.model.set_weights(own)

    def _mean_of(self, make: Callable[[], Any], batch_size: int | None, steps: int | None) -> NDArray[Any]:
        outputs = []
        for member in self.members:
            self.model.set_weights(member)
            outputs.append(self.model.predict(make(), batch_size, steps=steps))
        return np.asarray(np.mean(outputs, axis=0), self.model.dtype)
