"""What a dense layer adds to its product: to the bit, whichever kernel multiplies and however the work is shared."""

import numpy as np
import pytest

import flyball._core as native
from parity.harness import LEVELS

# A single row; several blocks of the inner dimension and of rows; remainders of tiles; what zeros are passed over in;
# panels that are packed ahead.
SIZES = [(1, 300, 77), (1, 40, 256), (70, 600, 130), (600, 90, 33), (13, 7, 3), (130, 256, 128), (300, 700, 150)]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("share", [1.0, 0.2])
@pytest.mark.parametrize("bias", [False, True])
def test_added(level, threads, sizes, share, bias, dtype):
    native.set_level(level)
    native.set_num_threads(threads)
    rows, inputs, units = sizes
    rng = np.random.default_rng(4)
    x = (rng.standard_normal((rows, inputs)) * (rng.random((rows, inputs)) < share)).astype(dtype)
    w, b = rng.standard_normal((inputs, units)).astype(dtype), rng.standard_normal(units).astype(dtype)
    added = rng.standard_normal((rows, units)).astype(dtype)
    plain, y = np.empty((rows, units), dtype), np.empty((rows, units), dtype)
    native.dense_forward(plain, x, w, b if bias else None, None, "linear", 0.0)
    native.dense_forward(y, x, w, b if bias else None, added, "linear", 0.0)
    np.testing.assert_array_equal(y, plain + added)
    native.dense_forward(y, x, w, b if bias else None, added, "relu", 0.0)
    np.testing.assert_array_equal(y, np.maximum(plain + added, 0))
    native.dense_forward(y, x, w, b if bias else None, added, "tanh", 0.0)
    np.testing.assert_allclose(y, np.tanh(plain + added), rtol=1e-6)
