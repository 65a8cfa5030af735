"""Rows and totals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.reference._arrays import (
    FLOAT64,
    INT64,
    float_dtype,
    need,
    need_extent,
    need_indices,
    need_ndim,
    need_out,
    need_rows,
    refuse_overlap,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.backend.types import Doubles, Floats, Integers


EXTENT_BITS = 30
"""Of the axes that are exchanged: their product fits an index."""


def gather(out: Floats, x: NDArray[Any], rows: Integers) -> None:
    need_ndim("x", x, 2)
    need_ndim("rows", rows, 1)
    dtype = float_dtype("out", out)
    need_out("out", out, dtype, (rows.size, x.shape[1]))
    need_rows("x", x)
    need("rows", rows, INT64, rows.shape)
    refuse_overlap({"out": out}, {"x": x, "rows": rows})
    need_indices("rows", "position", rows, len(x))

    out[...] = x[rows]


def gather_labels(out: Integers, labels: Integers, rows: Integers) -> None:
    need_ndim("labels", labels, 1, 2)
    need_ndim("rows", rows, 1)
    need_out("out", out, INT64, (rows.size, *labels.shape[1:]))
    need("labels", labels, INT64, labels.shape)
    need("rows", rows, INT64, rows.shape)
    refuse_overlap({"out": out}, {"labels": labels, "rows": rows})
    need_indices("rows", "position", rows, len(labels))

    out[...] = labels[rows]


def swap_axes(y: Floats, x: Floats, first: int, second: int) -> None:
    need_ndim("x", x, 2)
    need_extent("first", first, EXTENT_BITS)
    need_extent("second", second, EXTENT_BITS)
    dtype = float_dtype("x", x)
    n, columns = x.shape
    need_out("y", y, dtype, x.shape)
    need("x", x, dtype, (n, columns // (first * second) * (first * second)))
    refuse_overlap({"y": y}, {"x": x})

    y.reshape(n, second, first, -1)[...] = x.reshape(n, first, second, -1).swapaxes(1, 2)


def find_not_finite(position: Integers, x: Floats) -> None:
    need_ndim("x", x, 2)
    float_dtype("x", x)
    need_out("position", position, INT64, (1,))
    need_rows("x", x)
    refuse_overlap({"position": position}, {"x": x})

    wrong = ~np.isfinite(x).all(axis=1)
    position[0] = np.argmax(wrong) if wrong.any() else len(x)


def add_total(total: Doubles, values: Doubles, scale: float) -> None:
    need_ndim("values", values, 1)
    need("values", values, FLOAT64, values.shape)
    need_out("total", total, FLOAT64, (1,))
    refuse_overlap({"total": total}, {"values": values})

    if values.size:
        total[0] += scale * np.cumsum(values)[-1]
