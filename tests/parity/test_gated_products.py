"""Gradients of a layer's input that are asked for only where the ReLU before it is open."""

import numpy as np
import pytest

import flyball._core as native
from parity.harness import LEVELS, THREADS, behind_a_line
from parity.test_dense_strides import assert_product, before_a_forbidden_page

# Rows, inputs and units: about the rows of a block, the rows of a panel and the depth of its parts at each dtype, and
# large enough for zeros to be looked for.
SIZES = [
    (128, 64, 128), (129, 65, 129), (127, 63, 127), (300, 130, 64), (32, 200, 257), (257, 33, 191), (64, 129, 65),
    (40, 129, 300), (600, 32, 33), (90, 193, 40), (61, 70, 256),
    (70, 66, 512), (40, 64, 768),
]  # fmt: skip


def gradient(dy, x, w, gated=True):
    dx = np.full(x.shape, np.nan, x.dtype)
    native.dense_backward(dx, None, None, dy, x, w, gated)
    return dx


def operands(rng, sizes, density, dtype):
    n, k, c = sizes
    x = np.where(rng.random((n, k)) < density, rng.standard_normal((n, k)), 0).astype(dtype)
    return rng.standard_normal((n, c)).astype(dtype), x, rng.standard_normal((k, c)).astype(dtype)


def product(dy, w):
    return np.einsum("nc,kc->nk", dy.astype("f8"), w.astype("f8"))


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("density", [0.0, 0.02, 0.25, 0.5])
def test_open_elements_are_the_product_and_the_others_zero(sizes, density, dtype):
    dy, x, w = operands(np.random.default_rng(0), sizes, density, dtype)
    # Rows that are full, empty, and of one element: a sample of x need not show them.
    x[:: 1 + len(x) // 3] = 1.5
    x[1 :: 1 + len(x) // 3] = 0
    x[2], x[2, -1], x[:, 5] = 0, -1, -0.0
    want = np.where(x == 0, 0, product(dy, w))
    for level in LEVELS:
        native.set_level(level)
        bits = []
        for threads in THREADS:
            native.set_num_threads(threads)
            bits.append(gradient(dy, x, w))
            assert_product(bits[-1], want, sizes[2], dtype)
            assert not np.signbit(bits[-1][x == 0]).any()
            np.testing.assert_array_equal(bits[-1], bits[0], err_msg=f"{level}, {threads} threads")
            # A weight gradient beside it, which the same zeros thin.
            dx, dw = np.empty_like(x), np.empty_like(w)
            native.dense_backward(dx, dw, None, dy, x, w, True)
            np.testing.assert_array_equal(dx, bits[0])
            assert_product(dw, np.einsum("nk,nc->kc", x.astype("f8"), dy.astype("f8")), sizes[0], dtype)


@pytest.mark.parametrize(("density", "taken"), [(0.0, True), (0.25, True), (0.4, True), (0.7, False), (1.0, False)])
def test_elements_are_left_out_where_few_are_asked_for(density, taken, dtype):
    """Ones that vanish beside the first term, but not beside each other, show it: the sum has several chains then."""
    n, k, c = 96, 128, 256
    rng = np.random.default_rng(1)
    _, x, w = operands(rng, (n, k, c), density, dtype)
    x[3, 7] = 1
    dy, w[...] = np.ones((n, c), dtype), 1
    dy[:, 0] = large = 2 ** (24 if dtype == "float32" else 53)
    for level in LEVELS:
        native.set_level(level)
        for threads in THREADS:
            native.set_num_threads(threads)
            one_chain = gradient(dy, x, w, gated=False)[3, 7]
            assert one_chain == large
            assert (gradient(dy, x, w)[3, 7] > large) == taken, (level, threads)


@pytest.mark.parametrize("sizes", [(128, 64, 128), (40, 130, 256), (129, 65, 64), (64, 40, 288), (70, 64, 96)])
def test_weights_that_begin_at_a_line_and_behind_one_give_the_same_bits(sizes, dtype):
    """The former are read where they lie if a row is some whole steps of the sums."""
    dy, x, w = operands(np.random.default_rng(6), sizes, 0.25, dtype)
    want = np.where(x == 0, 0, product(dy, w))
    for level in LEVELS:
        native.set_level(level)
        bits = [gradient(dy, x, behind_a_line(w, offset)) for offset in (1, 0, 4)]
        assert_product(bits[0], want, sizes[2], dtype)
        np.testing.assert_array_equal(bits[1], bits[0], err_msg=level)
        np.testing.assert_array_equal(bits[2], bits[0], err_msg=level)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_reaches_open_elements_only(value, dtype):
    rng = np.random.default_rng(2)
    dy, x, w = operands(rng, (100, 130, 200), 0.2, dtype)
    dy[40, 150], w[7, 199], x[50, 60] = value, value, value
    for level in LEVELS:
        native.set_level(level)
        dx = gradient(dy, x, w)
        assert (dx[x == 0] == 0).all()
        hit = np.zeros(x.shape, bool)
        hit[40] = hit[:, 7] = True
        np.testing.assert_array_equal(np.isfinite(dx), ~(hit & (x != 0)))
        assert_product(dx[50:51, 60:61], product(dy[50:51], w[60:61]), 200, dtype)


def test_nothing_is_touched_beyond_the_operands(dtype):
    rng = np.random.default_rng(3)
    pages = []
    for level in LEVELS:
        native.set_level(level)
        for sizes in [(70, 67, 131), (129, 65, 66), (257, 35, 97)]:
            dy, x, w = (before_a_forbidden_page(pages, array) for array in operands(rng, sizes, 0.25, dtype))
            dx = before_a_forbidden_page(pages, np.full(x.shape, np.nan, dtype))
            native.dense_backward(dx, None, None, dy, x, w, True)
            assert_product(dx, np.where(x == 0, 0, product(dy, w)), sizes[2], dtype)


def test_the_gate_may_have_any_strides(dtype):
    dy, x, w = operands(np.random.default_rng(5), (70, 40, 50), 0.5, dtype)
    expected = np.where(x == 0, 0, product(dy, w))
    layouts = (
        np.asfortranarray(x),
        np.repeat(x, 3, axis=1)[:, ::3],
        np.flip(np.flip(x).copy()),
        np.repeat(x, 2, axis=0)[::2],
    )
    for gate in layouts:
        np.testing.assert_array_equal(gate, x)
        assert_product(gradient(dy, gate, w), expected, 50, dtype)
