"""predict(x, mc_dropout=n): mean and spread of passes with dropout."""

from __future__ import annotations

import numpy as np
import pytest

import flyball as fb
from flyball import layers
from flyball.program.lowering import Lowering
from flyball.program.requests import Data
from flyball.program.runners import Steps, runner

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(50, 8)), rng.integers(0, 3, 50)


def network(dtype="float64", rate=0.4):
    fb.utils.set_random_seed(7)
    fb.utils.clear_session()
    model = fb.Sequential(
        [
            layers.Input((8,)),
            layers.Dense(16, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(rate),
            layers.Dense(12, activation="tanh"),
            layers.Dropout(rate),
            layers.Dense(3, activation="softmax"),
        ],
        dtype=dtype,
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, epochs=2, verbose=0)
    return model


def test_mean_and_spread_of_dropout_on_a_linear_model_are_the_formula_s(each_backend):
    """y = sum_j d_j x_j w_j / keep: mean x @ w, variance sum_j (x_j w_j)^2 * (1 - keep) / keep."""
    fb.utils.set_random_seed(0)
    model = fb.Sequential([layers.Input((8,)), layers.Dropout(0.3), layers.Dense(2)], dtype="float64")
    w, b = model.get_weights()
    passes = 4000
    mean, std = model.predict(X, mc_dropout=passes)
    expected = X @ w + b
    variance = np.square(X[:, :, None] * w).sum(axis=1) * 0.3 / 0.7
    error = np.sqrt(variance / passes)
    assert np.abs((mean - expected) / error).max() < 5
    np.testing.assert_allclose(std, np.sqrt(variance), rtol=0.12)
    assert np.sqrt(np.mean(np.square((mean - expected) / error))) == pytest.approx(1.0, abs=0.35)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-6), ("float64", 1e-13)])
def test_it_is_the_mean_of_the_passes(each_backend, dtype, tolerance):
    """Each pass by itself, with the Program that predict runs; batch normalisation is inference's."""
    model = network(dtype)
    lowering = Lowering(model._nodes(), model._memory, Data(X), 20, training=False, noisy=True, seed=11)
    lowering.predictions(50)
    ops = [i.op for i in lowering.program.instructions]
    assert "batch_norm_forward" not in ops
    assert ops.count("dropout_forward") == 2
    out, bounds = lowering.program.buffers["predictions"].array, np.array([0, 20, 40, 50])
    passes = []
    for p in range(6):
        runner(lowering.program).run(Steps(bounds, np.zeros(3), 3 * p))
        passes.append(out.astype(np.float64))
    found = model.predict(X, batch_size=20, mc_dropout=6, seed=11)
    np.testing.assert_allclose(found.mean, np.mean(passes, axis=0), rtol=tolerance)
    np.testing.assert_allclose(found.std, np.std(passes, axis=0), rtol=100 * tolerance, atol=tolerance)
    assert found.mean.dtype == found.std.dtype == dtype
    assert len({p.tobytes() for p in passes}) == 6


def test_it_is_a_function_of_the_seed_for_any_number_of_threads():
    model = network()
    results = []
    for threads in (1, 2, 5):
        fb.set_num_threads(threads)
        results.append(model.predict(X, mc_dropout=5))
    assert all(r.mean.tobytes() == results[0].mean.tobytes() for r in results)
    assert all(r.std.tobytes() == results[0].std.tobytes() for r in results)
    assert np.any(model.predict(X, mc_dropout=5, seed=1).mean != model.predict(X, mc_dropout=5, seed=2).mean)
    again = network()
    assert again.predict(X, mc_dropout=5).mean.tobytes() == results[0].mean.tobytes()


def test_nothing_changes(each_backend):
    model = network()
    before, predictions = model.fingerprint(), model.predict(X)
    mean, _ = model.predict(X, mc_dropout=3)
    assert model.fingerprint() == before
    assert model.predict(X).tobytes() == predictions.tobytes()
    assert np.any(mean != predictions)


def test_one_pass_has_no_spread():
    mean, std = network().predict(X[:4], mc_dropout=1)
    assert mean.shape == std.shape == (4, 3)
    assert not std.any()
    np.testing.assert_allclose(mean.sum(axis=1), 1.0)


def test_batches_are_met_with_other_masks_each():
    model = network()
    twice = [X[:10], X[:10]]
    mean, std = model.predict(iter(twice), mc_dropout=4)
    assert mean.shape == std.shape == (20, 3)
    assert np.any(mean[:10] != mean[10:])
    np.testing.assert_array_equal(mean[:10], model.predict(X[:10], mc_dropout=4).mean)
    parts = model.predict(X[:20], batch_size=10, mc_dropout=4)
    assert parts.mean.shape == (20, 3)


def test_an_unbuilt_model_and_seeds_of_layers():
    model = fb.Sequential([layers.Dropout(0.5, seed=3), layers.Dense(2)])
    first = model.predict(X, mc_dropout=3, seed=1)
    second = model.predict(X, mc_dropout=3, seed=2)
    np.testing.assert_array_equal(first.mean, second.mean)  # a layer's own seed stays its own


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mc_dropout": 0}, "mc_dropout must be a positive integer, got 0"),
        ({"mc_dropout": 2.5}, "mc_dropout must be a positive integer, got 2.5"),
        ({"mc_dropout": 2, "seed": -1}, "seed must be a non-negative integer, got -1"),
        ({"seed": 1}, "seed must be None without mc_dropout: nothing is random, got 1"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        network().predict(X, **options)


def test_a_model_without_anything_random_is_refused():
    model = fb.Sequential([layers.Dense(2, input_shape=(8,))])
    with pytest.raises(ValueError, match="mc_dropout must be None for a model without dropout or noise"):
        model.predict(X, mc_dropout=3)
