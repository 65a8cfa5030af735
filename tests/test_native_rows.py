"""Rows of layer and group normalisation, short and long, against float64 formulas: rows are taken in batches."""

from __future__ import annotations

import numpy as np
import pytest

from flyball import _core

pytestmark = pytest.mark.usefixtures("each_level")
EPSILON = 1e-3


def layer_norm(x, dy, gamma, beta):
    """Everything that layer normalisation computes of rows: y, mean, rstd, dx."""
    rows, columns = x.shape
    y, dx, mean, rstd = np.empty_like(x), np.empty_like(x), np.empty(rows), np.empty(rows)
    dgamma, dbeta = np.empty(columns, x.dtype), np.empty(columns, x.dtype)
    _core.layer_norm_forward(y, mean, rstd, x, gamma, beta, EPSILON)
    _core.layer_norm_backward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd)
    return y, mean, rstd, dx


def layer_norm_formula(x, dy, gamma, beta):
    """The same in float64."""
    wide, g = x.astype(np.float64), dy.astype(np.float64) * gamma
    rstd = 1 / np.sqrt(wide.var(axis=1, keepdims=True) + EPSILON)
    xhat = (wide - wide.mean(axis=1, keepdims=True)) * rstd
    dx = rstd * (g - g.mean(axis=1, keepdims=True) - xhat * (g * xhat).mean(axis=1, keepdims=True))
    return xhat * gamma + beta, wide.mean(axis=1), rstd[:, 0], dx


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("columns", [1, 3, 16, 17, 128, 129, 5000])
def test_a_row_has_the_same_bits_alone_and_among_others(columns, dtype):
    rng = np.random.default_rng(columns)
    x = rng.normal(100, 3, (35, columns)).astype(dtype)
    dy = rng.normal(size=x.shape).astype(dtype)
    gamma, beta = (rng.normal(size=columns).astype(dtype) for _ in range(2))
    together = layer_norm(x, dy, gamma, beta)
    for count in (1, 2, 5, 17):
        for begin in range(0, len(x) - count, 6):
            rows = slice(begin, begin + count)
            for all_of_it, part in zip(together, layer_norm(x[rows], dy[rows], gamma, beta), strict=True):
                np.testing.assert_array_equal(all_of_it[rows], part)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("samples", "groups", "size"), [(1, 3, 2), (5, 4, 16), (19, 7, 9), (300, 3, 17), (9, 2, 128), (9, 2, 129)]
)
def test_groups_of_single_values_are_rows_with_their_own_gamma(samples, groups, size, dtype):
    rng = np.random.default_rng(size)
    shape = (samples, groups * size, 1)
    x, dy = (rng.normal(offset, 2, shape).astype(dtype) for offset in (50, 0.5))
    gamma, beta = (rng.normal(1, 1, groups * size).astype(dtype) for _ in range(2))
    wide, wide_dy = (array.astype(np.float64).reshape(samples, groups, size) for array in (x, dy))
    wide_gamma, wide_beta = (array.astype(np.float64).reshape(groups, size) for array in (gamma, beta))
    rstd = 1 / np.sqrt(wide.var(axis=2) + EPSILON)
    xhat = (wide - wide.mean(axis=2, keepdims=True)) * rstd[..., None]
    g = wide_dy * wide_gamma
    dx = rstd[..., None] * (g - g.mean(axis=2, keepdims=True) - xhat * (g * xhat).mean(axis=2, keepdims=True))
    expected = {
        "y": xhat * wide_gamma + wide_beta,
        "mean": wide.mean(axis=2),
        "rstd": rstd,
        "dx": dx,
        "dgamma": (wide_dy * xhat).sum(axis=0),
        "dbeta": wide_dy.sum(axis=0),
    }
    for last in (False, True):
        arrays = (x, dy) if not last else (x.reshape(samples, 1, -1), dy.reshape(samples, 1, -1))
        for threads in (1, 2, 3):
            _core.set_num_threads(threads)
            y, got_dx = np.empty_like(arrays[0]), np.empty_like(arrays[0])
            mean, got_rstd = np.empty((samples, groups)), np.empty((samples, groups))
            dgamma, dbeta = np.empty_like(gamma), np.empty_like(beta)
            _core.group_norm_forward(y, mean, got_rstd, arrays[0], gamma, beta, last, EPSILON)
            _core.group_norm_backward(got_dx, dgamma, dbeta, arrays[1], arrays[0], gamma, mean, got_rstd, last)
            got = {"y": y, "mean": mean, "rstd": got_rstd, "dx": got_dx, "dgamma": dgamma, "dbeta": dbeta}
            for name, value in expected.items():
                # Of dx the terms: of a group of two they cancel.
                scale = np.abs(rstd[..., None] * g if name == "dx" else value).max()
                tolerance = scale * (3e-5 if dtype == np.float32 else 1e-12)
                np.testing.assert_allclose(got[name].reshape(value.shape), value, atol=tolerance, rtol=0, err_msg=name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("columns", [4096, 4097, 10_007])
def test_long_rows_whose_parts_differ(columns, dtype):
    """A row beyond 4096 elements is summed in parts, whose means and squares are then combined."""
    rng = np.random.default_rng(columns)
    x = (rng.normal(size=(3, columns)) + np.linspace(-5, 5, columns) ** 3 / 40).astype(dtype)
    dy, gamma, beta = (rng.normal(size=shape).astype(dtype) for shape in (x.shape, columns, columns))
    wide, g = x.astype(np.float64), dy.astype(np.float64) * gamma
    tolerance = {"rtol": 1e-4, "atol": 2e-5} if dtype is np.float32 else {"rtol": 1e-11, "atol": 1e-12}

    expected = layer_norm_formula(x, dy, gamma, beta)
    for actual, formula in zip(layer_norm(x, dy, gamma, beta), expected, strict=True):
        np.testing.assert_allclose(actual, formula, **tolerance)

    rstd = 1 / np.sqrt((wide**2).mean(axis=1, keepdims=True) + EPSILON)
    xhat = wide * rstd
    y, of_rows, gradient = np.empty_like(x), np.empty(3), np.empty_like(x)
    _core.rms_norm_forward(y, of_rows, x, gamma, EPSILON)
    _core.rms_norm_backward(gradient, None, dy, x, gamma, of_rows)
    np.testing.assert_allclose(of_rows, rstd[:, 0], rtol=1e-6)
    np.testing.assert_allclose(y, xhat * gamma, **tolerance)
    np.testing.assert_allclose(gradient, rstd * (g - xhat * (g * xhat).mean(axis=1, keepdims=True)), **tolerance)


@pytest.mark.parametrize("columns", [7, 100, 5000])
def test_rows_far_from_zero(columns):
    """The mean of float32 values around 1e6 lies between two of them, a sixteenth apart: it must not be rounded."""
    rng = np.random.default_rng(columns)
    x = (1e6 + rng.normal(size=(9, columns))).astype(np.float32)
    dy, gamma, beta = (rng.normal(size=shape).astype(np.float32) for shape in (x.shape, columns, columns))
    expected = layer_norm_formula(x, dy, gamma, beta)
    for actual, formula in zip(layer_norm(x, dy, gamma, beta), expected, strict=True):
        np.testing.assert_allclose(actual, formula, rtol=1e-5, atol=1e-5)
