"""Cases of the operations of ``flyball.backend.data``."""

import math

import numpy as np

from parity.cases.table import operation
from parity.tolerances import EXACT


def gather_arguments(make, rows, columns, source=None):
    x = make.normal(rows + 2, columns, scale=50.0)
    return {
        "out": make.empty(rows, columns),
        "x": x if source is None else np.abs(x).astype(source),
        "rows": make.rng.integers(0, rows + 2, rows),
    }


SOURCES = ("f4", "f8", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")


@operation(gather_arguments, [{}, *({"source": source} for source in SOURCES)], tolerance=EXACT)
def gather(out, x, rows):
    return {"out": np.stack([x[row] for row in rows]).astype(out.dtype)}


def gather_labels_arguments(make, rows, columns, several=False):
    integers = make.rng.integers
    each = (columns,) if several else ()
    labels = integers(0, columns, (rows + 2, *each))
    return {"out": np.full((rows, *each), -1), "labels": labels, "rows": integers(0, rows + 2, rows)}


@operation(gather_labels_arguments, [{}, {"several": True}], tolerance=EXACT)
def gather_labels(labels, rows, **_):
    return {"out": np.array([labels[row] for row in rows])}


def swap_axes_arguments(make, rows, columns, rest=1, first=None):
    """The rows' number is one of the axes; with ``first`` it is another."""
    first, second = (rows, columns) if first is None else (first, rows)
    x = make.normal(3, first * second * rest)
    return {"y": np.full_like(x, np.nan), "x": x, "first": first, "second": second}


@operation(swap_axes_arguments, [{}, {"rest": 2}, {"rest": 5, "first": 3}, {"first": 3}, {"first": 1}], tolerance=EXACT)
def swap_axes(x, first, second, **_):
    return {"y": np.einsum("nijr->njir", x.reshape(len(x), first, second, -1)).reshape(x.shape)}


def find_not_finite_arguments(make, rows, columns, wrong=None, at=0.5, apart=0):
    """One element is ``wrong``, and all that come after it."""
    x = make.normal(rows, columns + apart)[:, :columns]
    if wrong is not None:
        first = int(at * x.size)
        x[np.arange(x.size).reshape(x.shape) >= first] = wrong
    return {"position": np.array([-1]), "x": x}


LARGEST = float(np.finfo(np.float32).max)


@operation(
    find_not_finite_arguments,
    [
        {},
        {"wrong": LARGEST},
        {"wrong": -LARGEST, "apart": 3},
        {"wrong": np.nan},
        {"wrong": np.inf, "at": 0.0},
        {"wrong": -np.inf, "at": 0.999},
        {"wrong": np.nan, "at": 0.7, "apart": 3},
    ],
    tolerance=EXACT,
)
def find_not_finite(position, x):
    finite = [all(map(math.isfinite, row)) for row in x.tolist()]
    return {"position": np.array([[*finite, False].index(False)])}


def add_total_arguments(make, rows, columns, scale=1.0):
    return {"total": np.array([1.5]), "values": make.rng.standard_normal(rows * columns), "scale": scale}


@operation(add_total_arguments, [{}, {"scale": 0.125}], tolerance=EXACT, empty=[(0, 5)])
def add_total(total, values, scale):
    running = 0.0
    for value in values.tolist():
        running += value
    return {"total": total + scale * running}
