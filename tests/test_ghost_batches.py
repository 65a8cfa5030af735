"""Batch normalisation whose batches are groups of samples: as a layer of a model that trains."""

from __future__ import annotations

import numpy as np
import pytest

import flyball
from flyball import functional, layers, optimizers

MOMENTUM, EPSILON = 0.9, 0.01


def data(rows, shape=(6,)):
    rng = np.random.default_rng(rows)
    return rng.normal(1.0, 2.0, (rows, *shape)), rng.normal(size=(rows, 2))


def new_model(group, shape=(6,), *, axis=-1, dtype="float64", between=(), **options):
    flyball.utils.set_random_seed(3)
    norm = layers.BatchNormalization(axis, MOMENTUM, EPSILON, virtual_batch_size=group, name="norm", **options)
    stack = [flyball.Input(shape), norm, *(make() for make in between), layers.Flatten(), layers.Dense(2)]
    model = flyball.Sequential(stack, dtype=dtype)
    model.compile(optimizers.SGD(0.01), "mse")
    return model


def groups_of(rows, group):
    """Bounds of the groups, written out: the last has what remains."""
    begins = [*range(0, rows - group + 1, group)] or [0]
    return list(zip(begins, [*begins[1:], rows], strict=True))


def normalised(x, group, axis=-1):
    """Outputs with gamma 1 and beta 0, and the moving statistics after one batch."""
    channels = axis % x.ndim
    axes = tuple(i for i in range(x.ndim) if i != channels)
    along = [1] * x.ndim
    along[channels] = -1
    y, mean, variance = np.empty_like(x), 0.0, 1.0
    for begin, end in groups_of(len(x), group):
        part = x[begin:end]
        m, v = part.mean(axis=axes), part.var(axis=axes)
        y[begin:end] = (part - m.reshape(along)) / np.sqrt(v.reshape(along) + EPSILON)
        mean, variance = MOMENTUM * mean + (1 - MOMENTUM) * m, MOMENTUM * variance + (1 - MOMENTUM) * v
    return y, mean, variance


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((6,), -1), ((17,), -1), ((3, 4), -1), ((3, 4), 1), ((4, 3, 5), -1), ((4, 3, 5), 1), ((4, 3, 5), 2)],
)
@pytest.mark.parametrize(
    ("rows", "group"),
    [(12, 4), (12, 12), (12, 3), (14, 4), (15, 4), (7, 8), (5, 2), (1100, 530)],
    ids=str,
)
def test_groups_have_statistics_of_their_own_in_training(shape, axis, rows, group):
    x, y = data(rows, shape)
    model = new_model(group, shape, axis=axis)
    kernel, bias = model.get_weights()[-2:]
    want, mean, variance = normalised(x, group, axis)
    outputs = want.reshape(rows, -1) @ kernel + bias
    loss = model.train_on_batch(x, y)
    assert loss == pytest.approx(np.square(outputs - y).mean(), rel=1e-10)
    norm = model.get_layer("norm")
    np.testing.assert_allclose(norm.moving_mean.value, mean, rtol=1e-10)
    np.testing.assert_allclose(norm.moving_variance.value, variance, rtol=1e-10)


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("shape", [(6,), (4, 3)])
def test_gradients_are_those_of_finite_differences(shape):
    model = new_model(4, shape, between=[layers.ReLU])
    assert flyball.inspect.check_gradients(model, *data(14, shape)).passed


def test_the_function_and_the_layer_are_one(dtype):
    x = data(40)[0].astype(dtype)
    model = new_model(8, dtype=dtype)
    outputs = model.activations(x, training=True)["norm"]
    whole = functional.batch_norm_forward(x, epsilon=EPSILON, virtual_batch_size=8)
    np.testing.assert_array_equal(outputs, whole.y)


@pytest.mark.usefixtures("each_backend")
def test_a_group_of_all_is_batch_normalisation():
    x, y = data(24)
    ghost, plain = new_model(24), new_model(None)
    for model in (ghost, plain):
        model.fit(x, y, 24, 3, verbose=0, shuffle=False)
    assert ghost.fingerprint() == plain.fingerprint()


@pytest.mark.usefixtures("each_backend")
def test_smaller_batches_of_a_fit():
    """40 rows in batches of 16: two of two groups, and one of 8 rows, which is a group."""
    x, y = data(40)
    fitted, by_hand = new_model(8), new_model(8)
    fitted.fit(x, y, 16, 2, verbose=0, shuffle=False)
    for _ in range(2):
        for begin in (0, 16, 32):
            by_hand.train_on_batch(x[begin : begin + 16], y[begin : begin + 16])
    by_hand._epochs = 2
    assert fitted.fingerprint() == by_hand.fingerprint()
    assert not np.allclose(fitted.get_layer("norm").moving_mean.value, 0.0)


def test_the_same_bits_for_any_number_of_threads(dtype):
    for shape, axis in (((6,), -1), ((200,), -1), ((5, 40), 1), ((30, 3), -1)):
        x, y = data(70, shape)
        found = set()
        for threads in (1, 2, 3, 5):
            flyball.set_num_threads(threads)
            model = new_model(10, shape, axis=axis, dtype=dtype, between=[layers.ReLU, lambda: layers.Dropout(0.4)])
            model.fit(x, y, 32, 2, verbose=0)
            found.add(model.fingerprint())
        assert len(found) == 1, shape


def test_large_groups_have_the_same_bits_for_any_number_of_threads(dtype):
    x, y = data(2100, (20,))  # groups of so many rows are summed by all threads together
    found = set()
    for threads in (1, 2, 3, 5):
        flyball.set_num_threads(threads)
        model = new_model(700, (20,), dtype=dtype)
        model.fit(x, y, 2100, 3, verbose=0)
        found.add(model.fingerprint())
    assert len(found) == 1


def test_activation_and_dropout_are_in_the_same_pass():
    model = new_model(8, between=[layers.ReLU, lambda: layers.Dropout(0.4)])
    program = str(model.program())
    assert "ghost_batch_norm_forward(" in program
    assert "group=8, momentum=0.9, epsilon=0.01, unbiased=False, activation='relu', rate=0.4" in program
    assert "group=8, activation='relu', rate=0.4" in program
    assert "activation_forward(" not in program
    assert "dropout_forward(" not in program
    assert "group=40" in str(new_model(8, (5, 3)).program())  # of 5 positions a sample


def test_sample_weights_count_in_the_loss_alone():
    x, y = data(16)
    model, unweighted = new_model(4), new_model(4)
    weights = np.linspace(0.0, 2.0, 16)
    kernel, bias = model.get_weights()[-2:]
    losses = np.square(normalised(x, 4)[0] @ kernel + bias - y).mean(axis=1)
    assert model.train_on_batch(x, y, sample_weight=weights) == pytest.approx(np.mean(weights * losses), rel=1e-10)
    unweighted.train_on_batch(x, y)
    np.testing.assert_array_equal(
        model.get_layer("norm").moving_mean.value, unweighted.get_layer("norm").moving_mean.value
    )


def test_prediction_knows_no_groups():
    x, y = data(20)
    ghost, plain = new_model(4), new_model(None)
    ghost.fit(x, y, 20, 2, verbose=0)
    plain.set_weights(ghost.get_weights())
    np.testing.assert_array_equal(ghost.predict(x), plain.predict(x))
    assert ghost.evaluate(x, y, verbose=0) == plain.evaluate(x, y, verbose=0)


def test_a_frozen_layer_knows_no_groups():
    x, y = data(20)
    ghost, plain = new_model(4, trainable=False), new_model(None, trainable=False)
    assert ghost.train_on_batch(x, y) == plain.train_on_batch(x, y)


def test_statistics_are_recomputed_over_all_samples():
    x, _ = data(64)
    ghost, plain = new_model(8), new_model(None)
    for model in (ghost, plain):
        model.recompute_statistics(x, 32)
    for a, b in zip(ghost.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.allclose(ghost.get_layer("norm").moving_mean.value, 0.0)


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize(("shape", "axis"), [((6,), -1), ((4, 3), -1), ((4, 3), 1)])
def test_averages_of_batches_are_averages_of_groups(shape, axis):
    x, _ = data(62, shape)
    model = new_model(8, shape, axis=axis)
    model.recompute_statistics(x, 31, method="batches")
    axes = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    parts = [x[first + begin : first + end] for first in (0, 31) for begin, end in groups_of(31, 8)]
    norm = model.get_layer("norm")
    np.testing.assert_allclose(norm.moving_mean.value, np.mean([part.mean(axis=axes) for part in parts], axis=0))
    np.testing.assert_allclose(
        norm.moving_variance.value, np.mean([part.var(axis=axes, ddof=1) for part in parts], axis=0)
    )


def test_files_and_configurations(tmp_path):
    x, y = data(20)
    model = new_model(4)
    model.fit(x, y, 10, 2, verbose=0)
    model.save(tmp_path / "m")
    loaded = flyball.load_model(tmp_path / "m")
    assert loaded.get_layer("norm").virtual_batch_size == 4
    for each in (model, loaded):
        each.fit(x, y, 10, 4, initial_epoch=2, verbose=0)
    assert loaded.fingerprint() == model.fingerprint()


@pytest.mark.parametrize("value", [0, -1, 2.5, "8", True])
def test_bad_sizes(value):
    with pytest.raises((ValueError, TypeError), match="virtual_batch_size must be a positive integer, got"):
        layers.BatchNormalization(virtual_batch_size=value)


def test_a_group_of_one_value_a_channel_has_no_variance():
    norm = layers.BatchNormalization(virtual_batch_size=1, name="ghost")
    message = (
        "ghost: virtual_batch_size must be at least 2 for batch statistics of samples with one value a channel, got 1"
    )
    with pytest.raises(ValueError, match=message):
        flyball.Sequential([flyball.Input((6,)), norm])
    flyball.Sequential([flyball.Input((4, 6)), layers.BatchNormalization(virtual_batch_size=1)])
