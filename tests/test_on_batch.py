"""train_on_batch, test_on_batch and predict_on_batch."""

from __future__ import annotations

import numpy as np
import pytest

import flyball as fb
from flyball import layers
from flyball.program import lowering


def network(*, metrics=("accuracy",), seed=0):
    fb.utils.set_random_seed(seed)
    fb.utils.clear_session()
    model = fb.Sequential(
        [
            layers.Input((5,)),
            layers.Dense(7, activation="relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(fb.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=list(metrics))
    return model


rng = np.random.default_rng(0)
X, Y, W = rng.normal(size=(40, 5)).astype(np.float32), rng.integers(0, 3, 40), rng.random(40)


def test_steps_by_hand_are_those_of_fit(each_backend):
    by_hand, fitted = network(), network()
    found = [by_hand.train_on_batch(X[i : i + 8], Y[i : i + 8], W[i : i + 8]) for i in range(0, 40, 8)]
    history = fitted.fit(X, Y, batch_size=8, sample_weight=W, shuffle=False, verbose=0).history
    for one, other in zip(by_hand.get_weights(), fitted.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert by_hand.optimizer.iterations == 5
    np.testing.assert_allclose(np.mean(found, axis=0), [history["loss"][0], history["accuracy"][0]], rtol=1e-12)


def test_what_is_returned():
    model = network()
    assert model.metrics_names == ["loss", "accuracy"]
    loss, accuracy = model.test_on_batch(X, Y)
    assert [loss, accuracy] == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-6)
    assert model.test_on_batch(X, Y, W, return_dict=True) == pytest.approx(
        model.evaluate(X, Y, sample_weight=W, verbose=0, return_dict=True), rel=1e-6
    )
    assert set(model.train_on_batch(X, Y, return_dict=True)) == {"loss", "accuracy"}
    assert isinstance(network(metrics=()).train_on_batch(X, Y), float)
    assert model.predict_on_batch(X[:3]).tobytes() == model.predict(X[:3]).tobytes()


def test_class_weights_of_a_batch():
    one, other = network(), network()
    one.train_on_batch(X, Y, class_weight={1: 4.0})
    other.train_on_batch(X, Y, np.where(Y == 1, 4.0, 1.0))
    assert one.fingerprint() == other.fingerprint()


def test_a_model_is_built_by_its_first_batch():
    model = fb.Sequential([layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.train_on_batch(X, Y)
    assert model.input_shape == (None, 5)


def test_the_program_is_written_once_for_batches_that_fit(each_backend, monkeypatch):
    model, written = network(), []
    original = lowering.Lowering.__init__
    monkeypatch.setattr(lowering.Lowering, "__init__", lambda *a, **k: (written.append(1), original(*a, **k))[1])
    model.train_on_batch(X[:20], Y[:20])
    model.test_on_batch(X[:20], Y[:20])
    assert len(written) == 2
    for rows in (20, 7, 2, 19, 20):
        model.train_on_batch(X[:rows].astype(np.float64), Y[:rows].tolist())
        model.test_on_batch(X[:rows], Y[:rows])
    assert len(written) == 2
    model.train_on_batch(X, Y)
    assert len(written) == 3
    model.train_on_batch(X[:5], Y[:5])
    assert len(written) == 3


def test_a_new_learning_rate_counts_from_the_next_call(each_backend):
    model = network()
    model.compile(fb.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    model.train_on_batch(X, Y)
    before = model.layers[0].get_weights()[0]
    model.optimizer.learning_rate = 0.0
    model.train_on_batch(X, Y)
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], before)


CHANGES = {
    "rate": lambda m: setattr(m.layers[2], "rate", 0.9),
    "penalty": lambda m: setattr(m.layers[0].kernel_regularizer, "l2", 3.0),
    "epsilon": lambda m: setattr(m.layers[1], "epsilon", 0.5),
    "momentum": lambda m: setattr(m.optimizer, "beta_1", 0.1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_acts_from_the_next_step_on_as_it_does_in_fit(name, each_backend):
    """``fit`` on one batch an epoch, with the change after the second, has the same bits."""
    by_hand, fitted = network(), network()
    for step in range(4):
        if step == 2:
            CHANGES[name](by_hand)
        by_hand.train_on_batch(X, Y)
    changer = fb.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: CHANGES[name](fitted) if epoch == 1 else None
    )
    fitted.fit(X, Y, batch_size=40, epochs=4, shuffle=False, verbose=0, callbacks=[changer])
    plain = network()
    for _ in range(4):
        plain.train_on_batch(X, Y)
    for one, other in zip(by_hand.get_weights(), fitted.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(by_hand.get_weights()[0], plain.get_weights()[0])


@pytest.mark.parametrize("name", ["penalty", "epsilon"])
def test_a_change_acts_on_the_next_test(name, each_backend):
    model = network()
    model.train_on_batch(X, Y)
    before = model.test_on_batch(X, Y)
    CHANGES[name](model)
    after = model.test_on_batch(X, Y)
    assert after[0] != before[0]
    np.testing.assert_allclose(after, model.evaluate(X, Y, verbose=0), rtol=1e-6)


def test_a_model_compiled_anew_trains_on_with_its_new_optimizer(each_backend):
    model, expected = network(), network()
    for m in (model, expected):
        m.train_on_batch(X, Y)
    for m in (model, expected):
        m.compile(fb.optimizers.SGD(0.5), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.train_on_batch(X, Y)
    expected.fit(X, Y, batch_size=40, shuffle=False, verbose=0)
    for one, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_switching_the_backend_switches_the_steps():
    one, other = network(), network()
    for backend in ("native", "reference"):
        fb.use_backend(backend)
        one.train_on_batch(X, Y)
    fb.use_backend("native")
    other.train_on_batch(X, Y)
    other.train_on_batch(X, Y)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert one.fingerprint() != other.fingerprint()  # to the bit they differ: two backends


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"x": X[:1], "y": Y[:1]}, ValueError, "x must have at least 2 samples for the batch statistics of layer"),
        ({"x": X}, ValueError, "y must be targets for the loss sparse_categorical_crossentropy, got None"),
        ({"x": X, "y": Y[:3]}, ValueError, "y must have one row for each of the 40 rows of x, got 3"),
        ({"x": X, "y": Y, "sample_weight": W, "class_weight": {0: 1}}, ValueError, "class_weight must be None where"),
        (
            {"x": X, "y": Y, "return_dct": True},
            TypeError,
            "train_on_batch got an unexpected .*did you mean 'return_dict'",
        ),
    ],
)
def test_bad_batches_are_refused_and_leave_the_model_alone(given, error, message):
    model = network()
    before = model.fingerprint()
    with pytest.raises(error, match=message):
        model.train_on_batch(**given)
    assert model.fingerprint() == before
    with pytest.raises(TypeError, match="test_on_batch got an unexpected keyword argument 'class_weight'"):
        model.test_on_batch(X, Y, class_weight={0: 1})
