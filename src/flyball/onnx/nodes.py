"""What each kind of node is in ONNX, at inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.backend import keep_probability
from flyball.onnx.activations import write_activation, write_prelu, write_relu
from flyball.onnx.images import write_crop, write_resampling
from flyball.onnx.norm import write_batch_norm, write_group_norm, write_layer_norm, write_rms_norm, write_unit_norm
from flyball.program.nodes import (
    ActivationNode,
    AffineNode,
    BatchNormNode,
    DenseNode,
    DropoutNode,
    GroupNormNode,
    LayerNormNode,
    PreluNode,
    ReluNode,
    ResampleNode,
    ReshapeNode,
    ResidualNode,
    RMSNormNode,
    ScaleNode,
    TransposeNode,
    UnitNormNode,
    Weight,
)
from flyball.program.nodes.scale import SMALLEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from flyball.onnx.graph import Graph
    from flyball.program.nodes import Node


def write_nodes(graph: Graph, nodes: Iterable[Node]) -> None:
    """Append what ``nodes`` compute at inference to ``graph``.

    Raises
    ------
    ValueError
        If one cannot be written in ONNX; its layer is named.
    """
    for node in nodes:
        if not (node.training_only or node.for_loss_only):
            _write(graph, node)


def _write(graph: Graph, node: Node) -> None:
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


def _activation(graph: Graph, node: ActivationNode) -> None:
    graph.value = write_activation(graph, node.activation, node.alpha)


def _relu(graph: Graph, node: ReluNode) -> None:
    graph.value = write_relu(graph, node.negative_slope, node.threshold, node.max_value)


def _prelu(graph: Graph, node: PreluNode) -> None:
    slopes = node.alpha.value.reshape(graph.shape[len(graph.shape) - node.axes :])
    graph.value = write_prelu(graph, graph.constant(slopes))


def _transpose(graph: Graph, node: TransposeNode) -> None:
    graph.value = graph.add("Transpose", graph.value, perm=[0, *(axis + 1 for axis in node.order)])
    graph.shape = tuple(graph.shape[axis] for axis in node.order)


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


def _dropout(graph: Graph, node: DropoutNode) -> None:
    """Write classic dropout, which scales at inference; the other is not there."""
    graph.value = graph.add("Mul", graph.value, graph.constant(keep_probability(node.rate)))


def _residual(graph: Graph, node: ResidualNode) -> None:
    x, shape = graph.value, graph.shape
    write_nodes(graph, node.branch)
    branch, graph.value, graph.shape = graph.value, x, shape
    write_nodes(graph, node.skip)
    graph.layer = node.layer
    graph.value = graph.add("Add", graph.value, branch)


def _reshape(graph: Graph, node: ReshapeNode) -> None:
    graph.value = graph.reshape(node.shape)
    graph.shape = node.shape


_WRITERS: dict[type[Node], Callable[[Graph, Any], None]] = {
    DenseNode: _dense,
    BatchNormNode: write_batch_norm,
    LayerNormNode: write_layer_norm,
    RMSNormNode: write_rms_norm,
    UnitNormNode: write_unit_norm,
    GroupNormNode: write_group_norm,
    ActivationNode: _activation,
    ReluNode: _relu,
    PreluNode: _prelu,
    ReshapeNode: _reshape,
    TransposeNode: _transpose,
    DropoutNode: _dropout,
    ResidualNode: _residual,
    ScaleNode: _scale,
    ResampleNode: write_resampling,
    AffineNode: write_crop,
}
