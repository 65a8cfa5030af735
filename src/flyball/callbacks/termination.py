"""What happens when a training diverges: it stops, and says where it first went wrong."""

from __future__ import annotations

import math
import time
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from flyball import _checks
from flyball.callbacks.base import Callback
from flyball.callbacks.divergence import Finding, describe_weights, first_of_step
from flyball.training import Trainer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.callbacks.base import Logs
    from flyball.models.run import Run

STEPS = 256
"""At least so many steps lie between two snapshots of a training: they cost less than 1 % then."""
SECONDS = 1.0
"""Inside a long epoch, snapshots are this far apart: running again from one takes a few times as long."""
LARGEST = 1 << 28
"""Bytes of parameters and state above which there are no snapshots."""

ADVICE = (
    "A smaller learning rate, clipnorm=1.0 in the optimizer, or inputs and targets scaled to a spread of about 1 "
    "usually help."
)


class DivergenceWarning(RuntimeWarning):
    """A training came to numbers that are not finite, and was stopped."""


class _Epoch(NamedTuple):
    number: int
    epoch: int
    steps: int
    learning_rate: Any


class _Snapshot(NamedTuple):
    trainer: Trainer
    program: object
    arrays: list[NDArray[Any]]
    steps: int
    done: int


class TerminateOnNaN(Callback):
    """Stop when the loss is not a finite number, and say where the training first went wrong.

    ``fit`` has one by default; ``fit(terminate_on_nan=False)`` has none. The loss is looked at ten times a second and
    after each epoch. When it is not finite, the last steps are run again, one by one, until the first whose numbers
    are not finite is found: its epoch and step, the layer, whether it was its outputs, its gradient or its weights, the
    loss before, and the learning rate. The model keeps what it has; :class:`EarlyStopping` with
    ``restore_best_weights`` gives back what it had.

    Parameters
    ----------
    raise_error : bool
        Whether to raise instead of stopping with a :class:`DivergenceWarning`.

    Raises
    ------
    RuntimeError
        Where the loss is not finite, with ``raise_error``.

    Notes
    -----
    Batches that come from an iterable cannot be run again: their step is the first whose loss was not finite.
    """

    runs_last = True

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = _checks.flag("raise_error", raise_error)
        self._snapshot: _Snapshot | None = None
        self._since: list[_Epoch] = []
        self._taken = 0.0

    def on_train_begin(self, logs: Logs = None) -> None:
        """Forget an earlier training."""
        del logs
        self._snapshot, self._since = None, []

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Remember where the epoch begins."""
        del logs
        run, optimizer = self.model._run, self.model.optimizer
        if run is None or optimizer is None or not isinstance(run.trainer, Trainer):
            return
        old = self._snapshot
        if (
            old is None
            or old.trainer is not run.trainer
            or old.program is not run.trainer.program
            or optimizer.steps - old.steps >= STEPS
            or optimizer.steps < old.steps
        ):
            self._take(run.trainer, 0 if run.position is None else run.position.done, optimizer.steps)
        now = optimizer.steps
        while self._since and self._since[-1].steps >= now:  # a step back undoes epochs
            self._since.pop()
        self._since.append(_Epoch(self.model._epochs, epoch, now, optimizer._learning_rate))

    def on_progress(self, done: int) -> bool:
        """Look at an epoch of which ``done`` steps are done; return whether it goes on."""
        run = self.model._run
        if run is None:
            return True
        if not run.trainer.loss_is_finite():
            return False
        if isinstance(run.trainer, Trainer) and self._since and time.perf_counter() - self._taken >= SECONDS:
            current = self._since[-1]
            self._take(run.trainer, done, run.trainer.optimizer.steps)
            self._since.append(current)
        return True

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Look at what the epoch came to."""
        run = self.model._run
        values = [value for name, value in (logs or {}).items() if name in ("loss", "val_loss")]
        if run is not None and not all(map(math.isfinite, values)):
            self._diverged(run, epoch)

    def on_train_end(self, logs: Logs = None) -> None:
        """Let the memory go."""
        del logs
        self._forget()
        self._since = []

    def _forget(self) -> None:
        if self._snapshot is not None:
            self._snapshot.trainer.keep(self._snapshot.arrays)
        self._snapshot = None

    def _take(self, trainer: Trainer, done: int, steps: int) -> None:
        self._since = []
        self._taken = time.perf_counter()
        self._forget()
        if sum(array.nbytes for array in trainer.memory.arrays()) <= LARGEST:
            self._snapshot = _Snapshot(trainer, trainer.program, trainer.copies(), steps, done)

    def _diverged(self, run: Run, epoch: int) -> None:
        self.model.stop_training = True
        trainer = run.trainer
        finding = self._replayed(trainer) if isinstance(trainer, Trainer) else None
        if finding is None:
            what = None if isinstance(trainer, Trainer) else first_of_step(self.model, trainer, trainer.last_rows)
            finding = Finding(f"epoch {epoch + 1}, step {trainer.done}", what or describe_weights(self.model))
        msg = f"training diverged in {finding.where}: {finding.what}. {finding.circumstances}{ADVICE}"
        if self.raise_error:
            raise RuntimeError(msg)
        warnings.warn(msg, DivergenceWarning, stacklevel=2)

    def _replayed(self, trainer: Trainer) -> Finding | None:
        """Run again from the snapshot until numbers are not finite; leave everything as it was."""
        snapshot = self._snapshot
        arrays = trainer.memory.arrays()
        if snapshot is None or snapshot.trainer is not trainer or len(snapshot.arrays) != len(arrays):
            return None
        optimizer = trainer.optimizer
        now = [array.copy() for array in arrays]
        counts, position = (optimizer.steps, optimizer._learning_rate), trainer.position()
        try:
            _set(trainer, snapshot.arrays)
            optimizer.steps = snapshot.steps
            return self._first_bad_step(trainer, snapshot.done)
        finally:
            _set(trainer, now)
            optimizer.steps, optimizer.learning_rate = counts
            trainer.go_to(position)

    def _first_bad_step(self, trainer: Trainer, done: int) -> Finding | None:
        before: float | None = None
        for entry in self._since:
            trainer.optimizer.learning_rate = entry.learning_rate
            for step in trainer.replay(entry.number, entry.epoch, done):
                what = first_of_step(self.model, trainer, step.rows)
                if what is not None:
                    where = f"epoch {entry.epoch + 1}, step {trainer.done} of {trainer.steps}"
                    loss = "" if before is None else f"The loss of the step before was {before:.4g}. "
                    return Finding(where, what, f"{loss}The learning rate was {step.learning_rate:g}. ")
                before = step.loss
            done = 0
        return None


def _set(trainer: Trainer, values: list[NDArray[Any]]) -> None:
    for array, value in zip(trainer.memory.arrays(), values, strict=True):
        array[...] = value
