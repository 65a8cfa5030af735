"""Constraints: the formulas of Keras, and training that keeps them."""

import re

import numpy as np
import pytest

import flyball
from flyball import constraints, layers, optimizers

W = np.random.default_rng(0).standard_normal((6, 4))
pytestmark = pytest.mark.usefixtures("each_backend")


def keras(w, low, high, rate=1.0, axis=0):
    """Keras' formula, whose 1e-7 keeps zeros finite."""
    norms = np.sqrt(np.sum(np.square(w), axis=axis, keepdims=True))
    return w * (rate * np.clip(norms, low, high) + (1 - rate) * norms) / (1e-7 + norms)


@pytest.mark.parametrize("axis", [0, 1, [0, 1]])
def test_formulas_are_those_of_keras(axis):
    over = tuple(np.atleast_1d(axis))
    for made, want in [
        (constraints.MaxNorm(1.5, axis), keras(W, 0, 1.5, axis=over)),
        (constraints.UnitNorm(axis), keras(W, 1, 1, axis=over)),
        (constraints.MinMaxNorm(0.5, 1.5, 0.3, axis), keras(W, 0.5, 1.5, 0.3, over)),
    ]:
        np.testing.assert_allclose(made(W), want, rtol=1e-6)
    np.testing.assert_array_equal(constraints.NonNeg()(W), np.maximum(W, 0))


def test_what_is_inside_stays_as_it_is():
    np.testing.assert_array_equal(constraints.MaxNorm(100)(W), W)
    np.testing.assert_array_equal(constraints.UnitNorm()(np.zeros((3, 2))), 0)


def test_training_keeps_constraints(dtype):
    flyball.utils.set_random_seed(0)
    x, y = np.random.default_rng(1).standard_normal((64, 6)), np.random.default_rng(2).standard_normal((64, 4)) * 10
    model = flyball.Sequential(dtype=dtype)
    model.add(layers.Dense(8, "relu", kernel_constraint="max_norm", bias_constraint="non_neg", input_shape=(6,)))
    model.add(layers.Dense(4, kernel_constraint=constraints.UnitNorm(), bias_constraint=constraints.MaxNorm(0.5)))
    model.compile(optimizers.SGD(0.1, momentum=0.5), "mean_squared_error")
    model.fit(x, y, epochs=5, verbose=0)
    kernel, bias, last, last_bias = model.get_weights()
    assert np.linalg.norm(kernel, axis=0).max() < 2.0 + 1e-6
    assert (bias >= 0).all()
    np.testing.assert_allclose(np.linalg.norm(last, axis=0), 1.0, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(last_bias), 0.5, rtol=1e-6)
    twin = flyball.Sequential.from_config(model.get_config())
    assert twin.layers[0].get_config() == model.layers[0].get_config()


def test_get_and_configurations():
    for name, cls in (("max_norm", constraints.MaxNorm), ("NonNeg", constraints.NonNeg)):
        assert type(constraints.get(name)) is cls
    assert constraints.get(None) is None
    for made in (constraints.MinMaxNorm(0.5, 2.0, 0.3, [0, 1]), constraints.NonNeg(), constraints.UnitNorm(1)):
        twin = constraints.get(constraints.serialize(made))
        assert type(twin) is type(made)
        assert twin.get_config() == made.get_config()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: constraints.MaxNorm(-1), "max_value must be in [0, inf), got -1"),
        (lambda: constraints.MinMaxNorm(2.0, 1.0), "max_value must be in [2.0, inf), got 1.0"),
        (lambda: constraints.MinMaxNorm(rate=2), "rate must be in [0, 1], got 2"),
        (lambda: constraints.UnitNorm(2)(W), "axis must be in [-2, 2) for weights of 2 dimensions, got 2"),
        (lambda: constraints.get("maxnrom"), "constraint must be a constraint or one of max_norm"),
        (
            lambda: flyball.Sequential([layers.Dense(3, kernel_constraint=constraints.MaxNorm(axis=1), input_dim=2)]),
            "axis must be the first axes of weights of shape (2, 3), got 1",
        ),
    ],
)
def test_bad_arguments(make, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        make()
