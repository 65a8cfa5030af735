"""Cases of the operations of ``flyball.backend.dropout``."""

import numpy as np

from flyball.backend import keep_probability
from flyball.reference.random import coins, keep_bits
from parity.cases.table import operation
from parity.tolerances import EXACT, SHORT

ADDRESS = {"seed": 0x9E3779B97F4A7C15, "stream": 0xDEADBEEF, "step": 0x123456789ABC}


def drawn(shape, rate, seed, stream, step):
    count = int(np.prod(shape))
    if keep_probability(rate) == 0.5:
        return coins(count, seed, stream, step).reshape(shape)
    return (keep_bits(count, seed, stream, step) < keep_probability(rate) * 65536).reshape(shape)


def laid_over(mask, shape):
    """Return a mask, however it is stored, as one of bool that lies over ``shape``."""
    if mask.dtype == np.uint8:
        return np.unpackbits(mask, count=int(np.prod(shape)), bitorder="little").reshape(shape).astype(bool)
    return np.broadcast_to(mask, shape)


def decided(x, mask, rate, address, draw):
    """Return the mask in its own form, and over ``x``."""
    if not draw:
        return mask, laid_over(mask, x.shape)
    if mask is None or mask.dtype == np.uint8:
        kept = drawn(x.shape, rate, **address)
        return np.packbits(kept, bitorder="little"), kept
    kept = drawn(mask.shape, rate, **address)
    return kept, np.broadcast_to(kept, x.shape)


def made_mask(make, rows, columns, form):
    """Return a mask of one of the forms that operations take."""
    extents = {"rows": (rows, 1), "columns": (1, columns), "one": (1, 1)}.get(form, (rows, columns))
    mask = make.mask(*extents)
    return np.packbits(mask, bitorder="little") if form == "packed" else None if form == "absent" else mask


def dropout_mask_arguments(make, rows, columns, rate=0.5, packed=False):
    mask = np.zeros((rows, columns), np.uint8 if packed else bool)
    return {"mask": mask, "rate": rate, **ADDRESS}


@operation(
    dropout_mask_arguments,
    [{"packed": True}, {"rate": 0.0}, {"rate": 0.1}, {"rate": 0.999999}, {}],
    tolerance=EXACT,
    empty=[(0, 5), (5, 0)],
)
def dropout_mask(mask, rate, seed, stream, step):
    if mask.dtype == np.uint8:
        kept = drawn((8 * mask.size,), rate, seed, stream, step)
        return {"mask": np.packbits(kept, bitorder="little").reshape(mask.shape)}
    return {"mask": drawn(mask.shape, rate, seed, stream, step)}


def dropout_mask_columns_arguments(make, rows, columns, rate=0.5, first=64):
    columns = (columns + 63) // 64 * 64
    arguments = {"mask": np.zeros((rows, columns), bool), "rate": rate, **ADDRESS}
    return {**arguments, "width": first + columns + 64, "first": first}


@operation(
    dropout_mask_columns_arguments,
    [{"first": 0}, {"first": 192, "rate": 0.1}, {"rate": 0.0}, {}],
    tolerance=EXACT,
    empty=[(0, 64), (5, 0)],
)
def dropout_mask_columns(mask, rate, seed, stream, step, width, first):
    rows, columns = mask.shape
    return {"mask": drawn((rows, width), rate, seed, stream, step)[:, first : first + columns]}


def forward_arguments(make, rows, columns, rate=0.25, draw=True, form="full", **scalars):
    return {
        "y": make.empty(rows, columns),
        "mask": made_mask(make, rows, columns, form),
        "x": make.normal(rows, columns),
        "rate": rate,
        **ADDRESS,
        "draw": draw,
        **scalars,
    }


def backward_arguments(make, rows, columns, rate=0.25, form="full", **scalars):
    return {
        "dx": make.empty(rows, columns),
        "dy": make.normal(rows, columns),
        "mask": made_mask(make, rows, columns, form),
        "rate": rate,
        **ADDRESS,
        **scalars,
    }


FORMS = ({"form": "packed"}, {"form": "rows"}, {"form": "columns"}, {"form": "one"}, {})
FORWARD = ({"form": "absent"}, {"rate": 0.0}, *({**form, "draw": draw} for draw in (False, True) for form in FORMS))
BACKWARD = ({"form": "absent"}, *FORMS)
EMPTY = [(0, 5), (5, 0)]


def with_scale(variants):
    return [{**variant, "scale": scale} for scale in (1.0, 1.25) for variant in variants]


@operation(forward_arguments, with_scale(FORWARD), tolerance=SHORT, in_place=("y", "x"), empty=EMPTY)
def dropout_forward(mask, x, rate, seed, stream, step, draw, scale, **_):
    stored, kept = decided(x, mask, rate, {"seed": seed, "stream": stream, "step": step}, draw)
    return {"y": np.where(kept, x * scale, 0.0), "mask": stored}


@operation(backward_arguments, with_scale(BACKWARD), tolerance=SHORT, in_place=("dx", "dy"), empty=EMPTY)
def dropout_backward(dy, mask, rate, seed, stream, step, scale, **_):
    _, kept = decided(dy, mask, rate, {"seed": seed, "stream": stream, "step": step}, mask is None)
    return {"dx": np.where(kept, dy * scale, 0.0)}


def dropout_inference_arguments(make, rows, columns):
    return {"y": make.empty(rows, columns), "x": make.normal(rows, columns), "rate": 0.3}


@operation(dropout_inference_arguments, tolerance=SHORT, in_place=("y", "x"), empty=EMPTY)
def dropout_inference(x, rate, **_):
    return {"y": x * keep_probability(rate)}


def alpha_line(rate):
    """Return slope and offset that keep mean 0 and variance 1, solved for instead of taken from the paper."""
    keep, s = keep_probability(rate), -1.7580993408473766
    mean = s * (1 - keep)
    variance = keep + s**2 * (1 - keep) - mean**2
    return variance**-0.5, -(variance**-0.5) * mean


@operation(forward_arguments, FORWARD, tolerance=SHORT, in_place=("y", "x"), empty=EMPTY)
def alpha_dropout_forward(mask, x, rate, seed, stream, step, draw, **_):
    stored, kept = decided(x, mask, rate, {"seed": seed, "stream": stream, "step": step}, draw)
    a, b = alpha_line(rate)
    return {"y": a * np.where(kept, x, -1.7580993408473766) + b, "mask": stored}


@operation(backward_arguments, BACKWARD, tolerance=SHORT, in_place=("dx", "dy"), empty=EMPTY)
def alpha_dropout_backward(dy, mask, rate, seed, stream, step, **_):
    _, kept = decided(dy, mask, rate, {"seed": seed, "stream": stream, "step": step}, mask is None)
    return {"dx": np.where(kept, alpha_line(rate)[0] * dy, 0.0)}


def add_branch_arguments(make, rows, columns, masked=True, scale=1.25):
    branch = make.normal(rows, columns)
    mask = make.mask(rows) if masked else None
    if masked:
        branch[~mask] = np.nan
    return {
        "y": make.empty(rows, columns),
        "x": make.normal(rows, columns),
        "branch": branch,
        "mask": mask,
        "scale": scale,
    }


@operation(
    add_branch_arguments,
    [{}, {"masked": False}, {"masked": False, "scale": 1.0}],
    tolerance=SHORT,
    in_place=("y", "x"),
    empty=[(0, 5), (5, 0)],
)
def add_branch(x, branch, mask, scale, **_):
    return {"y": x + scale * branch if mask is None else np.where(mask[:, None], x + scale * branch, x)}
