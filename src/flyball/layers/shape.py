"""Samples of another shape, and with their axes in another order."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Unpack

from flyball import _checks
from flyball.layers._axes import data_format as checked_data_format
from flyball.layers.base import Layer, LayerOptions
from flyball.program.nodes import ReshapeNode, TransposeNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.program.nodes import Node


class Flatten(Layer):
    """One axis for each sample, its elements in their order.

    Parameters
    ----------
    data_format : str, optional
        ``"channels_last"``, or ``"channels_first"``: the elements' order is that of channels last all the same, so that
        a network has the same weights for either.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    def __init__(self, data_format: str | None = None, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.data_format = checked_data_format(data_format)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the number of elements."""
        return (prod(input_shape),)

    def lower(self) -> list[Node]:
        """Return a reshape node, which computes nothing, after one that brings channels to the end."""
        shape = self.require_built()
        flat = ReshapeNode(self.name, (prod(shape),))
        last = TransposeNode(self.name, (*range(1, len(shape)), 0))
        return [flat] if self.data_format == "channels_last" or last.moves_nothing else [last, flat]


class Permute(Layer):
    """Samples with their axes in another order: axis i of the result is axis ``dims[i]`` of what is given.

    Parameters
    ----------
    dims : tuple of int
        All axes of a sample, the first being 1, in their new order.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    def __init__(self, dims: Sequence[int], **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        expectation = "a tuple of all axes of a sample, from 1 on, each once"
        if not isinstance(dims, (tuple, list)) or sorted(map(repr, dims)) != sorted(map(repr, range(1, len(dims) + 1))):
            _checks.refuse("dims", expectation, dims)
        self.dims = tuple(dims)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the extents in their new order."""
        if len(self.dims) != len(input_shape):
            _checks.refuse("dims", f"the {len(input_shape)} axes of samples of shape {input_shape}", self.dims)
        return tuple(input_shape[axis - 1] for axis in self.dims)

    def lower(self) -> list[Node]:
        """Return a node that moves the axes."""
        node = TransposeNode(self.name, tuple(axis - 1 for axis in self.dims))
        return [] if node.moves_nothing else [node]


class Reshape(Layer):
    """Samples of ``target_shape``, their elements in their order.

    Parameters
    ----------
    target_shape : tuple of int
        Shape of a sample; one extent may be -1, which stands for what is left.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    def __init__(self, target_shape: Sequence[int], **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        expectation = "a tuple of positive integers, of which one may be -1"
        if not isinstance(target_shape, (tuple, list)) or not target_shape or list(target_shape).count(-1) > 1:
            _checks.refuse("target_shape", expectation, target_shape)
        try:
            for extent in target_shape:
                if extent != -1:
                    _checks.integer("target_shape", extent, 1)
        except ValueError:
            _checks.refuse("target_shape", expectation, target_shape)
        self.target_shape = tuple(int(extent) for extent in target_shape)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``target_shape`` with the number that -1 stands for."""
        size = prod(input_shape)
        known = prod(extent for extent in self.target_shape if extent != -1)
        if size % known if -1 in self.target_shape else size != known:
            expectation = f"as many elements as samples of shape {input_shape}, which have {size}"
            _checks.refuse("target_shape", expectation, self.target_shape)
        return tuple(size // known if extent == -1 else extent for extent in self.target_shape)

    def lower(self) -> list[Node]:
        """Return a reshape node, which computes nothing."""
        return [ReshapeNode(self.name, self.compute_output_shape(self.require_built()))]
