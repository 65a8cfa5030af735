"""Layers: arguments as Keras 3 has them, shapes, weights and the nodes they lower to."""

from __future__ import annotations

import re

import numpy as np
import pytest

from flyball import activations, constraints, initializers, layers, losses, optimizers, regularizers, utils
from flyball.program.nodes import ActivationNode, BatchNormNode, DenseNode, DropoutNode


@pytest.fixture(autouse=True)
def _fresh_names():
    utils.clear_session()


def built(layer, shape=(4,)):
    layer.build(shape)
    for weight in layer.weights:
        weight.value = np.zeros(weight.shape, np.float32)
    return layer


def test_automatic_names_are_kerass():
    made = [layers.Dense(1), layers.Dense(1), layers.BatchNormalization(), layers.ReLU(), layers.SpatialDropout1D(0.1)]
    names = [layer.name for layer in made]
    assert names == ["dense", "dense_1", "batch_normalization", "re_lu", "spatial_dropout1d"]
    assert layers.Input((2,)).name == "input_layer"
    assert layers.Dense(1, name="head").name == "head"
    assert layers.Dense(1).name == "dense_2"


def test_clear_session_restarts_names():
    layers.Dropout(0.1)
    utils.clear_session()
    assert layers.Dropout(0.1).name == "dropout"


def test_dense_weights_and_nodes():
    layer = built(layers.Dense(3, "relu", kernel_regularizer=regularizers.L1L2(0.1, 0.2), bias_regularizer="l2"))
    kernel, bias = layer.weights
    assert (layer.input_shape, layer.output_shape, layer.count_params()) == ((4,), (3,), 15)
    assert (kernel.name, kernel.shape, kernel.decays) == ("dense/kernel", (4, 3), True)
    assert (bias.name, bias.shape, bias.decays) == ("dense/bias", (3,), False)
    assert (kernel.l1, kernel.l2) == (0.1, 0.4)  # a Weight's penalty is l2 / 2 * sum(w**2)
    assert bias.l2 == 0.02
    dense, activation = layer.lower()
    assert isinstance(dense, DenseNode)
    assert (dense.layer, dense.w, dense.b, dense.activation) == ("dense", kernel, bias, "linear")
    assert isinstance(activation, ActivationNode)
    assert activation.activation == "relu"


def test_dense_without_bias_or_activation():
    layer = built(layers.Dense(3, use_bias=False))
    assert [weight.name for weight in layer.weights] == ["dense/kernel"]
    (node,) = layer.lower()
    assert node.b is None


def test_batch_normalization_weights_in_keras_order():
    layer = built(layers.BatchNormalization())
    names = ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [weight.name for weight in layer.weights] == [f"batch_normalization/{name}" for name in names]
    assert [weight.trainable for weight in layer.weights] == [True, True, False, False]
    assert not any(weight.decays for weight in layer.weights)
    assert [type(weight.initializer).__name__ for weight in layer.weights] == ["Ones", "Zeros", "Zeros", "Ones"]
    (node,) = layer.lower()
    assert isinstance(node, BatchNormNode)
    assert (node.momentum, node.epsilon, node.activation, node.rate) == (0.99, 1e-3, "linear", 0.0)


def test_batch_normalization_without_gamma_and_beta():
    layer = built(layers.BatchNormalization(center=False, scale=False, momentum=0.9, epsilon=1e-5))
    (node,) = layer.lower()
    assert node.gamma is None
    assert node.beta is None
    assert layer.trainable_weights == []
    assert len(layer.non_trainable_weights) == 2


def test_dropout_and_activations():
    (node,) = built(layers.Dropout(0.25, seed=7)).lower()
    assert isinstance(node, DropoutNode)
    assert (node.rate, node.seed) == (0.25, 7)
    assert built(layers.Dropout(0.0)).lower() == []
    assert [node.activation for node in built(layers.ReLU()).lower()] == ["relu"]
    assert [node.activation for node in built(layers.Activation("softmax")).lower()] == ["softmax"]
    assert built(layers.Activation("linear")).lower() == []
    assert built(layers.Activation("relu"), (2, 3)).output_shape == (2, 3)


def test_input_is_an_input_layer():
    layer = layers.Input(shape=(64,))
    assert isinstance(layer, layers.InputLayer)
    assert layer.input_shape == (64,)
    built(layer, (64,))
    assert (layer.lower(), layer.weights, layer.output_shape) == ([], [], (64,))


def test_build_is_idempotent_and_keeps_its_shape():
    layer = built(layers.Dense(3))
    weights = list(layer.weights)
    layer.build((4,))
    assert layer.weights == weights
    with pytest.raises(
        ValueError, match=re.escape("dense: input_shape must be (4,), as the layer was given, got (5,)")
    ):
        layer.build((5,))


def test_declared_input_shape():
    assert layers.Dense(3, input_shape=(4,)).input_shape == (4,)
    assert layers.Dense(3, input_dim=4).input_shape == (4,)
    assert layers.Dense(3).input_shape is None
    with pytest.raises(ValueError, match=re.escape("dense_3: input_shape must be (4,)")):
        layers.Dense(3, input_shape=(4,)).build((5,))


def test_a_failed_build_leaves_the_layer_as_it_was():
    layer = layers.BatchNormalization(axis=2)
    with pytest.raises(
        ValueError, match=re.escape("batch_normalization: axis must be an axis of samples of shape (2,)")
    ):
        layer.build((2,))
    assert not layer.built
    layer.build((3, 2))
    assert len(layer.weights) == 4


def test_trainable_spares_statistics():
    layer = built(layers.BatchNormalization())
    layer.trainable = False
    assert layer.trainable_weights == []
    assert layer.lower()[0].frozen
    layer.trainable = True
    assert not layer.lower()[0].frozen
    assert layer.trainable_weights == [layer.gamma, layer.beta]
    frozen = built(layers.Dense(3, trainable=False))
    assert frozen.trainable_weights == []


def test_get_and_set_weights():
    layer = built(layers.Dense(2))
    layer.set_weights([np.arange(8).reshape(4, 2), [1.0, 2.0]])
    kernel, bias = layer.get_weights()
    np.testing.assert_array_equal(kernel, np.arange(8).reshape(4, 2))
    np.testing.assert_array_equal(bias, [1, 2])
    kernel[:] = 0
    assert layer.weights[0].value[3, 1] == 7


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([np.zeros((4, 2))], "dense: weights must be 2 arrays (dense/kernel, dense/bias), got 1"),
        ([np.ones((4, 2)), np.zeros(3)], "weight dense/bias must be numbers of shape (2,), got (3,)"),
        ([np.ones((4, 2)), ["a", "b"]], "weight dense/bias must be numbers of shape (2,), got dtype <U1"),
    ],
)
def test_set_weights_refuses_and_changes_nothing(weights, message):
    layer = built(layers.Dense(2))
    with pytest.raises(ValueError, match=re.escape(message)):
        layer.set_weights(weights)
    assert not layer.weights[0].value.any()


def test_weights_need_a_model():
    layer = layers.Dense(2)
    for use in (layer.get_weights, lambda: layer.set_weights([]), layer.count_params, layer.lower):
        with pytest.raises(ValueError, match=r"dense.* must be"):
            use()


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.Input((3,), name="x"),
        lambda: layers.Dense(
            3, "relu", False, initializers.HeNormal(seed=1), "ones", "l1", regularizers.L2(0.5), input_shape=(4,)
        ),
        lambda: layers.Activation("softmax"),
        lambda: layers.ReLU(name="r"),
        lambda: layers.ReLU(3.5, 0.1, 0.5),
        lambda: layers.PReLU("ones", "l2", "non_neg", (1, 2), input_shape=(2, 3, 4)),
        lambda: layers.PReLU(shared_axes=1),
        lambda: layers.Permute((2, 1)),
        lambda: layers.Flatten("channels_first"),
        lambda: layers.BatchNormalization(momentum=0.5, center=False, gamma_regularizer="l2"),
        lambda: layers.Dropout(0.5, seed=3),
        lambda: layers.Dense(2, activations.gelu, kernel_noise=0.1),
        lambda: layers.Softmax(axis=(1, 2)),
        layers.Flatten,
        lambda: layers.Reshape((2, -1)),
        lambda: layers.BatchNormalization(axis=1, trainable=False),
        lambda: layers.LayerNormalization(axis=[-2, -1], scale=False),
        lambda: layers.GroupNormalization(4, 1, 1e-5, beta_constraint="non_neg"),
        lambda: layers.RMSNormalization(epsilon=1e-5),
        lambda: layers.UnitNormalization(axis=[1, 2]),
        lambda: layers.Dropout(0.5, (None, 1, 6), mode="classic", activity_regularizer="l1"),
        lambda: layers.AlphaDropout(0.1, [1, None]),
        lambda: layers.SpatialDropout1D(0.1, 3, "channels_first"),
        lambda: layers.SpatialDropout2D(0.1, seed=3),
        lambda: layers.SpatialDropout3D(0.1, "channels_first"),
        lambda: layers.GaussianNoise(0.1, seed=2),
        lambda: layers.GaussianDropout(0.1),
        lambda: layers.ActivityRegularization(0.1, 0.2),
        lambda: layers.Residual([layers.Dense(3), layers.Residual([layers.ReLU()])], layers.Dense(3), 0.1, 5),
    ],
)
def test_config_round_trip(layer):
    layer = layer()
    twin = layers.deserialize(layers.serialize(layer))
    assert type(twin) is type(layer)
    assert twin.get_config() == layer.get_config()
    assert repr(twin) == repr(layer)
    assert type(layer).from_config(layer.get_config()).name == layer.name


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Dense(0), "units must be a positive integer, got 0"),
        (lambda: layers.Dense(2.0), "units must be a positive integer, got 2.0"),
        (lambda: layers.Dense(True), "units must be a positive integer, got True"),
        (lambda: layers.Dense("3"), "units must be a positive integer, got '3'"),
        (lambda: layers.Dense(2, "rleu"), "mish, softmax, log_softmax, got 'rleu'; did you mean 'relu'?"),
        (lambda: layers.Dense(2, use_bias=1), "use_bias must be True or False, got 1"),
        (lambda: layers.Dense(2, kernel_initializer="he_norml"), "did you mean 'he_normal'?"),
        (lambda: layers.Dense(2, kernel_initializer=None), "kernel_initializer must be an initializer or one of"),
        (lambda: layers.Dense(2, bias_regularizer="l3"), "bias_regularizer must be a regularizer or one of"),
        (lambda: layers.Dense(2, name=""), "name must be a non-empty string, got ''"),
        (lambda: layers.Dense(2, trainable=None), "trainable must be True or False, got None"),
        (lambda: layers.Dense(2, input_shape=4), "input_shape must be a tuple of positive integers"),
        (lambda: layers.Dense(2, input_dim=0), "input_dim must be a positive integer, got 0"),
        (lambda: layers.Input(()), "shape must be a tuple of positive integers, the shape of one sample, got ()"),
        (lambda: layers.Input((None, 3)), "got (None, 3)"),
        (lambda: layers.Input((-1,)), "got (-1,)"),
        (lambda: layers.ReLU(max_value=-3), "max_value must be in [0, inf), got -3"),
        (lambda: layers.ReLU(negative_slope=None), "negative_slope must be in [0, inf), got None"),
        (lambda: layers.ReLU(threshold=-1.0), "threshold must be in [0, inf), got -1.0"),
        (
            lambda: layers.PReLU(shared_axes=[1, 1]),
            "shared_axes must be an axis, or several different ones, got [1, 1]",
        ),
        (lambda: layers.PReLU(shared_axes=0).build((2,)), "p_re_lu: shared_axes must be an axis of samples of shape"),
        (lambda: layers.PReLU(shared_axes=[3]).build((2, 3)), "from 1 or from -1, or several, got [3]"),
        (
            lambda: layers.Permute((1, 3)),
            "dims must be a tuple of all axes of a sample, from 1 on, each once, got (1, 3)",
        ),
        (lambda: layers.Permute(1), "dims must be a tuple of all axes"),
        (lambda: layers.Permute((1, True)), "dims must be a tuple of all axes"),
        (lambda: layers.Permute((2, 1)).build((2,)), "permute: dims must be the 1 axes of samples of shape (2,), got"),
        (lambda: layers.LeakyReLU(-1), "negative_slope must be in [0, inf), got -1"),
        (lambda: layers.ELU(-1), "alpha must be in [0, inf), got -1"),
        (lambda: layers.Dropout(1.2), "rate must be in [0, 1), got 1.2"),
        (lambda: layers.Dropout(1), "rate must be in [0, 1), got 1"),
        (lambda: layers.Dropout(-0.1), "rate must be in [0, 1), got -0.1"),
        (lambda: layers.Dropout(float("nan")), "rate must be in [0, 1), got nan"),
        (lambda: layers.Dropout("0.5"), "rate must be in [0, 1), got '0.5'"),
        (lambda: layers.Dropout(0.5, seed=-1), "seed must be a non-negative integer, got -1"),
        (lambda: layers.Dropout(0.5, seed=2**64), "seed must be in [0, 2**64)"),
        (lambda: layers.BatchNormalization(momentum=1.5), "momentum must be in [0, 1], got 1.5"),
        (lambda: layers.BatchNormalization(epsilon=0), "epsilon must be in (0, inf), got 0"),
        (lambda: layers.BatchNormalization(epsilon=float("inf")), "epsilon must be in (0, inf), got inf"),
        (
            lambda: layers.BatchNormalization(axis=4).build((4, 2, 3)),
            "batch_normalization: axis must be an axis of samples",
        ),
        (lambda: layers.BatchNormalization(axis=[1, 2]).build((2, 3)), "axis must be one axis, got [1, 2]"),
        (lambda: layers.BatchNormalization(synchronized=True), "synchronized must be False: a model trains in one"),
        (
            lambda: layers.LayerNormalization(axis=3).build((2, 3)),
            "layer_normalization: axis must be an axis of samples",
        ),
        (lambda: layers.LayerNormalization(axis=[1, 1]), "axis must be an axis, or several different ones, got [1, 1]"),
        (lambda: layers.LayerNormalization(axis=0).build((2,)), "layer_normalization: axis must be an axis of samples"),
        (
            lambda: layers.LayerNormalization(axis=[0, 1]).build((2,)),
            "layer_normalization: axis must be an axis of samples",
        ),
        (lambda: layers.RMSNormalization(axis="x"), "axis must be an axis, or several different ones, got 'x'"),
        (lambda: layers.UnitNormalization(axis=5).build((2,)), "unit_normalization: axis must be an axis of samples"),
        (
            lambda: layers.Softmax(axis=-3).build((2, 3)),
            "softmax: axis must be an axis of samples of shape (2, 3), from 1",
        ),
        (lambda: layers.Softmax(axis=(2, -1)).build((2, 3)), "from 1 or from -1, or several, got [2, -1]"),
        (lambda: layers.GroupNormalization(groups=0), "groups must be a positive integer, or -1"),
        (lambda: layers.GroupNormalization(groups=4).build((6,)), "groups must be a divisor of the 6 channels, or -1"),
        (lambda: layers.Flatten("channel_last"), "data_format must be one of channels_last, channels_first"),
        (lambda: layers.Reshape((-1, -1)), "target_shape must be a tuple of positive integers, of which one may be"),
        (lambda: layers.Reshape(()), "target_shape must be a tuple of positive integers"),
        (lambda: layers.Reshape((0, 2)), "target_shape must be a tuple of positive integers"),
        (lambda: layers.Reshape((4, -1)).build((6,)), "reshape: target_shape must be as many elements as samples of"),
        (lambda: layers.Reshape((4, 2)).build((6,)), "which have 6, got (4, 2)"),
        (lambda: layers.Dense(2, max), "activation must be a name or a function of flyball.activations, got <built-in"),
        (lambda: layers.Dense(2, kernel_noise=-0.1), "kernel_noise must be in [0, inf), got -0.1"),
        (layers.Dropout, "rate must be given, or keep_prob in its place, got (None, None)"),
        (lambda: layers.Dropout(0.5, keep_prob=0.5), "rate must be given, or keep_prob in its place, got (0.5, 0.5)"),
        (lambda: layers.Dropout(keep_prob=0), "keep_prob must be in (0, 1], got 0"),
        (lambda: layers.Dropout(0.5, mode="clasic"), "mode must be one of inverted, classic, got 'clasic'; did you"),
        (lambda: layers.Dropout(0.5, 3), "noise_shape must be a tuple of positive integers or None, got 3"),
        (lambda: layers.Dropout(0.5, (0, 1)), "noise_shape must be a tuple of positive integers or None, got (0, 1)"),
        (
            lambda: layers.Dropout(0.5, (None, 2)).build((3,)),
            "dropout: noise_shape must be (None or 1, ...) with",
        ),
        (lambda: layers.Dropout(0.5, (4, 1)).build((3,)), "for each axis of samples of shape (3,), got (4, 1)"),
        (lambda: layers.AlphaDropout(0.5, (None,)).build((3,)), "alpha_dropout: noise_shape must be"),
        (
            lambda: layers.SpatialDropout2D(0.5).build((3, 2)),
            "input_shape must be of 3 axes, one of them the",
        ),
        (lambda: layers.SpatialDropout2D(0.5, "first"), "data_format must be one of channels_last, channels_first"),
        (lambda: layers.GaussianNoise(-1), "stddev must be in [0, inf), got -1"),
        (lambda: layers.GaussianDropout(1.0), "rate must be in [0, 1), got 1.0"),
        (lambda: layers.ActivityRegularization(-1), "l1 must be in [0, inf), got -1"),
        (lambda: layers.ActivityRegularization(1, activity_regularizer="l2"), "activity_regularizer must be None: l1"),
        (lambda: layers.ReLU(activity_regularizer="l3"), "activity_regularizer must be a regularizer or one of"),
        (
            lambda: layers.ReLU(activity_regularizer=regularizers.L2(0.1, "lambda/2m")),
            "activity_regularizer must be L1 or L2 in the gradient, whose convention is 'lambda' or 'lambda/2', or is",
        ),
        (
            lambda: layers.ReLU(activity_regularizer=regularizers.L1(0.1, proximal=True)),
            "activity_regularizer must be L1 or L2 in the gradient",
        ),
        (lambda: layers.Residual([]), "layers must be at least one layer, got []"),
        (lambda: layers.Residual(3), "layers must be a list of layers, got 3"),
        (lambda: layers.Residual([layers.ReLU()], drop_rate=1), "drop_rate must be in [0, 1), got 1"),
        (lambda: layers.Residual([layers.ReLU(name="a"), layers.ELU(name="a")]), "must be unique, got 'a' twice"),
        (
            lambda: layers.Residual([layers.Dense(3)]).build((2,)),
            "their output has the input's shape (2,), got (3,)",
        ),
        (
            lambda: layers.Residual([layers.Dense(3)], layers.Dense(4, name="p")).build((2,)),
            "has that of 'p' shape",
        ),
        (
            lambda: layers.Residual([layers.Softmax(axis=3, name="s")]).build((2, 3)),
            "s: axis must be an axis of samples of shape (2, 3)",
        ),
        (lambda: layers.deserialize({"class_name": "System", "config": {}}), "class_name of a layer must be one of"),
        (
            lambda: layers.deserialize({"class_name": "Dense", "config": [3]}),
            "the configuration of Dense must be a dict",
        ),
        (lambda: layers.deserialize("Dense"), "the configuration of a layer must be a dict of"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Dense(3, unit=3), "Dense got an unexpected keyword argument 'unit'; did you mean 'units'?"),
        (lambda: layers.Dropout(0.5, trainabel=False), "'trainabel'; did you mean 'trainable'?"),
        (lambda: layers.Residual([layers.Input((3,))]), "layers must be of flyball.layers, without an input layer"),
        (lambda: layers.Residual(["dense"]), "layers must be of flyball.layers, without an input layer, got 'dense'"),
        (
            lambda: layers.Dense(3, activity_regulariser="l2"),
            "'activity_regulariser'; did you mean 'activity_",
        ),
        (lambda: layers.Softmax(xyz=1), "'xyz'; valid arguments are axis, name, trainable, input_shape"),
    ],
)
def test_unknown_arguments_are_refused_by_name(make, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        make()


def test_numpy_scalars_are_numbers():
    assert layers.Dense(np.int64(3)).units == 3
    assert layers.Dropout(np.float32(0.5)).rate == 0.5
    assert layers.Dense(2, use_bias=np.True_).use_bias is True


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda own: own(initializers.Initializer)()((2,)), "Own must define sample"),
        (lambda own: own(constraints.Constraint)()(np.ones((2, 2))), "Own must define operation"),
        (lambda own: own(optimizers.schedules.LearningRateSchedule)()(1), "Own must define rates"),
        (lambda own: own(losses.Loss)()([1.0], [2.0]), "Own must define call"),
        (lambda own: own(utils.PyDataset)()[0], "Own must define __getitem__"),
    ],
)
def test_what_a_class_of_ones_own_lacks_is_named(use, message):
    with pytest.raises(NotImplementedError, match=f"{message}, which its base class leaves to it"):
        use(lambda base: type("Own", (base,), {}))


def test_a_layer_without_lower_is_abstract():
    class Unfinished(layers.Layer):
        pass

    with pytest.raises(TypeError, match=r"Can't instantiate abstract class Unfinished .*lower"):
        Unfinished()
