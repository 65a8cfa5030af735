"""Training and predicting on both sides of a fork, and in processes that were spawned: no hang, the same bits."""

import multiprocessing
import sys

import numpy as np
import pytest

import flyball as fb
from flyball import layers

TIMEOUT = 120
METHODS = [method for method in ("fork", "spawn", "forkserver") if method in multiprocessing.get_all_start_methods()]


def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((2000, 64)).astype("float32"), rng.integers(0, 4, 2000)


def network():
    fb.utils.set_random_seed(3)
    model = fb.Sequential([layers.Input((64,)), layers.Dense(256), layers.BatchNormalization(), layers.ReLU()])
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(4, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def train(model):
    fb.set_num_threads(2)
    model.fit(*data(), 128, epochs=2, verbose=0)
    return model.fingerprint(), model.predict(data()[0][:300]).tobytes()


def train_anew(queue):
    queue.put(train(network()))


def train_on(queue, model):
    queue.put(train(model))


def answer(method, target, *arguments):
    """Run ``target`` in another process and return what it puts into its queue."""
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=target, args=(queue, *arguments), daemon=True)
    process.start()
    try:
        return queue.get(timeout=TIMEOUT)
    finally:
        process.join(TIMEOUT if sys.exc_info()[0] is None else 0)
        process.kill()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_trains_as_its_parent_does(method):
    expected = train(network())  # so that the parent's team exists before the fork
    assert answer(method, train_anew) == expected
    assert train(network()) == expected


@pytest.mark.skipif("fork" not in METHODS, reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_goes_on_with_the_parents_model():
    model, expected = network(), network()
    train(model)
    train(expected)
    want = train(expected)
    assert answer("fork", train_on, model) == want
    assert train(model) == want
