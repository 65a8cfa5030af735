"""Seeds, and small helpers under the names Keras gives them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball._own_objects import (
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from flyball.batches import PyDataset, TransformedBatches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "PyDataset",
    "Sequence",
    "TransformedBatches",
    "clear_session",
    "custom_object_scope",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "new_seed",
    "register_keras_serializable",
    "set_random_seed",
    "to_categorical",
]

Sequence = PyDataset  # Keras' other name for it

_lock = threading.Lock()
_seed: int | None = None
_handed_out = 0
_names: dict[str, int] = {}


def set_random_seed(seed: int) -> None:
    """Make everything random from here on a function of ``seed``: weights, shuffling, dropout.

    Seeds Python's ``random`` and NumPy's global generator too, as Keras does.

    Parameters
    ----------
    seed : int
        In [0, 2**32).
    """
    import random

    global _seed, _handed_out
    seed = _checks.integer("seed", seed)
    if seed >= 2**32:
        _checks.refuse("seed", "in [0, 2**32)", seed)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # what a script's own legacy calls draw from
    with _lock:
        _seed, _handed_out = seed, 0


def new_seed() -> int:
    """Return a seed in [0, 2**63) for one model: the next one after :func:`set_random_seed`, else a fresh one."""
    global _handed_out
    with _lock:
        entropy = None if _seed is None else (_seed, _handed_out)
        _handed_out += 1
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> np.uint64(1))


@contextmanager
def kept_seeds() -> Iterator[None]:
    """Let what is made inside a ``with`` block leave the sequence of :func:`new_seed` as it was."""
    global _handed_out
    with _lock:
        before = _seed, _handed_out
    yield
    with _lock:
        if _seed == before[0]:
            _handed_out = before[1]


def clear_session() -> None:
    """Let automatic layer names begin at the first again: ``dense``, then ``dense_1``."""
    with _lock:
        _names.clear()


def unique_name(stem: str) -> str:
    """Return ``stem``, ``stem_1``, ``stem_2``, ... in turn."""
    with _lock:
        count = _names.get(stem, 0)
        _names[stem] = count + 1
    return f"{stem}_{count}" if count else stem


def to_categorical(x: ArrayLike, num_classes: int | None = None) -> NDArray[Any]:
    """Turn class indices into one-hot rows.

    Parameters
    ----------
    x : array_like of integers
        Shape (...,) or (..., 1) with values in [0, num_classes).
    num_classes : int, optional
        One more than the largest index, if not given.

    Returns
    -------
    ndarray of float64
        Shape (..., num_classes), 1 at the index and 0 elsewhere.

    Raises
    ------
    ValueError
        If ``x`` is empty, is not integral, or has an index out of range.
    """
    values = np.asarray(x)
    if values.dtype.kind not in "biuf" or values.size == 0 or not np.all(np.isfinite(values)):
        _checks.refuse("x", "an array of class indices with at least one element", x)
    labels = values.astype(np.int64)
    if np.any(labels != values):
        _checks.refuse("x", "integral", values[labels != values].flat[0])
    if num_classes is None:
        num_classes = int(labels.max()) + 1
    num_classes = _checks.integer("num_classes", num_classes, 1) if labels.min() >= 0 else num_classes
    if labels.min() < 0 or labels.max() >= num_classes:
        wrong = labels[(labels < 0) | (labels >= num_classes)].flat[0]
        _checks.refuse("x", f"in [0, {num_classes})" if labels.min() >= 0 else "non-negative", int(wrong))
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    onehot = np.zeros((*labels.shape, num_classes))
    np.put_along_axis(onehot, labels[..., np.newaxis], 1.0, axis=-1)
    return onehot
