"""Softmax and the losses of the native backend against float64 formulas and finite differences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from flyball import _core, reference
from flyball.backend import LOSSES

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

pytestmark = pytest.mark.usefixtures("each_level")
DTYPES = [np.float32, np.float64]
# One element to several vectors, around every vector's width, and primes.
CLASSES = [1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33, 101]
# A difference of 100 between logits is rounded to half a unit in its last place, which exp makes a relative error.
RELATIVE = {np.float32: 5e-6, np.float64: 1e-13}
THREADS = [1, 2, 3]


def softmax(x: NDArray[Any]) -> NDArray[np.float64]:
    """Softmax of the rows in float64."""
    e = np.exp(x.astype(np.float64) - x.max(axis=1, keepdims=True).astype(np.float64))
    result: NDArray[np.float64] = e / e.sum(axis=1, keepdims=True)
    return result


def logsumexp(x: NDArray[Any]) -> NDArray[np.float64]:
    """Log of the sum of exponentials of the rows in float64."""
    largest = x.max(axis=1).astype(np.float64)
    result: NDArray[np.float64] = largest + np.log(np.exp(x.astype(np.float64) - largest[:, None]).sum(axis=1))
    return result


def logits_of(n: int, c: int, dtype: Any, spread: float = 3.0) -> NDArray[Any]:
    """Random logits."""
    return (np.random.default_rng(n * 1000 + c).normal(size=(n, c)) * spread).astype(dtype)


def guarded(shape: tuple[int, ...], dtype: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return an output array and the buffer of sevens around it."""
    size = int(np.prod(shape))
    buffer = np.full(size + 64, 7, dtype)
    return buffer[32 : 32 + size].reshape(shape), buffer


def assert_guards(buffer: NDArray[Any]) -> None:
    """Nothing was written outside the output."""
    assert (buffer[:32] == 7).all()
    assert (buffer[-32:] == 7).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("c", CLASSES)
def test_softmax(c: int, dtype: Any) -> None:
    x = logits_of(5, c, dtype, 20.0)
    y, buffer = guarded((5, c), dtype)
    _core.softmax_forward(y, x)
    assert_guards(buffer)
    subnormal = float(np.finfo(dtype).smallest_subnormal)
    np.testing.assert_allclose(y, softmax(x), rtol=RELATIVE[dtype], atol=2 * subnormal)
    dy = logits_of(5, c, dtype, 1.0)
    dx, buffer = guarded((5, c), dtype)
    _core.softmax_backward(dx, dy, y)
    assert_guards(buffer)
    wide_y, wide_dy = y.astype(np.float64), dy.astype(np.float64)
    expected = wide_y * (wide_dy - (wide_dy * wide_y).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(dx, expected, rtol=0, atol=4 * np.finfo(dtype).eps)
    in_place = x.copy()
    _core.softmax_forward(in_place, in_place)
    np.testing.assert_array_equal(in_place, y)
    in_place = dy.copy()
    _core.softmax_backward(in_place, in_place, y)
    np.testing.assert_array_equal(in_place, dx)


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_at_the_ends_of_the_range(dtype: Any) -> None:
    largest = np.finfo(dtype).max
    smallest_log = -87.0 if dtype is np.float32 else -708.0
    x = np.array([[largest, -largest, 0], [0, -np.inf, smallest_log], [0, 0, smallest_log - 15], [1, np.nan, 2]], dtype)
    y = np.empty_like(x)
    _core.softmax_forward(y, x)
    np.testing.assert_array_equal(y[0], [1, 0, 0])
    np.testing.assert_allclose(y[1], [1, 0, np.exp(smallest_log)], rtol=RELATIVE[dtype], atol=0)
    tiny = np.finfo(dtype).smallest_subnormal
    np.testing.assert_allclose(y[2], [0.5, 0.5, np.exp(smallest_log - 15) / 2], rtol=1e-6, atol=float(tiny))
    assert np.isnan(y[3]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_exponentials_are_within_two_units_in_the_last_place(dtype: Any) -> None:
    # The first column is the largest, so the second divided by it is exp(x).
    x = -np.concatenate([np.linspace(0, 80, 40001), np.geomspace(1e-9, 1, 1000)])
    logits = np.zeros((len(x), 2), dtype)
    logits[:, 1] = x
    losses = np.empty(len(x))
    gradient = np.empty_like(logits)
    _core.softmax_cross_entropy(losses, None, gradient, logits, np.zeros(len(x), np.int64), None, 0.0, 1.0)
    wide = logits[:, 1].astype(np.float64)
    expected = np.exp(wide) / (1 + np.exp(wide))
    np.testing.assert_allclose(gradient[:, 1], expected, rtol=3 * np.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("c", CLASSES)
def test_cross_entropy(c: int, dtype: Any) -> None:
    n = 11
    x = logits_of(n, c, dtype)
    labels = np.random.default_rng(c).integers(0, c, n)
    losses, losses_buffer = guarded((n,), np.float64)
    hits, hits_buffer = guarded((n,), np.float64)
    dx, buffer = guarded((n, c), dtype)
    _core.softmax_cross_entropy(losses, hits, dx, x, labels, None, 0.0, 1 / n)
    for each in (losses_buffer, hits_buffer, buffer):
        assert_guards(each)
    rows = np.arange(n)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(losses, logsumexp(x) - x[rows, labels], rtol=4 * eps, atol=4 * eps)
    np.testing.assert_array_equal(hits, x.argmax(axis=1) == labels)
    expected = (softmax(x) - np.eye(c)[labels]) / n
    np.testing.assert_allclose(dx, expected, rtol=RELATIVE[dtype], atol=2 * eps / n)

    alone = np.empty(n)
    _core.softmax_cross_entropy(alone, None, None, x, labels, None, 0.0, 1 / n)
    np.testing.assert_array_equal(alone, losses)
    in_place, hits_in_place = x.copy(), np.empty(n)
    _core.softmax_cross_entropy(alone, hits_in_place, in_place, in_place, labels, None, 0.0, 1 / n)
    np.testing.assert_array_equal(alone, losses)
    np.testing.assert_array_equal(hits_in_place, hits)
    np.testing.assert_array_equal(in_place, dx)

    one_hot = np.eye(c, dtype=dtype)[labels]
    soft_dx = np.empty_like(x)
    _core.softmax_cross_entropy_soft(alone, hits_in_place, soft_dx, x, one_hot, None, 1 / n)
    np.testing.assert_allclose(alone, losses, rtol=2 * eps, atol=0)
    np.testing.assert_array_equal(hits_in_place, hits)
    # e * factor - scale here, e * factor - t * scale there, where a compiler may fuse either product: a rounding apart.
    np.testing.assert_allclose(soft_dx, dx, rtol=2 * eps, atol=2 * eps / n)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("c", CLASSES)
def test_soft_cross_entropy(c: int, dtype: Any) -> None:
    n = 9
    x = logits_of(n, c, dtype)
    t = np.random.default_rng(c).random((n, c)).astype(dtype)
    losses, hits, dx = np.empty(n), np.empty(n), np.empty_like(x)
    _core.softmax_cross_entropy_soft(losses, hits, dx, x, t, None, 0.5)
    wide = t.astype(np.float64)
    expected = (wide * (logsumexp(x)[:, None] - x)).sum(axis=1)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(losses, expected, rtol=4 * eps, atol=c * eps)
    np.testing.assert_array_equal(hits, x.argmax(axis=1) == t.argmax(axis=1))
    gradient = (softmax(x) * wide.sum(axis=1, keepdims=True) - wide) * 0.5
    np.testing.assert_allclose(dx, gradient, rtol=RELATIVE[dtype], atol=4 * eps)
    in_place = x.copy()
    _core.softmax_cross_entropy_soft(losses, hits, in_place, in_place, t, None, 0.5)
    np.testing.assert_array_equal(in_place, dx)


@pytest.mark.parametrize("soft", [False, True])
def test_cross_entropy_gradient_is_the_finite_difference(soft: bool) -> None:
    n, c, step = 4, 6, 1e-6
    x = logits_of(n, c, np.float64)
    labels = np.arange(n)
    t = np.random.default_rng(0).random((n, c))

    def losses(x: NDArray[Any]) -> NDArray[Any]:
        values = np.empty(n)
        if soft:
            _core.softmax_cross_entropy_soft(values, None, None, x, t, None, 1.0)
        else:
            _core.softmax_cross_entropy(values, None, None, x, labels, None, 0.0, 1.0)
        return values

    dx = np.empty_like(x)
    values = np.empty(n)
    if soft:
        _core.softmax_cross_entropy_soft(values, None, dx, x, t, None, 1.0)
    else:
        _core.softmax_cross_entropy(values, None, dx, x, labels, None, 0.0, 1.0)
    for j in range(c):
        shift = np.zeros((n, c))
        shift[:, j] = step
        np.testing.assert_allclose((losses(x + shift) - losses(x - shift)) / (2 * step), dx[:, j], rtol=0, atol=1e-8)


@pytest.mark.parametrize("dtype", DTYPES)
def test_loss_of_a_sure_answer_keeps_its_digits(dtype: Any) -> None:
    x = np.array([[0, -20], [0, -30], [1e30, -1e30], [-1e30, 1e30]], dtype)
    losses = np.empty(4)
    _core.softmax_cross_entropy(losses, None, None, x, np.zeros(4, np.int64), None, 0.0, 1.0)
    expected = [np.log1p(np.exp(-20.0)), np.log1p(np.exp(-30.0)), 0.0, float(x[3, 1]) - float(x[3, 0])]
    np.testing.assert_allclose(losses, expected, rtol=3e-7, atol=3e-16)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("c", [3, 40])
def test_cross_entropy_of_rows_that_are_not_finite(c: int, dtype: Any) -> None:
    inf, nan = np.inf, np.nan
    x = np.full((5, c), -inf, dtype)
    x[:, :3] = [[1, nan, 0], [inf, 0, 0], [-inf, -inf, -inf], [-inf, 0, 0], [2, -inf, 1]]
    losses, hits, dx = np.empty(5), np.empty(5), np.empty_like(x)
    _core.softmax_cross_entropy(losses, hits, dx, x, np.zeros(5, np.int64), None, 0.0, 1.0)
    assert np.isnan(losses[:3]).all()
    assert np.isnan(dx[:3]).all()
    assert losses[3] == inf
    np.testing.assert_allclose(losses[4], np.log1p(np.exp(-1.0)), rtol=1e-7)
    np.testing.assert_array_equal(hits, [0, 0, 0, 0, 1])
    np.testing.assert_allclose(dx[3], [-1, 0.5, 0.5, *[0] * (c - 3)], rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("c", [3, 40])
def test_soft_targets_have_no_hit_where_a_row_is_not_finite(c: int, dtype: Any) -> None:
    x, targets = np.zeros((3, c), dtype), np.zeros((3, c), dtype)
    x[:, 0], targets[:, 0] = [2, 2, np.inf], 1
    x[1, c - 1] = np.nan
    losses, hits = np.empty(3), np.empty(3)
    _core.softmax_cross_entropy_soft(losses, hits, None, x, targets, None, 1.0)
    np.testing.assert_array_equal(hits, [1, 0, 0])
    np.testing.assert_array_equal(np.isnan(losses), [False, True, True])


@pytest.mark.parametrize("dtype", DTYPES)
def test_categorical_hinge_of_equal_and_of_unknown_scores(dtype: Any) -> None:
    """Of equal wrong scores the first has the gradient; a score that is nan makes the loss nan, not 0."""
    p = np.array([[0.5, 2, 2, 1], [9, 1, 1, 1], [9, 1, np.nan, 1], [np.nan, 1, 1, 1], [np.inf, 1, 1, 1]], dtype)
    t = np.tile(np.array([1, 0, 0, 0], dtype), (5, 1))
    losses, dp = np.empty(5), np.empty_like(p)
    _core.row_loss(losses, dp, p, t, None, "categorical_hinge", 0.0, 1.0, 1.0, 1.0)
    np.testing.assert_array_equal(losses, [2.5, 0, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(dp[:2], [[-1, 1, 0, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("c", [3, 40])
def test_a_hit_is_the_first_largest(c: int, dtype: Any) -> None:
    x = np.zeros((3, c), dtype)
    x[:, c - 2 :] = 1
    losses, hits = np.empty(3), np.empty(3)
    _core.softmax_cross_entropy(losses, hits, None, x, np.array([0, c - 2, c - 1]), None, 0.0, 1.0)
    np.testing.assert_array_equal(hits, [0, 1, 0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("c", [1, 16])
@pytest.mark.parametrize("loss", LOSSES)
def test_pointwise_losses_at_their_edges(loss: str, c: int, dtype: Any) -> None:
    """Where a prediction or a target is at or beyond a bound, equal to the other, or small; as in the specification."""
    edges = [-40, -1.5, -1, -0.5, 0, 5e-8, 1e-3, 0.25, 0.5, 1, 1.5, 2, 40]
    pairs = np.array([(p, t) for p in edges for t in edges], dtype)
    p, t = (np.ascontiguousarray(np.repeat(column[:, None], c, axis=1)) for column in pairs.T)
    results = []
    for backend in (_core, reference):
        losses, dp = np.empty(len(p)), np.empty_like(p)
        backend.pointwise_loss(losses, dp, p, t, None, loss, 1.0, 1.0)
        results += [losses, dp]
    rtol = 2e-6 if dtype is np.float32 else 1e-13
    atol = np.finfo(dtype).eps if loss == "log_cosh" else 0  # log(2) is subtracted
    np.testing.assert_allclose(results[0], results[2], rtol=rtol, atol=atol)
    np.testing.assert_allclose(results[1], results[3], rtol=rtol, atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_logarithm_of_infinity_is_infinite(dtype: Any) -> None:
    losses = np.empty(2)
    p, t = np.array([[np.inf] * 9, [3] * 9], dtype), np.ones((2, 9), dtype)
    _core.pointwise_loss(losses, None, p, t, None, "mean_squared_logarithmic_error", 1.0, 1.0)
    np.testing.assert_allclose(losses, [np.inf, np.log(2) ** 2], rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("c", CLASSES)
def test_mean_squared_error(c: int, dtype: Any) -> None:
    n = 7
    p, t = logits_of(n, c, dtype), logits_of(n, c + 1, dtype)[:, :c].copy()
    losses = np.empty(n)
    dp, buffer = guarded((n, c), dtype)
    _core.pointwise_loss(losses, dp, p, t, None, "mean_squared_error", 1.0, 0.25)
    assert_guards(buffer)
    difference = p.astype(np.float64) - t
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(losses, (difference**2).mean(axis=1), rtol=4 * eps, atol=0)
    np.testing.assert_allclose(dp, 2 * difference / c * 0.25, rtol=4 * eps, atol=eps)
    alone = np.empty(n)
    _core.pointwise_loss(alone, None, p, t, None, "mean_squared_error", 1.0, 0.25)
    np.testing.assert_array_equal(alone, losses)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads(dtype: Any) -> None:
    n, c = 1013, 37
    x, t = logits_of(n, c, dtype), np.abs(logits_of(n, c, dtype, 1.0))
    labels = np.random.default_rng(0).integers(0, c, n)
    results = []
    for threads in THREADS:
        _core.set_num_threads(threads)
        values = [np.empty(n) for _ in range(5)]
        arrays = [np.empty_like(x) for _ in range(5)]
        _core.softmax_forward(arrays[0], x)
        _core.softmax_backward(arrays[1], t, arrays[0])
        _core.softmax_cross_entropy(values[0], values[1], arrays[2], x, labels, None, 0.0, 1 / n)
        _core.softmax_cross_entropy_soft(values[2], values[3], arrays[3], x, t, None, 1 / n)
        _core.pointwise_loss(values[4], arrays[4], x, t, None, "mean_squared_error", 1.0, 1 / n)
        results.append([array.tobytes() for array in values + arrays])
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("shape", [(0, 10), (0, 0), (3, 0)])
def test_empty(shape: tuple[int, int]) -> None:
    x = np.empty(shape, np.float32)
    n = shape[0]
    losses, hits = np.full(n, 5.0), np.full(n, 5.0)
    _core.softmax_forward(x.copy(), x)
    _core.softmax_backward(x.copy(), x, x)
    _core.softmax_cross_entropy_soft(losses, hits, x.copy(), x, x.copy(), None, 1.0)
    if n == 0:
        _core.softmax_cross_entropy(losses, hits, x.copy(), x, np.empty(0, np.int64), None, 0.0, 1.0)
    else:
        with pytest.raises(ValueError, match=r"labels must be in \[0, 0\), got 0 at row 0"):
            _core.softmax_cross_entropy(losses, hits, x.copy(), x, np.zeros(n, np.int64), None, 0.0, 1.0)


@pytest.mark.parametrize("label", [-1, 3, 2**62, -(2**63)])
def test_labels_out_of_range_change_nothing(label: int) -> None:
    x = logits_of(4, 3, np.float32)
    losses, hits, dx = np.full(4, 5.0), np.full(4, 5.0), np.full_like(x, 5)
    with pytest.raises(ValueError, match=rf"^labels must be in \[0, 3\), got {label} at row 2$"):
        _core.softmax_cross_entropy(losses, hits, dx, x, np.array([0, 1, label, 9]), None, 0.0, 1.0)
    assert (losses == 5).all()
    assert (hits == 5).all()
    assert (dx == 5).all()


def test_overlaps_are_refused() -> None:
    base = np.zeros(40, np.float64)
    x = base[:12].reshape(4, 3)
    shifted = base[3:15].reshape(4, 3)
    other = np.zeros((4, 3))
    losses, labels = np.zeros(4), np.zeros(4, np.int64)
    cases: list[tuple[str, Callable[[], None]]] = [
        ("y must not overlap x", lambda: _core.softmax_forward(shifted, x)),
        ("y must not overlap x", lambda: _core.activation_forward(shifted, x, "relu", 0.0)),
        ("dx must not overlap dy", lambda: _core.softmax_backward(shifted, x, other)),
        ("dx must not overlap y", lambda: _core.softmax_backward(x, other, x)),
        ("dx must not overlap y", lambda: _core.activation_backward(x, other, None, x, "relu", 0.0)),
        (
            "dlogits must not overlap logits",
            lambda: _core.softmax_cross_entropy(losses, None, shifted, x, labels, None, 0.0, 1.0),
        ),
        (
            "losses must not overlap logits",
            lambda: _core.softmax_cross_entropy(base[:4], None, None, x, labels, None, 0.0, 1.0),
        ),
        (
            "losses must not overlap hits",
            lambda: _core.softmax_cross_entropy(losses, losses, None, x, labels, None, 0.0, 1.0),
        ),
        (
            "losses must not overlap labels",
            lambda: _core.softmax_cross_entropy(labels.view(np.float64), None, None, x, labels, None, 0.0, 1.0),
        ),
        (
            "dlogits must not overlap targets",
            lambda: _core.softmax_cross_entropy_soft(losses, None, other, x, other, None, 1.0),
        ),
        (
            "dpredictions must not overlap predictions",
            lambda: _core.pointwise_loss(losses, shifted, x, other, None, "huber", 1.0, 1.0),
        ),
    ]
    for message, call in cases:
        with pytest.raises(ValueError, match=f"^{message}$"):
            call()


def test_wrong_arrays_are_refused() -> None:
    x = np.zeros((4, 3), np.float32)
    with pytest.raises(ValueError, match="labels must be a C-contiguous int64 array of shape"):
        _core.softmax_cross_entropy(np.zeros(4), None, None, x, np.zeros(4, np.int32), None, 0.0, 1.0)
    with pytest.raises(ValueError, match="losses must be a C-contiguous float64 array of shape"):
        _core.softmax_cross_entropy(np.zeros(4, np.float32), None, None, x, np.zeros(4, np.int64), None, 0.0, 1.0)
    with pytest.raises(ValueError, match="x must have 2 dimensions"):
        _core.softmax_forward(np.zeros(3, np.float32), np.zeros(3, np.float32))
