"""Runs that survive: everything a training needs to go on, in a file, bit for bit."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import _checks
from flyball.callbacks.base import Callback
from flyball.callbacks.checkpoints import check_save_freq
from flyball.saving import checkpoint

if TYPE_CHECKING:
    from flyball.callbacks.base import Logs

FILENAME = "latest.safetensors"
PREVIOUS = "previous.safetensors"


class BackupAndRestore(Callback):
    """Keep a run's state in a folder, and go on from there when the same run is started again.

    A script that is killed and started again ends with the bits of one that was not: the same
    ``model.fingerprint()``, and the same history, whole. What is kept: weights and running statistics, the optimizer's
    arrays and step count, its learning rate and other settings, regularizers, the seed, the place inside the epoch,
    and the state of all callbacks.

    Parameters
    ----------
    backup_dir : path
        A folder for this run's backup and nothing else; it is made where it is not there.
    save_freq : "epoch" or int
        When: after each epoch, or also after this many steps, for which training returns to Python at every step.
    double_checkpoint : bool
        Whether the backup before the last is kept as well, and used where the last is damaged. Files are written
        beside their place, flushed and renamed, so that a crash damages none; a disk may.
    delete_checkpoint : bool
        Whether the backup is removed when training has come to its end.

    Notes
    -----
    When a run is broken off by Ctrl-C or by an error, its state goes into the backup as well, in the middle of an
    epoch if need be: nothing learnt is lost.

    Data, layers and arguments of ``fit`` must be the same: ``fit`` is told where to begin, not what to do. Of batches,
    those before the place are skipped; metrics that need all outputs of an epoch (areas under curves, for one) then
    have those after it only, in that one epoch.
    """

    runs_last = True

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        if not os.fspath(backup_dir):
            _checks.refuse("backup_dir", "the path of a folder", backup_dir)
        self.backup_dir = Path(backup_dir)
        self.save_freq = check_save_freq(save_freq)
        self.double_checkpoint = _checks.flag("double_checkpoint", double_checkpoint)
        self.delete_checkpoint = _checks.flag("delete_checkpoint", delete_checkpoint)
        self._since = 0
        if self.save_freq != "epoch":  # only then a hook of steps
            vars(self)["on_train_batch_end"] = self._after_step

    def get_state(self) -> dict[str, Any]:
        """Return the steps since the last backup that steps asked for."""
        return {"since": self._since}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._since = state["since"]

    def on_train_begin(self, logs: Logs = None) -> None:
        """Go on from the backup, if there is one."""
        del logs
        self._since = 0
        self.backup_dir.mkdir(parents=True, exist_ok=True)
        for torn in self.backup_dir.glob(f".{FILENAME}.*.tmp"):  # of a run that was killed while it wrote
            torn.unlink(missing_ok=True)
        latest, previous = self.backup_dir / FILENAME, self.backup_dir / PREVIOUS
        for path in (latest, previous):
            if path.exists():
                try:
                    self._restore(path)
                except ValueError:
                    if path == previous or not previous.exists():
                        raise
                else:
                    return

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Back up."""
        del epoch, logs
        self._save()

    def on_train_end(self, logs: Logs = None) -> None:
        """Remove the backup of a training that is complete; keep one of what another has learnt."""
        del logs
        if not self._watchers.completed:
            self._save()
        elif self.delete_checkpoint:
            for name in (FILENAME, PREVIOUS):
                (self.backup_dir / name).unlink(missing_ok=True)
            with suppress(OSError):  # someone else's files may be in it
                self.backup_dir.rmdir()

    def _after_step(self, batch: int, logs: Logs = None) -> None:
        del batch, logs
        self._since += 1
        if self._since >= int(self.save_freq):
            self._since = 0
            self._save()

    def _save(self) -> None:
        latest = self.backup_dir / FILENAME
        self.backup_dir.mkdir(parents=True, exist_ok=True)
        state = checkpoint.capture(self.model, self._watchers.get_states())
        if self.double_checkpoint and latest.exists():
            latest.replace(self.backup_dir / PREVIOUS)
        checkpoint.save(state, latest)

    def _restore(self, path: Path) -> None:
        state = checkpoint.load(path, checkpoint.own_objects(self.model))
        try:
            checkpoint.restore(self.model, state)
        except ValueError as error:
            msg = f"backup_dir must have the backup of this run, got {os.fspath(path)!r}, where {error}"
            raise ValueError(msg) from error
        self._watchers.set_states(state.callbacks)
