"""Shapes that reach what kernels do for the second block, strip, part or run only, against the reference.

Each was chosen so that a mistake in one such place of the native code shows; at every level, on one thread and several.
"""

import numpy as np
import pytest
from parity.harness import LEVELS

from flyball import _core
from flyball import functional as F
from flyball.backend import backend_scope

TOLERANCES = {"float32": {"rtol": 2e-4, "atol": 2e-4}, "float64": {"rtol": 1e-9, "atol": 1e-10}}
RNG = np.random.default_rng(0)


def values(*shape):
    """Normal values whose mean differs from place to place along the last axis but one."""
    return RNG.standard_normal(shape) + np.linspace(-2, 2, shape[-2])[:, None]


def group_norm(groups, axis):
    def results(x, dy):
        channels = x.shape[axis]
        gamma, beta = (np.linspace(low, 2, channels).astype(x.dtype) for low in (0.5, -1))
        y, mean, rstd = F.group_norm_forward(x, groups, gamma, beta, axis=axis)
        return [y, mean, rstd, *F.group_norm_backward(dy, x, mean, rstd, gamma, beta, axis=axis)]

    return results


def inference(x, dy):
    channels = x.shape[1]
    mean, var = np.linspace(-2, 2, channels).astype(x.dtype), np.linspace(0.5, 2, channels).astype(x.dtype)
    return [F.batch_norm_inference(x, mean, var, axis=1), F.batch_norm_inference(dy, mean, var, axis=1)]


def batch_norm(group=None):
    def results(x, dy):
        gamma, beta = (np.linspace(low, 2, x.shape[1]).astype(x.dtype) for low in (0.5, -1))
        y, mean, rstd = F.batch_norm_forward(x, gamma, beta, virtual_batch_size=group)
        return [y, mean, rstd, *F.batch_norm_backward(dy, x, mean, rstd, gamma, beta, virtual_batch_size=group)]

    return results


def constrained(x, dy):
    F.constrain_norm(x, max_value=2.0)
    F.constrain_norm(dy, min_value=5.0)
    return [x, dy]


CASES = {
    "a group of single values longer than a run": (group_norm(2, 1), (4, 10_000, 1)),
    "rows of groups that threads share within a sample": (group_norm(3, 1), (501, 900, 1)),
    "channels of a group beyond a strip": (group_norm(2, -1), (2, 5, 1400)),
    "a strip that begins within a group": (group_norm(10, 1), (2, 1000, 2)),
    "planes that threads share from a channel on": (inference, (5, 3, 10_000)),
    "rows past the caches that are not evenly apart": (batch_norm(), (4301, 1001)),
    "groups of a batch with a longer last one": (batch_norm(128), (600, 512)),
    "norms of more columns than a strip": (constrained, (20, 700)),
}


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("case", CASES)
def test_as_in_the_reference(case, threads, dtype):
    results, shape = CASES[case]
    x, dy = values(*shape).astype(dtype), values(*shape).astype(dtype)
    with backend_scope("reference"):
        expected = results(x.astype("f8"), dy.astype("f8"))
    _core.set_num_threads(threads)
    for level in LEVELS:
        _core.set_level(level)
        with backend_scope("native"):
            for number, (actual, want) in enumerate(zip(results(x.copy(), dy.copy()), expected, strict=True)):
                scale = max(1.0, float(np.abs(want).max()))
                np.testing.assert_allclose(
                    actual / scale, want / scale, **TOLERANCES[dtype], err_msg=f"{level} {number}"
                )
