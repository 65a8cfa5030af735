"""Focal and generalized cross-entropies, the hinge of classes, and losses of sets: in training, and at their ends."""

from __future__ import annotations

import re

import numpy as np
import pytest

import flyball as fb
import flyball.functional as F
from flyball import layers, losses
from flyball.backend import ROW_LOSSES

ROWS, FEATURES, CLASSES = 11, 3, 4
RATE = 0.3


def data():
    rng = np.random.default_rng(4)
    return rng.normal(size=(ROWS, FEATURES)), rng.integers(0, CLASSES, ROWS)


def network(loss, activation, shape=(FEATURES,), outputs=CLASSES, **compiled):
    fb.utils.set_random_seed(5)
    model = fb.Sequential([layers.Input(shape), layers.Dense(outputs, activation)], dtype="float64")
    model.compile(fb.optimizers.SGD(RATE), loss, **compiled)
    return model


CASES = [
    pytest.param(losses.BinaryFocalCrossentropy, "sigmoid", id="binary focal"),
    pytest.param(lambda: losses.BinaryFocalCrossentropy(True, 0.3, 0.5), "sigmoid", id="balanced binary focal"),
    pytest.param(lambda: losses.BinaryFocalCrossentropy(from_logits=True), None, id="binary focal of logits"),
    pytest.param(losses.CategoricalFocalCrossentropy, "softmax", id="focal"),
    pytest.param(
        lambda: losses.CategoricalFocalCrossentropy([0.1, 0.4, 2.0, 1.0], 1.0, True, 0.2), None, id="focal of logits"
    ),
    pytest.param(losses.CategoricalGeneralizedCrossEntropy, "softmax", id="generalized"),
    pytest.param(lambda: losses.CategoricalGeneralizedCrossEntropy(0.9), "softmax", id="generalized 0.9"),
    pytest.param(losses.CategoricalHinge, None, id="hinge of classes"),
    pytest.param(losses.Dice, "sigmoid", id="dice"),
    pytest.param(lambda: losses.Dice(axis=-1), "softmax", id="dice of samples"),
    pytest.param(lambda: losses.Tversky(0.2, 0.9), "sigmoid", id="tversky"),
    pytest.param(lambda: losses.Tversky(0.2, 0.9, axis=(1,)), "sigmoid", id="tversky of samples"),
]


@pytest.mark.parametrize(("make", "activation"), CASES)
@pytest.mark.parametrize("weighted", [False, True])
def test_steps_go_down_the_loss_that_a_call_returns(each_backend, make, activation, weighted):
    """Of each batch: the loss of a call before it, and weights that differ by its gradient, by finite differences."""
    x, labels = data()
    loss = make()
    y = labels if isinstance(loss, losses.CategoricalGeneralizedCrossEntropy) else np.eye(CLASSES)[labels]
    w = np.linspace(0.5, 2.0, ROWS) if weighted else None
    model = network(loss, activation)
    reported = []
    for begin in (0, 4, 8):
        rows = slice(begin, begin + 4)
        given = None if w is None else w[rows]

        def value(weights, rows=rows, given=given):
            model.set_weights(weights)
            return float(loss(y[rows], model.predict(x[rows]), given))

        weights = model.get_weights()
        reported.append((len(x[rows]), value(weights)))
        slopes = []
        for i, array in enumerate(weights):
            slope = np.zeros(array.shape)
            for place in np.ndindex(array.shape):
                ends = []
                for step in (1e-5, -1e-5):
                    moved = [a.copy() for a in weights]
                    moved[i][place] += step
                    ends.append(value(moved))
                slope[place] = (ends[0] - ends[1]) / 2e-5
            slopes.append(slope)
        model.set_weights(weights)
        model.fit(x[rows], y[rows], sample_weight=given, batch_size=4, verbose=0)
        assert np.abs(slopes[0]).max() > 1e-3
        for before, slope, after in zip(weights, slopes, model.get_weights(), strict=True):
            np.testing.assert_allclose(after, before - RATE * slope, rtol=1e-6, atol=1e-8)
    sizes, values = np.array(reported).T
    again = network(make(), activation)
    history = again.fit(x, y, sample_weight=w, batch_size=4, shuffle=False, verbose=0).history
    assert history["loss"] == pytest.approx([np.average(values, weights=sizes)], rel=1e-6)


def test_gamma_of_zero_is_the_cross_entropy():
    x, labels = data()
    y = np.eye(CLASSES)[labels]
    pairs = [
        (losses.BinaryFocalCrossentropy(gamma=0.0), losses.BinaryCrossentropy(), "sigmoid"),
        (losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=0.0), losses.CategoricalCrossentropy(), "softmax"),
    ]
    for focal, plain, activation in pairs:
        one, other = network(focal, activation), network(plain, activation)
        for model in (one, other):
            model.fit(x, y, epochs=3, verbose=0)
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ROW_LOSSES)
@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_sure_answers_have_finite_losses_and_gradients(each_backend, loss, gamma, dtype):
    if loss == "binary_focal_cross_entropy":
        p = np.array([[0.0, 1.0, 1.0, 0.0]], dtype)
    else:
        p = np.array([[800.0, -800.0, 0.0, -90.0]], dtype)
    for place in range(4):
        t = np.eye(4, dtype=dtype)[[place]]
        result = F.row_loss(p, t, loss, gamma=gamma)
        assert np.isfinite(result.loss)
        assert result.loss >= 0.0
        assert np.isfinite(result.dpredictions).all()


def test_focal_loss_of_a_sure_mistake_is_its_distance():
    result = F.row_loss(np.array([[200.0, 0.0]]), np.array([[0.0, 1.0]]), "categorical_focal_cross_entropy_logits")
    assert result.loss == pytest.approx(200.0, rel=1e-12)
    np.testing.assert_allclose(result.dpredictions, [[1.0, -1.0]], rtol=1e-12)


def test_a_wrong_label_pulls_less_in_the_generalized_loss():
    logits, wrong = np.array([[6.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 0.0]])
    pull = F.row_loss(logits, wrong, "categorical_generalized_cross_entropy_logits", gamma=0.7).dpredictions
    full = F.softmax_cross_entropy(logits, np.array([1])).dlogits
    assert np.abs(pull).max() < 0.1 * np.abs(full).max()


def test_dice_of_a_batch_and_of_its_samples():
    t = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    p = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    assert losses.Dice()(t, p) == pytest.approx(1 - 2 * 2 / 5)
    assert losses.Dice(axis=1)(t, p) == pytest.approx(((1 - 2 / 3) + 0.0) / 2, abs=1e-6)
    np.testing.assert_allclose(losses.Dice("none", axis=0)(t, p), [0.0, 1.0, 1.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(losses.dice(t, p, axis=1), [1 / 3, 0.0], atol=1e-6)


def test_images_have_dice_losses_and_no_weights_of_pixels():
    rng = np.random.default_rng(0)
    x, y = rng.random((6, 4, 4, 2)), rng.integers(0, 2, (6, 4, 4, 1))
    for axis in (None, (1, 2, 3)):
        model = network(losses.Dice(axis=axis), "sigmoid", (4, 4, 2), 1)
        before = losses.Dice(axis=axis)(y, model.predict(x))
        assert model.evaluate(x, y, batch_size=6, verbose=0) == pytest.approx(float(before), rel=1e-9)
        history = model.fit(x, y, epochs=20, batch_size=6, verbose=0).history["loss"]
        assert history[-1] < history[0]
        with pytest.raises(ValueError, match=re.escape("sample_weight must have shape (6,), one weight a sample, got")):
            model.fit(x, y, sample_weight=np.ones((6, 4, 4)), verbose=0)


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (losses.CategoricalFocalCrossentropy(), "rows"),
        (losses.CategoricalGeneralizedCrossEntropy(), "labels"),
    ],
)
def test_accuracy_of_classes(each_backend, loss, targets):
    x, labels = data()
    y = labels if targets == "labels" else np.eye(CLASSES)[labels]
    model = network(loss, "softmax", metrics=["accuracy"])
    found = model.evaluate(x, y, verbose=0, return_dict=True)["accuracy"]
    assert found == pytest.approx((model.predict(x).argmax(-1) == labels).mean())


@pytest.mark.parametrize("make", [param.values[0] for param in CASES])
def test_configurations(make):
    loss = make()
    again = losses.get(losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    assert again.objective == loss.objective


def test_models_with_these_losses_are_saved(tmp_path):
    x, labels = data()
    model = network(losses.CategoricalFocalCrossentropy([0.1, 0.4, 2.0, 1.0]), "softmax")
    model.fit(x, np.eye(CLASSES)[labels], verbose=0)
    model.save(tmp_path / "model.flyball")
    loaded = fb.load_model(tmp_path / "model.flyball")
    for each in (model, loaded):
        each.fit(x, np.eye(CLASSES)[labels], verbose=0)
    assert loaded.fingerprint() == model.fingerprint()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.BinaryFocalCrossentropy(alpha=1.5), "alpha must be in [0, 1], got 1.5"),
        (lambda: losses.CategoricalFocalCrossentropy(gamma=-1), "gamma must be in [0, inf), got -1"),
        (lambda: losses.CategoricalFocalCrossentropy([0.5, -0.5]), "alpha must be in [0, inf), got -0.5"),
        (lambda: losses.CategoricalGeneralizedCrossEntropy(1.0), "q must be in (0, 1), got 1.0"),
        (lambda: losses.Tversky(alpha=-0.1), "alpha must be in [0, inf), got -0.1"),
        (lambda: losses.Dice(axis=(1, 1)), "axis must be an axis, or several different ones, got (1, 1)"),
        (lambda: losses.Dice(axis=3)(np.ones((2, 2)), np.ones((2, 2))), "axis must be axes of y_pred, whose shape is"),
        (lambda: losses.Dice()(np.ones((2, 2)), np.ones((2, 3))), "y_true must be of shape (2, 3), that of y_pred"),
        (lambda: network(losses.Dice("sum"), "sigmoid"), "the loss's reduction must be a mean to train with where"),
        (lambda: network(losses.Dice(axis=0), "sigmoid"), "the loss's axis must be None or (1,) to train with, got (0"),
        (lambda: network(losses.CategoricalFocalCrossentropy([1.0, 2.0]), "softmax"), "alpha must be a number, or one"),
        (lambda: network(losses.CategoricalFocalCrossentropy(), None), "loss must be given from_logits=True, or layer"),
        (lambda: network(losses.BinaryCrossentropy(axis=1), "sigmoid"), "the loss's axis must be -1, the last one, to"),
        (lambda: losses.BinaryCrossentropy(axis=2)(np.ones((2, 2)), np.ones((2, 2))), "y_pred must be of at least 3"),
        (
            lambda: F.row_loss(np.ones((2, 2)), np.ones((2, 2)), "dice"),
            "loss must be one of binary_focal",
        ),
        (lambda: F.orthogonal_penalty(np.ones((1, 3))), "w must have at least 2 rows, got shape (1, 3)"),
        (lambda: F.orthogonal_penalty(np.ones((2, 3)), mode="all"), "mode must be 'rows' or 'columns', got 'all'"),
        (lambda: F.overlap_loss(np.ones((2, 2)), np.ones((2, 2)), beta=-1.0), "beta must be"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_unknown_arguments():
    with pytest.raises(TypeError, match="unexpected keyword argument 'label_noise'"):
        losses.CategoricalGeneralizedCrossEntropy(label_noise=0.1)
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'gama'; did you mean 'gamma'"):
        losses.BinaryFocalCrossentropy(gama=1.0)
