"""Layers against networks that Keras trained with them (golden/make_layers.py), on both backends.

Keras rounds some results to float32 in between, whatever its floatx is: hence the tolerance. Finite differences
(test_layers_in_training.py) are as exact as float64.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import flyball as fb
from flyball import layers

GOLDEN = json.loads((Path(__file__).parent / "golden" / "layers.json").read_text(encoding="utf-8"))


def identity(case):
    arguments = "-".join(f"{name}={value}" for name, value in case["arguments"].items())
    return f"{case['layer']}-{arguments}-{len(case['shape'])}"


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("case", GOLDEN["cases"], ids=identity)
def test_networks_train_as_in_keras(case):
    shape = tuple(case["shape"])
    layer = getattr(layers, case["layer"])(**case["arguments"])
    stack = [layers.Input(shape), layers.Dense(shape[-1]), layer, layers.Flatten(), layers.Dense(2)]
    model = fb.Sequential(stack, dtype="float64")
    model.set_weights([np.array(w) for w in case["weights"]])
    model.compile(fb.optimizers.SGD(0.01), "mean_squared_error")
    x, y = np.array(case["x"]), np.array(case["y"])
    history = model.fit(x, y, batch_size=len(x), epochs=len(case["losses"]), verbose=0, shuffle=False)
    for weight, got, expected in zip(model.weights, model.get_weights(), case["trained"], strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6, err_msg=weight.name)
    np.testing.assert_allclose(history.history["loss"], case["losses"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(model.evaluate(x, y, verbose=0), case["evaluated"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(model.predict(x, verbose=0), case["predictions"], rtol=1e-6, atol=1e-6)
