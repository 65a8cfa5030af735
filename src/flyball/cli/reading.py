"""Read the user's tables: CSV, TSV and Parquet."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from flyball.cli.errors import InputError, require

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

SEPARATORS = {".csv": None, ".tsv": "\t", ".tab": "\t"}
"""Separator by file suffix; None looks at the header."""

PARQUET = (".parquet", ".pq")
COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")


def suffix_of(path: Path) -> str:
    """Return the suffix that says the format, in lower case: ``.csv`` for ``a.CSV.gz``."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _separator(path: Path) -> str:
    """Return the separator of a ``.csv`` file: a comma, unless its header has none but semicolons or tabs."""
    common = require("pandas.io.common", "tables", "reading a table")
    with common.get_handle(path, "r", compression="infer", encoding="utf-8-sig", errors="replace") as handles:
        header = re.sub(r'"[^"]*"', "", handles.handle.readline())
    for separator in (",", ";", "\t"):
        if separator in header:
            return separator
    return ","


def _read_text(path: Path) -> pd.DataFrame:
    """Read a separated file as strings, so that nothing is guessed from its first rows or its quoting."""
    pandas = require("pandas", "tables", "reading a table")
    raw = pandas.read_csv(
        path,
        sep=SEPARATORS[suffix_of(path)] or _separator(path),
        header=None,
        dtype=str,
        na_filter=False,
        encoding="utf-8-sig",
        skipinitialspace=True,
        low_memory=False,
    )
    names = [str(name) if str(name).strip() else f"Unnamed: {i}" for i, name in enumerate(raw.iloc[0].tolist())]
    table = raw.iloc[1:].reset_index(drop=True)
    table.columns = pandas.Index(names, dtype=object)
    return table


def _read_parquet(path: Path) -> pd.DataFrame:
    pandas = require("pandas", "tables", "reading a table")
    require("pyarrow", "tables", "reading a Parquet file")
    # Nullable types: integers with missing values stay integers.
    return pandas.read_parquet(path, engine="pyarrow", dtype_backend="numpy_nullable")


def read_table(path: Path, argument: str = "FILE") -> pd.DataFrame:
    """Read a table with distinct column names and at least one row.

    Parameters
    ----------
    path
        A ``.csv``, ``.tsv``, ``.tab`` (UTF-8, with a header, maybe compressed), ``.parquet`` or ``.pq`` file.
    argument
        What messages call the file.

    Raises
    ------
    InputError
        If there is no such file, it is no table, it has no rows, or two columns have one name.
    """
    suffix = suffix_of(path)
    if suffix not in SEPARATORS and suffix not in PARQUET:
        known = ", ".join([*SEPARATORS, *PARQUET])
        message = f"{argument} must be a table, with a name that ends in one of {known}, got {str(path)!r}"
        raise InputError(message)
    if not path.is_file():
        problem = "a directory" if path.is_dir() else "nothing of that name"
        message = f"{argument} must be an existing file, got {str(path)!r}: {problem}"
        raise InputError(message)
    require("pandas", "tables", "reading a table")
    table = _read(path, argument, _read_parquet if suffix in PARQUET else _read_text)
    table.columns = table.columns.map(str)
    twice = [name for name, count in Counter(table.columns).items() if count > 1]
    if twice:
        message = f"{argument} must have distinct column names, got {twice[0]!r} more than once in {str(path)!r}"
        raise InputError(message)
    if len(table) == 0 or len(table.columns) == 0:
        message = f"{argument} must have at least one row below its header, got none in {str(path)!r}"
        raise InputError(message)
    return table


def _read(path: Path, argument: str, reader: Any) -> pd.DataFrame:
    """Call ``reader``, and turn whatever a damaged file makes it raise into one line."""
    try:
        return reader(path)
    except (InputError, MemoryError, PermissionError):
        raise
    except UnicodeDecodeError as error:
        found = f"byte 0x{error.object[error.start]:02x} at {error.start}"
        message = f"{argument} must be text in UTF-8, got {found} in {str(path)!r}"
        raise InputError(message) from None
    except Exception as error:
        # The readers raise dozens of types, of three libraries, on damaged files.
        reason = " ".join(str(error).split()) or type(error).__name__
        message = f"{argument} must be a readable table, got {str(path)!r}: {reason}"
        raise InputError(message) from None
