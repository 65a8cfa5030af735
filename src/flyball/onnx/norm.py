"""Normalisations in ONNX."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from flyball.onnx.activations import write_activation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.onnx.graph import Graph
    from flyball.program.nodes import BatchNormNode, GroupNormNode, LayerNormNode, RMSNormNode, UnitNormNode, Weight


def write_batch_norm(graph: Graph, node: BatchNormNode) -> None:
    """Write the operator, which normalises over the second axis."""
    channels = node.running_mean.shape
    parameters = [
        graph.constant(np.ones(channels)) if node.gamma is None else graph.weight(node.gamma),
        graph.constant(np.zeros(channels)) if node.beta is None else graph.weight(node.beta),
        graph.weight(node.running_mean),
        _variance(graph, node),
    ]
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


def write_layer_norm(graph: Graph, node: LayerNormNode) -> None:
    """Write the operator, or for float64, in which it computes statistics in float32, what it stands for."""
    if graph.dtype == np.float32:
        kept = graph.shape[len(graph.shape) - node.axes :]
        gamma = graph.constant(np.ones(kept)) if node.gamma is None else graph.weight(node.gamma)
        beta = [] if node.beta is None else [graph.weight(node.beta)]
        attributes = {"axis": -node.axes, "epsilon": node.epsilon}
        graph.value = graph.add("LayerNormalization", graph.value, gamma, *beta, **attributes)
        return
    _centre(graph, _last(node.axes))
    _divide_by_root_mean_square(graph, _last(node.axes), node.epsilon)
    _scale(graph, node.gamma, node.beta)


def write_rms_norm(graph: Graph, node: RMSNormNode) -> None:
    """Write ``x / sqrt(mean(x**2) + epsilon) * gamma``."""
    _divide_by_root_mean_square(graph, _last(node.axes), node.epsilon)
    _scale(graph, node.gamma, None)


def write_unit_norm(graph: Graph, node: UnitNormNode) -> None:
    """Write the same with ``1 / sqrt(n)`` as gamma, n being the number of elements."""
    _divide_by_root_mean_square(graph, _last(node.axes), node.epsilon)
    elements = prod(graph.shape[len(graph.shape) - node.axes :])
    graph.value = graph.add("Mul", graph.value, graph.constant(elements**-0.5))


def write_group_norm(graph: Graph, node: GroupNormNode) -> None:
    """Write group normalisation, of channels that are a sample's first axis or its last."""
    samples = graph.shape
    channels = samples[0] if node.channels_first else samples[-1]
    size = channels // node.groups
    if node.channels_first:
        graph.value, axes = graph.reshape((node.groups, size * prod(samples[1:]))), [2]
    else:
        graph.value, axes = graph.reshape((prod(samples[:-1]), node.groups, size)), [1, 3]
    _centre(graph, axes)
    _divide_by_root_mean_square(graph, axes, node.epsilon)
    graph.value = graph.reshape(samples)
    _scale(graph, node.gamma, node.beta, (channels, *[1] * (len(samples) - 1)) if node.channels_first else None)


def _last(axes: int) -> list[int]:
    return list(range(-axes, 0))


def _centre(graph: Graph, axes: Sequence[int]) -> None:
    mean = graph.add("ReduceMean", graph.value, graph.constant(axes, np.int64))
    graph.value = graph.add("Sub", graph.value, mean)


def _divide_by_root_mean_square(graph: Graph, axes: Sequence[int], epsilon: float) -> None:
    squares = graph.add("Mul", graph.value, graph.value)
    mean = graph.add("ReduceMean", squares, graph.constant(axes, np.int64))
    root = graph.add("Sqrt", graph.add("Add", mean, graph.constant(epsilon)))
    graph.value = graph.add("Div", graph.value, root)


def _scale(graph: Graph, gamma: Weight | None, beta: Weight | None, shape: tuple[int, ...] | None = None) -> None:
    for operator, weight in (("Mul", gamma), ("Add", beta)):
        if weight is not None:
            value = graph.weight(weight)
            if shape is not None:
                value = graph.add("Reshape", value, graph.constant(shape, np.int64))
            graph.value = graph.add(operator, graph.value, value)
