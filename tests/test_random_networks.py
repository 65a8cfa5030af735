"""Networks nobody thought of: both backends train them alike."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import flyball as fb
from flyball import layers, regularizers
from flyball.backend import backend_scope

WIDTHS = st.sampled_from([1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64])
ACTIVATIONS = [None, "relu"]


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
            stack.append((layers.BatchNormalization, (), {"momentum": draw(st.sampled_from([0.9, 0.99]))}))
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
    "sgd": lambda: fb.optimizers.SGD(0.02),
    "nesterov": lambda: fb.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
    "adam": lambda: fb.optimizers.Adam(1e-3),
    "adamw": lambda: fb.optimizers.AdamW(1e-3, weight_decay=0.01),
}


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    stack=hidden_layers(),
    features=WIDTHS,
    outputs=st.integers(2, 6),
    loss=st.sampled_from(["sparse_categorical_crossentropy", "categorical_crossentropy", "mean_squared_error"]),
    optimizer=st.sampled_from(sorted(OPTIMIZERS)),
    rows=st.integers(2, 70),
    batch=st.integers(2, 40),
    threads=st.sampled_from([1, 2, 3]),
    seed=st.integers(0, 2**31),
)
def test_backends_train_alike(stack, features, outputs, loss, optimizer, rows, batch, threads, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, features))
    if loss == "sparse_categorical_crossentropy":
        y = rng.integers(0, outputs, rows)
    elif loss == "categorical_crossentropy":
        y = rng.dirichlet(np.ones(outputs), rows)
    else:
        y = rng.standard_normal((rows, outputs))
    fb.set_num_threads(threads)
    runs = {}
    for name in ("native", "reference"):
        with backend_scope(name):
            model = made(stack, features, outputs, loss, OPTIMIZERS[optimizer], seed)
            history = model.fit(x, y, batch, epochs=3, verbose=0, validation_data=(x, y)).history
            runs[name] = (history["loss"], history["val_loss"], model.predict(x))
    for native, reference in zip(runs["native"], runs["reference"], strict=True):
        np.testing.assert_allclose(native, reference, rtol=1e-7, atol=1e-9)
