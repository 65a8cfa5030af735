"""Losses of outputs of several axes: each vector along the last one, a position, has a loss of its own."""

from __future__ import annotations

import re

import numpy as np
import pytest

import flyball as fb
from flyball import layers, losses

ROWS, STEPS, FEATURES, CLASSES = 11, 5, 3, 4
RATE = 0.05


def arrays(seed=3, positions=(STEPS,)):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, *positions, FEATURES))
    labels = rng.integers(0, CLASSES, (ROWS, *positions))
    return x, labels, rng.uniform(0.2, 3.0, labels.shape)


def network(loss, positions=(STEPS,), outputs=CLASSES, activation="softmax", dtype="float64", **compiled):
    fb.utils.set_random_seed(2)
    model = fb.Sequential([layers.Input((*positions, FEATURES)), layers.Dense(outputs, activation)], dtype=dtype)
    model.compile(fb.optimizers.SGD(RATE), loss, **compiled)
    kernel, bias = model.get_weights()
    model.set_weights([kernel, np.linspace(-0.5, 0.5, bias.size)])
    return model


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def cross_entropy(kernel, bias, x, labels):
    """Return the loss of each position, and its gradient by the logits."""
    p = softmax(x @ kernel + bias)
    return -np.log(np.take_along_axis(p, labels[..., None], -1)[..., 0]), p - np.eye(CLASSES)[labels]


def after_steps(kernel, bias, x, labels, share, batch):
    """Weights after an epoch of plain descent on ``sum(share * loss)`` of each batch; and each batch's loss."""
    found = []
    for begin in range(0, len(x), batch):
        rows = slice(begin, begin + batch)
        factors = share(rows)
        values, dlogits = cross_entropy(kernel, bias, x[rows], labels[rows])
        found.append((len(x[rows]), float((factors * values).sum())))
        gradient = factors[..., None] * dlogits
        kernel = kernel - RATE * x[rows].reshape(-1, FEATURES).T @ gradient.reshape(-1, CLASSES)
        bias = bias - RATE * gradient.reshape(-1, CLASSES).sum(axis=0)
    sizes, values = np.array(found).T
    return kernel, bias, np.average(values, weights=sizes)


@pytest.mark.parametrize("positions", [(STEPS,), (2, 3), (1,)])
@pytest.mark.parametrize("weighting", [None, "samples", "positions", "positions, 1"])
@pytest.mark.parametrize("kind", ["labels", "labels, 1", "one-hot"])
def test_an_epoch_is_that_of_the_formula(each_backend, kind, weighting, positions):
    x, labels, w = arrays(positions=positions)
    if weighting == "samples":
        w = np.broadcast_to(w.reshape(ROWS, -1)[:, 0].reshape(-1, *(1,) * len(positions)), labels.shape)
    given = {
        None: None,
        "samples": w.reshape(ROWS, -1)[:, 0],
        "positions": w,
        "positions, 1": w[..., None],
    }[weighting]
    factors = np.ones(labels.shape) if weighting is None else w
    y = {"labels": labels, "labels, 1": labels[..., None], "one-hot": np.eye(CLASSES)[labels]}[kind]
    model = network("categorical_crossentropy" if kind == "one-hot" else "sparse_categorical_crossentropy", positions)
    kernel, bias, loss = after_steps(
        *model.get_weights(), x, labels, lambda rows: factors[rows] / labels[rows].size, batch=4
    )
    history = model.fit(x, y, batch_size=4, sample_weight=given, shuffle=False, verbose=0).history
    np.testing.assert_allclose(model.get_weights()[0], kernel, rtol=1e-9)
    np.testing.assert_allclose(model.get_weights()[1], bias, rtol=1e-9)
    assert history["loss"] == pytest.approx([loss], rel=1e-9)
    values, _ = cross_entropy(kernel, bias, x, labels)
    evaluated = model.evaluate(x, y, sample_weight=given, batch_size=3, verbose=0)
    assert evaluated == pytest.approx((factors * values).mean(), rel=1e-9)
    assert model.loss(y, model.predict(x), given if weighting != "samples" else factors) == pytest.approx(
        (factors * values).mean(), rel=1e-9
    )


@pytest.mark.parametrize("reduction", ["mean", "sum", "mean_with_sample_weight"])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("ignored", [None, -1, 255, 2])
def test_reductions_and_classes_that_are_ignored(each_backend, reduction, weighted, ignored):
    x, labels, w = arrays()
    y = labels.copy()
    y[:2, :4] = y[4:8] = 0 if ignored is None else ignored  # the second batch has nothing else
    kept = np.ones(y.shape) if ignored is None else (y != ignored).astype(float)
    factors = kept * w if weighted else kept

    def share(rows):
        divisor = {"mean": kept[rows].sum(), "sum": 1.0, "mean_with_sample_weight": factors[rows].sum()}[reduction]
        return factors[rows] / divisor if divisor else np.zeros_like(factors[rows])

    real = np.where(kept > 0, y, 0)
    loss = losses.SparseCategoricalCrossentropy(ignore_class=ignored, reduction=reduction)
    given = w if weighted else None
    model = network(loss)
    kernel, bias, value = after_steps(*model.get_weights(), x, real, share, batch=4)
    history = model.fit(x, y, sample_weight=given, batch_size=4, shuffle=False, verbose=0).history
    np.testing.assert_allclose(model.get_weights()[0], kernel, rtol=1e-9)
    np.testing.assert_allclose(model.get_weights()[1], bias, rtol=1e-9)
    assert history["loss"] == pytest.approx([value], rel=1e-9)
    values, _ = cross_entropy(kernel, bias, x, real)
    whole = (share(slice(None)) * values).sum()
    assert model.test_on_batch(x, y, given) == pytest.approx(whole, rel=1e-9)
    assert loss(y, model.predict(x), given) == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize(
    ("loss", "activation", "targets"),
    [
        ("mse", None, "values"),
        ("huber", None, "values"),
        ("binary_crossentropy", "sigmoid", "yes or no"),
        ("hinge", "tanh", "yes or no"),
        ("poisson", "exponential", "yes or no"),
        ("kl_divergence", "softmax", "rows"),
        ("cosine_similarity", None, "values"),
        ("categorical_crossentropy", "softmax", "rows"),
    ],
)
@pytest.mark.parametrize("weighted", [True, False])
def test_positions_train_as_samples_of_their_own_do(each_backend, loss, activation, targets, weighted):
    x, labels, w = arrays()
    rng = np.random.default_rng(8)
    y = {
        "values": rng.normal(size=(*labels.shape, CLASSES)),
        "yes or no": rng.integers(0, 2, (*labels.shape, CLASSES)),
        "rows": rng.dirichlet(np.ones(CLASSES), labels.shape),
    }[targets]
    several, single = network(loss, activation=activation), network(loss, (), activation=activation)
    ours = several.fit(
        x, y, batch_size=4, epochs=2, shuffle=False, sample_weight=w if weighted else None, verbose=0
    ).history
    theirs = single.fit(
        x.reshape(-1, FEATURES),
        y.reshape(-1, CLASSES),
        batch_size=4 * STEPS,
        epochs=2,
        shuffle=False,
        sample_weight=w.ravel() if weighted else None,
        verbose=0,
    ).history
    for one, other in zip(several.get_weights(), single.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-9)


def test_metrics_see_positions_and_their_weights(each_backend):
    x, labels, w = arrays()
    model = network(
        "sparse_categorical_crossentropy",
        metrics=["accuracy", "sparse_top_k_categorical_accuracy", "sparse_categorical_crossentropy"],
        weighted_metrics=[fb.metrics.SparseCategoricalAccuracy("weighted")],
    )
    found = model.evaluate(x, labels, sample_weight=w, verbose=0, return_dict=True)
    p = model.predict(x)
    hits = p.argmax(-1) == labels
    picked = np.take_along_axis(p, labels[..., None], -1)[..., 0]
    assert found["accuracy"] == pytest.approx(hits.mean(), rel=1e-12)
    assert found["weighted"] == pytest.approx((hits * w).sum() / w.sum(), rel=1e-12)
    assert found["sparse_top_k_categorical_accuracy"] == 1.0
    assert found["sparse_categorical_crossentropy"] == pytest.approx(-np.log(picked).mean(), rel=1e-9)
    assert 0.0 < hits.mean() < 1.0


def test_a_label_that_is_ignored_is_no_hit(each_backend):
    x, labels, _ = arrays()
    labels[3:] = -1
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    model = network(loss, metrics=["accuracy"])
    found = model.evaluate(x, labels, verbose=0, return_dict=True)
    assert found["accuracy"] == pytest.approx((model.predict(x).argmax(-1) == labels).mean())
    assert 0.0 < found["accuracy"] < 3 / ROWS + 1e-9


@pytest.mark.parametrize("y", ["labels", "one-hot"])
def test_class_weights_are_weights_of_positions(each_backend, y):
    x, labels, _ = arrays()
    targets = labels if y == "labels" else np.eye(CLASSES)[labels]
    loss = "sparse_categorical_crossentropy" if y == "labels" else "categorical_crossentropy"
    weights = {0: 0.5, 2: 3.0}
    one, other = network(loss), network(loss)
    one.fit(x, targets, class_weight=weights, epochs=2, verbose=0)
    other.fit(x, targets, sample_weight=np.vectorize(lambda c: weights.get(c, 1.0))(labels), epochs=2, verbose=0)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("ignored", [None, -1])
def test_batches_arrays_and_single_steps_are_one_training(each_backend, ignored):
    x, labels, w = arrays()
    if ignored is not None:
        labels[:, 1] = ignored
    loss = losses.SparseCategoricalCrossentropy(ignore_class=ignored)
    models = [network(loss) for _ in range(3)]
    batches = [(x[i : i + 4], labels[i : i + 4], w[i : i + 4]) for i in range(0, ROWS, 4)]
    first = models[0].fit(x, labels, sample_weight=w, batch_size=4, shuffle=False, verbose=0).history["loss"]
    second = models[1].fit(batches, verbose=0, shuffle=False).history["loss"]
    third = [models[2].train_on_batch(*batch) for batch in batches]
    assert second == pytest.approx(first, rel=1e-12)
    assert np.average(third, weights=[4, 4, 3]) == pytest.approx(first[0], rel=1e-12)
    for model in models[1:]:
        for one, other in zip(models[0].get_weights(), model.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shuffled_positions_have_the_same_bits_on_any_number_of_threads(dtype):
    x, labels, w = arrays(positions=(40, 5))
    prints = set()
    before = fb.get_num_threads()
    for threads in (1, 2, 3):
        fb.set_num_threads(threads)
        try:
            loss = losses.SparseCategoricalCrossentropy(ignore_class=1, reduction="mean_with_sample_weight")
            model = network(loss, (40, 5), dtype=dtype)
            model.fit(x, labels, sample_weight=w, batch_size=4, epochs=3, verbose=0)
        finally:
            fb.set_num_threads(before)
        prints.add(model.fingerprint())
    assert len(prints) == 1


def test_label_noise_leaves_ignored_positions_alone():
    _, labels, _ = arrays()
    labels[::2] = -1
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1, label_noise=1.0)
    noisy = loss.training_targets(labels, CLASSES, np.random.default_rng(0))
    assert (noisy[::2] == CLASSES).all()
    assert ((noisy[1::2] != labels[1::2]) & (noisy[1::2] >= 0) & (noisy[1::2] < CLASSES)).all()


def test_gradients_are_right_through_layers():
    x, labels, _ = arrays()
    model = fb.Sequential(
        [layers.Input((STEPS, FEATURES)), layers.Dense(6, "tanh"), layers.LayerNormalization(), layers.Dense(CLASSES)],
        dtype="float64",
    )
    loss = losses.SparseCategoricalCrossentropy(True, ignore_class=0)
    model.compile(fb.optimizers.SGD(0.1), loss)
    check = fb.inspect.check_gradients(model, x, labels)
    assert check.passed, check


@pytest.mark.parametrize(
    ("y", "weights", "message"),
    [
        (np.zeros((ROWS, STEPS + 1), int), None, "y must be of shape (n, 5) or (n, 5, 1) for sparse_categorical"),
        (np.zeros(ROWS, int), None, "y must be of shape (n, 5) or (n, 5, 1) for sparse_categorical"),
        (np.full((ROWS, STEPS), 4), None, "y must be integers in [0, 4), got 4 in row 0"),
        (None, np.ones((ROWS, STEPS - 1)), "sample_weight must have shape (11,), one weight a sample, or (11, 5), one"),
        (None, -np.ones((ROWS, STEPS)), "sample_weight must be non-negative and finite in float64, got -1.0 in row 0"),
    ],
)
def test_bad_input(y, weights, message):
    x, labels, _ = arrays()
    model = network("sparse_categorical_crossentropy")
    before = model.fingerprint()
    with pytest.raises(ValueError, match=re.escape(message)):
        model.fit(x, labels if y is None else y, sample_weight=weights, verbose=0)
    assert model.fingerprint() == before


def test_a_label_that_is_neither_a_class_nor_ignored_is_refused():
    loss = losses.SparseCategoricalCrossentropy(ignore_class=255)
    x, labels, _ = arrays()
    labels[3, 2] = 254
    with pytest.raises(ValueError, match=r"y must be integers in \[0, 4\), or 255, which is ignored, got 254 in row 3"):
        network(loss).fit(x, labels, verbose=0)


def test_mixed_samples_have_no_class_to_ignore():
    model = fb.Sequential([layers.Input((FEATURES,)), layers.MixUp(), layers.Dense(CLASSES, "softmax")])
    with pytest.raises(ValueError, match="ignore_class must be None where samples are mixed, as layer"):
        model.compile("sgd", losses.SparseCategoricalCrossentropy(ignore_class=0))


def test_mixed_sequences_have_mixed_positions(each_backend):
    x, labels, _ = arrays()
    fb.utils.set_random_seed(0)

    def mixed(loss):
        fb.utils.set_random_seed(0)
        model = fb.Sequential(
            [layers.Input((STEPS, FEATURES)), layers.MixUp(1.0, seed=3), layers.Dense(CLASSES, "softmax")],
            dtype="float64",
        )
        model.compile(fb.optimizers.SGD(RATE), loss)
        return model

    one, other = mixed("sparse_categorical_crossentropy"), mixed("categorical_crossentropy")
    one.fit(x, labels, epochs=2, batch_size=4, verbose=0)
    other.fit(x, np.eye(CLASSES)[labels], epochs=2, batch_size=4, verbose=0)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
