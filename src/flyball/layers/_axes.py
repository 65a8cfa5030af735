"""Axes as Keras counts them, the batch's being 0, on samples, which have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball import _checks
from flyball.program.nodes import TransposeNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.program.nodes import Node

DATA_FORMATS = ("channels_last", "channels_first")


def sample_axes(axis: int | Sequence[int], shape: tuple[int, ...], name: str = "axis") -> tuple[int, ...]:
    """Return ``axis`` of a batch of ``shape``, one or several different ones, as axes of a sample, in order."""
    rank = len(shape) + 1
    given = [axis] if isinstance(axis, int) else list(axis)
    axes = sorted({a + rank if a < 0 else a for a in given})
    if len(axes) < len(given) or any(not 1 <= a < rank for a in axes):
        _checks.refuse(name, f"an axis of samples of shape {shape}, from 1 or from -1, or several", axis)
    return tuple(a - 1 for a in axes)


def extents(axes: Sequence[int], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the extents of ``axes``."""
    return tuple(shape[axis] for axis in axes)


def over_last_axes(layer: str, axes: Sequence[int], shape: tuple[int, ...], nodes: list[Node]) -> list[Node]:
    """Return ``nodes``, which work over the last axes of a sample, for ``axes`` in their place.

    Rows of memory are what is worked on: other axes are brought there, and back, at the cost of a pass each.
    """
    others = [axis for axis in range(len(shape)) if axis not in axes]
    there = TransposeNode(layer, (*others, *axes))
    return nodes if there.moves_nothing else [there, *nodes, there.inverse()]


def in_channels_last(layer: str, shape: tuple[int, ...], nodes: list[Node]) -> list[Node]:
    """Return ``nodes``, which take channels last, for samples of ``shape`` with channels first."""
    return over_last_axes(layer, [0], shape, nodes)


def data_format(value: str | None) -> str:
    """Return ``"channels_last"``, also for None, or ``"channels_first"``."""
    return _checks.choice("data_format", "channels_last" if value is None else value, DATA_FORMATS)
