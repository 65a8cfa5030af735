"""Batches from data sets, generators and loaders: the same bits as arrays, and what happens when they run out."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest

import flyball as fb
from flyball import layers
from flyball.training import BatchSource, are_batches
from flyball.utils import PyDataset, TransformedBatches

ROWS, BATCH = 44, 10


def network(*, dtype="float32", norm=True, seed=0, rate=0.3):
    fb.utils.set_random_seed(seed)
    fb.utils.clear_session()
    middle = [layers.BatchNormalization()] if norm else []
    model = fb.Sequential(
        [
            layers.Input((6,)),
            layers.Dense(9, activation="relu", kernel_regularizer="l2"),
            *middle,
            layers.Dropout(rate),
            layers.Dense(3, activation="softmax"),
        ],
        dtype=dtype,
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def table(rows=ROWS, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, 6)).astype(np.float32), rng.integers(0, 3, rows)


X, Y = table()
W = np.linspace(0, 2, ROWS)


def cut(*arrays, size=BATCH):
    return [tuple(a[i : i + size] for a in arrays) for i in range(0, len(arrays[0]), size)]


class Plain:
    """A data set that nobody derived: a length and indices."""

    def __init__(self, *arrays):
        self.batches = cut(*arrays)

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


class Derived(PyDataset):
    def __init__(self, *arrays, **options):
        super().__init__(**options)
        self.batches = cut(*arrays)
        self.calls = []

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        self.calls.append(index)
        return self.batches[index]

    def on_epoch_begin(self):
        self.calls.append(f"begin {self.epoch}")

    def on_epoch_end(self):
        self.calls.append("end")


class Loader:
    """As torch's: iterated anew each time, with a length, without indices, of things that NumPy makes arrays of."""

    class Tensor:
        def __init__(self, array):
            self.array = array

        def __len__(self):
            return len(self.array)

        def __array__(self, dtype=None, copy=None):
            return self.array

    def __init__(self, *arrays):
        self.batches = cut(*arrays)

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return ([self.Tensor(array) for array in batch] for batch in self.batches)


class Endless(PyDataset):
    num_batches = None

    def __getitem__(self, index):
        return cut(X, Y)[index % 5]


def jitter(x, y, rng):
    x += rng.normal(0, 0.1, x.shape)
    return x, y


SOURCES = {
    "list": cut,
    "generator": lambda *arrays: (batch for batch in cut(*arrays) + cut(*arrays)),
    "data set": Plain,
    "derived": Derived,
    "threads": lambda *arrays: Derived(*arrays, workers=3, max_queue_size=2),
    "loader": Loader,
}


# --- the same as arrays ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", SOURCES)
def test_batches_train_as_arrays_do_bit_for_bit(each_backend, kind, weighted, dtype):
    arrays = (X, Y, W) if weighted else (X, Y)
    expected, model = network(dtype=dtype), network(dtype=dtype)
    options = {"epochs": 2, "shuffle": False, "verbose": 0}
    wanted = expected.fit(
        X, Y, batch_size=BATCH, sample_weight=W if weighted else None, validation_data=arrays, **options
    ).history
    steps = {"steps_per_epoch": 5} if kind == "generator" else {}
    held = SOURCES["list" if kind == "generator" else kind](*arrays)
    found = model.fit(SOURCES[kind](*arrays), validation_data=held, **steps, **options).history
    assert model.fingerprint() == expected.fingerprint()
    for name, values in wanted.items():
        assert found[name] == pytest.approx(values, rel=1e-12 if "val" not in name else 1e-6), name


def test_a_model_is_built_from_the_first_batch_which_is_trained_on_all_the_same(each_backend):
    for make in SOURCES.values():
        models = []
        for built in (True, False):
            fb.utils.set_random_seed(1)
            model = fb.Sequential([*([layers.Input((6,))] if built else []), layers.Dense(3, activation="softmax")])
            model.compile("adam", "sparse_categorical_crossentropy")
            model.fit(make(X, Y), steps_per_epoch=5, verbose=0, shuffle=False)
            models.append(model)
        assert models[0].optimizer.iterations == models[1].optimizer.iterations == 5
        assert models[0].fingerprint() == models[1].fingerprint()


@pytest.mark.parametrize("kind", [np.float64, np.uint8, np.int16, np.float16, list])
def test_batches_of_any_numbers(kind):
    x = np.round(np.abs(X) * 8)
    expected, model = network(), network()
    expected.fit(x, Y, batch_size=BATCH, shuffle=False, verbose=0)
    batches = [(a.tolist() if kind is list else a.astype(kind), b.tolist()) for a, b in cut(x, Y)]
    model.fit(batches, shuffle=False, verbose=0)
    assert model.fingerprint() == expected.fingerprint()


def test_batches_of_any_size(each_backend):
    """Each batch is a step, however many samples it has; the Program grows where it must, and sums go on."""
    sizes = [3, 10, 4, 21, 6]
    ends = np.cumsum(sizes)
    batches = [(X[e - n : e], Y[e - n : e]) for n, e in zip(sizes, ends, strict=True)]
    model, one_by_one = network(), network()
    history = model.fit(batches, shuffle=False, verbose=0).history
    values = [one_by_one.train_on_batch(*batch, return_dict=True) for batch in batches]
    assert model.optimizer.iterations == 5
    for a, b in zip(model.get_weights(), one_by_one.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    accuracy = np.average([v["accuracy"] for v in values], weights=sizes)
    assert history["accuracy"][0] == pytest.approx(accuracy, rel=1e-12)
    penalties = 0.01 * sum(float(np.square(w, dtype=np.float64).sum()) for w in model.get_weights()[:1])
    assert history["loss"][0] == pytest.approx(np.average([v["loss"] for v in values], weights=sizes), abs=penalties)


def test_weights_may_come_and_go(each_backend):
    batches = [(X[:10], Y[:10]), (X[10:20], Y[10:20], W[10:20]), (X[20:30], Y[20:30]), (X[30:], Y[30:], W[30:])]
    model, expected = network(), network()
    model.fit(batches, shuffle=False, verbose=0)
    weights = np.concatenate([np.ones(10), W[10:20], np.ones(10), W[30:]])
    expected.fit(
        [(a[0], a[1], w) for a, w in zip(batches, np.split(weights, [10, 20, 30]), strict=True)],
        shuffle=False,
        verbose=0,
    )
    assert model.fingerprint() == expected.fingerprint()


def test_class_weights_of_batches():
    table_of_weights = {0: 0.1, 2: 3.0}
    expected, model = network(), network()
    expected.fit(X, Y, batch_size=BATCH, class_weight=table_of_weights, shuffle=False, verbose=0)
    model.fit(iter(cut(X, Y)), class_weight=table_of_weights, verbose=0)
    assert model.fingerprint() == expected.fingerprint()


def test_evaluation_and_prediction_of_batches():
    model = network()
    model.fit(X, Y, verbose=0)
    for kind, make in SOURCES.items():
        take = {"steps": 5} if kind == "generator" else {}
        found = model.evaluate(make(X, Y), verbose=0, **take)
        assert found == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-6)
        if kind != "list":  # which predict takes for an array
            assert model.predict(make(X, Y), **take).tobytes() == model.predict(X).tobytes()
        assert model.evaluate(make(X, Y, W), steps=2, verbose=0) == pytest.approx(
            model.evaluate(X[:20], Y[:20], sample_weight=W[:20], verbose=0), rel=1e-6
        )
    assert model.predict(x for x, _ in cut(X, Y)).tobytes() == model.predict(X).tobytes()
    assert model.predict(iter(cut(X, Y)), steps=2).tobytes() == model.predict(X[:20]).tobytes()


def test_callbacks_see_every_batch():
    class Watch(fb.callbacks.Callback):
        def __init__(self):
            self.seen = []

        def on_train_batch_end(self, batch, logs=None):
            self.seen.append((batch, logs["loss"]))
            self.model.stop_training = len(self.seen) == 8

    watch, plain = Watch(), Watch()
    model, expected = network(), network()
    model.fit(cut(X, Y), epochs=3, shuffle=False, verbose=0, callbacks=[watch])
    expected.fit(X, Y, batch_size=BATCH, epochs=3, shuffle=False, verbose=0, callbacks=[plain])
    assert [batch for batch, _ in watch.seen] == [0, 1, 2, 3, 4, 0, 1, 2]
    np.testing.assert_allclose([v for _, v in watch.seen], [v for _, v in plain.seen], rtol=1e-12)
    assert model.fingerprint() == expected.fingerprint()


def test_callbacks_know_the_steps_where_there_is_a_length():
    seen = []

    class Steps(fb.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append(self.params["steps"])

    network().fit(Plain(X, Y), verbose=0, callbacks=[Steps()])
    network().fit(Loader(X, Y), verbose=0, callbacks=[Steps()])
    network().fit(iter(cut(X, Y)), verbose=0, callbacks=[Steps()])
    network().fit(iter(cut(X, Y)), steps_per_epoch=2, verbose=0, callbacks=[Steps()])
    assert seen == [5, 5, None, 2]


# --- order -----------------------------------------------------------------------------------------------------------


def test_batches_with_indices_are_taken_in_another_order_each_epoch_the_same_in_each_run():
    runs = []
    for _ in range(2):
        dataset = Derived(X, Y)
        model = network()
        model.fit(dataset, epochs=3, verbose=0)
        runs.append((model.fingerprint(), dataset.calls))
    assert runs[0] == runs[1]
    calls = runs[0][1]
    epochs = [calls[1 + 7 * i : 6 + 7 * i] for i in range(3)]
    assert all(sorted(epoch) == [0, 1, 2, 3, 4] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert [calls[0], calls[6]] == ["begin 0", "end"]


def test_a_run_in_parts_is_the_run_as_a_whole():
    whole, parts = network(), network()
    whole.fit(Derived(X, Y), epochs=5, verbose=0)
    parts.fit(Derived(X, Y), epochs=2, verbose=0)
    parts.fit(Derived(X, Y), initial_epoch=2, epochs=5, verbose=0)
    assert whole.fingerprint() == parts.fingerprint()


@pytest.mark.filterwarnings("ignore:x must give steps_per_epoch")
def test_a_pass_may_take_several_epochs():
    dataset = Derived(X, Y)
    model = network()
    model.fit(dataset, epochs=5, steps_per_epoch=2, shuffle=False, verbose=0)
    taken = [call for call in dataset.calls if isinstance(call, int)]
    assert taken == [0, 1, 2, 3, 4, 0, 1, 2, 3]  # 2, 2, 1: the pass ends inside the third epoch


def test_threads_make_batches_ahead_in_order():
    made = []
    waiting = threading.Semaphore(0)

    class Slow(Derived):
        def __getitem__(self, index):
            made.append((index, threading.current_thread().name))
            time.sleep(0.002 * (5 - index))
            waiting.release()
            return self.batches[index]

    source = BatchSource("x", Slow(X, Y, workers=2, max_queue_size=3))
    epoch = source.epoch()
    name, _ = next(epoch)
    assert name == "x[0]"
    for _ in range(3):  # what is ahead is made without anybody asking
        waiting.acquire(timeout=10)
    assert len(made) >= 3
    assert [name for name, _ in epoch] == ["x[1]", "x[2]", "x[3]", "x[4]"]
    assert all(thread.startswith("flyball-batches") for _, thread in made)
    source.restart()
    assert not [t for t in threading.enumerate() if t.name.startswith("flyball-batches")]


def test_an_error_in_a_thread_comes_out():
    class Broken(Derived):
        def __getitem__(self, index):
            if index == 3:
                msg = "no such file"
                raise OSError(msg)
            return self.batches[index]

    model = network()
    with pytest.raises(OSError, match="no such file"):
        model.fit(Broken(X, Y, workers=2), shuffle=False, verbose=0)
    assert model.optimizer.iterations == 3
    assert not [t for t in threading.enumerate() if t.name.startswith("flyball-batches")]


# --- the end of the data ---------------------------------------------------------------------------------------------


def test_an_iterator_goes_on_where_it_was():
    taken = []

    def generate():
        for i in range(100):
            taken.append(i)
            yield cut(X, Y)[i % 5]

    model, expected = network(), network()
    model.fit(generate(), epochs=3, steps_per_epoch=5, verbose=0)
    assert taken == list(range(15))
    expected.fit(X, Y, batch_size=BATCH, epochs=3, shuffle=False, verbose=0)
    assert model.fingerprint() == expected.fingerprint()


def test_an_iterator_that_runs_dry_ends_training_with_a_warning():
    model = network()
    with pytest.warns(UserWarning, match="x must give steps_per_epoch = 4 batches, got 1: .* training ends here"):
        model.fit(iter(cut(X, Y)), epochs=4, steps_per_epoch=4, verbose=0)
    assert model.optimizer.iterations == 5
    assert model.history.epoch == [0, 1]
    model = network()
    with pytest.warns(UserWarning, match="batches for 4 epochs, got an iterator that ended in epoch 1: training ends"):
        model.fit(iter(cut(X, Y)), epochs=4, verbose=0)
    assert model.history.epoch == [0]
    model = network()
    with pytest.warns(UserWarning, match="x must give steps_per_epoch = 5 batches, got 0"):
        model.fit(iter(cut(X, Y)), epochs=4, steps_per_epoch=5, verbose=0)
    assert model.history.epoch == [0]
    assert len(model.history.history["loss"]) == 1


def test_one_epoch_of_an_iterator_is_all_of_it():
    model = network()
    model.fit(iter(cut(X, Y)), verbose=0)
    assert model.optimizer.iterations == 5


def test_data_that_begin_anew_go_on_after_a_short_epoch():
    for make in (cut, Loader, Derived):
        model = network()
        with pytest.warns(UserWarning, match="steps_per_epoch = 3 batches, got 2: .* and the epoch ends here"):
            model.fit(make(X, Y), epochs=4, steps_per_epoch=3, verbose=0)
        assert model.optimizer.iterations == 10
        assert model.history.epoch == [0, 1, 2, 3]
        model = network()
        model.fit(make(X[:40], Y[:40]), epochs=4, steps_per_epoch=2, verbose=0)
        assert model.optimizer.iterations == 8


def test_data_sets_without_an_end():
    model = network()
    with pytest.raises(ValueError, match="steps_per_epoch must be given for batches without an end, got None"):
        model.fit(Endless(), verbose=0)
    with pytest.raises(ValueError, match="validation_steps must be given for batches without an end, got None"):
        model.fit(X, Y, validation_data=Endless(), verbose=0)
    model.fit(Endless(), steps_per_epoch=7, epochs=2, verbose=0, validation_data=Endless(), validation_steps=5)
    assert model.optimizer.iterations == 14
    assert model.history.history["val_loss"][-1] == pytest.approx(model.evaluate(X, Y, verbose=0)[0], rel=1e-6)


def test_validation_begins_anew_each_time_and_an_iterator_is_refused():
    model = network()
    history = model.fit(
        X, Y, epochs=3, validation_data=Derived(X, Y), validation_steps=2, validation_freq=2, verbose=0
    ).history
    assert len(history["val_loss"]) == 1
    assert len(history["loss"]) == 3
    frozen = network(norm=False)
    frozen.compile(fb.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    for make in (cut, Loader, Derived):
        frozen.fit(X, Y, epochs=3, validation_data=make(X, Y), validation_steps=2, verbose=0)
        assert frozen.history.history["val_loss"] == [frozen.history.history["val_loss"][0]] * 3
    message = "validation_data must be something that can be gone through again .*got generator, which is empty"
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y, epochs=2, validation_data=(batch for batch in cut(X, Y)), verbose=0)
    with pytest.raises(ValueError, match=message):  # epochs 2 and 4 are validated
        model.fit(
            X,
            Y,
            initial_epoch=1,
            epochs=4,
            validation_freq=2,
            validation_data=(batch for batch in cut(X, Y)),
            verbose=0,
        )
    model.fit(X, Y, epochs=1, validation_data=(batch for batch in cut(X, Y)), verbose=0)
    assert "val_loss" in model.history.history


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": []}, "x must"),
        ({"x": iter([])}, "x must give at least one batch, got none"),
        ({"x": Plain(X[:0], Y[:0])}, "x must give at least one batch, got none"),
        ({"x": cut(X, Y), "batch_size": 3}, "batch_size must be None where x gives batches, got 3"),
        ({"x": iter(cut(X, Y)), "y": Y}, "y must be None where x gives batches"),
        ({"x": cut(X, Y), "sample_weight": W}, "sample_weight must be None where x gives batches"),
        ({"x": cut(X, Y), "validation_split": 0.2}, "validation_split must be None where x gives batches, got 0.2"),
        ({"x": cut(X, Y, W), "class_weight": {0: 2.0}}, r"class_weight must be None where batches .* as x\[0\] has"),
        (
            {"x": [(X[:5], Y[:5]), (X[:5], Y[:4])]},
            r"x\[1\]\[1\] must have one row for each of the 5 rows of x\[1\]\[0\]",
        ),
        ({"x": [(X[:5], Y[:5]), (X[:5, :2], Y[:5])]}, r"x\[1\]\[0\] must have 6 features, got shape \(5, 2\)"),
        ({"x": [(X[:5], Y[:5]), (X[:5], Y[:5] + 9)]}, r"x\[1\]\[1\] must be integers in \[0, 3\)"),
        ({"x": [(X[:5], Y[:5]), (X[:5], Y[:5], W[:3])]}, r"x\[1\]\[2\] must have shape \(5,\)"),
        ({"x": [(X[:5], Y[:5]), (X[:5],)]}, r"x\[1\]\[1\] must be targets for the loss .*, got None"),
        ({"x": [(X[:5], Y[:5]), (X, Y, W, W)]}, r"x\[1\] must be \(x, y\) or \(x, y, sample_weight\), got 4 items"),
        ({"x": [(X[:5], Y[:5]), (X[:5] * np.nan, Y[:5])]}, r"x\[1\]\[0\] must be finite, got nan at row 0"),
        ({"x": [(X[:5], Y[:5]), (X[:1], Y[:1])]}, r"x\[1\] must have at least 2 samples for the batch statistics of"),
    ],
)
def test_bad_batches_are_named_and_the_model_is_as_the_step_before_left_it(given, message):
    model, expected = network(), network()
    with pytest.raises(ValueError, match=message):
        model.fit(**given, shuffle=False, verbose=0)
    if model.optimizer.iterations:
        expected.train_on_batch(X[:5], Y[:5])
        for a, b in zip(model.get_weights(), expected.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    assert model.optimizer.iterations == message.startswith(r"x\[1\]")
    model.fit(X, Y, verbose=0)


def test_what_gives_batches():
    class Frame:
        columns = ("a",)

        def __getitem__(self, name):
            raise AssertionError

        def __len__(self):
            return 3

    arrays = [X, X.tolist(), Frame(), "text", b"bytes", {"x": X}, 3, None, [], (X, Y), [[1, 2], [3, 4]], object()]
    assert not any(are_batches(x) for x in arrays)
    batches = [iter([]), Plain(X, Y), Derived(X, Y), Endless(), Loader(X, Y), cut(X, Y), map(len, [])]
    assert all(are_batches(x) for x in batches)
    assert not are_batches(cut(X, Y), lists=False)


def test_data_sets_refuse_bad_options():
    with pytest.raises(ValueError, match="workers must be a non-negative integer, got -1"):
        Derived(X, Y, workers=-1)
    with pytest.raises(ValueError, match="use_multiprocessing must be False: batches are made by threads, got True"):
        Derived(X, Y, use_multiprocessing=True)
    assert fb.utils.Sequence is PyDataset
    assert [len(x) for x, _ in Derived(X, Y)] == [10, 10, 10, 10, 4]


# --- interrupted runs ------------------------------------------------------------------------------------------------


class Break(Exception):
    pass


def break_at(step):
    def count(batch, logs):
        seen.append(batch)
        if len(seen) == step:
            raise Break

    seen = []
    return fb.callbacks.LambdaCallback(on_train_batch_end=count)


@pytest.mark.parametrize("save_freq", ["epoch", 2])
@pytest.mark.parametrize("step", [1, 5, 8])
@pytest.mark.parametrize("make", [Derived, Loader, lambda x, y: TransformedBatches(x, y, BATCH, jitter, workers=2)])
def test_a_run_that_was_broken_off_inside_a_pass_ends_as_if_it_had_not_been(
    each_backend, tmp_path, make, step, save_freq
):
    whole, broken, resumed = network(), network(), network(seed=5)
    backup = [fb.callbacks.BackupAndRestore(tmp_path / "b", save_freq)]
    expected = whole.fit(make(X, Y), epochs=3, verbose=0).history
    with pytest.raises(Break):
        broken.fit(make(X, Y), epochs=3, verbose=0, callbacks=[*backup, break_at(step)])
    found = resumed.fit(make(X, Y), epochs=3, verbose=0, callbacks=backup).history
    assert resumed.fingerprint() == whole.fingerprint()
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=1e-12), name


def test_an_error_in_the_data_leaves_the_model_as_the_step_before_left_it():
    def generate():
        yield from cut(X, Y)[:3]
        raise Break

    model, expected = network(), network()
    with pytest.raises(Break):
        model.fit(generate(), verbose=0)
    expected.fit(cut(X, Y)[:3], shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert model.optimizer.iterations == 3
    assert model.history.epoch == []
    model.fit(cut(X, Y), verbose=0)
    assert model.optimizer.iterations == 8


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_stops_between_batches(backend):
    fb.use_backend(backend)

    def generate(stop):
        for i in range(stop if stop else 1 << 60):
            if stop is None and i == 40:
                os.kill(os.getpid(), signal.SIGINT)
            yield cut(X, Y)[i % 5]

    model = network()
    with pytest.raises(KeyboardInterrupt):
        model.fit(generate(None), verbose=0)
    done = model.optimizer.iterations
    assert done in (40, 41)
    expected = network()
    expected.fit(generate(done), verbose=0)
    for a, b in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


# --- functions of a user's own ---------------------------------------------------------------------------------------


def test_transformed_batches_are_a_function_of_seed_epoch_and_index():
    one, other = (TransformedBatches(X, Y, BATCH, jitter, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one[2][0], other[2][0])
    np.testing.assert_array_equal(one[2][0], one[2][0])  # asked again, and the data are as they were
    assert np.any(one[2][0] != one[3][0])
    other.epoch = 1
    assert np.any(one[2][0] != other[2][0])
    assert np.any(one[2][0] != TransformedBatches(X, Y, BATCH, jitter, seed=4)[2][0])
    rows = np.concatenate([y for _, y in one])
    np.testing.assert_array_equal(np.sort(rows), np.sort(Y))
    assert np.any(rows != Y)


def test_training_on_transformed_batches_repeats_and_resumes_for_any_number_of_workers():
    def run(ends, **options):
        model, begin = network(), 0
        for end in ends:
            dataset = TransformedBatches(X, Y, BATCH, jitter, seed=1, **options)
            model.fit(dataset, initial_epoch=begin, epochs=end, verbose=0)
            begin = end
        return model.fingerprint()

    expected = run([4])
    assert run([4]) == run([1, 4]) == run([4], workers=3, max_queue_size=1) == expected
    assert run([3]) != expected


def test_identity_is_training_on_the_arrays():
    same = TransformedBatches(X, Y, BATCH, lambda x, y, w, rng: (x, y, w), sample_weight=W, shuffle=False)
    model, expected = network(), network()
    model.fit(same, epochs=2, shuffle=False, verbose=0)
    expected.fit(X, Y, batch_size=BATCH, sample_weight=W, epochs=2, shuffle=False, verbose=0)
    assert model.fingerprint() == expected.fingerprint()


def test_a_last_batch_of_one_joins_the_batch_before_it():
    batches = TransformedBatches(X[:41], Y[:41], BATCH, jitter)
    assert [len(y) for _, y in batches] == [10, 10, 10, 11]
    network().fit(batches, verbose=0)
    with pytest.raises(IndexError, match=r"index must be in \[0, 4\), got 4"):
        batches[4]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"function": 3}, ValueError, "function must be callable, got 3"),
        ({"batch_size": 0}, ValueError, "batch_size must be a positive integer, got 0"),
        ({"seed": -1}, ValueError, "seed must be a non-negative integer, got -1"),
        ({"shuffle": 1}, ValueError, "shuffle must be True or False, got 1"),
        ({"y": Y[:-1]}, ValueError, "y must have one row for each of the 44 rows of x, got 43"),
        ({"sample_weight": W[:2]}, ValueError, "sample_weight must have one row for each of the 44 rows of x, got 2"),
        ({"x": X[:0]}, ValueError, "x must be an array with at least one sample"),
        ({"worker": 2}, TypeError, "TransformedBatches got an unexpected keyword argument 'worker'; .* 'workers'"),
    ],
)
def test_transformed_batches_refuse(change, error, message):
    with pytest.raises(error, match=message):
        TransformedBatches(**{"x": X, "y": Y, "batch_size": BATCH, "function": jitter, **change})


# --- torch -----------------------------------------------------------------------------------------------------------


def test_loaders_of_torch():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    loader = torch.utils.data.DataLoader(data, batch_size=BATCH)
    model, expected = network(), network()
    model.fit(loader, epochs=2, validation_data=loader, verbose=0)
    expected.fit(X, Y, batch_size=BATCH, epochs=2, shuffle=False, verbose=0)
    assert model.fingerprint() == expected.fingerprint()


def test_an_evaluation_amid_a_pass_leaves_the_pass_alone():
    """It set the data set's epoch to 0: the rest of the pass was cut from another order of the samples."""
    dataset, seen = TransformedBatches(X, Y, BATCH, lambda x, y, rng: (x, y), seed=1), []

    class Evaluate(fb.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.evaluate(dataset, verbose=0)
            self.model.predict(dataset, verbose=0)

        def on_train_batch_end(self, batch, logs=None):
            seen.append(dataset.epoch)

    model, expected = network(), network()
    steps, passes = len(dataset), 3
    for one, callbacks in ((model, [Evaluate()]), (expected, [])):
        one.fit(dataset, steps_per_epoch=1, epochs=passes * steps, verbose=0, callbacks=callbacks)
    assert model.fingerprint() == expected.fingerprint()
    assert seen == [k // steps * steps for k in range(passes * steps)]


def test_the_hook_before_an_epoch_knows_which_one_it_is():
    dataset = Derived(X, Y)
    network().fit(dataset, epochs=3, verbose=0)
    assert [call for call in dataset.calls if str(call).startswith("begin")] == ["begin 0", "begin 1", "begin 2"]


def test_a_shortage_outside_training_does_not_speak_of_training():
    model = network()
    for ask in (model.predict, model.evaluate):
        with pytest.warns(UserWarning, match=r"x must give steps = 9 batches, got 2: it ran out of data$"):
            ask(iter(cut(X, Y)[:2]), steps=9)
