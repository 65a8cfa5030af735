"""Programs over samples of any shape, written node by node, against formulas in float64 and finite differences."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import flyball
from flyball.program.lowering import Lowering
from flyball.program.memory import Memory
from flyball.program.nodes import ActivationNode, BatchNormNode, DenseNode, DropoutNode, ReshapeNode, Weight
from flyball.program.requests import Data, Objective
from flyball.program.runners import Steps, runner

SQUARES = Objective("pointwise_loss", "targets", scalars=(("loss", "mean_squared_error"), ("delta", 1.0)))


def weight(name, shape, seed=0, **options):
    values = np.random.default_rng(seed).standard_normal(shape)
    return Weight(name, shape, lambda s, d, r: values, **options)


def batch_norm(channels, **options):
    moving = [weight(f"{name}/{channels}", (channels,), 9, trainable=False) for name in ("mean", "var")]
    moving[1].initializer = lambda s, d, r: np.ones(channels)
    gamma, beta = weight("gamma", (channels,), 3), weight("beta", (channels,), 4)
    return BatchNormNode("norm", gamma, beta, *moving, 0.9, 1e-3, **options)


def images(rows=6):
    """Nodes from (5, 3, 4) to two numbers, with batch statistics over positions of either layout."""
    dense, head = weight("dense/w", (4, 7), 1), weight("head/w", (105, 2), 2)
    nodes = [
        DenseNode("dense", dense, weight("dense/b", (7,), 5)),
        batch_norm(7),
        ActivationNode("relu", "relu"),
        ReshapeNode("reshape", (7, 5, 3)),
        ActivationNode("tanh", "tanh"),
        ReshapeNode("flatten", (105,)),
        DenseNode("head", head),
    ]
    rng = np.random.default_rng(rows)
    return nodes, rng.standard_normal((rows, 5, 3, 4)), rng.standard_normal((rows, 2))


def weights_of(nodes):
    return [value for node in nodes for value in vars(node).values() if isinstance(value, Weight)]


def build(nodes, dtype="float64", more=()):
    memory = Memory([*weights_of(nodes), *more], np.dtype(dtype))
    for w in memory.weights:
        w.value[...] = w.initializer(w.shape, memory.dtype, None)
    return memory


def train(nodes, memory, data, batch, *, steps=1, training=True, **options):
    lowering = Lowering(nodes, memory, data, batch, training=training, **options)
    lowering.objective(SQUARES)
    bounds = np.append(np.arange(0, len(data.x), batch), len(data.x)).astype(np.int64)[: steps + 1]
    runner(lowering.program).run(Steps(bounds, np.zeros(len(bounds) - 1), 0))
    return lowering.program


def formula(weights, x, y):
    """Loss of :func:`images` in plain NumPy."""
    w, b, gamma, beta, _, _, head = weights
    z = x @ w + b
    mean, var = z.mean(axis=(0, 1, 2)), z.var(axis=(0, 1, 2))
    z = np.maximum(gamma * (z - mean) / np.sqrt(var + 1e-3) + beta, 0.0)
    return np.square(np.tanh(z).reshape(len(x), -1) @ head - y).mean(axis=1).mean()


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("threads", [1, 2])
def test_gradients_of_image_samples_are_those_of_finite_differences(threads):
    nodes, x, y = images()
    memory = build(nodes)
    values = [w.value.copy() for w in memory.weights]
    flyball.set_num_threads(threads)
    program = train(nodes, memory, Data(x, y, np.arange(len(x))), len(x))
    assert program.buffers["total_loss"].array[0] / len(x) == pytest.approx(formula(values, x, y), rel=1e-12)
    for i, w in enumerate(memory.weights):
        if not w.trainable or w.name == "dense/b":  # a bias before batch statistics has no gradient
            continue
        direction = np.random.default_rng(i).standard_normal(w.shape)
        sides = []
        for sign in (1.0, -1.0):
            moved = list(values)
            moved[i] = values[i] + sign * 1e-6 * direction
            sides.append(formula(moved, x, y))
        expected = (sides[0] - sides[1]) / 2e-6
        assert np.sum(memory.gradient(w) * direction) == pytest.approx(expected, rel=1e-6), w.name


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_backends_agree_on_windows_and_on_a_last_batch_that_is_smaller(dtype):
    results = []
    for backend in ("native", "reference"):
        nodes, x, y = images(rows=10)
        memory = build(nodes, dtype)
        flyball.use_backend(backend)
        data = Data(x.astype(dtype), y.astype(dtype))
        program = train(nodes, memory, data, 4, steps=3)
        results.append([memory.gradients.copy(), memory.statistics.copy(), program.buffers["total_loss"].array.copy()])
    for native, reference in zip(*results, strict=True):
        assert np.any(native)
        np.testing.assert_allclose(native, reference, rtol=3e-5 if dtype == "float32" else 1e-12, atol=1e-6)


@pytest.mark.usefixtures("each_backend")
def test_channels_first_takes_the_statistics_of_the_first_axis():
    node = batch_norm(3, channels_first=True, activation="relu")
    memory = build([node])
    x = np.random.default_rng(0).standard_normal((8, 3, 5, 2))
    train([node], memory, Data(x, np.zeros((8, 30))), 8)
    np.testing.assert_allclose(
        node.running_mean.value, 0.9 * weight("m", (3,), 9).initializer(0, 0, 0) + 0.1 * x.mean(axis=(0, 2, 3))
    )
    np.testing.assert_allclose(node.running_var.value, 0.9 + 0.1 * x.var(axis=(0, 2, 3)))


@pytest.mark.usefixtures("each_backend")
def test_predictions_of_a_view_are_written_where_they_are_asked_for():
    w = weight("w", (4, 6))
    memory = build([DenseNode("d", w)])
    x = np.random.default_rng(0).standard_normal((7, 2, 4))
    lowering = Lowering([DenseNode("d", w), ReshapeNode("r", (3, 4))], memory, Data(x), 3, training=False)
    lowering.predictions(len(x))
    program = lowering.program
    run = runner(program)
    run.run(Steps(np.array([0, 3, 6, 7]), np.zeros(3), 0))
    np.testing.assert_allclose(program.buffers["predictions"].array.reshape(7, 12), (x @ w.value).reshape(7, 12))
    other, out = x[::-1][:5].copy(), np.empty((5, 2, 6))
    run.bind(program.buffers["x"], other)
    run.bind(program.buffers["predictions"], out)
    run.run(Steps(np.array([0, 3, 5]), np.zeros(2), 0))
    np.testing.assert_allclose(out, other @ w.value)


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("order", [None, np.array([4, 2, 0, 1, 3])])
def test_row_weights_are_the_factors_of_the_losses(order):
    w = weight("w", (3, 2))
    memory = build([DenseNode("d", w)])
    rng = np.random.default_rng(1)
    x, y, factors = rng.standard_normal((5, 3)), rng.standard_normal((5, 2)), rng.uniform(0.0, 2.0, 5)
    program = train([DenseNode("d", w)], memory, Data(x, y, order, factors), 5)
    error = x @ w.value - y
    assert program.buffers["total_loss"].array[0] == pytest.approx(np.sum(factors * np.square(error).mean(axis=1)))
    np.testing.assert_allclose(memory.gradient(w), x.T @ (factors[:, None] * error) / 5, rtol=1e-12)


def test_noisy_prediction_drops_units_and_takes_moving_statistics():
    node, w = batch_norm(6), weight("w", (6, 6))
    memory = build([DenseNode("d", w), node])
    nodes = [DenseNode("d", w), node, DropoutNode("drop", 0.5)]
    x = np.random.default_rng(0).standard_normal((64, 6))

    def predict(noisy, first=0):
        lowering = Lowering(nodes, memory, Data(x), 64, training=False, noisy=noisy, seed=3)
        lowering.predictions(len(x))
        runner(lowering.program).run(Steps(np.array([0, 64]), np.zeros(1), first))
        return lowering.program.buffers["predictions"].array

    plain, dropped, again, other = predict(False), predict(True), predict(True), predict(True, 1)
    np.testing.assert_array_equal(dropped, again)
    assert not np.array_equal(dropped, other)
    kept = dropped != 0.0
    assert 0.4 < kept.mean() < 0.6
    np.testing.assert_allclose(dropped[kept], 2.0 * plain[kept], rtol=1e-12)


# --- counting -----------------------------------------------------------------------------------------------------


class Tally:
    n = 5


SEND_SIGNALS = """
import os, random, signal, sys, time
while True:
    time.sleep(random.random() * 1e-3)
    os.kill(int(sys.argv[1]), signal.SIGINT)
"""


def constant_steps():
    """A Program of steps that change nothing, each of which adds the same to the total of the losses."""
    w = weight("w", (4, 3))
    memory, x = build([DenseNode("d", w)]), np.ones((6, 4))
    lowering = Lowering([DenseNode("d", w)], memory, Data(x, np.ones((6, 3))), 2, training=False)
    lowering.objective(SQUARES)
    return runner(lowering.program), lowering.program.buffers["total_loss"].array


@pytest.mark.usefixtures("each_backend")
def test_steps_are_counted_before_anybody_is_told():
    run, total = constant_steps()
    tally, told = Tally(), []

    def tell(done):
        told.append((done, tally.n, total[0]))
        raise StopIteration

    steps = Steps(np.array([0, 2, 4, 6]), np.zeros(3), 0, counters=((tally, "n", tally.n),))
    with pytest.raises(StopIteration):
        run.run(steps, tell, 0.0)
    ((done, counted, sum_so_far),) = told
    assert done == steps.done == counted - 5 > 0
    rest, tally.n = Steps(np.array([0, 2]), np.zeros(1), 0), 0
    run.run(rest)
    assert total[0] == pytest.approx(sum_so_far * (done + 1) / done)
    assert tally.n == 0


@pytest.mark.usefixtures("each_backend", "interruptible")
def test_no_ctrl_c_comes_between_a_step_and_its_count():
    run, total = constant_steps()
    run.run(Steps(np.array([0, 2]), np.zeros(1), 0))
    each, total[0] = total[0], 0.0
    tally, armed, came = Tally(), [False], [0]

    def handle(*_):
        if armed[0]:
            armed[0] = False
            came[0] += 1
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, handle)
    sender = subprocess.Popen([sys.executable, "-c", SEND_SIGNALS, str(os.getpid())])  # at any moment, unlike a thread
    try:
        end = time.monotonic() + 30
        while came[0] < 1000 and time.monotonic() < end:
            try:
                armed[0] = True
                while armed[0]:
                    run.run(Steps(np.array([0, 2]), np.zeros(1), 0, counters=((tally, "n", tally.n),)))
            except KeyboardInterrupt:
                pass
    finally:
        sender.kill()
        sender.wait()
        time.sleep(0.01)  # for the last signal, which this handler is to get
        signal.signal(signal.SIGINT, before)
    assert came[0] > 100
    assert tally.n - 5 == round(total[0] / each) > 0
