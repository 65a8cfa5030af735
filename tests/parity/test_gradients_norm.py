"""Normalisation of images, in ghost batches, of layers and groups against finite differences, on both backends."""

import numpy as np
import pytest

from flyball import functional as F
from parity.test_gradients import check

RNG = np.random.default_rng(6)
X = RNG.standard_normal((4, 6, 3, 2))
MASK = RNG.random(X.shape) < 0.6

pytestmark = pytest.mark.usefixtures("each_backend")


def parameters(*shape):
    return np.random.default_rng(7).standard_normal((2, *shape))


@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize("options", [{}, {"activation": "relu", "mask": MASK, "rate": 0.4}, {"virtual_batch_size": 2}])
def test_batch_norm(axis, options):
    gamma, beta = parameters(X.shape[axis])

    def backward(dy, y):
        _, mean, rstd = F.batch_norm_forward(X, gamma, beta, axis=axis, **options)
        return F.batch_norm_backward(dy, X, mean, rstd, gamma, beta, axis=axis, **options)

    def forward(x=X, gamma=gamma, beta=beta):
        return F.batch_norm_forward(x, gamma, beta, axis=axis, **options).y

    check(forward, lambda dy, y: backward(dy, y).dx, X)
    check(lambda g: forward(gamma=g), lambda dy, y: backward(dy, y).dgamma, gamma)
    check(lambda b: forward(beta=b), lambda dy, y: backward(dy, y).dbeta, beta)


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_layer_norm(axis):
    gamma, beta = parameters(*X.shape[axis:])

    def backward(dy, y):
        _, mean, rstd = F.layer_norm_forward(X, gamma, beta, axis=axis)
        return F.layer_norm_backward(dy, X, mean, rstd, gamma, beta, axis=axis)

    check(lambda x: F.layer_norm_forward(x, gamma, beta, axis=axis).y, lambda dy, y: backward(dy, y).dx, X)
    check(lambda g: F.layer_norm_forward(X, g, beta, axis=axis).y, lambda dy, y: backward(dy, y).dgamma, gamma)
    check(lambda b: F.layer_norm_forward(X, gamma, b, axis=axis).y, lambda dy, y: backward(dy, y).dbeta, beta)


@pytest.mark.parametrize("axis", [1, -1])
def test_rms_norm(axis):
    gamma, _ = parameters(*X.shape[axis:])

    def backward(dy, y):
        return F.rms_norm_backward(dy, X, F.rms_norm_forward(X, gamma, axis=axis).rstd, gamma, axis=axis)

    check(lambda x: F.rms_norm_forward(x, gamma, axis=axis).y, lambda dy, y: backward(dy, y).dx, X)
    check(lambda g: F.rms_norm_forward(X, g, axis=axis).y, lambda dy, y: backward(dy, y).dgamma, gamma)


@pytest.mark.parametrize(("axis", "groups"), [(1, 1), (1, 2), (1, 6), (2, 3), (-1, 1), (-1, 2)])
def test_group_norm(axis, groups):
    gamma, beta = parameters(X.shape[axis])

    def backward(dy, y):
        _, mean, rstd = F.group_norm_forward(X, groups, gamma, beta, axis=axis)
        return F.group_norm_backward(dy, X, mean, rstd, gamma, beta, axis=axis)

    check(lambda x: F.group_norm_forward(x, groups, gamma, beta, axis=axis).y, lambda dy, y: backward(dy, y).dx, X)
    check(lambda g: F.group_norm_forward(X, groups, g, beta, axis=axis).y, lambda dy, y: backward(dy, y).dgamma, gamma)
    check(lambda b: F.group_norm_forward(X, groups, gamma, b, axis=axis).y, lambda dy, y: backward(dy, y).dbeta, beta)
