"""What an optimiser's step does, in instructions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from flyball.backend import OPERATIONS
from flyball.program.instructions import ALWAYS, Buffer, Dynamic, Kind, Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flyball.program.lowering import Lowering
    from flyball.program.memory import Group
    from flyball.program.requests import Update

LAYER = "optimizer"


class Piece(NamedTuple):
    """A range of the flat parameters that one update instruction covers, in a lane or for all threads."""

    begin: int
    end: int
    lane: int | None


def write_update(to: Lowering, update: Update) -> None:
    """Write the optimiser's step: one instruction for each group of parameters with the same settings.

    A weight whose rows the two lanes have between them is updated by them too, in two instructions more. With several
    steps an update they add up their gradients, and the last one does the update with the mean.
    """
    memory = to.memory
    memory.require_samples()
    memory.require_as_built()
    _write_orthogonality(to)
    turn = _write_accumulation(to, update.steps)
    each = update.max_norm is not None and not update.max_norm_is_global
    groups = memory.single_groups() if each else memory.groups
    scales = _write_gradient_scales(to, update, groups, turn)
    if turn is not ALWAYS:
        _write_penalties(to, groups, Turn(turn.period, 0, turn.begin))
    pieces = [
        (piece, group, scale) for group, scale in zip(groups, scales, strict=True) for piece in _pieces_of(to, group)
    ]
    # Those of the lanes first: they need not wait for each other.
    for piece, group, scale in sorted(pieces, key=lambda entry: entry[0].lane is None):
        _write_piece(to, update, piece, group, scale, turn)
    _write_average(to, update)
    _write_constraints(to)


def _write_piece(to: Lowering, update: Update, piece: Piece, group: Group, scale: Buffer | None, turn: Turn) -> None:
    memory, names = to.memory, OPERATIONS[update.op]
    arrays_end = names.index("gradient_scale") + 1
    begin, end, lane = piece
    penalised = group.l1 > 0.0 or group.l2 > 0.0
    arrays: dict[str, Buffer | None] = {
        "w": _range(to, "parameters", memory.parameters, begin, end),
        "penalty": to.whole(f"penalty[{begin}:{end}]", np.zeros(1)) if penalised else None,
        "g": _range(to, "gradients", memory.gradients, begin, end),
        "gradient_scale": scale,
    }
    for slot in update.slots:
        arrays[slot] = _range(to, slot, memory.slot(slot, update.initial), begin, end)
    # As in Keras, clipping takes in the penalties' gradient.
    scalars = {"proximal": group.proximal, "clip_value": np.inf, "clip_penalty": True, **update.scalars}
    if not (group.decays or update.decays_all):
        scalars["weight_decay"] = 0.0
    scalars |= {"learning_rate": Dynamic.LEARNING_RATE, "l1": group.l1, "l2": group.l2, "step": Dynamic.COUNT}
    arguments = {name: scalars[name] for name in names[arrays_end:]}
    to.program.add(update.op, LAYER, {name: arrays.get(name) for name in names[:arrays_end]}, turn, lane, **arguments)


def _pieces_of(to: Lowering, group: Group) -> list[Piece]:
    """Return the parts of a group, those that a lane has to itself apart."""
    pieces, begin = [], group.begin
    for place, middle in to.places_in_lanes(group):
        pieces += [Piece(begin, place.start, None), Piece(place.start, middle, 0), Piece(middle, place.stop, 1)]
        begin = place.stop
    pieces.append(Piece(begin, group.end, None))
    return [piece for piece in pieces if piece.begin < piece.end]


def _range(to: Lowering, name: str, flat: NDArray[Any], begin: int, end: int) -> Buffer:
    """Return the buffer of a range of a flat array, made where it is asked for first."""
    full = f"{name}[{begin}:{end}]"
    if full not in to.program.buffers:
        to.program.buffer(full, flat[begin:end], Kind.WHOLE)
    return to.program.buffers[full]


def _write_penalties(to: Lowering, groups: Sequence[Group], turn: Turn) -> None:
    """Write the penalties of steps that end without an update, which else adds them to the loss."""
    for group in groups:
        if group.l1 > 0.0 or group.l2 > 0.0:
            total = to.whole(f"penalty[{group.begin}:{group.end}]", np.zeros(1))
            w = _range(to, "parameters", to.memory.parameters, group.begin, group.end)
            to.program.add("activity_penalty", LAYER, {"total": total, "x": w}, turn, l1=group.l1, l2=group.l2)


def _write_orthogonality(to: Lowering) -> None:
    """Write the penalties of pairs of vectors, which are added to the gradients."""
    for weight in to.memory.weights:
        if weight.trainable and weight.orthogonality is not None:
            arrays: dict[str, Buffer | None] = {
                "penalty": to.program.buffer(f"penalty[{weight.name}]", np.zeros(1), Kind.WHOLE),
                "dw": to.whole(f"d.{weight.name}", to.memory.gradient(weight)),
                "w": to.whole(weight.name, weight.value),
            }
            to.add("orthogonal_penalty", LAYER, arrays, **weight.orthogonality._asdict())


def _write_accumulation(to: Lowering, steps: int) -> Turn:
    """Write what makes the gradients of the last of ``steps`` steps the mean of them all; return its turn."""
    to.program.steps_per_update = steps
    if steps == 1:
        return ALWAYS
    g = to.whole("gradients", to.memory.gradients)
    total = to.whole("accumulated", to.memory.slot("accumulated"))
    last = Turn(steps, steps - 1, steps)
    to.program.add("accumulate", LAYER, {"y": total, "x": g}, Turn(steps, 0, 1), keep=0.0, scale=1.0)
    if steps > 2:
        to.program.add("accumulate", LAYER, {"y": total, "x": g}, Turn(steps, 1, steps - 1), keep=1.0, scale=1.0)
    to.program.add("accumulate", LAYER, {"y": g, "x": total}, last, keep=1.0 / steps, scale=1.0 / steps)
    return last


def _write_gradient_scales(to: Lowering, update: Update, groups: Sequence[Group], turn: Turn) -> list[Buffer | None]:
    """Write what clips the gradient's norm; return the array of its scale for each group."""
    if update.max_norm is None:
        return [None] * len(groups)
    pairs: list[tuple[Buffer, Buffer]] = []
    for i, group in enumerate(groups):
        if not pairs or not update.max_norm_is_global:
            total = to.program.buffer(f"squared_norm[{i}]", np.zeros(1), Kind.WHOLE)
            pairs.append((to.program.buffer(f"gradient_scale[{i}]", np.ones(1), Kind.WHOLE), total))
        arrays: dict[str, Buffer | None] = {
            "total": pairs[-1][1],
            "g": _range(to, "gradients", to.memory.gradients, group.begin, group.end),
            "w": _range(to, "parameters", to.memory.parameters, group.begin, group.end),
        }
        l1 = 0.0 if group.proximal else group.l1  # a proximal penalty has no gradient
        to.program.add("squared_norm", LAYER, arrays, turn, l1=l1, l2=group.l2)
    for scale, total in pairs:
        to.program.add("clip_scale", LAYER, {"scale": scale, "total": total}, turn, max_norm=update.max_norm)
    scales = [scale for scale, _ in pairs]
    return [*scales] if len(scales) == len(groups) else [scales[0]] * len(groups)


def _write_average(to: Lowering, update: Update) -> None:
    """Write the moving average of the parameters, and what puts it in their place."""
    if update.average_decay is None:
        return
    average, w = to.whole("average", to.memory.slot("average")), to.whole("parameters", to.memory.parameters)
    arrays: dict[str, Buffer | None] = {"average": average, "w": w}
    to.program.add("average_update", LAYER, arrays, decay=update.average_decay, step=Dynamic.COUNT)
    if update.overwrite_period is not None:
        period = update.overwrite_period * update.steps
        to.copy(w, average, LAYER, Turn(period, period - update.steps, period))


def _write_constraints(to: Lowering) -> None:
    """Write what holds weights within their bounds after the step."""
    for weight in to.memory.weights:
        if weight.trainable and weight.projection is not None:
            matrix = weight.value.reshape(weight.projection.rows, -1)
            w = to.program.buffer(f"constrained.{weight.name}", matrix, Kind.WHOLE)
            scalars = weight.projection.scalars
            arrays: dict[str, Buffer | None]
            arrays = {name: w for name in OPERATIONS[weight.projection.op] if name not in scalars}
            to.program.add(weight.projection.op, LAYER, arrays, **scalars)
