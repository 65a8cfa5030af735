"""Bad input: the argument, the value and what was expected; the same text from both backends, and nothing changed."""

import re

import numpy as np
import pytest

from flyball import functional as F
from flyball.backend import ACTIVATIONS, LOSSES

pytestmark = pytest.mark.usefixtures("each_backend")
X = np.linspace(-1, 1, 30, dtype=np.float32).reshape(6, 5)
W = np.ones((5, 3), np.float32)
B = np.ones(3, np.float32)
LABELS = np.array([0, 1, 2, 3, 4, 0])
NAN_LABELS = np.array([0, 1, np.nan, 3, 4, 0])
HALF = np.full((6, 5), 0.5, np.float32)
NAN = float("nan")


def with_nan(array):
    array = array.copy()
    array[2, 1] = np.nan
    return array


CASES = [
    # dtypes
    (lambda: F.activation_forward([1.0], "relu"), TypeError, "x must be a NumPy array, got list"),
    (lambda: F.activation_forward(np.ma.array(X), "relu"), TypeError, "x must be a NumPy array, got MaskedArray"),
    (lambda: F.activation_forward(X.astype(int), "relu"), TypeError, "x must be float32 or float64, got int64"),
    (lambda: F.activation_forward(X.astype("f2"), "relu"), TypeError, "x must be float32 or float64, got float16"),
    (lambda: F.activation_forward(X.astype(object), "relu"), TypeError, "x must be float32 or float64, got object"),
    (lambda: F.dense_forward(X, W.astype("f8")), TypeError, "w must be float32 like x, got float64"),
    (lambda: F.dense_forward(X, W, B.astype("f8")), TypeError, "b must be float32 like x, got float64"),
    (lambda: F.matmul(X, W.astype("f8")), TypeError, "b must be float32 like a, got float64"),
    (lambda: F.dropout_forward(X, 0.5, mask=X), TypeError, "mask must be bool, got float32"),
    (lambda: F.batch_norm_backward(X, X, B, B), TypeError, "mean must be float64, got float32"),
    # shapes
    (lambda: F.dense_forward(X, W.T), ValueError, "w must have shape (5, units), got (3, 5)"),
    (lambda: F.matmul(X, W.T.copy()), ValueError, "b must have shape (5, N), got (3, 5)"),
    (lambda: F.dense_backward(X, X, W), ValueError, "dy must have shape (6, 3), got (6, 5)"),
    (
        lambda: F.dense_forward(X, W, np.ones(4, "f4")),
        ValueError,
        "b must be a C-contiguous float32 array of shape (3,), got float32 of shape (4,)",
    ),
    (lambda: F.softmax_backward(X, X[:3]), ValueError, "y must have shape (6, 5), got (3, 5)"),
    (lambda: F.batch_norm_forward(X[0]), ValueError, "x must have at least 2 dimensions, got shape (5,)"),
    (lambda: F.pointwise_loss(X, X[:, :1], "huber"), ValueError, "targets must have shape (6, 5), got (6, 1)"),
    (lambda: F.sgd_update(W.copy(), B), ValueError, "g must have shape (5, 3), got (3,)"),
    # empty data
    (lambda: F.activation_forward(X[:0], "relu"), ValueError, "x must not be empty, got shape (0, 5)"),
    (lambda: F.dense_forward(X[:0], W), ValueError, "x must not be empty, got shape (0, 5)"),
    (lambda: F.batch_norm_forward(X[:0]), ValueError, "x must not be empty, got shape (0, 5)"),
    (lambda: F.softmax_cross_entropy(X[:0], LABELS[:0]), ValueError, "logits must not be empty, got shape (0, 5)"),
    (lambda: F.gather(X, LABELS[:0]), ValueError, "rows must not be empty, got shape (0,)"),
    (lambda: F.batch_norm_forward(X[:1]), ValueError, "x must have at least 2 rows for batch statistics, got 1"),
    # out
    (
        lambda: F.activation_forward(X, "relu", out=np.empty((6, 5))),
        ValueError,
        "out must be a C-contiguous float32 array of shape (6, 5), got float64 of shape (6, 5)",
    ),
    (
        lambda: F.activation_forward(X, "relu", out=np.empty((5, 6), "f4").T),
        ValueError,
        "out must be a C-contiguous float32 array of shape (6, 5), got non-contiguous float32 of shape (6, 5)",
    ),
    (lambda: F.activation_forward(X, "relu", out=[1]), TypeError, "out must be a NumPy array, got list"),
    (lambda: F.dense_forward(W, np.eye(3, dtype="f4"), out=W), ValueError, "out must not overlap x"),
    (lambda: F.matmul(W, np.eye(3, dtype="f4"), out=W), ValueError, "out must not overlap a"),
    # numbers
    *(
        (lambda rate=rate: F.dropout_forward(X, rate, seed=1), ValueError, f"rate must be in [0, 1), got {rate}")
        for rate in (1.2, 1.0, -0.1, NAN, float("inf"))
    ),
    (lambda: F.dropout_mask(3, "a", seed=1), TypeError, "rate must be a number, got 'a'"),
    (lambda: F.dropout_mask(3, -1, seed=1), ValueError, "rate must be in [0, 1), got -1"),
    (lambda: F.dropout_forward(X, 0.5), TypeError, "seed must be an integer in [0, 2**64), got None"),
    (lambda: F.dropout_forward(X, 0.5, seed=-1), ValueError, "seed must be an integer in [0, 2**64), got -1"),
    (lambda: F.dropout_forward(X, 0.5, seed=2**64), ValueError, f"seed must be an integer in [0, 2**64), got {2**64}"),
    (lambda: F.dropout_forward(X, 0.5, seed=1.5), TypeError, "seed must be an integer in [0, 2**64), got 1.5"),
    (
        lambda: F.dropout_forward(X, 0.5, seed=1, step=2**48),
        ValueError,
        f"step must be an integer in [0, 2**48), got {2**48}",
    ),
    (
        lambda: F.dropout_forward(X, 0.5, seed=1, stream=-2),
        ValueError,
        "stream must be an integer in [0, 2**32), got -2",
    ),
    (lambda: F.dropout_forward(X, 0.5, seed=1, mask=X > 0), ValueError, "seed must be None where mask is given, got 1"),
    (lambda: F.batch_norm_forward(X, rate=0.5), ValueError, "mask must be given where rate is above 0, got None"),
    (lambda: F.batch_norm_forward(X, momentum=1.5), ValueError, "momentum must be in [0, 1], got 1.5"),
    (lambda: F.batch_norm_forward(X, epsilon=0.0), ValueError, "epsilon must be in (0, inf), got 0.0"),
    (lambda: F.batch_norm_forward(X, activation="x"), ValueError, "activation must be 'linear' or 'relu', got 'x'"),
    (
        lambda: F.activation_forward(X, "tan"),
        ValueError,
        f"activation must be one of {', '.join(ACTIVATIONS)}, got 'tan'",
    ),
    (lambda: F.activation_forward(X, "elu", alpha=-1.0), ValueError, "alpha must be in [0, inf), got -1.0"),
    (lambda: F.dense_forward(X, W, activation="elu", alpha=NAN), ValueError, "alpha must be in [0, inf), got nan"),
    (
        lambda: F.activation_backward(X, "gelu", y=X),
        ValueError,
        "x must be given for the derivative of gelu, got None",
    ),
    (lambda: F.sgd_update(W.copy(), W, learning_rate=NAN), ValueError, "learning_rate must be in [0, inf), got nan"),
    (lambda: F.sgd_update(W.copy(), W, learning_rate=-1), ValueError, "learning_rate must be in [0, inf), got -1"),
    (lambda: F.sgd_update(W.copy(), W, l2=-1.0), ValueError, "l2 must be in [0, inf), got -1.0"),
    (lambda: F.sgd_update(W.copy(), W, momentum=0.9), ValueError, "velocity must be given where momentum is above 0"),
    (
        lambda: F.adam_update(W.copy(), W, W.copy(), W.copy(), step=0),
        ValueError,
        "step must be an integer in [1, 2**63), got 0",
    ),
    (
        lambda: F.adam_update(W.copy(), W, W.copy(), W.copy(), step=1, beta_1=1.0),
        ValueError,
        "beta_1 must be in [0, 1), got 1.0",
    ),
    # sizes
    (lambda: F.dropout_mask((-1, 3), 0.5, seed=1), ValueError, "shape must not have negative sizes, got (-1, 3)"),
    (
        lambda: F.dropout_mask((2**40, 2**40), 0.5, seed=1),
        ValueError,
        f"shape ({2**40}, {2**40}) has too many elements",
    ),
    (
        lambda: F.dropout_mask((2**40, 2**40, 0), 0.5, seed=1),
        ValueError,
        f"shape ({2**40}, {2**40}, 0) has too many elements",
    ),
    (
        lambda: F.dropout_mask((2.0,), 0.5, seed=1),
        TypeError,
        "shape must be an integer or a sequence of integers, got (2.0,)",
    ),
    # labels
    (lambda: F.softmax_cross_entropy(X, LABELS + 1), ValueError, "labels must be in [0, 5), got 5 at row 4"),
    (lambda: F.softmax_cross_entropy(X, LABELS - 1), ValueError, "labels must be in [0, 5), got -1 at row 0"),
    (lambda: F.softmax_cross_entropy(X, NAN_LABELS), ValueError, "labels must be finite, got nan at [2]"),
    (
        lambda: F.softmax_cross_entropy(X, LABELS * 1.0),
        TypeError,
        "labels must be integers of shape (6,), or float32 of shape (6, 5), got float64 of shape (6,)",
    ),
    (lambda: F.softmax_cross_entropy(X, with_nan(HALF)), ValueError, "labels must be finite, got nan at [2, 1]"),
    (lambda: F.softmax_cross_entropy(X, -HALF), ValueError, "labels must not be negative, got -0.5"),
    (lambda: F.softmax_cross_entropy(X, LABELS[:5]), ValueError, "labels must have shape (6,), got (5,)"),
    (lambda: F.softmax_cross_entropy(X, LABELS > 0), TypeError, "labels must be integers, got bool"),
    (
        lambda: F.softmax_cross_entropy(X, np.full(6, 2**64 - 1, np.uint64)),
        ValueError,
        f"labels must be below 2**63, got {2**64 - 1}",
    ),
    (
        lambda: F.softmax_cross_entropy(X, LABELS, reduction="max"),
        ValueError,
        "reduction must be one of mean, sum, weighted_mean, none, got 'max'",
    ),
    (lambda: F.pointwise_loss(X, with_nan(X), "huber"), ValueError, "targets must be finite, got nan at [2, 1]"),
    (
        lambda: F.pointwise_loss(X, X, "l2"),
        ValueError,
        f"loss must be one of {', '.join(LOSSES)}, got 'l2'",
    ),
    (lambda: F.pointwise_loss(X, X, "huber", delta=0.0), ValueError, "delta must be in (0, inf), got 0.0"),
    (lambda: F.pointwise_loss(X, X, "huber", weights=B), ValueError, "weights must have shape (6,), got (3,)"),
    (
        lambda: F.pointwise_loss(X, X, "huber", weights=-HALF[:, 0]),
        ValueError,
        "weights must not be negative, got -0.5",
    ),
    (
        lambda: F.pointwise_loss(X, X, "huber", weights=0 * HALF[:, 0], reduction="weighted_mean"),
        ValueError,
        "weights must have a positive sum for a weighted mean, got 0.0",
    ),
    (
        lambda: F.softmax_cross_entropy(X, LABELS, label_smoothing=1.0),
        ValueError,
        "label_smoothing must be in [0, 1), got 1.0",
    ),
    (
        lambda: F.softmax_cross_entropy(X, LABELS, smooth="none"),
        ValueError,
        "smooth must be 'all' or 'others', got 'none'",
    ),
    (
        lambda: F.softmax_cross_entropy(X, LABELS, class_weights=B),
        ValueError,
        "class_weights must have shape (5,), got (3,)",
    ),
    (
        lambda: F.softmax_cross_entropy(X, LABELS + 1, class_weights=X[0] * 0),
        ValueError,
        "labels must be in [0, 5), got 5 at row 4",
    ),
    (lambda: F.gather(X, np.array([6])), ValueError, "rows must be in [0, 6), got 6 at position 0"),
    (lambda: F.gather(X, np.array([-1])), ValueError, "rows must be in [0, 6), got -1 at position 0"),
    (lambda: F.gather(X, np.array([0.0])), TypeError, "rows must be integers, got float64"),
    (lambda: F.gather(X.astype("U"), LABELS), TypeError, "x must be of a float or integer dtype, got <U"),
]


@pytest.mark.parametrize(("call", "error", "text"), [pytest.param(*case, id=case[2][:60]) for case in CASES])
def test_message(call, error, text):
    before = X.tobytes(), W.tobytes(), B.tobytes()
    with pytest.raises(error, match="^" + re.escape(text)):
        call()
    assert (X.tobytes(), W.tobytes(), B.tobytes()) == before


def test_out_is_untouched_where_labels_are_refused():
    out = np.full((6, 5), 7.0, np.float32)
    for labels in (LABELS + 1, NAN_LABELS, -HALF):
        with pytest.raises(ValueError, match="labels"):
            F.softmax_cross_entropy(X, labels, out=out)
    assert (out == 7.0).all()


def test_read_only_arrays_are_not_written_to():
    w = W.copy()
    w.flags.writeable = False
    with pytest.raises(ValueError, match=r"^w must be writeable, got a read-only array$"):
        F.sgd_update(w, W)
    with pytest.raises(ValueError, match=r"^out must be writeable, got a read-only array$"):
        F.activation_forward(W, "relu", out=w)
