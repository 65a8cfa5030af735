"""What an instruction costs at least: floating-point operations and bytes, for a batch of the largest size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flyball.program.instructions import Kind

if TYPE_CHECKING:
    from flyball.program.instructions import Buffer, Instruction

# Floating-point operations an element of the instruction's largest array, divisions and exponentials counted as one:
# what a reader needs to see that these operations are bound by memory, not by arithmetic.
_PER_ELEMENT = {
    "batch_norm_forward": 8,
    "batch_norm_backward": 12,
    "ghost_batch_norm_forward": 8,
    "ghost_batch_norm_backward": 12,
    "batch_norm_inference": 2,
    "softmax_cross_entropy": 6,
    "softmax_cross_entropy_soft": 8,
    "pointwise_loss": 4,
    "row_loss": 12,
    "overlap_loss": 6,
    "sgd_update": 6,
    "adam_update": 14,
    "rmsprop_update": 12,
    "adagrad_update": 10,
    "adamax_update": 10,
    "adadelta_update": 14,
    "lion_update": 10,
    "average_update": 3,
}


def operations(instruction: Instruction) -> float:
    """Return the floating-point operations of one step: of an instruction with turns, their mean."""
    return instruction.turn.share * _operations(instruction)


def _operations(instruction: Instruction) -> float:
    arrays = instruction.arrays
    if instruction.op in ("dense_forward", "dense_batch_norm_inference"):
        return _product(arrays["x"], arrays["w"])
    if instruction.op == "dense_backward":
        products = sum(arrays[name] is not None for name in ("dx", "dw"))
        return products * _product(arrays["x"], arrays["w"])
    if instruction.op.startswith("gather"):
        return 0.0
    w = arrays.get("w")
    if instruction.op == "orthogonal_penalty" and w is not None:  # two products, of the vectors and of their cosines
        return 4.0 * float(w.array.size * w.array.shape[int(bool(instruction.scalars["columns"]))])
    largest = max(_elements(buffer) for buffer in arrays.values() if buffer is not None)
    return float(_PER_ELEMENT.get(instruction.op, 1) * largest)


def moved_bytes(instruction: Instruction, rows: int) -> int:
    """Return the bytes that one step of ``rows`` rows must read and write at least: each array once in its turn."""
    total = 0
    for name, buffer in instruction.arrays.items():
        if buffer is None:
            continue
        if buffer.kind is Kind.WINDOW or (instruction.op.startswith("gather") and name != "out"):
            total += rows * buffer.rows_per_sample * buffer.array[:1].nbytes
        else:
            total += buffer.nbytes
    return round(instruction.turn.share * total)


def _elements(buffer: Buffer) -> int:
    return 0 if buffer.kind is Kind.WINDOW else buffer.array.size


def _product(x: Buffer | None, w: Buffer | None) -> float:
    if x is None or w is None:
        return 0.0
    return 2.0 * len(x.array) * float(np.prod(w.array.shape))
