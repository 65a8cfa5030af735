"""Callbacks: functions of a user's own that ``fit`` calls at the beginnings and ends of training and of its epochs."""

from __future__ import annotations

import math
import sys
import warnings
from typing import TYPE_CHECKING, Any

from flyball import _checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from flyball.models import Sequential

    Logs = Mapping[str, float] | None

__all__ = ["Callback", "CallbackList", "EarlyStopping", "History", "LambdaCallback"]

# Hooks of Keras that no training calls here: a callback that has one would wait for it in vain.
_UNCALLED = tuple(
    f"on_{phase}{edge}"
    for phase in ("batch_", "test_", "test_batch_", "predict_", "predict_batch_")
    for edge in ("begin", "end")
)


class Callback:
    """Base of all callbacks: define the hooks you need.

    ``logs`` maps names (``loss``, ``accuracy``, ``val_loss``, ...) to the epoch's values. Setting
    ``self.model.stop_training = True`` ends training after the epoch.

    Attributes
    ----------
    model : Sequential
        The model in training.
    params : dict
        ``epochs``, ``steps`` (in an epoch) and ``verbose``.
    """

    model: Sequential
    params: Mapping[str, Any]

    def set_model(self, model: Sequential) -> None:
        """Keep the model that is about to be trained."""
        self.model = model

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Keep what is known about the training."""
        self.params = params

    def on_train_begin(self, logs: Logs = None) -> None:
        """Run before the first epoch."""

    def on_train_end(self, logs: Logs = None) -> None:
        """Run after training, however it ended."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Run before an epoch; the first is 0."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Run after an epoch and its validation."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Run before a step; the first of an epoch is 0.

        A callback that defines this or :meth:`on_train_batch_end` has training return to Python at every step.
        """

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Run after a step; ``logs`` has the means over the epoch so far.

        A new ``self.model.optimizer.learning_rate`` counts from the next step on, and with
        ``self.model.stop_training = True`` there is none.
        """


class CallbackList:
    """Calls each of the callbacks in turn; ``on_train_end`` reaches all of them even where one raises."""

    def __init__(self, callbacks: Iterable[Any], model: Sequential) -> None:
        self.callbacks: list[Callback] = []
        for callback in callbacks:
            if not isinstance(callback, Callback):
                msg = f"callbacks must be instances of flyball.callbacks.Callback, got {callback!r}"
                raise TypeError(msg)
            for hook in _UNCALLED:
                if hasattr(callback, hook):
                    msg = (
                        f"callbacks must use hooks of training (on_train_..., on_epoch_..., on_train_batch_...), "
                        f"got {type(callback).__name__} with {hook}, which is never called"
                    )
                    raise ValueError(msg)
            callback.set_model(model)
            self.callbacks.append(callback)

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Tell all."""
        for callback in self.callbacks:
            callback.set_params(params)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Tell all."""
        for callback in self.callbacks:
            callback.on_train_begin(logs)

    def on_train_end(self, logs: Logs = None) -> None:
        """Tell all, then raise the first error there was."""
        first: BaseException | None = None
        for callback in self.callbacks:
            try:
                callback.on_train_end(logs)
            except BaseException as error:  # raised below
                first = first or error
        if first is not None:
            raise first

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Tell all."""
        for callback in self.callbacks:
            callback.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Tell all."""
        for callback in self.callbacks:
            callback.on_epoch_end(epoch, logs)

    @property
    def wants_batches(self) -> bool:
        """Whether one defines a hook of steps."""
        hooks = ("on_train_batch_begin", "on_train_batch_end")
        return any(
            hook in vars(callback) or getattr(type(callback), hook) is not getattr(Callback, hook)
            for callback in self.callbacks
            for hook in hooks
        )

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Tell all."""
        for callback in self.callbacks:
            callback.on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Tell all."""
        for callback in self.callbacks:
            callback.on_train_batch_end(batch, logs)


class History(Callback):
    """What ``fit`` returns.

    Attributes
    ----------
    epoch : list of int
        The epochs that were finished.
    history : dict of str to list of float
        Each quantity's values, one an epoch in which it was computed.
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}

    def on_train_begin(self, logs: Logs = None) -> None:
        """Forget an earlier training."""
        del logs
        self.epoch, self.history = [], {}

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Record the epoch."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


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


class LambdaCallback(Callback):
    """Calls functions.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : callable, optional
        Called with (epoch, logs).
    on_train_begin, on_train_end : callable, optional
        Called with (logs).
    on_train_batch_begin, on_train_batch_end : callable, optional
        Called with (batch, logs); training returns to Python at every step for them.
    """

    def __init__(
        self,
        on_epoch_begin: Callable[[int, Logs], object] | None = None,
        on_epoch_end: Callable[[int, Logs], object] | None = None,
        on_train_begin: Callable[[Logs], object] | None = None,
        on_train_end: Callable[[Logs], object] | None = None,
        on_train_batch_begin: Callable[[int, Logs], object] | None = None,
        on_train_batch_end: Callable[[int, Logs], object] | None = None,
    ) -> None:
        self._epoch_begin = _function("on_epoch_begin", on_epoch_begin)
        self._epoch_end = _function("on_epoch_end", on_epoch_end)
        self._train_begin = _function("on_train_begin", on_train_begin)
        self._train_end = _function("on_train_end", on_train_end)
        # Only what is given becomes a hook of steps: fit does not return to Python for others.
        given = {"on_train_batch_begin": on_train_batch_begin, "on_train_batch_end": on_train_batch_end}
        vars(self).update({name: _function(name, hook) for name, hook in given.items() if hook is not None})

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Call the function given for it."""
        self._epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Call the function given for it."""
        self._epoch_end(epoch, logs)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Call the function given for it."""
        self._train_begin(logs)

    def on_train_end(self, logs: Logs = None) -> None:
        """Call the function given for it."""
        self._train_end(logs)


def _function(name: str, function: Callable[..., object] | None) -> Callable[..., object]:
    if function is not None and not callable(function):
        _checks.refuse(name, "callable", function)
    return function or (lambda *_: None)
