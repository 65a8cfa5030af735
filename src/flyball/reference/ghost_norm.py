"""Batch normalisation of a batch in groups."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from flyball.reference._arrays import FLOAT64, need, need_ndim, need_out, refuse_overlap
from flyball.reference.norm import batch_norm_backward, batch_norm_forward, need_inputs

if TYPE_CHECKING:
    from flyball.backend.types import Bools, Doubles, Floats


def groups_of(x: Floats, mean: Doubles, group: int) -> list[slice]:
    """Return the rows of each group; refuse statistics that have not a row for each."""
    need_ndim("x", x, 2, 3)
    if group < 1:
        msg = f"group must be at least 1, got {group}"
        raise ValueError(msg)
    need_ndim("mean", mean, 2)
    count = max(1, len(x) // group)
    if len(mean) < count:
        msg = f"mean must have a row for each of {count} groups, got {len(mean)}"
        raise ValueError(msg)
    return [slice(*bounds) for bounds in pairwise([*range(0, count * group, group), len(x)])]


def ghost_batch_norm_forward(
    y: Floats,
    mean: Doubles,
    rstd: Doubles,
    running_mean: Floats | None,
    running_var: Floats | None,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    mask: Bools | None,
    group: int,
    momentum: float,
    epsilon: float,
    unbiased: bool,
    activation: str,
    rate: float,
) -> None:
    groups = groups_of(x, mean, group)
    inputs = {"x": x, "gamma": gamma, "beta": beta, "mask": mask}
    dtype, channels = need_inputs(inputs, x, activation)
    need_out("y", y, dtype, x.shape)
    need_out("mean", mean, FLOAT64, (len(mean), channels))
    need_out("rstd", rstd, FLOAT64, (len(mean), channels))
    need_out("running_mean", running_mean, dtype, (channels,))
    need_out("running_var", running_var, dtype, (channels,))
    outputs = {"y": y, "mean": mean, "rstd": rstd, "running_mean": running_mean, "running_var": running_var}
    refuse_overlap(outputs, inputs, in_place=True)

    for g, rows in enumerate(groups):
        part = None if mask is None else mask[rows]
        arrays = (y[rows], mean[g], rstd[g], running_mean, running_var, x[rows], gamma, beta, part)
        batch_norm_forward(*arrays, momentum, epsilon, unbiased, activation, rate)


def ghost_batch_norm_backward(
    dx: Floats | None,
    dgamma: Floats | None,
    dbeta: Floats | None,
    dy: Floats,
    x: Floats,
    gamma: Floats | None,
    beta: Floats | None,
    mean: Doubles,
    rstd: Doubles,
    mask: Bools | None,
    group: int,
    activation: str,
    rate: float,
) -> None:
    groups = groups_of(x, mean, group)
    inputs = {"dy": dy, "x": x, "gamma": gamma, "beta": beta, "mask": mask}
    dtype, channels = need_inputs(inputs, x, activation)
    need("mean", mean, FLOAT64, (len(mean), channels))
    need("rstd", rstd, FLOAT64, (len(mean), channels))
    need_out("dx", dx, dtype, x.shape)
    need_out("dgamma", dgamma, dtype, (channels,))
    need_out("dbeta", dbeta, dtype, (channels,))
    outputs = {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}
    refuse_overlap(outputs, {**inputs, "mean": mean, "rstd": rstd}, in_place=True)

    gammas, betas = (None if sums is None else np.empty((len(groups), channels), dtype) for sums in (dgamma, dbeta))
    for g, rows in enumerate(groups):
        values = None if dx is None else dx[rows]
        part = None if mask is None else mask[rows]
        sums = [None if parts is None else parts[g] for parts in (gammas, betas)]
        arrays = (values, sums[0], sums[1], dy[rows], x[rows], gamma, beta, mean[g], rstd[g], part)
        batch_norm_backward(*arrays, activation, rate)
    for total, parts in ((dgamma, gammas), (dbeta, betas)):
        if total is not None and parts is not None:
            total[...] = parts.sum(axis=0, dtype=np.float64)
