"""Preprocessing layers against Keras' numbers (golden/make_preprocessing.py), formulas in float64, and themselves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import flyball
from flyball import layers
from flyball.program.lowering import Lowering
from flyball.program.memory import Memory
from flyball.program.nodes import DenseNode, ReshapeNode, Weight
from flyball.program.requests import Data
from flyball.program.runners import Steps, runner

GOLDEN = json.loads((Path(__file__).parent / "golden" / "preprocessing.json").read_text(encoding="utf-8"))
IMAGES = np.array(GOLDEN["x"])


def apply(stack, x, *, training=False, dtype="float64", seed=1):
    """Return what layers make of samples, in the Program of a prediction or of a training step's forward pass."""
    nodes, shape = [], x.shape[1:]
    for layer in stack:
        layer.build(shape)
        shape = layer.output_shape
        nodes += layer.lower()
    memory = Memory([weight for layer in stack for weight in layer.weights], np.dtype(dtype))
    for layer in stack:
        for weight in layer.weights:
            weight.value[...] = weight.initializer(weight.shape, memory.dtype, None)
    lowering = Lowering(nodes, memory, Data(x, None, np.arange(len(x))), len(x), training=training, seed=seed)
    value = lowering.forward()
    runner(lowering.program).run(Steps(np.array([0, len(x)]), np.zeros(1), 0))
    return value.array.reshape(len(x), *shape)


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize(
    "case", GOLDEN["cases"], ids=lambda case: f"{case['layer']}-{'-'.join(map(str, case['config'].values()))}"
)
def test_keras(case, dtype):
    layer = getattr(layers, case["layer"])(**case["config"])
    if case["layer"] == "Normalization" and "mean" not in case["config"]:
        layer.adapt(IMAGES)
    got = apply([layer], IMAGES.astype(dtype), training=case["layer"].startswith("Random"), dtype=dtype)
    assert got.dtype == dtype
    # Keras has float32 coordinates, numbers with 4 decimals here, and a weight of red of 0.2989.
    atol = 0.4 * 1e-4 * 255 if case["layer"] == "RandomColorDegeneration" else 2e-3
    np.testing.assert_allclose(got, case["y"], rtol=1e-5, atol=atol)


@pytest.mark.usefixtures("each_backend")
def test_integers_are_converted_once(dtype):
    x = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    np.testing.assert_allclose(apply([layers.Rescaling(1 / 255)], x, dtype=dtype), x / 255.0, rtol=1e-6)
    big = np.array([[2**24 + 4], [2**24 - 6]])
    np.testing.assert_allclose(apply([layers.Rescaling(0.5, -(2.0**23))], big, dtype=dtype), [[2.0], [-3.0]])


# --- adapt ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("axis", "reduced", "shape"),
    [(-1, (0, 1, 2), (3,)), (1, (0, 2, 3), (6,)), (2, (0, 1, 3), (8,)), ((1, 2), (0, 3), (6, 8)), (None, None, (1,))],
)
def test_statistics_in_double(axis, reduced, shape):
    x = (np.random.default_rng(1).standard_normal((700, 6, 8, 3)) + 1e6).astype(np.float32)
    layer = layers.Normalization(axis=axis)
    layer.adapt(x)
    layer.build(x.shape[1:])
    exact = x.astype(np.float64)
    assert [weight.shape for weight in layer.weights] == [shape, shape]
    mean, variance = (weight.initializer(shape, "float64", None) for weight in layer.weights)
    np.testing.assert_allclose(mean, exact.mean(axis=reduced).reshape(shape), rtol=1e-15)
    np.testing.assert_allclose(variance, exact.var(axis=reduced).reshape(shape), rtol=1e-10)
    assert not layer.trainable_weights


def test_memory_maps_are_read_in_blocks(tmp_path, monkeypatch):
    x = np.random.default_rng(2).integers(0, 1000, (5000, 7)).astype(np.int16)
    np.save(tmp_path / "x.npy", x)
    monkeypatch.setattr("flyball.layers.preprocessing.BLOCK", 700)
    layer = layers.Normalization()
    layer.adapt(np.load(tmp_path / "x.npy", mmap_mode="r"))
    np.testing.assert_allclose(layer._adapted["mean"], x.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(layer._adapted["variance"], x.var(axis=0), rtol=1e-13)


@pytest.mark.usefixtures("each_backend")
def test_adapted_before_or_after_the_model_is_built(dtype):
    x = np.random.default_rng(3).gamma(2.0, [1.0, 100.0, 1e-3, 5.0], (300, 4))
    x[:, 3] = 5.0  # no variance
    outputs = []
    for early in (True, False):
        layer = layers.Normalization()
        if early:
            layer.adapt(x)
            model = flyball.Sequential([layer], dtype=dtype)
            assert model.input_shape == (None, 4)
        else:
            model = flyball.Sequential([layers.Input((4,)), layer], dtype=dtype)
            np.testing.assert_allclose(model.predict(x), x, rtol=1e-6)
            layer.adapt(x)
        outputs.append(model.predict(x))
    np.testing.assert_array_equal(*outputs)
    np.testing.assert_allclose(outputs[0][:, :3].mean(axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(outputs[0][:, :3].std(axis=0), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(outputs[0][:, 3], 0.0)


def test_examples_of_keras_documentation():
    data = np.array([[0.0, 7.0, 4.0], [2.0, 9.0, 6.0], [0.0, 7.0, 4.0], [2.0, 9.0, 6.0]], np.float32)
    layer = layers.Normalization(axis=-1)
    layer.adapt(data)
    np.testing.assert_array_equal(layer(data[:1]), [[-1.0, -1.0, -1.0]])
    inverse = layers.Normalization(axis=-1, invert=True)
    inverse.adapt(data)
    np.testing.assert_array_equal(inverse(np.array([[1.0, 2.0, 3.0]], np.float32)), [[2.0, 10.0, 8.0]])
    known = layers.Normalization(mean=3.0, variance=2.0)
    np.testing.assert_allclose(known(np.array([[1.0], [2.0], [3.0]])), [[-(2**0.5)], [-(0.5**0.5)], [0.0]])


def test_saved_with_the_model(tmp_path):
    x = np.random.default_rng(4).standard_normal((50, 3)) * [1, 10, 100] + 7
    layer = layers.Normalization()
    layer.adapt(x)
    model = flyball.Sequential([layer, layers.Rescaling([1.0, 2.0, 3.0], 0.5), layers.Dense(2)])
    model.save(tmp_path / "model")
    again = flyball.load_model(tmp_path / "model")
    np.testing.assert_array_equal(model.predict(x), again.predict(x))
    statistics = again.layers[0].get_weights()
    np.testing.assert_allclose(statistics, [x.mean(axis=0), x.var(axis=0)], rtol=1e-6)


@pytest.mark.usefixtures("each_backend")
def test_gradients_pass_through():
    """A network that ends in physical units: the inverse of the targets' normalisation after a dense layer."""
    rng = np.random.default_rng(5)
    x, y, w = rng.standard_normal((9, 4)), rng.standard_normal((9, 6)), rng.standard_normal((4, 6))
    weight = Weight("w", (4, 6), lambda s, d, r: w)
    inverse = layers.Normalization(axis=-1, mean=[5.0, 6.0], variance=[4.0, 9.0], invert=True)
    forward = layers.Normalization(axis=1, mean=[1.0, 2.0, 3.0], variance=[0.5, 0.25, 2.0])
    rescaling = layers.Rescaling([3.0, 4.0], 1.0)
    nodes = [DenseNode("dense", weight), ReshapeNode("fold", (3, 2))]
    for layer in (inverse, forward, rescaling):
        layer.build((3, 2))
        nodes += layer.lower()
    nodes.append(ReshapeNode("flat", (6,)))
    memory = Memory([weight], np.dtype("float64"))
    weight.value[...] = w
    lowering = Lowering(nodes, memory, Data(x, y, np.arange(9)), 9, training=True)
    lowering.objective(flyball.losses.MeanSquaredError().objective)
    runner(lowering.program).run(Steps(np.array([0, 9]), np.zeros(1), 0))
    scale = np.sqrt([4.0, 9.0]) / np.sqrt([0.5, 0.25, 2.0])[:, None] * [3.0, 4.0]
    z = (x @ w).reshape(9, 3, 2) * np.sqrt([4.0, 9.0]) + [5.0, 6.0]
    z = (z - np.array([[1.0], [2.0], [3.0]])) / np.sqrt([0.5, 0.25, 2.0])[:, None] * [3.0, 4.0] + 1.0
    error = z - y.reshape(9, 3, 2)
    np.testing.assert_allclose(lowering.program.buffers["losses"].array, np.square(error).mean(axis=(1, 2)))
    gradient = x.T @ (2.0 * error * scale).reshape(9, 6) / 54.0
    np.testing.assert_allclose(memory.gradient(weight), gradient, rtol=1e-12)


@pytest.mark.usefixtures("each_backend")
def test_training_is_that_on_data_prepared_before():
    rng = np.random.default_rng(6)
    x = rng.integers(0, 256, (120, 5), dtype=np.uint8)
    y = (x[:, 0] > 128).astype(int)
    prepared = (x / 255.0).astype(np.float64)
    histories = []
    for first, samples in (([layers.Rescaling(1 / 255)], x), ([], prepared)):
        flyball.utils.set_random_seed(2)
        model = flyball.Sequential(
            [layers.Input((5,)), *first, layers.Dense(8, activation="relu"), layers.Dense(2, activation="softmax")],
            dtype="float64",
        )
        model.compile("adam", "sparse_categorical_crossentropy")
        histories.append(model.fit(samples, y, epochs=3, batch_size=32, verbose=0).history["loss"])
    np.testing.assert_allclose(*histories, rtol=1e-12)


@pytest.mark.parametrize(
    "layer",
    [
        layers.Rescaling([[0.5], [0.25]], 3),
        layers.Normalization(axis=(1, 2)),
        layers.Normalization(axis=None),
        layers.Normalization(mean=[1, 2], variance=[3, 4], invert=True),
        layers.CenterCrop(3, 4),
        layers.Resizing(5, 6, "nearest", pad_to_aspect_ratio=True),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_survive_json(layer):
    config = json.loads(json.dumps(layers.serialize(layer)))
    assert json.loads(json.dumps(layers.deserialize(config).get_config())) == config["config"]


def test_nothing_to_do_costs_nothing():
    for layer in (layers.Rescaling(1.0), layers.Rescaling([1.0, 1.0]), layers.CenterCrop(4, 2), layers.Resizing(4, 2)):
        layer.build((4, 2))
        assert layer.lower() == []


# --- bad input --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Rescaling("1"), "scale must be a finite number, or an array of them"),
        (lambda: layers.Rescaling(1.0, np.nan), "offset must be a finite number"),
        (lambda: layers.Rescaling([1.0, 2.0]).build((4, 3)), r"scale must be a number or of a shape that broadcasts"),
        (lambda: layers.Normalization(axis=0), "axis must be an integer other than 0"),
        (lambda: layers.Normalization(axis=3).build((4, 3)), "axis must be one of the 2 axes of a sample"),
        (lambda: layers.Normalization(axis=(1, 3)).build((4, 3, 2)), "axis must be neighbouring axes"),
        (lambda: layers.Normalization(mean=1.0), "variance must be given if and only if mean is"),
        (lambda: layers.Normalization(mean=1.0, variance=-1.0), "variance must be non-negative"),
        (lambda: layers.Normalization(mean=[1, 2, 3], variance=[1, 2, 3]).build((4,)), "mean must be a number or of a"),
        (lambda: layers.Normalization(mean=1, variance=1).adapt([[1.0]]), "data must not be given to a layer that"),
        (lambda: layers.Normalization().adapt(iter([[1.0]])), r"data must be an array .*, got 'list_iterator'"),
        (lambda: layers.Normalization().adapt([1.0]), r"data must be an array of numbers \(samples, \.\.\.\)"),
        (lambda: layers.Normalization().adapt([[1.0], [np.inf]]), "data must be finite"),
        (lambda: layers.Normalization(input_shape=(3,)).adapt([[1.0]]), r"data must be samples of shape \(3,\)"),
        (lambda: layers.Resizing(0, 3), "height must be a positive integer"),
        (lambda: layers.Resizing(3, 3, "bicubic"), "interpolation must be one of bilinear, nearest"),
        (lambda: layers.Resizing(3, 3, antialias=True), "antialias must be False"),
        (
            lambda: layers.Resizing(3, 3, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
            "pad_to_aspect_ratio must be False where crop_to_aspect_ratio is True",
        ),
        (lambda: layers.CenterCrop(3, 3).build((9,)), r"input_shape must be \(height, width\)"),
    ],
)
def test_bad_arguments(make, message):
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=message):
        make()


def test_images_are_resized_before_anything_learns():
    w = Weight("w", (3, 3), lambda s, d, r: np.eye(3))
    layer = layers.Resizing(2, 2)
    layer.build((4, 3))
    nodes = [DenseNode("dense", w), *layer.lower()]
    memory = Memory([w], np.dtype("float64"))
    lowering = Lowering(nodes, memory, Data(np.ones((2, 4, 3))), 2, training=True)
    with pytest.raises(ValueError, match=f"{layer.name}: images must be resized before the first layer that learns"):
        lowering.forward()
