"""flyball.activations: Keras' functions on arrays, and what layers take."""

import re

import numpy as np
import pytest
from parity.cases.table import activated

from flyball import activations, layers


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


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_softmax_over_any_axis(axis):
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
