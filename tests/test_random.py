"""Random numbers: their distributions, their independence, and what they are a function of."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from parity.harness import LEVELS

import flyball
from flyball import _core, backend
from flyball import functional as F

pytestmark = pytest.mark.usefixtures("each_backend")
SIZE = 1 << 17


def ks_p(sample, distribution, *arguments):
    """Probability of a Kolmogorov-Smirnov distance of at least the sample's."""
    stats = pytest.importorskip("scipy.stats")
    return stats.kstest(sample, getattr(stats, distribution)(*arguments).cdf).pvalue


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_distributions(dtype):
    draws = {"seed": 3, "dtype": dtype}
    assert ks_p(F.random_uniform(SIZE, -2, 5, **draws), "uniform", -2, 7) > 1e-4
    assert ks_p(F.random_normal(SIZE, 3, 2, **draws), "norm", 3, 2) > 1e-4
    assert ks_p(F.random_truncated_normal(SIZE, 3, 2, **draws), "truncnorm", -2, 2, 3, 2) > 1e-4
    assert ks_p(F.random_truncated_normal(SIZE, bound=6, **draws), "norm") > 1e-4


def test_both_halves_of_a_pair_of_normals_are_independent():
    n = F.random_normal(SIZE, seed=8, dtype=np.float64)
    for shift in (1, 8, 16, 24):
        assert abs(np.corrcoef(n[:-shift], n[shift:])[0, 1]) < 5 / SIZE**0.5
        assert abs(np.corrcoef(n[:-shift] ** 2, n[shift:] ** 2)[0, 1]) < 5 / SIZE**0.5


@pytest.mark.parametrize("draw", [F.random_uniform, F.random_normal, F.random_truncated_normal])
def test_addresses_are_independent(draw):
    base = draw(SIZE, seed=1, stream=2, step=3, dtype=np.float64)
    for address in ((2, 2, 3), (1, 3, 3), (1, 2, 4), (1 + 2**32, 2, 3), (1, 2, 3 + 2**32)):
        other = draw(SIZE, seed=address[0], stream=address[1], step=address[2], dtype=np.float64)
        assert abs(np.corrcoef(base, other)[0, 1]) < 5 / SIZE**0.5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bounds(dtype):
    low, high = dtype(1), np.nextafter(dtype(1), dtype(2))  # every sum is rounded to one of the two
    assert set(F.random_uniform(1000, low, high, seed=1, dtype=dtype).tolist()) == {1.0}
    assert np.abs(F.random_truncated_normal(SIZE, bound=0.5, seed=1, dtype=dtype)).max() <= 0.5
    assert np.isfinite(F.random_normal(SIZE, seed=1, dtype=dtype)).all()


def test_integers_are_equally_likely():
    stats = pytest.importorskip("scipy.stats")
    drawn = F.random_integers(SIZE, -3, 4, seed=5)
    assert set(drawn.tolist()) == set(range(-3, 4))
    assert stats.chisquare(np.bincount(drawn + 3)).pvalue > 1e-4


def test_bootstrap_leaves_out_a_share_of_1_in_e():
    rows = F.random_integers(10_000, 0, 10_000, seed=1)
    assert 1 - len(np.unique(rows)) / 10_000 == pytest.approx(np.exp(-1), abs=0.02)


def test_permutations():
    for size in (0, 1, 2, 63, 64, 65, 1000):
        assert sorted(F.random_permutation(size, seed=1).tolist()) == list(range(size))
    assert F.random_permutation(100, seed=1).tolist() != F.random_permutation(100, seed=1, step=1).tolist()


def test_all_orders_are_equally_likely():
    stats = pytest.importorskip("scipy.stats")
    orders = dict.fromkeys(itertools.permutations(range(4)), 0)
    for step in range(4800):
        orders[tuple(F.random_permutation(4, seed=6, step=step).tolist())] += 1
    assert stats.chisquare(list(orders.values())).pvalue > 1e-4


def test_gaussian_dropout_keeps_the_mean_and_has_the_variance_of_dropout():
    y = F.gaussian_dropout_forward(np.ones(SIZE), 0.2, seed=4)
    assert y.mean() == pytest.approx(1, abs=5 * 0.5 / SIZE**0.5)
    assert y.var() == pytest.approx(0.25, rel=5 * (2 / SIZE) ** 0.5)


def test_noise_is_random_normal():
    x = np.linspace(-1, 1, 1000)
    noise = F.random_normal(1000, seed=2, step=9, dtype=np.float64)
    np.testing.assert_allclose(F.gaussian_noise_forward(x, 0.5, seed=2, step=9), x + 0.5 * noise, atol=1e-15)
    expected = x * (1 + noise * (0.3 / 0.7) ** 0.5)
    np.testing.assert_allclose(F.gaussian_dropout_forward(x, 0.3, seed=2, step=9), expected, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(F.gaussian_dropout_backward(x, 0.3, seed=2, step=9), expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform_bits_are_the_same_everywhere(dtype):
    with backend.backend_scope("reference"):
        expected = F.random_uniform(5000, seed=2**64 - 1, stream=7, step=2**48 - 1, dtype=dtype)
    with backend.backend_scope("native"):
        for level, threads in itertools.product(LEVELS, (1, 2, 3)):
            _core.set_level(level)
            flyball.set_num_threads(threads)
            got = F.random_uniform(5000, seed=2**64 - 1, stream=7, step=2**48 - 1, dtype=dtype)
            np.testing.assert_array_equal(got, expected)


X = np.zeros((4, 6))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.random_uniform(3, 2, 1, seed=0), ValueError, "high must be in [2.0, inf), got 1.0"),
        (lambda: F.random_uniform(3, np.nan, seed=0), ValueError, "low must be in (-inf, inf), got nan"),
        (lambda: F.random_normal(3, std=-1, seed=0), ValueError, "std must be in [0, inf), got -1"),
        (lambda: F.random_normal(3, "a", seed=0), TypeError, "mean must be a number, got 'a'"),
        (lambda: F.random_normal(-3, seed=0), ValueError, "shape must not have negative sizes, got (-3,)"),
        (lambda: F.random_normal(3, seed=-1), ValueError, "seed must be an integer in [0, 2**64), got -1"),
        (lambda: F.random_normal(3, seed=0, dtype=int), TypeError, "dtype must be float32 or float64, got int64"),
        (
            lambda: F.random_normal(3, seed=0, out=np.zeros(4)),
            ValueError,
            "out must be a C-contiguous float64 array of shape (3,), got float64 of shape (4,)",
        ),
        (lambda: F.random_truncated_normal(3, bound=7, seed=0), ValueError, "bound must be in (0, 6], got 7.0"),
        (lambda: F.random_integers(3, 4, 4, seed=0), ValueError, "high must be above low = 4, got 4"),
        (lambda: F.random_integers(3, 0.5, 4, seed=0), TypeError, "low must be an integer in [-2**63, 2**63), got 0.5"),
        (lambda: F.random_integers(3, 0, 2**63, seed=0), ValueError, "high must be in [-2**63, 2**63), got"),
        (lambda: F.random_permutation(-1, seed=0), ValueError, "shape must not have negative sizes, got (-1,)"),
        (
            lambda: F.random_permutation(3, seed=0, out=np.zeros(3, np.int32)),
            ValueError,
            "out must be a C-contiguous int64 array of shape (3,), got int32 of shape (3,)",
        ),
        (lambda: F.gaussian_noise_forward(X, -1, seed=0), ValueError, "std must be in [0, inf), got -1"),
        (lambda: F.gaussian_dropout_forward(X, 1, seed=0), ValueError, "rate must be in [0, 1), got 1"),
        (lambda: F.gaussian_dropout_backward(X, 0.5, seed=0.5), TypeError, "seed must be an integer"),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()
