"""A callback made of functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball import _checks
from flyball._registry import parameters
from flyball.callbacks.base import Callback

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyball.callbacks.base import Logs


_OTHERS = (
    *("on_test_begin", "on_test_end", "on_test_batch_begin", "on_test_batch_end"),
    *("on_predict_begin", "on_predict_end", "on_predict_batch_begin", "on_predict_batch_end"),
)


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
    **others : callable
        ``on_test_begin``, ``on_test_end``, ``on_predict_begin``, ``on_predict_end``, called with (logs), and
        ``on_test_batch_begin``, ``on_test_batch_end``, ``on_predict_batch_begin``, ``on_predict_batch_end``, called
        with (batch, logs).
    """

    def __init__(
        self,
        on_epoch_begin: Callable[[int, Logs], object] | None = None,
        on_epoch_end: Callable[[int, Logs], object] | None = None,
        on_train_begin: Callable[[Logs], object] | None = None,
        on_train_end: Callable[[Logs], object] | None = None,
        on_train_batch_begin: Callable[[int, Logs], object] | None = None,
        on_train_batch_end: Callable[[int, Logs], object] | None = None,
        **others: Callable[..., object] | None,
    ) -> None:
        unknown = {name: hook for name, hook in others.items() if name not in _OTHERS}
        _checks.no_more_arguments("LambdaCallback", unknown, [*parameters(LambdaCallback), *_OTHERS])
        self._epoch_begin = _function("on_epoch_begin", on_epoch_begin)
        self._epoch_end = _function("on_epoch_end", on_epoch_end)
        self._train_begin = _function("on_train_begin", on_train_begin)
        self._train_end = _function("on_train_end", on_train_end)
        # Only what is given becomes a hook of steps: fit does not return to Python for others.
        given: dict[str, Callable[..., object] | None] = {"on_train_batch_begin": on_train_batch_begin}
        given |= {"on_train_batch_end": on_train_batch_end, **others}
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
