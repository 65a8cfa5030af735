"""A callback made of functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball import _checks
from flyball.callbacks.base import Callback

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyball.callbacks.base import Logs


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
