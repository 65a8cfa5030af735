"""Whether objects hold what they held, without asking what that means."""

from __future__ import annotations

from itertools import chain, compress
from operator import is_
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING

import numpy as np

from flyball.initializers import Initializer

if TYPE_CHECKING:
    from collections.abc import Collection

_PLAIN = frozenset((bool, int, float, complex, str, bytes, type(None), object, np.ndarray))
_ATOMS = (
    *(type, FunctionType, BuiltinFunctionType, MethodType, np.ndarray, np.generic, np.dtype),
    Initializer,  # whose work is done before a Program is made
)


class Contents:
    """What some objects, and all they are made of, held at a moment.

    Objects are compared by identity: an attribute that is set, an element of a list that is replaced, is a change,
    another value in an array is none. Nor is one in an attribute that the object's class names in ``_fleeting``. Of
    objects that are not flyball's nobody knows what they depend on: where there are any, nothing counts as unchanged.
    """

    def __init__(self, *roots: object) -> None:
        self._known = True
        self._holders: list[Collection[object]] = [roots]  # lists and views of dicts, which show what they hold now
        self._lasting = [True] * len(roots)
        self._held: list[object] = [*roots]
        seen: set[int] = set()
        waiting: list[object] = [root for root in roots if type(root) not in _PLAIN]
        while waiting:
            item = waiting.pop()
            if id(item) not in seen and not isinstance(item, _ATOMS):
                seen.add(id(item))
                waiting += [part for part in self._take(item) if type(part) not in _PLAIN]

    def _take(self, item: object) -> Collection[object]:
        """Note what ``item`` holds, and return it."""
        if isinstance(item, (tuple, frozenset)):
            return item
        if isinstance(item, list):
            return self._note(item, [True] * len(item))
        if isinstance(item, dict):
            return self._note(item.values(), [True] * len(item))
        if type(item).__module__.partition(".")[0] == "flyball" and hasattr(item, "__dict__"):
            fleeting, attributes = getattr(item, "_fleeting", ()), vars(item)
            return self._note(attributes.values(), [name not in fleeting for name in attributes])
        self._known = False
        return ()

    def _note(self, holder: Collection[object], lasting: list[bool]) -> list[object]:
        held = [*compress(holder, lasting)]
        self._holders.append(holder)
        self._lasting += lasting
        self._held += held
        return held

    def are(self, *roots: object) -> bool:
        """Whether ``roots`` are the same objects as then, and hold what they held."""
        if not self._known:
            return False
        self._holders[0] = roots
        now = [*chain.from_iterable(self._holders)]
        return len(now) == len(self._lasting) and all(map(is_, compress(now, self._lasting), self._held))
