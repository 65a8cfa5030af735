"""Every activation and every loss in training: the native steps are the reference's, and learning happens."""

import numpy as np
import pytest

import flyball as fb
from flyball import layers, losses
from flyball.backend import ACTIVATIONS, use_backend

RNG = np.random.default_rng(2)
X = RNG.standard_normal((90, 4))
YES = (X[:, :2] @ [[1.0, 0.5], [-1.0, 1.0]] > 0).astype(float)
SHARES = np.exp(X[:, :3]) / np.exp(X[:, :3]).sum(axis=1, keepdims=True)


def trained(backend, stack, loss, y, epochs=3):
    use_backend(backend)
    fb.utils.set_random_seed(4)
    model = fb.Sequential([layers.Input((4,)), *stack()], dtype="float64")
    model.compile(optimizer="adam", loss=loss())
    history = model.fit(X, y, batch_size=16, epochs=epochs, verbose=0).history["loss"]
    return history, model.get_weights(), model.predict(X, verbose=0)


def assert_alike(stack, loss, y):
    native, reference = (trained(backend, stack, loss, y) for backend in ("native", "reference"))
    np.testing.assert_allclose(native[0], reference[0], rtol=1e-9)
    for ours, theirs in zip(native[1], reference[1], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(native[2], reference[2], rtol=1e-7, atol=1e-9)
    assert native[0][-1] < native[0][0]


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "softmax", "log_softmax"])
def test_activation_after_dense_and_alone(activation):
    def stack():
        return [
            layers.Dense(7, activation=activation),
            layers.Dense(6),
            layers.BatchNormalization(),
            layers.Activation(activation),
            layers.Dense(2),
        ]

    assert_alike(stack, losses.MeanSquaredError, YES)


@pytest.mark.parametrize(
    "layer",
    [
        layers.ReLU,
        lambda: layers.ReLU(max_value=6),
        lambda: layers.ReLU(negative_slope=0.1),
        layers.LeakyReLU,
        lambda: layers.ELU(0.5),
        layers.Softmax,
    ],
)
def test_activation_layers(layer):
    assert_alike(lambda: [layers.Dense(7), layer(), layers.Dense(2)], losses.MeanSquaredError, YES)


@pytest.mark.parametrize(
    ("loss", "y", "last"),
    [
        (losses.MeanSquaredError, YES, "linear"),
        (losses.MeanAbsoluteError, YES, "linear"),
        (losses.Huber, YES, "linear"),
        (lambda: losses.Huber(0.1), YES, "linear"),
        (losses.LogCosh, YES, "linear"),
        (losses.MeanAbsolutePercentageError, YES + 0.5, "linear"),
        (losses.MeanSquaredLogarithmicError, YES + 0.5, "softplus"),
        (losses.CosineSimilarity, 2 * YES - 1, "linear"),
        (losses.Hinge, YES, "tanh"),
        (losses.SquaredHinge, 2 * YES - 1, "linear"),
        (losses.Poisson, YES, "softplus"),
        (losses.KLDivergence, SHARES, "softmax"),
        (losses.BinaryCrossentropy, YES, "sigmoid"),
        (lambda: losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1), YES, "linear"),
        (lambda: losses.CategoricalCrossentropy(label_smoothing=0.1), SHARES, "softmax"),
        (losses.BinaryFocalCrossentropy, YES, "sigmoid"),
        (lambda: losses.BinaryFocalCrossentropy(True, 0.3, 1.5, from_logits=True), YES, "linear"),
        (losses.CategoricalFocalCrossentropy, SHARES, "softmax"),
        (lambda: losses.CategoricalFocalCrossentropy([0.2, 1.0, 0.5], 0.5, True), SHARES, "linear"),
        (losses.CategoricalHinge, YES, "linear"),
        (losses.Dice, YES, "sigmoid"),
        (lambda: losses.Tversky(0.3, 0.8, axis=1), YES, "sigmoid"),
    ],
)
def test_loss(loss, y, last):
    assert_alike(lambda: [layers.Dense(6, "tanh"), layers.Dense(y.shape[1], last)], loss, y)


def test_binary_cross_entropy_of_sigmoid_and_of_logits_train_alike():
    ends = [("sigmoid", losses.BinaryCrossentropy), (None, lambda: losses.BinaryCrossentropy(from_logits=True))]
    results = [trained("native", lambda last=last: [layers.Dense(2, last)], loss, YES) for last, loss in ends]
    assert results[0][0] == results[1][0]
    for ours, theirs in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("loss", [losses.Hinge, losses.SquaredHinge])
def test_hinge_takes_both_codings(loss):
    for y in (YES, 2 * YES - 1):
        targets = loss().prepare_targets(y, (2,), np.float32)
        np.testing.assert_array_equal(targets, y)
        np.testing.assert_array_equal(loss().training_targets(targets, 2), 2 * YES - 1)


def test_smoothed_targets_are_those_of_keras():
    def smoothed(loss, y):
        outputs = np.shape(y)[-1] if np.ndim(y) > 1 else 1
        return loss.training_targets(loss.prepare_targets(y, (outputs,), np.float64), outputs)

    one_hot = smoothed(losses.CategoricalCrossentropy(label_smoothing=0.3), [[0, 1, 0]])
    np.testing.assert_allclose(one_hot, [[0.1, 0.8, 0.1]])
    one_hot = smoothed(losses.CategoricalCrossentropy(label_smoothing=0.3, smooth="others"), [[0, 1, 0]])
    np.testing.assert_allclose(one_hot, [[0.15, 0.7, 0.15]])
    np.testing.assert_allclose(smoothed(losses.BinaryCrossentropy(label_smoothing=0.2), [0, 1]), [[0.1], [0.9]])


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("smooth", ["all", "others"])
def test_smoothed_labels_train_as_smoothed_rows_do(smooth):
    # The operation for labels smooths them by itself; for rows it is given smoothed ones.
    labels = np.arange(len(X)) % 3
    results = []
    for loss, y in (
        (losses.SparseCategoricalCrossentropy(label_smoothing=0.3, smooth=smooth), labels),
        (losses.CategoricalCrossentropy(label_smoothing=0.3, smooth=smooth), np.eye(3)[labels]),
    ):
        fb.utils.set_random_seed(0)
        model = fb.Sequential([layers.Dense(3, "softmax", input_shape=X.shape[1:])], dtype="float64")
        model.compile("sgd", loss)
        results.append((model.fit(X, y, epochs=3, verbose=0).history["loss"], model.get_weights()))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-12)
    for ours, theirs in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-14)
