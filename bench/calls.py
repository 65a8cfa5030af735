"""What a call costs, in microseconds, the fastest of many.

Every operation on 64 elements (of three axes: 512), and a model's prediction of one row.

python bench/calls.py
"""

from __future__ import annotations

import sys
import timeit
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from flyball import _core
from flyball import functional as F

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent / "peers"))
from cases import CASES
from flyball_peer import build
from tasks import NETWORKS

CALLS, ROUNDS = 200, 200  # rounds shorter than the time that other processes leave


def microseconds(call: partial[object]) -> float:
    return min(timeit.repeat(call, number=CALLS, repeat=ROUNDS)) / CALLS * 1e6


def main() -> None:
    dtype = np.dtype(np.float32)
    print("the native operations:")
    for operation, case in {case.operation: case for case in reversed(CASES)}.items():
        sizes = (64,) if len(case.sizes) == 1 else (8,) * len(case.sizes)
        if "ghost" in operation:
            sizes = (32, 2)  # a group has 32 rows
        if operation == "dropout_mask_columns":
            sizes = (1, 64)  # a mask has whole groups
        arguments = replace(case, sizes=sizes).arguments(dtype)
        time = microseconds(partial(getattr(_core, operation), *arguments.values()))
        print(f"  {operation:30} {time:6.2f}")
    x = np.random.default_rng(0).standard_normal((8, 8)).astype(dtype)
    dy, y, row, labels, image = x.copy(), np.empty_like(x), np.ones(8, dtype), np.arange(8), np.ones((8, 8, 8), dtype)
    w, m, v, image_out = x.copy(), np.zeros_like(x), np.zeros_like(x), np.empty_like(image)
    mean, rstd, total = np.zeros(8), np.ones(8), np.zeros(1)
    faces = {
        "activation_forward": partial(F.activation_forward, x, "relu", out=y),
        "activation_forward, gelu": partial(F.activation_forward, x, "gelu", out=y),
        "activation_forward, in place": partial(F.activation_forward, y, "relu", out=y),
        "activation_forward, of views": partial(F.activation_forward, image[1], "relu", out=image_out[1]),
        "activation_backward": partial(F.activation_backward, dy, "relu", y=x, out=y),
        "relu_forward": partial(F.relu_forward, x, max_value=6.0, out=y),
        "prelu_forward": partial(F.prelu_forward, x, row, out=y),
        "softmax_forward": partial(F.softmax_forward, x, out=y),
        "softmax_backward": partial(F.softmax_backward, dy, x, out=y),
        "dropout_forward": partial(F.dropout_forward, x, 0.5, seed=7, out=y),
        "dropout_backward": partial(F.dropout_backward, dy, 0.5, seed=7, out=y),
        "gaussian_noise_forward": partial(F.gaussian_noise_forward, x, 0.5, seed=7, out=y),
        "add_branch": partial(F.add_branch, x, dy, out=y),
        "matmul": partial(F.matmul, x, dy, out=y),
        "dense_forward": partial(F.dense_forward, x, w, row, activation="relu", out=y),
        "dense_backward": partial(F.dense_backward, dy, x, w, out=(y, m.copy(), row.copy())),
        "batch_norm_forward": partial(F.batch_norm_forward, x, row, row, out=y),
        "batch_norm_backward": partial(F.batch_norm_backward, dy, x, mean, rstd, row, row, out=y),
        "batch_norm_inference": partial(F.batch_norm_inference, x, row, row, row, row, out=y),
        "layer_norm_forward": partial(F.layer_norm_forward, x, row, row, out=y),
        "layer_norm_backward": partial(F.layer_norm_backward, dy, x, mean, rstd, row, row, out=y),
        "rms_norm_forward": partial(F.rms_norm_forward, x, row, out=y),
        "group_norm_forward": partial(F.group_norm_forward, image, 2, row, row, out=image_out),
        "softmax_cross_entropy": partial(F.softmax_cross_entropy, x, labels, out=y),
        "pointwise_loss": partial(F.pointwise_loss, x, dy, "mean_squared_error", out=y),
        "sgd_update": partial(F.sgd_update, w, dy, m, momentum=0.9),
        "adam_update": partial(F.adam_update, w, dy, m, v, step=9),
        "adam_update, weight_decay": partial(F.adam_update, w, dy, m, v, step=9, weight_decay=0.01),
        "squared_norm": partial(F.squared_norm, x, out=total),
        "accumulate": partial(F.accumulate, y, x),
        "gather": partial(F.gather, x, labels, out=y),
        "swap_axes": partial(F.swap_axes, image, out=image_out),
    }
    print("flyball.functional, with its checks:")
    for name, call in faces.items():
        print(f"  {name:30} {microseconds(call):6.2f}")
    print("a model's prediction of one row:")
    for name, network in NETWORKS.items():
        model, (samples, _) = build(network), network.data()
        print(f"  {name:30} {microseconds(partial(model.predict, samples[:1].copy())):6.2f}")


if __name__ == "__main__":
    main()
