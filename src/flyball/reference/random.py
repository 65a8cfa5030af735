"""Random numbers that are a function of (seed, stream, step, element): Philox4x32-10, and what is made of it.

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.reference._arrays import INT64, float_dtype, need, need_out, refuse_overlap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.backend.types import Floats, Integers

    Words = NDArray[np.uint64]

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_BUMPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
WORD = 0xFFFFFFFF

GROUP_BLOCKS = 8
"""Consecutive blocks of four words, which 1024 elements of a bit share, 64 of 16 bits, 32 of 32 or 16 of 64."""


def philox(counter: tuple[Words, Words, Words, Words], key: tuple[int, int]) -> tuple[Words, Words, Words, Words]:
    """Return the four words of each block, given the four words of its counter; words of 32 bits, held in 64."""
    mask, shift = np.uint64(WORD), np.uint64(32)
    multiplier_0, multiplier_1 = (np.uint64(multiplier) for multiplier in MULTIPLIERS)
    c0, c1, c2, c3 = counter
    for index in range(ROUNDS):
        k0, k1 = (np.uint64((word + index * bump) & WORD) for word, bump in zip(key, KEY_BUMPS, strict=True))
        product_0 = multiplier_0 * c0
        product_1 = multiplier_1 * c2
        c0, c1, c2, c3 = (
            (product_1 >> shift) ^ c1 ^ k0,
            product_1 & mask,
            (product_0 >> shift) ^ c3 ^ k1,
            product_0 & mask,
        )
    return c0, c1, c2, c3


def pairs(groups: int, seed: int, stream: int, step: int) -> NDArray[np.uint32]:
    """Return the words of ``groups`` groups of blocks in the order of use, shape (groups, 2, 16).

    ``seed`` (64 bits) is the key; block ``b`` has the counter ``(b, step, stream)`` in 48, 48 and 32 bits. Of each
    group words 0 and 1 of its eight blocks stand first, then words 2 and 3. That is the order in which vectors of any
    width produce them with contiguous stores.
    """
    block = np.arange(groups * GROUP_BLOCKS, dtype=np.uint64)
    counter = (
        block & np.uint64(WORD),
        (block >> np.uint64(32)) & np.uint64(0xFFFF) | np.uint64(step >> 32 << 16),
        np.full_like(block, step & WORD),
        np.full_like(block, stream),
    )
    drawn: NDArray[Any] = np.stack(philox(counter, (seed & WORD, seed >> 32)), axis=1).astype(np.uint32)
    return drawn.reshape(groups, GROUP_BLOCKS, 2, 2).swapaxes(1, 2).reshape(groups, 2, 16)


def keep_bits(count: int, seed: int, stream: int, step: int) -> NDArray[np.uint16]:
    """Return 16 random bits for each of ``count`` elements.

    Of each 64 elements the first half takes the lower halves of a group's words, the other the upper halves.
    """
    drawn = pairs(-(-count // 64), seed, stream, step)
    bits = np.stack((drawn & np.uint32(0xFFFF), drawn >> np.uint32(16)), axis=1).astype(np.uint16)
    return bits.reshape(-1)[:count]


def coins(count: int, seed: int, stream: int, step: int) -> NDArray[np.bool_]:
    """Return a random bit for each of ``count`` elements: those of a group's words in turn, the lowest first."""
    drawn = pairs(-(-count // 1024), seed, stream, step).astype("<u4")
    return np.unpackbits(drawn.reshape(-1).view(np.uint8), count=count, bitorder="little").view(np.bool_)


def words(count: int, itemsize: int, seed: int, stream: int, step: int) -> NDArray[Any]:
    """Return 32 or 64 random bits for each of ``count`` elements of ``itemsize`` bytes, in pairs: shape (n, 2, half).

    64 bits are two words, the first the lower. There are more than ``count`` where that does not fill a group.
    """
    drawn = pairs(-(-count * itemsize // 128), seed, stream, step)
    if itemsize == 4:
        return drawn
    return drawn[..., 0::2].astype(np.uint64) | drawn[..., 1::2].astype(np.uint64) << np.uint64(32)


def unit(bits: NDArray[Any]) -> NDArray[Any]:
    """Return numbers in [0, 1): multiples of 2**-24 or 2**-52."""
    if bits.dtype == np.uint32:
        return (bits >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)
    return (bits >> np.uint64(12)).astype(np.float64) * 2.0**-52


def positive_unit(bits: NDArray[Any]) -> NDArray[Any]:
    """Return numbers in (0, 1]."""
    if bits.dtype == np.uint32:
        return (bits >> np.uint32(1)).astype(np.float32) * np.float32(2**-31) + np.float32(2**-32)
    return 1.0 - unit(bits)


def centred_unit(bits: NDArray[Any]) -> NDArray[Any]:
    """Return numbers in [-1/2, 1/2]."""
    if bits.dtype == np.uint32:
        return bits.view(np.int32).astype(np.float32) * np.float32(2**-32)
    return unit(bits) - 0.5


def normals(count: int, itemsize: int, key: tuple[int, int, int]) -> NDArray[np.float64]:
    """Return standard normal variables, made of words of ``itemsize`` bytes."""
    drawn = words(count, itemsize, *key)
    radius = np.sqrt(-2.0 * np.log(positive_unit(drawn[:, 0]).astype(np.float64)))
    angle = 2.0 * np.pi * centred_unit(drawn[:, 1]).astype(np.float64)
    values: NDArray[np.float64] = np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=1)
    return values.reshape(-1)[:count]


# Wichura, "Algorithm AS 241: The percentage points of the normal distribution", 1988: PPND16, the outermost part left
# out.
INNER = (
    (3.387132872796366608, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125,
     45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727),
    (1.0, 42.313330701600911252, 687.1870074920579083, 5394.1960214247511077,
     21213.794301586595867, 39307.89580009271061, 28729.085735721942674, 5226.495278852854561),
)  # fmt: skip
OUTER = (
    (1.42343711074968357734, 4.6303378461565452959, 5.7694972214606914055, 3.64784832476320460504,
     1.27045825245236838258, 0.241780725177450611770, 0.0227238449892691845833, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187, 1.6763848301838038494, 0.68976733498510000455,
     0.14810397642748007459, 0.0151986665636164571966, 5.475938084995344946e-4, 1.05075007164441684324e-9),
)  # fmt: skip


def normal_quantile(t: NDArray[np.float64], outside: float) -> NDArray[np.float64]:
    """Return the quantile of the standard normal distribution at ``1/2 + t * (1 - outside)``; it is up to 6.6."""

    def rational(x: NDArray[np.float64], part: tuple[tuple[float, ...], tuple[float, ...]]) -> NDArray[np.float64]:
        return np.polyval(part[0][::-1], x) / np.polyval(part[1][::-1], x)

    tail = (0.5 - np.abs(t)) + np.abs(t) * outside
    q = t - t * outside
    inner = q * rational(0.180625 - q * q, INNER)
    outer = np.copysign(rational(np.sqrt(-np.log(tail)) - 1.6, OUTER), t)
    return np.where(tail >= 0.075, inner, outer)


def scaled(word: int, size: int) -> int:
    """Return ``floor(word * size / 2**64)``."""
    return word * size >> 64


def random_uniform(out: Floats, low: float, high: float, seed: int, stream: int, step: int) -> None:
    dtype = float_dtype("out", out)
    need_out("out", out, dtype, out.shape)

    u = unit(words(out.size, dtype.itemsize, seed, stream, step)).reshape(-1)[: out.size]
    last = np.nextafter(dtype.type(high), dtype.type(low))  # high itself may be what low + (high - low) * u rounds to
    out[...] = np.minimum(u * dtype.type(high - low) + dtype.type(low), last).reshape(out.shape)


def random_normal(out: Floats, mean: float, std: float, seed: int, stream: int, step: int) -> None:
    dtype = float_dtype("out", out)
    need_out("out", out, dtype, out.shape)

    out[...] = (mean + std * normals(out.size, dtype.itemsize, (seed, stream, step))).reshape(out.shape)


def random_truncated_normal(
    out: Floats, mean: float, std: float, bound: float, seed: int, stream: int, step: int
) -> None:
    dtype = float_dtype("out", out)
    need_out("out", out, dtype, out.shape)

    t = centred_unit(words(out.size, dtype.itemsize, seed, stream, step)).reshape(-1)[: out.size].astype(np.float64)
    n = normal_quantile(t, math.erfc(bound * math.sqrt(0.5)))
    out[...] = (mean + std * np.clip(n, -bound, bound)).reshape(out.shape)


def random_integers(out: Integers, low: int, high: int, seed: int, stream: int, step: int) -> None:
    need_out("out", out, INT64, out.shape)

    drawn = words(out.size, 8, seed, stream, step).reshape(-1)[: out.size].tolist()
    out[...] = np.array([low + scaled(word, high - low) for word in drawn], np.int64).reshape(out.shape)


def random_permutation(out: Integers, seed: int, stream: int, step: int) -> None:
    need_out("out", out, INT64, (out.size,))

    drawn = words(out.size, 8, seed, stream, step).reshape(-1)[: out.size].tolist()
    order = list(range(out.size))
    for i in reversed(range(out.size)):
        j = scaled(drawn[i], i + 1)
        order[i], order[j] = order[j], order[i]
    out[...] = order


def noisy(y: Floats, x: Floats, names: tuple[str, str]) -> np.dtype[Any]:
    """Check an array of floats and where its result goes; return their dtype."""
    dtype = float_dtype(names[1], x)
    need(names[1], x, dtype, x.shape)
    need_out(names[0], y, dtype, x.shape)
    refuse_overlap({names[0]: y}, {names[1]: x}, in_place=True)
    return dtype


def gaussian_noise_forward(y: Floats, x: Floats, std: float, seed: int, stream: int, step: int) -> None:
    dtype = noisy(y, x, ("y", "x"))

    y[...] = x + std * normals(x.size, dtype.itemsize, (seed, stream, step)).reshape(x.shape)


def gaussian_dropout(y: Floats, x: Floats, rate: float, key: tuple[int, int, int]) -> None:
    """Multiply ``x`` with normal variables of mean 1."""
    n = normals(x.size, x.dtype.itemsize, key).reshape(x.shape)
    y[...] = x * (1.0 + math.sqrt(rate / (1.0 - rate)) * n)


def gaussian_dropout_forward(y: Floats, x: Floats, rate: float, seed: int, stream: int, step: int) -> None:
    noisy(y, x, ("y", "x"))

    gaussian_dropout(y, x, rate, (seed, stream, step))


def gaussian_dropout_backward(dx: Floats, dy: Floats, rate: float, seed: int, stream: int, step: int) -> None:
    noisy(dx, dy, ("dx", "dy"))

    gaussian_dropout(dx, dy, rate, (seed, stream, step))
