"""Samples of another shape, and with their axes in another order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

from flyball.program.nodes.base import Node

if TYPE_CHECKING:
    from flyball.program.instructions import Buffer
    from flyball.program.lowering import Lowering


@dataclass(eq=False)
class ReshapeNode(Node):
    """Samples of another shape, in the same order of elements."""

    shape: tuple[int, ...]

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        to.value = to.view(to.value, self.shape)


@dataclass(eq=False)
class TransposeNode(Node):
    """Samples with their axes in another order: axis i of the result is axis ``order[i]`` of what is given.

    It costs a pass over the samples, and another one in the backward pass; neighbours are merged, so that what stands
    between layers of one order is gone.
    """

    order: tuple[int, ...]

    @property
    def moves_nothing(self) -> bool:
        """Whether all axes stay where they are."""
        return list(self.order) == sorted(self.order)

    def then(self, second: TransposeNode) -> TransposeNode:
        """Return one node for this one and the one after it."""
        return replace(second, order=tuple(self.order[axis] for axis in second.order))

    def inverse(self) -> TransposeNode:
        """Return the node that puts the axes back."""
        return replace(self, order=tuple(self.order.index(axis) for axis in range(len(self.order))))

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        first, x = to.is_first(), to.value
        y = to.value = self._exchanged(to, x, self.layer)

        def backward(dy: Buffer) -> Buffer | None:
            return None if first else self.inverse()._exchanged(to, to.shaped(dy, y), f"d.{self.layer}")

        to.on_backward(backward)

    def _exchanged(self, to: Lowering, x: Buffer, name: str) -> Buffer:
        """Write exchanges of neighbouring runs of axes, at most one less than there are runs; return the result."""
        shape = tuple(x.sample_shape[axis] for axis in self.order)
        order = [axis for axis in self.order if x.sample_shape[axis] > 1]  # an axis of one index may stand anywhere
        now, y = sorted(order), x
        for place, axis in enumerate(order):
            begin = now.index(axis)
            if begin == place:
                continue
            end = begin + 1
            while end < len(now) and order[place + end - begin] == now[end]:
                end += 1
            outer, first, second, rest = (
                prod(x.sample_shape[axis] for axis in part)
                for part in (now[:place], now[place:begin], now[begin:end], now[end:])
            )
            row, rows = (first * second * rest,), outer * x.rows_per_sample
            before, y = to.view(y, row, rows), to.batch(name, shape)
            to.add("swap_axes", self.layer, {"y": to.view(y, row, rows), "x": before}, first=first, second=second)
            now = [*now[:place], *now[begin:end], *now[place:begin], *now[end:]]
        return to.view(y, shape)
