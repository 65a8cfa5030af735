"""Optimizers and schedules against the numbers that Keras makes (golden/make_optimizers.py), on both backends."""

import json
from pathlib import Path

import numpy as np
import pytest

from flyball import optimizers
from flyball.program.lowering import Data, Lowering
from flyball.program.memory import Memory
from flyball.program.nodes import Weight
from flyball.program.runners import Steps, runner

GOLDEN = json.loads((Path(__file__).parent / "golden" / "optimizers.json").read_text(encoding="utf-8"))
KERNEL, BIAS = np.array(GOLDEN["kernel"]), np.array(GOLDEN["bias"])


class Training:
    """Two parameter arrays, and a Program that is nothing but the optimizer's step."""

    def __init__(self, optimizer, dtype="float64", l1=0.0, l2=0.0):
        def first(array):
            return lambda shape, dtype, rng: array

        self.optimizer = optimizer
        self.weights = [Weight("w", (3, 2), first(KERNEL), l1=l1, l2=l2), Weight("b", (2,), first(BIAS))]
        self.memory = Memory(self.weights, np.dtype(dtype))
        for weight, value in zip(self.weights, (KERNEL, BIAS), strict=True):
            weight.value[...] = value
        data = Data(np.zeros((1, 1)), None, np.zeros(1, np.int64))
        lowering = Lowering([], self.memory, data, 1, training=True)
        lowering.update(optimizer.update())
        self.program = lowering.program
        self.runner = runner(self.program)

    def step(self, *gradients):
        for weight, gradient in zip(self.weights, gradients, strict=True):
            self.memory.gradient(weight)[...] = gradient
        rates = self.optimizer.learning_rates(1)
        self.runner.run(Steps(np.array([0, 1]), rates, self.optimizer.iterations))
        self.optimizer.iterations += 1


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize(
    ("name", "arguments", "want"),
    [pytest.param(*row, id=f"{row[0]}-{i}") for i, row in enumerate(GOLDEN["optimizers"])],
)
def test_steps_are_those_of_keras(name, arguments, want, dtype):
    training = Training(getattr(optimizers, name)(**arguments), dtype)
    for gradients in GOLDEN["gradients"]:
        training.step(*gradients)
    if training.optimizer.use_ema:
        training.memory.parameters[...] = training.memory.slot("average")
    for weight, value in zip(training.weights, want, strict=True):
        # Keras' centered RMSprop squares in another order; the others agree to a rounding.
        np.testing.assert_allclose(weight.value, value, rtol=1e-6, atol=5e-7 if dtype == "float32" else 1e-9)


@pytest.mark.parametrize(
    ("name", "arguments", "want"), [pytest.param(*row, id=f"{row[0]}-{i}") for i, row in enumerate(GOLDEN["schedules"])]
)
def test_schedules_are_those_of_keras(name, arguments, want):
    schedule = getattr(optimizers.schedules, name)(**arguments)
    np.testing.assert_allclose(schedule.evaluate(np.arange(30)), want, rtol=2e-5, atol=1e-8)  # Keras' are float32
    assert schedule(4) == schedule.evaluate([4])[0]
    twin = optimizers.schedules.get(optimizers.schedules.serialize(schedule))
    assert type(twin) is type(schedule)
    assert twin.get_config() == schedule.get_config()


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("argument", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_clipping_takes_in_the_penalties_gradient(argument):
    # As in Keras, where a regularizer is a part of the loss whose gradient is clipped.
    l1, l2 = 0.4, 0.6
    training = Training(optimizers.SGD(1.0, **{argument: 0.5}), l1=l1, l2=l2)
    g_kernel, g_bias = (np.array(g) for g in GOLDEN["gradients"][0])
    full = g_kernel + l1 * np.sign(KERNEL) + l2 * KERNEL
    norms = {
        "clipnorm": (np.linalg.norm(full), np.linalg.norm(g_bias)),
        "global_clipnorm": (np.hypot(np.linalg.norm(full), np.linalg.norm(g_bias)),) * 2,
    }
    training.step(g_kernel, g_bias)
    for weight, start, g, i in zip(training.weights, (KERNEL, BIAS), (full, g_bias), (0, 1), strict=True):
        want = np.clip(g, -0.5, 0.5) if argument == "clipvalue" else g * min(1.0, 0.5 / norms[argument][i])
        np.testing.assert_allclose(weight.value, start - want, rtol=1e-12)


@pytest.mark.usefixtures("each_backend")
def test_norms_are_forgotten_after_each_step():
    training = Training(optimizers.SGD(1.0, global_clipnorm=1.0))
    before = training.memory.parameters.copy()
    for _ in range(3):
        training.step(np.full((3, 2), 100.0), np.full(2, 100.0))
        moved = np.linalg.norm(training.memory.parameters - before)
        np.testing.assert_allclose(moved, 1.0, rtol=1e-12)
        before = training.memory.parameters.copy()
    training.step(np.full((3, 2), 0.01), np.full(2, 0.01))
    np.testing.assert_allclose(training.memory.parameters - before, -0.01 * (before != 0), rtol=1e-9)


def test_one_instruction_for_each_group_of_settings():
    names = [i.op for i in Training(optimizers.Adam(global_clipnorm=1.0), l2=0.1).program.instructions[1:]]
    assert names == ["squared_norm", "squared_norm", "clip_scale", "adam_update", "adam_update"]
    names = [i.op for i in Training(optimizers.Adam(clipvalue=1.0)).program.instructions[1:]]
    assert names == ["adam_update"]
    names = [i.op for i in Training(optimizers.SGD(clipnorm=1.0, use_ema=True)).program.instructions[1:]]
    assert names == ["squared_norm"] * 2 + ["clip_scale"] * 2 + ["sgd_update"] * 2 + ["average_update"]
