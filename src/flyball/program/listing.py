"""A Program for people: what the layers were, what became of them, and what each instruction moves and computes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from flyball.program.nodes import Weight
from flyball.program.work import moved_bytes, operations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.program.instructions import Program
    from flyball.program.nodes import Node


@dataclass(frozen=True)
class Listing:
    """Nodes of the layers before fusion, and the Program they were lowered to."""

    nodes: tuple[Node, ...]
    program: Program
    rows: int

    def __str__(self) -> str:
        text = [f"{len(self.nodes)} nodes before fusion"]
        text += [f"{i:3d}  {_node_text(node)}" for i, node in enumerate(self.nodes)]
        instructions = self.program.instructions
        total = sum(map(operations, instructions))
        moved = sum(moved_bytes(instruction, self.rows) for instruction in instructions)
        text += ["", f"{len(instructions)} instructions a step of {self.rows} rows: "]
        text[-1] += f"{total / 1e6:,.2f} MFLOP, {moved / 1024:,.1f} KiB moved"
        text.append(f"{'':3}  {'kFLOP':>10} {'KiB':>9}  instruction")
        text += [
            f"{i:3d}  {operations(instruction) / 1e3:10,.1f} {moved_bytes(instruction, self.rows) / 1024:9,.1f}  "
            f"{instruction}"
            for i, instruction in enumerate(instructions)
        ]
        buffers = [buffer for buffer in self.program.buffers.values() if buffer.base is None]
        text += ["", f"{len(buffers)} buffers, {self.program.nbytes / 1024:,.1f} KiB"]
        text += [
            f"{buffer.nbytes / 1024:15,.1f} KiB  {buffer.kind.name.lower():6}  {buffer.array.dtype.name:8} "
            f"{buffer.array.shape!s:16} {buffer.name}"
            for buffer in buffers
        ]
        return "\n".join(text)


def listing(nodes: Sequence[Node], program: Program, rows: int) -> Listing:
    """Return the listing of ``program``, which ``nodes`` were lowered to for batches of ``rows`` rows."""
    return Listing(tuple(nodes), program, rows)


def _node_text(node: Node) -> str:
    values = []
    for entry in fields(node):
        value = getattr(node, entry.name)
        if entry.name == "layer" or value is None:
            continue
        if isinstance(value, list):
            value = [_node_text(node) for node in value]
        values.append(f"{entry.name}={value.shape if isinstance(value, Weight) else value}")
    return f"{type(node).__name__.removesuffix('Node')}({', '.join(values)}) of {node.layer}"
