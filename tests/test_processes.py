"""Training and predicting on both sides of a fork, and in processes that were spawned: no hang, the same bits."""

import multiprocessing
import sys

import numpy as np
import pytest

import flyball as fb
from flyball import functional as F
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


# --- a batch over several processes ----------------------------------------------------------------------------------


def batch(dtype):
    rng = np.random.default_rng(1)
    x, dy = 1000.0 + 3.0 * rng.standard_normal((101, 17)), rng.standard_normal((101, 17))
    gamma, beta = rng.standard_normal((2, 17))
    return [array.astype(dtype) for array in (x, dy, gamma, beta)]


def exchange(connection, mine):
    """Give the other process what this one has; return what both have, in the same order in both."""
    rank, value = mine
    connection.send(mine)
    other, received = connection.recv()
    return [value, received] if rank < other else [received, value]


def normalise_part(connection, rank, rows, dtype):
    """Batch normalisation with ReLU of some rows of a batch, by the statistics of all of it, forward and backward."""
    x, dy, gamma, beta = batch(dtype)
    x, dy = x[rows], dy[rows]
    running = np.zeros(17, dtype), np.ones(17, dtype)
    moments = F.combine_moments(exchange(connection, (rank, F.batch_norm_moments(x))))
    rstd = F.batch_norm_statistics(moments, running_mean=running[0], running_var=running[1])
    mean, options = moments.mean, {"activation": "relu"}
    y = F.batch_norm_apply(x, mean, rstd, gamma, beta, **options)
    sums = F.batch_norm_backward_sums(dy, x, mean, rstd, gamma, beta, **options)
    parts = exchange(connection, (rank, sums))
    total = F.BatchNormSums(*(sum(values) for values in zip(*parts, strict=True)))
    return y, F.batch_norm_backward_apply(dy, x, mean, rstd, total, gamma, beta, **options), total, running


def answer_part(queue, *arguments):
    queue.put(normalise_part(*arguments))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_processes_normalise_their_parts_as_one_batch(dtype):
    x, dy, gamma, beta = batch(dtype)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    queue = context.Queue()
    parts = slice(0, 40), slice(40, 101)
    process = context.Process(target=answer_part, args=(queue, there, 1, parts[1], dtype), daemon=True)
    process.start()
    try:
        first = normalise_part(here, 0, parts[0], dtype)
        second = queue.get(timeout=TIMEOUT)
    finally:
        process.join(TIMEOUT if sys.exc_info()[0] is None else 0)
        process.kill()
    for mine, other in zip(first[2:], second[2:], strict=True):  # each has the same sums and running statistics
        for a, b in zip(mine, other, strict=True):
            np.testing.assert_array_equal(a, b)

    wide, dz = x.astype(np.float64), dy.astype(np.float64)  # the formula, of the whole batch
    centred = wide - wide.mean(axis=0)
    rstd = 1.0 / np.sqrt((centred**2).mean(axis=0) + 1e-5)
    xhat = centred * rstd
    z = xhat * gamma + beta
    dz *= z > 0.0
    dx = gamma * rstd * (dz - dz.mean(axis=0) - xhat * (dz * xhat).mean(axis=0))
    tolerance = 1e-4 if dtype == np.float32 else 1e-11
    np.testing.assert_allclose(np.concatenate([first[0], second[0]]), np.maximum(z, 0.0), atol=tolerance)
    np.testing.assert_allclose(np.concatenate([first[1], second[1]]), dx, atol=tolerance)
    np.testing.assert_allclose(first[2].sum_dz, dz.sum(axis=0), atol=100 * tolerance)
    np.testing.assert_allclose(first[3][0], 0.1 * wide.mean(axis=0), rtol=1e-5)
