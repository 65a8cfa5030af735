"""Backward passes of dropout against finite differences, in float64, on both backends."""

import numpy as np
import pytest

from flyball import functional as F
from parity.test_gradients import MASK, X, check

pytestmark = pytest.mark.usefixtures("each_backend")
ADDRESSES = [
    {"seed": 3},
    {"seed": 3, "step": 5, "noise_shape": (5, 1)},
    {"seed": 3, "stream": 7, "noise_shape": (1, None)},
    {"mask": MASK},
    {"mask": np.packbits(MASK, bitorder="little")},
    {"mask": MASK[:, :1]},
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("scale", [None, 1.0])
def test_dropout(address, scale):
    options = {**address, "scale": scale}
    check(lambda x: F.dropout_forward(x, 0.3, **options), lambda dy, y: F.dropout_backward(dy, 0.3, **options), X)


@pytest.mark.parametrize("address", ADDRESSES)
def test_alpha_dropout(address):
    def backward(dy, y):
        return F.alpha_dropout_backward(dy, 0.3, **address)

    check(lambda x: F.alpha_dropout_forward(x, 0.3, **address), backward, X)


def test_gaussian_noise_and_dropout():
    check(lambda x: F.gaussian_noise_forward(x, 0.3, seed=1), lambda dy, y: dy, X)
    check(
        lambda x: F.gaussian_dropout_forward(x, 0.3, seed=1),
        lambda dy, y: F.gaussian_dropout_backward(dy, 0.3, seed=1),
        X,
    )
