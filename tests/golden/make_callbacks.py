"""Write callbacks.json: what Keras' callbacks decide on sequences of values.

Run with Keras 3 installed: ``KERAS_BACKEND=numpy python tests/golden/make_callbacks.py``.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np

SEQUENCES = 6
EPOCHS = 30

PLATEAU = [
    {"patience": 2},
    {"patience": 0},
    {"patience": 3, "factor": 0.5, "cooldown": 2},
    {"patience": 1, "factor": 0.3, "min_delta": 0.05, "min_lr": 0.003},
    {"patience": 2, "mode": "max", "min_delta": 0.0, "cooldown": 1},
]
STOPPING = [
    {"patience": 3},
    {"patience": 4, "min_delta": 0.05},
    {"patience": 2, "mode": "max"},
    {"patience": 3, "baseline": 0.9},
    {"patience": 2, "start_from_epoch": 5},
]
CHECKPOINT = [{}, {"mode": "max"}, {"initial_value_threshold": 0.8}]


class Model(keras.Sequential):
    """A model whose files are the epochs it was saved in."""

    def save(self, filepath, overwrite=True, **options):
        self.saved.append(filepath)


def model() -> Model:
    one = Model([keras.Input((1,)), keras.layers.Dense(1)])
    one.compile(keras.optimizers.SGD(0.1), "mse")
    one.saved, one.stop_training = [], False
    return one


def run(callback, values):
    """Drive the callback; return the model, and the learning rate of each epoch."""
    one, rates = model(), []
    callback.set_model(one)
    callback.set_params({"epochs": len(values), "steps": 3, "verbose": 0})
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        rates.append(float(f"{float(one.optimizer.learning_rate):.6g}"))
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {"val_loss": value})
        if one.stop_training:
            break
    callback.on_train_end()
    return one, rates


def main() -> None:
    rng = np.random.default_rng(0)
    golden = {"keras": keras.__version__, "cases": []}
    for i in range(SEQUENCES):
        trend = np.linspace(1.5, 0.5, EPOCHS) if i % 2 else np.full(EPOCHS, 1.0)
        values = [round(float(v), 3) for v in trend + rng.normal(0, 0.15, EPOCHS)]
        case = {"values": values, "plateau": [], "stopping": [], "checkpoint": []}
        for options in PLATEAU:
            _, rates = run(keras.callbacks.ReduceLROnPlateau("val_loss", **options), values)
            case["plateau"].append({"options": options, "rates": rates})
        for options in STOPPING:
            callback = keras.callbacks.EarlyStopping("val_loss", restore_best_weights=True, **options)
            _, rates = run(callback, values)
            result = {"epochs": len(rates), "stopped": callback.stopped_epoch, "best": callback.best_epoch}
            case["stopping"].append({"options": options, **result})
        for options in CHECKPOINT:
            callback = keras.callbacks.ModelCheckpoint("{epoch:02d}.keras", save_best_only=True, **options)
            one, _ = run(callback, values)
            case["checkpoint"].append({"options": options, "saved": one.saved})
        golden["cases"].append(case)
    path = Path(__file__).with_name("callbacks.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
