"""A graph under construction: nodes, constants, and the value that the next layer reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, DTypeLike

    from flyball.program.nodes import Weight

INPUT, OUTPUT = "input", "output"


class Graph:
    """An ONNX graph with one input and one output.

    Attributes
    ----------
    dtype : numpy.dtype
        Of all values.
    value : str
        Name of the last value: what the next layer reads.
    shape : tuple of int
        Its shape, one sample's.
    layer : str
        The layer being written, after which nodes are called.
    """

    def __init__(self, dtype: np.dtype[Any], input_shape: tuple[int | None, ...]) -> None:
        self._onnx = import_onnx()
        self.dtype = dtype
        self.value = INPUT
        self.shape = tuple(size for size in input_shape if size is not None)
        self.layer = ""
        self._input_shape = self.shape
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._names: dict[str, int] = {}

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node, and return the name of its output."""
        stem = f"{self.layer}/{operator}"
        count = self._names[stem] = self._names.get(stem, 0) + 1
        name = stem if count == 1 else f"{stem}_{count}"
        self._nodes.append(self._onnx.helper.make_node(operator, list(inputs), [name], name, **attributes))
        return name

    def weight(self, weight: Weight) -> str:
        """Return the name of a weight's value."""
        return self._constant(weight.name, weight.value, self.dtype)

    def constant(self, value: ArrayLike, dtype: DTypeLike | None = None) -> str:
        """Return the name of a constant, which is of the graph's dtype if no other is given."""
        array = np.asarray(value, self.dtype if dtype is None else dtype)
        for name, known in self._constants.items():
            if known.dtype == array.dtype and known.tobytes() == array.tobytes() and known.shape == array.shape:
                return name
        return self._constant(f"constant_{len(self._constants)}", array, array.dtype)

    def reshape(self, shape: tuple[int, ...]) -> str:
        """Return the last value with samples of ``shape``; the number of samples follows from it."""
        return self.add("Reshape", self.value, self.constant([-1, *shape], np.int64))

    def _constant(self, name: str, value: ArrayLike, dtype: DTypeLike) -> str:
        self._constants[name] = np.ascontiguousarray(value, dtype)
        return name

    def model(
        self, name: str, *, opset: int, ir_version: int, producer_version: str, metadata: Mapping[str, str]
    ) -> Any:
        """Return the graph as an ``onnx.ModelProto``."""
        helper = self._onnx.helper
        if self._nodes:
            self._nodes[-1].output[0] = OUTPUT
        else:
            self._nodes.append(helper.make_node("Identity", [INPUT], [OUTPUT], "identity"))
        element = helper.np_dtype_to_tensor_dtype(self.dtype)
        graph = helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info(INPUT, element, ["batch", *self._input_shape])],
            [helper.make_tensor_value_info(OUTPUT, element, ["batch", *self.shape])],
            [self._onnx.numpy_helper.from_array(value, name) for name, value in self._constants.items()],
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", opset)],
            ir_version=ir_version,
            producer_name="flyball",
            producer_version=producer_version,
        )
        helper.set_model_props(model, dict(metadata))
        return model


def import_onnx() -> Any:
    """Return the package ``onnx``.

    Raises
    ------
    ImportError
        If it is missing, with the command that brings it.
    """
    try:
        import onnx
    except ImportError as error:
        msg = 'the package onnx is missing; pip install "flyball[onnx]" brings it'
        raise ImportError(msg, name="onnx") from error
    return onnx
