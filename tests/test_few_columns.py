"""Layers of one to four units, whose products are sums across lanes: against float64, and to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from flyball import _core

pytestmark = pytest.mark.usefixtures("each_level")
DEPTHS = [8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 129, 257]
DTYPES = [np.float32, np.float64]


def normal(*shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def forward(x, w, b=None, added=None, activation="linear"):
    y = np.full((len(x), w.shape[1]), 7, x.dtype)
    _core.dense_forward(y, x, w, b, added, activation, 0.0)
    return y


def assert_close(got, expected, magnitude):
    """Within some roundings of a sum of numbers that add up to ``magnitude``."""
    assert np.all(np.abs(got - expected) <= 8 * np.finfo(got.dtype).eps * magnitude + np.finfo(got.dtype).tiny)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("units", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("depth", DEPTHS)
def test_forward_is_the_formula(depth, units, dtype):
    for rows in (1, 2, 3, 4, 5, 7, 8, 33):
        x, w, b = (
            normal(rows, depth, dtype=dtype),
            normal(depth, units, dtype=dtype, seed=1),
            normal(units, dtype=dtype),
        )
        added = normal(rows, units, dtype=dtype, seed=2)
        exact = x.astype(np.float64) @ w.astype(np.float64)
        magnitude = np.abs(x).astype(np.float64) @ np.abs(w).astype(np.float64) + 4
        assert_close(forward(x, w), exact, magnitude)
        assert_close(forward(x, w, b), exact + b, magnitude)
        assert_close(forward(x, w, b, added, "relu"), np.maximum(exact + b + added, 0), magnitude)
        assert_close(forward(x, w, None, added, "tanh"), np.tanh(exact + added), magnitude)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("units", [1, 2, 3, 4])
def test_a_row_has_the_same_bits_alone_among_others_and_at_any_number_of_threads(units, dtype):
    x, w, b = normal(301, 77, dtype=dtype), normal(77, units, dtype=dtype, seed=1), normal(units, dtype=dtype)
    whole = forward(x, w, b)
    for row in (0, 1, 2, 3, 150, 299, 300):
        np.testing.assert_array_equal(forward(x[row : row + 1], w, b), whole[row : row + 1])
    for threads in (2, 3, 5):
        _core.set_num_threads(threads)
        np.testing.assert_array_equal(forward(x, w, b), whole)
    wide = np.zeros((77, 2 * units), dtype)
    wide[:, ::2] = w
    np.testing.assert_array_equal(forward(x, np.asfortranarray(w), b), whole)
    np.testing.assert_array_equal(forward(x, wide[:, ::2], b), whole)
    apart = normal(301, 90, dtype=dtype)
    apart[:, :77] = x
    np.testing.assert_array_equal(forward(apart[:, :77], w, b), whole)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_not_finite_stays_in_its_row_and_column(dtype):
    x, w = normal(9, 40, dtype=dtype), normal(40, 3, dtype=dtype, seed=1)
    x[4, 39], x[6, 0], w[5, 1] = np.nan, np.inf, np.inf
    with np.errstate(invalid="ignore"):
        exact = x.astype(np.float64) @ w.astype(np.float64)
    assert np.isfinite(exact).sum() == 14  # 7 rows of 9 in 2 columns of 3
    y = forward(x, w, activation="relu")
    np.testing.assert_allclose(y, np.maximum(exact, 0), rtol=1e-4, atol=1e-4)


def gradients(dy, x, w, *, gated, dx=True, dw=True, db=True):
    outputs = np.full(x.shape, 7, x.dtype), np.full(w.shape, 7, x.dtype), np.full(w.shape[1], 7, x.dtype)
    asked = [output if wanted else None for output, wanted in zip(outputs, (dx, dw, db), strict=True)]
    _core.dense_backward(*asked, dy, x, w, gated)
    return outputs


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("units", [1, 2, 3, 4])
@pytest.mark.parametrize("depth", [1, 2, 7, 8, *DEPTHS])
def test_gradients_are_the_formula_and_those_of_separate_calls(depth, units, dtype, threads):
    _core.set_num_threads(threads)
    for rows in (1, 5, 32, 33, 70):
        x, w = normal(rows, depth, dtype=dtype), normal(depth, units, dtype=dtype, seed=1)
        x[np.random.default_rng(3).random(x.shape) < 0.7] = 0
        x.flat[0] = np.nan  # is not zero: the gate is open
        dy = normal(rows, units, dtype=dtype, seed=2)
        for gated in (False, True):
            dx, dw, db = gradients(dy, x, w, gated=gated)
            open_gate = (x != 0) if gated else True
            exact = np.where(open_gate, dy.astype(np.float64) @ w.T.astype(np.float64), 0)
            assert_close(dx, exact, np.abs(dy).astype(np.float64) @ np.abs(w.T).astype(np.float64))
            assert not np.signbit(dx[~(x != 0)]).any() or not gated
            assert np.isnan(dw[0]).all()
            wide_x, magnitude = x[:, 1:].astype(np.float64), np.abs(x[:, 1:].T).astype(np.float64) @ np.abs(dy)
            assert_close(dw[1:], wide_x.T @ dy.astype(np.float64), magnitude)
            assert_close(db, dy.sum(axis=0, dtype=np.float64), np.abs(dy).sum(axis=0, dtype=np.float64))
        # A layer without dx, or with dw frozen, goes another way, by the same sums in the same order.
        np.testing.assert_array_equal(
            gradients(dy, x, w, gated=False)[0], gradients(dy, x, w, gated=False, dw=False)[0]
        )
        if depth > 1:
            np.testing.assert_array_equal(dw, gradients(dy, x, w, gated=False, dx=False)[1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_of_strided_arrays(dtype):
    x, w, dy = normal(21, 50, dtype=dtype), normal(50, 2, dtype=dtype, seed=1), normal(21, 2, dtype=dtype, seed=2)
    expected = gradients(dy, x, w, gated=True)
    wide_x, wide_w, wide_dy = normal(21, 60, dtype=dtype), normal(50, 6, dtype=dtype), normal(21, 6, dtype=dtype)
    wide_x[:, :50], wide_w[:, ::3], wide_dy[:, ::3] = x, w, dy
    for got in (
        gradients(wide_dy[:, ::3], wide_x[:, :50], wide_w[:, ::3], gated=True),
        gradients(np.asfortranarray(dy), x[::-1][::-1], np.asfortranarray(w), gated=True),
    ):
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_array_equal(a, b)
    for a, b in zip(gradients(dy, np.asfortranarray(x), w, gated=True), expected, strict=True):
        assert_close(a, b.astype(np.float64), 100)  # the columns of x are rows there: sums across lanes
