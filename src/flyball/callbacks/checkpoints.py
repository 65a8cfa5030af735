"""Models in files while they train."""

from __future__ import annotations

import os
import string
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import _checks
from flyball.callbacks.monitoring import MonitorCallback

if TYPE_CHECKING:
    from flyball.callbacks.base import Logs


class ModelCheckpoint(MonitorCallback):
    """Save the model while it trains.

    Files are written beside their place, flushed to the disk and renamed: a crash leaves the old one or the new one.

    Parameters
    ----------
    filepath : path
        May have fields in braces: ``epoch`` (from 1), with an integer ``save_freq`` also ``batch`` (from 1), and the
        quantities of the epoch: ``"{epoch:02d}-{val_loss:.2f}.safetensors"``. Folders are made.
    monitor : str
        The quantity that ``save_best_only`` goes by, as ``History`` names it.
    verbose : {0, 1}
        Whether to say what is saved.
    save_best_only : bool
        Whether to save only what is better than all before.
    save_weights_only : bool
        Whether the file is :func:`flyball.saving.save_weights`' or, with all that training needs to go on,
        :func:`flyball.saving.save_model`'s.
    mode : {"auto", "min", "max"}
        Which direction is better; "auto" takes "max" for accuracies and their kin, "min" for everything else.
    save_freq : "epoch" or int
        When: after each epoch, or after this many steps, for which training returns to Python at every step.
    initial_value_threshold : float, optional
        What the first saved model must be better than.

    Attributes
    ----------
    best : float
        The best value so far.

    Notes
    -----
    A quantity that is not a number is never the best. After Ctrl-C the files are those of the epochs that were
    finished; :class:`BackupAndRestore` keeps the steps after them too.
    """

    consequence = "every model is saved"

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, 0.0, verbose)
        self.filepath = os.fspath(filepath)
        self._fields = _fields(self.filepath)
        self.save_best_only = _checks.flag("save_best_only", save_best_only)
        self.save_weights_only = _checks.flag("save_weights_only", save_weights_only)
        self.save_freq = check_save_freq(save_freq)
        threshold = initial_value_threshold
        self.initial_value_threshold = (
            None if threshold is None else _checks.number("initial_value_threshold", threshold)
        )
        self.best = self.worst if self.initial_value_threshold is None else self.initial_value_threshold
        self._epoch = 0
        self._since = 0
        if self.save_freq != "epoch":  # only then a hook of steps
            vars(self)["on_train_batch_end"] = self._after_step

    def get_state(self) -> dict[str, Any]:
        """Return the best value, and the steps since the last file."""
        return {"best": self.best, "since": self._since}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.best, self._since = state["best"], state["since"]

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Know the epoch."""
        del logs
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Save."""
        if self.save_freq == "epoch":
            self._save(epoch, {}, logs)

    def _after_step(self, batch: int, logs: Logs = None) -> None:
        self._since += 1
        if self._since >= int(self.save_freq):
            self._since = 0
            self._save(self._epoch, {"batch": batch + 1}, logs)

    def _save(self, epoch: int, step: dict[str, int], logs: Logs) -> None:
        prefix = f"Epoch {epoch + 1}:"
        path = self._path({"epoch": epoch + 1, **step, **(logs or {})})
        value = self.current(logs) if self.save_best_only else None
        if value is not None:
            if not self.improves(value, self.best):
                self.say(f"{prefix} {self.monitor} did not improve from {self.best:.5f}")
                return
            self.say(f"{prefix} {self.monitor} improved from {self.best:.5f} to {value:.5f}, saving model to {path}")
        else:
            self.say(f"{prefix} saving model to {path}")
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if value is not None:  # a file that could not be written is not the best one
            self.best = value

    def _path(self, values: dict[str, float]) -> Path:
        unknown = [name for name in self._fields if name not in values]
        if unknown:
            expected = f"a template of {', '.join(values)}"
            msg = f"filepath must be {expected}, got {self.filepath!r}{_checks.hint(unknown[0], values)}"
            raise ValueError(msg)
        return Path(self.filepath.format(**values))


def check_save_freq(save_freq: str | int) -> str | int:
    """Return ``save_freq`` if it is "epoch" or a positive integer."""
    if save_freq == "epoch":
        return "epoch"
    if isinstance(save_freq, str):
        _checks.refuse("save_freq", "'epoch' or a positive integer", save_freq)
    return _checks.integer("save_freq", save_freq, 1)


def _fields(template: str) -> list[str]:
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as error:
        msg = f"filepath must be a path or a template of names in braces, got {template!r}: {error}"
        raise ValueError(msg) from error
    if not template or any(not name.isidentifier() for name in names):  # "{}", "{0}", "{epoch.real}"
        _checks.refuse("filepath", "a path or a template of names in braces", template)
    return names
