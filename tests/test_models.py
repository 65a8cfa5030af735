"""Sequential: structure, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import flyball as fb
from flyball import layers


def small(**options):
    fb.utils.set_random_seed(0)
    model = fb.Sequential([layers.Dense(5, activation="relu", input_shape=(3,)), layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", **options)
    return model


X = np.linspace(-1, 1, 30).reshape(10, 3).astype(np.float32)
Y = np.array([0, 1] * 5)


def test_layers_are_built_as_soon_as_the_input_is_known():
    model = fb.Sequential()
    model.add(layers.Dense(4))
    assert not model.built
    model.add(layers.BatchNormalization())
    model.build((None, 6))
    assert model.input_shape == (None, 6)
    assert model.output_shape == (None, 4)
    assert [w.shape for w in model.weights] == [(6, 4), (4,), (4,), (4,), (4,), (4,)]
    assert model.count_params() == 24 + 5 * 4


def test_adding_a_layer_keeps_the_weights_so_far():
    model = fb.Sequential([layers.Dense(4, input_shape=(3,))])
    before = model.get_weights()
    model.add(layers.Dense(2))
    for old, new in zip(before, model.get_weights(), strict=False):
        np.testing.assert_array_equal(old, new)
    model.pop()
    assert model.output_shape == (None, 4)
    np.testing.assert_array_equal(before[0], model.get_weights()[0])


def test_fit_builds_from_the_data():
    model = fb.Sequential([layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, verbose=0)
    assert model.input_shape == (None, 3)


def test_summary_counts_parameters():
    lines = []
    small().summary(print_fn=lines.append)
    text = "\n".join(lines)
    assert "Total params: 32" in text
    assert "(None, 5)" in text


def test_set_weights_round_trips_and_refuses_other_shapes():
    model, other = small(), small()
    model.fit(X, Y, verbose=0)
    other.set_weights(model.get_weights())
    assert other.predict(X).tobytes() == model.predict(X).tobytes()
    wrong = model.get_weights()
    wrong[1] = wrong[1][:-1]
    with pytest.raises(ValueError, match=r"weights must have shape \(5,\)"):
        other.set_weights(wrong)
    with pytest.raises(ValueError, match="weights must have 4 arrays, got 3"):
        other.set_weights(wrong[:3])


def test_one_layer_is_not_shared_by_two_models():
    layer = layers.Dense(2, input_shape=(3,))
    fb.Sequential([layer])
    with pytest.raises(ValueError, match="layer must be in no other model"):
        fb.Sequential([layer])


def test_a_layer_that_does_not_fit_is_not_added():
    model = fb.Sequential([layers.Dense(2, input_shape=(3,))])
    with pytest.raises(ValueError, match="input_shape must be"):
        model.add(layers.Dense(2, input_shape=(7,)))
    assert len(model.layers) == 1
    assert model.predict(X).shape == (10, 2)


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (X[:, :2], Y, {}, r"x must have 3 features, got shape \(10, 2\)"),
        (X[0], Y, {}, r"x must have shape \(samples, features\), got shape \(3,\)"),
        (X[:0], Y[:0], {}, r"x must not be empty, got shape \(0, 3\)"),
        (X, Y[:-1], {}, "y must have one row for each of the 10 rows of x, got 9"),
        (X, np.where(Y > 0, np.nan, 0.0), {}, "y must be integers in .0, 2., got nan in row 1"),
        (X, Y + 1, {}, "y must be integers in .0, 2., got 2 in row 1"),
        (X, -Y, {}, "y must be integers in .0, 2., got -1 in row 1"),
        (np.where(X.max() == X, np.inf, X), Y, {}, "x must be finite, got inf at row 9, column 2"),
        (X, Y, {"batch_size": 0}, "batch_size must be a positive integer, got 0"),
        (X, Y, {"batch_size": 2.5}, "batch_size must be a positive integer, got 2.5"),
        (X, Y, {"epochs": -1}, "epochs must be a positive integer, got -1"),
        (X, Y, {"validation_split": 1.0}, r"validation_split must be in \[0, 1\), got 1.0"),
        (X, Y, {"validation_data": (X, Y[:3])}, r"validation_data\[1\] must have one row for each"),
        (X, Y, {"validation_data": X}, r"validation_data must be a tuple \(x, y\) or .*, or batches, got ndarray"),
        (X, Y, {"verbose": 3}, "verbose must be 'auto', 0, 1 or 2, got 3"),
    ],
)
def test_fit_refuses_bad_input_and_leaves_the_model_alone(each_backend, x, y, options, message):
    model = small()
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        model.fit(x, y, **{"verbose": 0, **options})
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert model.optimizer.iterations == 0


@pytest.mark.parametrize("x", [X.astype(str), X.astype(object), X.astype(complex)])
def test_fit_refuses_what_is_no_number(each_backend, x):
    with pytest.raises(TypeError, match="x must be numbers"):
        small().fit(x, Y, verbose=0)


def test_batch_statistics_need_two_rows(each_backend):
    model = fb.Sequential([layers.BatchNormalization(name="norm"), layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(
        ValueError, match="rows of x must be at least 2 for the batch statistics of layer 'norm', got 1"
    ):
        model.fit(X[:1], Y[:1], verbose=0)
    with pytest.raises(
        ValueError, match="batch_size must be at least 2 for the batch statistics of layer 'norm', got 1"
    ):
        model.fit(X, Y, batch_size=1, verbose=0)


def test_a_loss_that_does_not_fit_the_last_layer_is_refused():
    model = fb.Sequential([layers.Dense(2, input_shape=(3,), name="out")])
    with pytest.raises(ValueError, match="from_logits=True, or layer 'out' a softmax activation"):
        model.compile("sgd", "sparse_categorical_crossentropy")
    model.compile("sgd", fb.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(X, Y, verbose=0)


def test_calls_in_the_wrong_order_are_explained():
    model = fb.Sequential()
    with pytest.raises(ValueError, match="at least one layer, got none"):
        model.count_params()
    model.add(layers.Dense(2))
    with pytest.raises(ValueError, match="model must be built"):
        model.get_config() and model.count_params()
    with pytest.raises(ValueError, match="model must be compiled"):
        model.fit(X, Y)


def test_softmax_and_logits_train_alike():
    """Softmax in the last layer or in the loss: one and the same computation."""
    histories = []
    for activation, from_logits in (("softmax", False), (None, True)):
        fb.utils.set_random_seed(3)
        model = fb.Sequential([layers.Dense(2, activation=activation, input_shape=(3,))])
        model.compile("sgd", fb.losses.SparseCategoricalCrossentropy(from_logits=from_logits))
        histories.append(model.fit(X, Y, epochs=3, verbose=0).history["loss"])
    assert histories[0] == histories[1]


def test_one_hot_targets_train_as_labels_do():
    histories = []
    for loss, targets in (("sparse_categorical_crossentropy", Y), ("categorical_crossentropy", np.eye(2)[Y])):
        model = small()
        model.compile("sgd", loss, metrics=["accuracy"])
        histories.append(model.fit(X, targets, epochs=3, verbose=0).history)
    np.testing.assert_allclose(histories[0]["loss"], histories[1]["loss"], rtol=1e-6)
    assert histories[0]["accuracy"] == histories[1]["accuracy"]


def test_frozen_layers_stay_as_they_are():
    model = small()
    model.layers[0].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    before = model.get_weights()
    model.fit(X, Y, epochs=2, verbose=0)
    after = model.get_weights()
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[1], after[1])
    assert not np.array_equal(before[2], after[2])
    model.layers[0].trainable = True
    model.compile("adam", "sparse_categorical_crossentropy")
    np.testing.assert_array_equal(after[2], model.get_weights()[2])
    model.fit(X, Y, verbose=0)
    assert not np.array_equal(before[0], model.get_weights()[0])


def test_first_weights_do_not_depend_on_when_a_layer_was_added():
    def parts():
        fb.utils.set_random_seed(4)
        return [layers.Dense(4, input_shape=(3,)), layers.BatchNormalization(), layers.Dense(2, activation="softmax")]

    at_once = fb.Sequential(parts())
    first, *others = parts()
    later = fb.Sequential([first])
    for layer in others:
        later.add(layer)
    fb.utils.set_random_seed(4)
    late = fb.Sequential([layers.Dense(4), layers.BatchNormalization(), layers.Dense(2, activation="softmax")])
    late.build((None, 3))
    for one, other, third in zip(at_once.get_weights(), later.get_weights(), late.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, third)
    later.pop()
    later.add(layers.Dense(2, activation="softmax"))
    np.testing.assert_array_equal(later.get_weights()[-2], at_once.get_weights()[-2])


def test_a_layer_that_cannot_work_is_named_by_compile_and_the_model_stays_as_it_was(each_backend):
    model = fb.Sequential(
        [layers.Input((4, 4, 1)), layers.RandomFlip(name="flip", policy={6: None}), layers.Flatten(), layers.Dense(9)]
    )
    loss = fb.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    rng = np.random.default_rng(0)
    x, y = rng.random((20, 4, 4, 1)), rng.integers(0, 9, 20)
    model.fit(x, y, verbose=0)
    before, optimizer = model.fingerprint(), model.optimizer
    for arguments, message in (
        (("sgd", fb.losses.CategoricalCrossentropy(from_logits=True)), "flip: policy needs one integer label a sample"),
        (("sgd", "sparse_categorical_crossentropy"), "from_logits=True, or layer"),
        (("sgdd", loss), "did you mean 'sgd'"),
    ):
        with pytest.raises(ValueError, match=message):
            model.compile(*arguments)
        assert model.fingerprint() == before
        assert model.optimizer is optimizer
        assert model.loss is loss
    model.fit(x, y, verbose=0)
    assert model.optimizer.iterations == 2
    assert model.fingerprint() != before
