"""The target column: which task it means, and how labels or values go into a network and come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.cli import columns, encoders
from flyball.cli.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MAX_INTEGER_CLASSES = 20
"""Whole numbers with at most so many distinct values are classes, with more a quantity."""

MIN_ROWS_PER_CLASS = 3
"""One for training, one for validation, one for the test."""

MIN_ROWS = 10
"""Fewer rows than this are no table to learn from."""

Label = str | int | float | bool


@dataclass(frozen=True)
class ClassTarget:
    """Labels as the numbers 0, 1, ... in the order of ``classes``."""

    name: str
    classes: tuple[Label, ...]

    task = "classification"

    @property
    def outputs(self) -> int:
        """Units of the network's last layer."""
        return len(self.classes)

    def decode(self, outputs: NDArray[Any]) -> NDArray[np.object_]:
        """Most probable label of each row of probabilities (n, classes)."""
        labels = np.empty(len(self.classes), dtype=object)
        labels[:] = self.classes
        decoded: NDArray[np.object_] = labels[np.argmax(outputs, axis=1)]
        return decoded

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"task": self.task, "name": self.name, "classes": list(self.classes)}


@dataclass(frozen=True)
class NumberTarget:
    """A quantity, standardised for the network with ``mean`` and ``scale`` of the training rows."""

    name: str
    mean: float
    scale: float

    task = "regression"
    outputs = 1

    @classmethod
    def fit(cls, name: str, values: NDArray[np.float64]) -> NumberTarget:
        """Fit on the training rows' values."""
        return cls(name, *encoders.standardisation(values))

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Standardise (n,)."""
        return encoders.standardise(values, self.mean, self.scale).astype(np.float32)

    def decode(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """Value of each row of the network's output (n, 1), in the target's own unit."""
        return np.asarray(outputs, dtype=np.float64).reshape(len(outputs)) * self.scale + self.mean

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"task": self.task, "name": self.name, "mean": self.mean, "scale": self.scale}


Target = ClassTarget | NumberTarget


def target_from_dict(stored: object) -> Target:
    """Return the target of ``to_dict``, checking every entry.

    Raises
    ------
    ValueError
        If an entry is absent, superfluous, of the wrong type or meaningless.
    """
    task = stored.get("task") if isinstance(stored, dict) else None
    expected = {"classification": {"task", "name", "classes"}, "regression": {"task", "name", "mean", "scale"}}
    if not isinstance(stored, dict) or not isinstance(task, str) or set(stored) != expected.get(task):
        message = f"target must be an object with a task and its entries, got {stored!r:.80}"
        raise ValueError(message)
    name = encoders.check(stored["name"], str, "name")
    if task == "regression":
        mean = encoders.check(stored["mean"], float, "mean")
        scale = encoders.check(stored["scale"], float, "scale")
        if scale <= 0:
            message = f"scale must be positive, got {scale}"
            raise ValueError(message)
        return NumberTarget(name, mean, scale)
    classes = stored["classes"]
    fine = isinstance(classes, list) and len(classes) >= 2 and all(type(c) in (str, int, float, bool) for c in classes)
    if not fine or len({repr(label) for label in classes}) != len(classes):
        message = f"classes must be at least two distinct labels, got {classes!r:.80}"
        raise ValueError(message)
    return ClassTarget(name, tuple(classes))


def present_rows(column: pd.Series[Any]) -> NDArray[np.bool_]:
    """Return which rows have a target."""
    if columns.kind_of(column) == "number":
        return ~np.isnan(columns.parse(column, "number"))
    return columns.has_value(columns.texts(column))


def task_of(column: pd.Series[Any]) -> str:
    """Return ``"classification"`` or ``"regression"``, by what a column without missing values holds.

    Text, booleans and whole numbers with few distinct values are classes; other numbers are quantities. Whole numbers
    written with a decimal point are quantities too.

    Raises
    ------
    InputError
        If the column holds datetimes.
    """
    kind = columns.kind_of(column)
    if kind == "datetime":
        message = f"--target must be numbers or classes, got the datetimes of column {column.name!r}"
        raise InputError(message)
    if kind != "number":
        return "classification"
    values = columns.parse(column, kind)
    few = min(MAX_INTEGER_CLASSES, max(2, len(values) // 5))
    return "classification" if _whole(column, values) and len(np.unique(values)) <= few else "regression"


def _whole(column: pd.Series[Any], values: NDArray[np.float64]) -> bool:
    """Return whether a column of numbers was stored as integers."""
    if not bool(np.all(np.isfinite(values) & (values == np.floor(values)))):
        return False
    if column.dtype.kind == "f":
        return False
    return column.dtype.kind in "iu" or not any("." in text or "e" in text.lower() for text in columns.texts(column))


def classes_of(column: pd.Series[Any]) -> tuple[tuple[Label, ...], NDArray[np.int64]]:
    """Return the labels, sorted, and each row's index into them.

    Raises
    ------
    InputError
        If there is one class only, or one with fewer than :data:`MIN_ROWS_PER_CLASS` rows.
    """
    kind = columns.kind_of(column)
    labels: NDArray[Any]
    if kind in ("number", "boolean"):
        values = columns.parse(column, kind)
        labels, index = np.unique(values, return_inverse=True)
        if kind == "boolean":
            names: list[Label] = [bool(label) for label in labels]
        elif np.all(np.isfinite(labels)) and np.all(labels == np.floor(labels)) and np.all(np.abs(labels) < 2**53):
            names = [int(label) for label in labels]
        else:
            names = [str(label) for label in labels]
    else:
        labels, index = np.unique(columns.texts(column).astype(str), return_inverse=True)
        names = [str(label) for label in labels]
    counts = np.bincount(index)
    if len(names) < 2:
        message = f"--target must have at least two classes, got {names[0]!r} in every row of column {column.name!r}"
        raise InputError(message)
    rarest = int(np.argmin(counts))
    if counts[rarest] < MIN_ROWS_PER_CLASS:
        got = f"{counts[rarest]} of {names[rarest]!r} in column {column.name!r}"
        hint = "; for a quantity there is --task regression" if kind == "number" else ""
        message = f"--target must have at least {MIN_ROWS_PER_CLASS} rows of every class, got {got}{hint}"
        raise InputError(message)
    return tuple(names), index.astype(np.int64)


def numbers_of(column: pd.Series[Any]) -> NDArray[np.float64]:
    """Return the target of a regression.

    Raises
    ------
    InputError
        If a value is no finite number, or all are the same.
    """
    if columns.kind_of(column) not in ("number", "boolean"):
        columns.parse(column, "number")
    values = columns.parse(column, columns.kind_of(column) or "number")
    infinite = np.flatnonzero(~np.isfinite(values))
    if len(infinite):
        message = f"--target must be finite, got {values[infinite[0]]} in row {infinite[0] + 1} of {column.name!r}"
        raise InputError(message)
    if np.all(values == values[0]):
        message = f"--target must vary, got {values[0]:g} in every row of column {column.name!r}"
        raise InputError(message)
    return values
