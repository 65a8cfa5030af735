"""What a user can correct, said in one line."""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class InputError(Exception):
    """Bad input: the message names the argument, the value and what was expected; exit code 2."""


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the name most like ``name``, or a list of the first names."""
    known = list(names)
    folded = {candidate.casefold(): candidate for candidate in reversed(known)}
    close = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    if close:
        return f"; did you mean {folded[close[0]]!r}?"
    shown = ", ".join(repr(candidate) for candidate in known[:8])
    return f"; there are {shown}{', ...' if len(known) > 8 else ''}"


def require(module: str, extra: str, purpose: str) -> Any:
    """Import ``module``, or say which extra of flyball brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        message = f'{purpose} needs {package}, which cannot be imported ({error}); pip install "flyball[{extra}]"'
        raise InputError(message) from None
