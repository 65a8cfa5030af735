"""Files that are written: checked before the work, complete or not there after it."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_outputs(outputs: dict[str, Path | None], suffixes: dict[str, tuple[str, ...]], inputs: list[Path]) -> None:
    """Refuse a path that cannot be written, has the wrong suffix, is an input, or is given twice.

    Parameters
    ----------
    outputs
        Path by option; None where the option is absent.
    suffixes
        Allowed suffixes by option; an option without an entry allows any.
    inputs
        Files that must not be overwritten.
    """
    taken = {path.resolve(): "the input" for path in inputs}
    for option, path in outputs.items():
        if path is None:
            continue
        allowed = suffixes.get(option)
        if allowed is not None and path.suffix.lower() not in allowed:
            message = f"{option} must end in {' or '.join(allowed)}, got {str(path)!r}"
            raise InputError(message)
        parent = path.parent
        if path.is_dir() or not parent.is_dir() or not os.access(parent, os.W_OK):
            message = f"{option} must be a file in a directory that exists and can be written, got {str(path)!r}"
            raise InputError(message)
        other = taken.setdefault(path.resolve(), option)
        if other != option:
            message = f"{option} must be a file of its own, got {str(path)!r}, which is that of {other}"
            raise InputError(message)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to, which takes its place when the block ends well."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        # mkstemp is private to the user; a result gets the permissions of any other new file.
        mask = os.umask(0)
        os.umask(mask)
        beside.chmod(0o666 & ~mask)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
