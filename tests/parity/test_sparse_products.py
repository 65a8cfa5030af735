"""Products that pass over the zeros of their left operand: the same bits as those that multiply them."""

import numpy as np
import pytest

import flyball._core as native
from parity.harness import LEVELS, THREADS, behind_a_line
from parity.test_dense_strides import assert_product, before_a_forbidden_page

# Rows, columns and inner dimension, about a panel's columns and depth at each level and the rows of a block, and large
# enough for zeros to be looked for.
SIZES = [
    (256, 64, 96), (257, 65, 97), (255, 63, 95), (600, 33, 47), (32, 300, 193), (33, 257, 192), (130, 128, 48),
    (97, 127, 49), (64, 32, 700), (513, 32, 32), (70, 383, 255), (66, 128, 64), (67, 129, 65), (257, 127, 63),
    (64, 256, 128),
]  # fmt: skip
# Fewer rows are not looked at for zeros, and a product's bits do not depend on how its rows are shared out.
DENSE_ROWS = 31


def product(a, b, bias=None, activation="linear"):
    c = np.full((a.shape[0], b.shape[1]), np.nan, a.dtype)
    native.matmul(c, a, b, bias, False, False, activation, 0.0)
    return c


def dense_product(a, b, bias=None, activation="linear"):
    parts = [product(a[i : i + DENSE_ROWS], b, bias, activation) for i in range(0, a.shape[0], DENSE_ROWS)]
    return np.concatenate(parts)


def thinned(rng, shape, density, dtype):
    return (rng.standard_normal(shape) * (rng.random(shape) < density)).astype(dtype)


def with_few_rows_full(rng, shape, density, dtype):
    """Return an array with full, thin and empty rows and columns, which a sample of it need not show."""
    a = thinned(rng, shape, density, dtype)
    a[:: 1 + shape[0] // 3] = 1.5
    a[1 :: 1 + shape[0] // 3] = 0
    a[:, 5] = -0.0
    return a


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("density", [0.0, 0.01, 0.25, 0.5])
def test_same_bits_as_with_the_zeros(sizes, density, dtype):
    m, n, k = sizes
    rng = np.random.default_rng(0)
    a = with_few_rows_full(rng, (m, k), density, dtype)
    b, bias = rng.standard_normal((k, n)).astype(dtype), rng.standard_normal(n).astype(dtype)
    want = np.einsum("ik,kj->ij", a.astype("f8"), b.astype("f8"))
    for level in LEVELS:
        native.set_level(level)
        native.set_num_threads(1)
        dense = dense_product(a, b), dense_product(a, b, bias, "relu"), dense_product(a, b, bias, "silu")
        assert_product(dense[0], want, k, dtype)
        for threads in THREADS:
            native.set_num_threads(threads)
            for left in (a, np.asfortranarray(a), np.repeat(a, 2, axis=0)[::2]):
                for right in (b, np.asfortranarray(b), np.repeat(b, 2, axis=1)[:, ::2]):
                    np.testing.assert_array_equal(product(left, right), dense[0], err_msg=f"{level}, {threads}")
            np.testing.assert_array_equal(product(a, b, bias, "relu"), dense[1])
            np.testing.assert_array_equal(product(a, b, bias, "silu"), dense[2])


def test_weight_gradients_of_thin_inputs(dtype):
    rng = np.random.default_rng(1)
    x, dy = thinned(rng, (129, 257), 0.25, dtype), rng.standard_normal((129, 70)).astype(dtype)
    w = rng.standard_normal((257, 70)).astype(dtype)
    for level in LEVELS:
        native.set_level(level)
        for threads in THREADS:
            native.set_num_threads(threads)
            dx, dw, db = np.empty_like(x), np.empty_like(w), np.empty(70, dtype)
            native.dense_backward(dx, dw, db, dy, x, w, False)
            assert_product(dw, np.einsum("nk,nc->kc", x.astype("f8"), dy.astype("f8")), 129, dtype)
            np.testing.assert_array_equal(dw, dense_product(np.ascontiguousarray(x.T), dy))
            assert_product(dx, np.einsum("nc,kc->nk", dy.astype("f8"), w.astype("f8")), 70, dtype)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_zero_times_what_is_not_finite_is_nan(value, dtype):
    m, n, k = 100, 130, 200
    rng = np.random.default_rng(2)
    a, b = thinned(rng, (m, k), 0.2, dtype), rng.standard_normal((k, n)).astype(dtype)
    a[:, 150] = 0
    b[150, 7] = b[150, n - 1] = value
    for level in LEVELS:
        native.set_level(level)
        for left in (a, np.asfortranarray(a)):
            c = product(left, b)
            assert np.isnan(c[:, [7, n - 1]]).all()
            np.testing.assert_array_equal(c, dense_product(a, b))


def test_a_nan_is_found_where_a_panel_is_one_vector(dtype):
    m, n, k = 128, 72, 97  # the last block of k is one row deep, the last panel of float32 a vector wide with AVX2
    rng = np.random.default_rng(4)
    a, b = thinned(rng, (m, k), 0.2, dtype), rng.standard_normal((k, n)).astype(dtype)
    a[:, k - 1] = 0
    b[k - 1, 66] = np.nan
    for level in LEVELS:
        native.set_level(level)
        assert np.isnan(product(a, b)[:, 66]).all()


# Rows, columns and what lies between a row and the next: panels that are read where they lie, some of them with rows as
# dense in the first-level cache as they may be or denser, and panels that are not whole.
PANELS = [(64, 64, 128), (65, 64, 128), (64, 128, 64), (128, 64, 64), (129, 192, 192), (33, 160, 176), (40, 256, 1024)]


@pytest.mark.parametrize("panel", PANELS)
@pytest.mark.parametrize("value", [1.0, np.nan, np.inf])
def test_panels_that_begin_at_a_line_and_behind_one_have_the_same_bits(panel, value, dtype):
    k, n, stride = panel
    rng = np.random.default_rng(6)
    a, b = thinned(rng, (200, k), 0.2, dtype), rng.standard_normal((k, n)).astype(dtype)
    a[:, k - 1] = 0
    b[k - 1, [0, n - 1]] = value
    for level in LEVELS:
        native.set_level(level)
        expected = dense_product(a, b)
        assert np.isfinite(expected[:, [0, n - 1]]).all() == np.isfinite(value)
        for offset in (0, 1, 4):
            np.testing.assert_array_equal(product(a, behind_a_line(b, offset, stride)), expected, err_msg=level)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_no_zero(value, dtype):
    m, n, k = 100, 130, 200
    rng = np.random.default_rng(3)
    a, b = thinned(rng, (m, k), 0.2, dtype), rng.standard_normal((k, n)).astype(dtype)
    a[40, 199] = value
    for level in LEVELS:
        native.set_level(level)
        for left in (a, np.asfortranarray(a)):
            c = product(left, b)
            assert not np.isfinite(c[40]).any()
            assert np.isfinite(c[39]).all()
            np.testing.assert_array_equal(c, dense_product(a, b))


@pytest.mark.parametrize(("density", "taken"), [(0.0, True), (0.5, True), (0.55, True), (0.65, False), (1.0, False)])
@pytest.mark.parametrize("transposed", [False, True])
def test_zeros_are_passed_over_where_they_are_many(density, taken, transposed, dtype):
    """A sum that underflowed to -0 shows it: adding a zero's product makes it +0. It takes a fused multiply-add."""
    m, n, k = 128, 64, 128
    tiny = np.finfo(dtype).tiny
    rng = np.random.default_rng(4)
    a, b = thinned(rng, (m, k), density, dtype), np.full((k, n), 1, dtype)
    a[7], a[7, 0], b[0] = 0, tiny, -tiny
    for level in set(LEVELS) - {"v2"}:
        native.set_level(level)
        for threads in THREADS:
            native.set_num_threads(threads)
            c = product(np.asfortranarray(a) if transposed else a, b)
            assert (c[7] == 0).all()
            assert np.signbit(c[7]).all() == taken, (level, threads)
            assert np.signbit(c[7]).any() == taken, (level, threads)


def test_nothing_is_read_beyond_the_operands(dtype):
    rng = np.random.default_rng(5)
    pages = []
    for level in LEVELS:
        native.set_level(level)
        for m, n, k in [(70, 67, 131), (33, 129, 130), (257, 35, 97)]:
            for transpose_a in (False, True):
                a = thinned(rng, (k, m) if transpose_a else (m, k), 0.25, dtype)
                b, bias = rng.standard_normal((k, n)).astype(dtype), rng.standard_normal(n).astype(dtype)
                c, left, right, shift = (
                    before_a_forbidden_page(pages, array) for array in (np.zeros((m, n), dtype), a, b, bias)
                )
                native.matmul(c, left, right, shift, transpose_a, False, "linear", 0.0)
                assert_product(c, (a.T if transpose_a else a).astype("f8") @ b.astype("f8") + bias, k, dtype)
