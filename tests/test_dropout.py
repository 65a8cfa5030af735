"""What dropout is for: rates, independence, moments, masks in all their forms, and the ensemble it stands for."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from flyball import functional as F
from flyball.backend import keep_probability

pytestmark = pytest.mark.usefixtures("each_backend")
RNG = np.random.default_rng(11)


def chi_square_p(counts, expected):
    """Probability that counts are at least so far from what is expected."""
    stats = pytest.importorskip("scipy.stats")
    return stats.chisquare(counts, expected).pvalue


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.8])
def test_rate(rate):
    mask = F.dropout_mask(1 << 18, rate, seed=5)
    keep = keep_probability(rate) * mask.size
    assert chi_square_p([mask.sum(), (~mask).sum()], [keep, mask.size - keep]) > 1e-4


def pairs():
    """Masks whose elements should have nothing to do with one another."""
    size = 1 << 17
    base = F.dropout_mask(size + 64, 0.5, seed=1, stream=2, step=3)
    for shift in (1, 2, 8, 16, 31, 32, 33, 64):
        yield f"elements {shift} apart", base[:size], base[shift : size + shift]
    yield "steps", base[:size], F.dropout_mask(size, 0.5, seed=1, stream=2, step=4)
    yield "streams", base[:size], F.dropout_mask(size, 0.5, seed=1, stream=3, step=3)
    yield "seeds", base[:size], F.dropout_mask(size, 0.5, seed=2, stream=2, step=3)
    yield "high words of seeds", base[:size], F.dropout_mask(size, 0.5, seed=1 + 2**32, stream=2, step=3)
    yield "high words of steps", base[:size], F.dropout_mask(size, 0.5, seed=1, stream=2, step=3 + 2**32)


def test_independence():
    for name, one, other in pairs():
        counts = np.bincount(2 * one.astype(np.int64) + other, minlength=4)
        assert chi_square_p(counts, np.full(4, one.size / 4)) > 1e-4, name


def test_the_lines_of_the_course_notes():
    """d3 = np.random.rand(*a3.shape) < keep_prob; a3 = np.multiply(a3, d3); a3 /= keep_prob."""
    keep_prob = 0.8
    a3 = RNG.standard_normal((37, 21))
    d3 = RNG.random((37, 21)) < keep_prob
    expected = np.multiply(a3, d3)
    expected /= keep_prob
    y = F.dropout_forward(a3, 1 - keep_prob, mask=d3, scale=1 / keep_prob)
    np.testing.assert_allclose(y, expected, rtol=3e-16, atol=0)
    np.testing.assert_array_equal(F.dropout_forward(a3, 0.5, mask=d3), np.multiply(a3, d3) / 0.5)


def test_classic_dropout_scales_at_inference():
    x = RNG.standard_normal((5, 9))
    mask = F.dropout_mask(x.shape, 0.3, seed=1)
    np.testing.assert_array_equal(F.dropout_forward(x, 0.3, seed=1, scale=1), np.where(mask, x, 0))
    np.testing.assert_array_equal(F.dropout_inference(x, 0.3), x * keep_probability(0.3))


@pytest.mark.parametrize("size", [1, 7, 8, 9, 63, 64, 65, 255, 256, 257, 1009])
def test_packed_masks(size):
    x = RNG.standard_normal(size).astype(np.float32)
    y, mask = F.dropout_forward(x, 0.4, seed=2, return_mask=True)
    same, packed = F.dropout_forward(x, 0.4, seed=2, return_mask=True, packed=True)
    np.testing.assert_array_equal(same, y)
    np.testing.assert_array_equal(packed, np.packbits(mask, bitorder="little"))
    np.testing.assert_array_equal(F.dropout_mask(size, 0.4, seed=2, packed=True), packed)
    np.testing.assert_array_equal(F.dropout_forward(x, 0.4, mask=packed), y)
    np.testing.assert_array_equal(F.dropout_backward(x, 0.4, mask=packed), y)


@pytest.mark.parametrize(
    ("shape", "noise_shape"),
    [
        ((4, 6, 3), (4, 1, 3)),  # spatial dropout 1D, channels last
        ((4, 5, 6, 3), (None, 1, 1, None)),  # 2D
        ((2, 5, 6, 2, 3), (2, 1, 1, 1, 3)),  # 3D
        ((4, 3, 7), (4, 3, 1)),  # channels first
        ((4, 3, 7, 5), (4, 3, 1, 1)),
        ((6, 40), (1, 40)),
        ((6, 40), (6, 1)),
        ((6, 40), (1, 1)),
        ((6, 40), (6, 40)),
        ((3, 4, 5, 6), (1, 4, 1, 6)),
        ((3, 4, 5, 6), (3, 1, 5, 1)),
        ((1, 4, 1), (1, 1, 1)),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noise_shape(shape, noise_shape, dtype):
    x = RNG.standard_normal(shape).astype(dtype)
    extents = tuple(n if m is None else m for n, m in zip(shape, noise_shape, strict=True))
    address = {"seed": 9, "stream": 1, "step": 4}
    mask = F.dropout_mask(extents, 0.5, **address)
    y, drawn = F.dropout_forward(x, 0.5, **address, noise_shape=noise_shape, return_mask=True)
    np.testing.assert_array_equal(drawn, mask)
    np.testing.assert_array_equal(y, np.where(mask, x * 2, 0))
    np.testing.assert_array_equal(F.dropout_forward(x, 0.5, mask=mask), y)
    np.testing.assert_array_equal(F.dropout_backward(x, 0.5, **address, noise_shape=noise_shape), y)
    in_place = x.copy()
    assert F.dropout_forward(in_place, 0.5, **address, noise_shape=noise_shape, out=in_place) is in_place
    np.testing.assert_array_equal(in_place, y)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_alpha_dropout_keeps_mean_and_variance(rate):
    x = RNG.standard_normal(1 << 18)
    y = F.alpha_dropout_forward(x, rate, seed=3)
    assert abs(y.mean()) < 5 * y.std() / x.size**0.5
    assert y.var() == pytest.approx(1, abs=5 * np.std((y - y.mean()) ** 2) / x.size**0.5)


def test_alpha_dropout_is_that_of_torch():
    """By torch's own formula: a affine of the input where kept, and of alpha' elsewhere."""
    x = RNG.standard_normal(100)
    mask = RNG.random(100) < 0.75
    alpha, p = 1.7580993408473766, 0.25
    a = 1 / ((alpha**2 * p + 1) * (1 - p)) ** 0.5
    expected = x * mask * a + np.where(mask, alpha * a * p, alpha * a * (p - 1))
    np.testing.assert_allclose(F.alpha_dropout_forward(x, p, mask=mask), expected, rtol=1e-14)


@pytest.mark.parametrize("function", [F.dropout_forward, F.alpha_dropout_forward])
def test_infinite_and_nan_elements_vanish_where_dropped(function):
    x = np.array([np.inf, -np.inf, np.nan, 1.0] * 20)
    mask = np.arange(80) % 8 < 4
    for form in (mask, np.packbits(mask, bitorder="little")):
        y = function(x, 0.5, mask=form)
        assert np.isfinite(y[~mask]).all()
        np.testing.assert_array_equal(np.isnan(y[mask]), np.isnan(x[mask]))


@pytest.mark.parametrize("keep_prob", [0.5, 0.75])
def test_the_scaled_network_is_the_mean_of_all_sub_networks(keep_prob):
    """Linear output over 10 hidden units: 1,024 sub-networks, weighted by their probability. Srivastava et al. 2014."""
    x, w1, b1 = RNG.standard_normal((7, 4)), RNG.standard_normal((4, 10)), RNG.standard_normal(10)
    w2, b2 = RNG.standard_normal((10, 3)), RNG.standard_normal(3)
    hidden = F.dense_forward(x, w1, b1, activation="relu")
    inverted, classic = np.zeros((7, 3)), np.zeros((7, 3))
    for units in itertools.product([False, True], repeat=10):
        probability = keep_prob ** sum(units) * (1 - keep_prob) ** (10 - sum(units))
        mask = np.array([units])
        thinned = F.dropout_forward(hidden, 1 - keep_prob, mask=mask)
        inverted += probability * F.dense_forward(thinned, w2, b2)
        thinned = F.dropout_forward(hidden, 1 - keep_prob, mask=mask, scale=1)
        classic += probability * F.dense_forward(thinned, w2, b2)
    np.testing.assert_allclose(inverted, F.dense_forward(hidden, w2, b2), rtol=1e-12, atol=1e-12)
    scaled = F.dropout_inference(hidden, 1 - keep_prob)
    np.testing.assert_allclose(classic, F.dense_forward(scaled, w2, b2), rtol=1e-12, atol=1e-12)


X = np.zeros((4, 6))
MASK = np.zeros((4, 6), bool)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.dropout_forward(X, 0.5, mask=X), TypeError, "mask must be bool, got float64"),
        (lambda: F.dropout_forward(X, 0.5, mask=MASK[:3]), ValueError, "mask must be a C-contiguous bool array of"),
        (
            lambda: F.dropout_forward(X, 0.5, mask=np.zeros(4, np.uint8)),
            ValueError,
            "mask must be a C-contiguous uint8 array of shape (3,), got uint8 of shape (4,)",
        ),
        (
            lambda: F.dropout_forward(X, 0.5, mask=MASK, noise_shape=(4, 1)),
            ValueError,
            "noise_shape must be None where mask is given, got (4, 1)",
        ),
        (
            lambda: F.dropout_backward(X, 0.5, seed=1, noise_shape=(2, 6)),
            ValueError,
            "noise_shape must have, for each axis of shape (4, 6), its extent, 1 or None, got (2, 6)",
        ),
        (
            lambda: F.dropout_forward(X, 0.5, seed=1, noise_shape=(1,)),
            ValueError,
            "noise_shape must have, for each axis of shape (4, 6), its extent, 1 or None, got (1,)",
        ),
        (
            lambda: F.dropout_forward(X, 0.5, seed=1, noise_shape=6),
            TypeError,
            "noise_shape must be a sequence of integers or None, got 6",
        ),
        (
            lambda: F.alpha_dropout_forward(X, 0.5, seed=1, noise_shape=(4, 1), packed=True),
            ValueError,
            "packed must be False where noise_shape is given, got True",
        ),
        (lambda: F.dropout_forward(X, 0.5, seed=1, scale=0), ValueError, "scale must be in (0, inf), got 0"),
        (lambda: F.dropout_inference(X, 1), ValueError, "rate must be in [0, 1), got 1"),
        (lambda: F.alpha_dropout_backward(X, 1, seed=1), ValueError, "rate must be in [0, 1), got 1"),
        (
            lambda: F.dropout_mask(9, 0.5, seed=1, packed=True, out=np.zeros(1, np.uint8)),
            ValueError,
            "out must be a C-contiguous uint8 array of shape (2,), got uint8 of shape (1,)",
        ),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


@pytest.mark.usefixtures("each_backend")
def test_alpha_dropout_takes_a_mask_at_a_rate_of_zero(dtype):
    x, mask = np.arange(40, dtype=dtype), np.arange(40) % 3 > 0
    y = F.alpha_dropout_forward(x, 0.0, mask=mask)
    np.testing.assert_allclose(y, np.where(mask, x, -1.7580993408473766), rtol=1e-6)
