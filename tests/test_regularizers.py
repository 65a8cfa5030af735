"""Regularizers, in Keras' convention."""

from __future__ import annotations

import re

import numpy as np
import pytest

from flyball import regularizers

W = np.array([[1.0, -2.0], [0.5, 0.0]], np.float32)


def test_penalties():
    assert regularizers.L1(0.1)(W) == pytest.approx(0.1 * 3.5)
    assert regularizers.L2(0.1)(W) == pytest.approx(0.1 * 5.25)  # sum of squares, not half of it
    assert regularizers.L1L2(0.1, 0.2)(W) == pytest.approx(0.35 + 1.05)


def test_defaults():
    assert regularizers.L1().l1 == 0.01
    assert regularizers.L2().l2 == 0.01
    assert (regularizers.L1L2().l1, regularizers.L1L2().l2) == (0.0, 0.0)
    assert (regularizers.L2(0.3).l1, regularizers.L1(0.3).l2) == (0.0, 0.0)


def test_lower_case_aliases():
    assert regularizers.l2(0.5).l2 == 0.5
    assert regularizers.l1_l2(l1=0.5).l1 == 0.5
    assert regularizers.l1(0.5).l1 == 0.5


@pytest.mark.parametrize(
    ("name", "cls"), [("l1", "L1"), ("L2", "L2"), ("l1_l2", "L1L2"), ("l1l2", "L1L2"), ("L1L2", "L1L2")]
)
def test_get(name, cls):
    assert type(regularizers.get(name)).__name__ == cls


def test_get_of_objects():
    instance = regularizers.L2(0.5)
    assert regularizers.get(None) is None
    assert regularizers.get(instance) is instance
    assert regularizers.get(regularizers.serialize(instance)).l2 == 0.5
    assert regularizers.get(regularizers.L1).l1 == 0.01


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: regularizers.L2(-0.1), "l2 must be in [0, inf), got -0.1"),
        (lambda: regularizers.L1(float("nan")), "l1 must be in [0, inf), got nan"),
        (lambda: regularizers.L1L2(0.1, "x"), "l2 must be in [0, inf), got 'x'"),
        (lambda: regularizers.L1L2(True), "l1 must be in [0, inf), got True"),
        (
            lambda: regularizers.get("ridge"),
            "one of l1, l2, l1_l2, orthogonal_regularizer, got 'ridge'",
        ),
        (lambda: regularizers.OrthogonalRegularizer(-1.0), "factor must be in [0, inf), got -1.0"),
        (lambda: regularizers.OrthogonalRegularizer(mode="both"), "mode must be one of rows, columns, got 'both'"),
        (
            lambda: regularizers.OrthogonalRegularizer()(W[0]),
            "w must be a matrix for an orthogonal",
        ),
        (lambda: regularizers.get(0.01), "got 0.01"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_orthogonal_penalty_is_the_mean_of_cosines(mode, each_backend):
    w = np.random.default_rng(0).normal(size=(3, 5))
    v = w if mode == "rows" else w.T
    pairs = [abs(v[i] @ v[j]) / np.linalg.norm(v[i]) / np.linalg.norm(v[j]) for i in range(len(v)) for j in range(i)]
    assert regularizers.OrthogonalRegularizer(0.3, mode)(w) == pytest.approx(0.3 * np.mean(pairs), rel=1e-12)


def test_right_angles_have_no_penalty_and_no_vectors_no_nan():
    assert regularizers.OrthogonalRegularizer(1.0, "columns")(2.0 * np.eye(4, 3)) == 0.0
    assert regularizers.OrthogonalRegularizer(1.0)(np.zeros((3, 2))) == 0.0
    assert regularizers.OrthogonalRegularizer(1.0)(np.ones((1, 2))) == 0.0
