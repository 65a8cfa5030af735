"""flyball.activations: Keras' functions on arrays, and what layers take."""

import re

import numpy as np
import pytest
from parity.cases.table import activated

from flyball import activations, functional, layers


@pytest.mark.parametrize("name", [name for name in activations.FUNCTIONS if name not in activations.OVER_AXIS])
def test_functions_are_those_of_their_names(name, dtype):
    x = np.linspace(-4.0, 8.0, 25).astype(dtype).reshape(5, 5)
    alpha = {"leaky_relu": 0.2, "elu": 1.0}.get(name, 0.0)
    y = activations.get(name)(x)
    assert y.dtype == x.dtype
    relative, absolute = (1e-5, 1e-6) if dtype == "float32" else (1e-12, 1e-15)
    np.testing.assert_allclose(y, activated(x.astype(float), name, alpha), relative, absolute)


def test_arguments_of_functions():
    x = np.array([-2.0, -0.5, 0.0, 3.0, 7.0])
    np.testing.assert_allclose(activations.relu(x, negative_slope=0.1), np.where(x > 0, x, 0.1 * x))
    np.testing.assert_allclose(activations.relu(x, max_value=6), np.clip(x, 0, 6))
    np.testing.assert_allclose(activations.leaky_relu(x, 0.5), np.where(x > 0, x, 0.5 * x))
    np.testing.assert_allclose(activations.elu(x, 2.0), activated(x, "elu", 2.0))
    np.testing.assert_allclose(activations.gelu(x, approximate=True), activated(x, "gelu_tanh"))
    assert activations.relu([1, -1]).dtype == np.float32


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("slope", [0.0, 0.25])
@pytest.mark.parametrize("highest", [None, 0.0, 0.5, 6.0])
@pytest.mark.parametrize("threshold", [0.0, 0.75])
def test_relu_with_all_its_arguments(slope, highest, threshold, dtype):
    x = np.array([-np.inf, -2.0, -1e-6, 0.0, 0.5, 0.75, 0.8, 3.0, 6.0, 7.0, np.inf], dtype)
    want = np.array([  # Keras' documentation, with its code's choice at the threshold itself
        (v if highest is None else min(v, highest)) if v > threshold else (slope * (v - threshold) if slope else 0.0)
        for v in x.tolist()
    ])  # fmt: skip
    got = activations.relu(x, slope, highest, threshold)
    assert got.dtype == x.dtype
    np.testing.assert_allclose(got, want, rtol=1e-6)
    layer = layers.ReLU(highest, slope, threshold)
    np.testing.assert_allclose(layer(x[None, 1:-1])[0], want[1:-1], rtol=1e-6)
    assert np.isnan(activations.relu(np.array([np.nan], dtype), slope, highest, threshold)).all()
    infinite = functional.relu_backward(
        np.full(4, np.inf), np.array([-1.0, 0.1, 9.0, 0.4]), max_value=highest, threshold=threshold
    )
    flat = [True, threshold > 0.1 or highest == 0.0, highest is not None, threshold > 0.4 or highest == 0.0]
    np.testing.assert_array_equal(infinite, np.where(flat, 0.0, np.inf))


@pytest.mark.usefixtures("each_backend")
def test_slopes_that_are_shared():
    x = np.random.default_rng(2).standard_normal((4, 3, 2, 5))
    for shared in (None, 1, [2], [1, 2], (2, 3), [1, 3], [1, 2, 3], []):
        layer = layers.PReLU("he_normal", shared_axes=shared)
        y = layer(x)
        (alpha,) = layer.get_weights()
        axes = [] if shared is None else [shared] if isinstance(shared, int) else shared
        assert alpha.shape == tuple(1 if i + 1 in axes else n for i, n in enumerate(x.shape[1:]))
        np.testing.assert_allclose(y, np.where(x > 0, x, alpha * x))
    np.testing.assert_array_equal(layers.PReLU()(x), np.maximum(x, 0.0))  # first slopes are 0
    with pytest.raises(ValueError, match=r"alpha must have shape the shape of x's last axes, x being of \(4, 3\)"):
        functional.prelu_forward(np.ones((4, 3)), np.ones(4))


@pytest.mark.parametrize("axis", [-1, 0, 1, (0, 2), (-1, -2), [0, 1, 2]])
def test_softmax_over_any_axis(axis):
    axis = tuple(axis) if isinstance(axis, list) else axis
    x = np.random.default_rng(0).standard_normal((3, 4, 5))
    p = np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)
    np.testing.assert_allclose(activations.softmax(x, axis), p)
    np.testing.assert_allclose(activations.log_softmax(x, axis=axis), np.log(p))


def test_get_and_names():
    assert activations.get(None) is activations.linear
    assert activations.get("swish") is activations.silu is activations.swish
    assert activations.get(activations.tanh) is activations.tanh
    assert activations.serialize(activations.silu) == "silu"
    assert activations.name_of(activations.get("gelu_tanh")) == "gelu_tanh"
    assert [activations.name_of(activations.deserialize(name)) for name in activations.NAMES] == [*activations.NAMES]
    with pytest.raises(ValueError, match=re.escape("identifier must be one of linear, relu")):
        activations.get("rluu")
    with pytest.raises(ValueError, match="activation must be a name or a function of"):
        activations.serialize(len)


def test_layers_take_functions_and_save_their_names():
    assert layers.Dense(2, activations.relu).get_config()["activation"] == "relu"
    assert layers.Activation(activations.softmax).activation == "softmax"
    assert layers.Activation("swish").activation == "silu"
