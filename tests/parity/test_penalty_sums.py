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
def test_sums_are_those_in_double_to_the_rounding_of_a_few_terms(count, l1, l2, dtype):
    w = np.random.default_rng(0).standard_normal(count).astype(dtype)
    wide = w.astype(np.float64)
    expected = math.fsum(l1 * np.abs(wide) + l2 / 2 * wide * wide)
    for level in LEVELS:
        native.set_level(level)
        totals = []
        for threads in THREADS:
            native.set_num_threads(threads)
            totals.append(penalty_of(w, l1, l2))
        # Seven additions of terms that have four roundings each, those of l1 or l2 among them; all have one sign.
        assert totals[0] == pytest.approx(expected, rel=11 * float(np.finfo(dtype).eps) / 2, abs=0)
        assert totals == [totals[0]] * len(THREADS)


def test_large_weights_that_nothing_penalises_cost_nothing(dtype):
    w = np.full(100, np.sqrt(np.finfo(dtype).max) * 4, dtype)
    for level in LEVELS:
        native.set_level(level)
        assert penalty_of(w) == 0.0
        assert penalty_of(w, l2=1e-6) == pytest.approx(100 * 0.5e-6 * 16 * float(np.finfo(dtype).max), rel=1e-5)
