"""One file: tensors, and a header of strings. Written whole or not at all; read with suspicion."""

from __future__ import annotations

import json
import math
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from flyball import _checks
from flyball.program.interrupts import HeldInterrupts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

FORMAT = "flyball"
SCHEMA = "2"
READABLE = ("1", "2")
"""Schema 1 had no state of training."""
RESERVED = ("format", "schema", "config")
"""Entries of the header that are the file format's own; all others are the user's."""

DTYPES = {"float32": "F32", "float64": "F64"}


def write(
    path: str | os.PathLike[str],
    tensors: Mapping[str, NDArray[Any]],
    config: Mapping[str, Any],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write ``tensors`` and ``config`` to ``path``; whatever happens meanwhile, it is the old file or the new one.

    Raises
    ------
    ValueError
        If ``config`` cannot be written as JSON.
    OSError
        If the file cannot be written; nothing is left beside it.
    """
    replace(path, content(tensors, config, metadata))


def content(
    tensors: Mapping[str, NDArray[Any]], config: Mapping[str, Any], metadata: Mapping[str, str] | None = None
) -> bytes:
    """Return what :func:`write` writes."""
    from safetensors.numpy import save

    header = {"format": FORMAT, "schema": SCHEMA, "config": json.dumps(config, allow_nan=False)}
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    written: bytes = save(arrays, {**(metadata or {}), **header})
    return written


def user_metadata(metadata: Mapping[Any, Any] | None) -> dict[str, str]:
    """Return a user's notes if they are strings by names that are not the format's own."""
    entries = dict(metadata or {})
    for name, value in entries.items():
        if not isinstance(name, str) or not isinstance(value, str):
            _checks.refuse("metadata", "strings by name", {name: value})
        if name in RESERVED:
            _checks.refuse("metadata", f"without the names {', '.join(RESERVED)}", name)
    return entries


def replace(path: str | os.PathLike[str], content: bytes) -> None:
    """Put ``content`` in the place of the file ``path``, at once: written beside it, flushed to the disk, renamed."""
    path = Path(path)
    if path.is_dir():
        msg = f"path must be a file's, got the folder {os.fspath(path)!r}"
        raise IsADirectoryError(msg)
    beside = path.with_name(f".{path.name}.{os.urandom(8).hex()}.tmp")
    with ExitStack() as stack:
        stack.callback(beside.unlink, missing_ok=True)
        with HeldInterrupts():  # between opening and closing there must be no gap for a Ctrl-C
            # safetensors' own save_file makes files that no one else may read
            file = stack.enter_context(beside.open("xb"))
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        file.close()
        beside.replace(path)
    if os.name == "posix":  # the rename is on the disk when the folder is
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read(path: str | os.PathLike[str], *, with_tensors: bool = True) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    """Return the header and the tensors of ``path``; raise ValueError where it is no file of flyball's."""
    from safetensors import SafetensorError, safe_open

    with Path(path).open("rb") as file:  # what cannot be opened is an OSError, and an empty file cannot be mapped
        if len(file.read(9)) < 9:
            msg = "it is too short for a header"
            raise ValueError(msg)
    try:
        with safe_open(path, framework="numpy") as opened:
            header = opened.metadata() or {}
            _check_header(header)
            tensors = {}
            for name in opened.keys() if with_tensors else ():
                dtype = opened.get_slice(name).get_dtype()
                if dtype not in DTYPES.values():
                    msg = f"tensor {name!r} must be F32 or F64, got {dtype}"
                    raise ValueError(msg)
                tensors[name] = opened.get_tensor(name)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    return header, tensors


def read_content(content: bytes) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    """Return the header and the tensors that :func:`content` was given; raise ValueError where it was not."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = load(content)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    size = int.from_bytes(content[:8], "little")  # of the JSON that follows it, which safetensors has checked
    header = json.loads(content[8 : 8 + size]).get("__metadata__", {})
    _check_header(header)
    return header, tensors


def _check_header(header: Mapping[str, str]) -> None:
    if header.get("format") != FORMAT or "config" not in header:
        msg = "its header has nothing of flyball's"
        raise ValueError(msg)
    if header.get("schema") not in READABLE:
        expected = " or ".join(map(repr, READABLE))
        msg = f"its schema must be {expected}, got {header.get('schema')!r}; a newer flyball may read it"
        raise ValueError(msg)


def parse(text: str) -> dict[str, Any]:
    """Return the JSON object in ``text``: numbers finite, names unique."""

    def finite(literal: str) -> float:
        value = float(literal)
        if not math.isfinite(value):
            _checks.refuse("a number in the configuration", "finite", literal)
        return value

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            _checks.refuse("names in the configuration", "unique", [name for name, _ in pairs])
        return dict(pairs)

    parsed = json.loads(text, parse_float=finite, parse_constant=finite, object_pairs_hook=unique)
    if not isinstance(parsed, dict):
        _checks.refuse("the configuration", "a JSON object", parsed)
    return parsed


def keys(what: str, value: object, names: tuple[str, ...]) -> None:
    """Refuse what is not a JSON object of exactly ``names``."""
    if not isinstance(value, dict) or set(value) != set(names):
        _checks.refuse(what, f"an object of {', '.join(names)}", value)


BAD_CONTENT = (ValueError, TypeError, KeyError, RecursionError, OverflowError)
"""What content that was damaged or made up can raise while it is looked at."""


def refuse(path: str | os.PathLike[str], error: Exception, writer: Callable[..., object]) -> NoReturn:
    """Raise the ValueError that says which file is not as ``writer`` wrote it, and why."""
    reason = f"{type(error).__name__} {error}" if isinstance(error, (KeyError, RecursionError)) else str(error)
    msg = f"{os.fspath(path)!r} must be an undamaged file that flyball's {writer.__name__} wrote: {reason}"
    raise ValueError(msg) from error
