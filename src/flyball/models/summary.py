"""The table that ``summary`` prints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flyball import _checks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.layers import Layer
    from flyball.models.structure import Structure

NARROWEST = 30
"""Characters of a line at least."""


def table(
    model: Structure,
    line_length: int | None,
    positions: Sequence[float] | None,
    *,
    expand_nested: bool,
    show_trainable: bool,
    layer_range: Sequence[str] | None,
) -> str:
    """Return the table; see :meth:`flyball.Sequential.summary`."""
    header = ["Layer (type)", "Output Shape", "Param #", *(["Trainable"] if show_trainable else [])]
    rows = [header]
    for layer in _ranged(model.layers, layer_range):
        rows += [row[: len(header)] for row in _rows(layer, expand_nested=expand_nested)]
    widths = _widths(rows, line_length, positions)
    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [f'Model: "{model.name}"', rule, _line(header, widths), rule]
    lines += [_line(row, widths) for row in rows[1:]]
    weights = model.weights
    trainable, total = (sum(w.size for w in group) for group in ([w for w in weights if w.trainable], weights))
    size = total * model.dtype.itemsize / 1024
    lines += [rule, f"Total params: {total:,} ({size:,.1f} KiB)"]
    lines += [f"Trainable params: {trainable:,}", f"Non-trainable params: {total - trainable:,}"]
    return "\n".join(lines)


def _rows(layer: Layer, indent: str = "", *, expand_nested: bool) -> list[list[str]]:
    """Return the rows of a layer and, if they are wanted, of those inside it."""
    shape = str((None, *layer.output_shape)) if layer.output_shape is not None else "?"
    count = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
    trains = "-" if not layer.weights else "Y" if layer.trainable else "N"
    rows = [[f"{indent}{layer.name} ({type(layer).__name__})", shape, count, trains]]
    for inner in layer.inner_layers if expand_nested else ():
        rows += _rows(inner, f"{indent}  ", expand_nested=True)
    return rows


def _ranged(layers: Sequence[Layer], layer_range: Sequence[str] | None) -> Sequence[Layer]:
    """Return the layers from the first whose name the first pattern matches to the last that the second one does."""
    if layer_range is None:
        return layers
    if isinstance(layer_range, str) or len(layer_range) != 2 or not all(isinstance(p, str) for p in layer_range):
        _checks.refuse("layer_range", "two names of layers, or patterns of such", layer_range)
    found = [[i for i, layer in enumerate(layers) if re.match(pattern, layer.name)] for pattern in layer_range]
    if not found[0] or not found[1] or found[0][0] > found[1][-1]:
        _checks.refuse("layer_range", f"a first and a last of {', '.join(layer.name for layer in layers)}", layer_range)
    return layers[found[0][0] : found[1][-1] + 1]


def _widths(rows: list[list[str]], line_length: int | None, positions: Sequence[float] | None) -> list[int]:
    """Return the widths of the columns: as wide as they need to be, or as was asked."""
    needed = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    gaps = 2 * (len(needed) - 1)
    length = sum(needed) + gaps if line_length is None else _checks.integer("line_length", line_length, NARROWEST)
    if positions is None:
        first = max(length - gaps - sum(needed[1:]), 1)
        return [first, *needed[1:]]
    ends = [_checks.number("positions", position, "(0, inf)") for position in positions]
    if len(ends) != len(needed) or sorted(set(ends)) != ends:
        _checks.refuse("positions", f"{len(needed)} ends of columns, rising", positions)
    if ends[-1] <= 1:
        ends = [end * length for end in ends]
    starts = [0, *(int(end) for end in ends[:-1])]
    widths = [int(end) - start - 2 for start, end in zip(starts, ends, strict=True)]
    widths[-1] += 2
    if min(widths) < 1:
        _checks.refuse("positions", "ends of columns that leave room for each", positions)
    return widths


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    cut = [cell if len(cell) <= width else f"{cell[: width - 1]}…" for cell, width in zip(cells, widths, strict=True)]
    aligned = [
        f"{cell:>{width}}" if i == 2 else f"{cell:<{width}}"
        for i, (cell, width) in enumerate(zip(cut, widths, strict=True))
    ]
    return "  ".join(aligned).rstrip()
