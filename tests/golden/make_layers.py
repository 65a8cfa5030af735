"""Writes layers.json: how Keras trains small networks with each of its layers. Needs Keras 3 and jax.

JAX_ENABLE_X64=1 KERAS_BACKEND=jax python tests/golden/make_layers.py
"""

from __future__ import annotations

import json
from pathlib import Path

import jax
import keras
import numpy as np

ROWS, STEPS, RATE = 4, 3, 0.01
IMAGE = (2, 3, 6)
CASES = [
    ("Dense", {"units": 4, "activation": "tanh"}, IMAGE),
    ("Dense", {"units": 4, "activity_regularizer": {"class_name": "L1L2", "config": {"l1": 0.01, "l2": 0.02}}}, (5,)),
    ("ActivityRegularization", {"l1": 0.02, "l2": 0.01}, IMAGE),
    ("Reshape", {"target_shape": [-1, 9]}, IMAGE),
    ("Activation", {"activation": "silu"}, (5,)),
    ("Activation", {"activation": "log_softmax"}, IMAGE),
    ("ReLU", {"max_value": 6.0}, (5,)),
    ("ReLU", {"negative_slope": 0.1}, IMAGE),
    ("LeakyReLU", {}, (5,)),
    ("ELU", {"alpha": 0.5}, (5,)),
    ("Softmax", {}, IMAGE),
    ("Softmax", {"axis": [2, 3]}, IMAGE),
    ("BatchNormalization", {"momentum": 0.9}, (5,)),
    ("BatchNormalization", {"momentum": 0.9}, IMAGE),
    ("BatchNormalization", {"momentum": 0.9, "axis": 1}, IMAGE),
    ("BatchNormalization", {"center": False, "scale": False}, IMAGE),
    ("BatchNormalization", {"trainable": False}, (5,)),
    ("BatchNormalization", {"trainable": False, "axis": 1}, IMAGE),
    ("LayerNormalization", {}, (5,)),
    ("LayerNormalization", {"epsilon": 1e-2, "center": False}, IMAGE),
    ("LayerNormalization", {"axis": [2, 3]}, IMAGE),
    ("GroupNormalization", {"groups": 3}, IMAGE),
    ("GroupNormalization", {"groups": 2, "axis": 1}, IMAGE),
    ("GroupNormalization", {"groups": -1, "scale": False}, IMAGE),
    ("GroupNormalization", {"groups": 2}, (6,)),
    ("RMSNormalization", {}, IMAGE),
    ("RMSNormalization", {"axis": [-2, -1], "epsilon": 0.1}, IMAGE),
    ("UnitNormalization", {}, IMAGE),
    ("UnitNormalization", {"axis": [1, 2, 3]}, IMAGE),
]


def trained(
    name: str, arguments: dict[str, object], shape: tuple[int, ...], rng: np.random.Generator
) -> dict[str, object]:
    """Train Dense, the layer, Flatten, Dense, and return what flyball has to do as well."""
    layers = keras.layers
    layer = getattr(layers, name)(**arguments)
    model = keras.Sequential([layers.Input(shape), layers.Dense(shape[-1]), layer, layers.Flatten(), layers.Dense(2)])
    # Three digits, which the file holds exactly.
    model.set_weights([rng.integers(-999, 999, w.shape) / 1000 for w in model.get_weights()])
    if name == "BatchNormalization":
        layer.moving_variance.assign(1.0 + np.abs(np.asarray(layer.moving_variance)))
    initial = model.get_weights()
    x, y = (rng.integers(-999, 999, (ROWS, *one)) / 1000 for one in (shape, (2,)))

    def objective(
        trainable: list[jax.Array], others: list[jax.Array], training: bool
    ) -> tuple[jax.Array, list[jax.Array]]:
        outputs, others, losses = model.stateless_call(trainable, others, x, training=training, return_losses=True)
        return jax.numpy.mean((outputs - y) ** 2) + sum(losses), others

    # Without fit, whose samples, rates and means go through float32.
    trainable = [v.value for v in model.trainable_variables]
    others = [v.value for v in model.non_trainable_variables]
    losses = []
    for _ in range(STEPS):
        (loss, others), gradients = jax.value_and_grad(objective, has_aux=True)(trainable, others, True)
        losses.append(float(loss))
        trainable = [v - RATE * g for v, g in zip(trainable, gradients, strict=True)]
    for variables, values in ((model.trainable_variables, trainable), (model.non_trainable_variables, others)):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    return {
        "layer": name,
        "arguments": arguments,
        "shape": shape,
        "weights": [w.tolist() for w in initial],
        "x": x.tolist(),
        "y": y.tolist(),
        "losses": losses,
        "trained": [w.tolist() for w in model.get_weights()],
        "evaluated": float(objective(trainable, others, False)[0]),
        "predictions": np.asarray(model(x, training=False)).tolist(),
    }


def rounded(value: object) -> object:
    """Cut numbers to 10 digits: enough to compare with, and the file stays small."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    return float(f"{value:.10g}") if isinstance(value, float) else value


def main() -> None:
    keras.config.set_floatx("float64")
    rng = np.random.default_rng(0)
    cases = [trained(*case, rng) for case in CASES]
    path = Path(__file__).with_name("layers.json")
    path.write_text(json.dumps({"keras": keras.__version__, "cases": rounded(cases)}) + "\n")
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
