"""Native dropout against a plain Philox4x32-10 and the formula."""

from __future__ import annotations

import numpy as np
import pytest

from flyball import _core
from flyball.backend import keep_probability

LEVELS = _core.build_info()["levels"][: _core.build_info()["levels"].index(_core.build_info()["detected_level"]) + 1]
SIZES = [0, 1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 1009, 2047, 2048, 2049, 40_000]
MASK32 = 0xFFFFFFFF
SCALE = 1 / keep_probability(0.3)


@pytest.fixture(params=LEVELS, autouse=True)
def level(request):
    _core.set_level(request.param)
    yield request.param
    _core.set_level(LEVELS[-1])
    _core.set_num_threads(1)


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


def expected_mask(count, rate, seed, stream, step):
    element = np.arange(count, dtype=np.uint64)
    group, r = element // np.uint64(64), (element % np.uint64(64)).astype(np.int64)
    half, pair, lane = r // 32, r // 16 % 2, r % 16
    block = np.uint64(8) * group + (lane // 2).astype(np.uint64)
    ones = np.ones_like(block)
    c1 = ((block >> np.uint64(32)) & np.uint64(0xFFFF)) | np.uint64(step >> 32 << 16)
    counter = [block & np.uint64(MASK32), c1, ones * np.uint64(step & MASK32), ones * np.uint64(stream)]
    words = np.stack(philox(counter, (seed & MASK32, seed >> 32)))
    word = words[2 * pair + lane % 2, np.arange(count)]
    u = (word >> (16 * half).astype(np.uint64)) & np.uint64(0xFFFF)
    return u < np.uint64(round(keep_probability(rate) * 65536))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("rate", [0.0, 0.3, 0.99999])
def test_mask(count, rate, threads):
    _core.set_num_threads(threads)
    seed, stream, step = 0xFEDCBA9876543210, 0xFFFFFFF0, 0xABCD_12345678
    mask = np.zeros(count + 1, bool)
    _core.dropout_mask(mask[:count], rate, seed, stream, step)
    np.testing.assert_array_equal(mask[:count], expected_mask(count, rate, seed, stream, step))
    assert not mask[count]


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_forward_and_backward(count, dtype, threads):
    _core.set_num_threads(threads)
    x = np.random.default_rng(0).standard_normal(count).astype(dtype)
    mask = expected_mask(count, 0.3, 7, 3, 11)
    expected = np.where(mask, x * dtype(1 / keep_probability(0.3)), dtype(0))
    address = {"rate": 0.3, "seed": 7, "stream": 3, "step": 11}
    padded = np.full(count + 1, 7, dtype)
    y, stored = padded[:count], np.empty(count, bool)
    _core.dropout_forward(y, stored, x, **address, draw=True, scale=SCALE)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(stored, mask)
    for outcome in (
        lambda y: _core.dropout_forward(y, None, x, **address, draw=True, scale=SCALE),
        lambda y: _core.dropout_forward(y, mask, x, **address, draw=False, scale=SCALE),
        lambda y: _core.dropout_backward(y, x, mask, **address, scale=SCALE),
        lambda y: _core.dropout_backward(y, x, None, **address, scale=SCALE),
    ):
        y[:] = -1
        outcome(y)
        np.testing.assert_array_equal(y, expected)
    assert padded[count] == 7
    in_place = x.copy()
    _core.dropout_forward(in_place, None, in_place, **address, draw=True, scale=SCALE)
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
def test_columns_of_a_mask_of_more_blocks_than_a_word_counts(threads):
    """A row has 2**27 blocks: every 32nd begins a new upper half of their number."""
    _core.set_num_threads(threads)
    rows, width, first, seed, stream, step = 300, 2**30, 2**29, 0x123456789ABCDEF, 5, 0x9876543210
    mask = np.zeros((rows, 64), bool)
    _core.dropout_mask_columns(mask, 0.5, seed, stream, step, width, first)
    groups = (np.arange(rows, dtype=np.uint64) * np.uint64(width) + np.uint64(first)) // np.uint64(64)
    block = (groups[:, None] * np.uint64(8) + np.arange(8, dtype=np.uint64)).reshape(-1)
    assert block[31 * 8] >> 32 == 0
    assert block[32 * 8] >> 32 == 1
    counter = (
        block & np.uint64(0xFFFFFFFF),
        (block >> np.uint64(32)) | np.uint64(step >> 32 << 16),
        np.full_like(block, step & 0xFFFFFFFF),
        np.full_like(block, stream),
    )
    words = np.stack(philox(counter, (seed & 0xFFFFFFFF, seed >> 32)), axis=1).reshape(rows, 8, 2, 2)
    words = words.swapaxes(1, 2).reshape(rows, 32)
    bits = np.concatenate([words & np.uint64(0xFFFF), words >> np.uint64(16)], axis=1)
    np.testing.assert_array_equal(mask, bits < 32768)
