"""What flyball.inspect says of models: statistics of activations against NumPy, gradients against differences."""

from __future__ import annotations

import numpy as np
import pytest

import flyball as fb
from flyball import initializers, layers, reference, regularizers
from flyball.inspect import activation_statistics, check_gradients

RNG = np.random.default_rng(5)
X = RNG.standard_normal((200, 12)).astype(np.float32)
Y = RNG.integers(0, 3, 200)


def stack(activation, initializer, depth=10, units=60):
    fb.utils.set_random_seed(0)
    fb.utils.clear_session()
    hidden = [layers.Dense(units, activation, kernel_initializer=initializer) for _ in range(depth)]
    return fb.Sequential([layers.Input((12,)), *hidden, layers.Dense(3, "softmax")])


def mixed(dtype="float32"):
    fb.utils.set_random_seed(0)
    fb.utils.clear_session()
    model = fb.Sequential(
        [
            layers.Input((12,)),
            layers.Dense(8, "tanh", kernel_regularizer=regularizers.L2(0.1)),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.4),
            layers.Dense(6, "elu"),
            layers.Dense(3, "softmax"),
        ],
        dtype=dtype,
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


# --- activations of layers ------------------------------------------------------------------------------------------


def test_activations_of_each_layer_against_numpy(each_backend, dtype):
    model = mixed(dtype)
    x = X.astype(dtype)
    outputs = model.activations(x)
    assert list(outputs) == [layer.name for layer in model.layers]
    w1, b1, *_ = (w.astype(np.float64) for w in model.get_weights())
    hidden = np.tanh(X.astype(np.float64) @ w1 + b1)
    tolerance = {"atol": 1e-5 if dtype == "float32" else 1e-12}
    np.testing.assert_allclose(outputs["dense"], hidden, **tolerance)
    normalised = hidden / np.sqrt(1 + 1e-3)  # the first running statistics
    np.testing.assert_allclose(outputs["batch_normalization"], normalised, **tolerance)
    np.testing.assert_allclose(outputs["dropout"], np.maximum(normalised, 0), **tolerance)
    np.testing.assert_allclose(outputs["dense_2"], model.predict(x), **tolerance)
    assert outputs["dense_2"].dtype == dtype


def test_activations_in_training_use_the_batch_and_leave_no_trace(each_backend):
    model = mixed()
    before = model.fingerprint()
    outputs = model.activations(X, training=True)
    assert model.fingerprint() == before
    np.testing.assert_allclose(outputs["batch_normalization"].mean(axis=0), 0.0, atol=1e-5)
    hidden = outputs["dense"].astype(np.float64)
    expected = (hidden - hidden.mean(axis=0)) / np.sqrt(hidden.var(axis=0) + 1e-3)
    np.testing.assert_allclose(outputs["batch_normalization"], expected, atol=1e-5)
    kept = outputs["dropout"] != 0
    np.testing.assert_allclose(outputs["dropout"][kept], outputs["re_lu"][kept] / 0.6, rtol=1e-4)
    share = kept.sum() / (outputs["re_lu"] > 0).sum()
    assert 0.5 < share < 0.7
    assert len(np.unique(outputs["dense"][:, 0])) > 100  # earlier layers are not overwritten by later ones


def test_activations_of_a_model_that_was_not_built_and_of_integers():
    model = fb.Sequential([layers.Dense(3, "relu")])
    outputs = model.activations(np.arange(8).reshape(4, 2))
    np.testing.assert_array_equal(outputs[model.layers[0].name], model.predict(np.arange(8).reshape(4, 2)))
    only_shapes = fb.Sequential([layers.Input((2,)), layers.Dropout(0.5)])
    x = np.ones((3, 2), np.float32)
    np.testing.assert_array_equal(only_shapes.activations(x)[only_shapes.layers[0].name], x)


def test_bad_input_of_activations():
    with pytest.raises(ValueError, match="x must have 12 features"):
        mixed().activations(X[:, :5])
    with pytest.raises(ValueError, match="rows of x must be at least 2 for the batch statistics of layer 'batch_norm"):
        mixed().activations(X[:1], training=True)
    with pytest.raises(ValueError, match="training must be True or False, got 1"):
        mixed().activations(X, training=1)
    with pytest.raises(ValueError, match="bins must be a positive integer, got 0"):
        activation_statistics(mixed(), X, bins=0)


# --- statistics -----------------------------------------------------------------------------------------------------


def test_statistics_against_numpy(each_backend):
    model = stack("relu", "he_normal", depth=2)
    found = activation_statistics(model, X, bins=7)
    assert found.samples == 200
    assert len(found) == 3
    output = model.activations(X)["dense_1"].astype(np.float64)
    row = found["dense_1"]
    assert row is found[1]
    expected = (output.mean(), output.std(), output.min(), output.max(), (output == 0).mean())
    np.testing.assert_allclose((row.mean, row.std, row.min, row.max, row.zeros), expected)
    np.testing.assert_allclose(row.signal, np.sqrt(np.mean([np.var(column) for column in output.T])))
    np.testing.assert_array_equal(row.dead, [i for i in range(60) if (output[:, i] == 0).all()])
    np.testing.assert_array_equal(row.counts, np.histogram(output, 7)[0])
    assert row.counts.sum() == output.size
    assert (row.activation, row.units, found[2].activation) == ("relu", 60, "softmax")
    assert found.warnings == []
    assert len(str(found).splitlines()) == 3 + 3


@pytest.mark.parametrize(
    ("activation", "initializer", "kinds"),
    [
        ("tanh", initializers.RandomNormal(0, 0.01), ["vanishing"]),
        ("sigmoid", initializers.RandomNormal(0, 0.01), ["vanishing"]),
        ("tanh", initializers.RandomNormal(0, 1), ["saturated"]),
        ("sigmoid", initializers.RandomNormal(0, 5), ["saturated"]),
        ("tanh", "glorot_normal", []),
        ("relu", "he_normal", []),
        ("relu", initializers.RandomNormal(0, 0.05), ["vanishing"]),
        ("leaky_relu", initializers.RandomNormal(0, 1), ["exploding"]),
        ("tanh", "zeros", ["dead", "symmetric"]),
        ("sigmoid", initializers.Constant(0.1), ["vanishing", "saturated", "symmetric"]),
    ],
)
def test_warnings_in_words(activation, initializer, kinds):
    found = activation_statistics(stack(activation, initializer), X)
    assert [warning.partition(":")[0] for warning in found.warnings] == kinds
    for warning in found.warnings:
        assert f"! {warning}" in str(found)


def test_dead_units_are_counted():
    model = stack("relu", "he_normal", depth=1, units=10)
    kernel, bias, *others = model.get_weights()
    bias[[1, 4, 7]] = -100.0
    model.set_weights([kernel, bias, *others])
    found = activation_statistics(model, X)
    np.testing.assert_array_equal(found["dense"].dead, [1, 4, 7])
    assert found.warnings[0].startswith("dead: up to 30 % of the units are 0 on every sample, in dense;")


def test_copies_are_found_where_they_are_and_not_in_the_output():
    model = stack("tanh", "glorot_normal", depth=2, units=6)
    weights = model.get_weights()
    weights[2][:, 5] = weights[2][:, 2]
    model.set_weights(weights)
    # Random outgoing weights give the two different gradients: they are no copies for long.
    assert activation_statistics(model, X).warnings == []
    weights[4][...] = 0.0
    model.set_weights(weights)
    found = activation_statistics(model, X)
    np.testing.assert_array_equal(found["dense_1"].copies, [5])
    assert [len(row.copies) for row in found] == [0, 1, 0]
    assert [warning.partition(":")[0] for warning in found.warnings] == ["symmetric"]


def test_values_that_are_not_finite_are_said():
    model = stack("relu", "he_normal", depth=2)
    weights = model.get_weights()
    weights[2][0, 0] = np.nan
    model.set_weights(weights)
    warning = activation_statistics(model, X).warnings[0]
    assert warning.startswith("not finite: dense_1 and what follows")


def test_an_unknown_layer_is_refused():
    with pytest.raises(ValueError, match="layer must be one of dense, dense_1, got 'dens'; did you mean 'dense'"):
        activation_statistics(stack("relu", "he_normal", depth=1), X)["dens"]


def test_identical_units_stay_identical_and_random_ones_do_not():
    def copies_after_training(initializer):
        model = stack("tanh", initializer, depth=2, units=8)
        model.pop()
        model.add(layers.Dense(3, "softmax", kernel_initializer=initializer))
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(X, Y, epochs=5, verbose=0)
        return [len(row.copies) for row in activation_statistics(model, X)]

    assert copies_after_training(initializers.Constant(0.1)) == [7, 7, 0]
    assert copies_after_training("glorot_uniform") == [0, 0, 0]


def test_units_with_outgoing_weights_of_their_own_are_no_copies():
    images = X.reshape(-1, 4, 3)

    def found(last):
        fb.utils.set_random_seed(0)
        stack = [layers.Input((4, 3)), layers.Dense(5, "tanh", kernel_initializer=initializers.Constant(0.3))]
        model = fb.Sequential([*stack, layers.Flatten(), layers.Dense(3, "softmax", kernel_initializer=last)])
        return activation_statistics(model, images)[0].copies

    np.testing.assert_array_equal(found("glorot_uniform"), [])
    np.testing.assert_array_equal(found("zeros"), [1, 2, 3, 4])


# --- gradients ------------------------------------------------------------------------------------------------------


def test_gradients_of_a_network_with_everything_are_right(each_backend, dtype):
    fb.utils.set_random_seed(3)
    seeds = [fb.utils.new_seed(), fb.utils.new_seed()]
    model = mixed(dtype)
    before = model.fingerprint()
    model_seed = fb.utils.new_seed()
    found = check_gradients(model, X[:10], Y[:10], samples=12)
    assert found.passed, found
    assert found.worst.error < 1e-6
    assert [row.name for row in found] == [w.name for w in model.weights if w.trainable]
    assert all(
        row.checked + row.kinks == min(12, w.size) for row, w in zip(found, model.layers[0].weights, strict=False)
    )
    assert model.fingerprint() == before
    assert "gradients are right" in str(found)
    fb.utils.set_random_seed(0)
    assert [fb.utils.new_seed(), fb.utils.new_seed()][1] == model_seed  # the check took none of them
    assert seeds[0] != seeds[1]


@pytest.mark.parametrize(
    ("loss", "activation", "y"),
    [
        ("mse", None, RNG.standard_normal((8, 2))),
        ("mae", None, RNG.standard_normal((8, 2))),
        ("binary_crossentropy", "sigmoid", RNG.integers(0, 2, (8, 2))),
        ("categorical_crossentropy", "softmax", np.eye(2)[RNG.integers(0, 2, 8)]),
        ("poisson", "softplus", RNG.integers(0, 5, (8, 2))),
    ],
)
def test_gradients_of_other_losses_are_right(loss, activation, y):
    model = fb.Sequential([layers.Input((12,)), layers.Dense(5, "silu"), layers.Dense(2, activation)])
    model.compile("sgd", loss)
    found = check_gradients(model, X[:8], y)
    assert found.passed, found
    assert sum(row.checked for row in found) > 60


def test_gradients_through_noise_residuals_and_penalties_are_right(each_backend):
    penalty = regularizers.L1L2(0.02, 0.01, proximal=True)
    stack = [
        layers.Input((12,)),
        layers.GaussianNoise(0.2),
        layers.Dense(6, "gelu", kernel_noise=0.1, kernel_regularizer=penalty, kernel_constraint="unit_norm"),
        layers.ActivityRegularization(0.03, 0.02),
        layers.LayerNormalization(),
        layers.Residual([layers.Dense(6, "tanh"), layers.GaussianDropout(0.3)]),
        layers.Dense(2, bias_regularizer="l2"),
    ]
    model = fb.Sequential(stack)
    model.compile("adam", "mse")
    found = check_gradients(model, X[:8], RNG.standard_normal((8, 2)), samples=20)
    assert found.passed, found
    assert found.worst.error < 1e-6
    assert sum(row.checked for row in found) > 70


@pytest.mark.parametrize(
    ("operation", "argument", "row"),
    [("dense_backward", "dw", "dense/kernel"), ("batch_norm_backward", "dgamma", "batch_normalization/gamma")],
)
def test_a_wrong_backward_pass_is_found(monkeypatch, operation, argument, row):
    right = getattr(reference, operation)

    def wrong(**arguments):
        right(**arguments)
        target = arguments[argument]
        if target is not None and target.shape in {(12, 8), (8,)}:
            target.flat[3] *= 1.001

    monkeypatch.setattr(reference, operation, wrong)
    fb.use_backend("reference")
    found = check_gradients(mixed(), X[:10], Y[:10], samples=100)
    assert not found.passed
    assert found.worst.name == row
    assert found.worst.index[-1] == 3
    assert found.worst.error == pytest.approx(1e-3, rel=0.01)
    assert f"gradients are wrong: worst {row}[" in str(found)
    wrong_rows = [r.name for r in found if r.error > found.tolerance]
    assert wrong_rows == [row]


def test_a_gradient_that_is_nan_is_wrong(monkeypatch):
    right = reference.dense_backward

    def wrong(**arguments):
        right(**arguments)
        arguments["dw"].flat[0] = np.nan

    monkeypatch.setattr(reference, "dense_backward", wrong)
    fb.use_backend("reference")
    found = check_gradients(mixed(), X[:10], Y[:10], samples=100)
    assert not found.passed
    assert found.worst.error == np.inf


def test_kinks_are_left_out_and_counted():
    # All inputs of ReLU are exactly 0: the loss goes up to one side of each weight and is flat to the other.
    model = fb.Sequential([layers.Input((2,)), layers.Dense(3, "relu", kernel_initializer="zeros"), layers.Dense(1)])
    model.compile("sgd", "mse")
    found = check_gradients(model, np.ones((4, 2)), np.ones(4))
    assert found.rows[0].kinks == 6
    assert found.rows[0].checked == 0
    assert found.passed  # the second layer's were compared
    relu = fb.Sequential([layers.Input((2,)), layers.Dense(1, kernel_initializer="zeros", use_bias=False)])
    relu.compile("sgd", "mae")
    nothing = check_gradients(relu, np.ones((4, 2)), np.zeros(4))
    assert not nothing.passed
    assert "nothing was compared" in str(nothing)


def test_frozen_layers_are_not_checked():
    model = mixed()
    model.layers[0].trainable = False
    model.compile("sgd", "sparse_categorical_crossentropy")
    found = check_gradients(model, X[:10], Y[:10], samples=3)
    assert found.passed
    assert not any(row.name.startswith("dense/") for row in found)
    frozen = fb.Sequential([layers.Input((12,)), layers.Dense(3, "softmax", trainable=False)], name="frozen")
    frozen.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="model must have weights to train, got 'frozen' without"):
        check_gradients(frozen, X[:10], Y[:10])


def test_bad_input_of_the_check():
    with pytest.raises(ValueError, match="model must be compiled"):
        check_gradients(stack("relu", "he_normal"), X, Y)
    with pytest.raises(ValueError, match="samples must be a positive integer, got 0"):
        check_gradients(mixed(), X, Y, samples=0)
    with pytest.raises(ValueError, match=r"tolerance must be in \(0, inf\), got 0"):
        check_gradients(mixed(), X, Y, tolerance=0)
    with pytest.raises(ValueError, match="y must have one row for each of the 200 rows of x, got 5"):
        check_gradients(mixed(), X, Y[:5])
    with pytest.raises(ValueError, match="x must be finite"):
        check_gradients(mixed(), X * np.nan, Y)
