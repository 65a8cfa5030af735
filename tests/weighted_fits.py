"""The trainings that test_fit_weights.py compares with Keras; golden/make_weighted_fits.py runs them there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

EPOCHS = 3
ROWS = 20


@dataclass(frozen=True)
class Case:
    """A loss with its targets, and the weights given to ``fit``."""

    loss: str
    outputs: int
    activation: str | None
    targets: str
    weighting: dict[str, Any]
    metrics: list[str] = field(default_factory=list)
    weighted_metrics: list[str] = field(default_factory=list)


CLASSES = {"class_weight": {0: 0.5, 2: 4.0}}
SAMPLES = {"sample_weight": "ramp"}
CASES = {
    "labels, class_weight": Case("sparse_categorical_crossentropy", 3, "softmax", "labels", CLASSES, ["accuracy"]),
    "labels, sample_weight": Case(
        "sparse_categorical_crossentropy",
        3,
        "softmax",
        "labels",
        SAMPLES,
        ["accuracy"],
        ["sparse_categorical_crossentropy"],
    ),
    "column, class_weight": Case("sparse_categorical_crossentropy", 3, "softmax", "column", CLASSES),
    "one-hot, class_weight": Case("categorical_crossentropy", 3, "softmax", "one-hot", CLASSES, ["accuracy"]),
    "binary, class_weight": Case(
        "binary_crossentropy", 1, "sigmoid", "binary", {"class_weight": {1: 3.0}}, ["accuracy"], ["binary_crossentropy"]
    ),
    "signs, class_weight": Case("hinge", 1, None, "signs", {"class_weight": {-1: 3.0}}),
    "values, sample_weight": Case("mse", 2, None, "values", SAMPLES, ["mse"], ["mae"]),
}


def data(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Return samples and targets."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(ROWS, 4))
    labels = rng.integers(0, 3, ROWS)
    targets = {
        "labels": labels,
        "column": labels[:, np.newaxis],
        "one-hot": np.eye(3)[labels],
        "binary": (labels > 0).astype(np.float64)[:, np.newaxis],
        "signs": np.where(labels > 0, 1.0, -1.0)[:, np.newaxis],
        "values": rng.normal(size=(ROWS, 2)),
    }
    return x, targets[case.targets]


def first_weights(case: Case) -> list[np.ndarray]:
    """Return what both begin with."""
    rng = np.random.default_rng(6)
    return [rng.normal(size=shape) * 0.5 for shape in ((4, 5), (5,), (5, case.outputs), (case.outputs,))]


def options(name: str, rows: int) -> dict[str, Any]:
    """Return the case's weights as ``fit`` takes them."""
    given = CASES[name].weighting
    if "sample_weight" in given:
        return {"sample_weight": np.linspace(2.0, 0.0, rows)}
    return given
