"""Training as a whole: both backends, all levels, any number of threads, interrupted and resumed."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from parity.harness import LEVELS

import flyball as fb
from flyball import _core, layers, regularizers


def blobs(rows=700, features=20, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, rows)
    centres = rng.normal(size=(classes, features))
    return (centres[labels] + rng.normal(size=(rows, features))).astype(np.float32), labels


def network(dtype="float32", features=20, classes=4, width=96, rate=0.3, seed=5):
    """Two hidden layers with everything: penalties, batch-norm before and after relu, dropout fused and alone."""
    fb.utils.set_random_seed(seed)
    penalty = regularizers.L1L2(1e-5, 1e-3)
    model = fb.Sequential(
        [
            layers.Input((features,)),
            layers.Dense(width, kernel_regularizer=penalty),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Dropout(rate),
            layers.Dense(width + 3, activation="relu", kernel_regularizer=regularizers.L2(1e-3)),
            layers.BatchNormalization(),
            layers.Dense(33, activation="relu"),
            layers.Dropout(rate),
            layers.Dense(classes, activation="softmax"),
        ],
        dtype=dtype,
    )
    model.compile(fb.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def state(model):
    slots = [model._memory.slot(name) for name in model.optimizer.slots()]
    return [array.tobytes() for array in (*model.get_weights(), *slots)]


def losses_of_a_run(backend, dtype, epochs=20):
    x, y = blobs()
    fb.use_backend(backend)
    history = network(dtype).fit(x, y, batch_size=64, epochs=epochs, verbose=0, validation_split=0.2)
    return np.array([history.history["loss"], history.history["val_loss"]])


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-9)])
def test_native_and_reference_give_the_same_run_at_every_level(dtype, tolerance):
    expected = losses_of_a_run("reference", dtype)
    assert expected[0, -1] < 0.7 * expected[0, 0]
    for level in LEVELS:
        _core.set_level(level)
        np.testing.assert_allclose(losses_of_a_run("native", dtype), expected, rtol=tolerance, err_msg=level)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "adamw"])
def test_native_and_reference_agree_for_every_optimizer(optimizer):
    made = {
        "sgd": lambda: fb.optimizers.SGD(0.05),
        "momentum": lambda: fb.optimizers.SGD(0.02, momentum=0.9, weight_decay=0.01),
        "nesterov": lambda: fb.optimizers.SGD(0.02, momentum=0.9, nesterov=True),
        "adamw": lambda: fb.optimizers.AdamW(2e-3),
    }
    x, y = blobs()
    runs = []
    for backend in ("native", "reference"):
        fb.use_backend(backend)
        model = network("float64")
        model.compile(made[optimizer](), "sparse_categorical_crossentropy")
        runs.append(model.fit(x, y, batch_size=50, epochs=5, verbose=0).history["loss"])
    np.testing.assert_allclose(runs[0], runs[1], rtol=1e-9)
    assert runs[0][-1] < runs[0][0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_for_any_number_of_threads(dtype):
    x, y = blobs(features=70, rows=900)
    states, predictions = [], []
    for threads in (1, 2, 3, 5, 8):
        fb.set_num_threads(threads)
        model = network(dtype, features=70, width=260)
        model.fit(x, y, batch_size=128, epochs=2, verbose=0)
        states.append(state(model))
        predictions.append(model.predict(x).tobytes())
    assert all(other == states[0] for other in states)
    assert len(set(predictions)) == 1


def test_same_bits_when_training_is_resumed():
    x, y = blobs()
    whole, parts = network(), network()
    whole.fit(x, y, epochs=10, verbose=0)
    parts.fit(x, y, epochs=4, verbose=0)
    parts.fit(x, y, epochs=10, initial_epoch=4, verbose=0)
    assert state(whole) == state(parts)


def test_another_seed_gives_another_run():
    x, y = blobs()
    first, second = network(seed=5), network(seed=6)
    first.fit(x, y, verbose=0)
    second.fit(x, y, verbose=0)
    assert state(first) != state(second)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_gradients_are_those_of_finite_differences(backend):
    """With plain SGD a step of rate 1 moves the weights by the gradient of the loss that fit reports."""
    fb.use_backend(backend)
    x, y = blobs(rows=24, features=6)
    model = network("float64", features=6, width=7)
    # A row that relu and dropout have emptied puts a unit with a bias of zero on the kink of its relu.
    shift = np.random.default_rng(1)
    start = [w + 0.05 * shift.random(w.shape) for w in model.get_weights()]
    trainable = [weight.trainable for weight in model.weights]

    def run(weights, rate):
        model.set_weights(weights)
        model.compile(fb.optimizers.SGD(rate), "sparse_categorical_crossentropy")
        return model.fit(x, y, batch_size=24, verbose=0, shuffle=False).history["loss"][0]

    run(start, 1.0)
    gradients = [a - b for a, b in zip(start, model.get_weights(), strict=True)]
    rng = np.random.default_rng(0)
    checked = 0
    for i, array in enumerate(start):
        if not trainable[i]:
            continue
        for flat in rng.choice(array.size, min(4, array.size), replace=False):
            shifted = []
            for step in (1e-6, -1e-6):
                weights = [w.copy() for w in start]
                weights[i].flat[flat] += step
                shifted.append(run(weights, 0.0))
            numeric = (shifted[0] - shifted[1]) / 2e-6
            assert gradients[i].flat[flat] == pytest.approx(numeric, rel=1e-4, abs=2e-8), model.weights[i].name
            checked += 1
    assert checked > 30


def test_one_epoch_of_sgd_is_what_the_formula_says():
    """Linear regression by hand in float64: batches in order, mean squared error, L2 penalty."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(50, 5)), rng.normal(size=(50, 2))
    fb.utils.set_random_seed(0)
    model = fb.Sequential([layers.Dense(2, input_shape=(5,), kernel_regularizer=regularizers.L2(0.1))], dtype="float64")
    model.compile(fb.optimizers.SGD(0.05), "mse")
    w, b = model.get_weights()
    history = model.fit(x, y, batch_size=20, shuffle=False, verbose=0)
    losses, penalties = [], []
    for begin, end in ((0, 20), (20, 40), (40, 50)):
        error = x[begin:end] @ w + b - y[begin:end]
        losses += list((error**2).mean(axis=1))
        penalties.append(0.1 * (w**2).sum())
        scale = 2 / error.size
        w, b = w - 0.05 * (scale * x[begin:end].T @ error + 0.2 * w), b - 0.05 * scale * error.sum(axis=0)
    np.testing.assert_allclose(model.get_weights()[0], w, rtol=1e-12)
    np.testing.assert_allclose(model.get_weights()[1], b, rtol=1e-12)
    assert history.history["loss"][0] == pytest.approx(np.mean(losses) + np.mean(penalties), rel=1e-12)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(((x @ w + b - y) ** 2).mean() + 0.1 * (w**2).sum())


def test_evaluate_counts_and_averages_what_predict_gives():
    x, y = blobs()
    model = network()
    model.fit(x, y, epochs=2, verbose=0)
    loss, accuracy = model.evaluate(x, y, verbose=0)
    p = model.predict(x).astype(np.float64)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-5)
    assert accuracy == pytest.approx((p.argmax(axis=1) == y).mean(), abs=1e-12)
    kernels = {w.name: w for w in model.weights if w.l2 > 0}
    penalty = sum(w.l1 * np.abs(w.value).sum() + w.l2 / 2 * (w.value**2).sum() for w in kernels.values())
    assert len(kernels) == 2
    assert loss == pytest.approx(-np.log(p[np.arange(len(y)), y]).mean() + penalty, rel=1e-5)
    assert model.evaluate(x, y, verbose=0, batch_size=13, return_dict=True) == {
        "accuracy": pytest.approx(accuracy),
        "loss": pytest.approx(loss),
    }


def test_predictions_do_not_depend_on_how_rows_are_cut():
    x, y = blobs()
    model = network()
    model.fit(x, y, verbose=0)
    whole = model.predict(x)
    assert whole.tobytes() == model.predict(x, batch_size=7).tobytes()
    assert whole[3:4].tobytes() == model.predict(x[3:4]).tobytes()


@pytest.mark.parametrize("kind", ["memmap", "float64", "uint8", "slices"])
def test_data_sets_are_read_where_they_lie(kind, tmp_path):
    x, y = blobs()
    if kind == "memmap":
        np.save(tmp_path / "x.npy", x)
        given = np.load(tmp_path / "x.npy", mmap_mode="r")
    elif kind == "float64":
        given = x.astype(np.float64)
    elif kind == "uint8":
        given = np.clip(x * 20 + 100, 0, 255).astype(np.uint8)
        x = given.astype(np.float32)
    else:
        given = np.repeat(x, 2, axis=0)[::2]
        assert not given.flags.c_contiguous
    expected, model = network(), network()
    expected.fit(np.ascontiguousarray(x), y, epochs=2, verbose=0)
    model.fit(given, y, epochs=2, verbose=0)
    assert state(expected) == state(model)
    assert expected.predict(x).tobytes() == model.predict(given).tobytes()


def test_a_last_batch_of_one_joins_the_batch_before_it():
    x, y = blobs(rows=129)
    model = network()
    model.fit(x, y, batch_size=64, verbose=0)
    assert model.optimizer.iterations == 2
    assert all(np.isfinite(w).all() for w in model.get_weights())
    plain = fb.Sequential([layers.Dense(4, activation="softmax")])
    plain.compile("sgd", "sparse_categorical_crossentropy")
    plain.fit(x, y, batch_size=64, verbose=0)
    assert plain.optimizer.iterations == 3


def test_an_exception_in_a_callback_leaves_the_model_trainable():
    class Stop(RuntimeError):
        pass

    def raise_it(epoch, logs):
        if epoch == 1:
            raise Stop

    x, y = blobs()
    expected, model = network(), network()
    expected.fit(x, y, epochs=5, verbose=0)
    with pytest.raises(Stop):
        model.fit(x, y, epochs=5, verbose=0, callbacks=[fb.callbacks.LambdaCallback(on_epoch_end=raise_it)])
    assert model.history.epoch in ([0], [0, 1])
    model.fit(x, y, epochs=5, initial_epoch=2, verbose=0)
    assert state(expected) == state(model)


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_stops_between_steps_and_training_goes_on_afterwards(backend):
    fb.use_backend(backend)
    x, y = blobs(rows=20000)
    model = network()
    steps = -(-20000 // 32)
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, epochs=10000, verbose=0)
    timer.join()
    done = model.optimizer.iterations
    assert 0 < done < 10000 * steps
    # an epoch is recorded after its last step: Ctrl-C can fall in between
    assert len(model.history.epoch) * steps <= done <= (len(model.history.epoch) + 1) * steps
    expected = network()
    expected.fit(x, y, epochs=10000, verbose=0, callbacks=[StopAfter(done)])
    assert state(model) == state(expected)
    model.fit(x[:64], y[:64], verbose=0)
    assert model.optimizer.iterations == done + 2


class StopAfter(fb.callbacks.Callback):
    """Ends training after a number of steps."""

    def __init__(self, steps):
        self.steps = steps

    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = self.model.optimizer.iterations == self.steps


def test_the_learning_rate_can_be_changed_between_epochs():
    def halve(epoch, logs):
        model.optimizer.learning_rate *= 0.5

    x, y = blobs()
    model = network()
    model.fit(x, y, epochs=3, verbose=0, callbacks=[fb.callbacks.LambdaCallback(on_epoch_begin=halve)])
    assert model.optimizer.learning_rate == pytest.approx(1e-3 / 8)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_threads_may_predict_with_one_model(backend):
    fb.use_backend(backend)
    x, y = blobs()
    model = network()
    model.fit(x, y, verbose=0)
    parts = [x[i : i + 100 + 7 * i] for i in range(12)]
    expected = [model.predict(part).tobytes() for part in parts]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(20):
            assert [p.tobytes() for p in pool.map(model.predict, parts)] == expected


def test_an_optimizer_counts_the_steps_of_one_model():
    """A second model began with the first one's step count: other bias corrections, another place in the schedule."""
    from flyball import optimizers

    def network(optimizer):
        fb.utils.set_random_seed(0)
        model = fb.Sequential([layers.Input((3,)), layers.Dense(2)])
        model.compile(optimizer, "mse")
        return model

    x, y = np.ones((6, 3), np.float32), np.zeros((6, 2), np.float32)
    for make in (optimizers.Adam, lambda: optimizers.Lookahead(optimizers.Adam())):
        shared = make()
        first, second = network(shared), network(shared)
        for train in (first.fit, first.train_on_batch):
            with pytest.raises(
                ValueError, match=r"optimizer must be the one .* compiled with last, got one of another"
            ):
                train(x, y)
        first.evaluate(x, y)
        second.fit(x, y, verbose=0)
        with pytest.raises(ValueError, match="optimizer must be a new one for each model, got one that has done 1 ste"):
            first.compile(shared, "mse")
        fresh = network(make())
        fresh.set_weights(second.get_weights())
        second.compile(shared, "mse")  # forgets the state, and so the steps
        for model in (fresh, second):
            model.fit(x, y, verbose=0)
        assert second.optimizer.iterations == 1
        assert all(np.array_equal(a, b) for a, b in zip(fresh.get_weights(), second.get_weights(), strict=True))


def test_an_optimizer_that_is_set_by_hand_is_refused():
    from flyball import callbacks, optimizers

    model = fb.Sequential([layers.Input((3,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    x, y = np.ones((6, 3), np.float32), np.zeros((6, 2), np.float32)
    swap = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(model, "optimizer", optimizers.Adam()))
    with pytest.raises(
        ValueError, match="optimizer must be the one this model was compiled with last, got one of none"
    ):
        model.fit(x, y, epochs=2, verbose=0, callbacks=[swap])
    with pytest.raises(ValueError, match="optimizer must be the one this model was compiled with last"):
        model.fit(x, y, verbose=0)


def test_a_fit_inside_a_fit_is_refused():
    """The outer one returned the inner one's history, and the inner one cut off the outer one's callbacks."""
    from flyball import callbacks

    model = fb.Sequential([layers.Input((3,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    x, y = np.ones((6, 3), np.float32), np.zeros((6, 2), np.float32)
    again = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: model.fit(x, y, verbose=0))
    with pytest.raises(RuntimeError, match="a model must be in one fit at a time"):
        model.fit(x, y, verbose=0, callbacks=[again])
    assert model.fit(x, y, epochs=2, verbose=0).epoch == [0, 1]


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("level", LEVELS)
def test_moments_of_what_never_has_a_gradient_end_at_zero(level, threads):
    """Not as denormals, which they would stay for good, and which processors are slow with."""
    _core.set_level(level)
    fb.set_num_threads(threads)
    x, labels = blobs()
    x[:, :10] = 0
    model = fb.Sequential([layers.Input((20,)), layers.Dense(32, "relu"), layers.Dense(4, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, labels, 64, 1, verbose=0)
    memory, kernel = model._memory, model.layers[0].weights[0].value
    begin = (kernel.ctypes.data - memory.parameters.ctypes.data) // kernel.itemsize
    memory.slots["m"][begin : begin + kernel[:10].size] = 1e-37
    model.fit(x, labels, 64, 6, verbose=0)
    least = np.finfo(np.float32).tiny  # 66 steps took 1e-37 below it
    assert not any(((slot != 0) & (np.abs(slot) < least)).any() for slot in memory.slots.values())
    assert np.float32(least) * np.float32(0.5) > 0  # Python's thread computes with denormals as before
