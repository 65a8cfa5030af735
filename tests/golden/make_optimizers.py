"""Writes optimizers.json: what Keras' optimizers and schedules make of given gradients. Needs Keras 3.

KERAS_BACKEND=torch python tests/golden/make_optimizers.py
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np

STEPS = 6
OPTIMIZERS = [
    ("SGD", {"learning_rate": 0.1}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("RMSprop", {"learning_rate": 0.05}),
    ("RMSprop", {"learning_rate": 0.05, "centered": True, "momentum": 0.9}),
    ("Adam", {"learning_rate": 0.05}),
    ("Adam", {"learning_rate": 0.05, "amsgrad": True}),
    ("Adam", {"learning_rate": 0.05, "clipnorm": 0.5}),
    ("SGD", {"learning_rate": 0.1, "clipnorm": 0.5}),
    ("SGD", {"learning_rate": 0.1, "clipvalue": 0.25}),
    ("SGD", {"learning_rate": 0.1, "global_clipnorm": 0.5}),
    ("SGD", {"learning_rate": 0.1, "use_ema": True, "ema_momentum": 0.7}),
    ("AdamW", {"learning_rate": 0.05, "weight_decay": 0.1}),
    ("Nadam", {"learning_rate": 0.05}),
    ("Adamax", {"learning_rate": 0.05}),
    ("Adagrad", {"learning_rate": 0.5}),
    ("Adadelta", {"learning_rate": 1.0}),
    ("Lion", {"learning_rate": 0.05}),
    ("SGD", {"learning_rate": 0.1, "gradient_accumulation_steps": 3}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.1, "gradient_accumulation_steps": 2}),
    ("SGD", {"learning_rate": 0.1, "clipnorm": 0.25, "gradient_accumulation_steps": 2}),
    ("SGD", {"learning_rate": 0.1, "global_clipnorm": 0.25, "gradient_accumulation_steps": 3}),
    ("SGD", {"learning_rate": 0.1, "clipvalue": 0.125, "gradient_accumulation_steps": 2}),
    ("Adam", {"learning_rate": 0.05, "gradient_accumulation_steps": 4}),
    ("Adam", {"learning_rate": 0.05, "amsgrad": True, "gradient_accumulation_steps": 2}),
    ("AdamW", {"learning_rate": 0.05, "weight_decay": 0.1, "gradient_accumulation_steps": 2}),
    ("Nadam", {"learning_rate": 0.05, "gradient_accumulation_steps": 2}),
    ("Adamax", {"learning_rate": 0.05, "gradient_accumulation_steps": 2}),
    ("RMSprop", {"learning_rate": 0.0625, "momentum": 0.9, "gradient_accumulation_steps": 2}),
    ("Adagrad", {"learning_rate": 0.5, "gradient_accumulation_steps": 3}),
    ("Adadelta", {"learning_rate": 1.0, "gradient_accumulation_steps": 2}),
    ("Lion", {"learning_rate": 0.05, "gradient_accumulation_steps": 2}),
    ("SGD", {"learning_rate": 0.1, "use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 2}),
    ("Adam", {"learning_rate": 0.05, "use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 4}),
    ("SGD", {"learning_rate": 0.1, "use_ema": True, "ema_momentum": 0.7, "gradient_accumulation_steps": 2}),
    (
        "SGD",
        {
            "learning_rate": 0.1,
            "use_ema": True,
            "ema_momentum": 0.7,
            "ema_overwrite_frequency": 2,
            "gradient_accumulation_steps": 2,
        },
    ),
]
SCHEDULES = [
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5}),
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5, "staircase": True}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5, "staircase": True}),
    ("PiecewiseConstantDecay", {"boundaries": [3, 11], "values": [0.3, 0.2, 0.1]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 9, "power": 2.0}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 9, "cycle": True}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 15, "alpha": 0.1}),
    ("CosineDecay", {"initial_learning_rate": 0.01, "decay_steps": 15, "warmup_target": 0.2, "warmup_steps": 5}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 6, "m_mul": 0.8, "alpha": 0.1}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 6, "t_mul": 1.0, "m_mul": 0.8}),
]


def main() -> None:
    rng = np.random.default_rng(0)
    kernel, bias = rng.standard_normal((3, 2)), rng.standard_normal(2)
    gradients = [[rng.standard_normal((3, 2)).tolist(), rng.standard_normal(2).tolist()] for _ in range(STEPS)]
    runs = []
    for name, arguments in OPTIMIZERS:
        variables = [keras.Variable(kernel, dtype="float64"), keras.Variable(bias, dtype="float64")]
        optimizer = getattr(keras.optimizers, name)(**arguments)
        for step in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(g, dtype="float64") for g in step], variables)
        optimizer.finalize_variable_values(variables)
        runs.append([name, arguments, [np.asarray(v.numpy()).tolist() for v in variables]])
    schedules = [
        [name, arguments, [float(getattr(keras.optimizers.schedules, name)(**arguments)(s)) for s in range(30)]]
        for name, arguments in SCHEDULES
    ]
    golden = {
        "keras": keras.__version__,
        "kernel": kernel.tolist(),
        "bias": bias.tolist(),
        "gradients": gradients,
        "optimizers": runs,
        "schedules": schedules,
    }
    Path(__file__).with_name("optimizers.json").write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
