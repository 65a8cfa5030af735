"""Cases of batch normalisation in groups: those of whole batches, group by group."""

import numpy as np

from parity.cases import norm
from parity.cases.table import operation, to_double
from parity.tolerances import LONG


def groups_of(x, group):
    """Rows of each group."""
    count = max(1, len(x) // group)
    return [slice(g * group, (g + 1) * group if g + 1 < count else None) for g in range(count)]


def rows_of(arguments, rows):
    """Arguments of one group."""
    cut = ("x", "y", "dy", "mask")
    return {name: value[rows] if name in cut and value is not None else value for name, value in arguments.items()}


def ghost_batch_norm_forward_arguments(make, rows, columns, samples=None, group=3, spare=0, **options):
    arguments = norm.batch_norm_forward_arguments(make, rows, columns, samples, **options)
    count = len(groups_of(arguments["x"], group)) + spare
    return arguments | {name: np.zeros((count, columns)) for name in ("mean", "rstd")} | {"group": group}


@operation(
    ghost_batch_norm_forward_arguments,
    [
        {},
        {"group": 2, "affine": False, "running": False},
        {"samples": 7, "group": 2},
        {"samples": 5, "group": 3, "activation": "relu", "mask": True, "affine": False},
        {"group": 260, "activation": "relu", "unbiased": True},
        {"group": 2**62, "mask": True},
        {"group": 16, "activation": "relu", "mask": True, "spare": 2},
    ],
    least_rows=2,
    tolerance=LONG,
    in_place=("y", "x"),
)
def ghost_batch_norm_forward(x, mean, rstd, running_mean, running_var, group, **options):
    running = {"running_mean": running_mean, "running_var": running_var}
    outputs = {"y": [], "mean": [], "rstd": []}
    for rows in groups_of(x, group):
        found = norm.batch_norm_forward(**rows_of({"x": x, **options, **running}, rows))
        running = {name: found.get(name) for name in running}
        for name, values in outputs.items():
            values.append(found[name])
    whole = {"y": np.concatenate(outputs["y"])}
    for name, given in (("mean", mean), ("rstd", rstd)):  # rows that no group has stay as they are
        whole[name] = np.vstack([*outputs[name], given[len(outputs[name]) :]])
    return whole | {name: value for name, value in running.items() if value is not None}


def ghost_batch_norm_backward_arguments(
    make, rows, columns, samples=None, group=3, affine=True, mask=False, activation="linear", need_dx=True
):
    whole = norm.batch_norm_backward_arguments(make, rows, columns, samples, affine, mask, activation, need_dx)
    doubled = {name: to_double(value) for name, value in whole.items()}
    given = doubled | {"running_mean": None, "running_var": None, "epsilon": 1e-3, "momentum": 0.9, "unbiased": False}
    given |= {"group": group, "mean": np.empty((0, columns)), "rstd": np.empty((0, columns))}
    outputs = ghost_batch_norm_forward(**given)
    statistics = {name: outputs[name] for name in ("mean", "rstd")}
    dy = whole["dy"]
    for g, part in enumerate(groups_of(dy, group)):
        of_group = {"x": doubled["x"][part], **{name: doubled[name] for name in ("gamma", "beta", "activation")}}
        dy[part] = norm.where_decided(dy[part], **of_group, **{name: value[g] for name, value in statistics.items()})
    return whole | {"group": group} | statistics


@operation(
    ghost_batch_norm_backward_arguments,
    [
        {},
        {"group": 2, "affine": False},
        {"samples": 7, "group": 2, "activation": "relu", "mask": True},
        {"samples": 5, "mask": True},
        {"group": 260, "activation": "relu"},
        {"group": 16, "activation": "relu", "mask": True},
        {"group": 2**62, "mask": True, "need_dx": False},
        {"mask": True},
    ],
    least_rows=2,
    tolerance=LONG,
    in_place=("dx", "dy"),
)
def ghost_batch_norm_backward(x, mean, rstd, group, **options):
    parts = [
        norm.batch_norm_backward(**rows_of({"x": x, "mean": mean[g], "rstd": rstd[g], **options}, rows))
        for g, rows in enumerate(groups_of(x, group))
    ]
    sums = {name: sum(part[name] for part in parts) for name in ("dgamma", "dbeta")}
    return {"dx": np.concatenate([part["dx"] for part in parts]), **sums}
