"""The random bits, against published words and a scalar implementation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flyball._core as native
from flyball.backend import keep_probability
from flyball.reference.random import coins, keep_bits, philox


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_known_answers_of_random123(counter, key, words):
    arrays = tuple(np.array([word], np.uint64) for word in counter)
    assert tuple(int(word[0]) for word in philox(arrays, key)) == words


def scalar_word(group, index, seed, stream, step):
    """One word of a group, from the description in words of one number at a time."""
    pair, lane = divmod(index, 16)
    block = 8 * group + lane // 2
    c = [block & 0xFFFFFFFF, (block >> 32) & 0xFFFF | (step >> 32) << 16, step & 0xFFFFFFFF, stream]
    k = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        low, high = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(high >> 32) ^ c[1] ^ k[0], high & 0xFFFFFFFF, (low >> 32) ^ c[3] ^ k[1], low & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c[2 * pair + lane % 2]


def scalar_bits(element, seed, stream, step):
    """What decides one element: 16 bits, of each 64 elements in lower halves of words and then in upper ones."""
    return scalar_word(element // 64, element % 32, seed, stream, step) >> (element // 32 % 2 * 16) & 0xFFFF


def scalar_coin(element, seed, stream, step):
    """What decides one element that is kept with probability 1/2: the words' bits in turn."""
    return bool(scalar_word(element // 1024, element // 32 % 32, seed, stream, step) >> (element % 32) & 1)


@given(
    count=st.integers(1, 300) | st.integers(1000, 1100),
    rate=st.floats(0, 1, exclude_max=True) | st.just(0.5),
    seed=st.integers(0, 2**64 - 1),
    stream=st.integers(0, 2**32 - 1),
    step=st.integers(0, 2**48 - 1),
)
def test_masks_are_the_bits_of_the_description(count, rate, seed, stream, step):
    bits = [scalar_bits(element, seed, stream, step) for element in range(count)]
    assert keep_bits(count, seed, stream, step).tolist() == bits
    mask = np.zeros(count, bool)
    native.dropout_mask(mask, rate, seed, stream, step)
    tossed = [scalar_coin(element, seed, stream, step) for element in range(count)]
    assert coins(count, seed, stream, step).tolist() == tossed
    assert mask.tolist() == (
        tossed if keep_probability(rate) == 0.5 else [u < keep_probability(rate) * 65536 for u in bits]
    )


def test_the_share_that_is_kept_is_what_the_scale_says():
    for rate in (0.1, 0.5, 0.9):
        mask = np.zeros(1_000_000, bool)
        native.dropout_mask(mask, rate, 7, 0, 0)
        deviation = (keep_probability(rate) * (1 - keep_probability(rate)) / mask.size) ** 0.5
        assert abs(mask.mean() - keep_probability(rate)) < 5 * deviation
