"""What a saved model of a table knows besides its network: preprocessing and target, as JSON in the file's metadata."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import flyball
from flyball.cli.preprocessing import TablePreprocessor
from flyball.cli.target import Target, target_from_dict

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "flyball.table"
VERSION = 1


def pack(preprocessor: TablePreprocessor, target: Target) -> dict[str, str]:
    """Return the metadata that :func:`unpack` reads."""
    entry = {
        "version": VERSION,
        "written_by": flyball.__version__,
        "preprocessing": preprocessor.to_dict(),
        "target": target.to_dict(),
    }
    return {KEY: json.dumps(entry, ensure_ascii=False, allow_nan=False)}


def unpack(metadata: Mapping[str, str]) -> tuple[TablePreprocessor, Target]:
    """Return preprocessing and target, checking every entry.

    Raises
    ------
    ValueError
        If the metadata are not those of :func:`pack`.
    """
    if KEY not in metadata:
        message = "it was not saved by python -m flyball train FILE"
        raise ValueError(message)
    entry = json.loads(metadata[KEY])
    if not isinstance(entry, dict) or entry.get("version") != VERSION:
        message = f"{KEY} must be of version {VERSION}, got {entry!r:.80}"
        raise ValueError(message)
    return TablePreprocessor.from_dict(entry.get("preprocessing")), target_from_dict(entry.get("target"))
