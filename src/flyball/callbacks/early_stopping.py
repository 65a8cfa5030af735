"""Stopping when a quantity no longer improves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball import _checks
from flyball.callbacks.monitoring import MonitorCallback

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.callbacks.base import Logs


_STATE = ("wait", "stopped_epoch", "best", "best_epoch", "best_weights")


class EarlyStopping(MonitorCallback):
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

    consequence = "early stopping does nothing"

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
        super().__init__(monitor, mode, min_delta, verbose)
        self.patience = _checks.integer("patience", patience)
        self.baseline = None if baseline is None else _checks.number("baseline", baseline)
        self.restore_best_weights = _checks.flag("restore_best_weights", restore_best_weights)
        self.start_from_epoch = _checks.integer("start_from_epoch", start_from_epoch)
        self._reset()

    def _reset(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best = self.worst
        self.best_epoch = 0
        self.best_weights: list[NDArray[Any]] | None = None
        self._weights_before: list[NDArray[Any]] | None = None
        self._warned = False

    def get_state(self) -> dict[str, Any]:
        """Return what was the best so far, and how long ago."""
        return {name: getattr(self, name) for name in _STATE}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        vars(self).update({name: state[name] for name in _STATE})

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
        value = None if epoch < self.start_from_epoch else self.current(logs)
        if value is None:
            return
        self.wait += 1
        if self.improves(value, self.best):
            self.best = value
            self._keep(epoch)
            if self.baseline is None or self.improves(value, self.baseline):
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
        if self.stopped_epoch:
            self.say(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            self.say(f"Restoring model weights from the best epoch: {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)

    def _keep(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            before, self._weights_before = self._weights_before, None
            self.best_weights = before if before is not None else self.model.get_weights()
