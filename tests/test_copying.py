"""Copies and pickles of models: each is a model of its own that goes on where the original stood."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import flyball as fb
from flyball import layers

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(60, 5)).astype(np.float32), rng.integers(0, 3, 60)


def network(dtype="float32", optimizer="adam", compiled=True, built=True):
    fb.utils.set_random_seed(3)
    fb.utils.clear_session()
    first = [layers.Input((5,))] if built else []
    model = fb.Sequential(
        [
            *first,
            layers.Dense(7, activation="relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(3, activation="softmax"),
        ],
        dtype=dtype,
        name="net",
    )
    if compiled:
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


WAYS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "pickle 2": lambda model: pickle.loads(pickle.dumps(model, protocol=2)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("way", WAYS)
def test_a_copy_goes_on_bit_for_bit_and_apart(each_backend, way, dtype):
    expected = network(dtype)
    expected.fit(X, Y, epochs=4, verbose=0)
    model = network(dtype)
    model.fit(X, Y, epochs=2, verbose=0)
    before = model.fingerprint()
    other = WAYS[way](model)
    assert other.fingerprint() == before
    assert other.history.history == model.history.history
    assert other.predict(X).tobytes() == model.predict(X).tobytes()
    assert other.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    other.fit(X, Y, initial_epoch=2, epochs=4, verbose=0)
    assert other.fingerprint() == expected.fingerprint()
    assert model.fingerprint() == before  # the original has not moved
    model.fit(X, Y, initial_epoch=2, epochs=4, verbose=0)
    assert model.fingerprint() == expected.fingerprint()


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: fb.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        lambda: fb.optimizers.Adam(fb.optimizers.schedules.CosineDecay(0.01, 20), use_ema=True, clipnorm=1.0),
        lambda: fb.optimizers.AdamW(0.01, weight_decay=0.1),
    ],
)
def test_optimizers_are_copied_with_their_state(optimizer):
    model, expected = network(optimizer=optimizer()), network(optimizer=optimizer())
    model.fit(X, Y, epochs=2, verbose=0)
    other = copy.deepcopy(model)
    assert other.optimizer is not model.optimizer
    assert other.optimizer.get_config() == model.optimizer.get_config()
    other.fit(X, Y, initial_epoch=2, epochs=3, verbose=0)
    expected.fit(X, Y, epochs=2, verbose=0)
    expected.fit(X, Y, initial_epoch=2, epochs=3, verbose=0)
    assert other.fingerprint() == expected.fingerprint()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("built", "compiled"), [(True, False), (False, True), (False, False)])
def test_models_that_are_not_ready_are_copied_too(way, built, compiled):
    model, expected = (network(built=built, compiled=compiled) for _ in range(2))
    other = WAYS[way](model)
    assert other.built == built
    assert (other.loss is not None) == compiled
    for m in (other, expected):
        if not compiled:
            m.compile("adam", "sparse_categorical_crossentropy")
        m.fit(X, Y, verbose=0)
    assert other.fingerprint() == expected.fingerprint()


def test_copies_do_not_disturb_the_seeds_of_others():
    fb.utils.set_random_seed(9)
    expected = [fb.Sequential([layers.Dense(2, input_shape=(3,))]).get_weights()[0] for _ in range(2)]
    fb.utils.set_random_seed(9)
    first = fb.Sequential([layers.Dense(2, input_shape=(3,))])
    copy.deepcopy(first)
    pickle.loads(pickle.dumps(first))
    second = fb.Sequential([layers.Dense(2, input_shape=(3,))])
    np.testing.assert_array_equal(first.get_weights()[0], expected[0])
    np.testing.assert_array_equal(second.get_weights()[0], expected[1])


def test_frozen_layers_stay_frozen():
    model = network()
    model.layers[0].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    other = copy.deepcopy(model)
    before = other.layers[0].get_weights()[0]
    other.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(other.layers[0].get_weights()[0], before)


def test_objects_that_hold_models(tmp_path):
    joblib = pytest.importorskip("joblib")
    base = pytest.importorskip("sklearn.base")

    class Estimator(base.BaseEstimator):
        def __init__(self, model=None, epochs=1):
            self.model, self.epochs = model, epochs

    holder = Estimator(network(), epochs=2)
    holder.model.fit(X, Y, verbose=0)
    cloned = base.clone(holder)
    assert cloned.model is not holder.model
    assert cloned.model.fingerprint() == holder.model.fingerprint()
    assert base.clone(Estimator(network(built=False))).model.built is False
    joblib.dump({"model": holder.model, "columns": ["a"]}, tmp_path / "m.joblib")
    loaded = joblib.load(tmp_path / "m.joblib")["model"]
    assert loaded.predict(X).tobytes() == holder.model.predict(X).tobytes()
    copies = copy.deepcopy([holder.model, holder.model])
    assert copies[0] is copies[1]


def test_damaged_pickles_are_refused():
    content = bytearray(fb.saving.models.to_bytes(network()))
    for position in range(0, len(content), max(1, len(content) // 60)):
        damaged = content.copy()
        damaged[position] ^= 0x41
        try:
            model = fb.saving.models.from_bytes(bytes(damaged))
        except (ValueError, TypeError, KeyError):
            continue
        assert model.input_shape == (None, 5)  # a number of the weights, or of the settings, has changed
    for cut in (0, 5, 9, len(content) // 2, len(content) - 1):
        with pytest.raises(ValueError):  # noqa: PT011  # safetensors' words
            fb.saving.models.from_bytes(bytes(content[:cut]))


def test_what_cannot_be_described_says_so():
    class Dense(layers.Dense):
        pass

    model = fb.Sequential([Dense(2, input_shape=(3,), name="own")])
    with pytest.raises(ValueError, match=r"a class of one's own must have another name than flyball's.* got 'Dense'"):
        copy.deepcopy(model)


@pytest.mark.parametrize("frozen_first", [False, True])
def test_layers_frozen_or_freed_since_the_last_compile_are_copied(frozen_first):
    """A copy is compiled anew: the optimizer's state is that of the weights which it then changes."""
    model = network()
    model.layers[0].trainable = not frozen_first
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, verbose=0)
    model.layers[0].trainable = frozen_first
    other = copy.deepcopy(model)
    assert other.predict(X).tobytes() == model.predict(X).tobytes()
    before = other.layers[0].get_weights()[0]
    other.fit(X, Y, verbose=0)
    assert np.array_equal(other.layers[0].get_weights()[0], before) != frozen_first
