"""Initializers: the formulas' statistics, seeds and names."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from flyball import backend, initializers, utils

SHAPE = (300, 500)  # fan in 300, fan out 500; 150,000 draws


def draw(initializer, shape=SHAPE, dtype=np.float64, seed=0):
    return initializers.get(initializer)(shape, dtype, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("name", "variance", "bound"),
    [
        ("glorot_uniform", 2 / 800, math.sqrt(6 / 800)),
        ("glorot_normal", 2 / 800, 2 * math.sqrt(2 / 800) / initializers.TRUNCATED_STDDEV),
        ("he_uniform", 2 / 300, math.sqrt(6 / 300)),
        ("he_normal", 2 / 300, 2 * math.sqrt(2 / 300) / initializers.TRUNCATED_STDDEV),
        ("lecun_uniform", 1 / 300, math.sqrt(3 / 300)),
        ("lecun_normal", 1 / 300, 2 * math.sqrt(1 / 300) / initializers.TRUNCATED_STDDEV),
        ("random_uniform", 0.1**2 / 12, 0.05),
        ("truncated_normal", (0.05 * initializers.TRUNCATED_STDDEV) ** 2, 0.1),
        ("random_normal", 0.05**2, 0.05 * 6),
    ],
)
def test_statistics(name, variance, bound):
    values = draw(name)
    n = values.size
    assert abs(values.mean()) < 5 * math.sqrt(variance / n)
    assert values.var() == pytest.approx(variance, rel=5 * math.sqrt(2 / n))
    assert np.abs(values).max() <= bound
    assert np.abs(values).max() > 0.7 * bound  # the bound is the distribution's, not a clip somewhere inside


def test_truncated_constant_is_exact():
    stats = pytest.importorskip("scipy.stats")
    assert stats.truncnorm(-2, 2).std() == pytest.approx(initializers.TRUNCATED_STDDEV, rel=1e-14)


def test_untruncated_and_mean_fan():
    values = draw(initializers.VarianceScaling(3.0, "fan_out", "untruncated_normal"))
    assert values.var() == pytest.approx(3 / 500, rel=0.02)
    assert np.abs(values).max() > 3.5 * math.sqrt(3 / 500)


@pytest.mark.parametrize(
    ("shape", "expected"), [((), (1, 1)), ((7,), (7, 7)), ((3, 5), (3, 5)), ((2, 2, 3, 5), (12, 20))]
)
def test_fans(shape, expected):
    assert initializers.fans(shape) == expected


@pytest.mark.parametrize("name", ["glorot_uniform", "random_normal"])
def test_one_dimensional_shapes(name):
    assert draw(name, (3,)).shape == (3,)


def test_constants():
    assert (draw("zeros") == 0).all()
    assert (draw("ones") == 1).all()
    assert (draw(initializers.Constant(2.5)) == 2.5).all()


def test_mean_of_a_normal():
    values = draw(initializers.RandomNormal(mean=3.0, stddev=0.5))
    assert values.mean() == pytest.approx(3.0, abs=0.01)
    assert values.std() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_and_contiguity(dtype):
    values = draw("he_normal", dtype=dtype)
    assert values.dtype == dtype
    assert values.flags.c_contiguous
    np.testing.assert_array_equal(values, draw("he_normal").astype(dtype))


def test_a_seed_repeats_and_a_generator_goes_on():
    seeded, rng = initializers.HeNormal(seed=3), np.random.default_rng(0)
    np.testing.assert_array_equal(seeded(SHAPE, np.float32, rng), seeded(SHAPE, np.float32, rng))
    free = initializers.HeNormal()
    assert (free(SHAPE, np.float32, rng) != free(SHAPE, np.float32, rng)).any()


def test_without_a_generator_set_random_seed_decides():
    utils.set_random_seed(5)
    first = initializers.HeNormal()((4, 4))
    second = initializers.HeNormal()((4, 4))
    utils.set_random_seed(5)
    np.testing.assert_array_equal(initializers.HeNormal()((4, 4)), first)
    assert (first != second).any()


@pytest.mark.parametrize(
    "spelling", ["he_normal", "HeNormal", "henormal", initializers.HeNormal, initializers.he_normal]
)
def test_spellings(spelling):
    assert type(initializers.get(spelling)) is initializers.HeNormal


def test_aliases_of_keras():
    names = {"zero": "Zeros", "one": "Ones", "normal": "RandomNormal", "uniform": "RandomUniform"}
    assert {alias: type(initializers.get(alias)).__name__ for alias in names} == names


@pytest.mark.parametrize(
    "initializer", [initializers.Constant(0.1), initializers.GlorotNormal(seed=2), initializers.Zeros()]
)
def test_config_round_trip(initializer):
    config = initializers.serialize(initializer)
    assert initializers.serialize(initializers.get(config)) == config


def test_functions():
    initializer = initializers.get(lambda shape, dtype: np.full(shape, 2, dtype))
    assert (initializer((2, 3), np.float32) == 2).all()
    with pytest.raises(ValueError, match="a function must have a name to be saved or copied, got a lambda"):
        initializer.get_config()
    with pytest.raises(ValueError, match=re.escape("the initializer's result must be an array of shape (2, 3)")):
        initializers.get(lambda shape, dtype: np.zeros(3, dtype))((2, 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: initializers.RandomNormal(stddev=-1), "stddev must be in [0, inf), got -1"),
        (lambda: initializers.RandomUniform(1, 0), "maxval must be at least minval = 1.0, got 0"),
        (lambda: initializers.Constant(float("nan")), "value must be a finite number, got nan"),
        (lambda: initializers.VarianceScaling(0), "scale must be in (0, inf), got 0"),
        (lambda: initializers.VarianceScaling(1, "fan"), "mode must be one of fan_in, fan_out, fan_avg, got 'fan'"),
        (lambda: initializers.VarianceScaling(1, "fan_in", "normal"), "distribution must be one of"),
        (lambda: initializers.HeNormal(seed=1.5), "seed must be a non-negative integer, got 1.5"),
        (lambda: initializers.get("xavier"), "initializer must be an initializer or one of zeros, ones"),
        (lambda: initializers.get(3), "got 3"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@pytest.mark.parametrize("shape", [(40, 40), (30, 70), (70, 30), (3, 3, 5, 20), (1, 4)])
def test_orthogonal(shape):
    values = draw(initializers.Orthogonal(gain=1.5), shape).reshape(-1, shape[-1])
    if values.shape[0] < values.shape[1]:
        values = values.T
    np.testing.assert_allclose(values.T @ values, 1.5**2 * np.eye(values.shape[1]), atol=1e-13)


def test_orthogonal_matrices_have_no_direction_of_their_own():
    first = np.array([draw("orthogonal", (3, 3), seed=seed)[:, 0] for seed in range(2000)])
    assert np.abs(first.mean(axis=0)).max() < 5 * (1 / 3 / 2000) ** 0.5
    np.testing.assert_allclose((first**2).mean(axis=0), 1 / 3, atol=0.04)


def test_identity():
    np.testing.assert_array_equal(draw(initializers.Identity(2.0), (3, 4)), 2 * np.eye(3, 4))


@pytest.mark.parametrize("name", ["glorot_uniform", "he_normal", "random_normal", "orthogonal"])
def test_both_backends_draw_the_same(name):
    with backend.backend_scope("reference"):
        expected = draw(name, (50, 30), np.float32)
    np.testing.assert_allclose(draw(name, (50, 30), np.float32), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: draw("orthogonal", (3,)), "shape must be of two sizes or more for orthogonal values, got (3,)"),
        (lambda: draw("identity", (3,)), "shape must be of two sizes for an identity, got (3,)"),
        (lambda: initializers.Orthogonal(seed=2**64), f"seed must be in [0, 2**64), got {2**64}"),
        (lambda: initializers.Identity("a"), "gain must be"),
    ],
)
def test_what_orthogonal_and_identity_refuse(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()
