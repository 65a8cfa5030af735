"""Arrays of any number of dimensions as the two layouts that normalisation knows, without a copy where there is one."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import empty

from flyball.functional._checks import out_like, wrong_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


class Layout:
    """Where the channels of arrays of one shape are.

    Channels last are the columns of a matrix, channels first (axis 1) the middle of three axes. Anything else is copied
    into an array with channels last, and results are copied back. With ``joined`` samples and positions are the rows of
    one matrix where the channels come last, which is what batch normalisation takes.
    """

    __slots__ = ("as_is", "axis", "channels", "channels_last", "extent", "kept", "packed_shape", "shape")

    def __init__(self, shape: tuple[int, ...], axis: Any, joined: bool) -> None:
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
        last = self.axis == ndim - 1
        self.kept = last or self.axis == 1
        self.channels_last = last or not self.kept
        """Whether the channels are the last axis of what :meth:`packed` returns."""
        n, c = shape[0], shape[self.axis]
        self.channels = c
        self.extent = prod(shape[1:]) // c
        if not self.channels_last:
            self.packed_shape: tuple[int, ...] = (n, c, self.extent)
        else:
            self.packed_shape = (n * self.extent, c) if joined else (n, self.extent, c)
        self.as_is = self.packed_shape == shape

    def packed(self, array: Array) -> Array:
        """Return ``array`` as (N, C, S), or (N, S, C) if the channels come last, or that joined: (N * S, C)."""
        if self.as_is:
            return array
        if not self.kept:
            array = np.ascontiguousarray(np.moveaxis(array, self.axis, -1))
        return array.reshape(self.packed_shape)

    def checked(self, name: str, array: Array) -> Array:
        """Return :meth:`packed` of an array that must have the shape of ``x``."""
        if array.shape != self.shape:
            wrong_shape(name, array, str(self.shape))
        return self.packed(array)

    def result(self, out: Any, names: str, like: Array, *others: Array | None) -> tuple[Array, Array]:
        """Return the array to return, and the one for the operation to write: a view of it, if the layout is kept."""
        array = out_like(out, names, like, *others)
        if self.as_is:
            return array, array
        return array, self.packed(array) if self.kept else empty(self.packed_shape, like.dtype)

    def restore(self, array: Array, written: Array) -> None:
        """Copy back what was written, if the layout was not kept."""
        if not self.kept:
            moved = (*self.shape[: self.axis], *self.shape[self.axis + 1 :], self.channels)
            array[...] = np.moveaxis(written.reshape(moved), -1, self.axis)


_layout = lru_cache(maxsize=1024)(Layout)


def layout_of(x: Array, axis: Any, joined: bool = False) -> Layout:
    """Return where the channels of ``x`` are; the same for arrays of the same shape."""
    return _layout(x.shape, axis, joined) if type(axis) is int else Layout(x.shape, axis, joined)
