"""History: what ``fit`` returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.callbacks.base import Callback

if TYPE_CHECKING:
    from flyball.callbacks.base import Logs


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

    def get_state(self) -> dict[str, Any]:
        """Return what was recorded."""
        return {"epoch": list(self.epoch), "history": {name: list(values) for name, values in self.history.items()}}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what was recorded: a resumed run returns the history of the whole of it."""
        self.epoch = list(state["epoch"])
        self.history = {name: list(values) for name, values in state["history"].items()}
