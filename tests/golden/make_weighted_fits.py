"""Writes weighted_fits.json: what Keras' fit makes of class and sample weights, in float64. Needs Keras 3.

KERAS_BACKEND=torch python tests/golden/make_weighted_fits.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from weighted_fits import CASES, EPOCHS, data, first_weights, options

keras.config.set_floatx("float64")


def fitted(name: str) -> dict[str, object]:
    """Train one case; return its history, its last weights and a weighted evaluation."""
    case = CASES[name]
    x, y = data(case)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(case.outputs, case.activation)]
    )
    model.compile(keras.optimizers.SGD(0.3), case.loss, metrics=case.metrics, weighted_metrics=case.weighted_metrics)
    model.set_weights(first_weights(case))
    weights = np.linspace(0.0, 3.0, len(x))
    history = model.fit(
        x,
        y,
        batch_size=8,
        epochs=EPOCHS,
        shuffle=False,
        verbose=0,
        validation_data=(x, y, weights),
        **options(name, len(x)),
    ).history
    return {
        "history": history,
        "weights": [array.tolist() for array in model.get_weights()],
        "evaluation": model.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True),
    }


golden = {"keras": keras.__version__, "cases": {name: fitted(name) for name in CASES}}
Path(__file__).with_name("weighted_fits.json").write_text(json.dumps(golden, indent=1) + "\n")
