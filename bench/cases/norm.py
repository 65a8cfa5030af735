"""Cases of the operations of ``flyball.backend.norm``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cases.table import LARGE, ROWS, Case, cases, normal

if TYPE_CHECKING:
    from cases.table import Maker

RATE = 0.5


def batch_norm(activation: str, rate: float) -> Maker:
    def make(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
        n, c = sizes
        x = normal(rng, dtype, n, c)
        mean = x.mean(axis=0, dtype=np.float64)
        rstd = 1.0 / np.sqrt(x.var(axis=0, dtype=np.float64) + 1e-3)
        mask = rng.random((n, c)) >= rate if rate > 0 else None
        y = (x - mean) * rstd
        if activation == "relu":
            y = np.maximum(y, 0)
        if mask is not None:
            y = y * mask / (1 - rate)
        return {
            "y": y.astype(dtype),
            "dx": np.empty((n, c), dtype),
            "dgamma": np.empty(c, dtype),
            "dbeta": np.empty(c, dtype),
            "dy": normal(rng, dtype, n, c),
            "x": x,
            "gamma": np.ones(c, dtype),
            "beta": np.zeros(c, dtype),
            "mean": mean,
            "rstd": rstd,
            "running_mean": np.zeros(c, dtype),
            "running_var": np.ones(c, dtype),
            "mask": mask,
            "momentum": 0.99,
            "epsilon": 1e-3,
            "unbiased": False,
            "activation": activation,
            "rate": rate,
        }

    return make


def steps(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    """Arguments of the steps, beside those of the whole."""
    n, c = sizes
    parts = {
        "m2": np.full(c, float(n)),
        "count": n,
        "sum_dz": rng.standard_normal(c),
        "sum_dz_xhat": rng.standard_normal(c),
        "means": rng.standard_normal((8, c)),
        "m2s": rng.random((8, c)),
        "counts": np.full(8, n),
    }
    return batch_norm("relu", RATE)(rng, dtype, sizes) | parts


def images(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    """Batch normalisation with channels first."""
    n, c, s = sizes
    x = normal(rng, dtype, n, c, s)
    whole = batch_norm("linear", 0.0)(rng, dtype, (2, c))
    mean = x.mean(axis=(0, 2), dtype=np.float64)
    rstd = 1.0 / np.sqrt(x.var(axis=(0, 2), dtype=np.float64) + 1e-3)
    arrays = {"y": np.empty_like(x), "dx": np.empty_like(x), "dy": normal(rng, dtype, n, c, s), "x": x}
    return whole | arrays | {"mean": mean, "rstd": rstd}


def ghosts(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    """Batch normalisation in groups of 32 rows."""
    whole = batch_norm("relu", 0.0)(rng, dtype, sizes)
    groups = sizes[0] // 32
    return whole | {name: np.tile(whole[name], (groups, 1)) for name in ("mean", "rstd")} | {"group": 32}


def layer_norm(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
    n, c = sizes
    x = normal(rng, dtype, n, c)
    return {
        "y": np.empty_like(x),
        "dx": np.empty_like(x),
        "dgamma": np.empty(c, dtype),
        "dbeta": np.empty(c, dtype),
        "dy": normal(rng, dtype, n, c),
        "x": x,
        "gamma": np.ones(c, dtype),
        "beta": np.zeros(c, dtype),
        "mean": x.mean(axis=1, dtype=np.float64),
        "rstd": 1.0 / np.sqrt(x.var(axis=1, dtype=np.float64) + 1e-3),
        "epsilon": 1e-3,
    }


def group_norm(groups: int, channels_last: bool) -> Maker:
    def make(rng: np.random.Generator, dtype: np.dtype[Any], sizes: tuple[int, ...]) -> dict[str, Any]:
        n, c, s = sizes
        made = images(rng, dtype, (n, s, c) if channels_last else sizes)
        x = made["x"]
        values = x.reshape(n, s, groups, -1) if channels_last else x.reshape(n, groups, -1, s)
        axes = (1, 3) if channels_last else (2, 3)
        statistics = {
            "mean": values.mean(axis=axes, dtype=np.float64),
            "rstd": 1.0 / np.sqrt(values.var(axis=axes, dtype=np.float64) + 1e-3),
        }
        parameters = {"gamma": np.ones(c, dtype), "beta": np.zeros(c, dtype)}
        gradients = {"dgamma": np.empty(c, dtype), "dbeta": np.empty(c, dtype)}
        return made | statistics | parameters | gradients | {"channels_last": channels_last}

    return make


IMAGES = ((128, 16, 32 * 32), (32, 64, 56 * 56))
CASES: list[Case] = [
    *cases(
        "batch_norm_forward",
        LARGE,
        batch_norm("linear", 0.0),
        ("y", "mean", "rstd", "running_mean", "running_var"),
    ),
    *cases("batch_norm_forward", ROWS, batch_norm("relu", RATE), ("y", "mean", "rstd"), "relu-dropout"),
    *cases("batch_norm_backward", LARGE, batch_norm("linear", 0.0), ("dx", "dgamma", "dbeta")),
    *cases("batch_norm_backward", ROWS, batch_norm("relu", RATE), ("dx", "dgamma", "dbeta"), "relu-dropout"),
    *cases("ghost_batch_norm_forward", ROWS, ghosts, ("y", "mean", "rstd")),
    *cases("ghost_batch_norm_backward", ROWS, ghosts, ("dx", "dgamma", "dbeta")),
    *cases("batch_norm_inference", ROWS, batch_norm("relu", 0.0), ("y",)),
    *cases("batch_norm_forward", IMAGES, images, ("y", "mean", "rstd"), "images"),
    *cases("batch_norm_backward", IMAGES, images, ("dx", "dgamma", "dbeta"), "images"),
    *cases("batch_norm_moments", ROWS, steps, ("mean", "m2")),
    *cases("combine_moments", ROWS, steps, ("mean", "m2")),
    *cases("batch_norm_statistics", ROWS, steps, ("rstd", "running_mean", "running_var")),
    *cases("batch_norm_apply", ROWS, steps, ("y",)),
    *cases("batch_norm_backward_sums", ROWS, steps, ("sum_dz", "sum_dz_xhat")),
    *cases("batch_norm_backward_apply", ROWS, steps, ("dx",)),
    *cases("layer_norm_forward", LARGE, layer_norm, ("y", "mean", "rstd")),
    *cases("layer_norm_backward", LARGE, layer_norm, ("dx", "dgamma", "dbeta")),
    *cases("rms_norm_forward", ROWS, layer_norm, ("y", "rstd")),
    *cases("rms_norm_backward", ROWS, layer_norm, ("dx", "dgamma")),
    *cases("group_norm_forward", IMAGES, group_norm(8, False), ("y", "mean", "rstd")),
    *cases("group_norm_backward", IMAGES, group_norm(8, False), ("dx", "dgamma", "dbeta")),
    *cases("group_norm_forward", IMAGES, group_norm(8, True), ("y", "mean", "rstd"), "channels-last"),
    *cases("group_norm_backward", IMAGES, group_norm(8, True), ("dx", "dgamma", "dbeta"), "channels-last"),
]
