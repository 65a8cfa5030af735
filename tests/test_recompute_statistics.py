"""Moving statistics of batch normalisation recomputed over a data set, against the formulas in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import flyball as fb
from flyball import layers

rng = np.random.default_rng(0)
X = (rng.normal(size=(70, 4)) * [1.0, 5.0, 0.1, 2.0] + [0.0, 3.0, -7.0, 100.0]).astype(np.float64)
Y = rng.integers(0, 2, 70)
EPSILON = 1e-3


def network(dtype="float64", rate=0.3):
    """Batch normalisation first, after a product (which inference fuses), and after an activation."""
    fb.utils.set_random_seed(2)
    fb.utils.clear_session()
    model = fb.Sequential(
        [
            layers.Input((4,)),
            layers.BatchNormalization(),
            layers.Dense(6),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Dropout(rate),
            layers.Dense(5, activation="tanh"),
            layers.BatchNormalization(),
            layers.Dropout(rate),
            layers.Dense(2, activation="softmax"),
        ],
        dtype=dtype,
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, epochs=3, batch_size=16, verbose=0)
    return model


def norms(model):
    return [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]


def statistics(model):
    return [(layer.moving_mean.value.copy(), layer.moving_variance.value.copy()) for layer in norms(model)]


def by_formula(model, batches):
    """Go through the network by hand; ``batches`` is how the statistics are found, None for those of all samples.

    Returns mean and variance for each normalisation.
    """
    found = []
    parts = [X] if batches is None else list(batches)
    for layer in model.layers:
        weights = [w.value.astype(np.float64) for w in layer.weights]
        match layer:
            case layers.BatchNormalization():
                gamma, beta, *_ = weights
                means, variances = [p.mean(axis=0) for p in parts], [p.var(axis=0) for p in parts]
                if batches is None:
                    found.append((means[0], variances[0]))
                else:
                    m = [len(p) for p in parts]
                    unbiased = [v * n / (n - 1) for v, n in zip(variances, m, strict=True)]
                    found.append((np.mean(means, axis=0), np.mean(unbiased, axis=0)))
                parts = [
                    gamma * (p - mean) / np.sqrt(var + EPSILON) + beta
                    for p, mean, var in zip(parts, means, variances, strict=True)
                ]
            case layers.Dense():
                activate = {"tanh": np.tanh, "linear": lambda z: z}.get(layer.activation or "linear")
                if activate is None:
                    break
                parts = [activate(p @ weights[0] + weights[1]) for p in parts]
            case layers.Activation():
                parts = [np.maximum(p, 0.0) for p in parts]
    return found


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-11)])
def test_population_statistics_are_those_of_what_each_layer_is_given(each_backend, dtype, tolerance):
    model = network(dtype)
    expected = by_formula(model, None)
    for batch_size in (None, 7, 70, 1000):
        model.recompute_statistics(X, batch_size)
        for (mean, var), (wanted_mean, wanted_var) in zip(statistics(model), expected, strict=True):
            np.testing.assert_allclose(mean, wanted_mean, rtol=tolerance, atol=tolerance)
            np.testing.assert_allclose(var, wanted_var, rtol=tolerance)


def test_predictions_then_normalise_with_the_data_s_own_statistics(each_backend):
    """With population statistics inference is training on one batch of everything, without dropout."""
    model = network()
    model.recompute_statistics(X)
    whole = model.activations(X, training=False)
    for layer in norms(model):
        gamma, beta = layer.gamma.value, layer.beta.value
        z = (whole[layer.name] - beta) / gamma
        np.testing.assert_allclose(z.mean(axis=0), 0.0, atol=1e-8)
    before = statistics(model)
    model.recompute_statistics(X)
    np.testing.assert_array_equal(
        np.concatenate([np.ravel(p) for p in before]), np.concatenate([np.ravel(p) for p in statistics(model)])
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-11)])
@pytest.mark.parametrize("batch_size", [32, 23, None])
def test_averages_of_batches(each_backend, dtype, tolerance, batch_size):
    model = network(dtype)
    ends = {32: [32, 64], 23: [23, 46], None: [32, 64]}[batch_size]  # 23: a last batch of one joins the one before
    expected = by_formula(model, np.split(X, ends))
    model.recompute_statistics(X, batch_size, method="batches")
    for (mean, var), (wanted_mean, wanted_var) in zip(statistics(model), expected, strict=True):
        np.testing.assert_allclose(mean, wanted_mean, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(var, wanted_var, rtol=tolerance)


def test_nothing_but_the_statistics_changes(each_backend):
    model, other = network(), network()
    model.recompute_statistics(X)
    kept = {id(w) for layer in norms(model) for w in (layer.moving_mean, layer.moving_variance)}
    for one, two in zip(model.weights, other.weights, strict=True):
        same = np.array_equal(one.value, two.value)
        assert same == (id(one) not in kept), one.name
    assert model.optimizer.iterations == other.optimizer.iterations


def test_the_data_may_come_as_anything_that_fit_takes(each_backend):
    expected = network("float32")
    expected.recompute_statistics(X.astype(np.float32), 10)
    for data in (X, X.tolist(), [(X[i : i + 10], Y[i : i + 10]) for i in range(0, 70, 10)]):
        model = network("float32")
        model.recompute_statistics(data, None if isinstance(data[0], tuple) else 10)
        assert model.fingerprint() == expected.fingerprint()


def test_images_have_statistics_of_channels(each_backend):
    flatten = getattr(layers, "Flatten", None)
    if flatten is None:
        pytest.skip("layers.Flatten is not there")
    images = rng.normal(size=(20, 3, 4, 2)) * [1.0, 9.0] + [5.0, 0.0]
    model = fb.Sequential(
        [layers.Input((3, 4, 2)), layers.BatchNormalization(), flatten(), layers.Dense(2)], dtype="float64"
    )
    model.compile("sgd", "mse")
    model.recompute_statistics(images, 6)
    ((mean, var),) = statistics(model)
    np.testing.assert_allclose(mean, images.mean(axis=(0, 1, 2)), rtol=1e-11)
    np.testing.assert_allclose(var, images.var(axis=(0, 1, 2)), rtol=1e-11)


def test_offsets_do_not_cancel(each_backend):
    """E[x^2] - E[x]^2 in float32 would be noise, or negative (tensorflow 118701, burn 5607)."""
    x = (rng.normal(size=(500, 4)) + 1e4).astype(np.float32)
    model = fb.Sequential([layers.Input((4,)), layers.BatchNormalization(), layers.Dense(2)])
    model.compile("sgd", "mse")
    for method in ("population", "batches"):
        model.recompute_statistics(x, 100, method)
        ((_, var),) = statistics(model)
        np.testing.assert_allclose(var, x.astype(np.float64).var(axis=0), rtol=0.02 if method == "batches" else 1e-5)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"x": X[:, :2]}, ValueError, r"x must have 4 features, got shape \(70, 2\)"),
        ({"x": X * np.nan}, ValueError, "x must be finite"),
        ({"x": X, "method": "mean"}, ValueError, "method must be one of population, batches, got 'mean'"),
        ({"x": X, "batch_size": 0}, ValueError, "batch_size must be a positive integer, got 0"),
        ({"x": X[:1], "method": "batches"}, ValueError, "parts must have at least 2 values a channel"),
        ({"x": iter([(X, Y)])}, ValueError, "x must be an array, or batches that can be gone through again"),
        ({"x": [(X[:9], Y[:9]), (X[:1], Y[:1])], "method": "batches"}, ValueError, "at least 2 values a channel"),
    ],
)
def test_bad_input_changes_nothing(given, error, message):
    model = network()
    before = model.fingerprint()
    with pytest.raises(error, match=message):
        model.recompute_statistics(**given)
    assert model.fingerprint() == before


def test_a_model_without_batch_normalisation_is_refused():
    model = fb.Sequential([layers.Dense(2, input_shape=(4,))])
    with pytest.raises(ValueError, match="model must have a batch normalisation that learns"):
        model.recompute_statistics(X)
