"""Native batch normalisation and the dense gradients against float64 formulas and finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from flyball import _core
from flyball import functional as F
from flyball.backend import keep_probability

pytestmark = pytest.mark.usefixtures("each_level")
SHAPES = [(1, 5), (2, 1), (7, 16), (9, 17), (64, 33), (128, 256), (255, 8), (257, 31), (512, 70), (513, 3), (1100, 530)]
TOLERANCE = {np.float32: 3e-5, np.float64: 2e-12}


def forward(x, gamma, beta, mask, epsilon, activation, rate):
    """The formula in float64 (long double for the mean, which then adds nothing to the error)."""
    x = x.astype(np.float64)
    mean = x.astype(np.longdouble).mean(axis=0)
    centered = (x - mean).astype(np.float64)
    var = (centered**2).mean(axis=0)
    rstd = 1 / np.sqrt(var + epsilon)
    z = centered * rstd * (1 if gamma is None else gamma.astype(np.float64))
    z = z + (0 if beta is None else beta.astype(np.float64))
    y = np.maximum(z, 0) if activation == "relu" else z
    if mask is not None:
        y = y * mask / keep_probability(rate)
    return y, mean.astype(np.float64), var, rstd, centered * rstd


def backward(dy, y, xhat, gamma, rstd, mask, activation, rate):
    n = len(dy)
    dz = dy.astype(np.float64)
    if mask is not None:
        dz = dz * mask / keep_probability(rate)
    if activation == "relu":
        dz = dz * (y > 0)
    dgamma, dbeta = (dz * xhat).sum(axis=0), dz.sum(axis=0)
    gain = rstd * (1 if gamma is None else gamma.astype(np.float64))
    return gain * (dz - dbeta / n - xhat * dgamma / n), dgamma, dbeta


def close(actual, expected, dtype, scale=1.0):
    tolerance = TOLERANCE[dtype] * scale
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * (1 + np.abs(expected).max(initial=0)))


def data(shape, dtype, masked, affine, offset=0.0):
    rng = np.random.default_rng(hash(shape) % 1000)
    c = shape[1]
    x = (rng.standard_normal(shape) * rng.uniform(0.5, 2, c) + offset).astype(dtype)
    dy = rng.standard_normal(shape).astype(dtype)
    gamma, beta = (
        (rng.uniform(0.5, 2, c).astype(dtype), rng.standard_normal(c).astype(dtype)) if affine else (None,) * 2
    )
    return x, dy, gamma, beta, (rng.random(shape) < 0.6) if masked else None


def run_forward(x, gamma, beta, mask, activation, rate, **options):
    c = x.shape[1]
    y, mean, rstd = np.empty_like(x), np.empty(c), np.empty(c)
    running_mean, running_var = np.full(c, 2, x.dtype), np.full(c, 3, x.dtype)
    settings = {"momentum": 0.75, "epsilon": 1e-3, "unbiased": False, **options}
    _core.batch_norm_forward(
        y, mean, rstd, running_mean, running_var, x, gamma, beta, mask, activation=activation, rate=rate, **settings
    )
    return y, mean, rstd, running_mean, running_var


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("activation", "masked", "affine"),
    [("relu", True, True), ("linear", True, False), ("linear", False, True), ("relu", False, False)],
)
def test_forward_and_backward(shape, dtype, threads, activation, masked, affine):
    _core.set_num_threads(threads)
    x, dy, gamma, beta, mask = data(shape, dtype, masked, affine)
    y, mean, rstd, running_mean, running_var = run_forward(x, gamma, beta, mask, activation, 0.4, unbiased=affine)
    expected, expected_mean, var, expected_rstd, xhat = forward(x, gamma, beta, mask, 1e-3, activation, 0.4)
    close(y, expected, dtype)
    close(mean, expected_mean, dtype)
    close(rstd, expected_rstd, dtype)
    n = shape[0]
    close(running_mean, 0.75 * 2 + 0.25 * expected_mean, dtype)
    close(running_var, 0.75 * 3 + 0.25 * var * (n / (n - 1) if affine and n > 1 else 1), dtype)

    dx, dgamma, dbeta = np.empty_like(x), np.empty(shape[1], dtype), np.empty(shape[1], dtype)
    _core.batch_norm_backward(dx, dgamma, dbeta, dy, x, gamma, beta, mean, rstd, mask, activation, 0.4)
    expected_dx, expected_dgamma, expected_dbeta = backward(dy, y, xhat, gamma, rstd, mask, activation, 0.4)
    # A column that does not vary (one row) has rstd of 30, and its dx is all cancellation.
    close(dx, expected_dx, dtype, scale=30 if n < 3 else 1)
    close(dgamma, expected_dgamma, dtype)
    close(dbeta, expected_dbeta, dtype)

    in_place = dy.copy()
    _core.batch_norm_backward(in_place, None, None, in_place, x, gamma, beta, mean, rstd, mask, activation, 0.4)
    np.testing.assert_array_equal(in_place, dx)
    only = np.empty_like(dgamma)
    _core.batch_norm_backward(None, only, None, dy, x, gamma, beta, mean, rstd, mask, activation, 0.4)
    np.testing.assert_array_equal(only, dgamma)
    _core.batch_norm_forward(x, mean, rstd, None, None, x, gamma, beta, mask, 0.9, 1e-3, False, activation, 0.4)
    np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shape", [(65, 67), (1100, 70), (9, 530), (7, 33, 49), (600, 65, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.0, 0.4])
def test_the_gradient_passes_where_the_output_is_positive(shape, dtype, rate, threads):
    """To the bit, also where z is rounding noise: the backward pass finds its sign again."""
    _core.set_num_threads(threads)
    rng = np.random.default_rng(3)
    x = (rng.integers(-2, 3, shape) * 0.37 + 11).astype(dtype)
    value, channels = x.flat[0], shape[1]
    mask = rng.random(shape) < 0.6 if rate else None
    y, mean, rstd = np.empty_like(x), np.empty(channels), np.empty(channels)
    gamma, beta = rng.uniform(-2, 2, channels).astype(dtype), np.zeros(channels, dtype)
    for _ in range(2):
        _core.batch_norm_forward(y, mean, rstd, None, None, x, gamma, beta, mask, 0.9, 1e-3, False, "relu", rate)
        beta = -((value - mean) * rstd * gamma).astype(dtype)
    noise = y[(x == value) & (mask is None or mask)]
    assert (noise > 0).any()
    assert (noise == 0).any()
    assert noise.max() < 1e-4
    dy = rng.integers(1, 8, shape).astype(dtype)
    dx, dgamma, dbeta = np.empty_like(x), np.empty(channels, dtype), np.empty(channels, dtype)
    _core.batch_norm_backward(dx, dgamma, dbeta, dy, x, gamma, beta, mean, rstd, mask, "relu", rate)
    passed = np.where(y > 0, dy, 0).astype(np.float64).sum(axis=(0,) if x.ndim == 2 else (0, 2))
    np.testing.assert_array_equal(dbeta, (passed * (1 / keep_probability(rate))).astype(dtype))


@pytest.mark.parametrize("offset", [1e4, 1e5, 1e6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(128, 33), (600, 20)])
def test_large_offsets_cost_no_digits(shape, dtype, offset):
    """Statistics of what x holds after its own rounding; ``E[x^2] - E[x]^2`` would be noise here."""
    x, dy, gamma, beta, _ = data(shape, dtype, False, True, offset)
    y, mean, rstd, _, _ = run_forward(x, gamma, beta, None, "linear", 0.0)
    expected, expected_mean, _, expected_rstd, xhat = forward(x, gamma, beta, None, 1e-3, "linear", 0.0)
    # the result of the long-double mean is rounded once to float64: offset * 1e-16 of a standard deviation
    scale = 1.0 if dtype == np.float32 else 1.0 + offset * 1e-3
    np.testing.assert_allclose(mean, expected_mean, atol=1e-6 if dtype == np.float32 else offset * 1e-15)
    close(rstd, expected_rstd, dtype, scale)
    close(y, expected, dtype, scale)
    dx, dgamma = np.empty_like(x), np.empty(shape[1], dtype)
    _core.batch_norm_backward(dx, dgamma, None, dy, x, gamma, beta, mean, rstd, None, "linear", 0.0)
    expected_dx, expected_dgamma, _ = backward(dy, y, xhat, gamma, expected_rstd, None, "linear", 0.0)
    close(dx, expected_dx, dtype, scale)
    close(dgamma, expected_dgamma, dtype, scale)


@pytest.mark.parametrize("shape", [(128, 256), (512, 200), (1100, 130), (3000, 40)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_do_not_depend_on_threads(shape, dtype):
    x, dy, gamma, beta, mask = data(shape, dtype, True, True)
    results = []
    for threads in (1, 2, 3):
        _core.set_num_threads(threads)
        y, mean, rstd, *running = run_forward(x, gamma, beta, mask, "relu", 0.4)
        dx, dgamma, dbeta = np.empty_like(x), np.empty_like(gamma), np.empty_like(beta)
        _core.batch_norm_backward(dx, dgamma, dbeta, dy, x, gamma, beta, mean, rstd, mask, "relu", 0.4)
        results.append([y, mean, rstd, *running, dx, dgamma, dbeta])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_backward_is_the_derivative():
    x, weights, gamma, beta, mask = data((11, 5), np.float64, True, True)

    def loss(x, gamma, beta):
        return (run_forward(x, gamma, beta, mask, "relu", 0.4)[0] * weights).sum()

    _, mean, rstd, *_ = run_forward(x, gamma, beta, mask, "relu", 0.4)
    gradients = np.empty_like(x), np.empty_like(gamma), np.empty_like(beta)
    _core.batch_norm_backward(*gradients, weights, x, gamma, beta, mean, rstd, mask, "relu", 0.4)
    for k, gradient in enumerate(gradients):
        for index in np.ndindex(gradient.shape):
            values = [], []
            for sign, side in zip((1, -1), values, strict=True):
                arguments = [x.copy(), gamma.copy(), beta.copy()]
                arguments[k][index] += sign * 1e-6
                side.append(loss(*arguments))
            assert gradient[index] == pytest.approx((values[0][0] - values[1][0]) / 2e-6, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (5, 17), (128, 1030), (2000, 33)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_inference(shape, dtype, activation, threads):
    _core.set_num_threads(threads)
    x, _, gamma, beta, _ = data(shape, dtype, False, True, offset=1000)
    running_mean, running_var = np.full(shape[1], 1000.1, dtype), np.full(shape[1], 2.5, dtype)
    wide = x.astype(np.float64) - running_mean
    for g, b in ((gamma, beta), (None, None)):
        expected = wide / np.sqrt(running_var.astype(np.float64) + 1e-3) * (1 if g is None else g) + (
            0 if b is None else b
        )
        y = np.empty_like(x)
        _core.batch_norm_inference(y, x, g, b, running_mean, running_var, 1e-3, activation)
        close(y, np.maximum(expected, 0) if activation == "relu" else expected, dtype)


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 0)])
def test_empty_arrays(shape):
    x = np.empty(shape, np.float32)
    _, mean, rstd, *_ = run_forward(x, None, None, None, "relu", 0.0)
    np.testing.assert_array_equal(mean, 0)
    np.testing.assert_allclose(rstd, 1 / np.sqrt(1e-3))
    dgamma = np.ones(shape[1], np.float32)
    _core.batch_norm_backward(x.copy(), dgamma, None, x, x, None, None, mean, rstd, None, "relu", 0.0)
    np.testing.assert_array_equal(dgamma, 0)


def test_nan_and_dropped_values():
    x = np.arange(40, dtype=np.float32).reshape(10, 4)
    x[3, 1] = np.nan
    mask = np.ones(x.shape, bool)
    mask[:, 2] = False
    y, mean, *_ = run_forward(x, None, None, mask, "relu", 0.5)
    assert np.isnan(mean[1])
    assert np.isnan(y[:, 1]).all()
    np.testing.assert_array_equal(y[:, 2], 0)
    assert np.isfinite(y[:, [0, 2, 3]]).all()


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (33, 17, 9), (300, 20, 65), (0, 3, 4), (130, 64, 1100)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dense(sizes, dtype, threads):
    _core.set_num_threads(threads)
    n, k, c = sizes
    rng = np.random.default_rng(1)
    x, w, dy = (rng.standard_normal(s).astype(dtype) for s in ((n, k), (k, c), (n, c)))
    b = rng.standard_normal(c).astype(dtype)
    y = np.empty((n, c), dtype)
    _core.dense_forward(y, x, w, b, None, "relu", 0.0)
    x8, w8, dy8 = (a.astype(np.float64) for a in (x, w, dy))
    close(y, np.maximum(x8 @ w8 + b, 0), dtype)
    dx, dw, db = np.empty_like(x), np.empty_like(w), np.empty_like(b)
    _core.dense_backward(dx, dw, db, dy, x, w, False)
    close(dx, dy8 @ w8.T, dtype)
    close(dw, x8.T @ dy8, dtype)
    close(db, dy8.sum(axis=0), dtype)
    only = np.empty_like(b)
    _core.dense_backward(None, None, only, dy, x, w, False)
    np.testing.assert_array_equal(only, db)


def test_refusals():
    x = np.zeros((8, 4), np.float32)
    y, mean, rstd = np.empty_like(x), np.empty(4), np.empty(4)
    scalars = (0.9, 1e-3, False, "relu", 0.0)
    flat = np.zeros(33, np.float32)
    with pytest.raises(ValueError, match="y must not overlap x"):
        _core.batch_norm_forward(
            flat[1:].reshape(8, 4), mean, rstd, None, None, flat[:-1].reshape(8, 4), None, None, None, *scalars
        )
    with pytest.raises(ValueError, match="mean must not overlap rstd"):
        _core.batch_norm_forward(y, mean, mean, None, None, x, None, None, None, *scalars)
    with pytest.raises(ValueError, match="dx must not overlap x"):
        _core.batch_norm_backward(x, None, None, y, x, None, None, mean, rstd, None, "relu", 0.0)
    with pytest.raises(ValueError, match=r"gamma must be a C-contiguous float32 array of shape \(4,\), got float64"):
        _core.batch_norm_forward(y, mean, rstd, None, None, x, np.ones(4), None, None, *scalars)
    square = np.zeros((4, 4), np.float32)
    with pytest.raises(ValueError, match="dx must not overlap dy"):
        _core.dense_backward(square, None, None, square, square.copy(), square.copy(), False)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("given", [(), ("b",), ("gamma",), ("beta",), ("b", "gamma", "beta")])
@pytest.mark.parametrize("variance", [1.0, 0.0, 1e-38, 1e-31, 1e-29, 1e29, 1e31, 3e38, np.inf, np.nan, -1.0])
def test_running_variances_of_any_size(variance, given, dtype):
    rng = np.random.default_rng(0)
    columns = 37
    w, mean, var, b, gamma, beta = (rng.uniform(0.5, 2, columns).astype(dtype) for _ in range(6))
    var[::3] = variance
    options = {name: value for name, value in (("b", b), ("gamma", gamma), ("beta", beta)) if name in given}
    y = F.dense_batch_norm_inference(np.ones((1, 1), dtype), w[None], mean, var, **options, epsilon=1e-36)
    centered = w.astype(np.float64) + options.get("b", 0.0) - mean
    want = centered / np.sqrt(var.astype(np.float64) + 1e-36) * options.get("gamma", 1.0) + options.get("beta", 0.0)
    assert np.isnan(want).any() == (np.isnan(variance) or variance < 0)
    # What is folded rounds terms that may be larger than their sum.
    terms = 5 / np.sqrt(var.astype(np.float64) + 1e-36) * options.get("gamma", 1.0) + 2
    np.testing.assert_array_equal(np.isnan(y[0]), np.isnan(want))
    assert np.nanmax(np.abs(y[0] - want) / terms) <= 4 * np.finfo(dtype).eps
