"""What a column of a table holds: numbers, booleans, datetimes or categories, whatever it was stored as.

Text is judged by what it says, so that a CSV file and a Parquet file of the same table mean the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.cli.errors import InputError, require

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Values = NDArray[np.float64]
    Texts = NDArray[np.object_]

KINDS = ("number", "boolean", "datetime", "category")
"""What a column can hold."""

MISSING = frozenset(
    ["", "?", "#N/A", "N/A", "n/a", "NA", "<NA>", "NaN", "nan", "-nan", "-NaN", "NULL", "null", "None", "none", "NaT"]
)
"""Texts that stand for a missing value: pandas' common ones, and the question mark of the UCI archive."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?( ?(Z|[+-]\d\d:?\d\d))?)?", re.ASCII)
_BOOLEANS = {"true": 1.0, "false": 0.0}


def texts(column: pd.Series[Any]) -> Texts:
    """Return the column as stripped strings, None where a value is missing."""
    missing = column.isna().to_numpy(dtype=bool)
    out = np.empty(len(column), dtype=object)
    for row, (value, absent) in enumerate(zip(column.tolist(), missing.tolist(), strict=True)):
        text = "" if absent else str(value).strip()
        out[row] = None if text in MISSING else text
    return out


def has_value(values: Texts) -> NDArray[np.bool_]:
    """Return where the texts of :func:`texts` are not missing."""
    return np.array([value is not None for value in values], dtype=np.bool_)


def _numbers_of_texts(values: Texts) -> Values:
    """Parse what is a number; NaN elsewhere."""
    pandas = require("pandas", "tables", "reading a table")
    # An underscore or a leading x is Python's spelling, not a table's.
    parsed = pandas.to_numeric(pandas.Series(values, dtype=object), errors="coerce")
    return np.asarray(parsed.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def _datetimes_of_texts(values: Texts) -> Values:
    """Parse what is an ISO 8601 date, to seconds since 1970 (UTC); NaN elsewhere."""
    pandas = require("pandas", "tables", "reading a table")
    dates = [value if value is not None and _DATE.fullmatch(value) else None for value in values]
    return _seconds(pandas.to_datetime(pandas.Series(dates, dtype=object), format="ISO8601", errors="coerce", utc=True))


def _seconds(column: pd.Series[Any]) -> Values:
    """Seconds since 1970 of a datetime column; a naive one is read as UTC."""
    pandas = require("pandas", "tables", "reading a table")
    stamps = pandas.to_datetime(column, utc=True)
    missing = stamps.isna().to_numpy(dtype=bool)
    microseconds = stamps.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)
    return np.where(missing, np.nan, microseconds / 1e6)


def _typed_kind(column: pd.Series[Any]) -> str | None:
    """Kind of a column whose dtype already says it; None where its texts must be read."""
    types = require("pandas.api.types", "tables", "reading a table")
    if isinstance(column.dtype, types.CategoricalDtype):
        return "category"
    if types.is_bool_dtype(column.dtype):
        return "boolean"
    if types.is_numeric_dtype(column.dtype) or types.is_timedelta64_dtype(column.dtype):
        return "number"
    if types.is_datetime64_any_dtype(column.dtype):
        return "datetime"
    return None


def kind_of(column: pd.Series[Any]) -> str | None:
    """Return one of :data:`KINDS`, or None where every value is missing."""
    kind = _typed_kind(column)
    if kind is not None:
        return None if bool(column.isna().all()) else kind
    values = texts(column)
    present = values[has_value(values)]
    if len(present) == 0:
        return None
    if not np.isnan(_numbers_of_texts(present)).any():
        return "number"
    if all(value.lower() in _BOOLEANS for value in present):
        return "boolean"
    if not np.isnan(_datetimes_of_texts(present)).any():
        return "datetime"
    return "category"


def share_of_numbers(column: pd.Series[Any]) -> float:
    """Return which part of the values present are numbers, in [0, 1]."""
    values = texts(column)
    present = values[has_value(values)]
    return float(np.mean(~np.isnan(_numbers_of_texts(present)))) if len(present) else 0.0


def parse(column: pd.Series[Any], kind: str) -> Values:
    """Return the column as float64, NaN where a value is missing.

    A boolean becomes 0 or 1, a datetime seconds since 1970 (UTC), a duration seconds.

    Raises
    ------
    InputError
        If a value is not of ``kind``: ``"number"``, ``"boolean"`` or ``"datetime"``.
    """
    typed = _typed_kind(column)
    if typed is not None and kind == "datetime" and typed == "datetime":
        return _seconds(column)
    if typed in ("number", "boolean") and kind in ("number", "boolean"):
        if hasattr(column, "dt"):
            column = column.dt.total_seconds()
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
    values = texts(column)
    missing = ~has_value(values)
    if kind == "datetime":
        parsed = _datetimes_of_texts(values)
    else:
        parsed = _numbers_of_texts(values)
        if kind == "boolean":
            words = [_BOOLEANS.get(str(value).lower(), number) for value, number in zip(values, parsed, strict=True)]
            parsed = np.array(words, dtype=np.float64)
    wrong = np.flatnonzero(np.isnan(parsed) & ~missing)
    if len(wrong):
        noun = {"number": "numbers", "boolean": "true or false", "datetime": "ISO 8601 dates"}[kind]
        message = f"column {column.name!r} must hold {noun}, got {values[wrong[0]]!r} in row {wrong[0] + 1}"
        raise InputError(message)
    return parsed
