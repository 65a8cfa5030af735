"""Cases of the operations of ``flyball.backend.dropout``."""

import numpy as np

from flyball.backend import keep_probability
from flyball.reference.random import keep_bits
from parity.cases.table import operation
from parity.tolerances import EXACT, SHORT

ADDRESS = {"seed": 0x9E3779B97F4A7C15, "stream": 0xDEADBEEF, "step": 0x123456789ABC}


def drawn(shape, rate, seed, stream, step):
    bits = keep_bits(int(np.prod(shape)), seed, stream, step).reshape(shape)
    return bits < keep_probability(rate) * 65536


def dropout_mask_arguments(make, rows, columns, rate=0.5):
    return {"mask": np.zeros((rows, columns), bool), "rate": rate, **ADDRESS}


@operation(
    dropout_mask_arguments,
    [{}, {"rate": 0.0}, {"rate": 0.1}, {"rate": 0.999999}],
    tolerance=EXACT,
    empty=[(0, 5), (5, 0)],
)
def dropout_mask(mask, rate, seed, stream, step):
    return {"mask": drawn(mask.shape, rate, seed, stream, step)}


def dropout_forward_arguments(make, rows, columns, rate=0.25, draw=True, store=True):
    mask = make.mask(rows, columns)
    return {
        "y": make.empty(rows, columns),
        "mask": None if draw and not store else mask,
        "x": make.normal(rows, columns),
        "rate": rate,
        **ADDRESS,
        "draw": draw,
    }


@operation(
    dropout_forward_arguments,
    [{}, {"store": False}, {"draw": False}, {"rate": 0.0}],
    tolerance=SHORT,
    in_place=("y", "x"),
    empty=[(0, 5), (5, 0)],
)
def dropout_forward(mask, x, rate, seed, stream, step, draw, **_):
    mask = drawn(x.shape, rate, seed, stream, step) if draw else mask
    return {"y": np.where(mask, x / keep_probability(rate), 0.0), "mask": mask}


def dropout_backward_arguments(make, rows, columns, rate=0.25, store=True):
    return {
        "dx": make.empty(rows, columns),
        "dy": make.normal(rows, columns),
        "mask": make.mask(rows, columns) if store else None,
        "rate": rate,
        **ADDRESS,
    }


@operation(
    dropout_backward_arguments, [{}, {"store": False}], tolerance=SHORT, in_place=("dx", "dy"), empty=[(0, 5), (5, 0)]
)
def dropout_backward(dy, mask, rate, seed, stream, step, **_):
    mask = drawn(dy.shape, rate, seed, stream, step) if mask is None else mask
    return {"dx": np.where(mask, dy / keep_probability(rate), 0.0)}
