"""From a table to features: which columns can be used, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.cli import columns, encoders
from flyball.cli.errors import InputError, nearest

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@dataclass
class TablePreprocessor:
    """Turn the columns of a table into float32 features.

    Numbers are standardised, missing ones filled with the median; booleans likewise, with the more frequent value;
    datetimes become a number and the sine and cosine of day, week and year; categories become one-hot features. What
    was missing in training has an indicator. Columns without information (empty, constant, identifiers) are left out
    and said so in ``notes``.
    """

    encoders: list[encoders.Encoder] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def fit(self, table: pd.DataFrame) -> TablePreprocessor:
        """Choose and fit an encoder per column, on training rows.

        Raises
        ------
        InputError
            If no column can be used.
        """
        self.encoders, self.notes = [], []
        for name in table.columns:
            column = table[name]
            kind = columns.kind_of(column)
            reason = _useless(column, kind)
            if kind is None or reason:
                self.notes.append(f"column {name!r} is not used: {reason}")
                continue
            self.encoders.append(encoders.fit_encoder(column, kind))
            self.notes += _remarks(column, kind)
        if not self.encoders:
            message = "FILE must have a column to learn from besides the target, got none that can be used"
            raise InputError("; ".join([message, *self.notes]))
        return self

    def transform(self, table: pd.DataFrame) -> NDArray[np.float32]:
        """Return (rows, features); columns that were not fitted are ignored.

        Raises
        ------
        InputError
            If a column is absent, or holds something else than in training.
        """
        absent = [encoder.name for encoder in self.encoders if encoder.name not in table.columns]
        if absent:
            listed = ", ".join(map(repr, absent))
            hint = nearest(absent[0], table.columns)
            message = f"FILE must have the columns the model was trained on, got none of the name {listed}{hint}"
            raise InputError(message)
        parts = [encoder.transform(table[encoder.name]) for encoder in self.encoders]
        return np.ascontiguousarray(np.concatenate(parts, axis=1), dtype=np.float32)

    def features(self) -> list[str]:
        """Names of the features, in the order of :meth:`transform`'s columns."""
        return [name for encoder in self.encoders for name in encoder.features()]

    def to_dict(self) -> dict[str, Any]:
        """Return what :meth:`from_dict` reads: JSON values only."""
        return {"columns": [encoders.encoder_to_dict(encoder) for encoder in self.encoders]}

    @classmethod
    def from_dict(cls, stored: object) -> TablePreprocessor:
        """Return the preprocessor of :meth:`to_dict`, checking every entry.

        Raises
        ------
        ValueError
            If ``stored`` is not what :meth:`to_dict` returns.
        """
        if not isinstance(stored, dict) or set(stored) != {"columns"} or not isinstance(stored["columns"], list):
            message = f"preprocessing must be an object with a list 'columns', got {stored!r:.80}"
            raise ValueError(message)
        fitted = [encoders.encoder_from_dict(entry) for entry in stored["columns"]]
        if len({encoder.name for encoder in fitted}) != len(fitted) or not fitted:
            message = f"columns must have distinct names, got {[encoder.name for encoder in fitted]!r:.80}"
            raise ValueError(message)
        return cls(fitted)


def _useless(column: pd.Series[Any], kind: str | None) -> str:
    """Return why a column carries no information, or nothing."""
    if kind is None:
        return "every value is missing"
    if kind == "category":
        texts = columns.texts(column)
        different = set(texts)
        if len(different) == 1:
            return f"every value is {texts[0]!r}"
        count = len(different - {None})
        if count > len(texts) / 2 and (count > 20 or count == len(texts)):
            return f"it has {count} different texts in {len(texts)} rows, like an identifier"
        return ""
    numbers = encoders.finite(columns.parse(column, kind))
    present = numbers[~np.isnan(numbers)]
    if len(present) == 0:
        return "every value is missing or infinite"
    distinct = np.unique(present)
    if len(distinct) == 1 and len(present) == len(numbers):
        return "every value is the same"
    if kind == "number" and len(distinct) == len(numbers) > 20 and _counts(distinct):
        return "it numbers the rows"
    return ""


def _counts(values: NDArray[np.float64]) -> bool:
    """Return whether sorted distinct values are whole and nearly gapless, like a random part of 1, 2, 3, ..."""
    whole = bool(np.all(values == np.floor(values)))
    return whole and float(values[-1]) - float(values[0]) < 2 * len(values)


def _remarks(column: pd.Series[Any], kind: str) -> list[str]:
    """Say what a user may not expect of a column that is used."""
    remarks = []
    if kind == "number":
        infinite = int(np.isinf(columns.parse(column, kind)).sum())
        if infinite:
            remarks.append(f"column {column.name!r}: {infinite} infinite values count as missing")
    if kind == "category":
        share = columns.share_of_numbers(column)
        if share > 0.5:
            remarks.append(f"column {column.name!r}: {share:.0%} are numbers, the others text; all taken as categories")
        distinct = len(set(columns.texts(column)) - {None})
        if distinct > encoders.MAX_CATEGORIES:
            kept = encoders.MAX_CATEGORIES
            remarks.append(f"column {column.name!r}: the {kept} most frequent of {distinct} categories are used")
    return remarks
