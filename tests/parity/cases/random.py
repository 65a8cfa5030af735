"""Cases of the operations of ``flyball.backend.random``."""

import math

import numpy as np
import pytest

from flyball.reference.random import pairs
from parity.cases.dropout import ADDRESS
from parity.cases.table import operation
from parity.tolerances import EXACT, SHORT, TRANSFORMED

SIXTY_FOUR_BITS = 2**64


def words(shape, dtype, seed, stream, step):
    """Return a word as wide as ``dtype`` for each element, and the whole groups they are from, as Python integers."""
    size, itemsize = int(np.prod(shape)), np.dtype(dtype).itemsize
    drawn = pairs(-(-size * itemsize // 128), seed, stream, step)
    wide = np.ascontiguousarray(drawn).view(np.uint32 if itemsize == 4 else "<u8")
    whole = wide.reshape(len(drawn), 2, 64 // itemsize)
    return whole.reshape(-1)[:size].reshape(shape), whole


def fraction_of(word):
    """Return numbers in [0, 1) of 24 or 52 bits, exactly."""
    return (word >> np.uint32(8)) / 2.0**24 if word.dtype == np.uint32 else (word >> np.uint64(12)) / 2.0**52


def normals(shape, dtype, seed, stream, step):
    """Box and Muller in float64, of the bits that arrays of ``dtype`` use."""
    _, whole = words(shape, dtype, seed, stream, step)
    if whole.dtype == np.uint32:
        u = np.float32((whole[:, 0] >> np.uint32(1)) / 2.0**31).astype(np.float64) + 2.0**-32
        t = np.float32(whole[:, 1].view(np.int32) / 2.0**32).astype(np.float64)
    else:
        u, t = 1 - fraction_of(whole[:, 0]), fraction_of(whole[:, 1]) - 0.5
    radius = np.sqrt(-2 * np.log(u))
    both = np.stack([radius * np.cos(2 * np.pi * t), radius * np.sin(2 * np.pi * t)], axis=1)
    return both.reshape(-1)[: int(np.prod(shape))].reshape(shape)


def made(make, rows, columns, **scalars):
    """Arguments that draw. An oracle sees float64 copies of arrays: the scalars' type tells it what they were."""
    return {"out": make.empty(rows, columns), **{k: make.dtype.type(v) for k, v in scalars.items()}, **ADDRESS}


EMPTY = [(0, 5), (5, 0)]


def random_uniform_arguments(make, rows, columns, low=0.0, high=1.0):
    return made(make, rows, columns, low=low, high=high)


@operation(
    random_uniform_arguments, [{"low": -3.0, "high": 5.0}, {"low": 2.0, "high": 2.0}, {}], tolerance=SHORT, empty=EMPTY
)
def random_uniform(out, low, high, **address):
    return {"out": low + (high - low) * fraction_of(words(out.shape, low.dtype, **address)[0])}


def random_normal_arguments(make, rows, columns, mean=0.0, std=1.0):
    return made(make, rows, columns, mean=mean, std=std)


@operation(random_normal_arguments, [{"mean": -3.0, "std": 0.25}, {"std": 0.0}, {}], tolerance=TRANSFORMED, empty=EMPTY)
def random_normal(out, mean, std, **address):
    return {"out": mean + std * normals(out.shape, mean.dtype, **address)}


def random_truncated_normal_arguments(make, rows, columns, mean=0.0, std=1.0, bound=2.0):
    return made(make, rows, columns, mean=mean, std=std, bound=bound)


@operation(
    random_truncated_normal_arguments,
    [{"mean": -3.0, "std": 0.25}, {"bound": 0.5}, {"bound": 4.0}, {}],
    tolerance=TRANSFORMED,
    empty=EMPTY,
)
def random_truncated_normal(out, mean, std, bound, **address):
    special = pytest.importorskip("scipy.special")
    word, _ = words(out.shape, mean.dtype, **address)
    t = fraction_of(word) - 0.5 if word.dtype == np.uint64 else np.float32(word.view(np.int32) / 2.0**32)
    t = t.astype(np.float64)
    beyond = (0.5 - np.abs(t)) + np.abs(t) * math.erfc(bound / math.sqrt(2))
    return {"out": mean + std * np.clip(np.copysign(special.ndtri(beyond), t), -bound, bound)}


def random_integers_arguments(make, rows, columns, low=0, high=10):
    return {"out": np.zeros((rows, columns), np.int64), "low": low, "high": high, **ADDRESS}


@operation(
    random_integers_arguments,
    [{"low": -(2**63), "high": 2**63 - 1}, {"low": 5, "high": 6}, {"low": -7, "high": 2**33}, {}],
    tolerance=EXACT,
    empty=EMPTY,
)
def random_integers(out, low, high, **address):
    drawn = words((out.size,), "float64", **address)[0].tolist()
    values = [low + word * (high - low) // SIXTY_FOUR_BITS for word in drawn]
    return {"out": np.array(values, np.int64).reshape(out.shape)}


def random_permutation_arguments(make, rows, columns):
    return {"out": np.zeros(rows * columns, np.int64), **ADDRESS}


@operation(random_permutation_arguments, tolerance=EXACT, empty=EMPTY)
def random_permutation(out, **address):
    drawn = words((out.size,), "float64", **address)[0].tolist()
    order = np.arange(out.size)
    for i in range(out.size - 1, -1, -1):
        order[[i, drawn[i] * (i + 1) // SIXTY_FOUR_BITS]] = order[[drawn[i] * (i + 1) // SIXTY_FOUR_BITS, i]]
    return {"out": order}


def gaussian_noise_forward_arguments(make, rows, columns):
    return {"y": make.empty(rows, columns), "x": make.normal(rows, columns), "std": make.dtype.type(0.5), **ADDRESS}


@operation(gaussian_noise_forward_arguments, tolerance=TRANSFORMED, in_place=("y", "x"), empty=EMPTY)
def gaussian_noise_forward(x, std, y, **address):
    return {"y": x + std * normals(x.shape, std.dtype, **address)}


def gaussian_dropout_arguments(make, rows, columns, rate=0.25, names=("y", "x")):
    arrays = {names[0]: make.empty(rows, columns), names[1]: make.normal(rows, columns)}
    return {**arrays, "rate": make.dtype.type(rate), **ADDRESS}


@operation(gaussian_dropout_arguments, [{"rate": 0.0}, {}], tolerance=TRANSFORMED, in_place=("y", "x"), empty=EMPTY)
def gaussian_dropout_forward(x, rate, y, **address):
    return {"y": x * (1 + math.sqrt(rate / (1 - rate)) * normals(x.shape, rate.dtype, **address))}


@operation(
    lambda make, rows, columns: gaussian_dropout_arguments(make, rows, columns, names=("dx", "dy")),
    tolerance=TRANSFORMED,
    in_place=("dx", "dy"),
    empty=EMPTY,
)
def gaussian_dropout_backward(dy, rate, dx, **address):
    return {"dx": dy * (1 + math.sqrt(rate / (1 - rate)) * normals(dy.shape, rate.dtype, **address))}
