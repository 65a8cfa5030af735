"""From nodes to instructions: what one step of training, evaluation or prediction does, in order."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.backend import OPERATIONS
from flyball.program.fusion import fuse
from flyball.program.instructions import ALWAYS, Buffer, Dynamic, Kind, Program, Turn
from flyball.program.lanes import chain_length, write_chain
from flyball.program.nodes import ActivationNode, DenseNode, UnitNormNode
from flyball.program.targets import mix_targets
from flyball.program.updates import write_update

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import DTypeLike, NDArray

    from flyball.program.memory import Group, Memory
    from flyball.program.nodes import Node, Weight
    from flyball.program.requests import Data, Objective, Update
    from flyball.program.targets import Mixture

    Index = tuple[Any, ...]
    """What NumPy takes to index an array."""


class Lowering:
    """Writes one Program; ``batch_size`` is the largest number of rows a step may have.

    ``training`` is how layers behave; ``noisy`` says whether those that act in training only, dropout and noise, are
    there: as in training, unless said otherwise.

    Attributes
    ----------
    value : Buffer
        The samples, or what the nodes so far have made of them.
    target : Buffer or None
        The targets, once something has asked for them.
    sources : dict of str to Buffer
        The buffers of the given arrays: ``x``, and of ``y``, ``weights`` and ``order`` what is read.
    gradient_place : Buffer or None
        Where batch normalisation writes the gradient of its input, if not in the place of that of its output.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        memory: Memory,
        data: Data,
        batch_size: int,
        *,
        training: bool,
        noisy: bool | None = None,
        seed: int = 0,
    ) -> None:
        self.program = Program(batch_rows=batch_size)
        self.memory = memory
        self.training = training
        self.noisy = training if noisy is None else noisy
        self.rows = batch_size
        self.seed = seed
        self._backward: list[Callable[[Buffer], Buffer | None]] = []
        self._with_loss = True  # whether what only adds to the loss is there
        self._nodes = self.fused(nodes)
        self._for_outputs: list[Callable[[Buffer], None]] = []
        self._mixtures: list[Mixture] = []
        self._streams = 0
        self._learns = False  # whether a node so far has something to learn
        self._data = data
        self._weights: dict[str, Buffer] = {}
        self._lane: int | None = None
        self._index: Index = ()
        self._columns = (0, 0)
        self._in_lanes: dict[int, int] = {}
        self._open: dict[int, float] = {}  # by root, the share of a value whose gradient is asked for: note_open
        self.sources: dict[str, Buffer] = {}
        self._target: Buffer | None = None
        self.gradient_place: Buffer | None = None
        self.value = self._rows_of("x", data.x, "input")

    # --- forward -------------------------------------------------------------------------------------------------

    def fused(self, nodes: Sequence[Node]) -> list[Node]:
        """Return the nodes that act here, neighbours merged."""
        noise, augmentation = self.noisy, self.noisy and self.training
        acting = [node for node in nodes if (augmentation if node.augments else noise) or not node.training_only]
        return fuse([node for node in acting if self._with_loss or not node.for_loss_only], training=self.training)

    def forward(self, *, stop_before: str = "linear") -> Buffer:
        """Write the forward pass; a final activation ``stop_before`` is left to the objective."""
        nodes = list(self._nodes)
        match nodes[-1:]:
            case [ActivationNode(activation=name)] if name == stop_before != "linear":
                nodes.pop()
            case [DenseNode(activation=name) as last] if name == stop_before != "linear":
                nodes[-1] = replace(last, activation="linear")
        self.write(nodes)
        return self.value

    def write(self, nodes: Sequence[Node]) -> None:
        """Write the forward passes of ``nodes``, which are fused, and note their backward ones."""
        i = 0
        while i < len(nodes):
            length = chain_length(self, nodes[i:])
            end = i + max(1, length)
            follower = nodes[end] if end < len(nodes) else None
            if length:
                write_chain(self, nodes[i:end], follower)
            else:
                nodes[i].write(self, follower)
            i = end

    def backward(self, gradient: Buffer, keep: int = 0) -> Buffer | None:
        """Write the noted backward passes, last to first, down to the first ``keep``; return the last gradient."""
        value: Buffer | None = gradient
        while value is not None and len(self._backward) > keep:
            value = self._backward.pop()(value)
        del self._backward[keep:]  # of nodes whose gradients nobody asks for
        return value

    # --- the end of a step ---------------------------------------------------------------------------------------

    def objective(self, objective: Objective, *, recorded: int | None = None) -> None:
        """Write the forward pass, the loss and, in training, the backward pass.

        With ``recorded`` what the loss is computed of stays in a buffer ``outputs`` of so many rows, each in the place
        of its row of the order.
        """
        value = self.forward(stop_before=objective.fused)
        if recorded is not None:
            self._keep_rows(value, "outputs", recorded)
        if objective.unit:
            self.write([UnitNormNode("loss")])
            value = self.value
        by_position = objective.by_position or (self._data.weights is not None and self._data.weights.ndim > 1)
        outputs = self.matrix(value) if by_position else self.matrix_of_samples(value)
        positions = outputs.rows_per_sample
        objective = objective.of_outputs(math.prod(outputs.sample_shape))
        for write in self._for_outputs:
            write(outputs)
        if self._mixtures:
            objective = mix_targets(self, objective, outputs, self._mixtures)
        losses = self.program.batch("losses", (self.rows * positions,), np.float64, positions)
        gradient = self.gradient_like(outputs) if self.training else None
        hits = self.like(losses, "hits", np.float64) if objective.counts_hits else None
        predictions = "logits" if "logits" in OPERATIONS[objective.op] else "predictions"
        arrays: dict[str, Buffer | None] = {"losses": losses}
        if "hits" in OPERATIONS[objective.op]:
            arrays["hits"] = hits
        targets, weights = self._targets_and_weights(objective, outputs)
        arrays |= {f"d{predictions}": gradient, predictions: outputs, objective.target_name: targets}
        arrays["weights"] = weights
        self.add(objective.op, "loss", arrays, **dict(objective.scalars), scale=Dynamic.INVERSE_POSITIONS)
        for name, values in (("loss", losses), ("hits", hits)):
            if values is not None:
                total = self.whole(f"total_{name}", np.zeros(1))
                self.add("add_total", "loss", {"total": total, "values": values}, scale=1.0 / positions)
        if gradient is not None:
            self.backward(gradient)

    def update(self, update: Update) -> None:
        """Write the optimiser's step: see :func:`flyball.program.updates.write_update`."""
        write_update(self, update)

    def predictions(self, rows: int) -> None:
        """Write the forward pass into a buffer ``predictions``, one row for each of the ``rows`` of the order."""
        self._with_loss = False
        self._nodes = self.fused(self._nodes)
        self._keep_rows(self.forward(), "predictions", rows)

    def _keep_rows(self, value: Buffer, name: str, rows: int) -> None:
        """Give the memory of ``value`` a row for each of the ``rows`` of the order, and call it ``name``."""
        buffers = self.program.buffers
        if value.root.kind is Kind.WINDOW:  # nothing is computed: these are the samples themselves
            samples, value = value, self.like(value, name)
            self.copy(value, samples, name)
        buffer = value.root
        del buffers[buffer.name]
        buffer.name = name
        buffers[name] = buffer
        for part in (buffer, *buffer.views):
            part.kind = Kind.WINDOW
        buffer.replace(np.empty((rows, *buffer.sample_shape), self.memory.dtype))

    # --- what nodes write with -----------------------------------------------------------------------------------

    @property
    def has_targets(self) -> bool:
        """Whether the samples came with targets."""
        return self._data.y is not None

    @property
    def target(self) -> Buffer:
        """The targets of the step's rows; a node that mixes rows puts others in their place."""
        if self._target is None:
            y = self._data.y
            if y is None:
                msg = "y must be given to compute a loss, got None"
                raise ValueError(msg)
            self._target = self.matrix_of_samples(self._rows_of("y", y, "targets"))
        return self._target

    @target.setter
    def target(self, value: Buffer) -> None:
        self._target = value

    def add(self, op: str, layer: str, arrays: dict[str, Buffer | None], **scalars: Any) -> None:
        """Write an instruction, of the lane that is being written."""
        self.program.add(op, layer, arrays, ALWAYS, self._lane, **scalars)

    @contextmanager
    def lane(self, number: int, columns: slice, width: int) -> Iterator[None]:
        """Write instructions of one lane, which has these columns of ``width``: to it, weights have no others.

        What lane 0 writes, lane 1 will write too: both draw from the same streams, and are as near to the samples.
        """
        before, written = (self._lane, self._index, self._columns), (self._streams, self._learns)
        self._lane, self._index, self._columns = number, (..., columns), (width, columns.start)
        try:
            yield
        finally:
            self._lane, self._index, self._columns = before
            if number == 0:
                self._streams, self._learns = written

    @property
    def in_lane(self) -> bool:
        """Whether the instructions of a lane are being written."""
        return self._lane is not None

    def keep_in_lanes(self, weight: Weight, middle: int) -> None:
        """Note that lane 0 alone works with the rows of a weight before ``middle``, and lane 1 with the others."""
        self._in_lanes[id(weight)] = middle

    def places_in_lanes(self, group: Group) -> list[tuple[slice, int]]:
        """Return where in the flat arrays those weights of a group lie, and where lane 1's part of each begins."""
        places = []
        for weight in self.memory.members(group):
            if id(weight) in self._in_lanes:
                place = self.memory.place_of(weight)
                places.append((place, place.start + self._in_lanes[id(weight)] * weight.shape[1]))
        return places

    def take_backward(self) -> Callable[[Buffer], Buffer | None]:
        """Return what writes the backward pass that was noted last, which is then for the caller to use."""
        return self._backward.pop()

    def copy(self, out: Buffer, x: Buffer, layer: str, turn: Turn = ALWAYS) -> None:
        """Write a copy of ``x``."""
        self.program.add("activation_forward", layer, {"y": out, "x": x}, turn, activation="linear", alpha=0.0)

    def on_backward(self, write: Callable[[Buffer], Buffer | None]) -> None:
        """Note what writes the backward pass of a node, from the gradient of its output to that of its input.

        It may change the gradient it is given, of any shape of the same elements, in place; it returns None where
        nobody asks for the gradient of the input.
        """
        if self.training:  # else nobody would take it out again, and the Program would live until a garbage collection
            self._backward.append(write)

    def on_outputs(self, write: Callable[[Buffer], None]) -> None:
        """Note what waits for the network's outputs, one row a sample: they tell how many classes there are."""
        self._for_outputs.append(write)

    def mix(self, mixture: Mixture) -> None:
        """Note that the step's rows were mixed: so will be its targets."""
        self._mixtures.append(mixture)

    @property
    def mixed(self) -> bool:
        """Whether the step's rows were mixed, so that a row has no single target."""
        return bool(self._mixtures)

    @property
    def pending(self) -> int:
        """How many backward passes are noted."""
        return len(self._backward)

    def batch(self, name: str, sample_shape: tuple[int, ...], dtype: DTypeLike | None = None) -> Buffer:
        """Add a buffer of activations or gradients; of the model's dtype if not said otherwise."""
        kind = np.dtype(self.memory.dtype if dtype is None else dtype)
        return self.program.batch(self.program.unused(name), (self.rows, *sample_shape), kind)

    def like(
        self,
        value: Buffer,
        name: str,
        dtype: DTypeLike | None = None,
        *,
        sample_shape: tuple[int, ...] | None = None,
    ) -> Buffer:
        """Add a buffer of the rows of ``value``, of their shape if not said otherwise."""
        kind = np.dtype(self.memory.dtype if dtype is None else dtype)
        count = value.rows_per_sample
        shape = (self.rows * count, *(value.sample_shape if sample_shape is None else sample_shape))
        return self.program.batch(self.program.unused(name), shape, kind, count)

    def gradient_like(self, value: Buffer) -> Buffer:
        """Add a buffer for the gradient of ``value``."""
        return self.like(value, f"d.{value.name}")

    def whole(self, name: str, array: NDArray[Any]) -> Buffer:
        """Add a buffer that every step sees all of."""
        return self.program.buffer(self.program.unused(name), array, Kind.WHOLE)

    def view(self, value: Buffer, sample_shape: tuple[int, ...], rows_per_sample: int = 1) -> Buffer:
        """Return the memory of ``value`` with rows of another shape."""
        return self.program.view(value, sample_shape, rows_per_sample)

    def shaped(self, value: Buffer, like: Buffer) -> Buffer:
        """Return the memory of ``value`` with the rows of ``like``."""
        return self.view(value, like.sample_shape, like.rows_per_sample)

    def matrix(self, value: Buffer) -> Buffer:
        """Return ``value`` as a matrix whose columns are its last axis."""
        *others, last = value.sample_shape
        return self.view(value, (last,), value.rows_per_sample * math.prod(others))

    def matrix_of_samples(self, value: Buffer) -> Buffer:
        """Return ``value`` as a matrix of one row a sample; a vector stays one."""
        shape = value.sample_shape
        return self.view(value, (math.prod(shape),)) if len(shape) > 1 else value

    def note_open(self, value: Buffer, share: float) -> None:
        """Note that ``value`` comes from a ReLU: where it is zero nobody asks for its gradient.

        ``share`` of its elements are expected not to be.
        """
        self._open[id(value.root)] = share

    def open_share(self, value: Buffer) -> float:
        """Return the share of the elements of ``value`` whose gradient is expected to be asked for."""
        return self._open.get(id(value.root), 1.0)

    def is_first(self, *weights: Weight | None) -> bool:
        """Whether no node before this one learns, so that nobody asks for the gradient of its input."""
        first = not self._learns
        self._learns = self._learns or any(w is not None and w.trainable for w in weights)
        return first

    def random(self, seed: int | None) -> dict[str, Any]:
        """Return the scalars of an operation that draws: numbers of its own at every step."""
        stream, self._streams = self._streams, self._streams + 1
        return {"seed": self.seed if seed is None else seed, "stream": stream, "step": Dynamic.STEP}

    def draw_mask(self, layer: str, mask: Buffer, rate: float, seed: int | None) -> dict[str, Any]:
        """Write the drawing of a mask of dropout; return the address of its random numbers.

        A lane draws the columns of the mask that there would be without lanes.
        """
        random, (width, first) = self.random(seed), self._columns
        if self.in_lane:
            self.add("dropout_mask_columns", layer, {"mask": mask}, rate=rate, **random, width=width, first=first)
        else:
            self.add("dropout_mask", layer, {"mask": mask}, rate=rate, **random)
        return random

    def weight(self, weight: Weight | None) -> Buffer | None:
        """Return the buffer of a weight."""
        return None if weight is None else self.part(weight)

    def part(self, weight: Weight, index: Index | None = None) -> Buffer:
        """Return the buffer of a part of a weight, if not said otherwise of what the lane being written has of it."""
        index = self._index if index is None else index
        name = weight.name + _index_text(index)
        if name not in self._weights:
            self._weights[name] = self.program.buffer(name, weight.value[index], Kind.WHOLE)
        return self._weights[name]

    def gradient(self, weight: Weight | None) -> Buffer | None:
        """Return the buffer of a weight's gradient, or None where it does not learn."""
        return None if weight is None else self.gradient_part(weight, self._index)

    def gradient_part(self, weight: Weight, index: Index) -> Buffer | None:
        """Return the buffer of a part of a weight's gradient, or None where it does not learn."""
        if not weight.trainable:
            return None
        name = f"d.{weight.name}{_index_text(index)}"
        return self.program.buffer(name, self.memory.gradient(weight)[index], Kind.WHOLE)

    # --- rows of the data ----------------------------------------------------------------------------------------

    def _rows_of(self, name: str, array: NDArray[Any], gathered: str) -> Buffer:
        """Return the step's rows of ``array``: in place where they are in order and as the step needs them."""
        labels = array.dtype == np.int64 and name == "y"
        in_order = self._data.order is None and array.flags.c_contiguous
        if in_order and (labels or array.dtype == self.memory.dtype):
            self.sources[name] = self.program.buffer(name, array, Kind.WINDOW)
            return self.sources[name]
        if labels:
            array = array.reshape(len(array), -1) if array.ndim > 1 else array
            rows = self.program.batch(gathered, (self.rows, *array.shape[1:]), np.int64)
            whole = self.sources[name] = self.whole(name, array)
            self.add("gather_labels", "input", {"out": rows, "labels": whole, "rows": self._row_order(array)})
            return rows
        matrix = array.reshape(len(array), -1)
        rows = self.batch(gathered, matrix.shape[1:])
        whole = self.sources[name] = self.whole(name, matrix)
        self.add("gather", "input", {"out": rows, "x": whole, "rows": self._row_order(array)})
        return self.view(rows, array.shape[1:])

    def take_gather(self, rows: Buffer) -> dict[str, Buffer] | None:
        """Return the arrays of what gathers ``rows``, now for the caller to write, if nothing else uses them yet."""
        program = self.program
        users = [
            i for i in program.instructions if any(b is not None and b.root is rows.root for b in i.arrays.values())
        ]
        if len(users) != 1 or users[0].op != "gather":
            return None
        program.instructions.remove(users[0])
        for buffer in (rows.root, *rows.root.views):
            del program.buffers[buffer.name]
        return {name: buffer for name, buffer in users[0].arrays.items() if buffer is not None}

    def _row_order(self, array: NDArray[Any]) -> Buffer:
        if "order" not in self.sources:
            order = np.arange(len(array)) if self._data.order is None else self._data.order
            self.sources["order"] = self.program.buffer("order", order, Kind.WINDOW)
        return self.sources["order"]

    def _targets_and_weights(self, objective: Objective, outputs: Buffer) -> tuple[Buffer, Buffer | None]:
        """Return the targets of the rows of ``outputs``, and their factors in the loss, or None where all are 1."""
        positions, given = outputs.rows_per_sample, self._data.weights
        shape = () if objective.target_name == "labels" else outputs.sample_shape
        targets = self.view(self.target, shape, positions)
        weights = None
        if given is not None:
            rows = self._rows_of("weights", given.reshape(len(given), -1), "row_weights")
            weights = self.view(rows, (), positions)
        # Without weights, their sum is the number of rows.
        plain = objective.divisor == 0 or (objective.divisor == 1 and weights is None)
        if plain and not objective.ignores:
            return targets, weights
        factors = self.program.batch("loss_weights", (self.rows * positions,), self.memory.dtype, positions)
        kept = self.like(targets, "kept_labels", np.int64) if objective.ignores else None
        arrays = {"out": factors, "kept": kept, "weights": weights, "labels": targets if objective.ignores else None}
        classes = math.prod(outputs.sample_shape)
        self.add("loss_weights", "loss", arrays, ignored=classes, divisor=objective.divisor)
        return kept or targets, factors


def _index_text(index: Index) -> str:
    """Return an index as it is written behind an array, "" for all of it."""
    parts = ("..." if part is ... else f"{part.start or ''}:{part.stop or ''}" for part in index)
    return f"[{', '.join(parts)}]" if index else ""
