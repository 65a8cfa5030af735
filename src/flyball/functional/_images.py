"""Arguments of the operations on images: extents, ranges, and what is different for a class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.functional._checks import (
    floats,
    integers,
    not_empty,
    not_negative,
    number,
    plain,
    tidy,
    whole,
    wrong_shape,
)
from flyball.reference._arrays import FLOAT32, INT64

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyball.backend.types import Doubles, Floats, Integers

    Range = float | tuple[float, float]
    Policy = Mapping[int, Mapping[str, Range]]


def images_of(x: Any) -> tuple[Floats, int, int, int]:
    """Return images as floats, with height, width and channels."""
    array = plain("x", x)
    array = tidy(array, FLOAT32) if array.dtype == np.uint8 else floats("x", array)
    if array.ndim not in (3, 4):
        wrong_shape("x", array, "(N, height, width) or (N, height, width, channels)")
    not_empty("x", array)
    return array, array.shape[1], array.shape[2], array.shape[3] if array.ndim == 4 else 1


def one_of(name: str, value: Any, valid: tuple[str, ...]) -> int:
    """Return the index of a name."""
    if value in valid:
        return valid.index(value)
    msg = f"{name} must be one of {', '.join(map(repr, valid))}, got {value!r}"
    raise ValueError(msg)


def size_of(name: str, size: Any) -> tuple[int, int]:
    """Return the extents of an image."""
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        msg = f"{name} must be (height, width), got {size!r}"
        raise ValueError(msg)
    return whole(name, size[0], 1, 20), whole(name, size[1], 1, 20)


def interval(name: str, value: Any) -> tuple[float, float]:
    """Return (low, high) of a range, (-value, value) where it is a number."""
    if isinstance(value, (tuple, list)):
        if len(value) == 2:
            low, high = (number(name, bound) for bound in value)
            if np.isfinite([low, high]).all() and low <= high:
                return low, high
        msg = f"{name} must be a number or (low, high) with low <= high, got {value!r}"
        raise ValueError(msg)
    bound = not_negative(name, value)
    return -bound, bound


def table(
    rows: list[list[float]], policy: Policy | None, labels: Any, count: int, columns: Mapping[str, slice], make: Any
) -> tuple[Doubles, Integers | None]:
    """Return one row of ranges a class, and the labels that choose them; one row and None without a policy."""
    if policy is None:
        return np.array(rows), None
    if labels is None:
        msg = "labels must be given where policy is, got None"
        raise ValueError(msg)
    classes = integers("labels", labels)
    if classes.shape != (count,):
        wrong_shape("labels", classes, f"({count},)")
    if int(classes.min()) < 0:
        msg = f"labels must not be negative, got {classes.min()}"
        raise ValueError(msg)
    keys = [whole("policy", key, 0, 20) for key in policy]
    # Classes without an entry share row 0.
    result = np.repeat(np.array(rows), len(keys) + 1, axis=0)
    chosen = np.zeros(count, INT64)
    for row, key in enumerate(keys, 1):
        for name, value in policy[key].items():
            if name not in columns:
                msg = f"policy must name one of {', '.join(columns)}, got {name!r}"
                raise ValueError(msg)
            result[row, columns[name]] = make(name, value)
        chosen[classes == key] = row
    return result, chosen


def value_bounds(value_range: Any) -> tuple[float, float]:
    """Return the limits of values; none where ``value_range`` is None."""
    if value_range is None:
        return -np.inf, np.inf
    if isinstance(value_range, (tuple, list)) and len(value_range) == 2:
        low, high = (number("value_range", bound) for bound in value_range)
        if low < high:
            return low, high
    msg = f"value_range must be (low, high) with low < high, got {value_range!r}"
    raise ValueError(msg)


def finite_bounds(value_range: Any) -> tuple[float, float]:
    """Return the limits of values, which there have to be."""
    low, high = value_bounds(value_range)
    if not np.isfinite([low, high]).all():
        msg = f"value_range must be finite, got {value_range!r}"
        raise ValueError(msg)
    return low, high
