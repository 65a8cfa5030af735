"""Backward passes against finite differences of forward passes, in float64, on both backends."""

import numpy as np
import pytest

from flyball import functional as F
from flyball.backend import ACTIVATIONS, LOSSES, ROW_LOSSES

RNG = np.random.default_rng(5)
X = RNG.standard_normal((5, 7))
W = RNG.standard_normal((7, 3))
B = RNG.standard_normal(3)
GAMMA, BETA = RNG.standard_normal((2, 7))
MASK = RNG.random((5, 7)) < 0.6
LABELS = np.array([0, 6, 3, 2, 2])
SOFT = RNG.random((5, 7))
B5, C7 = RNG.random(5) + 0.5, RNG.random(7) + 0.5


def differences(function, x, step=1e-6):
    """Central differences of a scalar function of an array."""
    x = x.copy()
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        middle = x[index]
        x[index] = middle + step
        above = function(x)
        x[index] = middle - step
        gradient[index] = (above - function(x)) / (2 * step)
        x[index] = middle
    return gradient


def check(forward, backward, x):
    """Compare ``backward(dy)`` with the differences of ``sum(dy * forward(x))``."""
    y = forward(x)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    np.testing.assert_allclose(
        backward(dy, y), differences(lambda x: float(np.sum(dy * forward(x))), x), rtol=1e-6, atol=1e-8
    )


pytestmark = pytest.mark.usefixtures("each_backend")


def test_dense():
    check(lambda x: F.dense_forward(x, W, B), lambda dy, y: F.dense_backward(dy, X, W).dx, X)
    check(lambda w: F.dense_forward(X, w, B), lambda dy, y: F.dense_backward(dy, X, W).dw, W)
    check(lambda b: F.dense_forward(X, W, b), lambda dy, y: F.dense_backward(dy, X, W).db, B)


@pytest.mark.parametrize(
    "numbers", [{}, {"max_value": 0.7}, {"negative_slope": 0.2, "max_value": 0.7, "threshold": 0.3}]
)
def test_relu(numbers):
    check(lambda x: F.relu_forward(x, **numbers), lambda dy, y: F.relu_backward(dy, X, **numbers), X)


def test_prelu():
    check(lambda x: F.prelu_forward(x, GAMMA), lambda dy, y: F.prelu_backward(dy, X, GAMMA).dx, X)
    check(lambda alpha: F.prelu_forward(X, alpha), lambda dy, y: F.prelu_backward(dy, X, alpha=GAMMA).dalpha, GAMMA)


@pytest.mark.parametrize("activation", ["linear", "relu"])
@pytest.mark.parametrize("mask", [None, MASK])
def test_batch_norm(activation, mask):
    options = {"activation": activation, "mask": mask, "rate": 0.4 if mask is not None else 0.0}

    def backward(dy, y):
        _, mean, rstd = F.batch_norm_forward(X, GAMMA, BETA, **options)
        return F.batch_norm_backward(dy, X, mean, rstd, GAMMA, BETA, **options)

    check(lambda x: F.batch_norm_forward(x, GAMMA, BETA, **options).y, lambda dy, y: backward(dy, y).dx, X)
    check(lambda g: F.batch_norm_forward(X, g, BETA, **options).y, lambda dy, y: backward(dy, y).dgamma, GAMMA)
    check(lambda b: F.batch_norm_forward(X, GAMMA, b, **options).y, lambda dy, y: backward(dy, y).dbeta, BETA)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("alpha", [None, 0.6])
def test_activation(activation, alpha):
    check(
        lambda x: F.activation_forward(x, activation, alpha=alpha),
        lambda dy, y: F.activation_backward(dy, activation, x=X, y=y, alpha=alpha),
        X,
    )


def test_softmax():
    check(F.softmax_forward, F.softmax_backward, X)
    check(F.log_softmax_forward, F.log_softmax_backward, X)


@pytest.mark.parametrize("labels", [LABELS, SOFT], ids=["classes", "distributions"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "weighted_mean"])
@pytest.mark.parametrize(
    "options",
    [{}, {"label_smoothing": 0.2, "smooth": "others"}, {"weights": B5, "class_weights": C7, "label_smoothing": 0.1}],
)
def test_cross_entropy(labels, reduction, options):
    result = F.softmax_cross_entropy(X, labels, reduction=reduction, **options)
    want = differences(lambda x: F.softmax_cross_entropy(x, labels, reduction=reduction, **options).loss, X)
    np.testing.assert_allclose(result.dlogits, want, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("loss", ROW_LOSSES)
@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("reduction", ["mean", "sum", "weighted_mean"])
def test_row_loss(loss, gamma, reduction):
    p = 0.1 + 0.8 * SOFT[::-1] if loss == "binary_focal_cross_entropy" else X
    t = np.eye(X.shape[1])[np.arange(len(X)) % X.shape[1]] if loss == "categorical_hinge" else SOFT
    options = {"reduction": reduction, "weights": B5, "gamma": gamma, "weights_of_targets": (0.3, 0.9)}
    result = F.row_loss(p, t, loss, **options)
    want = differences(lambda p: F.row_loss(p, t, loss, **options).loss, p)
    assert np.abs(want).max() > 1e-3
    np.testing.assert_allclose(result.dpredictions, want, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum", "weighted_mean"])
def test_overlap_loss(whole, reduction):
    options = {"alpha": 0.3, "beta": 0.9, "whole": whole, "reduction": reduction, "weights": B5}
    result = F.overlap_loss(SOFT[::-1].copy(), SOFT, **options)
    want = differences(lambda p: F.overlap_loss(p, SOFT, **options).loss, SOFT[::-1].copy())
    assert np.abs(want).max() > 1e-3
    np.testing.assert_allclose(result.dpredictions, want, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_orthogonal_penalty(mode):
    result = F.orthogonal_penalty(X, factor=0.7, mode=mode)
    want = differences(lambda w: F.orthogonal_penalty(w, factor=0.7, mode=mode).penalty, X)
    assert np.abs(want).max() > 1e-3
    np.testing.assert_allclose(result.dw, want, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "weighted_mean"])
def test_pointwise_loss(loss, reduction):
    of_probabilities = loss in ("poisson", "binary_cross_entropy", "categorical_cross_entropy", "kl_divergence")
    p = 0.1 + 0.8 * SOFT[::-1] if of_probabilities else X
    t = np.sign(SOFT - 0.5) if "hinge" in loss else SOFT
    options = {"reduction": reduction, "weights": B5, "delta": 0.7}
    result = F.pointwise_loss(p, t, loss, **options)
    want = differences(lambda p: F.pointwise_loss(p, t, loss, **options).loss, p)
    np.testing.assert_allclose(result.dpredictions, want, rtol=1e-6, atol=1e-8)
