"""Outputs whose rows lie apart: what lies between them stays as it was."""

import numpy as np
import pytest

import flyball._core as native
from flyball import reference
from parity.harness import LEVELS

BACKENDS = [pytest.param(native, level, id=level) for level in LEVELS]
BACKENDS.append(pytest.param(reference, None, id="reference"))
SIZES = [(1, 1), (2, 1), (1, 7), (5, 16), (33, 17), (130, 64), (257, 100)]


def apart(rows, columns, dtype, rng, *, left=3, right=5):
    wide = rng.standard_normal((rows, left + columns + right)).astype(dtype)
    return wide, wide[:, left : left + columns]


def set_up(module, level, threads):
    if level is not None:
        native.set_level(level)
        native.set_num_threads(threads)
    return module


@pytest.mark.parametrize(("module", "level"), BACKENDS)
@pytest.mark.parametrize("threads", [1, 5])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("keep", [0.0, 0.75])
@pytest.mark.parametrize("which", ["y", "x", "both"])
def test_accumulate(module, level, threads, sizes, keep, which, dtype):
    set_up(module, level, threads)
    rng = np.random.default_rng(1)
    wide, y = apart(*sizes, dtype, rng)
    _, x = apart(*sizes, dtype, rng, left=2, right=0)
    if which not in ("y", "both"):
        y = np.ascontiguousarray(y)
    if which not in ("x", "both"):
        x = np.ascontiguousarray(x)
    around, expected = wide.copy(), keep * y.astype(float) + 0.5 * x.astype(float)
    module.accumulate(y, x, keep, 0.5)
    np.testing.assert_allclose(y, expected, rtol=2e-6 if dtype == "float32" else 1e-14, atol=1e-7)
    np.testing.assert_array_equal(wide[:, :3], around[:, :3])
    np.testing.assert_array_equal(wide[:, -5:], around[:, -5:])


@pytest.mark.parametrize(("module", "level"), BACKENDS)
@pytest.mark.parametrize("threads", [1, 5])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("share", [1.0, 0.2])
def test_gradient_of_weights(module, level, threads, sizes, share, dtype):
    """Of samples that are dense, and mostly zero, which another kernel multiplies; few columns are a third's."""
    set_up(module, level, threads)
    rng = np.random.default_rng(2)
    inputs, units = sizes
    rows = 70
    x = (rng.standard_normal((rows, inputs)) * (rng.random((rows, inputs)) < share)).astype(dtype)
    dy, w = rng.standard_normal((rows, units)).astype(dtype), rng.standard_normal((inputs, units)).astype(dtype)
    wide, dw = apart(inputs, units, dtype, rng)
    around = wide.copy()
    db = np.empty(units, dtype)
    module.dense_backward(None, dw, db, dy, x, w, False)
    expected = x.T.astype(float) @ dy.astype(float)
    np.testing.assert_allclose(dw, expected, rtol=1e-5 if dtype == "float32" else 1e-12, atol=2e-5)
    np.testing.assert_allclose(db, dy.sum(axis=0, dtype=float), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(wide[:, :3], around[:, :3])
    np.testing.assert_array_equal(wide[:, -5:], around[:, -5:])


def norm_operands(rows, columns, dtype, rng):
    """Return dy, x, gamma, beta, mean, rstd and a mask."""
    x, dy = rng.standard_normal((2, rows, columns)).astype(dtype)
    gamma, beta = rng.standard_normal((2, columns)).astype(dtype)
    mask = rng.random((rows, columns)) < 0.6
    return dy, x, gamma, beta, x.mean(axis=0, dtype=float), 1.0 / (x.std(axis=0, dtype=float) + 0.1), mask


@pytest.mark.parametrize(("module", "level"), BACKENDS)
@pytest.mark.parametrize("threads", [1, 5])
@pytest.mark.parametrize("sizes", [*SIZES, (600, 40)])
@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_gradient_of_batch_normalisation(module, level, threads, sizes, activation, dtype):
    """To the bit what a contiguous array receives."""
    set_up(module, level, threads)
    rng = np.random.default_rng(3)
    operands = norm_operands(*sizes, dtype, rng)
    wide, dx = apart(*sizes, dtype, rng, left=16)
    around, expected = wide.copy(), np.empty(sizes, dtype)
    module.batch_norm_backward(expected, None, None, *operands, activation, 0.4)
    module.batch_norm_backward(dx, None, None, *operands, activation, 0.4)
    np.testing.assert_array_equal(dx, expected)
    np.testing.assert_array_equal(wide[:, :16], around[:, :16])
    np.testing.assert_array_equal(wide[:, -5:], around[:, -5:])


@pytest.mark.parametrize("module", [native, reference])
def test_gradient_of_batch_normalisation_is_in_place_or_apart(module):
    operands = norm_operands(4, 6, "float64", np.random.default_rng(4))
    wide = np.zeros((4, 12))
    for dy in (wide.reshape(-1)[:24].reshape(4, 6), wide[1:3].reshape(4, 6)):
        with pytest.raises(ValueError, match="dx must not overlap dy"):
            module.batch_norm_backward(wide[:, :6], None, None, dy, *operands[1:], "linear", 0.0)
    with pytest.raises(ValueError, match=r"dx must be a float64 array of shape .* whose rows are consecutive"):
        module.batch_norm_backward(wide[:, ::2], None, None, *operands, "linear", 0.0)
    planes = [np.ones((4, 3, 2)) for _ in range(3)]
    statistics = [None, None, np.zeros(3), np.ones(3), None]
    with pytest.raises(ValueError, match="dx must be a C-contiguous float64 array"):
        module.batch_norm_backward(np.ones((4, 3, 4))[..., :2], None, None, *planes[:2], *statistics, "linear", 0.0)


@pytest.mark.parametrize("module", [native, reference])
def test_rows_must_be_apart_and_consecutive(module):
    x = np.ones((4, 6))
    whose = r"y must be a float64 array of shape \(4, 6\) whose rows are consecutive, aligned and apart, "
    for y, strides in (
        (np.ones((6, 4)).T, r"\(8, 32\)"),
        (np.ones((4, 12))[:, ::2], r"\(96, 16\)"),
        (np.ones((4, 6))[::-1], r"\(-48, 8\)"),
        (np.lib.stride_tricks.as_strided(np.ones(20), (4, 6), (16, 8)), r"\(16, 8\)"),
    ):
        before = y.copy()
        with pytest.raises(ValueError, match=whose + rf"got float64 of shape \(4, 6\) with strides {strides}"):
            module.accumulate(y, x, 1.0, 1.0)
        np.testing.assert_array_equal(y, before)
    frozen = np.ones((4, 8))[:, :6]
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="y must be writeable, got a read-only array"):
        module.accumulate(frozen, x, 1.0, 1.0)
    wide = np.ones((4, 12))
    with pytest.raises(ValueError, match="y must not overlap x"):
        module.accumulate(wide[:, :6], wide[:, 3:9], 1.0, 1.0)


@pytest.mark.parametrize("module", [native, reference])
@pytest.mark.parametrize(
    ("width", "first", "message"),
    [
        (128, 64, "width must be a multiple of 64 of at least 192, got 128"),
        (200, 64, "width must be a multiple of 64 of at least 192, got 200"),
        (256, 32, "first must be a multiple of 64 of at least 0, got 32"),
        (256, -64, "first must be a multiple of 64 of at least 0, got -64"),
    ],
)
def test_columns_of_a_mask_begin_with_a_group_of_decisions(module, width, first, message):
    mask = np.zeros((3, 128), bool)
    with pytest.raises(ValueError, match=message):
        module.dropout_mask_columns(mask, 0.5, 1, 2, 3, width, first)
    with pytest.raises(ValueError, match="mask must have a multiple of 64 columns, got 70"):
        module.dropout_mask_columns(np.zeros((3, 70), bool), 0.5, 1, 2, 3, 256, 64)
    assert not mask.any()
