"""The one list of operations, and the switch between its two implementations.

``flyball._core`` (native) and ``flyball.reference`` (NumPy, the specification) both implement :class:`Backend`.
Every layer above and below uses the same names. Arrays are C-contiguous, of one float dtype ``T`` (float32 or
float64) unless said otherwise; outputs come first, then inputs, then scalars. An implementation checks memory
facts (dtype, shape, contiguity) and writes into the outputs it is given; meaning is checked by the callers.

``N`` is the number of rows (samples), ``C`` the number of columns (channels, units or classes). ``None`` stands for
an optional array that is absent.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import lru_cache
from types import FunctionType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from flyball.backend.activation import ACTIVATIONS, ALPHAS, Activations
from flyball.backend.augment import Augment
from flyball.backend.data import Data
from flyball.backend.dense import Dense
from flyball.backend.dropout import Dropout
from flyball.backend.loss import LOSSES, ROW_LOSSES, Losses
from flyball.backend.norm import Norm
from flyball.backend.random import Random
from flyball.backend.update import Updates
from flyball.backend.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ACTIVATIONS",
    "ALPHAS",
    "LOSSES",
    "OPERATIONS",
    "ROW_LOSSES",
    "Backend",
    "backend_scope",
    "get_backend",
    "keep_probability",
    "use_backend",
]


@runtime_checkable
class Backend(Dense, Norm, Dropout, Activations, Losses, Updates, Weights, Data, Random, Augment, Protocol):
    """Operations on arrays; see the module's docstring for the conventions, and the families for the operations."""

    name: str


OPERATIONS = {
    name: member.__code__.co_varnames[1 : member.__code__.co_argcount]  # inspect.signature takes 5 ms for them all
    for family in Backend.__bases__[:-1]
    for name, member in vars(family).items()
    if isinstance(member, FunctionType) and not name.startswith("_")
}
"""Names of all operations, with the names of their parameters."""


@lru_cache(maxsize=64)
def keep_probability(rate: float) -> float:
    """Probability, a multiple of 2**-16 in (0, 1], with which dropout at ``rate`` in [0, 1) keeps an element.

    16 random bits decide an element (at one half a single one), so only such probabilities can be met exactly; the
    scale ``1 / keep`` uses the one that is met.
    """
    return max(1, round((1.0 - rate) * 65536.0)) / 65536.0


_active: Backend | None = None


def _load(name: str) -> Backend:
    if name == "native":
        from flyball import _core

        return _core
    if name == "reference":
        from flyball import reference

        return reference
    msg = f"backend must be 'native' or 'reference', got {name!r}"
    raise ValueError(msg)


def get_backend() -> Backend:
    """Return the backend in use: the last one chosen, else ``FLYBALL_BACKEND``, else native."""
    global _active
    if _active is None:
        _active = _load(os.environ.get("FLYBALL_BACKEND", "native"))
    return _active


def use_backend(name: str) -> None:
    """Run everything from here on on the backend ``name``: ``"native"`` or ``"reference"`` (NumPy).

    Raises
    ------
    ValueError
        If ``name`` is neither.
    """
    global _active
    _active = _load(name)


@contextmanager
def backend_scope(name: str) -> Iterator[Backend]:
    """Use the backend ``name`` inside a ``with`` block."""
    global _active
    previous, _active = _active, _load(name)
    try:
        yield _active
    finally:
        _active = previous
