"""Optimizers and schedules against the numbers that Keras makes (golden/make_optimizers.py), on both backends."""

import json
from pathlib import Path

import numpy as np
import pytest
from optimizer_step import Stepper

from flyball import optimizers
from flyball.program.nodes import Weight

GOLDEN = json.loads((Path(__file__).parent / "golden" / "optimizers.json").read_text(encoding="utf-8"))
KERNEL, BIAS = np.array(GOLDEN["kernel"]), np.array(GOLDEN["bias"])


def training_of(optimizer, dtype="float64", l1=0.0, l2=0.0):
    """Return two parameter arrays with the optimizer's steps."""
    weights = [Weight("w", (3, 2), None, l1=l1, l2=l2), Weight("b", (2,), None)]
    return Stepper(optimizer, weights, (KERNEL, BIAS), dtype)


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize(
    ("name", "arguments", "want"),
    [pytest.param(*row, id=f"{row[0]}-{i}") for i, row in enumerate(GOLDEN["optimizers"])],
)
def test_steps_are_those_of_keras(name, arguments, want, dtype):
    training = training_of(getattr(optimizers, name)(**arguments), dtype)
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
    training = training_of(optimizers.SGD(1.0, **{argument: 0.5}), l1=l1, l2=l2)
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
    training = training_of(optimizers.SGD(1.0, global_clipnorm=1.0))
    before = training.memory.parameters.copy()
    for _ in range(3):
        training.step(np.full((3, 2), 100.0), np.full(2, 100.0))
        moved = np.linalg.norm(training.memory.parameters - before)
        np.testing.assert_allclose(moved, 1.0, rtol=1e-12)
        before = training.memory.parameters.copy()
    training.step(np.full((3, 2), 0.01), np.full(2, 0.01))
    np.testing.assert_allclose(training.memory.parameters - before, -0.01 * (before != 0), rtol=1e-9)


def test_one_instruction_for_each_group_of_settings():
    names = [i.op for i in training_of(optimizers.Adam(global_clipnorm=1.0), l2=0.1).program.instructions[1:]]
    assert names == ["squared_norm", "squared_norm", "clip_scale", "adam_update", "adam_update"]
    names = [i.op for i in training_of(optimizers.Adam(clipvalue=1.0)).program.instructions[1:]]
    assert names == ["adam_update"]
    names = [i.op for i in training_of(optimizers.SGD(clipnorm=1.0, use_ema=True)).program.instructions[1:]]
    assert names == ["squared_norm"] * 2 + ["clip_scale"] * 2 + ["sgd_update"] * 2 + ["average_update"]
