"""Chains of dense layers in two lanes: the same training as without, whatever the threads, and nothing in a race."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parity.harness import LEVELS

import flyball as fb
import flyball._core as native
from flyball import layers, optimizers, reference, regularizers
from flyball.constraints import MaxNorm
from flyball.program import lanes
from flyball.program.instructions import ALWAYS, Kind, Program
from flyball.program.lowering import Lowering
from flyball.program.memory import Memory
from flyball.program.nodes import ActivationNode, BatchNormNode, DenseNode, DropoutNode, Weight
from flyball.program.profile import Limits, summarise
from flyball.program.requests import Data, Objective
from flyball.program.runners import BackendRunner, NativeRunner, Steps, runner

SQUARES = Objective("pointwise_loss", "targets", scalars=(("loss", "mean_squared_error"), ("delta", 1.0)))


def dense(units, **options):
    return layers.Dense(units, kernel_initializer="he_normal", bias_initializer="random_normal", **options)


def norm(**options):
    return layers.BatchNormalization(**options)


def drop():
    return layers.Dropout(0.4)


# Name: the layers before the output, the samples' features. Widths: two lines, with a remainder, of unequal halves;
# with dropout, multiples of 128.
STACKS = {
    "narrow input": lambda: (
        [dense(128), norm(), layers.ReLU(), drop(), dense(256), norm(), layers.ReLU(), drop()],
        40,
    ),
    "wide input": lambda: ([dense(128, use_bias=False), norm(), layers.Activation("tanh"), drop(), dense(80)], 300),
    "wide input, odd": lambda: ([dense(77, activation="relu"), dense(101, activation="gelu")], 301),
    "relu inside": lambda: ([dense(128, activation="relu"), drop(), dense(64, activation="relu"), dense(70)], 70),
    "sigmoid inside": lambda: ([dense(64), dense(72, activation="sigmoid"), layers.Activation("silu")], 33),
    "learns before": lambda: ([norm(), dense(64, activation="relu"), dense(65), norm(scale=False)], 20),
    "narrow last": lambda: ([dense(64, activation="relu"), dense(5, activation="tanh"), dense(64)], 20),
    "two chains": lambda: (
        [dense(64), layers.LayerNormalization(), dense(66, activation="relu"), dense(70, activation="elu")],
        25,
    ),
    "frozen statistics": lambda: ([dense(64), norm(trainable=False), dense(68, activation="relu"), dense(64)], 25),
    "dropout before and behind": lambda: ([drop(), dense(128), drop(), dense(128, activation="relu"), drop()], 25),
}


def model_of(stack, features, optimizer=None, kind="float64"):
    fb.utils.set_random_seed(3)
    shape = (features,) if isinstance(features, int) else features
    model = fb.Sequential([layers.Input(shape), *stack, dense(6, activation="softmax")], dtype=kind)
    model.compile(optimizer or optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    return model


def data(features, rows=90, kind="float64"):
    rng = np.random.default_rng(features)
    return rng.standard_normal((rows, features)).astype(kind), rng.integers(0, 6, rows)


def in_lanes(model, x, y, batch=32):
    return sum(i.lane is not None for i in model.program(x, y, batch_size=batch).program.instructions)


def weights_after(model, x, y, **options):
    losses = model.fit(x, y, batch_size=32, epochs=2, verbose=0, **options).history["loss"]
    return [np.asarray(losses), *model.get_weights()]


def turned(monkeypatch, on):
    monkeypatch.setattr(lanes, "LEAST_WORK", 0 if on else math.inf)


@pytest.mark.parametrize("name", STACKS)
def test_lanes_train_as_one_lane_does(monkeypatch, name):
    results = []
    for on in (False, True):
        turned(monkeypatch, on)
        stack, features = STACKS[name]()
        model, (x, y) = model_of(stack, features), data(features)
        assert (in_lanes(model, x, y) > 0) == on
        results.append(weights_after(model, x, y))
    for plain, split in zip(*results, strict=True):
        assert np.any(plain) or plain.ndim == 1  # moving means that are frozen stay zero
        np.testing.assert_allclose(split, plain, rtol=1e-7, atol=1e-9)


def shrunk(units, **options):
    return dense(units, kernel_regularizer=regularizers.L1L2(1e-3, 1e-2), **options)


# What a step ends with, which sees weights that lanes have between them.
OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "adam, decayed": lambda: optimizers.AdamW(0.01, weight_decay=0.1, amsgrad=True),
    "rmsprop": lambda: optimizers.RMSprop(0.005, momentum=0.5, centered=True),
    "adagrad": lambda: optimizers.Adagrad(0.05),
    "adamax": lambda: optimizers.Adamax(0.01),
    "adadelta": lambda: optimizers.Adadelta(1.0),
    "lion": lambda: optimizers.Lion(0.001),
    "clipped by value": lambda: optimizers.SGD(0.1, clipvalue=0.01),
    "clipped by norm": lambda: optimizers.SGD(0.1, clipnorm=0.05),
    "clipped by global norm": lambda: optimizers.SGD(0.1, global_clipnorm=0.05),
    "of two steps": lambda: optimizers.Adam(0.01, gradient_accumulation_steps=2),
    "averaged": lambda: optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=2),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_lanes_update_as_one_lane_does(monkeypatch, name):
    results = []
    for on in (False, True):
        turned(monkeypatch, on)
        stack = [shrunk(64, activation="relu"), shrunk(70, activation="relu", kernel_constraint=MaxNorm(1.5))]
        model, (x, y) = model_of(stack, 40, OPTIMIZERS[name]()), data(40)
        results.append(weights_after(model, x, y, validation_data=(x[:20], y[:20])))
    for plain, split in zip(*results, strict=True):
        np.testing.assert_allclose(split, plain, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", STACKS)
def test_lanes_train_as_the_reference_does_without(monkeypatch, name, dtype):
    turned(monkeypatch, on=True)
    results = []
    for backend in ("native", "reference"):
        fb.use_backend(backend)
        stack, features = STACKS[name]()
        results.append(weights_after(model_of(stack, features, kind=dtype), *data(features, kind=dtype)))
    tolerance = {"float32": {"rtol": 1e-4, "atol": 1e-4}, "float64": {"rtol": 1e-8, "atol": 1e-10}}[dtype]
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, **tolerance)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", STACKS)
def test_lanes_give_the_same_bits_with_any_number_of_threads(monkeypatch, name, dtype, level):
    turned(monkeypatch, on=True)
    native.set_level(level)
    prints = set()
    for threads in (1, 2, 3, 5, 8):
        native.set_num_threads(threads)
        stack, features = STACKS[name]()
        model, (x, y) = model_of(stack, features, kind=dtype), data(features, rows=500, kind=dtype)
        assert (model._trainer(x, y, 250)._step_program.runner.threads(250) > 1) == (threads > 1)
        model.fit(x, y, batch_size=250, epochs=2, verbose=0)
        prints.add(model.fingerprint())
    assert len(prints) == 1


def test_large_chains_are_in_lanes_and_small_or_unsuitable_ones_are_not():
    x, y = data(64, 256, "float32")

    def count(stack, batch=128, features=64):
        model = model_of(stack, features, kind="float32")
        return in_lanes(model, x[:, :features], y, batch)

    assert count([dense(256), norm(), layers.ReLU(), layers.Dropout(0.5), dense(256)]) > 10
    assert count([dense(256)], 256) > 0
    assert count([dense(256)], 32) == 0  # 0.7 million multiply-adds
    assert count([dense(63), dense(512)]) > 0  # of the second and the last
    assert count([dense(63)], 256) == 0
    assert count([dense(512), layers.LayerNormalization()], 256) == 0
    assert count([dense(512), norm(virtual_batch_size=32)], 256) == 0
    assert count([layers.Dense(512, trainable=False), layers.ReLU()], 256) == 0
    assert count([dense(512), layers.Softmax()], 256) == 0
    assert count([dense(448), layers.ReLU(), drop()], 256) == 0  # half of its decisions would begin within a group
    assert count([dense(448), layers.ReLU()], 256) > 0
    fb.use_backend("reference")
    assert count([dense(256)], 256) == 0


def weight(name, shape, seed, **options):
    values = np.random.default_rng(seed).standard_normal(shape)
    return Weight(name, shape, lambda s, d, r: values, **options)


def dropping(features):
    """Return a Program in lanes of two layers with dropout behind them, and its memory."""
    ones = Weight("var", (128,), lambda s, d, r: np.ones(128), trainable=False)
    nodes = [
        DenseNode("a", weight("a/w", (features, 128), 1), weight("a/b", (128,), 2), "tanh"),
        DropoutNode("drop", 0.3),
        DenseNode("b", weight("b/w", (128, 128), 3), None),
        BatchNormNode("norm", weight("gamma", (128,), 4), weight("beta", (128,), 5),
                      weight("mean", (128,), 6, trainable=False), ones, 0.9, 1e-3),
        ActivationNode("silu", "silu"),
        DropoutNode("drop2", 0.5),
        DenseNode("c", weight("c/w", (128, 3), 7), weight("c/b", (3,), 8)),
    ]  # fmt: skip
    weights = [value for node in nodes for value in vars(node).values() if isinstance(value, Weight)]
    memory = Memory(weights, np.dtype("float64"))
    for w in memory.weights:
        w.value[...] = 0.3 * w.initializer(w.shape, memory.dtype, None)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, features)), rng.standard_normal((40, 3))
    lowering = Lowering(nodes, memory, Data(x, y, np.arange(40)), 40, training=True, seed=5)
    lowering.objective(SQUARES)
    assert any(i.lane == 1 for i in lowering.program.instructions)
    return lowering.program, memory


@pytest.mark.parametrize("features", [20, 90])
@pytest.mark.parametrize("threads", [1, 2])
def test_gradients_behind_dropout_in_lanes_are_those_of_finite_differences(monkeypatch, features, threads):
    turned(monkeypatch, on=True)
    native.set_num_threads(threads)
    program, memory = dropping(features)
    run, total = runner(program), program.buffers["total_loss"].array

    def loss():
        before = total[0]
        run.run(Steps(np.array([0, 40]), np.zeros(1), 7))  # the same step, and so the same masks, each time
        return (total[0] - before) / 40

    loss()
    gradients = memory.gradients.copy()
    for w in memory.parameter_weights():
        direction = np.random.default_rng(w.size).standard_normal(w.shape)
        start, sides = w.value.copy(), []
        for sign in (1.0, -1.0):
            w.value[...] = start + sign * 1e-5 * direction
            sides.append(loss())
        w.value[...] = start
        expected = (sides[0] - sides[1]) / 2e-5
        assert abs(expected) > 1e-4
        got = np.sum(memory.view(gradients, w) * direction)
        assert got == pytest.approx(expected, rel=1e-6, abs=1e-9), w.name


def test_the_reference_runs_programs_in_lanes_too(monkeypatch):
    turned(monkeypatch, on=True)
    results = []
    for of_backend in (NativeRunner, lambda program: BackendRunner(program, reference)):
        program, memory = dropping(20)
        of_backend(program).run(Steps(np.array([0, 40]), np.zeros(1), 7))
        results.append([memory.gradients, memory.statistics, program.buffers["total_loss"].array])
    for native_result, reference_result in zip(*results, strict=True):
        assert np.any(native_result)
        np.testing.assert_allclose(native_result, reference_result, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", [(40,), (300,), (15, 20)])
def test_samples_in_order_are_read_where_they_are(monkeypatch, shape):
    """And those of the next batch lie elsewhere; of 300 inputs, lanes have columns of them."""
    turned(monkeypatch, on=True)
    features = math.prod(shape)
    x, y = data(features)
    x = x.reshape(-1, *shape)
    results = []
    for of_batches in (False, True):
        model = model_of([layers.Reshape((features,)), dense(80, activation="relu")], shape)
        if of_batches:
            for i in range(0, 96, 32):
                model.train_on_batch(x[i : i + 32].copy(), y[i : i + 32])
        else:
            model.fit(x, y, batch_size=32, epochs=1, shuffle=False, verbose=0)
        assert in_lanes(model, x, y)
        results.append(model.get_weights())
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize(
    ("stack", "copies"),
    [
        (lambda: [dense(128), dense(128), norm(), layers.ReLU(), drop()], 0),
        (lambda: [dense(128), dense(128), layers.ReLU(), norm()], 1),
        (lambda: [dense(128), dense(128, activation="relu"), norm()], 1),
        (lambda: [dense(128), norm(), layers.ReLU(), dense(128), norm(), dense(64), norm(), norm()], 0),
    ],
)
def test_batch_normalisation_right_behind_a_layer_puts_its_gradient_in_place(monkeypatch, stack, copies):
    turned(monkeypatch, on=True)
    program = model_of(stack(), 40).program(*data(40), batch_size=32).program
    operations = [i.op for i in program.instructions if i.lane is not None]
    assert operations
    assert operations.count("accumulate") == 2 * copies


@pytest.mark.parametrize(("features", "shared"), [(64, 1), (65, 0)])
def test_wide_inputs_are_halved_so_that_no_weights_are_shared(monkeypatch, features, shared):
    turned(monkeypatch, on=True)
    program = model_of([dense(96), norm(), layers.ReLU(), dense(64)], features).program(*data(features), batch_size=32)
    updates = [i for i in program.program.instructions if i.op == "adam_update"]
    of_all = [i.arrays["w"].array.size for i in updates if i.lane is None]
    assert sum(size >= 96 * features for size in of_all) == shared
    assert len(updates) - len(of_all) == 2 * (3 - shared)


@pytest.mark.parametrize(("before", "gathers"), [([], [(0, 40), (1, 40)]), ([layers.GaussianNoise(0.1)], [(None, 40)])])
def test_lanes_gather_what_nothing_else_reads(monkeypatch, before, gathers):
    turned(monkeypatch, on=True)
    model = model_of([*before, dense(64, activation="relu")], 40)
    program = model.program(*data(40), batch_size=32).program
    found = [i for i in program.instructions if i.op == "gather"]
    assert [(i.lane, i.arrays["out"].array.shape[1]) for i in found] == gathers
    assert len({id(i.arrays["out"].root) for i in found}) == len(gathers)
    assert all(program.buffers[b.name] is b for i in program.instructions for b in i.arrays.values() if b is not None)


@pytest.mark.parametrize("features", [40, 300])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.bool_, np.float32])
def test_lanes_gather_samples_of_any_dtype_and_from_rows_apart(monkeypatch, features, dtype, tmp_path):
    turned(monkeypatch, on=True)
    x, y = data(features)
    x = (5 * np.abs(x)).astype(dtype)
    apart = np.zeros((len(x), features + 7), dtype)
    apart[:, 3:-4] = x
    mapped = np.memmap(tmp_path / "x", dtype, "w+", shape=x.shape)
    mapped[...] = x
    results = []
    for samples in (x.astype(np.float64), x, apart[:, 3:-4], mapped):
        model = model_of([dense(80, activation="relu")], features)
        assert in_lanes(model, samples, y)
        results.append(weights_after(model, samples, y))
    for other in results[1:]:
        for one, same in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, same)


def test_lanes_are_listed_and_profiled(monkeypatch):
    turned(monkeypatch, on=True)
    native.set_num_threads(2)
    stack, features = STACKS["narrow input"]()
    model, (x, y) = model_of(stack, features), data(features, 256)
    assert "in lane 0" in str(model.program(x, y, batch_size=128))
    assert all(line.seconds > 0 for line in model.profile(x, y, batch_size=128, steps=4).lines)


@pytest.mark.parametrize("threads", [1, 2])
def test_half_of_the_time_of_an_instruction_with_half_of_the_threads_is_its_own(monkeypatch, threads):
    turned(monkeypatch, on=True)
    stack, features = STACKS["narrow input"]()
    program = model_of(stack, features).program(*data(features, 256), batch_size=128).program
    times = np.arange(1.0, 1 + len(program.instructions))
    profile = summarise(program, times[None], 0, 128, Limits(threads, 1e9, 1e9, "cache"))
    own = [0.5 if i.lane is not None and threads == 2 else 1.0 for i in program.instructions]
    assert 0.5 in own or threads == 1
    np.testing.assert_allclose([line.seconds for line in profile.lines], own * times)
    assert profile.seconds == pytest.approx(np.sum(own * times))


def test_what_a_lane_keeps_is_not_exchanged():
    """Two threads are predicted to exchange what both lanes touch, and nothing else."""

    def predicted(lane_of_reader):
        program = Program(batch_rows=4096)
        program.buffer("x", np.ones((4096, 64), np.float32), Kind.BATCH)
        for name in ("y", "z"):
            program.batch(name, (4096, 64), np.dtype(np.float32))
        for y, x, lane in (("y", "x", 0), ("z", "y", lane_of_reader)):
            arrays = {"y": program.buffers[y], "x": program.buffers[x]}
            program.add("accumulate", "", arrays, ALWAYS, lane, keep=0.0, scale=1.0)
        return runner(program)._program.predicted_seconds

    same, other = predicted(0), predicted(1)
    assert same(1, 4096) == other(1, 4096)
    exchanged, barrier = 4096 * 64 * 4 * 0.1e-9 / 2, 500e-9
    assert other(2, 4096) - same(2, 4096) == pytest.approx(exchanged + barrier, rel=1e-12)


@pytest.mark.parametrize(
    ("sequence", "all_wait", "lane_waits"),
    [
        ([("a", "b", 0), ("c", "b", 0)], 0, 0),  # nothing in common but what both read
        ([("a", "b", 0), ("c", "a", 0)], 0, 1),
        ([("a", "b", 0), ("b", "c", 0)], 0, 1),  # written after it was read
        ([("a", "b", 0), ("a", "c", 0)], 0, 1),
        ([("a", "b", 0), ("d", "e", 0), ("c", "a", 0)], 0, 1),  # looks past what it has nothing to do with
        ([("a", "b", 0), ("c", "a", 0), ("d", "c", 0)], 0, 2),
        ([("a", "b", 0), ("c", "a", 0), ("d", "a", 0)], 0, 1),  # a is there since c
        ([("a", "b", 0), ("d", "e", 1), ("c", "a", 0)], 0, 1),
        ([("a", "b", 0), ("d", "e", 1), ("c", "a", 0), ("f", "d", 1)], 0, 2),
        ([("a", "b", 0), ("c", "a", 1)], 1, 0),
        ([("a", "b", 0), ("c", "a", None)], 1, 0),
        ([("a", "b", None), ("c", "a", 1)], 1, 0),
        ([("a", "b", None), ("c", "a", 1), ("d", "a", 0), ("e", "b", 0)], 1, 0),
        ([("a", "b", 0), ("c", "d", 1), ("e", "a", 1), ("f", "c", 0)], 1, 0),  # the first of the two waits for all
        ([("a", "b", 0), ("c", "d", 1), ("e", "a", 1), ("f", "e", 1)], 1, 1),
    ],
)
def test_instructions_of_lanes_wait_for_no_more_than_they_must(sequence, all_wait, lane_waits):
    program = Program(batch_rows=512)
    for name in "abcdef":
        program.batch(name, (512, 16), np.dtype(np.float32))
    for y, x, lane in sequence:
        arrays = {"y": program.buffers[y], "x": program.buffers[x]}
        program.add("accumulate", "", arrays, ALWAYS, lane, keep=1.0, scale=1.0)
    predicted = runner(program)._program.predicted_seconds
    # Work is divided by the threads, and so is what they do not exchange; what remains beyond is barriers.
    touched = {}
    for y, x, lane in sequence:
        for name in (y, x):
            touched.setdefault(name, set()).update((0, 1) if lane is None else (lane,))
    exchanged = sum(len(touched[name]) == 2 for name in {y for y, _, _ in sequence}) * 512 * 16 * 4 * 0.1e-9
    for threads, rounds, lane_rounds in ((2, 1, 0), (3, 2, 1), (4, 2, 1), (8, 3, 2)):
        rest = predicted(threads, 512) - predicted(1, 512) / threads - exchanged * (1 - 1 / threads)
        assert rest == pytest.approx(500e-9 * ((1 + all_wait) * rounds + lane_waits / 2 * lane_rounds), rel=1e-9)


def test_a_lane_must_be_one_of_two():
    y = np.zeros(4)
    for lane in (-2, 2):
        with pytest.raises(ValueError, match="accumulate must be in lane 0, 1 or none"):
            native.Program([(y, 0, 1), (y.copy(), 0, 1)], [("accumulate", [0, 1], [1.0, 1.0], (1, 0, 1), lane)], 1, 1)


ROWS, COLUMNS = 2048, 48
PARTS = [(0, 48), (0, 16), (16, 48), (0, 32), (32, 48), (16, 32)]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 2),
            st.sampled_from(["backwards", *PARTS]),
            st.sampled_from([None, 0, 1]),
        ),
        min_size=1,
        max_size=12,
    ),
    st.integers(2, 5),
)
def test_instructions_of_lanes_wait_for_what_they_read(chosen, threads):
    """Any sequence of sums of columns of three matrices gives what it gives in order, on any number of threads.

    Or of copies with the rows backwards, by which each thread of a lane reads what another has written.
    """
    start = np.random.default_rng(0).integers(-3, 4, (3, ROWS, COLUMNS)).astype(np.float64)
    expected = start.copy()
    matrices = start.copy()
    program = Program(batch_rows=ROWS)
    buffers = [program.buffer(f"m{i}", matrix, Kind.WHOLE) for i, matrix in enumerate(matrices)]
    order = program.buffer("order", np.arange(ROWS)[::-1].copy(), Kind.WHOLE)
    parts = {}
    for y, x, part, lane in 24 * chosen:  # long enough to be worth threads
        if y == x:
            continue
        if part == "backwards":
            arrays = {"out": buffers[y], "x": buffers[x], "rows": order}
            program.add("gather", "", arrays, ALWAYS, lane)
            expected[y] = expected[x, ::-1]
            continue
        begin, end = part
        for m in (y, x):
            if (m, begin, end) not in parts:
                parts[m, begin, end] = program.columns(buffers[m], slice(begin, end))
        arrays = {"y": parts[y, begin, end], "x": parts[x, begin, end]}
        program.add("accumulate", "", arrays, ALWAYS, lane, keep=0.5, scale=1.0)
        expected[y, :, begin:end] = 0.5 * expected[y, :, begin:end] + expected[x, :, begin:end]
    if not program.instructions:
        return
    native.set_num_threads(threads)
    run = runner(program)
    assert run.threads(ROWS) > 1
    run.run(Steps(np.array([0, ROWS]), np.zeros(1), 0))
    np.testing.assert_array_equal(matrices, expected)
