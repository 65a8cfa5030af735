"""Cases of the operations of ``flyball.backend.activation``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cases.table import CLASSES, ROWS, Case, cases, normal
from flyball import reference
from flyball.backend import ACTIVATIONS

if TYPE_CHECKING:
    from cases.table import Maker


def elementwise(activation: str) -> Maker:
    def make(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
        x = normal(rng, dtype, *sizes)
        y = np.empty_like(x)
        reference.activation_forward(y, x, activation, 0.1)
        return {
            "y": y,
            "dx": np.empty(sizes, dtype),
            "dy": normal(rng, dtype, *sizes),
            "x": x,
            "activation": activation,
            "alpha": 0.1,
        }

    return make


def rectified(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    return {
        **elementwise("linear")(rng, dtype, sizes),
        "negative_slope": 0.1,
        "threshold": 0.5,
        "max_value": 2.0,
        "dalpha": np.empty(sizes[1:], dtype),
        "alpha": np.full(sizes[1:], 0.25, dtype),
    }


def probabilities(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    x = normal(rng, dtype, *sizes)
    y = np.exp(x)
    return {
        "y": y / y.sum(axis=-1, keepdims=True),
        "dx": np.empty(sizes, dtype),
        "dy": normal(rng, dtype, *sizes),
        "x": x,
    }


def logarithms(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    made = probabilities(rng, dtype, sizes)
    return {**made, "y": np.log(made["y"])}


def activity(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    made = probabilities(rng, dtype, sizes)
    return {**made, "total": np.zeros(1), "l1": 1e-5, "l2": 1e-4, "scale": 1.0 / 128}


CASES: list[Case] = [
    *(
        case
        for name in ACTIVATIONS
        for case in (
            *cases("activation_forward", ROWS, elementwise(name), ("y",), name),
            *cases("activation_backward", ROWS, elementwise(name), ("dx",), name),
        )
    ),
    *cases("relu_forward", ROWS, rectified, ("y",)),
    *cases("relu_backward", ROWS, rectified, ("dx",)),
    *cases("prelu_forward", ROWS, rectified, ("y",)),
    *cases("prelu_backward", ROWS, rectified, ("dx", "dalpha")),
    *cases("activity_penalty", ROWS, activity, ("total",)),
    *cases("activity_penalty_backward", ROWS, activity, ("dx",)),
    *cases("softmax_forward", CLASSES, probabilities, ("y",)),
    *cases("softmax_backward", CLASSES, probabilities, ("dx",)),
    *cases("log_softmax_forward", CLASSES, probabilities, ("y",)),
    *cases("log_softmax_backward", CLASSES, logarithms, ("dx",)),
]
