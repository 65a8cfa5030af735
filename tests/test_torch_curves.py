"""Five networks beside PyTorch from the same weights (golden/make_torch_curves.py): the same loss at each step."""

import json
from pathlib import Path

import numpy as np
import pytest
from golden.networks import FEATURES, NETWORKS, STEPS, batch, samples

import flyball
from flyball import layers, losses, optimizers, regularizers

GOLDEN = json.loads((Path(__file__).parent / "golden" / "torch_curves.json").read_text(encoding="utf-8"))
EPSILON = 1e-14

pytestmark = pytest.mark.usefixtures("each_backend")

# Activation, whether batch normalisation precedes it, regularizer of the kernels, last activation, loss, optimizer.
TRAINING = [
    (
        "relu",
        False,
        None,
        "softmax",
        losses.SparseCategoricalCrossentropy(label_smoothing=0.1),
        lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    ),
    ("tanh", False, regularizers.L2(0.01), "sigmoid", "bce", lambda: optimizers.Adam(0.02, epsilon=EPSILON)),
    (
        "relu",
        True,
        None,
        "softmax",
        "sparse_categorical_crossentropy",
        lambda: optimizers.RMSprop(0.005, epsilon=EPSILON),
    ),
    ("elu", False, None, None, "mse", lambda: optimizers.AdamW(0.01, weight_decay=0.1, epsilon=EPSILON)),
    ("softplus", False, None, None, losses.Huber(0.5), lambda: optimizers.Adagrad(0.1, epsilon=EPSILON)),
]


def model_of(weights, activation, norm, regularizer, last):
    model = flyball.Sequential([flyball.Input((FEATURES,))], dtype="float64")
    for i, (kernel, bias) in enumerate(weights):
        ends = i == len(weights) - 1
        use_bias = ends or not norm
        model.add(layers.Dense(kernel.shape[1], use_bias=use_bias, kernel_regularizer=regularizer))
        model.layers[-1].set_weights([kernel, bias] if use_bias else [kernel])
        if norm and not ends:
            model.add(layers.BatchNormalization())
        if not ends or last:
            model.add(layers.Activation(last if ends else activation))
    return model


@pytest.mark.parametrize(("name", "row"), list(zip(NETWORKS, TRAINING, strict=True)), ids=list(NETWORKS))
def test_the_loss_is_torchs_at_each_step(name, row):
    *stack, loss, optimizer = row
    x, y, weights = samples(name)
    model = model_of(weights, *stack)
    model.compile(optimizer(), loss)
    curve = []
    for step in range(STEPS):
        rows = batch(step)
        history = model.fit(x[rows], y[rows], batch_size=len(x[rows]), shuffle=False, verbose=0)
        curve += history.history["loss"]
    np.testing.assert_allclose(curve, GOLDEN["curves"][name], rtol=1e-6)
    assert curve[-1] < 0.8 * curve[0]
