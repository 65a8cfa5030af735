"""Images of another size, in ONNX: two products with matrices, one along the rows and one along the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flyball.functional import affine_transform
from flyball.program.nodes import ResampleNode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.onnx.graph import Graph
    from flyball.program.nodes import AffineNode


def write_resampling(graph: Graph, node: ResampleNode) -> None:
    """Write the map of a node that resizes, crops or pads."""
    row, mixed, top, also_mixed, column, left = node.map
    if mixed or also_mixed:
        msg = f"layer {node.layer!r} cannot be exported to ONNX: it turns or shears"
        raise ValueError(msg)
    (height, width), (out_height, out_width) = graph.shape[:2], node.size
    rows = _weights(height, out_height, row, top, node)
    columns = _weights(width, out_width, column, left, node)
    channels = graph.shape[2:]
    graph.value = graph.reshape((height, int(np.prod([width, *channels]))))
    graph.value = graph.add("MatMul", graph.constant(rows), graph.value)
    graph.value = graph.reshape((out_height, width, *(channels or (1,))))
    graph.value = graph.add("MatMul", graph.constant(columns), graph.value)
    outside = 1.0 - np.outer(rows.sum(axis=1), columns.sum(axis=1))
    if node.fill_mode == "constant" and node.fill_value and outside.any():
        graph.value = graph.add("Add", graph.value, graph.constant(node.fill_value * outside[..., np.newaxis]))
    graph.shape = (*node.size, *channels)
    if not channels:
        graph.value = graph.reshape(graph.shape)


def write_crop(graph: Graph, node: AffineNode) -> None:
    """Write what a random crop is at inference: the window in the middle."""
    height, width = node.size or graph.shape[:2]
    top, left = (graph.shape[0] - height) // 2, (graph.shape[1] - width) // 2
    window = ResampleNode(
        node.layer,
        (1.0, 0.0, float(top), 0.0, 1.0, float(left)),
        (height, width),
        True,
        node.fill_mode,
        node.fill_value,
    )
    write_resampling(graph, window)


def _weights(extent: int, out_extent: int, scale: float, start: float, node: ResampleNode) -> NDArray[np.float64]:
    """Return the share (out_extent, extent) of each input index in each output index: the images of unit vectors."""
    unit_vectors = np.eye(extent)[:, :, np.newaxis]
    maps = np.tile([scale, 0.0, start, 0.0, 1.0, 0.0], (extent, 1))
    shares = affine_transform(
        unit_vectors,
        maps,
        size=(out_extent, 1),
        interpolation="nearest" if node.nearest else "bilinear",
        fill_mode=node.fill_mode,
    )
    return np.asarray(shares[:, :, 0].T)
