"""flyball.functional on both backends: what it returns, what it copies, and what it writes to."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball import functional as F
from flyball.backend import backend_scope, keep_probability

pytestmark = pytest.mark.usefixtures("each_backend")
RNG = np.random.default_rng(11)


def normal(*shape, dtype="float32"):
    return RNG.standard_normal(shape).astype(dtype)


@given(shape=st.lists(st.integers(1, 5), min_size=1, max_size=4), units=st.integers(1, 6))
def test_dense_takes_any_leading_axes(shape, units):
    x, w, b = normal(*shape, dtype="f8"), normal(shape[-1], units, dtype="f8"), normal(units, dtype="f8")
    y = F.dense_forward(x, w, b)
    np.testing.assert_allclose(y, x @ w + b, rtol=1e-12, atol=1e-12)
    gradients = F.dense_backward(y, x, w)
    np.testing.assert_allclose(gradients.dx, y @ w.T, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(gradients.db, y.reshape(-1, units).sum(axis=0), rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("shape", [(3, 5), (2, 70, 64)])
def test_a_gated_input_gradient_is_zero_where_the_input_is(shape, dtype):
    x, w, dy = np.maximum(normal(*shape), 0.7) - np.float32(0.7), normal(shape[-1], 65), normal(*shape[:-1], 65)
    x, w, dy = (array.astype(dtype) for array in (x, w, dy))
    dx, dw, db = F.dense_backward(dy, x, w, gated=True)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(dx, np.where(x != 0, dy @ w.T, 0), rtol=tolerance, atol=10 * tolerance)
    assert (dx[x == 0] == 0).all()
    plain = F.dense_backward(dy, x, w)
    np.testing.assert_array_equal(dw, plain.dw)
    np.testing.assert_array_equal(db, plain.db)


@given(shape=st.lists(st.integers(1, 5), max_size=4))
def test_elementwise_operations_take_any_shape(shape):
    x = np.asarray(normal(*shape))
    for name in ("native", "reference"):
        with backend_scope(name):
            np.testing.assert_array_equal(F.activation_forward(x, "relu"), np.maximum(x, 0))
            y, mask = F.dropout_forward(x, 0.5, seed=1, return_mask=True)
            np.testing.assert_array_equal(y, x * mask * 2)
            np.testing.assert_array_equal(mask, F.dropout_mask(shape, 0.5, seed=1))
            np.testing.assert_array_equal(F.dropout_backward(x, 0.5, seed=1), y)


def test_layouts_are_copied_where_they_must_be(dtype):
    x = normal(6, 4, dtype=dtype)
    want = np.maximum(x, 0)
    unaligned = np.empty(x.nbytes + 1, np.uint8)[1:].view(dtype).reshape(x.shape)
    unaligned[...] = x
    wide = np.repeat(x, 2, axis=1)
    for odd in (np.asfortranarray(x), wide[:, ::2], x.astype(x.dtype.newbyteorder(">")), unaligned):
        y = F.activation_forward(odd, "relu")
        np.testing.assert_array_equal(y, want)
        assert y.dtype == np.dtype(dtype)
        assert y.flags.carray


def test_out_is_returned_and_written_to(dtype):
    x, w = normal(6, 4, dtype=dtype), normal(4, 3, dtype=dtype)
    out = np.empty((6, 3), dtype)
    assert F.dense_forward(x, w, out=out) is out
    assert F.matmul(x, w, out=out) is out
    np.testing.assert_allclose(out, x @ w, rtol=1e-5, atol=1e-6)
    assert F.activation_forward(x, "relu", out=x) is x
    assert x.min() >= 0
    out = tuple(np.empty(shape, dtype) for shape in ((6, 4), (4, 3), (3,)))
    assert all(a is b for a, b in zip(F.dense_backward(F.dense_forward(x, w), x, w, out=out), out, strict=True))
    assert F.dense_backward(F.dense_forward(x, w), x, w, need_dx=False, out=out).dx is None


def test_matmul_uses_transposes_of_contiguous_arrays():
    a, b = normal(5, 3), normal(5, 4)
    np.testing.assert_array_equal(F.matmul(a.T, b), F.matmul(a, b, transpose_a=True))
    np.testing.assert_allclose(F.matmul(a.T, b), a.T @ b, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(F.matmul(b.T, a, activation="relu"), np.maximum(F.matmul(b.T, a), 0))


def test_batch_norm_updates_running_statistics_by_the_share_that_is_kept(dtype):
    x = normal(50, 3, dtype=dtype)
    mean, var = np.zeros(3, dtype), np.ones(3, dtype)
    result = F.batch_norm_forward(x, running_mean=mean, running_var=var, momentum=0.75, unbiased=True)
    np.testing.assert_allclose(mean, 0.25 * x.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(var, 0.75 + 0.25 * x.var(axis=0, ddof=1), rtol=1e-5)
    np.testing.assert_allclose(result.mean, x.mean(axis=0), rtol=1e-5, atol=1e-6)
    assert result.mean.dtype == result.rstd.dtype == np.float64
    y = F.batch_norm_inference(x, mean, var, epsilon=1e-3)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-3), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rows", [1, 5, 300])
@pytest.mark.parametrize("activation", ["linear", "relu", "tanh"])
def test_dense_batch_norm_inference_is_one_after_the_other(rows, activation, dtype, each_backend):
    rng = np.random.default_rng(rows)
    x, w = (rng.normal(size=shape).astype(dtype) for shape in ((rows, 3, 70), (70, 530)))
    b, gamma, beta, mean = (rng.normal(size=530).astype(dtype) for _ in range(4))
    var = rng.uniform(0.5, 2.0, 530).astype(dtype)
    product = F.dense_forward(x, w, b)
    one_after_the_other = F.activation_forward(F.batch_norm_inference(product, mean, var, gamma, beta), activation)
    out = np.empty_like(one_after_the_other)
    given = F.dense_batch_norm_inference(x, w, mean, var, b, gamma, beta, activation=activation, out=out)
    assert given is out
    # Some roundings of the terms, which are larger than their sum; no activation here is steeper than 1.
    terms = np.abs(gamma) / np.sqrt(var + 1e-5) * (np.abs(product) + np.abs(b) + np.abs(mean)) + np.abs(beta)
    assert np.all(np.abs(out - one_after_the_other) <= 4 * np.finfo(dtype).eps * terms)
    alone = F.dense_batch_norm_inference(x[0, :1], w, mean, var, b, gamma, beta, activation=activation)
    if each_backend == "native":
        np.testing.assert_array_equal(alone[0], out[0, 0])


def test_gradients_of_what_was_not_given_are_none():
    x = normal(4, 3)
    _, mean, rstd = F.batch_norm_forward(x)
    assert F.batch_norm_backward(x, x, mean, rstd, need_dx=False) == (None, None, None)


def test_cross_entropy_of_classes_and_of_one_hot_rows_agree(dtype):
    logits, labels = normal(7, 5, dtype=dtype), np.array([0, 4, 2, 2, 1, 3, 0])
    hard = F.softmax_cross_entropy(logits, labels)
    soft = F.softmax_cross_entropy(logits, np.eye(5, dtype=dtype)[labels])
    assert isinstance(hard.loss, float)
    assert math.isclose(hard.loss, soft.loss, rel_tol=1e-6)
    np.testing.assert_allclose(hard.dlogits, soft.dlogits, rtol=1e-5, atol=1e-7)
    rows = F.softmax_cross_entropy(logits, labels.astype(np.uint8), reduction="none")
    assert rows.loss.shape == (7,)
    assert math.isclose(rows.loss.mean(), hard.loss, rel_tol=1e-6)
    np.testing.assert_allclose(rows.dlogits / 7, hard.dlogits, rtol=1e-5, atol=1e-7)


def test_squared_error_takes_any_shape():
    p, t = normal(4, 2, 3, dtype="f8"), normal(4, 2, 3, dtype="f8")
    result = F.pointwise_loss(p, t, "mean_squared_error")
    assert math.isclose(result.loss, np.mean((p - t) ** 2), rel_tol=1e-12)
    np.testing.assert_allclose(result.dpredictions, 2 * (p - t) / p.size, rtol=1e-12)


def test_targets_whose_squares_overflow_are_finite(dtype):
    huge = np.full((3, 4), np.sqrt(np.finfo(dtype).max) * 2, dtype)
    result = F.pointwise_loss(huge, huge, "mean_absolute_error")
    assert result.loss == 0.0
    for value in (np.nan, np.inf, -np.inf):
        targets = huge.copy()
        targets[2, 1] = value
        with pytest.raises(ValueError, match=r"targets must be finite, got .* at \[2, 1\]"):
            F.pointwise_loss(huge, targets, "mean_absolute_error")


def test_updates_take_weights_of_any_shape_and_return_nothing(dtype):
    w, g = normal(3, 4, 2, dtype=dtype), normal(3, 4, 2, dtype=dtype)
    want = w - np.asarray(0.5, dtype) * g
    assert F.sgd_update(w, np.asfortranarray(g), learning_rate=0.5) is None
    np.testing.assert_allclose(w, want, rtol=1e-6)
    m, v = np.zeros_like(w), np.zeros_like(w)
    before = w.copy()
    assert F.adam_update(w, g, m, v, step=1, learning_rate=0.01) is None
    np.testing.assert_allclose(w, before - 0.01 * np.sign(g), rtol=1e-3, atol=1e-5)


def test_gather_converts_rows():
    x = np.arange(24, dtype=np.int16).reshape(4, 6)
    assert F.gather(x, np.array([3, 0, 3], np.uint8)).dtype == np.float32
    np.testing.assert_array_equal(F.gather(x[:, ::2], np.array([1]), dtype="f8"), x[[1], ::2])
    np.testing.assert_array_equal(F.gather(x[::2], np.array([1])), x[[2]])
    np.testing.assert_array_equal(F.gather(x.reshape(4, 2, 3).astype("f2"), np.array([1])), x.reshape(4, 2, 3)[[1]])


# --- bugs of peers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [4, 8, 16, 32, 64, 128, 1024])
def test_pytorch_191763_sgd_updates_whole_vectors(count, dtype):
    w, g = np.ones(count, dtype), np.full(count, 2.0, dtype)
    F.sgd_update(w, g, learning_rate=0.25)
    np.testing.assert_array_equal(w, np.full(count, 0.5))


def test_pytorch_106951_gradients_of_another_layout_are_used(dtype):
    w, g = np.zeros((3, 5), dtype), normal(5, 3, dtype=dtype).T
    F.sgd_update(w, g, learning_rate=1.0)
    np.testing.assert_array_equal(w, -g)


def test_transformer_engine_3207_empty_weights_update_nothing(dtype):
    empty = np.empty(0, dtype)
    F.sgd_update(empty, empty.copy(), empty.copy(), momentum=0.9)
    F.adam_update(empty, empty.copy(), empty.copy(), empty.copy(), step=1)


def test_pytorch_33867_strided_running_statistics_are_refused_not_discarded(dtype):
    x, statistics = normal(8, 3, dtype=dtype), np.zeros((3, 2), dtype)
    with pytest.raises(ValueError, match=r"^running_mean must be a C-contiguous .* got non-contiguous"):
        F.batch_norm_forward(x, running_mean=statistics[:, 0])
    with pytest.raises(ValueError, match=r"^running_var must be a C-contiguous .* got non-contiguous"):
        F.batch_norm_forward(x, running_var=statistics[:, 1])


@pytest.mark.parametrize("offset", [1e4, 1e6])
def test_tensorflow_118701_variance_at_a_large_offset(offset, dtype):
    x = (offset + normal(1000, 5, dtype="f8")).astype(dtype)
    want = x.astype(np.float64).var(axis=0)
    _, mean, rstd = F.batch_norm_forward(x, epsilon=1e-12)
    np.testing.assert_allclose(mean, x.mean(axis=0, dtype=np.float64), rtol=1e-10)
    np.testing.assert_allclose(1 / rstd**2, want, rtol=1e-5)


def test_constant_columns_normalise_to_beta(dtype):
    y, _, rstd = F.batch_norm_forward(np.full((64, 3), 12345.678, dtype), np.ones(3, dtype), np.ones(3, dtype))
    assert np.isfinite(rstd).all()
    np.testing.assert_allclose(y, 1.0, atol=1e-3)


def test_pytorch_4534_a_batch_of_one_is_refused(dtype):
    with pytest.raises(ValueError, match=r"^x must have at least 2 rows for batch statistics, got 1$"):
        F.batch_norm_forward(normal(1, 3, dtype=dtype))


def test_keep_is_a_multiple_of_two_to_the_minus_16():
    assert keep_probability(0.1) == round(0.9 * 65536) / 65536
    assert keep_probability(1 - 1e-9) == 2**-16


def test_activity_penalty_is_what_keras_adds_and_its_gradient(dtype):
    x, dy = normal(3, 4, 5, dtype=dtype), normal(3, 4, 5, dtype=dtype)
    total = F.activity_penalty(x, l1=0.5, l2=0.25)
    assert total[0] == pytest.approx(0.5 * np.abs(x).sum() + 0.125 * np.square(x).sum(), rel=1e-5)
    assert F.activity_penalty(x, l1=0.5, out=total) is total
    assert total[0] == pytest.approx(1.0 * np.abs(x).sum() + 0.125 * np.square(x).sum(), rel=1e-5)
    want = dy + 2.0 * (0.5 * np.sign(x) + 0.25 * x)
    np.testing.assert_allclose(F.activity_penalty_backward(dy, x, l1=0.5, l2=0.25, scale=2.0), want, rtol=1e-5)
    assert F.activity_penalty_backward(dy, x, l1=0.5, l2=0.25, scale=2.0, out=dy) is dy
    np.testing.assert_allclose(dy, want, rtol=1e-5)
    with pytest.raises(ValueError, match=r"l1 must be in \[0, inf\), got -1"):
        F.activity_penalty(x, l1=-1)
    with pytest.raises(ValueError, match=r"x must have shape \(3, 4, 5\), got \(3, 5\)"):
        F.activity_penalty_backward(dy, x[:, 0], l1=1.0)


def test_add_branch_leaves_dropped_samples_alone(dtype):
    x, branch, mask = normal(4, 2, 3, dtype=dtype), normal(4, 2, 3, dtype=dtype), np.array([True, False, True, False])
    branch[1] = np.inf
    y = F.add_branch(x, branch, mask=mask, scale=2.0)
    np.testing.assert_array_equal(y[~mask], x[~mask])
    np.testing.assert_allclose(y[mask], x[mask] + 2 * branch[mask], rtol=1e-5)
    np.testing.assert_array_equal(F.add_branch(x, x), 2 * x)
    assert F.add_branch(x, branch, mask=mask, scale=2.0, out=x) is x
    np.testing.assert_array_equal(x, y)
    with pytest.raises(ValueError, match="mask must be a C-contiguous bool array of shape"):
        F.add_branch(x, branch, mask=mask[:3])
