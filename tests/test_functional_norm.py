"""Normalisation as users meet it: layouts, ghost batches, steps, extremes of numbers, and peers' bugs."""

import numpy as np
import pytest

from flyball import _core
from flyball import functional as F

pytestmark = pytest.mark.usefixtures("each_backend")


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


def normal(*shape, dtype, seed=0, offset=0.0):
    return (offset + np.random.default_rng(seed).standard_normal(shape)).astype(dtype)


def close(got, want, dtype, scale=1.0):
    tolerance = (2e-5 if dtype == np.float32 else 1e-12) * scale
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


def same_bits(got, want):
    for one, other in zip(got, want, strict=True):
        assert (one is None and other is None) or one.tobytes() == other.tobytes()


# --- layouts ---


@pytest.mark.parametrize("shape", [(6, 5), (4, 3, 7), (4, 6, 3, 2), (2, 3, 4, 2, 3)])
def test_every_axis_is_the_formula_of_its_channels(shape, dtype):
    x, dy = normal(*shape, dtype=dtype), normal(*shape, dtype=dtype, seed=1)
    for axis in [*range(1, len(shape)), -1]:
        gamma, beta = normal(2, shape[axis], dtype=dtype, seed=2)
        moved = np.moveaxis(x, axis, -1).reshape(-1, shape[axis])
        moved_dy = np.moveaxis(dy, axis, -1).reshape(-1, shape[axis])
        y, mean, rstd = F.batch_norm_forward(x, gamma, beta, axis=axis)
        want = F.batch_norm_forward(moved, gamma, beta)
        assert y.shape == shape
        assert y.flags.c_contiguous
        close(np.moveaxis(y, axis, -1).reshape(moved.shape), want.y, dtype)
        close(mean, want.mean, dtype)
        got = F.batch_norm_backward(dy, x, mean, rstd, gamma, beta, axis=axis)
        want = F.batch_norm_backward(moved_dy, moved, want.mean, want.rstd, gamma, beta)
        close(np.moveaxis(got.dx, axis, -1).reshape(moved.shape), want.dx, dtype)
        close(got.dgamma, want.dgamma, dtype)
        y = F.batch_norm_inference(x, np.zeros_like(gamma), np.ones_like(gamma), gamma, beta, axis=axis, epsilon=1e-15)
        close(np.moveaxis(y, axis, -1), np.moveaxis(x, axis, -1) * gamma + beta, dtype)


def test_results_go_where_they_are_asked_for(dtype):
    x = normal(4, 6, 3, 2, dtype=dtype)
    for axis in (1, 2, 3):
        out = np.empty_like(x)
        y, mean, rstd = F.batch_norm_forward(x, axis=axis, out=out)
        assert y is out
        same_bits([y], [F.batch_norm_forward(x, axis=axis).y])
        in_place = x.copy()
        same_bits([F.batch_norm_forward(in_place, axis=axis, out=in_place).y], [y])
        dx = np.empty_like(x)
        assert F.batch_norm_backward(y, x, mean, rstd, axis=axis, out=dx).dx is dx
        assert F.group_norm_forward(x, 1, axis=axis, out=out).y is out
        assert F.layer_norm_forward(x, axis=axis, out=out).y is out


def test_planes_and_columns_agree(dtype):
    """Channels first and last; a plane of several pieces, few channels (shared) and many (owned), odd sizes."""
    for shape in [(2, 3, 5000), (7, 33, 49), (1, 17, 4097), (300, 5, 3), (3, 70, 1031)]:
        x, dy = normal(*shape, dtype=dtype, offset=3.0), normal(*shape, dtype=dtype, seed=1)
        gamma, beta = normal(2, shape[1], dtype=dtype, seed=2)
        last, last_dy = (np.ascontiguousarray(np.moveaxis(a, 1, -1)) for a in (x, dy))
        y, mean, rstd = F.batch_norm_forward(x, gamma, beta, axis=1, activation="relu")
        want = F.batch_norm_forward(last, gamma, beta, activation="relu")
        close(np.moveaxis(y, 1, -1), want.y, dtype)
        options = {"activation": "relu"}
        got = F.batch_norm_backward(dy, x, mean, rstd, gamma, beta, axis=1, **options)
        back = F.batch_norm_backward(last_dy, last, mean, rstd, gamma, beta, **options)
        close(np.moveaxis(got.dx, 1, -1), back.dx, dtype)
        close(got.dgamma, back.dgamma, dtype, scale=np.abs(back.dgamma).max())


@pytest.mark.parametrize("shape", [(2, 3, 5000), (7, 33, 49), (1, 17, 4097), (9, 64, 100), (70, 12, 12)])
def test_bits_do_not_depend_on_threads(shape, dtype):
    x, dy = normal(*shape, dtype=dtype), normal(*shape, dtype=dtype, seed=1)
    gamma, beta = normal(2, shape[1], dtype=dtype, seed=2)
    row_gamma, row_beta = normal(2, *shape[1:], dtype=dtype, seed=3)
    results = []
    for threads in (1, 2, 3, 7):
        _core.set_num_threads(threads)
        _, mean, rstd = batch = F.batch_norm_forward(x, gamma, beta, axis=1)
        result = [*batch, *F.batch_norm_backward(dy, x, mean, rstd, gamma, beta, axis=1)]
        for axis in (1, 2):
            groups = 1 if shape[axis] % 3 else 3
            some = gamma if axis == 1 else None
            group = F.group_norm_forward(x, groups, some, some, axis=axis)
            result += [*group, *F.group_norm_backward(dy, x, group.mean, group.rstd, some, some, axis=axis)]
        layer = F.layer_norm_forward(x, row_gamma, row_beta, axis=1)
        result += [*layer, *F.layer_norm_backward(dy, x, layer.mean, layer.rstd, row_gamma, row_beta, axis=1)]
        results.append(result)
    _core.set_num_threads(1)
    for other in results[1:]:
        same_bits(results[0], other)


def test_results_past_the_caches():
    """Above 16 MiB results are streamed: the same numbers, at any alignment."""
    x = normal(37, 64, 2500, dtype=np.float32)
    want = F.batch_norm_forward(x, axis=1)
    columns = x.reshape(-1, 2500)
    for shift in (0, 1, 4):
        out = np.empty(x.size + 16, np.float32)[shift : shift + x.size].reshape(x.shape)
        same_bits([F.batch_norm_forward(x, axis=1, out=out).y], [want.y])
        y, mean, rstd = F.batch_norm_forward(columns, out=out.reshape(columns.shape))
        in_place = columns.copy()
        same_bits([F.batch_norm_forward(in_place, out=in_place).y], [y])
        dx = F.batch_norm_backward(columns, columns, mean, rstd, out=out.reshape(columns.shape)).dx.copy()
        in_place = columns.copy()
        same_bits([F.batch_norm_backward(in_place, columns, mean, rstd, out=in_place).dx], [dx])


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("columns", [300, 1000])
def test_row_gradients_past_the_caches(columns):
    """Streamed rows come one after the other, others in pairs: the same bits, and the formula's numbers."""
    x = normal(4_300_001 // columns, columns, dtype=np.float32)
    dy = normal(*x.shape, dtype=np.float32, seed=1)
    gamma = normal(columns, dtype=np.float32, seed=2)
    _, mean, rstd = F.layer_norm_forward(x, gamma, gamma)
    streamed = F.layer_norm_backward(dy, x, mean, rstd, gamma, gamma)
    in_place = dy.copy()
    same_bits(F.layer_norm_backward(in_place, x, mean, rstd, gamma, gamma, out=in_place), streamed)
    xhat = (x.astype("f8") - mean[:, None]) * rstd[:, None]
    g = gamma * dy.astype("f8")
    means = g.mean(1, keepdims=True), (g * xhat).mean(1, keepdims=True)
    np.testing.assert_allclose(streamed.dx, rstd[:, None] * (g - means[0] - xhat * means[1]), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(streamed.dgamma, (dy * xhat).sum(0), rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(streamed.dbeta, dy.sum(0, dtype="f8"), rtol=1e-4, atol=1e-2)
    _, rstd = F.rms_norm_forward(x, gamma)
    streamed = F.rms_norm_backward(dy, x, rstd, gamma)
    in_place = dy.copy()
    same_bits(F.rms_norm_backward(in_place, x, rstd, gamma, out=in_place), streamed)
    xhat = x.astype("f8") * rstd[:, None]
    want = rstd[:, None] * (g - xhat * (g * xhat).mean(1, keepdims=True))
    np.testing.assert_allclose(streamed.dx, want, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(streamed.dgamma, (dy * xhat).sum(0), rtol=1e-4, atol=1e-2)


# --- ghost batches ---


def test_ghost_batches_are_batches_of_their_own(dtype):
    for shape, axis in [((10, 4), -1), ((10, 4, 5), 1), ((10, 5, 4), -1), ((10, 5, 4, 3), 2)]:
        x, dy = normal(*shape, dtype=dtype), normal(*shape, dtype=dtype, seed=1)
        gamma, beta = normal(2, shape[axis], dtype=dtype, seed=2)
        running, expected = np.zeros((2, shape[axis]), dtype), np.zeros((2, shape[axis]), dtype)
        options = {"axis": axis, "virtual_batch_size": 3}
        y, mean, rstd = F.batch_norm_forward(
            x, gamma, beta, running_mean=running[0], running_var=running[1], momentum=0.5, **options
        )
        gradients = F.batch_norm_backward(dy, x, mean, rstd, gamma, beta, **options)
        assert mean.shape == rstd.shape == (3, shape[axis])
        dgamma = np.zeros(shape[axis])
        for g, rows in enumerate([slice(0, 3), slice(3, 6), slice(6, 10)]):  # the last takes what remains
            alone = F.batch_norm_forward(
                x[rows], gamma, beta, axis=axis, running_mean=expected[0], running_var=expected[1], momentum=0.5
            )
            same_bits([y[rows].copy(), mean[g], rstd[g]], alone)
            back = F.batch_norm_backward(dy[rows], x[rows], alone.mean, alone.rstd, gamma, beta, axis=axis)
            same_bits([gradients.dx[rows].copy()], [back.dx])
            dgamma += back.dgamma
        same_bits([running], [expected])
        close(gradients.dgamma, dgamma, dtype)


# --- steps ---


@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_steps_give_the_bits_of_the_whole(axis, activation, dtype):
    x, dy = normal(40, 12, 30, dtype=dtype, offset=5.0), normal(40, 12, 30, dtype=dtype, seed=1)
    mask = np.random.default_rng(2).random(x.shape) < 0.7
    gamma, beta = normal(2, x.shape[axis], dtype=dtype, seed=2)
    options = {"axis": axis, "activation": activation, "mask": mask, "rate": 0.3}
    running, stepped = np.zeros((2, x.shape[axis]), dtype), np.zeros((2, x.shape[axis]), dtype)
    whole = F.batch_norm_forward(x, gamma, beta, running_mean=running[0], running_var=running[1], **options)
    moments = F.batch_norm_moments(x, axis=axis)
    rstd = F.batch_norm_statistics(moments, running_mean=stepped[0], running_var=stepped[1])
    y = F.batch_norm_apply(x, moments.mean, rstd, gamma, beta, **options)
    same_bits([y, moments.mean, rstd, stepped], [*whole, running])
    sums = F.batch_norm_backward_sums(dy, x, moments.mean, rstd, gamma, beta, **options)
    dx = F.batch_norm_backward_apply(dy, x, moments.mean, rstd, sums, gamma, beta, **options)
    back = F.batch_norm_backward(dy, x, *whole[1:], gamma, beta, **options)
    same_bits([dx, sums.sum_dz_xhat.astype(dtype), sums.sum_dz.astype(dtype)], back)


def test_a_batch_in_parts_is_one_batch(dtype):
    x, dy = normal(50, 6, 7, dtype=dtype, offset=100.0), normal(50, 6, 7, dtype=dtype, seed=1)
    parts = [slice(0, 1), slice(1, 20), slice(20, 50)]
    moments = F.combine_moments(F.batch_norm_moments(x[rows], axis=1) for rows in parts)
    whole = F.batch_norm_forward(x, axis=1)
    rstd = F.batch_norm_statistics(moments)
    assert moments.n == 350
    close(moments.mean, whole.mean, dtype)
    close(rstd, whole.rstd, dtype)
    y = np.concatenate([F.batch_norm_apply(x[rows], moments.mean, rstd, axis=1) for rows in parts])
    close(y, whole.y, dtype, scale=30)
    sums = [F.batch_norm_backward_sums(dy[rows], x[rows], moments.mean, rstd, axis=1) for rows in parts]
    total = F.BatchNormSums(*(sum(values) for values in zip(*sums, strict=True)))
    dx = [F.batch_norm_backward_apply(dy[rows], x[rows], moments.mean, rstd, total, axis=1) for rows in parts]
    close(np.concatenate(dx), F.batch_norm_backward(dy, x, *whole[1:], axis=1).dx, dtype, scale=30)


def test_population_statistics(dtype):
    x = normal(60, 5, dtype=dtype, offset=10.0)
    batches = [x[begin : begin + 20] for begin in (0, 20, 40)]
    moments = [F.batch_norm_moments(batch) for batch in batches]
    mean, var = F.population_statistics(moments)
    close(mean, x.mean(axis=0, dtype=np.float64), dtype)
    close(var, x.var(axis=0, dtype=np.float64), dtype)
    mean, var = F.population_statistics(moments, average_of_batches=True)
    close(mean, np.mean([batch.mean(axis=0, dtype=np.float64) for batch in batches], axis=0), dtype)
    close(var, 20 / 19 * np.mean([batch.var(axis=0, dtype=np.float64) for batch in batches], axis=0), dtype)


# --- extremes of numbers ---


@pytest.mark.parametrize("offset", [1e4, 1e6])
def test_offsets_of_a_million_standard_deviations(offset, dtype):
    """What x holds after its own rounding is normalised exactly; ``E[x**2] - E[x]**2`` would be noise, or nan."""
    x = normal(64, 12, 65, dtype=dtype, offset=offset)
    wide = x.astype(np.longdouble)

    def expected(axes):
        centred = wide - wide.mean(axis=axes, keepdims=True)
        return (centred / np.sqrt((centred**2).mean(axis=axes, keepdims=True) + 1e-5)).astype(np.float64)

    scale = 1.0 if dtype == np.float32 else offset * 1e-2  # the float64 mean itself is rounded: 1e-10 at 1e6
    close(F.batch_norm_forward(x, axis=1).y, expected((0, 2)), dtype, scale)
    close(F.batch_norm_forward(x).y, expected((0, 1)), dtype, scale)
    close(F.layer_norm_forward(x).y, expected((2,)), dtype, scale)
    close(F.layer_norm_forward(x, axis=1).y, expected((1, 2)), dtype, scale)
    close(F.group_norm_forward(x, 12, axis=1).y, expected((2,)), dtype, scale)
    close(F.group_norm_forward(x, 1).y, expected((1, 2)), dtype, scale)


def test_denormal_numbers():
    x = (normal(40, 3, 6, dtype=np.float64) * 1e-40).astype(np.float32)
    assert 0 < np.abs(x[x != 0]).min() < np.finfo(np.float32).tiny
    wide = x.astype(np.float64)
    for y, axes in [
        (F.batch_norm_forward(x, axis=1).y, (0, 2)),
        (F.batch_norm_forward(x).y, (0, 1)),
        (F.layer_norm_forward(x, axis=1).y, (1, 2)),
        (F.group_norm_forward(x, 3, axis=1).y, (2,)),
    ]:
        want = (wide - wide.mean(axis=axes, keepdims=True)) / np.sqrt(1e-5)
        np.testing.assert_allclose(y, want, rtol=0, atol=1e-42)  # each operand is a multiple of 1.4e-45, times 316


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_inf_and_nan_stay_in_their_channel(bad, dtype):
    clean = normal(20, 4, 50, dtype=dtype)
    for place in [(0, 1, 0), (7, 1, 3), (19, 1, 49)]:
        x = clean.copy()
        x[place] = bad
        y, mean, rstd = F.batch_norm_forward(x, axis=1)
        assert not np.isfinite(mean[1])
        assert np.isnan(rstd[1])
        assert np.isnan(y[:, 1]).all()
        same_bits([y[:, [0, 2, 3]].copy()], [F.batch_norm_forward(clean, axis=1).y[:, [0, 2, 3]].copy()])
        y = F.group_norm_forward(x, 2, axis=1).y
        assert np.isnan(y[place[0], :2]).all()
        assert np.isfinite(np.delete(y, place[0], axis=0)).all()
        assert np.isfinite(y[:, 2:]).all()
        y = F.layer_norm_forward(x).y
        assert np.isnan(y[place[:2]]).all()
        assert np.isnan(y).sum() == 50


def test_instance_norm_is_group_norm_with_a_group_a_channel(dtype):
    x, dy = normal(3, 4, 5, 6, dtype=dtype), normal(3, 4, 5, 6, dtype=dtype, seed=1)
    gamma, beta = normal(2, 4, dtype=dtype, seed=2)
    _, mean, rstd = one = F.instance_norm_forward(x, gamma, beta, axis=1)
    same_bits(one, F.group_norm_forward(x, 4, gamma, beta, axis=1))
    same_bits(
        F.instance_norm_backward(dy, x, mean, rstd, gamma, beta, axis=1),
        F.group_norm_backward(dy, x, mean, rstd, gamma, beta, axis=1),
    )


# --- bugs of peers ---


def test_batch_norm_does_not_discard_non_contiguous_running_statistics(dtype):
    """pytorch 33867: they were copied, and the update went into the copy."""
    x, statistics = normal(8, 3, 4, dtype=dtype), np.ones((3, 2), dtype)
    with pytest.raises(ValueError, match="running_mean must be a C-contiguous"):
        F.batch_norm_forward(x, axis=1, running_mean=statistics[:, 0])
    with pytest.raises(ValueError, match="running_var must be a C-contiguous"):
        F.batch_norm_statistics(F.batch_norm_moments(x, axis=1), running_var=statistics[:, 1])
    np.testing.assert_array_equal(statistics, 1)


def test_batch_norm_of_a_batch_of_one_is_an_error_and_not_nan(dtype):
    """pytorch 1381, 4534."""
    with pytest.raises(ValueError, match="x must have at least 2 rows for batch statistics, got 1"):
        F.batch_norm_forward(normal(1, 3, dtype=dtype))
    with pytest.raises(ValueError, match=r"x must have at least 2 values a channel .* got shape \(1, 3, 1, 1\)"):
        F.batch_norm_forward(normal(1, 3, 1, 1, dtype=dtype), axis=1)
    assert np.isfinite(F.batch_norm_forward(normal(1, 3, 2, 1, dtype=dtype), axis=1).y).all()
    with pytest.raises(ValueError, match="virtual_batch_size must be at least 2 for batch statistics, got 1"):
        F.batch_norm_forward(normal(4, 3, dtype=dtype), virtual_batch_size=1)


def test_batch_norm_variance_is_never_negative(dtype):
    """tensorflow 118701, burn 5607: E[x**2] - E[x]**2 of a constant."""
    for value in (12345.678, 1e6 + 0.1):
        x = np.full((64, 5, 33), value, dtype)
        for y, _, rstd in (
            F.batch_norm_forward(x, axis=1),
            F.batch_norm_forward(x),
            F.group_norm_forward(x, 5, axis=1),
        ):
            np.testing.assert_allclose(rstd, 1e-5**-0.5)
            assert np.abs(y).max() < 0.3  # the rounding of the mean to float64, times 316


# --- bad input ---

X = np.ones((6, 4, 5), np.float32)
M = np.zeros(4)
CASES = [
    (lambda: F.batch_norm_forward(X, axis=0), "axis must be the channels', in [1, 3) or [-2, 0), got 0"),
    (lambda: F.batch_norm_forward(X, axis=3), "axis must be the channels', in [1, 3) or [-2, 0), got 3"),
    (
        lambda: F.batch_norm_forward(X, virtual_batch_size=0),
        "virtual_batch_size must be an integer in [1, 2**63), got 0",
    ),
    (lambda: F.batch_norm_forward(X, axis=1, mask=X[0] > 0), "mask must have shape (6, 4, 5), got (4, 5)"),
    (lambda: F.batch_norm_backward(X[:3], X, M, M, axis=1), "dy must have shape (6, 4, 5), got (3, 4, 5)"),
    (
        lambda: F.batch_norm_backward(X, X, M, M, axis=1, virtual_batch_size=3),
        "mean must have shape (2, 4), got (4,)",
    ),
    (lambda: F.batch_norm_moments(X[:0]), "x must not be empty, got shape (0, 4, 5)"),
    (lambda: F.combine_moments([]), "parts must not be empty, got none"),
    (lambda: F.combine_moments([(3, M, M), (3, M, M[:2])]), "m2 of part 1 must have shape (4,), got (2,)"),
    (lambda: F.combine_moments([(-1, M, M)]), "n of part 0 must be an integer in [0, 2**63), got -1"),
    (lambda: F.batch_norm_statistics((1, M, M)), "n must be an integer in [2, 2**63), got 1"),
    (lambda: F.population_statistics([(0, M, M)]), "parts must have at least 1 value a channel, got 0"),
    (
        lambda: F.population_statistics([(1, M, M), (5, M, M)], average_of_batches=True),
        "parts must have at least 2 values a channel in every part, got 1",
    ),
    (lambda: F.layer_norm_forward(X, axis=0), "axis must be in [1, 3) or [-2, 0), got 0"),
    (lambda: F.layer_norm_forward(X, X[0, 0], axis=1), "gamma must have shape (4, 5), got (5,)"),
    (lambda: F.layer_norm_backward(X, X, M, M), "mean must have shape (6, 4), got (4,)"),
    (lambda: F.layer_norm_forward(X, epsilon=0.0), "epsilon must be in (0, inf), got 0.0"),
    (lambda: F.rms_norm_backward(X, X, M), "rstd must have shape (6, 4), got (4,)"),
    (lambda: F.group_norm_forward(X, 3, axis=1), "groups must divide the 4 channels of x, got 3"),
    (lambda: F.group_norm_forward(X, 0, axis=1), "groups must be an integer in [1, 2**63), got 0"),
    (lambda: F.group_norm_backward(X, X, M, M, axis=1), "mean must have 2 dimensions, got shape (4,)"),
]


@pytest.mark.parametrize(("call", "text"), CASES, ids=[text for _, text in CASES])
def test_bad_input_is_named(call, text):
    with pytest.raises(ValueError, match=r".*") as error:
        call()
    assert str(error.value) == text
