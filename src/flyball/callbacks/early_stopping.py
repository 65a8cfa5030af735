"""Stopping when a quantity no longer improves."""

from __future__ import annotations

import math
import sys
import warnings
from typing import TYPE_CHECKING, Any

from flyball import _checks
from flyball.callbacks.base import Callback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from flyball.callbacks.base import Logs


class EarlyStopping(Callback):
    """Stop when a quantity has not improved for ``patience`` epochs.

    Parameters
    ----------
    monitor : str
        The quantity, as ``History`` names it.
    min_delta : float
        Smaller changes are no improvement.
    patience : int
        Epochs without improvement after which training stops.
    verbose : {0, 1}
        Whether to say when training is stopped and weights are restored.
    mode : {"auto", "min", "max"}
        Which direction is better; "auto" takes "max" for accuracies and "min" for everything else.
    baseline : float, optional
        Improvements that do not pass it do not count as patience's end.
    restore_best_weights : bool
        Whether the model gets the weights of its best epoch back when training ends: always, also when the epochs ran
        out, when something else stopped it, and after Ctrl-C.
    start_from_epoch : int
        Epochs before this one are not looked at.

    Attributes
    ----------
    best : float
        The best value; infinite before the first.
    best_epoch, stopped_epoch : int
        0 before there is one.

    Notes
    -----
    A quantity of training (``loss``) is a mean over the steps of an epoch, each taken with other weights. Where an
    epoch is a single step, the weights that earned the value are those from before it, and those are restored; where
    it is more, those at the epoch's end. A quantity of validation (``val_loss``) always belongs to the weights at the
    epoch's end.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        self.monitor = _checks.text("monitor", monitor)
        self.min_delta = abs(_checks.number("min_delta", min_delta))
        self.patience = _checks.integer("patience", patience)
        if verbose not in (0, 1):
            _checks.refuse("verbose", "0 or 1", verbose)
        self.verbose = verbose
        self.mode = _checks.choice("mode", mode, ("auto", "min", "max"))
        self.baseline = None if baseline is None else _checks.number("baseline", baseline)
        self.restore_best_weights = _checks.flag("restore_best_weights", restore_best_weights)
        self.start_from_epoch = _checks.integer("start_from_epoch", start_from_epoch)
        maximises = mode == "max" or (mode == "auto" and ("acc" in monitor or monitor.endswith("auc")))
        self._sign = -1.0 if maximises else 1.0
        self._reset()

    def _reset(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best = self._sign * math.inf
        self.best_epoch = 0
        self.best_weights: list[NDArray[Any]] | None = None
        self._weights_before: list[NDArray[Any]] | None = None
        self._warned = False

    def on_train_begin(self, logs: Logs = None) -> None:
        """Forget an earlier training."""
        del logs
        self._reset()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Keep the weights that the single step of this epoch will be measured with."""
        del logs
        one_step = self.params.get("steps") == 1 and not self.monitor.startswith("val_")
        if self.restore_best_weights and one_step and epoch >= self.start_from_epoch:
            self._weights_before = self.model.get_weights()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Compare, remember, and stop."""
        logs = logs or {}
        if epoch < self.start_from_epoch:
            return
        if self.monitor not in logs:
            self._warn_missing(logs)
            return
        value = logs[self.monitor]
        self.wait += 1
        if self._improves(value, self.best):
            self.best = value
            self._keep(epoch)
            if self.baseline is None or self._improves(value, self.baseline):
                self.wait = 0
            return
        if (
            self.restore_best_weights and self.best_weights is None
        ):  # nan from the first epoch on: better that epoch's weights than later ones
            self._keep(epoch)
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        """Restore the best epoch's weights."""
        del logs
        if self.stopped_epoch and self.verbose:
            sys.stdout.write(f"Epoch {self.stopped_epoch + 1}: early stopping\n")
        if self.best_weights is not None:
            if self.verbose:
                sys.stdout.write(f"Restoring model weights from the best epoch: {self.best_epoch + 1}\n")
            self.model.set_weights(self.best_weights)

    def _improves(self, value: float, reference: float) -> bool:
        return self._sign * value + self.min_delta < self._sign * reference

    def _keep(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            before, self._weights_before = self._weights_before, None
            self.best_weights = before if before is not None else self.model.get_weights()

    def _warn_missing(self, logs: Mapping[str, float]) -> None:
        if not self._warned:
            self._warned = True
            near = _checks.hint(self.monitor, logs)
            msg = f"monitor must be one of {', '.join(logs)}, got {self.monitor!r}: early stopping does nothing{near}"
            warnings.warn(msg, UserWarning, stacklevel=2)
