"""From nodes to instructions: what one step of training, evaluation or prediction does, in order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.backend import ACTIVATIONS, OPERATIONS, keep_probability
from flyball.program.fusion import fuse
from flyball.program.instructions import Buffer, Dynamic, Kind, Program
from flyball.program.nodes import ActivationNode, BatchNormNode, DenseNode, DropoutNode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from flyball.program.memory import Group, Memory
    from flyball.program.nodes import Node, Weight


@dataclass(frozen=True)
class Objective:
    """What a step's end computes.

    ``op`` is an operation of the losses, ``fused`` the activation it includes; ``scalars`` are the operation's before
    ``scale``, by name and in its order.
    """

    op: str
    target_name: str
    fused: str = "linear"
    counts_hits: bool = False
    scalars: tuple[tuple[str, float | str], ...] = ()


@dataclass(frozen=True)
class Update:
    """What an optimiser asks for: the operation, its state arrays and its scalars; see the Protocol's updates."""

    op: str
    slots: tuple[str, ...]
    scalars: dict[str, Any]
    initial: float = 0.0
    """First value of the state."""
    max_norm: float | None = None
    """Largest norm of the gradient, of each parameter array or of all together."""
    max_norm_is_global: bool = False
    average_decay: float | None = None
    """Decay of the moving average of the parameters, in the slot ``average``."""


@dataclass(frozen=True)
class Data:
    """The arrays a Program reads: samples (n, features), targets, and the order (n,) in which rows are taken.

    Without an order rows are taken as they come.
    """

    x: NDArray[Any]
    y: NDArray[Any] | None
    order: NDArray[np.int64] | None = None


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
        kept = [node for node in nodes if training or not node.training_only]
        self._nodes = fuse(kept, training=training)
        self._streams = 0
        self._learns = False  # whether a node so far has something to learn
        self._data = data
        self._weights: dict[int, Buffer] = {}
        self._order: Buffer | None = None
        self.value = self._rows_of("x", data.x, "input")

    # --- forward -------------------------------------------------------------------------------------------------

    def forward(self, *, stop_before: str = "linear") -> Buffer:
        """Write the forward pass; a final activation ``stop_before`` is left to the objective."""
        nodes = list(self._nodes)
        match nodes[-1:]:
            case [ActivationNode(activation=name)] if name == stop_before != "linear":
                nodes.pop()
            case [DenseNode(activation=name) as last] if name == stop_before != "linear":
                nodes[-1] = replace(last, activation="linear")
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
        if node.activation not in ACTIVATIONS:
            self.program.add(f"{node.activation}_forward", node.layer, {"y": y, "x": x})
        else:
            arrays: dict[str, Buffer | None] = {"y": y, "x": x}
            self.program.add("activation_forward", node.layer, arrays, activation=node.activation, alpha=node.alpha)

        def backward(dy: Buffer) -> Buffer | None:
            if node.activation not in ACTIVATIONS:
                self.program.add(f"{node.activation}_backward", node.layer, {"dx": dy, "dy": dy, "y": y})
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
        target = self._rows_of("y", y, "targets")
        losses = self.program.batch("losses", (self.rows,), np.float64)
        gradient = self._gradient_like(outputs) if self.training else None
        hits = self.program.batch("hits", (self.rows,), np.float64) if objective.counts_hits else None
        predictions = "logits" if objective.fused == "softmax" else "predictions"
        arrays: dict[str, Buffer | None] = {"losses": losses}
        if objective.fused == "softmax":
            arrays["hits"] = hits
        arrays |= {f"d{predictions}": gradient, predictions: outputs, objective.target_name: target, "weights": None}
        self.program.add(objective.op, "loss", arrays, **dict(objective.scalars), scale=Dynamic.INVERSE_ROWS)
        for name, values in (("loss", losses), ("hits", hits)):
            if values is not None:
                total = self.program.buffer(f"total_{name}", np.zeros(1), Kind.WHOLE)
                self.program.add("add_total", "loss", {"total": total, "values": values})
        while gradient is not None and self._backward:
            gradient = self._backward.pop()(gradient)

    def update(self, update: Update) -> None:
        """Write the optimiser's step: one instruction for each group of parameters with the same settings."""
        memory, program = self.memory, self.program
        each = update.max_norm is not None and not update.max_norm_is_global
        groups = memory.single_groups() if each else memory.groups
        parts = [partial(self._part, i, group) for i, group in enumerate(groups)]
        scales = self._gradient_scales(update, groups)
        names = OPERATIONS[update.op]
        arrays_end = names.index("gradient_scale") + 1
        for i, (group, part) in enumerate(zip(groups, parts, strict=True)):
            penalised = group.l1 > 0.0 or group.l2 > 0.0
            arrays: dict[str, Buffer | None] = {
                "w": part("parameters", memory.parameters),
                "penalty": program.buffer(f"penalty[{i}]", np.zeros(1), Kind.WHOLE) if penalised else None,
                "g": part("gradients", memory.gradients),
                "gradient_scale": scales[i],
            }
            for slot in update.slots:
                arrays[slot] = part(slot, memory.slot(slot, update.initial))
            # As in Keras, clipping takes in the penalties' gradient.
            scalars = {"proximal": False, "clip_value": np.inf, "clip_penalty": True, **update.scalars}
            if not group.decays:
                scalars["weight_decay"] = 0.0
            scalars |= {"learning_rate": Dynamic.LEARNING_RATE, "l1": group.l1, "l2": group.l2, "step": Dynamic.COUNT}
            program.add(
                update.op,
                "optimizer",
                {name: arrays.get(name) for name in names[:arrays_end]},
                **{name: scalars[name] for name in names[arrays_end:]},
            )
        if update.average_decay is not None:
            average = program.buffer("average", memory.slot("average"), Kind.WHOLE)
            arrays = {"average": average, "w": program.buffer("parameters", memory.parameters, Kind.WHOLE)}
            program.add("average_update", "optimizer", arrays, decay=update.average_decay, step=Dynamic.COUNT)
        for weight in memory.weights:
            if weight.trainable and weight.projection is not None:
                matrix = weight.value.reshape(weight.projection.rows, -1)
                w = program.buffer(f"constrained.{weight.name}", matrix, Kind.WHOLE)
                scalars = weight.projection.scalars
                arrays = {name: w for name in OPERATIONS[weight.projection.op] if name not in scalars}
                program.add(weight.projection.op, "optimizer", arrays, **scalars)

    def _part(self, i: int, group: Group, name: str, flat: NDArray[Any]) -> Buffer:
        """Return the buffer of group ``i`` of a flat array, made where it is asked for first."""
        full = f"{name}[{i}]"
        if full not in self.program.buffers:
            self.program.buffer(full, flat[group.begin : group.end], Kind.WHOLE)
        return self.program.buffers[full]

    def _gradient_scales(self, update: Update, groups: Sequence[Group]) -> list[Buffer | None]:
        """Write what clips the gradient's norm; return the array of its scale for each group."""
        if update.max_norm is None:
            return [None] * len(groups)
        pairs: list[tuple[Buffer, Buffer]] = []
        for i, group in enumerate(groups):
            if not pairs or not update.max_norm_is_global:
                total = self.program.buffer(f"squared_norm[{i}]", np.zeros(1), Kind.WHOLE)
                pairs.append((self.program.buffer(f"gradient_scale[{i}]", np.ones(1), Kind.WHOLE), total))
            arrays: dict[str, Buffer | None] = {
                "total": pairs[-1][1],
                "g": self._part(i, group, "gradients", self.memory.gradients),
                "w": self._part(i, group, "parameters", self.memory.parameters),
            }
            self.program.add("squared_norm", "optimizer", arrays, l1=group.l1, l2=group.l2)
        for scale, total in pairs:
            self.program.add("clip_scale", "optimizer", {"scale": scale, "total": total}, max_norm=update.max_norm)
        scales = [scale for scale, _ in pairs]
        return [*scales] if len(scales) == len(groups) else [scales[0]] * len(groups)

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

    def _rows_of(self, name: str, array: NDArray[Any], gathered: str) -> Buffer:
        """Return the step's rows of ``array``: in place where they are in order and as the step needs them."""
        labels = array.ndim == 1
        in_order = self._data.order is None and array.flags.c_contiguous
        if in_order and self._nodes and (labels or array.dtype == self.memory.dtype):
            return self.program.buffer(name, array, Kind.WINDOW)
        if self._order is None:
            order = np.arange(len(array)) if self._data.order is None else self._data.order
            self._order = self.program.buffer("order", order, Kind.WINDOW)
        whole = self.program.buffer(name, array, Kind.WHOLE)
        if labels:
            rows = self.program.batch(gathered, (self.rows,), np.int64)
            self.program.add("gather_labels", "input", {"out": rows, "labels": whole, "rows": self._order})
        else:
            rows = self._batch(gathered, array.shape[1])
            self.program.add("gather", "input", {"out": rows, "x": whole, "rows": self._order})
        return rows

    def _gradient_like(self, value: Buffer) -> Buffer:
        return self._batch(f"d.{value.name}", value.array.shape[1])

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
