"""Chains of dense layers in two lanes, each with half of the weights and half of the activations between them.

Two cores that have half of a batch each exchange all weights at every step: each reads what the other has updated. In a
chain of dense layers a lane has half of the units instead, and what is computed of a unit alone it computes of its own.
Of ``y = x @ w`` it computes what its half of x, with its half of the rows of w, contributes to either half of y; only
the contribution to the other lane's half, and in the backward pass half of dy, go from one core to the other.

Lanes are written by shapes alone, so that results do not depend on the number of threads: one runs the instructions of
both lanes, one after the other; of four, two share a lane.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from flyball.backend import ACTIVATIONS, get_backend
from flyball.program.nodes import ActivationNode, BatchNormNode, DenseNode, DropoutNode
from flyball.program.nodes.activation import activation_backward

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flyball.program.instructions import Buffer
    from flyball.program.lowering import Lowering
    from flyball.program.nodes import Node

    Halves = tuple[Buffer, Buffer]
    T = TypeVar("T")

LANES = (0, 1)

LEAST_UNITS = 64
"""Of each layer inside a chain: halves of fewer are too narrow for the products."""

MASKED_UNITS = 128
"""Layers before dropout have a multiple of so many: their halves begin where a group of its decisions does."""

LEAST_WORK = 2**21
"""Multiply-adds of the forward pass of a chain: a shorter step is not for more than one thread."""

LINE = 16
"""Halves begin at multiples of so many units, so that lanes do not write to the same cache lines."""


def chain_length(to: Lowering, nodes: Sequence[Node]) -> int:
    """Return how many of ``nodes``, from the first on, are a chain worth two lanes; 0 if they are none.

    On the reference backend there are none: it has no team, and stays the specification of what lanes compute.
    """
    if not (to.training and to.noisy) or len(to.value.sample_shape) != 1 or get_backend().name != "native":
        return 0
    length, layers, work, units = 0, 0, 0, 0
    for i, node in enumerate(nodes):
        match node:
            case DenseNode(w=w, noise=0.0) if w.trainable:
                length, layers, work, units = i + 1, layers + 1, work + to.rows * w.size, w.shape[1]
                if units < LEAST_UNITS:
                    break
            case _ if layers == 0 or not _keeps_units_apart(node, units):
                break
    return length if layers > 1 and work >= LEAST_WORK else 0


def _keeps_units_apart(node: Node, units: int) -> bool:
    """Whether what a node makes of each of so many units depends on this unit alone."""
    match node:
        case ActivationNode(activation=name):
            return name in ACTIVATIONS
        case BatchNormNode():
            return node.group is None and not node.frozen and (node.rate == 0.0 or units % MASKED_UNITS == 0)
        case DropoutNode():
            return node.elementwise and units % MASKED_UNITS == 0
    return False


def halves_of(units: int) -> tuple[slice, slice]:
    """Return the two halves of so many units."""
    middle = (units // 2 + LINE // 2) // LINE * LINE
    return slice(0, middle), slice(middle, units)


def write_chain(to: Lowering, nodes: Sequence[Node], follower: Node | None) -> None:
    """Write the forward passes of the nodes of a chain, and note its backward pass."""
    chain = _Chain(to)
    first, last = nodes[0], nodes[-1]
    assert isinstance(first, DenseNode)
    assert isinstance(last, DenseNode)
    halves = chain.begin(first, to.value, nodes[1])
    for node, after in pairwise(nodes[1:]):
        halves = chain.middle(node, halves, after) if isinstance(node, DenseNode) else chain.beside(node, halves)
    to.value = chain.end(last, halves, follower)
    to.on_backward(chain.write_backward)


@dataclass(eq=False)
class _Layer:
    """A layer whose input comes in halves ``x``: each lane has the rows of its kernel that belong to its own."""

    to: Lowering
    node: DenseNode
    x: Halves
    rows: tuple[slice, slice]
    follower: Node | None

    def __post_init__(self) -> None:
        self.to.keep_in_lanes(self.node.w, self.rows[1].start)
        self._gated = tuple(self.node.is_gated(self.to, half) for half in self.x)
        self._idle_bias = self.node.has_idle_bias(self.follower)

    def contribute(self, lane: int, y: Buffer, columns: tuple[slice, ...] = (), b: Buffer | None = None) -> None:
        """Write what a lane's half of the input contributes to some columns of the output."""
        w = self.to.part(self.node.w, (self.rows[lane], *columns))
        arrays = {"y": y, "x": self.x[lane], "w": w, "b": b, "added": None}
        self.to.add("dense_forward", self.node.layer, arrays, activation="linear", alpha=0.0)

    def complete(self, lane: int, y: Buffer, columns: slice, contribution: Buffer) -> None:
        """Write a lane's columns of the output: what its half of the input contributes, and what the other's has."""
        w, b = self.to.part(self.node.w, (self.rows[lane], columns)), self.to.weight(self.node.b)
        arrays = {"y": y, "x": self.x[lane], "w": w, "b": b, "added": contribution}
        self.to.add("dense_forward", self.node.layer, arrays, **self.node.kind)
        _note_open(self.to, self.node, y)

    def backward(self, lane: int, dx: Buffer | None, dy: Buffer) -> None:
        """Write the gradients of a lane's half, from that of the whole output; lane 0 has that of the bias too."""
        node, part = self.node, (self.rows[lane],)
        has_db = lane == 0 and node.b is not None and not self._idle_bias
        arrays = {
            "dx": dx,
            "dw": self.to.gradient_part(node.w, part),
            "db": self.to.gradient_part(node.b, ()) if node.b is not None and has_db else None,
            "dy": dy,
            "x": self.x[lane],
            "w": self.to.part(node.w, part),
        }
        self.to.add("dense_backward", node.layer, arrays, gated=self._gated[lane])


@dataclass(eq=False)
class _Chain:
    """What writes a chain node by node, and then its backward pass."""

    to: Lowering
    columns: tuple[slice, slice] = field(init=False)
    """The halves of the units of the last layer so far."""
    _places: Halves | None = field(init=False, default=None)
    """Where the last layer so far takes the gradients of its halves from, if they are those of what comes next."""
    _begin: Callable[[Halves], Buffer | None] = field(init=False)
    _inside: list[Callable[[Halves], Halves]] = field(init=False, default_factory=list)
    _end: Callable[[Buffer], Halves] = field(init=False)

    def write_backward(self, gradient: Buffer) -> Buffer | None:
        """Write the backward passes of all nodes, last to first."""
        halves = self._end(gradient)
        for write in reversed(self._inside):
            halves = write(halves)
        return self._begin(halves)

    def begin(self, node: DenseNode, x: Buffer, follower: Node) -> Halves:
        """Write the first layer, whose input is whole: a lane has the columns of its kernel that belong to its units.

        Its update is for all threads, in flat ranges: of columns beside each other a core fetches the other's as well.
        Of more inputs than the batch has samples, twice as many, a lane takes half of them instead, so that lanes
        exchange activations and not weights.
        """
        inputs = node.w.shape[0]
        if self.to.is_first() and inputs > 2 * self.to.rows:
            self.columns = halves_of(inputs)
            self._begin = lambda _: None  # nobody asks for the gradient of the input
            return self.middle(node, self._samples(x, self.columns), follower)
        self.columns = halves_of(node.w.shape[1])
        samples = self._samples(x, (slice(0, inputs), slice(0, inputs)))
        outputs, write_backward = self._beside(node, samples, follower)

        def backward(dy: Halves) -> Buffer | None:
            dx, other = write_backward(dy)
            if dx is not None and other is not None:
                _add(self.to, node, dx, other)
            return dx

        self._begin = backward
        return outputs

    def _samples(self, x: Buffer, parts: tuple[slice, slice]) -> Halves:
        """Return each lane's columns of the input, which it gathers itself where nothing else reads what is gathered.

        What the other core has gathered would have to come from there.
        """
        to = self.to
        gather = to.take_gather(x)

        def write(lane: int) -> Buffer:
            if gather is None:
                return to.program.columns(x, parts[lane])
            rows, samples = to.batch("input", _shape(parts[lane])), to.program.columns(gather["x"], parts[lane])
            to.add("gather", "input", {**gather, "out": rows, "x": samples})
            return rows

        return self._each(write)

    def middle(self, node: DenseNode, x: Halves, follower: Node) -> Halves:
        """Write a layer from halves to halves."""
        to = self.to
        first = to.is_first(node.w, node.b)
        layer = _Layer(to, node, x, self.columns, follower)
        columns = self.columns = halves_of(node.w.shape[1])

        def contribute(lane: int) -> Buffer:
            others = columns[1 - lane]
            contribution = to.batch(f"{node.layer}.contribution", _shape(others))
            layer.contribute(lane, contribution, (others,))
            return contribution

        contributions = self._each(contribute)

        def complete(lane: int) -> Buffer:
            y = to.batch(node.layer, _shape(columns[lane]))
            layer.complete(lane, y, columns[lane], contributions[1 - lane])
            return y

        outputs = self._each(complete)
        whole = to.batch(f"d.{node.layer}", node.w.shape[1:])
        parts = to.program.columns(whole, columns[0]), to.program.columns(whole, columns[1])
        self._places = parts if node.activation == "linear" else None

        def backward(dy: Halves) -> Halves:
            def place(lane: int) -> None:
                _activation_backward(to, node, dy[lane], outputs[lane])
                if dy[lane] is not parts[lane]:
                    to.add("accumulate", node.layer, {"y": parts[lane], "x": dy[lane]}, keep=0.0, scale=1.0)

            self._each(place, columns)
            if first:
                self._each(lambda lane: layer.backward(lane, None, whole), columns)
                return dy
            dx = to.gradient_like(x[0]), to.gradient_like(x[1])
            self._each(lambda lane: layer.backward(lane, dx[lane], whole), columns)
            return dx

        self._inside.append(backward)
        return outputs

    def end(self, node: DenseNode, x: Halves, follower: Node | None) -> Buffer:
        """Write the last layer, whose output is whole: the sum of what the lanes contribute."""
        to, columns = self.to, self.columns
        to.is_first(node.w, node.b)
        layer = _Layer(to, node, x, columns, follower)

        def contribute(lane: int) -> Buffer:
            y = to.batch(node.layer if lane == 0 else f"{node.layer}.contribution", node.w.shape[1:])
            layer.contribute(lane, y, b=to.part(node.b, ()) if lane == 0 and node.b is not None else None)
            return y

        y, contribution = self._each(contribute)
        _add(to, node, y, contribution)
        if node.activation != "linear":
            to.add("activation_forward", node.layer, {"y": y, "x": y}, **node.kind)
        _note_open(to, node, y)

        def backward(dy: Buffer) -> Halves:
            dy = to.shaped(dy, y)
            _activation_backward(to, node, dy, y)
            dx = to.gradient_like(x[0]), to.gradient_like(x[1])
            self._each(lambda lane: layer.backward(lane, dx[lane], dy), columns)
            return dx

        self._end = backward
        return y

    def beside(self, node: Node, x: Halves) -> Halves:
        """Write a node that keeps units apart, for each lane by itself.

        Batch normalisation right behind a layer puts the gradient where the layer needs it; others change it in place.
        """
        places, self._places = self._places if isinstance(node, BatchNormNode) else None, None
        outputs, write_backward = self._beside(node, x, None, places)

        def backward(dy: Halves) -> Halves:
            first, second = write_backward(dy)
            return first or dy[0], second or dy[1]

        self._inside.append(backward)
        return outputs

    def _beside(
        self, node: Node, x: Halves, follower: Node | None, places: Halves | None = None
    ) -> tuple[Halves, Callable[[Halves], tuple[Buffer | None, Buffer | None]]]:
        """Write a node in each lane as it writes itself; return its outputs, and what writes its backward passes."""
        to, columns = self.to, self.columns

        def write(lane: int) -> tuple[Buffer, Callable[[Buffer], Buffer | None]]:
            to.value = x[lane]
            node.write(to, follower)
            return to.value, to.take_backward()

        (first, first_backward), (second, second_backward) = self._each(write)
        noted = first_backward, second_backward

        def backward(dy: Halves) -> tuple[Buffer | None, Buffer | None]:
            def write(lane: int) -> Buffer | None:
                to.gradient_place = None if places is None else places[lane]
                return noted[lane](dy[lane])

            results = self._each(write, columns)
            to.gradient_place = None
            return results

        return (first, second), backward

    def _each(self, write: Callable[[int], T], columns: tuple[slice, slice] | None = None) -> tuple[T, T]:
        """Write something in each lane, which sees its columns of weights: those of the last layer, if not told."""
        results, halves = [], columns or self.columns
        for lane, part in zip(LANES, halves, strict=True):
            with self.to.lane(lane, part, halves[1].stop):
                results.append(write(lane))
        return results[0], results[1]


def _shape(part: slice) -> tuple[int]:
    return (part.stop - part.start,)


def _add(to: Lowering, node: DenseNode, y: Buffer, x: Buffer) -> None:
    to.add("accumulate", node.layer, {"y": y, "x": x}, keep=1.0, scale=1.0)


def _note_open(to: Lowering, node: DenseNode, y: Buffer) -> None:
    if node.activation == "relu":
        to.note_open(y, 0.5)


def _activation_backward(to: Lowering, node: DenseNode, dy: Buffer, y: Buffer) -> None:
    if node.activation != "linear":
        activation_backward(to, node.layer, dy, None, y, **node.kind)
