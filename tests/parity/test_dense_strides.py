"""Matrix products of operands of any strides, at any size, next to pages that may not be read."""

import ctypes
import itertools
import mmap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flyball._core as native
from flyball import functional as F
from flyball import reference
from parity.harness import BACKENDS, LEVELS, THREADS
from parity.tolerances import LONG

# Element steps of rows and columns (0 repeats), whether columns come first in memory, and padding between lines.
LAYOUTS = st.tuples(
    st.sampled_from([1, 2, -1, -3, 0]), st.sampled_from([1, 2, -1, 0]), st.booleans(), st.integers(0, 3)
)
# About a lane, a tile and a block of depth.
SIZES = st.one_of(st.integers(1, 40), st.sampled_from([64, 97, 131, 257]))


def laid_out(rng, dtype, rows, columns, layout):
    """Return random numbers of the shape (rows, columns) in a memory layout."""
    row_step, column_step, columns_first, padding = layout
    extents = [max(rows, 1) * max(abs(row_step), 1), max(columns, 1) * max(abs(column_step), 1)]
    if columns_first:
        memory = rng.standard_normal((extents[1], extents[0] + padding)).astype(dtype)[:, : extents[0]].T
    else:
        memory = rng.standard_normal((extents[0], extents[1] + padding)).astype(dtype)[:, : extents[1]]
    for axis, (step, extent) in enumerate(((row_step, rows), (column_step, columns))):
        index = [slice(None)] * 2
        index[axis] = slice(None, None, step) if step else slice(0, 1)
        memory = memory[tuple(index)]
        if not step:
            shape = list(memory.shape)
            shape[axis] = extent
            memory = np.broadcast_to(memory, shape)
    assert memory.shape == (rows, columns)
    return memory


def assert_product(got, want, inner, dtype):
    tolerance = LONG[dtype]
    np.testing.assert_allclose(got, want, rtol=tolerance.relative, atol=tolerance.absolute * max(inner, 4))


@settings(max_examples=60)
@given(m=SIZES, n=SIZES, k=SIZES, a_layout=LAYOUTS, b_layout=LAYOUTS, seed=st.integers(0, 9), data=st.data())
def test_any_strides(m, n, k, a_layout, b_layout, seed, data):
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    transpose_a, transpose_b = data.draw(st.tuples(st.booleans(), st.booleans()))
    rng = np.random.default_rng(seed)
    a = laid_out(rng, dtype, *((k, m) if transpose_a else (m, k)), a_layout)
    b = laid_out(rng, dtype, *((n, k) if transpose_b else (k, n)), b_layout)
    bias = rng.standard_normal(n).astype(dtype)
    op_a, op_b = a.T if transpose_a else a, b.T if transpose_b else b
    want = np.einsum("ik,kj->ij", op_a.astype("f8"), op_b.astype("f8")) + bias
    for level in LEVELS:
        native.set_level(level)
        plain = np.empty((m, n), dtype)
        native.matmul(plain, np.ascontiguousarray(op_a), np.ascontiguousarray(op_b), bias, False, False, "linear", 0.0)
        assert_product(plain, want, k, dtype)
        for threads in THREADS:
            native.set_num_threads(threads)
            c = np.empty((m, n), dtype)
            native.matmul(c, a, b, bias, transpose_a, transpose_b, "linear", 0.0)
            np.testing.assert_array_equal(c, plain, err_msg=f"{level} {threads} threads: bits depend on the layout")
    c = np.empty((m, n), dtype)
    reference.matmul(c, a, b, bias, transpose_a, transpose_b, "linear", 0.0)
    assert_product(c, want, k, dtype)


@settings(max_examples=40)
@given(n=SIZES, k=st.integers(1, 40), c=SIZES, layouts=st.tuples(LAYOUTS, LAYOUTS, LAYOUTS), seed=st.integers(0, 9))
@pytest.mark.parametrize("backend", BACKENDS)
def test_dense_takes_any_strides(backend, n, k, c, layouts, seed):
    rng = np.random.default_rng(seed)
    shapes = ((n, k), (k, c), (n, c))
    x, w, dy = (laid_out(rng, "float64", *s, layout) for s, layout in zip(shapes, layouts, strict=True))
    y, dx, dw, db = (np.full(s, np.nan) for s in ((n, c), (n, k), (k, c), (c,)))
    BACKENDS[backend].dense_forward(y, x, w, None, None, "relu", 0.0)
    assert_product(y, np.maximum(np.einsum("nk,kc->nc", x, w), 0), k, "float64")
    BACKENDS[backend].dense_backward(dx, dw, db, dy, x, w, False)
    assert_product(dx, np.einsum("nc,kc->nk", dy, w), c, "float64")
    assert_product(dw, np.einsum("nk,nc->kc", x, dy), n, "float64")
    assert_product(db, dy.sum(axis=0), n, "float64")
    gate = np.where(rng.random((n, k)) < 0.5, 0.0, x)
    BACKENDS[backend].dense_backward(dx, None, None, dy, gate, w, True)
    assert_product(dx, np.where(gate == 0, 0, np.einsum("nc,kc->nk", dy, w)), c, "float64")


# Operands beyond the caches that panels of B are packed ahead for, and within them.
CACHES = (256 * 1024, 64 * 1024 * 1024)


# Rows, columns and depths in blocks, each in turn and together; (35, 340, 700) has just tiles enough to pack ahead and
# a last group of one panel, (600, 50, 700) only one group.
@pytest.mark.parametrize(
    "sizes",
    [
        (1100, 600, 40),
        (300, 1100, 300),
        (500, 10, 700),
        (700, 31, 3),
        (3, 300, 600),
        (11761, 150, 3),
        (350, 301, 700),
        (35, 340, 700),
        (600, 50, 700),
        (64, 512, 784),
    ],
)
def test_several_blocks(sizes, dtype):
    m, n, k = sizes
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
    bias = np.linspace(-90, 90, n).astype(dtype)
    want = a.astype("f8") @ b.astype("f8") + bias.astype("f8")
    bits = {}
    for level in LEVELS:
        native.set_level(level)
        for threads, cache in zip(THREADS, itertools.cycle(CACHES), strict=False):
            native.set_num_threads(threads)
            native.set_second_level_bytes(cache)
            for left in (a, np.asfortranarray(a), np.repeat(a, 2, axis=1)[:, ::2]):
                for right in (b, np.asfortranarray(b)):
                    c = np.empty((m, n), dtype)
                    native.matmul(c, left, right, bias, False, False, "linear", 0.0)
                    assert_product(c, want, k, dtype)
                    assert bits.setdefault(level, c.tobytes()) == c.tobytes()


def test_panels_packed_ahead_may_be_one_row_or_run_backwards(dtype):
    m, n, k = 40, 300, 900
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
    native.set_second_level_bytes(CACHES[0])
    for level in LEVELS:
        native.set_level(level)
        for right in (np.broadcast_to(b[:1], (k, n)), b[::-1], b[:, ::-1], np.asfortranarray(b)[::-1]):
            c = np.empty((m, n), dtype)
            native.matmul(c, a, right, None, False, False, "linear", 0.0)
            assert_product(c, a.astype("f8") @ right.astype("f8"), k, dtype)


def before_a_forbidden_page(pages, array):
    """Return a copy of ``array`` that ends where memory ends that may be read."""
    need = -(-array.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, need + mmap.PAGESIZE)
    pages.append(memory)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mprotect(ctypes.c_void_p(address + need), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    view = np.frombuffer(memory, array.dtype, array.size, need - array.nbytes).reshape(array.shape)
    view[...] = array
    return view


@pytest.mark.skipif(not hasattr(mmap, "PROT_READ"), reason="needs mprotect")
@pytest.mark.parametrize(
    "sizes",
    [(1, 1, 1), (5, 3, 2), (13, 17, 9), (30, 33, 31), (12, 10, 40), (70, 10, 33), (64, 70, 5), (35, 340, 700)],
)
def test_nothing_is_read_beyond_the_operands(sizes, dtype):
    m, n, k = sizes
    rng = np.random.default_rng(0)
    pages = []
    for level, cache in itertools.product(LEVELS, CACHES):
        native.set_level(level)
        native.set_second_level_bytes(cache)
        for transpose_a in (False, True):
            for transpose_b in (False, True):
                a = rng.standard_normal((k, m) if transpose_a else (m, k)).astype(dtype)
                b = rng.standard_normal((n, k) if transpose_b else (k, n)).astype(dtype)
                c, left, right, bias = (
                    before_a_forbidden_page(pages, array)
                    for array in (np.zeros((m, n), dtype), a, b, b.ravel()[:1].repeat(n))
                )
                native.matmul(c, left, right, bias, transpose_a, transpose_b, "linear", 0.0)
                want = (a.T if transpose_a else a).astype("f8") @ (b.T if transpose_b else b).astype("f8") + bias
                assert_product(c, want, k, dtype)


@pytest.mark.parametrize("shape", [(9, 21, 33), (40, 10, 20), (2, 70, 5)])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_go_where_numpy_lets_them_go(shape, value, dtype):
    m, n, k = shape
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
    a[m // 2, k // 3] = value
    b[k // 3, n - 1] = 0.0
    b[k - 1, 0] = value
    with np.errstate(invalid="ignore"):
        want = np.einsum("ik,kj->ij", a, b)
    for level in LEVELS:
        native.set_level(level)
        for left in (a, np.asfortranarray(a)):
            c = np.empty((m, n), dtype)
            native.matmul(c, left, b, None, False, False, "linear", 0.0)
            np.testing.assert_array_equal(np.isnan(c), np.isnan(want))
            np.testing.assert_array_equal(c[np.isinf(want)], want[np.isinf(want)])
            np.testing.assert_array_equal(np.isinf(c), np.isinf(want))


@pytest.mark.usefixtures("each_backend")
def test_the_functional_face_takes_any_layout(dtype):
    rng = np.random.default_rng(2)
    x, w = rng.standard_normal((4, 6, 5)).astype(dtype), rng.standard_normal((5, 3)).astype(dtype)
    want = x @ w
    unaligned = np.empty(x.nbytes + 1, np.uint8)[1:].view(dtype).reshape(x.shape)
    unaligned[...] = x
    read_only = x.copy()
    read_only.flags.writeable = False
    layouts = (
        x, np.asfortranarray(x), np.repeat(x, 2, axis=2)[..., ::2], x[:, ::-1][:, ::-1], unaligned, read_only,
        x.astype(x.dtype.newbyteorder(">")), np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, 0)), 0, 1),
    )  # fmt: skip
    for odd in layouts:
        y = F.dense_forward(odd, np.asfortranarray(w))
        assert y.flags.carray
        np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-5)
        gradients = F.dense_backward(want[::-1], odd[::-1], w[:, ::-1][:, ::-1])
        np.testing.assert_allclose(gradients.dx, want[::-1] @ w.T, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(gradients.dw, np.einsum("abk,abc->kc", x, want), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(gradients.db, want.sum((0, 1)), rtol=1e-4, atol=1e-4)
