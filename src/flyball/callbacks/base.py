"""What all callbacks are, and the list of them that ``fit`` calls."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from flyball import _checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from flyball.models import Sequential

Logs = dict[str, Any] | None
"""What hooks are told: values by name. What a hook adds, those after it and the History see."""

Phase = Literal["train", "test", "predict"]

_HOOKS: dict[Phase, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "train": (("on_train_batch_begin", "on_batch_begin"), ("on_train_batch_end", "on_batch_end")),
    "test": (("on_test_batch_begin",), ("on_test_batch_end",)),
    "predict": (("on_predict_batch_begin",), ("on_predict_batch_end",)),
}
"""The hooks of batches of a phase: before, and after."""

_STOPS = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}
"""What a hook of batches sets in the model to end a phase."""


class Callback:
    """Base of all callbacks: define the hooks you need.

    ``logs`` maps names (``loss``, ``accuracy``, ``val_loss``, ...) to the epoch's values. Setting
    ``self.model.stop_training = True`` ends training after the epoch.

    A callback whose decisions depend on earlier epochs defines :meth:`get_state` and :meth:`set_state`, so that a run
    that is resumed, or steps back, decides as it did.

    Attributes
    ----------
    model : Sequential
        The model in training.
    params : dict
        ``epochs``, ``steps`` (in an epoch) and ``verbose``.
    """

    model: Sequential
    params: Mapping[str, Any]
    runs_last: bool = False
    """Whether ``on_epoch_end`` comes after that of the others, for callbacks that keep what all have come to."""
    _watchers: CallbackList

    def set_model(self, model: Sequential) -> None:
        """Keep the model that is about to be trained."""
        self.model = model

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Keep what is known about the training."""
        self.params = params

    def get_state(self) -> dict[str, Any]:
        """Return what :meth:`set_state` needs: numbers, strings, None, NumPy arrays, and lists and dicts of them.

        What is returned must not change later: copy lists and arrays that will.
        """
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`get_state` returned; called after ``on_train_begin``, or between epochs."""

    def on_train_begin(self, logs: Logs = None) -> None:
        """Run before the first epoch."""

    def on_train_end(self, logs: Logs = None) -> None:
        """Run after training, however it ended."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Run before an epoch; the first is 0."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Run after an epoch and its validation."""

    def on_test_begin(self, logs: Logs = None) -> None:
        """Run before ``evaluate`` and each validation of ``fit``."""

    def on_test_end(self, logs: Logs = None) -> None:
        """Run after them; ``logs`` has what was found."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Run before ``predict``."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """Run after it."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Run before a step; the first of an epoch is 0.

        A callback that defines this or :meth:`on_train_batch_end` has training return to Python at every step.
        """

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Run after a step; ``logs`` has the means over the epoch so far.

        A new ``self.model.optimizer.learning_rate`` counts from the next step on, and with
        ``self.model.stop_training = True`` there is none.
        """

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Run before a step of training: another name for :meth:`on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Run after a step of training: another name for :meth:`on_train_batch_end`."""

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Run before a batch of ``evaluate``, or of a validation of ``fit``; the first is 0.

        Where a callback defines this or :meth:`on_test_batch_end`, batches are Keras': of 32 samples unless said
        otherwise, and each returns to Python.
        """

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Run after it; ``logs`` has the means so far. With ``self.model.stop_evaluating = True`` it is the last."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Run before a batch of ``predict``; the first is 0. Batches are those of :meth:`on_test_batch_begin`."""

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Run after it; ``logs["outputs"]`` are the batch's. With ``self.model.stop_predicting = True`` it is the last.

        With ``mc_dropout`` they are the batch's means and spreads.
        """


class CallbackList:
    """Calls each of the callbacks in turn; an end reaches all of them even where one raises.

    Attributes
    ----------
    completed : bool
        Whether training has come to its end by itself, not by an exception.
    """

    def __init__(self, callbacks: Iterable[Any], model: Sequential, *, trains: bool = True) -> None:
        self.callbacks: list[Callback] = []
        self._model = model
        self.completed = False
        self._begun = False
        self._states: list[tuple[str, dict[str, Any]]] | None = None
        for callback in callbacks:
            if not isinstance(callback, Callback):
                msg = f"callbacks must be instances of flyball.callbacks.Callback, got {callback!r}"
                raise TypeError(msg)
            callback.set_model(model)
            if trains:
                callback._watchers = self
            self.callbacks.append(callback)

    def release(self) -> None:
        """Let the callbacks go: they would hold each other, and the model, until a garbage collection."""
        for callback in self.callbacks:
            if vars(callback).get("_watchers") is self:
                del callback._watchers
        self.callbacks = []

    def get_states(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the state of each callback with its class's name."""
        return [(type(callback).__name__, callback.get_state()) for callback in self.callbacks]

    def set_states(self, states: list[tuple[str, dict[str, Any]]]) -> None:
        """Hand each state to the callback it belongs to: the first of a class's to the first of the class, and so on.

        Before training has begun, they wait until every callback's ``on_train_begin`` is over.
        """
        self._states = states
        if self._begun:
            self._hand_out()

    def _hand_out(self) -> None:
        states, self._states = list(self._states or ()), None
        for callback in self.callbacks:
            own = next((entry for entry in states if entry[0] == type(callback).__name__), None)
            if own is not None:
                states.remove(own)
                try:
                    callback.set_state(own[1])
                except (KeyError, TypeError, ValueError, AttributeError) as error:
                    msg = f"the state of {own[0]} must be what its get_state returned, got {_checks.shown(own[1])}"
                    raise ValueError(msg) from error

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Tell all."""
        for callback in self.callbacks:
            callback.set_params(params)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Tell all."""
        for callback in self.callbacks:
            callback.on_train_begin(logs)
        self._begun = True
        self._hand_out()

    def on_train_end(self, logs: Logs = None) -> None:
        """Tell all, then raise the first error there was."""
        _all(lambda callback: callback.on_train_end(logs), self.callbacks)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Tell all, and last those that keep what the others have come to."""
        for callback in self._in_order():
            callback.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Tell all, and last those that keep what the others have come to; then raise the first error there was."""
        _all(lambda callback: callback.on_epoch_end(epoch, logs), self._in_order())

    def _in_order(self) -> list[Callback]:
        return sorted(self.callbacks, key=lambda callback: callback.runs_last)

    @contextmanager
    def testing(self, found: dict[str, float]) -> Iterator[None]:
        """Tell all that an evaluation begins; in the end, whatever ended it, that it is over, and what was found."""
        yield from self._between("on_test_begin", "on_test_end", found)

    @contextmanager
    def predicting(self) -> Iterator[None]:
        """Tell all that a prediction begins; in the end, whatever ended it, that it is over."""
        yield from self._between("on_predict_begin", "on_predict_end", None)

    def _between(self, begin: str, end: str, found: dict[str, float] | None) -> Iterator[None]:
        try:
            for callback in self.callbacks:
                getattr(callback, begin)(None)
            yield
        finally:
            _all(lambda callback: getattr(callback, end)(found), self.callbacks)

    def watcher(self, phase: Phase, report: Callable[[Any], dict[str, Any]] | None = None) -> Watcher | None:
        """Return who hands the batches of a phase to the callbacks; None where nobody wants them.

        ``report`` makes ``logs`` of what was found.
        """
        watcher = Watcher(self.callbacks, phase, self._model, report or dict)
        return watcher if watcher.wanted else None


class Watcher:
    """Hands the batches of a phase to the callbacks that have hooks of batches.

    Attributes
    ----------
    wanted : bool
        Whether there are any.
    """

    def __init__(
        self, callbacks: Iterable[Callback], phase: Phase, model: Sequential, report: Callable[[Any], dict[str, Any]]
    ) -> None:
        self._begin, self._end = (
            [getattr(callback, name) for callback in callbacks for name in names if _defines(callback, name)]
            for names in _HOOKS[phase]
        )
        self.wanted = bool(self._begin or self._end)
        self._model, self._stop, self._report = model, _STOPS[phase], report

    def before(self, batch: int) -> None:
        """Tell that a batch begins."""
        for hook in self._begin:
            hook(batch, None)

    def after(self, batch: int, found: Any) -> bool:
        """Tell what a batch came to; return whether there is to be another."""
        if self._end:
            logs = self._report(found)
            for hook in self._end:
                hook(batch, logs)
        return not getattr(self._model, self._stop)


def _defines(callback: Callback, hook: str) -> bool:
    return hook in vars(callback) or getattr(type(callback), hook) is not getattr(Callback, hook)


def as_list(callbacks: object) -> list[Callback]:
    """Return what was given as ``callbacks``, several, one or None, as a list; Keras takes a single one too."""
    if callbacks is None:
        return []
    if isinstance(callbacks, Callback):
        return [callbacks]
    if isinstance(callbacks, (list, tuple)):
        return list(callbacks)
    msg = f"callbacks must be a list of flyball.callbacks.Callback, got {_checks.shown(callbacks)}"
    raise TypeError(msg)


def _all(tell: Callable[[Callback], None], callbacks: Iterable[Callback]) -> None:
    """Call ``tell`` with each, then raise the first error there was."""
    first: BaseException | None = None
    for callback in callbacks:
        try:
            tell(callback)
        except BaseException as error:  # raised below
            first = first or error
    if first is not None:
        raise first
