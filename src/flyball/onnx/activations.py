"""Activations in ONNX: operators of their own, and from simpler ones where onnxruntime lacks a float64 kernel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import backend

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyball.onnx.graph import Graph

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

# Operators that onnxruntime has in float64 too.
OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "exponential": ("Exp", {}),
    "softmax": ("Softmax", {"axis": -1}),
    "log_softmax": ("LogSoftmax", {"axis": -1}),
}

# Operators that it has in float32 only, or whose constants are float32.
OPERATORS_OF_FLOAT32: dict[str, tuple[str, dict[str, Any]]] = {
    "leaky_relu": ("LeakyRelu", {}),
    "elu": ("Elu", {}),
    "gelu": ("Gelu", {"approximate": "none"}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
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


def write_relu(graph: Graph, negative_slope: float, threshold: float, max_value: float) -> str:
    """Write the general ReLU of the graph's last value, and return the name of the result."""
    x, at = graph.value, graph.constant(threshold)
    above = x if math.isinf(max_value) else graph.add("Min", x, graph.constant(max_value))
    zero = negative_slope == 0.0
    below = graph.constant(0.0) if zero else _times(graph, negative_slope, graph.add("Sub", x, at))
    return graph.add("Where", graph.add("Greater", x, at), above, below)


def write_prelu(graph: Graph, slopes: str) -> str:
    """Write ReLU with ``slopes``, which broadcast, of the graph's last value, and return the name of the result."""
    if graph.dtype == np.float32:
        return graph.add("PRelu", graph.value, slopes)
    below = graph.add("Mul", slopes, _below_zero(graph, graph.value))
    return graph.add("Add", graph.add("Relu", graph.value), below)


def _leaky_relu(graph: Graph, x: str, alpha: float) -> str:
    return graph.add("Add", graph.add("Relu", x), _times(graph, alpha, _below_zero(graph, x)))


def _elu(graph: Graph, x: str, alpha: float) -> str:
    less_one = graph.add("Sub", graph.add("Exp", _below_zero(graph, x)), graph.constant(1.0))
    return graph.add("Add", graph.add("Relu", x), _times(graph, alpha, less_one))


def _selu(graph: Graph, x: str, alpha: float) -> str:
    del alpha
    return _times(graph, SELU_SCALE, _elu(graph, x, SELU_ALPHA))


def _gelu(graph: Graph, x: str, alpha: float) -> str:
    del alpha
    share = graph.add("Add", graph.add("Erf", _times(graph, math.sqrt(0.5), x)), graph.constant(1.0))
    return graph.add("Mul", _times(graph, 0.5, x), share)


def _gelu_tanh(graph: Graph, x: str, alpha: float) -> str:
    del alpha
    cubic = _times(graph, 0.044715, graph.add("Mul", graph.add("Mul", x, x), x))
    inner = _times(graph, math.sqrt(2.0 / math.pi), graph.add("Add", x, cubic))
    share = graph.add("Add", graph.add("Tanh", inner), graph.constant(1.0))
    return graph.add("Mul", _times(graph, 0.5, x), share)


def _relu6(graph: Graph, x: str, alpha: float) -> str:
    del alpha
    return _between_zero_and(graph, 6.0, x)


def _hard_sigmoid(graph: Graph, x: str, alpha: float) -> str:
    del alpha
    return _between_zero_and(graph, 1.0, graph.add("Add", _times(graph, 1 / 6, x), graph.constant(0.5)))


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


def _between_zero_and(graph: Graph, high: float, x: str) -> str:
    # No Clip: onnxruntime 1.31 fuses it with a Relu before it, and fails where they are float64.
    return graph.add("Min", graph.add("Relu", x), graph.constant(high))


def _below_zero(graph: Graph, x: str) -> str:
    return graph.add("Min", x, graph.constant(0.0))


def _times(graph: Graph, factor: float, x: str) -> str:
    return graph.add("Mul", x, graph.constant(factor))


_FORMULAS: dict[str, Callable[[Graph, str, float], str]] = {
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "selu": _selu,
    "relu6": _relu6,
    "hard_sigmoid": _hard_sigmoid,
    "silu": _silu,
    "softplus": _softplus,
    "softsign": _softsign,
    "mish": _mish,
}
