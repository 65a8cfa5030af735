"""Every layer inside a model: gradients, backends, threads, files, and what it does in training and in inference."""

from __future__ import annotations

import numpy as np
import pytest

import flyball as fb
from flyball import layers
from flyball.backend import backend_scope
from flyball.program.lowering import Lowering
from flyball.program.requests import Data, Objective
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
    "softmax of an axis in the middle": (lambda: [layers.Softmax(axis=2)], IMAGE),
    "softmax of axes apart": (lambda: [layers.Softmax(axis=(1, 3))], IMAGE),
    "log softmax": (lambda: [layers.Activation("log_softmax")], IMAGE),
    "elu": (lambda: [layers.ELU(0.7)], (6,)),
    "relu with everything": (lambda: [layers.ReLU(0.4, 0.3, 0.1)], IMAGE),
    "relu with a threshold": (lambda: [layers.ReLU(threshold=0.2)], IMAGE),
    "prelu": (lambda: [layers.PReLU(), layers.Dense(5)], IMAGE),
    "prelu of channels": (lambda: [layers.PReLU(shared_axes=[1, 2])], IMAGE),
    "prelu of channels that come first": (lambda: [layers.PReLU("he_normal", shared_axes=[2, 3])], IMAGE),
    "prelu of an axis in the middle": (lambda: [layers.PReLU(shared_axes=[1, 3], alpha_regularizer="l2")], IMAGE),
    "permuted": (lambda: [layers.Permute((3, 1, 2)), layers.Dense(3, "tanh"), layers.Permute((2, 3, 1))], IMAGE),
    "flat, channels first": (lambda: [layers.Flatten("channels_first")], IMAGE),
    "batch norm": (lambda: [layers.BatchNormalization()], (6,)),
    "ghost batches": (lambda: [layers.BatchNormalization(virtual_batch_size=2)], (6,)),
    "ghost batches of images": (lambda: [layers.BatchNormalization(axis=1, virtual_batch_size=2)], IMAGE),
    "batch norm of images": (lambda: [layers.BatchNormalization(), layers.Activation("tanh")], IMAGE),
    "batch norm, channels first": (lambda: [layers.BatchNormalization(axis=1)], IMAGE),
    "batch norm of an axis in the middle": (lambda: [layers.BatchNormalization(axis=2)], IMAGE),
    "batch norm and dropout": (lambda: [layers.BatchNormalization(axis=1), layers.Dropout(0.5)], IMAGE),
    "frozen batch norm": (lambda: [layers.BatchNormalization(trainable=False), layers.Activation("tanh")], IMAGE),
    "layer norm": (lambda: [layers.LayerNormalization()], IMAGE),
    "layer norm of two axes": (lambda: [layers.LayerNormalization(axis=[2, 3], center=False)], IMAGE),
    "layer norm of a first axis": (lambda: [layers.LayerNormalization(axis=1)], IMAGE),
    "layer norm of axes apart": (lambda: [layers.LayerNormalization(axis=[1, -1])], IMAGE),
    "group norm": (lambda: [layers.GroupNormalization(3)], IMAGE),
    "group norm, channels first": (lambda: [layers.GroupNormalization(-1, axis=1)], IMAGE),
    "group norm of an axis in the middle": (lambda: [layers.GroupNormalization(2, axis=2)], (2, 4, 3)),
    "group norm of rows": (lambda: [layers.GroupNormalization(2, scale=False)], (6,)),
    "rms norm": (lambda: [layers.RMSNormalization(epsilon=0.1)], IMAGE),
    "rms norm of an axis in the middle": (lambda: [layers.RMSNormalization(2, 0.1)], IMAGE),
    "unit norm of a first axis": (lambda: [layers.UnitNormalization(axis=1)], IMAGE),
    "unit norm": (lambda: [layers.UnitNormalization(axis=(-2, -1))], IMAGE),
    "dropout": (lambda: [layers.Dropout(0.5)], IMAGE),
    "dropout of columns": (lambda: [layers.Dropout(0.5, noise_shape=(1, None, 1, 6))], IMAGE),
    "dropout of positions": (lambda: [layers.Dropout(keep_prob=0.5, noise_shape=(None, 3, 1, 1))], IMAGE),
    "classic dropout": (lambda: [layers.BatchNormalization(), layers.Dropout(0.4, mode="classic")], IMAGE),
    "spatial dropout": (lambda: [layers.SpatialDropout2D(0.5)], IMAGE),
    "spatial dropout, channels first": (lambda: [layers.SpatialDropout2D(0.5, "channels_first")], IMAGE),
    "spatial dropout of volumes": (lambda: [layers.SpatialDropout3D(0.5)], (2, 2, 2, 3)),
    "spatial dropout of sequences": (lambda: [layers.SpatialDropout1D(0.5)], (5, 4)),
    "alpha dropout": (lambda: [layers.Activation("selu"), layers.AlphaDropout(0.3)], IMAGE),
    "alpha dropout of columns": (lambda: [layers.AlphaDropout(0.3, (None, 1, 2, 6))], IMAGE),
    "gaussian noise": (lambda: [layers.GaussianNoise(0.3), layers.Activation("tanh")], IMAGE),
    "gaussian dropout": (lambda: [layers.GaussianDropout(0.3)], IMAGE),
    "activity penalty": (lambda: [layers.ActivityRegularization(0.01, 0.02), layers.Activation("tanh")], IMAGE),
    "activity regularizer": (lambda: [layers.Dense(4, "tanh", activity_regularizer="l1_l2")], IMAGE),
    "penalised normalisation": (lambda: [layers.BatchNormalization(activity_regularizer="l2")], IMAGE),
    "residual": (lambda: [layers.Residual([layers.Dense(6, "tanh")])], IMAGE),
    "residual, in place at both ends": (
        lambda: [
            layers.Activation("tanh"),
            layers.Residual([layers.Activation("sigmoid"), layers.Dense(6), layers.Activation("tanh")]),
            layers.Activation("sigmoid"),
        ],
        (6,),
    ),
    "residual of nothing": (lambda: [layers.Residual([layers.Flatten()], layers.Flatten())], IMAGE),
    "projection": (
        lambda: [
            layers.Residual(
                [layers.BatchNormalization(), layers.Activation("tanh"), layers.Dense(4), layers.Dropout(0.2)],
                projection=layers.Dense(4, use_bias=False),
            )
        ],
        IMAGE,
    ),
    "stochastic depth": (
        lambda: [layers.Residual([layers.Dense(6, "tanh"), layers.GaussianNoise(0.1)], drop_rate=0.5)],
        IMAGE,
    ),
    "nested residuals": (
        lambda: [
            layers.Residual(
                [
                    layers.Residual([layers.Dense(5, "tanh", activity_regularizer="l2"), layers.Dense(6)]),
                    layers.LayerNormalization(),
                ],
                drop_rate=0.3,
            )
        ],
        (6,),
    ),
}


def made(name, dtype="float64"):
    """Return the model of a stack, and data for it."""
    fb.utils.set_random_seed(1)
    between, shape = STACKS[name]
    stack = [layers.Input(shape), layers.Dense(shape[-1]), *between(), layers.Flatten(), layers.Dense(2)]
    model = fb.Sequential(stack, dtype=dtype)
    rng = np.random.default_rng(0)
    for weight in model.weights:  # nothing 0 or 1, which could hide what is left out
        weight.value[...] = rng.uniform(0.1, 0.5, weight.shape) * np.where(rng.random(weight.shape) < 0.5, -1, 1)
        if weight.name.endswith("variance"):
            weight.value[...] = 0.5 + np.abs(weight.value)
    model.compile(fb.optimizers.SGD(0.003, momentum=0.9), "mean_squared_error")
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
    relative, absolute = (2e-4, 2e-4) if dtype == "float32" else (1e-9, 1e-10)
    for one, two, three, reference in zip(*runs.values(), strict=True):
        assert one.tobytes() == two.tobytes() == three.tobytes()
        np.testing.assert_allclose(one, reference, relative, absolute * max(1.0, np.abs(reference).max()))


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


# --- what layers do in training and in inference ---------------------------------------------------------------------


def passed(layer, x):
    """Return what a layer makes of ``x`` in training and in inference."""
    return layer(x, training=True), layer(x, training=False)


ONES = np.ones((200, 6, 5))


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize(
    ("noise_shape", "shared"),
    [
        ((None, None, None), ()),
        ((None, 1, None), (1,)),
        ((None, 6, 1), (2,)),
        ((1, None, 5), (0,)),
        ((1, 1, 1), (0, 1, 2)),
    ],
)
def test_dropout_decides_once_for_axes_of_one(noise_shape, shared):
    for layer, low, high in (
        (layers.Dropout(0.5, noise_shape, 7), 0.0, 2.0),
        (layers.Dropout(0.5, noise_shape, 7, mode="classic"), 0.0, 1.0),
        (layers.AlphaDropout(0.5, noise_shape, 7), None, None),
    ):
        y, at_inference = passed(layer, ONES)
        values = np.unique(y)
        if len(shared) < 3:
            assert len(values) == 2
            assert low is None or values.tolist() == [low, high]
        np.testing.assert_array_equal(np.ptp(y, axis=shared), 0.0)
        assert len(np.unique(y.sum(axis=shared))) > 1 or len(shared) == 3
        factor = 0.5 if getattr(layer, "mode", "") == "classic" else 1.0
        np.testing.assert_array_equal(at_inference, factor * ONES)


@pytest.mark.usefixtures("each_backend")
def test_spatial_dropout_drops_channels():
    y, at_inference = passed(layers.SpatialDropout1D(0.5), ONES)
    np.testing.assert_array_equal(np.ptp(y, axis=1), 0.0)
    assert 0.4 < y[:, 0].mean() / 2 < 0.6
    np.testing.assert_array_equal(at_inference, ONES)
    y, _ = passed(layers.SpatialDropout1D(0.5, data_format="channels_first"), ONES)
    np.testing.assert_array_equal(np.ptp(y, axis=2), 0.0)
    assert np.ptp(y, axis=1).any()


@pytest.mark.usefixtures("each_backend")
def test_moments_of_noise():
    x = np.random.default_rng(0).standard_normal((400, 100))
    for layer, mean, variance in (
        (layers.GaussianNoise(0.5), 0.0, 1.25),
        (layers.AlphaDropout(0.3), 0.0, 1.0),
        (layers.GaussianDropout(0.3), 0.0, 1.0 / 0.7),
        (layers.Dropout(0.3), 0.0, 1.0 / 0.7),
    ):
        y, at_inference = passed(layer, x)
        assert y.mean() == pytest.approx(mean, abs=0.03)
        assert y.var() == pytest.approx(variance, rel=0.03)
        assert not np.array_equal(y, layer(x, training=True))
        np.testing.assert_array_equal(at_inference, x)


@pytest.mark.usefixtures("each_backend")
def test_stochastic_depth_leaves_out_samples_and_keeps_the_mean():
    branch = layers.Dense(5, kernel_initializer="ones", bias_initializer="zeros")
    layer = layers.Residual([branch], drop_rate=0.25)
    x = np.random.default_rng(0).standard_normal((4000, 5))
    y, at_inference = passed(layer, x)
    whole = x.sum(axis=1, keepdims=True) * np.ones(5)
    np.testing.assert_allclose(at_inference, x + whole)
    dropped = np.all(y == x, axis=1)
    assert dropped.mean() == pytest.approx(0.25, abs=0.03)
    np.testing.assert_allclose(y[~dropped], (x + whole / 0.75)[~dropped])


@pytest.mark.usefixtures("each_backend")
def test_kernel_noise_is_new_at_each_step_and_gone_in_inference():
    layer = layers.Dense(3, kernel_noise=0.5)
    x = np.random.default_rng(0).standard_normal((50, 400))
    y, at_inference = passed(layer, x)
    np.testing.assert_allclose(at_inference, x @ layer.kernel.value)
    assert (y - at_inference).std() == pytest.approx(0.5 * 20.0, rel=0.2)
    noise, *_ = np.linalg.lstsq(x.T @ x + 1e-9 * np.eye(400), x.T @ (y - at_inference), rcond=None)
    assert np.isfinite(noise).all()
    assert not np.allclose(y, layer(x, training=True))


@pytest.mark.usefixtures("each_backend")
def test_activity_penalties_are_means_over_samples_in_fit_and_evaluate():
    penalised = layers.Dense(3, activity_regularizer=fb.regularizers.L1L2(0.2, 0.4, convention="lambda/2"))
    model = fb.Sequential([layers.Input((4,)), penalised, layers.Dense(2)], dtype="float64")
    model.compile(fb.optimizers.SGD(0.0), "mean_squared_error")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((10, 4)), rng.standard_normal((10, 2))
    hidden = x @ model.layers[0].kernel.value
    penalty = (0.1 * np.abs(hidden).sum() + 0.2 * np.square(hidden).sum()) / len(x)
    want = np.square(model.predict(x, verbose=0) - y).mean() + penalty
    assert model.evaluate(x, y, verbose=0) == pytest.approx(want, rel=1e-12)
    assert model.fit(x, y, batch_size=4, epochs=1, verbose=0).history["loss"] == pytest.approx([want], rel=1e-12)
    assert not any("activity" in i.op for i in model._predictor.program.instructions)


def test_frozen_layers_stay_and_what_is_before_them_learns():
    inner = [layers.Dense(4, name="a"), layers.BatchNormalization(name="b")]
    stack = [
        layers.Input((4,)),
        layers.Dense(4),
        layers.Residual(inner, name="block", trainable=False),
        layers.Dense(1),
    ]
    model = fb.Sequential(stack)
    model.compile("sgd", "mean_squared_error")
    before = {weight.name: weight.value.copy() for weight in model.weights}
    inside = ["a/kernel", "a/bias", "b/gamma", "b/beta", "b/moving_mean", "b/moving_variance"]
    assert [name for name in before if name.startswith("block/")] == [f"block/{name}" for name in inside]
    x, y = np.random.default_rng(0).standard_normal((2, 20, 4)).astype("float32")
    model.fit(x, y[:, :1], epochs=2, verbose=0)
    for weight in model.weights:
        assert np.array_equal(weight.value, before[weight.name]) == weight.name.startswith("block/"), weight.name
    model.layers[1].trainable = True
    with pytest.raises(ValueError, match=r"block/a/kernel: trainable must be as it was at compile, got True; compile"):
        model.fit(x, y[:, :1], verbose=0)
    model.compile("sgd", "mean_squared_error")
    model.fit(x, y[:, :1], verbose=0)
    changed = {w.name for w in model.weights if not np.array_equal(w.value, before[w.name])}
    assert changed >= {f"block/{name}" for name in inside if "bias" not in name}  # that before batch norm has no effect


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize(
    ("shape", "between", "needs"),
    [
        ((4, 3), lambda: [layers.BatchNormalization()], None),  # positions are values of a channel too
        ((3,), lambda: [layers.BatchNormalization(trainable=False)], None),
        ((3,), lambda: [layers.BatchNormalization(name="norm")], "norm"),
        ((3,), lambda: [layers.Residual([layers.BatchNormalization()], name="block")], "block"),
    ],
)
def test_batches_of_one_sample(shape, between, needs):
    model = fb.Sequential([layers.Input(shape), *between(), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mean_squared_error")
    x, y = np.random.default_rng(0).standard_normal((5, *shape)), np.ones(5)
    if needs is None:
        assert np.isfinite(model.fit(x, y, batch_size=1, verbose=0).history["loss"][0])
    else:
        with pytest.raises(
            ValueError, match=f"batch_size must be at least 2 for the batch statistics of layer '{needs}'"
        ):
            model.fit(x, y, batch_size=1, verbose=0)


def test_nested_layers_are_found_by_name():
    dense = layers.Dense(4, name="fc")
    model = fb.Sequential([layers.Input((4,)), layers.Residual([dense], name="block"), layers.Dense(4, name="fc")])
    assert model.get_layer("block").get_layer("fc") is dense
    assert model.get_layer("fc") is model.get_layer(index=1) is model.layers[1]
    with pytest.raises(ValueError, match="name must be one of block, fc, got 'fd'"):
        model.get_layer("fd")
    with pytest.raises(ValueError, match=r"index must be in \[-2, 2\), got 2"):
        model.get_layer(index=2)
    with pytest.raises(ValueError, match="name must be given, or index in its place"):
        model.get_layer()


def test_an_activity_regularizer_of_the_last_softmax_is_refused():
    last = layers.Dense(3, "softmax", activity_regularizer="l2", name="head")
    model = fb.Sequential([layers.Input((4,)), last])
    with pytest.raises(ValueError, match="head: activity_regularizer must be None for the last layer: its softmax"):
        model.compile("sgd", "sparse_categorical_crossentropy")
    logits = fb.Sequential([layers.Input((4,)), layers.Dense(3, activity_regularizer="l2")])
    logits.compile("sgd", fb.losses.SparseCategoricalCrossentropy(from_logits=True))
    logits.fit(np.ones((8, 4), "float32"), np.zeros(8, int), verbose=0)


def test_the_summary_has_the_layers_inside():
    model, *_ = made("nested residuals")
    lines = []
    model.summary(print_fn=lambda text: lines.extend(text.splitlines()))
    indents = [len(line) - len(line.lstrip()) for line in lines[4:-4]]
    assert indents == [0, 0, 2, 4, 4, 2, 0, 0]
    assert [line.split()[-1] for line in lines[4:-4]] == ["42", "83", "71", "35", "36", "12", "0", "14"]
    assert lines[-3].startswith("Total params: 139 ")


def test_normalisation_of_images_with_relu_and_dropout_is_one_operation():
    stack = [layers.BatchNormalization(axis=1), layers.ReLU(), layers.Dropout(0.5), layers.Flatten(), layers.Dense(2)]
    model = fb.Sequential([layers.Input((3, 4, 5)), layers.Residual([layers.Dense(5, "relu")]), *stack])
    model.compile("sgd", "mean_squared_error")
    operations = [i.op for i in model.program().program.instructions if i.op.endswith(("_forward", "_mask", "branch"))]
    assert operations[:6] == [
        "dense_forward", "add_branch", "dropout_mask", "batch_norm_forward", "dense_forward", "activation_forward",
    ]  # fmt: skip  # the last of them copies the gradient of the residual connection


def test_a_program_shows_the_nodes_inside():
    model, *_ = made("nested residuals")
    text = str(model.program())
    assert "Residual(branch=[" in text
    assert "add_branch" in text


# --- where layers may stand -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stack", [lambda: layers.Resizing(2, 2), lambda: layers.CenterCrop(2, 2)])
def test_resizing_after_a_layer_that_learns_is_refused_at_compile(stack):
    late = stack()
    model = fb.Sequential([layers.Input((4, 4, 3)), layers.Dense(3), late, layers.Flatten(), layers.Dense(1)])
    with pytest.raises(ValueError, match=f"{late.name}: images must be resized before the first layer that learns"):
        model.compile("sgd", "mse")
    model.layers[0].trainable = False
    model.compile("sgd", "mse")


def test_resizing_in_a_residual_connection_is_refused_at_compile():
    branch = [layers.Resizing(2, 2), layers.Dense(3)]
    model = fb.Sequential([layers.Input((4, 4, 3)), layers.Residual(branch, layers.Resizing(2, 2)), layers.Flatten()])
    with pytest.raises(ValueError, match=r"resizing.*: images must be resized before the first layer that learns"):
        model.compile("sgd", "mse")


def test_a_layer_is_in_one_place_only():
    shared = layers.Dense(4)
    one, two = layers.Residual([shared]), layers.Residual([shared])
    with pytest.raises(ValueError, match=f"layer must be new, got {shared.name!r}, which is in the model already"):
        fb.Sequential([one, two])
    with pytest.raises(ValueError, match=f"layer must be new, got {shared.name!r}, which is in the model already"):
        fb.Sequential([one, shared])
    first = fb.Sequential([layers.Input((4,)), one])
    before = first.get_weights()
    with pytest.raises(ValueError, match=f"layers must be in no other model, got {shared.name!r}, whose weights are"):
        fb.Sequential([layers.Input((4,)), two])
    np.testing.assert_array_equal(before[0], first.layers[0].weights[0].value)
    with pytest.raises(ValueError, match=r"Residual.from_config\(layer.get_config\(\)\) makes one like it"):
        fb.Sequential([layers.Input((4,)), one])


@pytest.mark.usefixtures("each_backend")
def test_a_layer_that_was_called_brings_its_weights_into_a_model():
    dense, residual = layers.Dense(4), layers.Residual([layers.Dense(4, "tanh"), layers.BatchNormalization()])
    x = np.random.default_rng(0).standard_normal((5, 4))
    y = residual(dense(x))
    model = fb.Sequential([dense, residual], dtype="float64")
    assert model.built
    np.testing.assert_array_equal(model.predict(x, verbose=0), y)
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((5, 4)), verbose=0)
    np.testing.assert_array_equal(
        model.predict(x, verbose=0), residual(dense(x))
    )  # the model's weights are the layers'
    with pytest.raises(ValueError, match=r"input_shape must be \(4,\)"):
        fb.Sequential([layers.Input((3,)), called_with(layers.Dense(2), x)])


def called_with(layer, x):
    layer(x)
    return layer


def test_a_popped_layer_can_go_into_another_model():
    dense = layers.Dense(3)
    model = fb.Sequential([layers.Input((2,)), layers.Dense(2), dense])
    kernel = dense.get_weights()[0]
    assert model.pop() is dense
    other = fb.Sequential([layers.Input((2,)), dense])
    np.testing.assert_array_equal(other.get_weights()[0], kernel)


# --- models that compute nothing -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("batch_size", [32, 7000])
def test_metrics_of_a_model_that_is_a_softmax_alone(batch_size):
    x = np.random.default_rng(0).random((7000, 3), np.float32)
    kept, labels = x.copy(), np.arange(7000) % 3
    model = fb.Sequential([layers.Input((3,)), layers.Activation("softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[fb.metrics.SparseTopKCategoricalAccuracy(1)])
    found = model.evaluate(x, labels, batch_size, verbose=0, return_dict=True)
    probabilities = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    assert found["loss"] == pytest.approx(-np.log(probabilities[np.arange(7000), labels]).mean(), rel=1e-5)
    assert found["sparse_top_k_categorical_accuracy"] == pytest.approx(np.mean(x.argmax(1) == labels), rel=1e-5)
    np.testing.assert_array_equal(x, kept)


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("batch_size", [32, 7000])
def test_metrics_of_a_model_that_is_a_penalty_alone(batch_size):
    x = np.random.default_rng(0).dirichlet(np.ones(3), 7000).astype(np.float32)
    kept = x.copy()
    model = fb.Sequential([layers.Input((3,)), layers.ActivityRegularization(0.1)])
    model.compile("sgd", "mse", metrics=[fb.metrics.RootMeanSquaredError()])
    found = model.evaluate(x, x + 1.0, batch_size, verbose=0, return_dict=True)
    assert found == pytest.approx({"root_mean_squared_error": 1.0, "loss": 1.0 + 0.1}, rel=1e-5)
    np.testing.assert_array_equal(x, kept)
