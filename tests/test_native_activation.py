"""Activations at the ends of the range, and the native ones' distance from the formula over all floats.

The floats are a sample of all bit patterns: subnormals, infinities and both ends are among them.
"""

import math

import numpy as np
import pytest
from parity.harness import LEVELS

from flyball import _core, reference
from flyball import functional as F
from flyball.backend import ACTIVATIONS, ALPHAS

INF, NAN = math.inf, math.nan
LIMITS = {  # at -inf and at inf
    "linear": (-INF, INF),
    "relu": (0, INF),
    "leaky_relu": (-INF, INF),
    "relu6": (0, 6),
    "elu": (-1, INF),
    "selu": (-1.0507009873554805 * 1.6732632423543773, INF),
    "gelu": (0, INF),
    "gelu_tanh": (0, INF),
    "sigmoid": (0, 1),
    "hard_sigmoid": (0, 1),
    "tanh": (-1, 1),
    "silu": (0, INF),
    "softplus": (0, INF),
    "softsign": (-1, 1),
    "exponential": (0, INF),
    "mish": (0, INF),
}
# Derivatives there, where they are not 0 and, if the function grows without bound, 1.
SLOPES = {"linear": (1, 1), "leaky_relu": (0.2, 1), "selu": (0, 1.0507009873554805), "exponential": (0, INF)}


# The largest error over the sample, in units in the last place of the result, or of the larger of it and x where the
# formula cancels.
CANCEL = {"gelu", "gelu_tanh", "hard_sigmoid"}
UNITS = {
    "linear": 0,
    "relu": 0,
    "leaky_relu": 1,
    "relu6": 0,
    "elu": 2,
    "selu": 3,
    "gelu": 2,
    "gelu_tanh": 2,
    "sigmoid": 3,
    "hard_sigmoid": 1,
    "tanh": 2,
    "silu": 4,
    "softplus": 2,
    "softsign": 2,
    "exponential": 2,
    "mish": 4,
}


def alpha_of(activation):
    return ALPHAS.get(activation, 0.0)


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_limits(activation, dtype):
    largest = np.finfo(dtype).max
    x = np.array([-INF, INF, -largest, largest, NAN], dtype)
    low, high = LIMITS[activation]
    slopes = SLOPES.get(activation, (0, 1 if high == INF else 0))
    y = F.activation_forward(x, activation)
    np.testing.assert_allclose(y[:2], [low, high], rtol=1e-6, atol=1e-12)
    assert not np.isnan(y[2:4]).any()
    assert np.isnan(y[4])
    dx = F.activation_backward(np.ones_like(x), activation, x=x, y=y)
    np.testing.assert_allclose(dx[:2], slopes, rtol=1e-6, atol=1e-7)
    assert not np.isnan(dx[2:4]).any()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_distance_from_the_formula_over_the_floats(activation):
    bits = np.append(np.arange(0, 2**32, 4093, dtype=np.uint32), np.uint32([0, 1, 0x007FFFFF, 0x00800000, 0x80000001]))
    x = bits.view(np.float32)
    x = x[np.isfinite(x)]
    exact = np.empty(x.shape)
    reference.activation_forward(exact, x.astype(np.float64), activation, alpha_of(activation))
    with np.errstate(over="ignore"):
        rounded = exact.astype(np.float32)
    scale = np.maximum(np.abs(rounded), np.abs(x)) if activation in CANCEL else np.abs(rounded)
    unit = np.spacing(np.minimum(scale, np.float32(1e38))).astype(np.float64)
    finite = np.isfinite(rounded)
    for level in LEVELS:
        _core.set_level(level)
        y = np.empty_like(x)
        _core.activation_forward(y, x, activation, alpha_of(activation))
        np.testing.assert_array_equal(y[~finite], rounded[~finite])
        error = np.maximum(np.abs(y[finite] - exact[finite]) - 1e-43, 0.0)  # of x * exp(x) where exp(x) is 0
        units = error / unit[finite]
        assert units.max() <= UNITS[activation], (level, x[finite][units.argmax()], units.max())


@pytest.mark.parametrize("activation", ["relu", "relu6", "hard_sigmoid"])
@pytest.mark.usefixtures("each_backend")
def test_a_unit_that_is_off_passes_nothing_back(activation, dtype):
    y = np.array([0, 0, NAN], dtype)
    np.testing.assert_array_equal(F.activation_backward(np.array([INF, NAN, 1], dtype), activation, y=y), [0, 0, 0])


@pytest.mark.usefixtures("each_backend")
def test_nan_passes_a_relu_within_a_product(dtype):
    x = np.ones((13, 5), dtype)
    x[2, 3] = x[12, 0] = NAN  # in a whole tile, and among what tiles leave
    for columns in (3, 16, 37):
        y = F.dense_forward(x, -np.ones((5, columns), dtype), activation="relu")
        np.testing.assert_array_equal(np.isnan(y).all(axis=1), np.isnan(x).any(axis=1))
        np.testing.assert_array_equal(y[~np.isnan(x).any(axis=1)], 0)


@pytest.mark.usefixtures("each_backend")
def test_slopes_at_the_bounds_of_a_relu(dtype):
    x = np.array([0.5, 0.75, 6, 7, NAN] * 5, dtype)
    dx = F.relu_backward(np.ones_like(x), x, negative_slope=0.25, threshold=0.5, max_value=6.0)
    np.testing.assert_array_equal(dx, [0.25, 1, 0, 0, 0.25] * 5)


@pytest.mark.parametrize("backend", [_core, reference])
def test_gradients_of_slopes_that_are_learned(backend, dtype):
    """At 0, and of nan, the input's gradient is that of the negative side, and nothing of it reaches the slope."""
    x = np.tile(np.array([-2, -0.0, 0, 3, NAN], dtype), 5)[None]
    dx, dalpha = np.empty_like(x), np.empty_like(x[0])
    backend.prelu_backward(dx, dalpha, np.full_like(x, 2), x, np.full_like(x[0], 0.5))
    np.testing.assert_array_equal(dx[0], [1, 1, 1, 2, 1] * 5)
    np.testing.assert_array_equal(dalpha, [-4, 0, 0, 0, 0] * 5)


@pytest.mark.parametrize("backend", [_core, reference])
@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.5), (0.5, 0.0)])
def test_a_penalty_that_is_not_asked_for_adds_nothing(backend, l1, l2, dtype):
    """Not even 0 times the infinite sum of the other's values."""
    total = np.zeros(1)
    backend.activity_penalty(total, np.array([[-3, 1]], dtype), l1, l2)
    np.testing.assert_array_equal(total, l1 * 4 + l2 / 2 * 10)
    backend.activity_penalty(total, np.array([[INF]], dtype), l1, l2)
    np.testing.assert_array_equal(total, INF)


@pytest.mark.usefixtures("each_backend")
def test_the_slope_of_softplus_where_it_is_small(dtype):
    """1 - exp(-y) is 0 in float32 long before the slope is."""
    x = np.array([-80, -30, -20, -10, -1], dtype)
    y = F.activation_forward(x, "softplus")
    dx = F.activation_backward(np.ones_like(x), "softplus", y=y)
    np.testing.assert_allclose(dx, 1 / (1 + np.exp(-x.astype(np.float64))), rtol=5e-6 if dtype == "float32" else 1e-13)
