"""From nodes to instructions: what one step of training, evaluation or prediction does, in order."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.backend import ACTIVATIONS, keep_probability
from flyball.program.fusion import fuse
from flyball.program.instructions import Buffer, Dynamic, Kind, Program
from flyball.program.nodes import ActivationNode, BatchNormNode, DenseNode, DropoutNode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from flyball.program.memory import Memory
    from flyball.program.nodes import Node, Weight


@dataclass(frozen=True)
class Objective:
    """What a step's end computes: ``op`` is an operation of the losses, ``fused`` the activation it includes."""

    op: str
    target_name: str
    fused: str = "linear"
    counts_hits: bool = False


@dataclass(frozen=True)
class Update:
    """What an optimiser asks for: the operation, its state arrays and its scalars; see the Protocol's updates."""

    op: str
    slots: tuple[str, ...]
    scalars: dict[str, Any]


@dataclass(frozen=True)
class Data:
    """The arrays a Program reads: samples (n, features), targets, and the order (n,) in which rows are taken."""

    x: NDArray[Any]
    y: NDArray[Any] | None
    order: NDArray[np.int64]


class Lowering:
    """Writes one Program; ``batch_size`` is the largest number of rows a step may have."""

    def __init__(
        self, nodes: Sequence[Node], memory: Memory, data: Data, batch_size: int, *, training: bool, seed: int = 0
    ) -> None:
        self.program = Program()
        self.memory = memory
        self.training = training
        self.rows = batch_size
        self.seed = seed
        self._backward: list[Callable[[Buffer], Buffer | None]] = []
        self._nodes = fuse(list(nodes), training=training)
        self._streams = 0
        self._learns = False  # whether a node so far has something to learn
        self._data = data
        self._weights: dict[int, Buffer] = {}
        order = self.program.buffer("order", data.order, Kind.WINDOW)
        x = self.program.buffer("x", data.x, Kind.WHOLE)
        self.value = self._batch("input", data.x.shape[1])
        self.program.add("gather", "input", {"out": self.value, "x": x, "rows": order})
        self._order = order

    # --- forward -------------------------------------------------------------------------------------------------

    def forward(self, *, stop_before: str = "linear") -> Buffer:
        """Write the forward pass; a final activation ``stop_before`` is left to the objective."""
        nodes = list(self._nodes)
        if stop_before != "linear" and nodes and isinstance(nodes[-1], ActivationNode):
            nodes.pop()
        for node, follower in zip_longest(nodes, nodes[1:]):
            match node:
                case DenseNode():
                    self._dense(node, follower)
                case BatchNormNode():
                    self._batch_norm(node)
                case ActivationNode():
                    self._activation(node)
                case DropoutNode():
                    self._dropout(node)
                case _:
                    msg = f"node must be one the lowering knows, got {type(node).__name__} of layer {node.layer!r}"
                    raise TypeError(msg)
        return self.value

    def _dense(self, node: DenseNode, follower: Node | None) -> None:
        first = self._is_first(node.w, node.b)
        # Batch statistics take away whatever a bias adds: its gradient is zero, and computed it would be rounding
        # noise, which Adam scales up to whole steps.
        idle_bias = isinstance(follower, BatchNormNode) and node.activation == "linear"
        x, w = self.value, self._weight(node.w)
        b = self._weight(node.b)
        y = self._batch(node.layer, node.w.shape[1])
        arrays = {"y": y, "x": x, "w": w, "b": b}
        self.program.add("dense_forward", node.layer, arrays, activation=node.activation, alpha=node.alpha)
        self.value = y

        def backward(dy: Buffer) -> Buffer | None:
            if node.activation != "linear":
                self._activation_backward(node, dy, None, y)
            dx = None if first else self._gradient_like(x)
            dw, db = self._gradient(node.w), None if idle_bias else self._gradient(node.b)
            arrays = {"dx": dx, "dw": dw, "db": db, "dy": dy, "x": x, "w": w}
            self.program.add("dense_backward", node.layer, arrays)
            return dx

        self._backward.append(backward)

    def _batch_norm(self, node: BatchNormNode) -> None:
        first = self._is_first(node.gamma, node.beta)
        x = self.value
        features = x.array.shape[1]
        y = self._batch(node.layer, features)
        gamma, beta = self._weight(node.gamma), self._weight(node.beta)
        running_mean, running_var = self._weight(node.running_mean), self._weight(node.running_var)
        self.value = y
        if not self.training:
            arrays: dict[str, Buffer | None] = {"y": y, "x": x, "gamma": gamma, "beta": beta}
            arrays |= {"running_mean": running_mean, "running_var": running_var}
            self.program.add(
                "batch_norm_inference", node.layer, arrays, epsilon=node.epsilon, activation=node.activation
            )
            return
        mean = self.program.buffer(f"{node.layer}.mean", np.zeros(features), Kind.WHOLE)
        rstd = self.program.buffer(f"{node.layer}.rstd", np.zeros(features), Kind.WHOLE)
        mask = None
        if node.rate > 0.0:
            mask = self.program.batch(f"{node.layer}.mask", (self.rows, features), np.bool_)
            self.program.add("dropout_mask", node.layer, {"mask": mask}, rate=node.rate, **self._random(node.seed))
        arrays = {"y": y, "mean": mean, "rstd": rstd, "running_mean": running_mean, "running_var": running_var}
        arrays |= {"x": x, "gamma": gamma, "beta": beta, "mask": mask}
        self.program.add(
            "batch_norm_forward",
            node.layer,
            arrays,
            momentum=node.momentum,
            epsilon=node.epsilon,
            unbiased=False,
            activation=node.activation,
            rate=node.rate,
        )

        def backward(dy: Buffer) -> Buffer | None:
            dx = None if first else dy
            outputs = {"dx": dx, "dgamma": self._gradient(node.gamma), "dbeta": self._gradient(node.beta)}
            inputs = {"dy": dy, "y": y, "x": x, "gamma": gamma, "beta": beta, "mean": mean, "rstd": rstd, "mask": mask}
            arrays = {**outputs, **inputs}
            self.program.add("batch_norm_backward", node.layer, arrays, activation=node.activation, rate=node.rate)
            return dx

        self._backward.append(backward)

    def _activation(self, node: ActivationNode) -> None:
        x = self.value
        y = self._batch(node.layer, x.array.shape[1])
        self.value = y
        if node.activation == "softmax":
            self.program.add("softmax_forward", node.layer, {"y": y, "x": x})
        else:
            arrays: dict[str, Buffer | None] = {"y": y, "x": x}
            self.program.add("activation_forward", node.layer, arrays, activation=node.activation, alpha=node.alpha)

        def backward(dy: Buffer) -> Buffer | None:
            if node.activation == "softmax":
                self.program.add("softmax_backward", node.layer, {"dx": dy, "dy": dy, "y": y})
            else:
                self._activation_backward(node, dy, x, y)
            return dy

        self._backward.append(backward)

    def _activation_backward(self, node: ActivationNode | DenseNode, dy: Buffer, x: Buffer | None, y: Buffer) -> None:
        """Write dy times the derivative into dy; what it is not computed from is left out, and need not be kept."""
        source = ACTIVATIONS[node.activation]
        arrays = {"dx": dy, "dy": dy, "x": x if source == "x" else None, "y": y if source == "y" else None}
        self.program.add("activation_backward", node.layer, arrays, activation=node.activation, alpha=node.alpha)

    def _dropout(self, node: DropoutNode) -> None:
        if not self.training:
            return
        x = self.value
        y = self._batch(node.layer, x.array.shape[1])
        random, scale = self._random(node.seed), 1.0 / keep_probability(node.rate)
        arrays = {"y": y, "mask": None, "x": x}
        self.program.add("dropout_forward", node.layer, arrays, rate=node.rate, **random, draw=True, scale=scale)
        self.value = y

        def backward(dy: Buffer) -> Buffer | None:
            arrays = {"dx": dy, "dy": dy, "mask": None}
            self.program.add("dropout_backward", node.layer, arrays, rate=node.rate, **random, scale=scale)
            return dy

        self._backward.append(backward)

    # --- the end of a step ---------------------------------------------------------------------------------------

    def objective(self, objective: Objective) -> None:
        """Write the forward pass, the loss and, in training, the backward pass."""
        outputs = self.forward(stop_before=objective.fused)
        y = self._data.y
        if y is None:
            msg = "y must be given to compute a loss, got None"
            raise ValueError(msg)
        target = self._targets(y)
        losses = self.program.batch("losses", (self.rows,), np.float64)
        gradient = self._gradient_like(outputs) if self.training else None
        hits = self.program.batch("hits", (self.rows,), np.float64) if objective.counts_hits else None
        predictions = "logits" if objective.fused == "softmax" else "predictions"
        arrays: dict[str, Buffer | None] = {"losses": losses}
        if objective.fused == "softmax":
            arrays["hits"] = hits
        arrays |= {f"d{predictions}": gradient, predictions: outputs, objective.target_name: target}
        self.program.add(objective.op, "loss", arrays, scale=Dynamic.INVERSE_ROWS)
        for name, values in (("loss", losses), ("hits", hits)):
            if values is not None:
                total = self.program.buffer(f"total_{name}", np.zeros(1), Kind.WHOLE)
                self.program.add("add_total", "loss", {"total": total, "values": values})
        while gradient is not None and self._backward:
            gradient = self._backward.pop()(gradient)

    def update(self, update: Update) -> None:
        """Write the optimiser's step: one instruction for each group of parameters with the same settings."""
        for i, group in enumerate(self.memory.groups):

            def part(
                name: str, flat: NDArray[Any], i: int = i, begin: int = group.begin, end: int = group.end
            ) -> Buffer:
                return self.program.buffer(f"{name}[{i}]", flat[begin:end], Kind.WHOLE)

            penalised = group.l1 > 0.0 or group.l2 > 0.0
            arrays: dict[str, Buffer | None] = {"w": part("parameters", self.memory.parameters)}
            for slot in _slot_parameters[update.op]:
                arrays[slot] = part(slot, self.memory.slot(slot)) if slot in update.slots else None
            arrays["penalty"] = self.program.buffer(f"penalty[{i}]", np.zeros(1), Kind.WHOLE) if penalised else None
            arrays["g"] = part("gradients", self.memory.gradients)
            scalars = dict(update.scalars)
            if not group.decays:
                scalars["weight_decay"] = 0.0
            scalars |= {"learning_rate": Dynamic.LEARNING_RATE, "l1": group.l1, "l2": group.l2}
            if update.op == "adam_update":
                scalars["step"] = Dynamic.COUNT
            ordered = {name: scalars[name] for name in _scalar_parameters[update.op]}
            self.program.add(update.op, "optimizer", arrays, **ordered)

    def predictions(self, rows: int) -> None:
        """Write the forward pass into a buffer ``predictions``, one row for each of the ``rows`` of the order."""
        value = self.forward()
        out = np.empty((rows, value.array.shape[1]), self.memory.dtype)
        target = self.program.buffer("predictions", out, Kind.WINDOW)
        last = self.program.instructions[-1]
        for name, buffer in last.arrays.items():
            if buffer is value:
                last.arrays[name] = target

    # --- pieces --------------------------------------------------------------------------------------------------

    def _batch(self, name: str, features: int) -> Buffer:
        unique, i = name, 1
        while unique in self.program.buffers:
            unique, i = f"{name}.{i}", i + 1
        return self.program.batch(unique, (self.rows, features), self.memory.dtype)

    def _gradient_like(self, value: Buffer) -> Buffer:
        return self._batch(f"d.{value.name}", value.array.shape[1])

    def _targets(self, y: NDArray[Any]) -> Buffer:
        whole = self.program.buffer("y", y, Kind.WHOLE)
        if y.ndim == 1:  # labels: gathered as they are
            labels = self.program.batch("labels", (self.rows,), np.int64)
            self.program.add("gather_labels", "input", {"out": labels, "labels": whole, "rows": self._order})
            return labels
        targets = self._batch("targets", y.shape[1])
        self.program.add("gather", "input", {"out": targets, "x": whole, "rows": self._order})
        return targets

    def _is_first(self, *weights: Weight | None) -> bool:
        """Whether no node before this one learns, so that nobody asks for the gradient of its input."""
        first = not self._learns
        self._learns = self._learns or any(w is not None and w.trainable for w in weights)
        return first

    def _random(self, seed: int | None) -> dict[str, Any]:
        stream, self._streams = self._streams, self._streams + 1
        return {"seed": self.seed if seed is None else seed, "stream": stream, "step": Dynamic.STEP}

    def _weight(self, weight: Weight | None) -> Buffer | None:
        if weight is None:
            return None
        if id(weight) not in self._weights:
            self._weights[id(weight)] = self.program.buffer(weight.name, weight.value, Kind.WHOLE)
        return self._weights[id(weight)]

    def _gradient(self, weight: Weight | None) -> Buffer | None:
        if weight is None or not weight.trainable:
            return None
        return self.program.buffer(f"d.{weight.name}", self.memory.gradient(weight), Kind.WHOLE)


_slot_parameters = {"sgd_update": ("velocity",), "adam_update": ("m", "v")}
_scalar_parameters = {
    "sgd_update": ("learning_rate", "momentum", "nesterov", "l1", "l2", "weight_decay"),
    "adam_update": ("learning_rate", "beta_1", "beta_2", "epsilon", "step", "l1", "l2", "weight_decay"),
}
