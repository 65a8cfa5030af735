"""Networks nobody thought of: both backends train them alike."""

import math
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import flyball as fb
from flyball import layers, regularizers
from flyball.backend import backend_scope
from flyball.program import lanes

WIDTHS = st.sampled_from([1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64])
ACTIVATIONS = [None, "relu"]
GHOSTS = st.sampled_from([None, None, 2, 3, 8])


@contextmanager
def small_lanes(halved):
    """Let chains of layers be in lanes however small they are, if ``halved``."""
    with pytest.MonkeyPatch.context() as patch:
        if halved:
            for name, value in {"LEAST_WORK": 0, "LEAST_UNITS": 2, "LINE": 1}.items():
                patch.setattr(lanes, name, value)
        yield


@st.composite
def hidden_layers(draw):
    """Draw a list of functions that make layers."""
    stack = []
    for _ in range(draw(st.integers(0, 3))):
        width, activation = draw(WIDTHS), draw(st.sampled_from(ACTIVATIONS))
        penalty = draw(st.sampled_from([(0.0, 0.0), (1e-3, 0.0), (0.0, 1e-2), (1e-3, 1e-2)]))
        bias = draw(st.booleans())
        stack.append((layers.Dense, (width, activation), {"use_bias": bias, "kernel_regularizer": penalty}))
        if draw(st.booleans()):
            norm = {"momentum": draw(st.sampled_from([0.9, 0.99])), "virtual_batch_size": draw(GHOSTS)}
            stack.append((layers.BatchNormalization, (), norm))
        if draw(st.booleans()):
            stack.append((layers.Activation, ("relu",), {}))
        if draw(st.booleans()):
            stack.append((layers.Dropout, (draw(st.sampled_from([0.0, 0.2, 0.5])),), {}))
    return stack


def made(stack, features, outputs, loss, optimizer, seed):
    fb.utils.set_random_seed(seed)
    model = fb.Sequential([layers.Input((features,))], dtype="float64")
    for cls, arguments, options in stack:
        given_options = dict(options)
        if "kernel_regularizer" in options:
            given_options["kernel_regularizer"] = regularizers.L1L2(*options["kernel_regularizer"])
        model.add(cls(*arguments, **given_options))
    model.add(layers.Dense(outputs, activation="softmax" if "crossentropy" in loss else None))
    model.compile(optimizer(), loss)
    return model


OPTIMIZERS = {
    "sgd": partial(fb.optimizers.SGD, 0.02),
    "nesterov": partial(fb.optimizers.SGD, 0.01, momentum=0.9, nesterov=True),
    "adam": partial(fb.optimizers.Adam, 1e-3),
    "adamw": partial(fb.optimizers.AdamW, 1e-3, weight_decay=0.01),
}
AVERAGES = st.sampled_from([{}, {"use_ema": True}, {"use_ema": True, "ema_overwrite_frequency": 2}])


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    stack=hidden_layers(),
    features=WIDTHS,
    outputs=st.integers(2, 6),
    loss=st.sampled_from(["sparse_categorical_crossentropy", "categorical_crossentropy", "mean_squared_error"]),
    optimizer=st.sampled_from(sorted(OPTIMIZERS)),
    steps=st.sampled_from([None, 2, 3, 5]),
    average=AVERAGES,
    rows=st.integers(2, 70),
    batch=st.integers(2, 40),
    threads=st.sampled_from([1, 2, 3]),
    seed=st.integers(0, 2**31),
    halved=st.booleans(),
)
def test_backends_train_alike(
    stack, features, outputs, loss, optimizer, steps, average, rows, batch, threads, seed, halved
):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, features))
    if loss == "sparse_categorical_crossentropy":
        y = rng.integers(0, outputs, rows)
    elif loss == "categorical_crossentropy":
        y = rng.dirichlet(np.ones(outputs), rows)
    else:
        y = rng.standard_normal((rows, outputs))
    fb.set_num_threads(threads)
    options = {"gradient_accumulation_steps": steps, **average}
    runs = {}
    for name in ("native", "reference"):
        with backend_scope(name), small_lanes(halved):
            model = made(stack, features, outputs, loss, lambda: OPTIMIZERS[optimizer](**options), seed)
            history = model.fit(x, y, batch, epochs=3, verbose=0, validation_data=(x, y)).history
            runs[name] = (history["loss"], history["val_loss"], model.predict(x))
    for native, reference in zip(runs["native"], runs["reference"], strict=True):
        np.testing.assert_allclose(native, reference, rtol=1e-7, atol=1e-9)


# --- samples of any shape --------------------------------------------------------------------------------------------

EXTENTS = st.sampled_from([1, 2, 3, 4, 5, 8])
# Without UnitNormalization: of what is zero but for rounding it makes 1, which no two backends round alike.
NAMES = ["relu", "tanh", "silu", "elu", "softplus", "gelu"]
KINDS = [
    "dense", "activation", "batch_norm", "layer_norm", "group_norm", "rms_norm", "softmax", "dropout",
    "alpha", "noise", "penalty", "relu", "prelu", "permute", "reshape", "flatten", "residual",
]  # fmt: skip


@st.composite
def layer_of_samples(draw, shape, depth):
    """Draw a function that makes a layer for samples of ``shape``, and the shape it makes of them."""
    axes = len(shape)
    axis = draw(st.integers(1, axes))
    several = draw(st.lists(st.integers(1, axes), min_size=1, unique=True))
    match draw(st.sampled_from(KINDS if depth < 2 else KINDS[:-1])):
        case "dense":
            units, noise = draw(EXTENTS), draw(st.sampled_from([0.0, 0.1]))
            activation = draw(st.sampled_from([None, *NAMES]))
            return lambda: layers.Dense(units, activation, kernel_noise=noise), (*shape[:-1], units)
        case "activation":
            name = draw(st.sampled_from(NAMES))
            return lambda: layers.Activation(name), shape
        case "batch_norm":
            options = {"trainable": draw(st.booleans()), "virtual_batch_size": draw(GHOSTS)}
            return lambda: layers.BatchNormalization(axis, 0.9, 0.1, **options), shape
        case "layer_norm":
            return lambda: layers.LayerNormalization(several, 0.1), shape
        case "group_norm":
            channels = shape[axis - 1]
            groups = draw(st.sampled_from([g for g in range(1, channels + 1) if channels % g == 0]))
            return lambda: layers.GroupNormalization(groups, axis, 0.1), shape
        case "rms_norm":
            return lambda: layers.RMSNormalization(several, 0.1), shape
        case "softmax":
            return lambda: layers.Softmax(several), shape
        case "dropout":
            mask = [draw(st.sampled_from([1, None])) for _ in range(axes + 1)]
            mode = draw(st.sampled_from(["inverted", "classic"]))
            return lambda: layers.Dropout(0.4, mask, mode=mode), shape
        case "alpha":
            mask = draw(st.sampled_from([None, [1] + [None] * axes]))
            return lambda: layers.AlphaDropout(0.3, mask), shape
        case "noise":
            cls = draw(st.sampled_from([layers.GaussianNoise, layers.GaussianDropout]))
            return lambda: cls(0.1), shape
        case "penalty":
            return lambda: layers.ActivityRegularization(1e-3, 1e-3), shape
        case "relu":
            highest, slope = draw(st.sampled_from([None, 0.5, 6.0])), draw(st.sampled_from([0.0, 0.2]))
            return lambda: layers.ReLU(highest, slope), shape
        case "prelu":
            shared = draw(st.lists(st.integers(1, axes), unique=True))
            return lambda: layers.PReLU("he_normal", "l2", shared_axes=shared), shape
        case "permute":
            dims = draw(st.permutations(range(1, axes + 1)))
            return lambda: layers.Permute(dims), tuple(shape[axis - 1] for axis in dims)
        case "reshape":
            return lambda: layers.Reshape(shape[::-1]), shape[::-1]
        case "flatten":
            data_format = draw(st.sampled_from([None, "channels_first"]))
            return lambda: layers.Flatten(data_format), (math.prod(shape),)
    inside, end = draw(stack_of_samples(shape, depth + 1))
    rate = draw(st.sampled_from([0.0, 0.5]))
    projected = end[:-1] == shape[:-1] and end != shape

    def residual():
        branch = [make() for make in inside]
        if end != shape and not projected:
            branch += [layers.Flatten(), layers.Dense(math.prod(shape)), layers.Reshape(shape)]
        return layers.Residual(branch, layers.Dense(end[-1]) if projected else None, rate)

    return residual, end if projected else shape


@st.composite
def stack_of_samples(draw, shape, depth=0):
    """Draw functions that make layers for samples of ``shape``, and the shape they make of them."""
    stack = []
    for _ in range(draw(st.integers(1, 4))):
        make, shape = draw(layer_of_samples(shape, depth))
        stack.append(make)
    return stack, shape


def trained_on_samples(stack, x, y, batch, seed):
    fb.utils.set_random_seed(seed)
    inner = [layers.Dense(x.shape[-1]), *(make() for make in stack), layers.Flatten(), layers.Dense(y.shape[1])]
    model = fb.Sequential([layers.Input(x.shape[1:]), *inner], dtype="float64")
    model.compile(fb.optimizers.SGD(1e-3, momentum=0.5), "mean_squared_error")
    history = model.fit(x, y, batch, epochs=2, verbose=0, validation_data=(x, y)).history
    return history["loss"], history["val_loss"], model.predict(x, verbose=0), *model.get_weights()


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    data=st.data(),
    shape=st.lists(EXTENTS, min_size=1, max_size=3).map(tuple),
    rows=st.integers(2, 20),
    batch=st.integers(2, 12),
    threads=st.sampled_from([2, 3]),
    seed=st.integers(0, 2**31),
    halved=st.booleans(),
)
def test_backends_and_threads_train_samples_of_any_shape_alike(data, shape, rows, batch, threads, seed, halved):
    stack, _ = data.draw(stack_of_samples(shape))
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((rows, *shape)), rng.standard_normal((rows, 2))
    with backend_scope("reference"):
        reference = trained_on_samples(stack, x, y, batch, seed)
    with backend_scope("native"), small_lanes(halved):
        fb.set_num_threads(1)
        one = trained_on_samples(stack, x, y, batch, seed)
        fb.set_num_threads(threads)
        many = trained_on_samples(stack, x, y, batch, seed)
    for a, b, c in zip(one, many, reference, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(a, c, rtol=1e-6, atol=1e-8)
