"""Activations in ONNX: operators of their own, and from simpler ones where onnxruntime lacks a float64 kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import backend

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyball.onnx.graph import Graph

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

# Operators that take a float64 in onnxruntime too, or that cannot be made from such.
OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "gelu": ("Gelu", {"approximate": "none"}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "exponential": ("Exp", {}),
    "softmax": ("Softmax", {"axis": -1}),
    "log_softmax": ("LogSoftmax", {"axis": -1}),
}

# Operators that take a float32 only.
OPERATORS_OF_FLOAT32: dict[str, tuple[str, dict[str, Any]]] = {
    "leaky_relu": ("LeakyRelu", {}),
    "elu": ("Elu", {}),
    "selu": ("Selu", {"alpha": SELU_ALPHA, "gamma": SELU_SCALE}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "mish": ("Mish", {}),
}


def write_activation(graph: Graph, activation: str, alpha: float) -> str:
    """Write ``activation`` of the graph's last value, and return the name of the result."""
    if activation == "linear":
        return graph.value
    operators = OPERATORS | (OPERATORS_OF_FLOAT32 if graph.dtype == np.float32 else {})
    if activation in operators:
        operator, attributes = operators[activation]
        if activation in backend.ALPHAS:
            attributes = {"alpha": alpha}
        return graph.add(operator, graph.value, **attributes)
    return _FORMULAS[activation](graph, graph.value, alpha)


def _leaky_relu(graph: Graph, x: str, alpha: float) -> str:
    return graph.add("Add", graph.add("Relu", x), _times(graph, alpha, _below_zero(graph, x)))


def _elu(graph: Graph, x: str, alpha: float) -> str:
    less_one = graph.add("Sub", graph.add("Exp", _below_zero(graph, x)), graph.constant(1.0))
    return graph.add("Add", graph.add("Relu", x), _times(graph, alpha, less_one))


def _selu(graph: Graph, x: str, alpha: float) -> str:
    del alpha
    return _times(graph, SELU_SCALE, _elu(graph, x, SELU_ALPHA))


def _relu6(graph: Graph, x: str, alpha: float) -> str:
    del alpha
    return graph.add("Clip", x, graph.constant(0.0), graph.constant(6.0))


def _hard_sigmoid(graph: Graph, x: str, alpha: float) -> str:
    del alpha
    line = graph.add("Add", _times(graph, 1 / 6, x), graph.constant(0.5))
    return graph.add("Clip", line, graph.constant(0.0), graph.constant(1.0))


def _silu(graph: Graph, x: str, alpha: float) -> str:
    del alpha
    return graph.add("Mul", x, graph.add("Sigmoid", x))


def _softplus(graph: Graph, x: str, alpha: float) -> str:
    del alpha
    small = graph.add("Exp", graph.add("Neg", graph.add("Abs", x)))
    return graph.add("Add", graph.add("Relu", x), graph.add("Log", graph.add("Add", small, graph.constant(1.0))))


def _softsign(graph: Graph, x: str, alpha: float) -> str:
    del alpha
    return graph.add("Div", x, graph.add("Add", graph.add("Abs", x), graph.constant(1.0)))


def _mish(graph: Graph, x: str, alpha: float) -> str:
    return graph.add("Mul", x, graph.add("Tanh", _softplus(graph, x, alpha)))


def _below_zero(graph: Graph, x: str) -> str:
    return graph.add("Min", x, graph.constant(0.0))


def _times(graph: Graph, factor: float, x: str) -> str:
    return graph.add("Mul", x, graph.constant(factor))


_FORMULAS: dict[str, Callable[[Graph, str, float], str]] = {
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "relu6": _relu6,
    "hard_sigmoid": _hard_sigmoid,
    "silu": _silu,
    "softplus": _softplus,
    "softsign": _softsign,
    "mish": _mish,
}
