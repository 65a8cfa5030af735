"""Philox4x32-10: random bits that are a function of (seed, stream, step, element).

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.uint64]

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_BUMPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
WORD = 0xFFFFFFFF

GROUP_ELEMENTS = 64
GROUP_BLOCKS = 8
"""Consecutive elements that share consecutive blocks of four words, 16 bits an element."""


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


def keep_bits(count: int, seed: int, stream: int, step: int) -> NDArray[np.uint16]:
    """Return the 16 random bits of each of ``count`` elements.

    ``seed`` (64 bits) is the key; block ``b`` has the counter ``(b, step, stream)`` in 48, 48 and 32 bits.
    Element ``e`` of a group of 64 has the index ``e = 32 * half + 16 * pair + lane``; it takes block ``lane // 2`` of
    the group's eight, word ``2 * pair + lane % 2`` of it, and the low or high ``half`` of that. That is the order in
    which vectors of any width produce them with contiguous stores.
    """
    groups = -(-count // GROUP_ELEMENTS)
    block = np.arange(groups * GROUP_BLOCKS, dtype=np.uint64)
    counter = (
        block & np.uint64(WORD),
        (block >> np.uint64(32)) & np.uint64(0xFFFF) | np.uint64(step >> 32 << 16),
        np.full_like(block, step & WORD),
        np.full_like(block, stream),
    )
    words: NDArray[Any] = np.stack(philox(counter, (seed & WORD, seed >> 32)), axis=1).astype(np.uint32)
    # (group, block, pair, word of the pair) to (group, pair, lane)
    words = words.reshape(groups, GROUP_BLOCKS, 2, 2).swapaxes(1, 2).reshape(groups, 2, 16)
    bits = np.stack((words & np.uint32(0xFFFF), words >> np.uint32(16)), axis=1).astype(np.uint16)
    return bits.reshape(-1)[:count]
