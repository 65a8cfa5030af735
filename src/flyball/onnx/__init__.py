"""ONNX: a model as a file that other runtimes read, for inference.

Brought by ``pip install "flyball[onnx]"``. A model can also say ``model.export(path)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flyball
from flyball.onnx.graph import Graph
from flyball.onnx.nodes import write_nodes
from flyball.saving import files

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from flyball.models import Sequential

__all__ = ["convert", "export"]

OPSET = 21
"""The oldest set of operators in which group normalisation has a scale for each channel; onnxruntime 1.18 and newer."""
IR_VERSION = 10
"""The one that belongs to it."""
LARGEST = 2**31 - 1
"""Bytes that a file in protobuf's format can have."""


def export(model: Sequential, filepath: str | os.PathLike[str], *, metadata: Mapping[str, str] | None = None) -> None:
    """Write ``model`` to the file ``filepath`` in the ONNX format, as :func:`convert` makes it.

    Parameters
    ----------
    model : Sequential
        A built model.
    filepath : path
        An existing file is replaced, at once: whatever happens meanwhile, it is the old one or the new one.
    metadata : mapping of str to str, optional
        Notes of your own.

    Raises
    ------
    ImportError
        If the package ``onnx`` is missing.
    ValueError
        If the model is not built, a layer cannot be exported, or ``metadata`` is not as said; nothing is written.
    OSError
        If the file cannot be written.
    """
    files.replace(filepath, convert(model, metadata=metadata).SerializeToString())


def convert(model: Sequential, *, metadata: Mapping[str, str] | None = None) -> Any:
    """Return ``model`` as an ``onnx.ModelProto``: inference, with the weights as they are.

    The graph has one input, ``input`` (batch, ...), and one output, ``output`` (batch, ...), of the model's dtype; the
    number of samples is open. Nodes are called after their layers, and weights as in :attr:`Sequential.weights`. What
    acts in training only, such as dropout, is left out.

    Parameters
    ----------
    model : Sequential
        A built model.
    metadata : mapping of str to str, optional
        Notes of your own, as the model's ``metadata_props``.

    Returns
    -------
    onnx.ModelProto
        Of operator set 21.

    Raises
    ------
    ImportError
        If the package ``onnx`` is missing.
    ValueError
        If the model is not built, is of 2 GiB or more, has a layer that cannot be exported (which is named), or if
        ``metadata`` is not as said.

    Notes
    -----
    onnxruntime has no float64 ``erf``, so that it cannot run a float64 model with the activation ``"gelu"``; other
    runtimes can. ``"gelu_tanh"`` and all other activations run in both.
    """
    if not model.built:
        msg = "model must be built before it is exported: give it an input shape"
        raise ValueError(msg)
    size = sum(weight.size for weight in model.weights) * model.dtype.itemsize
    if size > LARGEST:
        msg = f"model must be smaller than {LARGEST} bytes for ONNX, got {size}"
        raise ValueError(msg)
    notes = files.user_metadata(metadata)
    graph = Graph(model.dtype, model.input_shape[1:])
    write_nodes(graph, model._nodes())
    return graph.model(
        model.name,
        opset=OPSET,
        ir_version=IR_VERSION,
        producer_version=flyball.__version__,
        metadata=notes,
    )
