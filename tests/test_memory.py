"""What training takes beside the data, one batch of activations and a constant, and that all of it is given back."""

import gc
import pickle
import subprocess
import sys
import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pytest

import flyball as fb
from flyball import layers
from flyball.program.instructions import Kind

CONSTANT = 3 * 2**20
"""Bytes: checks look at a million elements at a time, Python makes its objects."""


def peak_of_fit(rows, tmp_path):
    fb.utils.set_random_seed(0)
    model = fb.Sequential(
        [layers.Input((256,)), layers.Dense(512), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.5)]
    )
    model.add(layers.Dense(2))
    model.compile("adam", "mean_squared_error")
    path = tmp_path / f"{rows}.bin"
    x = np.memmap(path, "float32", "w+", shape=(rows, 256))
    y = np.zeros((rows, 2), "float32")
    program = model.program(x, y, 128).program
    needed = sum(b.nbytes for b in program.buffers.values() if b.kind is Kind.BATCH and b.base is None)
    needed += 2 * model._memory.parameters.nbytes  # Adam's state
    tracemalloc.start()
    try:
        model.fit(x, y, 128, epochs=1, verbose=0, shuffle=True)
        return tracemalloc.get_traced_memory()[1], needed
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("rows", [1000, 60_000])
def test_fit_needs_one_batch_the_optimisers_state_and_a_constant(rows, tmp_path):
    peak, needed = peak_of_fit(rows, tmp_path)
    assert peak <= needed + 8 * rows + CONSTANT  # the order of the samples
    assert needed > 1_500_000


def test_a_row_more_takes_its_place_in_the_order(tmp_path):
    few, many = (peak_of_fit(rows, tmp_path)[0] for rows in (60_000, 160_000))
    assert many - few == pytest.approx(8 * 100_000, rel=0.1)


def used(x, y):
    """A model that all has been done with, and what else was made for it."""
    stack = [layers.Input((8,)), layers.Dense(16, "relu"), layers.BatchNormalization(), layers.Dropout(0.3)]
    model = fb.Sequential([*stack, layers.Residual([layers.Dense(16)]), layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    watchers = [fb.callbacks.EarlyStopping(restore_best_weights=True), fb.callbacks.Steering()]
    history = model.fit(x, y, epochs=3, verbose=0, validation_split=0.2, callbacks=watchers)
    batches = [(x[:20], y[:20]), (x[20:], y[20:])]
    model.fit(batches, verbose=0, validation_data=batches)
    model.evaluate(x, y, verbose=0)
    model.predict(x)
    model.predict(x, mc_dropout=3)
    model.train_on_batch(x, y)
    model.test_on_batch(x, y)
    return model, history


def small_data():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 8)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(int)


def parts_of_programs():
    return [item for item in gc.get_objects() if type(item).__name__ in ("Program", "Memory", "Buffer")]


def test_a_model_that_is_dropped_is_gone_at_once():
    """Without a garbage collection: that counts objects, and a few can hold much memory. A History keeps no model."""
    data = small_data()
    used(*data)
    gc.collect()
    known = {id(item) for item in parts_of_programs()}  # of other tests
    gc.disable()
    try:
        model, history = used(*data)
        refs = [weakref.ref(part) for part in (model, model._memory, model._predictor.program, model.layers[0])]
        assert history.model is model
        del model
        assert [ref() for ref in refs] == [None] * 4
        gc.collect()
        assert [item for item in parts_of_programs() if id(item) not in known] == []
    finally:
        gc.enable()
    with pytest.raises(AttributeError, match="the model of this History must be kept elsewhere"):
        history.model  # noqa: B018
    assert len(history.history["val_loss"]) == 3


def test_a_history_is_pickled_without_its_model():
    model, history = used(*small_data())
    content = pickle.dumps(history)
    assert len(content) < 2000
    assert pickle.loads(content).history == history.history
    assert pickle.loads(content).epoch == history.epoch
    del model


MANY = """
import os, sys
sys.path.insert(0, {tests!r})
import flyball as fb, test_memory
fb.set_num_threads(2)

def now():
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), len(os.listdir("/proc/self/task"))

data, seen = test_memory.small_data(), []
for i in range(200):
    test_memory.used(*data)
    if i in (50, 199):
        seen.append(now())
(before, threads), (after, threads_after) = seen
print(after - before, threads_after - threads)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_200_models_need_no_more_memory_and_threads_than_50():
    script = MANY.format(tests=str(Path(__file__).parent))
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    growth, threads = map(int, ran.stdout.split())
    assert growth < 4 * 2**20  # if 150 models stayed, it would be 30 MB
    assert threads == 0
