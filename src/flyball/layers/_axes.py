"""Axes as Keras counts them, the batch's being 0, on samples, which have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball import _checks

if TYPE_CHECKING:
    from collections.abc import Sequence

DATA_FORMATS = ("channels_last", "channels_first")


def trailing_axes(axis: int | Sequence[int], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the extents of ``axis``, which must be the last axis of a batch of ``shape``, or several up to the last.

    Rows of memory are what is normalised: any other axis would have to be brought there first.
    """
    rank = len(shape) + 1
    given = [axis] if isinstance(axis, int) else list(axis)
    count = len(given)
    if sorted(a + rank if a < 0 else a for a in given) != list(range(rank - count, rank)) or count >= rank:
        _checks.refuse("axis", f"-1, or several axes up to the last, for samples of shape {shape}", axis)
    return shape[-count:]


def channels_first(axis: int, shape: tuple[int, ...]) -> bool:
    """Whether ``axis`` of a batch of ``shape`` is 1; it must be that or the last, which wins where both are one."""
    rank = len(shape) + 1
    last = axis in (-1, rank - 1)
    if not last and axis not in (1, 1 - rank):
        _checks.refuse("axis", f"-1 (channels last) or 1 (channels first) for samples of shape {shape}", axis)
    return not last


def data_format(value: str | None) -> str:
    """Return ``"channels_last"``, also for None, or ``"channels_first"``."""
    return _checks.choice("data_format", "channels_last" if value is None else value, DATA_FORMATS)
