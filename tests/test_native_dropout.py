"""Native dropout against a plain Philox4x32-10 and the formula."""

from __future__ import annotations

import numpy as np
import pytest

from flyball import _core
from flyball.backend import keep_probability

pytestmark = pytest.mark.usefixtures("each_level")
SIZES = [0, 1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 1009, 2047, 2048, 2049, 40_000]
MASK32 = 0xFFFFFFFF
SCALE = 1 / keep_probability(0.3)


def philox(counter, key):
    c = [np.asarray(word, np.uint64) for word in counter]
    k0, k1 = key
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        high0, high1 = p0 >> np.uint64(32), p1 >> np.uint64(32)
        low0, low1 = p0 & np.uint64(MASK32), p1 & np.uint64(MASK32)
        c = [high1 ^ c[1] ^ np.uint64(k0), low1, high0 ^ c[3] ^ np.uint64(k1), low0]
        k0, k1 = (k0 + 0x9E3779B9) & MASK32, (k1 + 0xBB67AE85) & MASK32
    return c


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([MASK32] * 4, [MASK32] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_oracle_gives_the_published_answers(counter, key, expected):
    assert [int(word) for word in philox(counter, key)] == expected


def words_of(block, seed, stream, step):
    """The four words of each block, shape (4, ...)."""
    ones = np.ones_like(block)
    c1 = ((block >> np.uint64(32)) & np.uint64(0xFFFF)) | np.uint64(step >> 32 << 16)
    counter = [block & np.uint64(MASK32), c1, ones * np.uint64(step & MASK32), ones * np.uint64(stream)]
    return np.stack(philox(counter, (seed & MASK32, seed >> 32)))


def kept(element, rate, seed, stream, step):
    """Whether elements, an array of their numbers, are kept."""
    threshold = round(keep_probability(rate) * 65536)
    if threshold == 32768:  # 32 elements a word, 512 a pair of words of the eight blocks of a group
        group, word, shift = (
            element // np.uint64(1024),
            element // np.uint64(32) % np.uint64(32),
            element % np.uint64(32),
        )
    else:  # the lower and then the upper halves of all words of a group
        group, word = element // np.uint64(64), element % np.uint64(32)
        shift = element // np.uint64(32) % np.uint64(2) * np.uint64(16)
    pair, lane = word // np.uint64(16), word % np.uint64(16)
    words = words_of(np.uint64(8) * group + lane // np.uint64(2), seed, stream, step)
    index = (np.uint64(2) * pair + lane % np.uint64(2)).astype(np.int64)
    bits = np.take_along_axis(words, index[np.newaxis], axis=0)[0] >> shift
    return bits & np.uint64(1) == 1 if threshold == 32768 else bits & np.uint64(0xFFFF) < np.uint64(threshold)


def expected_mask(count, rate, seed, stream, step):
    return kept(np.arange(count, dtype=np.uint64), rate, seed, stream, step)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("rate", [0.0, 0.3, 0.5, 0.99999])
def test_mask(count, rate, threads):
    _core.set_num_threads(threads)
    seed, stream, step = 0xFEDCBA9876543210, 0xFFFFFFF0, 0xABCD_12345678
    expected = expected_mask(count, rate, seed, stream, step)
    mask = np.zeros(count + 1, bool)
    _core.dropout_mask(mask[:count], rate, seed, stream, step)
    np.testing.assert_array_equal(mask[:count], expected)
    assert not mask[count]


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("rate", [0.3, 0.5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_forward_and_backward(count, dtype, rate, threads):
    _core.set_num_threads(threads)
    x = np.random.default_rng(0).standard_normal(count).astype(dtype)
    mask = expected_mask(count, rate, 7, 3, 11)
    bits = np.packbits(mask, bitorder="little")
    scale = 1 / keep_probability(rate)
    expected = np.where(mask, x * dtype(scale), dtype(0))
    address = {"rate": rate, "seed": 7, "stream": 3, "step": 11}
    padded = np.full(count + 1, 7, dtype)
    y, stored = padded[:count], np.empty(count, bool)
    _core.dropout_forward(y, stored, x, **address, draw=True, scale=scale)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(stored, mask)
    packed = np.full(bits.size + 1, 0xA5, np.uint8)
    for outcome in (
        lambda y: _core.dropout_forward(y, packed[:-1], x, **address, draw=True, scale=scale),
        lambda y: _core.dropout_forward(y, None, x, **address, draw=True, scale=scale),
        lambda y: _core.dropout_forward(y, mask, x, **address, draw=False, scale=scale),
        lambda y: _core.dropout_backward(y, x, mask, **address, scale=scale),
        lambda y: _core.dropout_backward(y, x, bits, **address, scale=scale),
        lambda y: _core.dropout_backward(y, x, None, **address, scale=scale),
    ):
        y[:] = -1
        outcome(y)
        np.testing.assert_array_equal(y, expected)
    assert padded[count] == 7
    np.testing.assert_array_equal(packed[:-1], bits)
    assert packed[-1] == 0xA5
    in_place = x.copy()
    _core.dropout_forward(in_place, None, in_place, **address, draw=True, scale=scale)
    np.testing.assert_array_equal(in_place, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("draw", [True, False])
def test_dropped_inf_and_nan_are_plus_zero(dtype, draw):
    x = np.resize(np.array([np.inf, -np.inf, np.nan, -1.0], dtype), 333)
    mask = expected_mask(333, 0.5, 1, 0, 0)
    y = np.empty_like(x)
    _core.dropout_forward(y, mask.copy(), x, 0.5, 1, 0, 0, draw, 2.0)
    assert np.all(y[~mask] == 0)
    assert not np.signbit(y[~mask]).any()
    np.testing.assert_array_equal(y[mask], x[mask] * 2)


def test_refusals():
    x = np.zeros(100, np.float32)
    with pytest.raises(ValueError, match="y must not overlap x"):
        _core.dropout_forward(x[1:], None, x[:-1], 0.5, 1, 0, 0, True, 2.0)
    with pytest.raises(ValueError, match="mask must be given unless draw is true, got None"):
        _core.dropout_forward(x.copy(), None, x, 0.5, 1, 0, 0, False, 2.0)
    with pytest.raises(ValueError, match=r"mask must be a C-contiguous uint8 array of shape \(13,\), got uint8 of"):
        _core.dropout_forward(x.copy(), np.zeros(100, np.uint8), x, 0.5, 1, 0, 0, True, 2.0)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("rate", "width", "per_block"), [(0.3, 2**30, 8), (0.5, 2**34, 128)])
def test_columns_of_a_mask_of_more_blocks_than_a_word_counts(rate, width, per_block, threads):
    """A row has 2**27 blocks: every 32nd begins a new upper half of their number."""
    _core.set_num_threads(threads)
    rows, first, columns, address = 300, width // 2, 192, (0x123456789ABCDEF, 5, 0x9876543210)
    mask = np.zeros((rows, columns), bool)
    _core.dropout_mask_columns(mask, rate, *address, width, first)
    row = np.arange(rows, dtype=np.uint64)[:, np.newaxis]
    element = row * np.uint64(width) + np.uint64(first) + np.arange(columns, dtype=np.uint64)
    assert element[31, 0] // per_block < 2**32 <= element[32, 0] // per_block
    np.testing.assert_array_equal(mask, kept(element, rate, *address))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("rate", [0.3, 0.5])
@pytest.mark.parametrize(
    ("columns", "first", "width"), [(64, 0, 64), (64, 64, 128), (128, 64, 320), (1024, 64, 2176), (1088, 1088, 2176)]
)
def test_columns_of_a_mask(columns, first, width, rate, threads):
    _core.set_num_threads(threads)
    mask = np.zeros((37, columns), bool)
    _core.dropout_mask_columns(mask, rate, 1, 2, 3, width, first)
    whole = expected_mask(37 * width, rate, 1, 2, 3).reshape(37, width)
    np.testing.assert_array_equal(mask, whole[:, first : first + columns])
