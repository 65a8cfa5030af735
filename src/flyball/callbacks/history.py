"""History: what ``fit`` returns."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from flyball.callbacks.base import Callback

if TYPE_CHECKING:
    from flyball.callbacks.base import Logs
    from flyball.models import Sequential


class History(Callback):
    """What ``fit`` returns.

    Attributes
    ----------
    epoch : list of int
        The epochs that were finished.
    history : dict of str to list of float
        Each quantity's values, one an epoch in which it was computed.
    epochs : dict of str to list of int
        The epochs in which it was.

    Notes
    -----
    It does not keep its model alive: many histories need little memory.
    """

    epoch: list[int]
    history: dict[str, list[float]]
    epochs: dict[str, list[int]]

    def __init__(self) -> None:
        self._clear()
        self._model: weakref.ref[Sequential] | None = None

    @property
    def model(self) -> Sequential:  # type: ignore[override]  # what others hold, this one only knows
        """The model that was trained; raises AttributeError once it is gone."""
        model = None if self._model is None else self._model()
        if model is None:
            msg = "the model of this History must be kept elsewhere to be there, got none"
            raise AttributeError(msg)
        return model

    def set_model(self, model: Sequential) -> None:
        """Know the model."""
        self._model = weakref.ref(model)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Forget an earlier training."""
        del logs
        self._clear()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Record the epoch."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
            self.epochs.setdefault(name, []).append(epoch)

    def get_state(self) -> dict[str, Any]:
        """Return what was recorded."""
        return {"epoch": list(self.epoch), "history": _copied(self.history), "epochs": _copied(self.epochs)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what was recorded: a resumed run returns the history of the whole of it."""
        self.epoch = list(state["epoch"])
        self.history, self.epochs = _copied(state["history"]), _copied(state["epochs"])

    def _clear(self) -> None:
        self.epoch, self.history, self.epochs = [], {}, {}

    def __getstate__(self) -> dict[str, Any]:
        """Copy and pickle what was recorded, without the model."""
        return {name: value for name, value in vars(self).items() if name != "_watchers"} | {"_model": None}


def _copied(lists: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {name: list(values) for name, values in lists.items()}
