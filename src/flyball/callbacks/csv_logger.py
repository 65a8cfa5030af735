"""A log of epochs as a table."""

from __future__ import annotations

import csv
import io
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from flyball import _checks
from flyball.callbacks.base import Callback
from flyball.saving import files

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from flyball.callbacks.base import Logs


class CSVLogger(Callback):
    """Write what each epoch came to as a row of a CSV file, at once.

    Columns are ``epoch``, from 0, and the quantities in alphabetic order; where the first epoch has none of validation,
    there are columns for them nevertheless. What an epoch lacks is ``NA``; what the
    first one lacks is left out, with a warning.

    Parameters
    ----------
    filename : path
    separator : str
        One character.
    append : bool
        Whether to go on with an existing file, which must have the same columns. A training that starts at a later
        epoch than the first, because it is resumed, takes the place of the rows that a run before it wrote for that
        epoch and later ones, so that no epoch is there twice; a line that was cut off is removed.

    Notes
    -----
    Where a training steps back to an earlier epoch (:class:`flyball.callbacks.Steering`), the rows of the epochs after
    it go: the file is written anew, at once.
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        self.filename = Path(filename)
        if len(_checks.text("separator", separator)) != 1 or separator in '\n\r"':
            _checks.refuse("separator", "one character, no quote and no line break", separator)
        self.sep = separator
        self.append = _checks.flag("append", append)
        self._file: TextIO | None = None
        self._columns: list[str] | None = None
        self._begins, self._warned = True, False
        self._rows = 0

    def get_state(self) -> dict[str, Any]:
        """Return the number of rows."""
        return {"rows": self._rows}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take back the rows written since then; before its first epoch a resumed training has written none."""
        since = self._rows - state["rows"]
        if since > 0:
            self._rewrite(self._read()[0][:-since])
        self._rows = state["rows"]

    def on_train_begin(self, logs: Logs = None) -> None:
        """Open the file: a folder that cannot be written to is an error now, not after an epoch."""
        del logs
        self._columns, self._begins, self._warned, self._rows = None, True, False, 0
        self._file = self.filename.open("a" if self.append else "w", newline="", encoding="utf-8")

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Before the first epoch, make the file one to go on with."""
        del logs
        if self.append and self._columns is None:
            self._go_on_from(epoch)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write the row."""
        logs = logs or {}
        if self._file is None:
            return
        if self._columns is None:
            names = sorted(logs)
            if not any(name.startswith("val_") for name in names):
                names += [f"val_{name}" for name in names if name != "learning_rate"]
            self._columns = ["epoch", *names]
            self._write(self._columns)
        self._require_columns(logs)
        self._write([str(epoch), *(_text(logs.get(name)) for name in self._columns[1:])])
        self._rows += 1

    def _require_columns(self, logs: Mapping[str, float]) -> None:
        """Refuse another training's file; a quantity that appears later must not cost the training."""
        without = sorted(set(logs) - set(self._columns or ()))
        if without and self._begins:
            expected = f"a log of {', '.join(['epoch', *sorted(logs)])} to append to"
            _checks.refuse("filename", expected, self._columns)
        if without and not self._warned:
            self._warned = True
            msg = f"the first epoch must have all quantities that CSVLogger writes, got {', '.join(without)} later"
            warnings.warn(msg, UserWarning, stacklevel=2)
        self._begins = False

    def on_train_end(self, logs: Logs = None) -> None:
        """Close the file."""
        del logs
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, row: list[str]) -> None:
        if self._file is not None:
            csv.writer(self._file, delimiter=self.sep).writerow(row)
            self._file.flush()

    def _go_on_from(self, epoch: int) -> None:
        rows, torn = self._read()
        if not rows:
            return
        if rows[0][0] != "epoch":
            _checks.refuse("filename", "a log whose first column is epoch, to append to", rows[0])
        self._columns = rows[0]
        kept = rows
        while epoch > 0 and len(kept) > 1 and kept[-1][0].isdigit() and int(kept[-1][0]) >= epoch:
            kept = kept[:-1]
        if len(kept) < len(rows) or torn:
            self._rewrite(kept)

    def _read(self) -> tuple[list[list[str]], bool]:
        """Return the rows of the file, and whether there is part of another, cut off."""
        text = self.filename.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        return list(csv.reader(io.StringIO(whole), delimiter=self.sep)), whole != text

    def _rewrite(self, rows: list[list[str]]) -> None:
        buffer = io.StringIO()
        csv.writer(buffer, delimiter=self.sep).writerows(rows)
        if self._file is not None:
            self._file.close()
        files.replace(self.filename, buffer.getvalue().encode())
        self._file = self.filename.open("a", newline="", encoding="utf-8")


def _text(value: float | None) -> str:
    return "NA" if value is None else "nan" if math.isnan(value) else repr(float(value))
