"""Exported models give onnxruntime's answers, and the format's own evaluator's, for any number of samples."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import flyball as fb
from flyball import backend, initializers, layers

onnx = pytest.importorskip("onnx")
evaluator = pytest.importorskip("onnx.reference")
ort = pytest.importorskip("onnxruntime")

ACTIVATIONS = [*backend.ACTIVATIONS, "softmax", "log_softmax"]
LACKS_FLOAT64 = {"gelu"}  # onnxruntime has no float64 erf, and the format's evaluator one of float32's digits

# Relative to the largest value in the network: sums in another order, and the last bits of exp.
TOLERANCES = {("onnxruntime", "float32"): 1e-6, ("onnxruntime", "float64"): 1e-14, ("evaluator", "float64"): 1e-6}


def run(proto, x, outputs=("output",)):
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(list(outputs), {"input": x})


def largest_value(proto, x):
    """Return the size of the largest value of any node."""
    seen = onnx.ModelProto()
    seen.CopyFrom(proto)
    names = [node.output[0] for node in seen.graph.node]
    seen.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name != "output")
    return max(np.abs(value).max() for value in (x, *run(seen, x, names)))


def assert_same(model, x, proto=None, runtime="onnxruntime"):
    x = x.astype(model.dtype)
    proto = fb.onnx.convert(model) if proto is None else proto
    onnx.checker.check_model(proto, full_check=True)
    expected = model.predict(x)
    if runtime == "evaluator":
        (actual,), scale = evaluator.ReferenceEvaluator(proto).run(None, {"input": x}), np.abs(x).max()
    else:
        (actual,), scale = run(proto, x), largest_value(proto, x)
    assert actual.dtype == expected.dtype == model.dtype
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCES[runtime, model.dtype.name] * scale)


def samples(rows, *shape, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, *shape))


def with_values(model, seed=0):
    """Give all weights and running statistics values that are not what they begin with; variances are positive."""
    rng = np.random.default_rng(seed)
    values = [weight + 0.3 * rng.standard_normal(weight.shape) for weight in model.get_weights()]
    model.set_weights(
        [
            np.abs(value) + 0.5 if weight.name.endswith("variance") else value
            for value, weight in zip(values, model.weights, strict=True)
        ]
    )
    return model


@st.composite
def networks(draw):
    dtype = draw(st.sampled_from(["float32", "float64"]))
    names = [name for name in ACTIVATIONS if dtype == "float32" or name not in LACKS_FLOAT64]
    stack = [layers.Input((draw(st.integers(1, 9)),))]
    norms = [layers.LayerNormalization, layers.RMSNormalization, layers.UnitNormalization]
    for _ in range(draw(st.integers(1, 3))):
        # exponential of a large sum would make a single output the scale of all
        activation = draw(st.sampled_from([None, *(name for name in names if name != "exponential")]))
        stack.append(layers.Dense(draw(st.integers(1, 17)), activation, use_bias=draw(st.booleans())))
        if draw(st.booleans()):
            scale, center = draw(st.booleans()), draw(st.booleans())
            stack.append(layers.BatchNormalization(scale=scale, center=center, epsilon=0.01))
        elif draw(st.booleans()):
            stack.append(draw(st.sampled_from(norms))())
        if draw(st.booleans()):
            stack.append(layers.Dropout(0.5))
        if draw(st.booleans()):
            stack.append(layers.ReLU(*draw(st.sampled_from([(), (6,), (None, 0.1), (1.5, 0.2)]))))
    return with_values(fb.Sequential(stack, dtype=dtype), draw(st.integers(0, 99)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(model=networks(), rows=st.integers(1, 5))
def test_random_networks(model, rows):
    assert_same(model, samples(rows, *model.input_shape[1:]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation, dtype):
    model = fb.Sequential([layers.Activation(activation, input_shape=(200,))], dtype=dtype)
    x = np.concatenate([np.linspace(-8, 8, 197), [0.0, 1e-6, -1e-6]]).reshape(1, -1)
    runtime = "evaluator" if dtype == "float64" and activation in LACKS_FLOAT64 else "onnxruntime"
    assert_same(model, x, runtime=runtime)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.LeakyReLU(0.2),
        lambda: layers.ELU(0.7),
        layers.Softmax,
        lambda: layers.ReLU(2.5),
        lambda: layers.ReLU(2.5, 0.3, 1.5),
        lambda: layers.ReLU(threshold=1.5),
        lambda: layers.PReLU(initializers.RandomNormal(seed=3)),
    ],
)
def test_activation_layers(layer, dtype):
    model = fb.Sequential([layers.Input((50,)), layer()], dtype=dtype)
    assert_same(model, np.linspace(-5, 5, 50).reshape(1, -1))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.Permute((3, 1, 2)),
        lambda: layers.Flatten("channels_first"),
        lambda: layers.PReLU(initializers.RandomNormal(seed=3), shared_axes=[1, 2]),
        lambda: layers.PReLU(initializers.RandomNormal(seed=3), shared_axes=[1, 3]),
        lambda: layers.Softmax(axis=(1, 3)),
        lambda: layers.Resizing(3, 7, data_format="channels_first"),
        lambda: layers.RandomFlip(data_format="channels_first"),
    ],
)
def test_axes_in_another_order(layer, dtype):
    model = fb.Sequential([layers.Input((3, 4, 5)), layer()], dtype=dtype)
    assert_same(model, samples(3, 3, 4, 5) - 0.5)


IMAGE_LAYERS = {
    "crop": lambda: layers.CenterCrop(4, 3),
    "crop of a smaller image": lambda: layers.CenterCrop(7, 9),
    "smaller": lambda: layers.Resizing(3, 4),
    "larger": lambda: layers.Resizing(9, 11),
    "nearest": lambda: layers.Resizing(9, 4, interpolation="nearest"),
    "cropped to the aspect": lambda: layers.Resizing(8, 3, crop_to_aspect_ratio=True),
    "padded to the aspect": lambda: layers.Resizing(8, 3, pad_to_aspect_ratio=True, fill_value=0.7),
    "random crop": lambda: layers.RandomCrop(5, 4),
    "rotation, which does nothing": lambda: layers.RandomRotation(0.3),
    "rescaling": lambda: layers.Rescaling(1 / 255, -0.5),
    "known statistics": lambda: layers.Normalization(axis=None, mean=2.0, variance=3.0),
    "inverse": lambda: layers.Normalization(axis=2, mean=np.arange(6.0), variance=np.arange(1.0, 7.0), invert=True),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
@pytest.mark.parametrize("layer", IMAGE_LAYERS.values(), ids=IMAGE_LAYERS)
def test_layers_of_images(layer, channels, dtype):
    shape = (5, 6, *channels)
    model = fb.Sequential([layers.Input(shape), layer()], dtype=dtype)
    assert_same(model, samples(3, *shape))


NORMALISATIONS = {
    "batch": layers.BatchNormalization,
    "batch, channels first": lambda: layers.BatchNormalization(axis=1),
    "layer": layers.LayerNormalization,
    "layer, two axes": lambda: layers.LayerNormalization(axis=(-2, -1)),
    "layer, no scale": lambda: layers.LayerNormalization(scale=False),
    "layer, no offset": lambda: layers.LayerNormalization(center=False, epsilon=0.1),
    "root mean square": layers.RMSNormalization,
    "root mean square, three axes": lambda: layers.RMSNormalization(axis=(1, 2, 3)),
    "length": layers.UnitNormalization,
    "length, two axes": lambda: layers.UnitNormalization(axis=(-2, -1)),
    "group": lambda: layers.GroupNormalization(2),
    "group, channels first": lambda: layers.GroupNormalization(2, axis=1),
    "group, no scale": lambda: layers.GroupNormalization(3, scale=False),
    "batch, an axis in the middle": lambda: layers.BatchNormalization(axis=2),
    "group, an axis in the middle": lambda: layers.GroupNormalization(5, axis=2),
    "layer, an axis in the middle": lambda: layers.LayerNormalization(axis=2),
    "root mean square, axes apart": lambda: layers.RMSNormalization(axis=(1, 3)),
    "length, a first axis": lambda: layers.UnitNormalization(axis=1),
    "instance": lambda: layers.GroupNormalization(-1),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layer", NORMALISATIONS.values(), ids=NORMALISATIONS)
def test_normalisations(layer, dtype):
    model = with_values(fb.Sequential([layers.Input((4, 5, 6)), layer(), layers.Activation("relu")], dtype=dtype))
    assert_same(model, 2.0 + samples(3, 4, 5, 6))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_residual_connections_and_classic_dropout(dtype):
    branch = [layers.LayerNormalization(), layers.Dense(5, "tanh", activity_regularizer="l2"), layers.Dropout(0.3)]
    inner = layers.Residual([layers.Dense(6), layers.Dropout(0.4, mode="classic")], drop_rate=0.5)
    stack = [
        layers.Input((4, 6)),
        layers.Residual(branch, layers.Dense(5, use_bias=False)),
        layers.Dense(6),
        layers.Residual([inner, layers.Activation("relu")]),
        layers.Residual([layers.Flatten()], layers.Flatten()),
        layers.Dense(3),
    ]
    assert_same(with_values(fb.Sequential(stack, dtype=dtype)), samples(3, 4, 6))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_networks_on_samples_of_several_axes(dtype):
    stack = [
        layers.Input((4, 6)),
        layers.Dense(8, "gelu_tanh"),
        layers.LayerNormalization(),
        layers.Reshape((2, 16)),
        layers.Dense(5, use_bias=False),
        layers.Softmax(axis=(-2, -1)),
        layers.Flatten(),
        layers.Dense(3),
    ]
    assert_same(with_values(fb.Sequential(stack, dtype=dtype)), samples(3, 4, 6))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rescaling_by_a_number_for_each_column_and_channel(dtype):
    columns, channels = np.arange(1.0, 7.0).reshape(6, 1), np.array([[0.5, -2.0]])
    model = fb.Sequential([layers.Input((5, 6, 2)), layers.Rescaling(columns, channels)], dtype=dtype)
    assert_same(model, samples(3, 5, 6, 2))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axis", [-1, 1, (1, 2), None])
def test_adapted_normalisation(axis, dtype):
    x = 3.0 + 2.0 * samples(50, 4, 3)
    layer = layers.Normalization(axis=axis)
    layer.adapt(x)
    assert_same(fb.Sequential([layers.Input((4, 3)), layer], dtype=dtype), x)


def test_a_trained_model_for_any_number_of_samples(tmp_path):
    x = samples(64, 6).astype(np.float32)
    model = fb.Sequential(
        [
            layers.Dense(16, use_bias=False, input_shape=(6,)),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Dropout(0.4),
            layers.Dense(3, "softmax"),
        ],
        name="iris",
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, np.arange(64) % 3, epochs=3, verbose=0)
    model.export(tmp_path / "model.onnx", metadata={"made from": "numbers"})
    proto = onnx.load(tmp_path / "model.onnx")
    for rows in (1, 2, 64):
        assert_same(model, x[:rows], proto)
    assert list(tmp_path.iterdir()) == [tmp_path / "model.onnx"]

    assert (proto.producer_name, proto.producer_version) == ("flyball", fb.__version__)
    assert {entry.key: entry.value for entry in proto.metadata_props} == {"made from": "numbers"}
    assert proto.graph.name == "iris"
    assert [node.op_type for node in proto.graph.node] == ["Gemm", "BatchNormalization", "Relu", "Gemm", "Softmax"]
    assert [tensor.name for tensor in proto.graph.initializer] == [weight.name for weight in model.weights]
    described = [(value.name, value.type.tensor_type) for value in (*proto.graph.input, *proto.graph.output)]
    assert [name for name, _ in described] == ["input", "output"]
    dims = [[d.dim_param or d.dim_value for d in kind.shape.dim] for _, kind in described]
    assert dims == [["batch", 6], ["batch", 3]]


def test_weights_are_those_of_the_moment():
    model = with_values(fb.Sequential([layers.Dense(2, input_shape=(3,))]))
    proto = fb.onnx.convert(model)
    before = model.predict(samples(4, 3))
    model.set_weights([np.zeros((3, 2)), np.zeros(2)])
    np.testing.assert_allclose(run(proto, samples(4, 3).astype(np.float32))[0], before, rtol=1e-5)


def test_a_model_that_computes_nothing_at_inference():
    assert_same(fb.Sequential([layers.Dropout(0.5, input_shape=(4,))]), samples(2, 4))


def test_verbose_prints_where(tmp_path, capsys):
    model = fb.Sequential([layers.Dense(2, input_shape=(3,))])
    model.export(tmp_path / "m.onnx")
    assert capsys.readouterr().out == ""
    model.export(tmp_path / "m.onnx", verbose=True)
    assert capsys.readouterr().out == f"Saved artifact at '{tmp_path / 'm.onnx'}'.\n"


def test_what_cannot_be_exported_is_refused_by_name_and_nothing_is_written(tmp_path):
    model = fb.Sequential([layers.Dense(2, input_shape=(3,), name="first")])

    class Strange(fb.program.nodes.Node):
        def write(self, to, follower):
            del to, follower

    model.layers[0].lower = lambda: [Strange("first")]
    with pytest.raises(
        ValueError, match="layer 'first' cannot be exported to ONNX: it lowers to Strange, not to ActivationNode"
    ):
        model.export(tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "tf_saved_model"}, "format must be one of onnx, got 'tf_saved_model'"),
        ({"metadata": {"a": 1}}, "metadata must be strings by name, got {'a': 1}"),
    ],
)
def test_bad_arguments(tmp_path, arguments, message):
    model = fb.Sequential([layers.Dense(2, input_shape=(3,))])
    with pytest.raises(ValueError, match=message):
        model.export(tmp_path / "m.onnx", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_unknown_arguments_are_refused_by_name(tmp_path):
    model = fb.Sequential([layers.Dense(2, input_shape=(3,))])
    with pytest.raises(
        TypeError, match="export got an unexpected keyword argument 'file_format'; did you mean 'format'"
    ):
        model.export(tmp_path / "m.onnx", file_format="onnx")


def test_a_model_that_is_not_built_is_refused(tmp_path):
    with pytest.raises(ValueError, match="model must be built before it is exported: give it an input shape"):
        fb.Sequential([layers.Dense(2)]).export(tmp_path / "m.onnx")


def test_the_extra_is_named_where_onnx_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'the package onnx is missing; pip install "flyball\[onnx\]" brings it'):
        fb.onnx.convert(fb.Sequential([layers.Dense(2, input_shape=(3,))]))
