"""Targets of samples that were mixed: soft rows, whatever they were before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.program.instructions import Buffer
    from flyball.program.lowering import Lowering
    from flyball.program.requests import Objective


class Mixture(NamedTuple):
    """Each row's partner, (rows,), and the share of its own part, (rows,), as ``mix_rows`` takes them."""

    layer: str
    partners: Buffer
    weights: Buffer


def mix_targets(to: Lowering, objective: Objective, outputs: Buffer, mixtures: Sequence[Mixture]) -> Objective:
    """Write the targets' mixtures, in the order of the rows'; return the objective that takes what they give."""
    if objective.ignores:
        msg = f"the loss's ignore_class must be None where samples are mixed, as layer {mixtures[0].layer!r} does"
        raise ValueError(msg)
    if objective.target_name == "labels":
        objective = soften(to, objective, outputs, mixtures[0].layer)
    for mixture in mixtures:
        x = to.target
        y = to.target = to.like(x, "mixed_targets")
        to.add("mix_rows", mixture.layer, {"y": y, "x": x, "partners": mixture.partners, "weights": mixture.weights})
    return objective


def soften(to: Lowering, objective: Objective, outputs: Buffer, layer: str) -> Objective:
    """Write one row of probabilities for each label, the labels' smoothing included; return the objective of rows.

    The rows are gathered from a table of one row a class.
    """
    (classes,) = outputs.sample_shape
    scalars: dict[str, Any] = dict(objective.scalars)
    smoothing = float(scalars.get("smoothing", 0.0))
    if smoothing:
        table = np.full((classes, classes), smoothing, to.memory.dtype)
        np.fill_diagonal(table, 1.0 - (classes - 1) * smoothing)
    else:
        table = np.eye(classes, dtype=np.uint8)
    positions = outputs.rows_per_sample
    labels = to.view(to.target, (), positions)
    rows = to.like(labels, "soft_targets", sample_shape=(classes,))
    to.add("gather", layer, {"out": rows, "x": to.whole("classes", table), "rows": labels})
    to.target = to.view(rows, (positions * classes,))
    return replace(objective, op=f"{objective.op}_soft", target_name="targets", scalars=())
