"""Arrays of any number of dimensions as the two layouts that normalisation knows, without a copy where there is one."""

from __future__ import annotations

from math import prod
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.functional._checks import new_or_given, wrong_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


class Layout:
    """Where the channels of arrays of one shape are.

    Channels last are the columns of a matrix, channels first (axis 1) the middle of three axes. Anything else is copied
    into an array with channels last, and results are copied back.
    """

    __slots__ = ("axis", "channels", "kept", "last", "shape")

    def __init__(self, x: Array, axis: Any) -> None:
        shape = x.shape
        ndim = len(shape)
        if ndim < 2:
            msg = f"x must have at least 2 dimensions, got shape {shape}"
            raise ValueError(msg)
        try:
            position = index(axis)
        except TypeError:
            msg = f"axis must be an integer, got {axis!r}"
            raise TypeError(msg) from None
        if not -ndim < position < ndim or position == 0:
            msg = f"axis must be the channels', in [1, {ndim}) or [-{ndim - 1}, 0), got {axis}"
            raise ValueError(msg)
        self.shape = shape
        self.axis = position % ndim
        self.last = self.axis == ndim - 1
        self.kept = self.last or self.axis == 1
        self.channels = shape[self.axis]

    def packed(self, array: Array) -> Array:
        """Return ``array`` as (N, C, S), or (N, S, C) if the channels come last."""
        n, c = self.shape[0], self.channels
        if not self.kept:
            return np.ascontiguousarray(np.moveaxis(array, self.axis, -1)).reshape(n, -1, c)
        return array.reshape(n, prod(self.shape[1:-1]), c) if self.last else array.reshape(n, c, -1)

    @property
    def channels_last(self) -> bool:
        """Whether the channels are the last axis of what :meth:`packed` returns."""
        return self.last or not self.kept

    def checked(self, name: str, array: Array) -> Array:
        """Return :meth:`packed` of an array that must have the shape of ``x``."""
        if array.shape != self.shape:
            wrong_shape(name, array, str(self.shape))
        return self.packed(array)

    def result(self, out: Any, dtype: np.dtype[Any], **inputs: Array | None) -> tuple[Array, Array]:
        """Return the array to return, and the one for the operation to write: a view of it, if the layout is kept."""
        array = new_or_given(out, self.shape, dtype, in_place=True, **inputs)
        return array, self.packed(array) if self.kept else np.empty(self.moved_shape, dtype)

    @property
    def moved_shape(self) -> tuple[int, int, int]:
        """(N, S, C)."""
        return self.shape[0], prod(self.shape[1:]) // self.channels, self.channels

    def restore(self, array: Array, written: Array) -> None:
        """Copy back what was written, if the layout was not kept."""
        if not self.kept:
            moved = (*self.shape[: self.axis], *self.shape[self.axis + 1 :], self.channels)
            array[...] = np.moveaxis(written.reshape(moved), -1, self.axis)


def columns(array: Array, layout: Layout) -> Array:
    """Return (N, S, C) as (N * S, C), which is what batch normalisation takes; (N, C, S) as it is."""
    return array.reshape(-1, layout.channels) if layout.channels_last else array
