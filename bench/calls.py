"""What a call costs, in microseconds, the fastest of many: every operation on 64 elements (of three axes: 512).

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
from cases import CASES

CALLS, ROUNDS = 2000, 20


def microseconds(call: partial[object]) -> float:
    return min(timeit.repeat(call, number=CALLS, repeat=ROUNDS)) / CALLS * 1e6


def main() -> None:
    dtype = np.dtype(np.float32)
    print("the native operations:")
    for operation, case in {case.operation: case for case in reversed(CASES)}.items():
        sizes = (64,) if len(case.sizes) == 1 else (8,) * len(case.sizes)
        if "ghost" in operation:
            sizes = (32, 2)  # a group has 32 rows
        arguments = replace(case, sizes=sizes).arguments(dtype)
        time = microseconds(partial(getattr(_core, operation), *arguments.values()))
        print(f"  {operation:30} {time:6.2f}")
    x = np.random.default_rng(0).standard_normal((8, 8)).astype(dtype)
    y, row, labels = np.empty_like(x), np.ones(8, dtype), np.arange(8)
    faces = {
        "activation_forward": partial(F.activation_forward, x, "relu", out=y),
        "softmax_forward": partial(F.softmax_forward, x, out=y),
        "dropout_forward": partial(F.dropout_forward, x, 0.5, seed=7, out=y),
        "batch_norm_forward": partial(F.batch_norm_forward, x, row, row, out=y),
        "layer_norm_forward": partial(F.layer_norm_forward, x, row, row, out=y),
        "softmax_cross_entropy": partial(F.softmax_cross_entropy, x, labels, out=y),
        "pointwise_loss": partial(F.pointwise_loss, x, x.copy(), "mean_squared_error", out=y),
    }
    print("flyball.functional, with its checks:")
    for name, call in faces.items():
        print(f"  {name:30} {microseconds(call):6.2f}")


if __name__ == "__main__":
    main()
