"""Code from course notes for Keras, with only its import lines changed (snippets/), is trained on data of its shape."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import flyball
from flyball import functional as F
from flyball import layers, optimizers

SNIPPETS = Path(__file__).parent / "snippets"


@pytest.fixture(autouse=True)
def _seeded():
    flyball.utils.set_random_seed(0)


def run(name):
    return runpy.run_path(str(SNIPPETS / f"{name}.py"))


def rings(rows, features):
    """Return points and whether they are farther than most from the origin: no line tells them apart."""
    x = np.random.default_rng(0).standard_normal((rows, features)).astype(np.float32)
    return x, (np.square(x).sum(axis=1) > features).astype(np.float32)


@pytest.mark.parametrize(
    ("snippet", "model"),
    [
        ("adding_dropout", "model"),
        ("adding_batch_normalization", "after"),
        ("adding_batch_normalization", "between"),
    ],
)
def test_lines_of_layers_train_in_a_network(snippet, model):
    x, y = rings(800, 4)
    network = run(snippet)[model]
    network.add(layers.Activation("relu"))
    network.add(layers.Dense(1, activation="sigmoid"))
    network.compile("adam", "binary_crossentropy")
    history = network.fit(x, y, epochs=30, batch_size=32, verbose=0).history["loss"]
    assert history[-1] < 0.85 * history[0]
    right = ((network.predict(x)[:, 0] > 0.5) == y).mean()
    assert right > 0.75  # always to say the same would be right for 0.6


def test_the_network_of_10000_words_and_46_classes_learns():
    names = run("text_classifier")
    model, words, classes = names["model"], names["max_words"], names["num_classes"]
    assert (words, classes, model.count_params()) == (10000, 46, 10000 * 256 + 256 + 256 * 128 + 128 + 128 * 46 + 46)
    # Texts as bags of words: each class has twenty words that its texts use more often than others.
    random = np.random.default_rng(1)
    y = random.integers(0, classes, 1200)
    x = random.random((1200, words)) < 0.003
    for row, label in enumerate(y):
        x[row, 20 * label : 20 * label + 20] |= random.random(20) < 0.3
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x[:1000], y[:1000], epochs=8, batch_size=64, verbose=0, validation_data=(x[1000:], y[1000:]))
    losses, accuracies = history.history["loss"], history.history["val_accuracy"]
    assert losses[-1] < 0.5 * losses[0]
    assert accuracies[-1] > 10 / classes  # ten times chance


def test_numpys_lines_of_inverted_dropout_give_the_same_numbers():
    random = np.random.RandomState(0)
    a3, keep_prob = random.randn(5, 7), 0.8
    d3 = random.rand(a3.shape[0], a3.shape[1]) < keep_prob
    given = a3.copy()
    a3 = np.multiply(a3, d3)
    a3 /= keep_prob
    np.testing.assert_allclose(F.dropout_forward(given, 1 - keep_prob, mask=d3, scale=1 / keep_prob), a3, rtol=1e-15)
    # Without a scale it is 1 / keep, with keep the nearest multiple of 2**-16.
    np.testing.assert_allclose(F.dropout_forward(given, 1 - keep_prob, mask=d3), a3, rtol=1e-5)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.usefixtures("each_backend")
def test_the_chain_rule_worked_by_hand():
    # Two inputs, two hidden units z1, z2, two outputs z3, z4, all sigmoid, no biases; E is half the sum of squares.
    x1, x2, rate = 0.1, 0.2, 0.5
    w1, w2, w3, w4, w5, w6, w7, w8 = 0.3, 0.25, 0.4, 0.35, 0.45, 0.4, 0.7, 0.6
    target_o1, target_o2 = 0.4, 0.6
    h1, h2 = sigmoid(w1 * x1 + w2 * x2), sigmoid(w3 * x1 + w4 * x2)
    o1, o2 = sigmoid(w5 * h1 + w6 * h2), sigmoid(w7 * h1 + w8 * h2)
    total = (target_o1 - o1) ** 2 / 2 + (target_o2 - o2) ** 2 / 2
    d3, d4 = -(target_o1 - o1) * o1 * (1 - o1), -(target_o2 - o2) * o2 * (1 - o2)  # dE/dz3, dE/dz4
    d1, d2 = (d3 * w5 + d4 * w7) * h1 * (1 - h1), (d3 * w6 + d4 * w8) * h2 * (1 - h2)
    hidden = [[w1 - rate * d1 * x1, w3 - rate * d2 * x1], [w2 - rate * d1 * x2, w4 - rate * d2 * x2]]
    output = [[w5 - rate * d3 * h1, w7 - rate * d4 * h1], [w6 - rate * d3 * h2, w8 - rate * d4 * h2]]

    model = flyball.Sequential(
        [flyball.Input((2,))] + [layers.Dense(2, "sigmoid", use_bias=False) for _ in range(2)], dtype="float64"
    )
    model.set_weights([[[w1, w3], [w2, w4]], [[w5, w7], [w6, w8]]])
    model.compile(optimizers.SGD(rate), "mean_squared_error")
    history = model.fit([[x1, x2]], [[target_o1, target_o2]], verbose=0)
    np.testing.assert_allclose(history.history["loss"], [total], rtol=1e-13)
    for got, want in zip(model.get_weights(), (hidden, output), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-13)
    np.testing.assert_allclose([hidden[0][0], output[0][0]], [0.29959556, 0.43703857], atol=5e-9)  # a calculator's
