"""Every layer inside a model: gradients, backends, threads, files, and what it does in training and in inference."""

from __future__ import annotations

import numpy as np
import pytest

import flyball as fb
from flyball import layers
from flyball.backend import backend_scope
from flyball.program.lowering import Data, Lowering, Objective
from flyball.program.runners import Steps, runner

SQUARES = Objective("pointwise_loss", "targets", scalars=(("loss", "mean_squared_error"), ("delta", 1.0)))
IMAGE = (3, 2, 6)

# What stands between two Dense layers, and the shape of a sample.
STACKS = {
    "dense of images": (lambda: [layers.Dense(4, "tanh")], IMAGE),
    "noisy kernel": (lambda: [layers.Dense(4, "sigmoid", kernel_noise=0.1)], IMAGE),
    "reshape": (lambda: [layers.Reshape((-1, 9)), layers.Dense(3, "softplus"), layers.Flatten()], IMAGE),
    "silu": (lambda: [layers.Activation("silu")], IMAGE),
    "softmax": (lambda: [layers.Softmax()], IMAGE),
    "softmax of two axes": (lambda: [layers.Softmax(axis=(-2, -1))], IMAGE),
    "log softmax": (lambda: [layers.Activation("log_softmax")], IMAGE),
    "elu": (lambda: [layers.ELU(0.7)], (6,)),
    "batch norm": (lambda: [layers.BatchNormalization()], (6,)),
    "batch norm of images": (lambda: [layers.BatchNormalization(), layers.Activation("tanh")], IMAGE),
    "batch norm, channels first": (lambda: [layers.BatchNormalization(axis=1)], IMAGE),
    "batch norm and dropout": (lambda: [layers.BatchNormalization(axis=1), layers.Dropout(0.5)], IMAGE),
    "frozen batch norm": (lambda: [layers.BatchNormalization(trainable=False), layers.Activation("tanh")], IMAGE),
    "layer norm": (lambda: [layers.LayerNormalization()], IMAGE),
    "layer norm of two axes": (lambda: [layers.LayerNormalization(axis=[2, 3], center=False)], IMAGE),
    "group norm": (lambda: [layers.GroupNormalization(3)], IMAGE),
    "group norm, channels first": (lambda: [layers.GroupNormalization(-1, axis=1)], IMAGE),
    "group norm of rows": (lambda: [layers.GroupNormalization(2, scale=False)], (6,)),
    "rms norm": (lambda: [layers.RMSNormalization(epsilon=0.1)], IMAGE),
    "unit norm": (lambda: [layers.UnitNormalization(axis=(-2, -1))], IMAGE),
    "dropout": (lambda: [layers.Dropout(0.5)], IMAGE),
}


def made(name, dtype="float64"):
    """Return the model of a stack, and data for it."""
    fb.utils.set_random_seed(1)
    between, shape = STACKS[name]
    stack = [layers.Input(shape), layers.Dense(shape[-1]), *between(), layers.Flatten(), layers.Dense(2)]
    model = fb.Sequential(stack, dtype=dtype)
    rng = np.random.default_rng(0)
    for weight in model.weights:  # nothing 0 or 1, which could hide what is left out
        weight.value[...] = rng.uniform(0.3, 1.0, weight.shape) * np.where(rng.random(weight.shape) < 0.5, -1, 1)
        if weight.name.endswith("variance"):
            weight.value[...] = np.abs(weight.value)
    model.compile(fb.optimizers.SGD(0.01, momentum=0.9), "mean_squared_error")
    x, y = rng.standard_normal((13, *shape)).astype(dtype), rng.standard_normal((13, 2)).astype(dtype)
    return model, x, y


def loss_of_a_step(model, x, y):
    """Run one step without an update; return its loss, which leaves the gradients behind."""
    memory = model._require_built()
    statistics = memory.statistics.copy()
    lowering = Lowering(model._nodes(), memory, Data(x, y), len(x), training=True, seed=3)
    lowering.objective(SQUARES)
    runner(lowering.program).run(Steps(np.array([0, len(x)]), np.zeros(1), 0))
    memory.statistics[...] = statistics
    totals = [b.array[0] for n, b in lowering.program.buffers.items() if n.startswith("total_") and "hits" not in n]
    return sum(totals) / len(x)


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("name", STACKS)
def test_gradients_are_those_of_finite_differences(name):
    model, x, y = made(name)
    loss_of_a_step(model, x, y)
    weights = [w for w in model.weights if w.trainable]
    gradients = [model._require_built().gradient(w).copy() for w in weights]
    for i, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
        direction = np.random.default_rng(i).standard_normal(weight.shape)
        value, sides = weight.value.copy(), []
        for step in (1e-6, -1e-6):
            weight.value[...] = value + step * direction
            sides.append(loss_of_a_step(model, x, y))
        weight.value[...] = value
        expected = (sides[0] - sides[1]) / 2e-6
        if weight.name == "dense/bias" and "batch norm" in name:  # left out before batch statistics over the last axis
            expected = 0.0 if not gradient.any() else expected
        assert np.sum(gradient * direction) == pytest.approx(expected, rel=1e-6, abs=1e-8), weight.name


@pytest.mark.parametrize("name", STACKS)
def test_backends_and_threads_agree(name, dtype):
    runs = {}
    for backend, threads in (("native", 1), ("native", 2), ("native", 3), ("reference", 1)):
        with backend_scope(backend):
            fb.set_num_threads(threads)
            model, x, y = made(name, dtype)
            history = model.fit(x, y, batch_size=5, epochs=2, verbose=0)
            runs[backend, threads] = [
                np.array(history.history["loss"]), model.predict(x, verbose=0), *model.get_weights()
            ]  # fmt: skip
    tolerance = {"rtol": 2e-4, "atol": 2e-4} if dtype == "float32" else {"rtol": 1e-9, "atol": 1e-10}
    for one, two, three, reference in zip(*runs.values(), strict=True):
        assert one.tobytes() == two.tobytes() == three.tobytes()
        np.testing.assert_allclose(one, reference, **tolerance)


@pytest.mark.parametrize("name", STACKS)
def test_models_are_the_same_after_saving(name, tmp_path, capsys):
    model, x, y = made(name)
    model.fit(x, y, batch_size=5, verbose=0)
    model.save(tmp_path / "model")
    loaded = fb.load_model(tmp_path / "model")
    assert loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    model.summary()
    printed = capsys.readouterr().out
    assert all(layer.name in printed for layer in model.layers)
