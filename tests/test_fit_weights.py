"""What samples count: class_weight and sample_weight, against Keras and against samples that are there twice or not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from weighted_fits import CASES, EPOCHS, data, first_weights, options

import flyball as fb
from flyball import layers
from flyball.sample_weights import ClassWeights, as_sample_weights

GOLDEN = json.loads((Path(__file__).parent / "golden" / "weighted_fits.json").read_text())["cases"]


@pytest.mark.parametrize("name", CASES)
def test_weighted_fits_are_those_of_keras(each_backend, name):
    case = CASES[name]
    x, y = data(case)
    model = fb.Sequential(
        [layers.Input((4,)), layers.Dense(5, activation="tanh"), layers.Dense(case.outputs, case.activation)],
        dtype="float64",
    )
    model.compile(fb.optimizers.SGD(0.3), case.loss, metrics=case.metrics, weighted_metrics=case.weighted_metrics)
    model.set_weights(first_weights(case))
    weights = np.linspace(0.0, 3.0, len(x))
    given = {"batch_size": 8, "epochs": EPOCHS, "shuffle": False, "validation_data": (x, y, weights), "verbose": 0}
    history = model.fit(x, y, **given, **options(name, len(x))).history
    golden = GOLDEN[name]
    for array, expected in zip(model.get_weights(), golden["weights"], strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-6, atol=1e-7)  # Keras' clipped losses are not as exact
    assert set(history) == set(golden["history"])
    for quantity, values in golden["history"].items():
        np.testing.assert_allclose(history[quantity], values, rtol=1e-6, err_msg=quantity)
    found = model.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)
    assert found == pytest.approx(golden["evaluation"], rel=1e-6)


# --- weights are samples ---------------------------------------------------------------------------------------------


def network(loss="sparse_categorical_crossentropy", outputs=3, dtype="float64", rate=1.0):
    fb.utils.set_random_seed(4)
    last = "softmax" if loss == "sparse_categorical_crossentropy" else None
    model = fb.Sequential(
        [layers.Input((4,)), layers.Dense(6, activation="tanh"), layers.Dense(outputs, last)], dtype=dtype
    )
    model.compile(fb.optimizers.SGD(rate), loss)
    return model


def rows(n=12):
    rng = np.random.default_rng(2)
    return rng.normal(size=(n, 4)), rng.integers(0, 3, n)


@pytest.mark.parametrize("weights", [[2, 1, 0, 3, 1, 0, 1, 1, 5, 0, 1, 1], [0] * 11 + [2], [1] * 12])
def test_whole_weights_are_copies_of_samples(each_backend, weights):
    """One step of gradient descent; the mean is over the rows given, so that the rate makes up for their number."""
    x, y = rows()
    copies = np.repeat(np.arange(12), weights)
    weighted, repeated = network(rate=0.5), network(rate=0.5 * len(copies) / 12)
    one = weighted.fit(x, y, batch_size=12, sample_weight=np.array(weights), verbose=0).history["loss"][0]
    other = repeated.fit(x[copies], y[copies], batch_size=100, verbose=0).history["loss"][0]
    assert one == pytest.approx(other * len(copies) / 12, rel=1e-12)
    for a, b in zip(weighted.get_weights(), repeated.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_a_sample_of_weight_zero_teaches_nothing(each_backend):
    x, y = rows()
    weights = np.array([1.0, 0.0] * 6)
    trained = []
    for other in (0.0, 1e3):
        model = network()
        changed = x.copy()
        changed[1::2] += other
        model.fit(changed, y, batch_size=4, epochs=3, sample_weight=weights, verbose=0)
        trained.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    np.testing.assert_array_equal(*trained)


def test_weights_follow_their_samples_when_these_are_shuffled(each_backend):
    """A weight per sample that depends on the sample alone: any misplaced one changes the result."""
    x, y = rows(40)
    weights = np.abs(x[:, 0])
    shuffled, ordered = network("mse", 1), network("mse", 1)
    order = fb.training.shuffled(40, shuffled._seed, 0)
    assert ordered._seed == shuffled._seed
    shuffled.fit(x, y[:, None], sample_weight=weights, batch_size=7, verbose=0)
    ordered.fit(x[order], y[order, None], sample_weight=weights[order], batch_size=7, shuffle=False, verbose=0)
    assert shuffled.fingerprint() == ordered.fingerprint()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_of_one_change_nothing(dtype):
    x, y = rows(40)
    plain, weighted, classes = (network(dtype=dtype) for _ in range(3))
    plain.fit(x, y, epochs=3, verbose=0)
    weighted.fit(x, y, epochs=3, sample_weight=np.ones((40, 1), np.int8), verbose=0)
    classes.fit(x, y, epochs=3, class_weight={1: 1.0}, verbose=0)
    assert plain.fingerprint() == weighted.fingerprint() == classes.fingerprint()


def test_class_weights_are_sample_weights():
    x, y = rows(40)
    table = {0: 0.25, 2: 7}
    one, other = network(), network()
    first = one.fit(x, y, class_weight=table, validation_split=0.25, verbose=0).history
    weights = np.array([table.get(label, 1.0) for label in y])
    second = other.fit(
        x[:30], y[:30], sample_weight=weights[:30], validation_data=(x[30:], y[30:]), verbose=0
    ).history  # validation is not weighted by classes
    assert first == second
    assert one.fingerprint() == other.fingerprint()


def test_a_split_takes_the_weights_along():
    x, y = rows(40)
    weights = np.linspace(0, 2, 40)
    one, other = network(), network()
    first = one.fit(x, y, sample_weight=weights, validation_split=0.25, verbose=0).history
    held = (x[30:], y[30:], weights[30:])
    second = other.fit(x[:30], y[:30], sample_weight=weights[:30], validation_data=held, verbose=0).history
    assert first == second
    assert one.fingerprint() == other.fingerprint()


def test_evaluation_is_the_mean_of_weighted_losses():
    x, y = rows(30)
    model = network()
    weights = np.random.default_rng(0).random(30)
    losses = -np.log(model.predict(x)[np.arange(30), y])
    assert model.evaluate(x, y, sample_weight=weights, verbose=0) == pytest.approx((weights * losses).mean(), rel=1e-12)
    assert model.evaluate(x, y, sample_weight=weights, batch_size=7, verbose=0) == pytest.approx(
        (weights * losses).mean(), rel=1e-12
    )


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sample_weight": np.ones(11)}, r"sample_weight must have shape \(12,\), one weight a sample, got .*11"),
        ({"sample_weight": np.ones((12, 2))}, r"sample_weight must have shape \(12,\).*got shape \(12, 2\)"),
        (
            {"sample_weight": -np.ones(12)},
            "sample_weight must be non-negative and finite in float64, got -1.0 in row 0",
        ),
        ({"sample_weight": [1] * 11 + [np.nan]}, "sample_weight must be non-negative and finite .* got nan in row 11"),
        ({"class_weight": [1, 2, 3]}, r"class_weight must be a dict of class indices and weights.*got \[1, 2, 3\]"),
        ({"class_weight": {}}, "class_weight must be a dict of class indices"),
        ({"class_weight": "balanced"}, "class_weight must be a dict of class indices and weights.*got 'balanced'"),
        ({"class_weight": {"a": 1}}, "class_weight must be given for classes as integers, got 'a'"),
        ({"class_weight": {True: 1}}, "class_weight must be given for classes as integers, got True"),
        ({"class_weight": {3: 1}}, r"class_weight must be given for classes in \[0, 3\), got 3"),
        ({"class_weight": {1: -1}}, r"class_weight\[1\] must be in \[0, inf\), got -1"),
        ({"class_weight": {1: np.inf}}, r"class_weight\[1\] must be in \[0, inf\), got inf"),
        (
            {"class_weight": {1: 1.0}, "sample_weight": np.ones(12)},
            "class_weight must be None where sample_weight is given",
        ),
        ({"validation_data": (0, 0, np.ones(3))}, r"validation_data\[0\] must have shape"),
    ],
)
def test_bad_weights_are_named_and_leave_the_model_alone(given, message):
    x, y = rows()
    model = network()
    before = model.fingerprint()
    with pytest.raises(ValueError, match=message):
        model.fit(x, y, verbose=0, **given)
    assert model.fingerprint() == before


def test_weights_that_are_no_numbers_are_refused():
    with pytest.raises(TypeError, match="sample_weight must be numbers, got dtype <U1"):
        as_sample_weights("sample_weight", ["a", "b"], (2,), "float32")
    with pytest.raises(ValueError, match="non-negative and finite in float32, got 1e\\+60 in row 1"):
        as_sample_weights("sample_weight", [1.0, 1e60], (2,), "float32")


def test_rows_of_several_classes_have_no_class_weight():
    x, _ = rows()
    model = network("mse", 3)
    several = np.tile([1.0, 1.0, 0.0], (12, 1))
    with pytest.raises(ValueError, match=r"y must be of one class a row .* where class_weight is given"):
        model.fit(x, several, class_weight={0: 2.0}, verbose=0)
    labels = np.array([[0.0, 1.0], [0.9, 0.1], [0.4, 0.6]])
    np.testing.assert_array_equal(ClassWeights({1: 5.0}).of("y", labels), [5.0, 1.0, 5.0])
    np.testing.assert_array_equal(ClassWeights({-1: 5.0}).of("y", np.array([-1.0, 1.0])), [5.0, 1.0])
