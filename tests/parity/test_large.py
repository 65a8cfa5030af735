"""Arrays of 2**20 + 3 elements: the results of the reference, and the same bits with several threads."""

import numpy as np
import pytest

import flyball._core as native
from flyball import reference
from parity.cases import OPERATIONS, Make, dense
from parity.harness import LEVELS, assert_close, assert_same_bits, run

ROWS, COLUMNS = 149_797, 7
assert ROWS * COLUMNS == 2**20 + 3
# Images and what is drawn for them have a size of their own in the cases; the others are of columns, or of one number.
OF_OTHER_SIZES = {
    *("affine_transform", "affine_matrices", "adjust_pixels", "adjust_tones", "cut_boxes", "paste_boxes"),
    *("mix_weights", "partner_rows", "batch_norm_statistics", "clip_scale"),
}
NAMES = [
    name
    for name, operation in OPERATIONS.items()
    if operation.oracle.__module__ != dense.__name__ and name not in OF_OTHER_SIZES  # products have tests of their own
]
# Of these, not the variants that others are tested with: groups of three rows, and every row by every other.
VARIANTS = {
    "ghost_batch_norm_forward": {"group": 1000},
    "ghost_batch_norm_backward": {"group": 1000},
    "orthogonal_penalty": {"of_columns": True},
}
# In double, sums of so many terms, which the two take in another order, differ by more than sums of a few hundred, for
# which each operation has a tolerance of its own.
LEAST = 1e-11


def first_that_writes(name, dtype):
    """Return the arguments of the first variant that changes an array, and the arrays after it on the reference."""
    operation = OPERATIONS[name]
    for variant in [VARIANTS[name]] if name in VARIANTS else operation.variants:
        arguments = operation.arguments(Make(dtype, 1), ROWS, COLUMNS, **variant)
        results = run(reference, name, arguments)
        want = {key: value for key, value in results.items() if isinstance(value, np.ndarray)}
        if any(not np.array_equal(value, arguments[key]) for key, value in want.items()):
            return arguments, want
    raise AssertionError(name)


@pytest.mark.parametrize("name", NAMES)
def test_large_arrays(name, dtype):
    arguments, want = first_that_writes(name, dtype)
    assert max(value.size for value in arguments.values() if isinstance(value, np.ndarray)) >= ROWS, name
    for level in LEVELS:
        native.set_level(level)
        native.set_num_threads(1)
        first = run(native, name, arguments)
        assert_close(name, dtype, want, {}, first, level, LEAST)
        native.set_num_threads(3)
        assert_same_bits(first, run(native, name, arguments), level)


def assert_sums(got, want, terms, dtype):
    """Sums of so many products of normal numbers; less than one term may be missing."""
    np.testing.assert_allclose(got, want, rtol=0, atol=float(np.finfo(dtype).eps) * max(terms, 32))


# Rows, columns and inner dimension: each of the three operands is large in some.
PRODUCTS = [(ROWS, 5, COLUMNS), (5, ROWS, COLUMNS), (5, COLUMNS, ROWS), (1, 3, ROWS * COLUMNS), (ROWS * COLUMNS, 2, 3)]


@pytest.mark.parametrize("shape", PRODUCTS)
@pytest.mark.parametrize("thin", [False, True])
def test_large_products(shape, thin, dtype):
    m, n, k = shape
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
    if thin:
        a[rng.random(a.shape) < 0.75] = 0
    want = a.astype(np.float64) @ b.astype(np.float64)
    for level in LEVELS:
        native.set_level(level)
        for left, right in ((a, b), (np.asfortranarray(a), np.asfortranarray(b))):
            products = []
            for threads in (1, 3):
                native.set_num_threads(threads)
                c = np.full((m, n), np.nan, dtype)
                native.matmul(c, left, right, None, False, False, "linear", 0.0)
                products.append(c)
            assert_sums(products[0], want, k, dtype)
            np.testing.assert_array_equal(products[1], products[0], err_msg=level)


@pytest.mark.parametrize("gated", [False, True])
def test_gradients_of_a_large_batch(gated, dtype):
    rng = np.random.default_rng(3)
    dy, w = rng.standard_normal((ROWS, 5)).astype(dtype), rng.standard_normal((COLUMNS, 5)).astype(dtype)
    x = np.maximum(rng.standard_normal((ROWS, COLUMNS)), 0).astype(dtype)
    wide_dy, wide_x = dy.astype(np.float64), x.astype(np.float64)
    want_dx = wide_dy @ w.T.astype(np.float64)
    for level in LEVELS:
        native.set_level(level)
        found = []
        for threads in (1, 3):
            native.set_num_threads(threads)
            dx, dw, db = np.empty_like(x), np.empty_like(w), np.empty(5, dtype)
            native.dense_backward(dx, dw, db, dy, x, w, gated)
            found.append((dx, dw, db))
        dx, dw, db = found[0]
        assert_sums(dx, np.where(x == 0, 0, want_dx) if gated else want_dx, 5, dtype)
        assert_sums(dw, wide_x.T @ wide_dy, ROWS, dtype)
        assert_sums(db, wide_dy.sum(axis=0), ROWS, dtype)
        for one, several in zip(*found, strict=True):
            np.testing.assert_array_equal(one, several, err_msg=level)
