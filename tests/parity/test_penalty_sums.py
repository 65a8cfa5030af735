"""What the penalties of an update add up to."""

import math

import numpy as np
import pytest

import flyball._core as native
from parity.harness import LEVELS, THREADS


def penalty_of(w, l1=0.0, l2=0.0):
    w, total = w.copy(), np.zeros(1)
    native.sgd_update(w, None, total, np.zeros_like(w), None, 0.0, 0.0, False, l1, l2, 0.0, False, math.inf, False)
    return total[0]


@pytest.mark.parametrize("count", [1, 7, 127, 128, 129, 2047, 2048, 2049, 100_003])
@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.3), (0.2, 0.0), (0.2, 0.3)])
def test_terms_are_added_in_double(count, l1, l2, dtype):
    w = np.random.default_rng(0).standard_normal(count).astype(dtype)
    wide = w.astype(np.float64)
    expected = math.fsum(l1 * np.abs(wide) + l2 / 2 * wide * wide)
    # Without L1 terms are in double too; with it, each has four roundings, those of l1 and l2 among them.
    rounding = 4 * float(np.finfo(dtype).eps) / 2 if l1 > 0.0 else 0.0
    for level in LEVELS:
        native.set_level(level)
        totals = []
        for threads in THREADS:
            native.set_num_threads(threads)
            totals.append(penalty_of(w, l1, l2))
        assert totals[0] == pytest.approx(expected, rel=rounding + 1e-12, abs=0)
        assert totals == [totals[0]] * len(THREADS)
