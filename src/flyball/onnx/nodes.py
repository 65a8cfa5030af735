"""What each kind of node is in ONNX, at inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.onnx.activations import write_activation
from flyball.onnx.images import write_crop, write_resampling
from flyball.program.nodes import (
    ActivationNode,
    AffineNode,
    BatchNormNode,
    DenseNode,
    ResampleNode,
    ReshapeNode,
    ScaleNode,
    Weight,
)
from flyball.program.nodes.scale import SMALLEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from flyball.onnx.graph import Graph
    from flyball.program.nodes import Node


def write_node(graph: Graph, node: Node) -> None:
    """Append what ``node`` computes at inference to ``graph``.

    Raises
    ------
    ValueError
        If it cannot be written in ONNX; its layer is named.
    """
    writer = _WRITERS.get(type(node))
    if writer is None:
        kinds = ", ".join(sorted(kind.__name__ for kind in _WRITERS))
        msg = f"layer {node.layer!r} cannot be exported to ONNX: it lowers to {type(node).__name__}, not to {kinds}"
        raise ValueError(msg)
    graph.layer = node.layer
    writer(graph, node)


def _dense(graph: Graph, node: DenseNode) -> None:
    kernel = graph.weight(node.w)
    bias = [] if node.b is None else [graph.weight(node.b)]
    if len(graph.shape) == 1:
        graph.value = graph.add("Gemm", graph.value, kernel, *bias)
    else:
        graph.value = graph.add("MatMul", graph.value, kernel)
        if bias:
            graph.value = graph.add("Add", graph.value, *bias)
    graph.shape = (*graph.shape[:-1], node.w.shape[1])
    graph.value = write_activation(graph, node.activation, node.alpha)


def _batch_norm(graph: Graph, node: BatchNormNode) -> None:
    channels = node.running_mean.shape
    parameters = [
        graph.constant(np.ones(channels)) if node.gamma is None else graph.weight(node.gamma),
        graph.constant(np.zeros(channels)) if node.beta is None else graph.weight(node.beta),
        graph.weight(node.running_mean),
        _variance(graph, node),
    ]
    # ONNX normalises over the second axis.
    samples = graph.shape
    channels_last = len(samples) > 1 and not node.channels_first
    if channels_last:
        graph.value = graph.reshape(channels)
    graph.value = graph.add("BatchNormalization", graph.value, *parameters, epsilon=node.epsilon)
    if channels_last:
        graph.value = graph.reshape(samples)
    graph.value = write_activation(graph, node.activation, 0.0)


def _variance(graph: Graph, node: BatchNormNode) -> str:
    """Return the variance to which the operator adds an epsilon; an attribute has the digits of a float32."""
    variance = graph.weight(node.running_var)
    rounded_off = node.epsilon - float(np.float32(node.epsilon))
    if graph.dtype == np.float32 or rounded_off == 0.0:
        return variance
    return graph.add("Add", variance, graph.constant(rounded_off))


def _activation(graph: Graph, node: ActivationNode) -> None:
    graph.value = write_activation(graph, node.activation, node.alpha)


def _scale(graph: Graph, node: ScaleNode) -> None:
    begin, end = node.axes

    def broadcast(values: Weight | NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        if values is None:
            return None
        array = np.asarray(values.value if isinstance(values, Weight) else values, np.float64)
        return array.reshape(*graph.shape[begin:end], *[1] * (len(graph.shape) - end))

    mean, variance = broadcast(node.mean), broadcast(node.variance)
    gamma, beta = broadcast(node.gamma), broadcast(node.beta)
    deviation = None if variance is None else np.sqrt(variance + SMALLEST)
    if node.inverse:
        mean, factor, beta = None, deviation, mean
    elif deviation is None:
        factor = gamma
    else:
        factor = (1.0 if gamma is None else gamma) / deviation
    for operator, values in (("Sub", mean), ("Mul", factor), ("Add", beta)):
        if values is not None:
            graph.value = graph.add(operator, graph.value, graph.constant(values))


def _reshape(graph: Graph, node: ReshapeNode) -> None:
    graph.value = graph.reshape(node.shape)
    graph.shape = node.shape


_WRITERS: dict[type[Node], Callable[[Graph, Any], None]] = {
    DenseNode: _dense,
    BatchNormNode: _batch_norm,
    ActivationNode: _activation,
    ReshapeNode: _reshape,
    ScaleNode: _scale,
    ResampleNode: write_resampling,
    AffineNode: write_crop,
}
