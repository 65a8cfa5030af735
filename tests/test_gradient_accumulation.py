"""Updates that several steps have together, and averages of weights that the training goes on from."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest

import flyball
from flyball import callbacks, constraints, layers, optimizers, regularizers

STEPS = 4


def data(rows=48):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 7))
    return x, (x[:, 0] + x[:, 1] ** 2 > 1).astype(int)


def new_model(optimizer, dtype="float64", seed=1, noisy=False, **options):
    flyball.utils.set_random_seed(seed)
    between = [layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.3)] if noisy else [layers.ReLU()]
    stack = [flyball.Input((7,)), layers.Dense(17, **options), *between, layers.Dense(2, "softmax", **options)]
    model = flyball.Sequential(stack, dtype=dtype)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def fit(model, batch, epochs=3, initial_epoch=0, rows=48, shuffle=False, **options):
    settings = {"shuffle": shuffle, "verbose": 0, "initial_epoch": initial_epoch, **options}
    return model.fit(*data(rows), batch, epochs, **settings)


# --- batches in parts are the batch ------------------------------------------------------------------------------

OPTIMIZERS = {
    "SGD": (optimizers.SGD, {"learning_rate": 0.5, "momentum": 0.9, "nesterov": True}),
    "Adam": (optimizers.Adam, {"learning_rate": 0.01, "amsgrad": True}),
    "Nadam": (optimizers.Nadam, {"learning_rate": 0.01}),
    "Adamax": (optimizers.Adamax, {"learning_rate": 0.01}),
    "RMSprop": (optimizers.RMSprop, {"learning_rate": 0.01, "centered": True, "momentum": 0.5}),
    "Adagrad": (optimizers.Adagrad, {"learning_rate": 0.1}),
    "Adadelta": (optimizers.Adadelta, {"learning_rate": 1.0}),
    "Lion": (optimizers.Lion, {"learning_rate": 0.001}),
    "decay": (optimizers.AdamW, {"learning_rate": 0.01, "weight_decay": 0.5}),
    "clipnorm": (optimizers.SGD, {"learning_rate": 0.5, "clipnorm": 0.01}),
    "global_clipnorm": (optimizers.SGD, {"learning_rate": 0.5, "global_clipnorm": 0.01}),
    "clipvalue": (optimizers.SGD, {"learning_rate": 0.5, "clipvalue": 0.001}),
    "lookahead": (lambda **o: optimizers.Lookahead(optimizers.SGD(0.5, **o), 2), {}),
}
PENALTIES = {
    "none": {},
    "l1l2": {"kernel_regularizer": regularizers.L1L2(0.01, 0.02), "bias_regularizer": "l2"},
    "max_norm": {"kernel_constraint": constraints.MaxNorm(0.2)},
}


def assert_same_training(parts, whole, **options):
    for model in (parts, whole):  # inside the constraint, which acts before the first update, too
        model.set_weights([0.1 * weight for weight in model.get_weights()])
    ran = [fit(parts, 4, **options), fit(whole, 4 * STEPS, **options)]
    np.testing.assert_allclose(ran[0].history["loss"], ran[1].history["loss"], rtol=1e-9)
    assert not np.allclose(parts.get_weights()[0], new_model("sgd").get_weights()[0], rtol=1e-3)
    for a, b in zip(parts.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_update_of_several_batches_is_that_of_one_of_all_their_rows(name, penalty):
    make, options = OPTIMIZERS[name]
    parts = new_model(make(**options, gradient_accumulation_steps=STEPS), **PENALTIES[penalty])
    assert_same_training(parts, new_model(make(**options), **PENALTIES[penalty]))
    assert (parts.optimizer.steps, parts.optimizer.iterations) == (36, 9)


@pytest.mark.usefixtures("each_backend")
def test_constraints_act_after_every_step():
    # As in Keras: also after those without an update.
    model = new_model(optimizers.SGD(0.1, gradient_accumulation_steps=3), kernel_constraint=constraints.MaxNorm(0.2))
    assert np.linalg.norm(model.get_weights()[0], axis=0).max() > 0.3
    model.train_on_batch(*data(8))
    np.testing.assert_allclose(np.linalg.norm(model.get_weights()[0], axis=0), 0.2, rtol=1e-12)


@pytest.mark.usefixtures("each_backend")
def test_proximal_penalties_act_once_an_update():
    def make(**options):
        penalty = regularizers.L1(0.05, proximal=True)
        return new_model(optimizers.SGD(0.1, **options), kernel_regularizer=penalty)

    parts = make(gradient_accumulation_steps=STEPS)
    assert_same_training(parts, make())
    assert np.any(parts.get_weights()[0] == 0.0)


@pytest.mark.usefixtures("each_backend")
def test_batches_count_alike_whatever_their_rows():
    x, y = data(24)
    batches = [(x[:4], y[:4]), (x[4:12], y[4:12]), (x[12:], y[12:])]  # each needs a larger Program
    model = new_model(optimizers.SGD(0.5, gradient_accumulation_steps=3))
    model.fit(iter(batches), steps_per_epoch=3, verbose=0)
    alone = []
    for batch in batches:
        plain = new_model(optimizers.SGD(0.5))
        plain.train_on_batch(*batch)
        alone.append(plain.get_weights())
    for weight, *steps in zip(model.get_weights(), *alone, strict=True):
        np.testing.assert_allclose(weight, np.mean(steps, axis=0), rtol=1e-12)


def test_two_steps_an_update():
    parts = new_model(optimizers.SGD(0.5, gradient_accumulation_steps=2))
    whole = new_model(optimizers.SGD(0.5))
    fit(parts, 8)
    fit(whole, 16)
    np.testing.assert_allclose(parts.get_weights()[0], whole.get_weights()[0], rtol=1e-10)


# --- what is counted ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("each_backend")
def test_weights_move_with_every_third_step_and_losses_count_penalties_at_all():
    penalty = regularizers.L2(0.1)
    model = new_model(optimizers.SGD(0.5, gradient_accumulation_steps=3), kernel_regularizer=penalty)
    plain = new_model("sgd")
    x, y = data(8)
    moved, before = [], model.get_weights()
    for _ in range(7):
        plain.set_weights(before)
        kernels = before[0], before[2]
        expected = plain.test_on_batch(x, y) + sum(0.1 * np.square(kernel).sum() for kernel in kernels)
        assert model.train_on_batch(x, y) == pytest.approx(expected, rel=1e-10)
        after = model.get_weights()
        moved.append(not np.array_equal(before[0], after[0]))
        before = after
    assert moved == [False, False, True, False, False, True, False]
    assert (model.optimizer.steps, model.optimizer.iterations) == (7, 2)


@pytest.mark.usefixtures("each_backend")
def test_schedules_count_steps():
    schedule = optimizers.schedules.PiecewiseConstantDecay([1, 3], [100.0, 1.0, 0.01])  # steps 0, 1; 2, 3; 4 on
    model = new_model(optimizers.SGD(schedule, gradient_accumulation_steps=2))
    x, y = data(8)
    rates = []
    for _ in range(3):
        before = model.get_weights()[0]
        model.train_on_batch(x, y)
        gradient = model._memory.gradient(model.layers[0].kernel).copy()
        np.testing.assert_array_equal(model.get_weights()[0], before)
        assert model.optimizer.learning_rate == schedule(model.optimizer.steps)
        model.train_on_batch(x, y)
        step = before - model.get_weights()[0]
        rates.append(float(np.sum(step * gradient) / np.sum(gradient * gradient)))  # both batches are the same
    np.testing.assert_allclose(rates, [100.0, 1.0, 0.01], rtol=1e-8)


def test_an_epoch_of_fewer_steps_than_an_update():
    model = new_model(optimizers.SGD(0.5, gradient_accumulation_steps=5), kernel_regularizer="l2")
    before = model.get_weights()
    history = fit(model, 16, 1)
    assert all(map(np.array_equal, model.get_weights(), before))
    assert history.history["loss"][0] == pytest.approx(model.evaluate(*data(), verbose=0), rel=1e-10)
    fit(model, 16, 2, initial_epoch=1)
    assert not np.array_equal(model.get_weights()[0], before[0])


def test_dropout_differs_between_the_steps_of_an_update():
    model = new_model(optimizers.SGD(0.5, gradient_accumulation_steps=3), noisy=True)
    x, y = data(8)
    assert model.train_on_batch(x, y) != model.train_on_batch(x, y)


# --- bits --------------------------------------------------------------------------------------------------------


def noisy(dtype="float32", seed=1, **options):
    penalty = regularizers.L1L2(1e-3, 1e-3)
    given = {"global_clipnorm": 0.5, "gradient_accumulation_steps": 3, "weight_decay": 0.01, **options}
    return new_model(optimizers.Adam(0.01, **given), dtype, seed, noisy=True, kernel_regularizer=penalty)


def shuffled(model, epochs, initial_epoch=0, **options):
    return fit(model, 10, epochs, initial_epoch, shuffle=True, **options)  # 5 steps an epoch


def test_the_same_bits_for_any_number_of_threads(dtype):
    found = set()
    for threads in (1, 2, 3, 5):
        flyball.set_num_threads(threads)
        model = noisy(dtype, use_ema=True, ema_overwrite_frequency=2)
        shuffled(model, 4)
        found.add(model.fingerprint())
    assert len(found) == 1


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("part", [1, 2, 3])
def test_a_training_in_two_parts_is_one(tmp_path, part):
    options = {"use_ema": True, "ema_overwrite_frequency": 2}
    whole, parts = noisy(**options), noisy(**options)
    history = shuffled(whole, 5)
    shuffled(parts, part)
    assert parts.optimizer.steps % 3 != 0 or part == 3
    parts.save(tmp_path / "m")
    loaded = flyball.load_model(tmp_path / "m")
    assert loaded.fingerprint() == parts.fingerprint()
    for model in (parts, loaded):
        rest = shuffled(model, 5, part)
        assert model.fingerprint() == whole.fingerprint()
        assert rest.history["loss"] == history.history["loss"][part:]


def test_fit_train_on_batch_and_generators_are_one_training():
    x, y = data()
    batches = [(x[i : i + 10], y[i : i + 10]) for i in range(0, 48, 10)]
    one, two, three = noisy(), noisy(), noisy()
    fit(one, 10, 2)
    for _ in range(2):
        for batch in batches:
            two.train_on_batch(*batch)
    three.fit((batch for _ in range(2) for batch in batches), epochs=2, steps_per_epoch=5, verbose=0)
    two._epochs = 2
    assert one.fingerprint() == two.fingerprint() == three.fingerprint()


@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_a_run_that_was_broken_off_inside_an_update(tmp_path, step):
    seen = []

    def stop(batch, logs):
        seen.append(batch)
        if len(seen) == step:
            raise KeyboardInterrupt

    broken, resumed, whole = noisy(), noisy(seed=9), noisy()
    shuffled(whole, 3)
    watchers = [callbacks.BackupAndRestore(tmp_path, 1), callbacks.LambdaCallback(on_train_batch_end=stop)]
    with pytest.raises(KeyboardInterrupt):
        shuffled(broken, 3, callbacks=watchers)
    assert broken.optimizer.steps == step
    shuffled(resumed, 3, callbacks=[callbacks.BackupAndRestore(tmp_path, 1)])
    assert resumed.fingerprint() == whole.fingerprint()


@pytest.mark.skipif(os.name != "posix", reason="SIGINT is POSIX's")
def test_a_real_ctrl_c(interruptible, each_backend):
    """Wherever in an update it comes, the steps that are done are those of a run that was told to stop after them."""
    x, y = (np.tile(array, (200,) + (1,) * (array.ndim - 1)) for array in data())

    def train(model, epochs, **options):
        model.fit(x, y, 4, epochs, verbose=0, shuffle=False, **options)

    broken, told = noisy(gradient_accumulation_steps=97), noisy(gradient_accumulation_steps=97)
    timer = threading.Timer(0.15, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        train(broken, 10_000)
    timer.join()
    assert broken.optimizer.steps > 0
    epochs, steps = divmod(broken.optimizer.steps, len(x) // 4)
    if epochs:
        train(told, epochs)
    if steps:
        train(told, 1, steps_per_epoch=steps)
    broken._epochs = told._epochs
    assert broken.fingerprint() == told.fingerprint()


def test_gradients_are_checked_before_they_are_summed():
    model = new_model(optimizers.SGD(0.1, gradient_accumulation_steps=2), kernel_regularizer="l2")
    assert flyball.inspect.check_gradients(model, *data(8)).passed


# --- averages that the training goes on from ---------------------------------------------------------------------


@pytest.mark.usefixtures("each_backend")
def test_every_second_update_the_weights_become_their_average():
    model = new_model(optimizers.SGD(0.5, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=2))
    plain = new_model(optimizers.SGD(0.5))
    x, y = data(8)
    average = None
    for step in range(1, 6):
        plain.set_weights(model.get_weights())
        plain.train_on_batch(x, y)
        weights = plain.get_weights()
        pairs = zip(average or weights, weights, strict=True)
        average = [w if average is None else 0.8 * old + 0.2 * w for old, w in pairs]
        model.train_on_batch(x, y)
        for value, want in zip(model.get_weights(), weights if step % 2 else average, strict=True):
            np.testing.assert_allclose(value, want, rtol=1e-12)


# --- what it looks like ------------------------------------------------------------------------------------------


def test_the_program_says_in_which_steps_an_instruction_runs():
    options = {"use_ema": True, "ema_overwrite_frequency": 5, "gradient_accumulation_steps": 4, "clipnorm": 1.0}
    program = str(new_model(optimizers.SGD(0.1, **options), kernel_regularizer="l2").program())
    lines = [line.strip().split("  ")[-1] for line in program.splitlines()]
    for start, end in (
        ("accumulate(y=accumulated, x=gradients, keep=0, scale=1)", " if step % 4 in range(0, 1)"),
        ("accumulate(y=accumulated, x=gradients, keep=1, scale=1)", " if step % 4 in range(1, 3)"),
        ("accumulate(y=gradients, x=accumulated, keep=0.25, scale=0.25)", " if step % 4 in range(3, 4)"),
        ("activity_penalty(", " if step % 4 in range(0, 3)"),
        ("squared_norm(", " if step % 4 in range(3, 4)"),
        ("clip_scale(", " if step % 4 in range(3, 4)"),
        ("sgd_update(", " if step % 4 in range(3, 4)"),
        ("average_update(", ")"),
        ("activation_forward(y=parameters, x=average", " if step % 20 in range(16, 20)"),
    ):
        found = [line for line in lines if line.startswith(start)]
        assert found, start
        assert all(line.endswith(end) for line in found), found


def test_layers_may_be_called_what_buffers_are():
    stack = [layers.Dense(3, name=name) for name in ("gradients", "accumulated", "average", "parameters")]
    model = flyball.Sequential([flyball.Input((2,)), *stack])
    model.compile(optimizers.SGD(0.1, gradient_accumulation_steps=2, use_ema=True), "mse")
    model.fit(np.ones((4, 2)), np.ones((4, 3)), 1, verbose=0)
    assert model.optimizer.iterations == 2


def test_a_profile_takes_an_instruction_for_its_part_of_the_steps():
    model = new_model(optimizers.SGD(0.1, gradient_accumulation_steps=4))
    lines = {line.instruction: line for line in model.profile(*data(), batch_size=8).lines}
    plain = {line.instruction: line for line in new_model(optimizers.SGD(0.1)).profile(*data(), batch_size=8).lines}
    assert lines["sgd_update"].operations == plain["sgd_update"].operations / 4
    assert lines["sgd_update"].bytes == plain["sgd_update"].bytes / 4
    assert lines["sgd_update"].seconds > 0.0
    assert model.optimizer.steps == 0


def test_configurations_have_the_arguments():
    options = {"use_ema": True, "ema_overwrite_frequency": 5, "gradient_accumulation_steps": 4}
    config = optimizers.Adam(**options).get_config()
    assert {name: config[name] for name in options} == options
    twin = optimizers.get(optimizers.serialize(optimizers.Adam(**options)))
    assert twin.get_config() == config
    assert optimizers.Adam().get_config()["gradient_accumulation_steps"] is None


@pytest.mark.parametrize("value", [0, 1, -2, 2.5, "3", True])
def test_bad_steps(value):
    with pytest.raises((ValueError, TypeError), match="gradient_accumulation_steps must be an integer >= 2, got"):
        optimizers.SGD(gradient_accumulation_steps=value)


@pytest.mark.parametrize("value", [0, -1, 1.5, "3", True])
def test_bad_frequencies(value):
    with pytest.raises((ValueError, TypeError), match="ema_overwrite_frequency must be a positive integer, got"):
        optimizers.SGD(use_ema=True, ema_overwrite_frequency=value)


def test_the_number_of_steps_stays():
    optimizer = optimizers.SGD(gradient_accumulation_steps=2)
    with pytest.raises(AttributeError, match="gradient_accumulation_steps"):
        optimizer.gradient_accumulation_steps = 3
    with pytest.raises(AttributeError, match="gradient_accumulation_steps"):
        optimizers.Lookahead(optimizer).gradient_accumulation_steps = 3
