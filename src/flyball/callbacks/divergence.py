"""Where numbers stopped being finite: the first instruction of a step, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from flyball.program.instructions import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.models import Sequential
    from flyball.program.instructions import Buffer, Instruction
    from flyball.training import StreamTrainer, Trainer


class Finding(NamedTuple):
    """What was found: the place in training, what went wrong there, and under which circumstances."""

    where: str
    what: str
    circumstances: str = ""


def first_of_step(model: Sequential, trainer: Trainer | StreamTrainer, rows: int) -> str | None:
    """Say what first was not finite in the step of ``rows`` rows that ``trainer`` has just run; None if all is finite.

    Weights are those after the step: they are looked at last.
    """
    memory, program = trainer.memory, trainer.program
    if program is None or (trainer.loss_is_finite() and all(np.isfinite(array).all() for array in memory.arrays())):
        return None
    for instruction in program.instructions:
        if instruction.op.endswith("_update"):
            break
        for name, buffer in instruction.arrays.items():
            if buffer is None or buffer.name in _DATA or buffer.array.dtype.kind != "f":
                continue
            array = _seen(buffer, rows)
            own = any(np.shares_memory(array, flat) for flat in (memory.parameters, memory.statistics))
            if not own and not np.isfinite(array).all():
                return _of_instruction(instruction, name, array, rows)
    return describe_weights(model)


_DATA = ("x", "y", "weights", "order")
"""Buffers of the user's own arrays."""


def _seen(buffer: Buffer, rows: int) -> NDArray[Any]:
    return buffer.array[:rows] if buffer.kind is Kind.BATCH else buffer.array


def describe_weights(model: Sequential) -> str:
    """Say which weights are not finite, or which of the optimizer's arrays, or that only the loss is not."""
    memory = model._require_built()
    bad = [(f"the weights {weight.name!r}", weight.value) for weight in model.weights]
    bad += [
        (f"the optimizer's {slot!r} of {weight.name!r}", memory.state_of(slot, weight))
        for slot in sorted(memory.slots)
        for weight in memory.parameter_weights()
    ]
    bad = [(name, array) for name, array in bad if not np.isfinite(array).all()]
    if not bad:
        return "the loss was not finite"
    more = f" and of {len(bad) - 1} more arrays" if len(bad) > 1 else ""
    return f"the update made {np.mean(~np.isfinite(bad[0][1])):.0%} of {bad[0][0]}{more} not finite"


def _of_instruction(instruction: Instruction, name: str, array: NDArray[Any], rows: int) -> str:
    share = f"{np.mean(~np.isfinite(array)):.0%} {'nan' if np.isnan(array).any() else 'infinite'}"
    layer = instruction.layer
    if layer == "loss":
        return f"the loss or its gradient was not finite ({share})"
    if instruction.op.endswith("_backward"):
        passing = name in ("dx", "dy")
        which = "the gradient that passes through" if passing else f"the gradient of {name.removeprefix('d')} of"
        return f"{which} layer {layer!r} was not finite ({share})"
    return f"the outputs of layer {layer!r} were not finite ({share}){_reach(instruction, rows)}"


def _reach(instruction: Instruction, rows: int) -> str:
    """Say how large what the instruction read was."""
    sizes = []
    for name, word in (("x", "inputs"), ("w", "weights")):
        buffer = instruction.arrays.get(name)
        if buffer is not None and buffer.name not in _DATA:
            array = _seen(buffer, rows)
            largest = float(np.max(np.abs(array), where=np.isfinite(array), initial=0.0))
            sizes.append(f"its {word} reached {largest:.3g}")
    return ", " + " and ".join(sizes) if sizes else ""
