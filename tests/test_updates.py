"""Updates of flyball.functional on both backends: what penalties, clipping, ranges and averages mean."""

import re

import numpy as np
import pytest

import flyball
from flyball import functional as F
from flyball import layers, optimizers

pytestmark = pytest.mark.usefixtures("each_backend")
STATES = {
    "sgd_update": ("velocity",),
    "adam_update": ("m", "v", "v_max"),
    "rmsprop_update": ("v", "m", "velocity"),
    "adagrad_update": ("v",),
    "adamax_update": ("m", "u"),
    "adadelta_update": ("v", "d"),
    "lion_update": ("m",),
}
STEPS = {"adam_update": {"step": 1}, "adamax_update": {"step": 1}}


def arrays(seed, *shape, dtype="float64"):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for _ in range(2)]


def run(name, w, g, states=None, **options):
    """Step from ``w`` with fresh state, or the given; return the new weights."""
    w = w.copy()
    states = [np.zeros_like(w) for _ in STATES[name]] if states is None else states
    getattr(F, name)(w, g, *states, **STEPS.get(name, {}), **options)
    return w


# --- bugs of peers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("size", [1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 2047, 2049])
def test_no_vector_is_skipped_pytorch_191763(name, size, dtype):
    w = np.zeros(size, dtype)
    g = np.linspace(1, 2, size).astype(dtype)
    assert (run(name, w, g) < 0).all()


@pytest.mark.parametrize("name", STATES)
def test_a_strided_gradient_counts_in_its_own_order_pytorch_106951(name):
    w, g = arrays(0, 6, 5)
    want = run(name, w, g)
    np.testing.assert_array_equal(run(name, w, np.asfortranarray(g)), want)
    np.testing.assert_array_equal(run(name, w, np.repeat(g, 2, axis=1)[:, ::2]), want)
    with pytest.raises(ValueError, match=r"^w must be a C-contiguous float64 array of shape \(6, 5\)"):
        getattr(F, name)(np.asfortranarray(w), g, *(np.zeros((6, 5)) for _ in STATES[name]), **STEPS.get(name, {}))
    with pytest.raises(ValueError, match="must be a C-contiguous float64 array"):
        run(name, w, g, [np.asfortranarray(np.zeros((6, 5))) for _ in STATES[name]])


@pytest.mark.parametrize("name", STATES)
def test_empty_ranges_change_nothing_transformer_engine_3207(name):
    w, g = arrays(1, 40)
    want = run(name, w, g)
    for ranges in ([], [(40, 40)], [(0, 0), (7, 7), (40, 40)]):
        np.testing.assert_array_equal(run(name, w, g, ranges=ranges), want)
    empty = np.zeros(0)
    run(name, empty, empty)


def test_clipping_clips_pytabkit_34(dtype):
    w, g = (1e3 * a for a in arrays(2, 1000, dtype=dtype))
    total = F.squared_norm(g)
    np.testing.assert_allclose(total[0], np.sum(g.astype("f8") ** 2), rtol=1e-12)
    scale = F.clip_scale(total, 2.0)
    assert total[0] == 0.0
    moved = run("sgd_update", np.zeros_like(w), g, learning_rate=1.0, gradient_scale=scale)
    np.testing.assert_allclose(np.linalg.norm(moved.astype("f8")), 2.0, rtol=1e-6)
    moved = run("sgd_update", np.zeros_like(w), g, learning_rate=1.0, clip_value=0.5)
    assert np.abs(moved).max() == 0.5
    assert F.clip_scale(np.array([4.0]), 2.0) == 1.0
    assert np.isnan(F.clip_scale(np.array([np.nan]), 2.0))


def test_a_global_norm_is_that_of_all_arrays():
    g, h = arrays(3, 50)
    total = F.squared_norm(g)
    assert F.squared_norm(h, out=total) is total
    np.testing.assert_allclose(F.clip_scale(total, 1.0), 1 / np.hypot(np.linalg.norm(g), np.linalg.norm(h)))


def test_norms_of_huge_and_tiny_gradients_neither_overflow_nor_vanish():
    for size in (1e30, 1e-30):
        g = np.full(100, size, np.float32)
        np.testing.assert_allclose(np.sqrt(F.squared_norm(g)), 10 * float(g[0]), rtol=1e-12)


@pytest.mark.parametrize("name", STATES)
def test_denormals_are_kept_gevent_1891(name):
    w = np.full(40, 1e-40, np.float32)
    zeros = run(name, w, np.zeros_like(w))
    np.testing.assert_array_equal(zeros, w)


@pytest.mark.parametrize("name", ["adam_update", "adamax_update"])
def test_huge_step_counts(name, dtype):
    w, g = arrays(4, 40, dtype=dtype)
    results = []
    for step in (10**7, 2**53, 2**62):
        new = w.copy()
        getattr(F, name)(new, g, np.zeros_like(w), np.zeros_like(w), step=step)
        results.append(new)
    assert np.isfinite(results[0]).all()
    np.testing.assert_array_equal(results[0], results[2])
    F.adam_update(w, g, np.zeros_like(w), np.zeros_like(w), step=2**62, nesterov=True)
    assert np.isfinite(w).all()


@pytest.mark.parametrize("name", STATES)
def test_nan_is_not_hidden(name, dtype):
    w, g = arrays(5, 40, dtype=dtype)
    g[7] = np.nan
    new = run(name, w, g, clip_value=1.0, l1=0.1, proximal=True)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(new)), [7])


def test_a_constant_gradient_leaves_centered_rmsprop_finite(dtype):
    # v - m**2 is zero but for its rounding, which may be negative: here it is.
    m = (np.random.default_rng(0).uniform(1, 10, 500) * 1e4).astype(dtype)
    w, g, v = np.zeros_like(m), m.copy(), m * m * np.asarray(1 - 8 * np.finfo(dtype).eps, dtype)
    F.rmsprop_update(w, g, v, m)
    assert np.all(v < m.astype(np.float64) ** 2)
    assert np.isfinite(w).all()


# --- equivalences ----------------------------------------------------------------------------------------------------


def test_l2_conventions_agree():
    (w, g), size = arrays(6, 30), 8
    strength = 0.3
    # lambda, lambda / 2, lambda / m and lambda / (2 m) times sum(w**2), in the loss; what the update's l2 must be.
    for factor, l2 in ((1, 2), (0.5, 1), (1 / size, 2 / size), (1 / (2 * size), 1 / size)):
        penalty = np.zeros(1)
        moved = run("sgd_update", w, g, learning_rate=1.0, l2=l2 * strength, penalty=penalty)
        np.testing.assert_allclose(moved, w - (g + strength * factor * 2 * w), rtol=1e-12)
        np.testing.assert_allclose(penalty, strength * factor * np.sum(w**2))
    # PyTorch adds weight_decay * w; scikit-learn alpha * w / m; Keras' L2(l) has the gradient 2 * l * w.
    np.testing.assert_array_equal(
        run("sgd_update", w, g, l2=2 * flyball.regularizers.L2(0.15).l2), run("sgd_update", w, g, l2=strength)
    )


def test_penalties_gradients_are_those_of_the_penalty():
    w, _ = arrays(7, 12)
    options = {"l1": 0.3, "l2": 0.7, "learning_rate": 1.0}

    def penalty(at):
        total = np.zeros(1)
        run("sgd_update", at, np.zeros_like(at), penalty=total, **options)
        return total[0]

    step = w - run("sgd_update", w, np.zeros_like(w), **options)
    for i in range(len(w)):
        difference = np.zeros_like(w)
        difference[i] = 1e-6
        slope = (penalty(w + difference) - penalty(w - difference)) / 2e-6
        np.testing.assert_allclose(step[i], slope, rtol=1e-7)


def test_coupled_decay_is_decoupled_for_sgd_and_another_for_adam():
    w, g = arrays(8, 30)
    coupled = run("sgd_update", w, g, learning_rate=0.1, l2=0.2)
    np.testing.assert_allclose(run("sgd_update", w, g, learning_rate=0.1, weight_decay=0.2), coupled, rtol=1e-12)
    coupled = run("adam_update", w, g, learning_rate=0.1, l2=0.2)
    decoupled = run("adam_update", w, g, learning_rate=0.1, weight_decay=0.2)
    assert np.abs(coupled - decoupled).max() > 1e-3


def test_proximal_l1_makes_zeros_and_solves_the_lasso():
    # With orthonormal columns the lasso's solution is soft-thresholding.
    rng = np.random.default_rng(9)
    x, _ = np.linalg.qr(rng.standard_normal((50, 10)))
    y = x @ np.array([3.0, -2.0, 1.0, *[0.05] * 7]) + 0.01 * rng.standard_normal(50)
    w = np.ones(10)
    for _ in range(200):
        F.sgd_update(w, x.T @ (x @ w - y), learning_rate=0.5, l1=0.2, proximal=True)
    fit = x.T @ y
    np.testing.assert_allclose(w, np.sign(fit) * np.maximum(np.abs(fit) - 0.2, 0), atol=1e-12)
    assert (w[3:] == 0.0).all()


def test_pytorchs_epsilon():
    w, g = arrays(10, 30)
    m, v, new = np.zeros(30), np.zeros(30), w.copy()
    F.adam_update(new, g, m, v, step=1, epsilon=1e-3 * np.sqrt(1 - 0.999))
    # torch: m_hat / (sqrt(v_hat) + eps), at the first step g / (|g| + eps)
    np.testing.assert_allclose(new, w - 0.001 * g / (np.abs(g) + 1e-3), rtol=1e-10)


# --- ranges, accumulation, averages, constraints ---------------------------------------------------------------------


@pytest.mark.parametrize("name", STATES)
def test_ranges_have_settings_of_their_own(name):
    w, g = arrays(11, 100)
    options = {"learning_rate": 0.1, "l1": 0.1, "l2": 0.2, "weight_decay": 0.3}
    ranges = [F.UpdateRange(10, 20), F.UpdateRange(50, 100, l2=1.0, learning_rate=0.5)]
    penalty = np.zeros(1)
    got = run(name, w, g, ranges=ranges, penalty=penalty, **options)
    everywhere, spared = run(name, w, g, **options), run(name, w, g, learning_rate=0.1)
    slow = run(name, w, g, learning_rate=0.05, l2=1.0)
    np.testing.assert_allclose(got[:10], everywhere[:10], rtol=1e-13)
    np.testing.assert_allclose(got[10:20], spared[10:20], rtol=1e-13)
    np.testing.assert_allclose(got[20:50], everywhere[20:50], rtol=1e-13)
    np.testing.assert_allclose(got[50:], slow[50:], rtol=1e-13)
    own = np.r_[0:10, 20:50]
    want = 0.1 * np.abs(w[own]).sum() + 0.1 * np.sum(w[own] ** 2) + 0.5 * np.sum(w[50:] ** 2)
    np.testing.assert_allclose(penalty, want)


def test_gradients_of_several_batches_accumulate(dtype):
    g, h = arrays(12, 5, 7, dtype=dtype)
    total = np.full((5, 7), np.nan, dtype)
    F.accumulate(total, g, keep=0.0)
    F.accumulate(total, h)
    np.testing.assert_array_equal(total, g + h)
    F.accumulate(total, g, scale=-0.5)
    np.testing.assert_allclose(total, g / 2 + h, rtol=1e-6)


def test_averages():
    steps = np.random.default_rng(13).standard_normal((6, 10))
    moving, mean = np.full(10, np.nan), np.full(10, np.nan)
    for n, w in enumerate(steps):
        F.average_update(moving, w, decay=0.9, step=n + 1)
        F.average_update(mean, w, decay=n / (n + 1))
    np.testing.assert_allclose(mean, steps.mean(axis=0))
    want = steps[0]
    for w in steps[1:]:
        want = 0.9 * want + 0.1 * w
    np.testing.assert_allclose(moving, want)


def test_constraints_on_norms(dtype):
    w = np.random.default_rng(14).standard_normal((40, 6)).astype(dtype)
    w[:, 0] = 0.0
    w[:, 1] /= 100
    limited = w.copy()
    F.constrain_norm(limited, max_value=2.0)
    np.testing.assert_allclose(np.linalg.norm(limited, axis=0)[2:], 2.0, rtol=1e-6)
    np.testing.assert_array_equal(limited[:, :2], w[:, :2])
    unit = w.copy().reshape(4, 10, 6)
    F.constrain_norm(unit, min_value=1.0, max_value=1.0)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=(0, 1)), [0, 1, 1, 1, 1, 1], rtol=1e-6)


def test_the_average_is_what_a_model_ends_with():
    x, y = np.ones((8, 1), np.float32), np.zeros(8, np.float32)
    model = flyball.Sequential([layers.Dense(1, use_bias=False, kernel_initializer="ones", input_shape=(1,))])
    model.compile(optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mean_squared_error")
    model.fit(x, y, batch_size=4, epochs=2, verbose=0)
    w, average = 1.0, 0.0
    for step in range(4):
        w *= 0.8
        average = w if step == 0 else 0.5 * average + 0.5 * w
    np.testing.assert_allclose(model.get_weights()[0], average, rtol=1e-6)


# --- bad input -------------------------------------------------------------------------------------------------------

W = np.ones(8)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda w: F.sgd_update(w, W, clip_value=0.0), ValueError, "clip_value must be in (0, inf), got 0.0"),
        (lambda w: F.sgd_update(w, W, weight_deacy=0.1), TypeError, "sgd_update got an unexpected keyword argument"),
        (lambda w: F.sgd_update(w, W, ranges=[(3, 9)]), ValueError, "ranges[0] must lie in [0, 8), got [3, 9)"),
        (lambda w: F.sgd_update(w, W, ranges=[(0, 4), (3, 5)]), ValueError, "ranges[1] must lie in [4, 8), got [3, 5)"),
        (lambda w: F.sgd_update(w, W, ranges=[(0, 4, -1)]), ValueError, "ranges[0].l1 must be in [0, inf), got -1"),
        (
            lambda w: F.sgd_update(w, W, gradient_scale=np.ones(2)),
            ValueError,
            "gradient_scale must be a C-contiguous float64 array of shape (1,), got float64 of shape (2,)",
        ),
        (lambda w: F.sgd_update(w, w, ranges=[(0, 4)]), ValueError, "w must not overlap g"),
        (lambda w: F.rmsprop_update(w, W, w.copy(), rho=1.0), ValueError, "rho must be in [0, 1), got 1.0"),
        (lambda w: F.rmsprop_update(w, W, w.copy(), momentum=0.5), ValueError, "velocity must be given"),
        (lambda w: F.adagrad_update(w, W, w.copy(), epsilon=0.0), ValueError, "epsilon must be in (0, inf), got 0.0"),
        (lambda w: F.lion_update(w, W, [1.0]), TypeError, "m must be a NumPy array, got list"),
        (lambda w: F.adamax_update(w, W, w.copy(), w.copy(), step=0), ValueError, "step must be an integer in [1, 2**"),
        (lambda w: F.adadelta_update(w, W, w.copy(), W[:3]), ValueError, "d must be a C-contiguous float64 array"),
        (lambda w: F.clip_scale(w[:1], -1.0), ValueError, "max_norm must be in (0, inf), got -1.0"),
        (lambda w: F.clip_scale(3.0, 1.0), TypeError, "total must be a NumPy array, got float"),
        (lambda w: F.constrain_norm(w, min_value=2, max_value=1), ValueError, "max_value must be in [2.0, inf], got 1"),
        (lambda w: F.constrain_norm(w, rate=2.0), ValueError, "rate must be in [0, 1], got 2.0"),
        (lambda w: F.accumulate(w, W[:3]), ValueError, "x must have shape (8,), got (3,)"),
        (lambda w: F.average_update(w, W, decay=1.1), ValueError, "decay must be in [0, 1], got 1.1"),
        (lambda w: F.squared_norm(W, W[:3]), ValueError, "w must have shape (8,), got (3,)"),
    ],
)
def test_bad_arguments(call, error, text):
    w = np.full(8, 3.0)
    with pytest.raises(error, match="^" + re.escape(text)):
        call(w)
    assert (w == 3.0).all()
