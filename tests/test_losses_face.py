"""Losses: their names, the targets they take, and their values."""

from __future__ import annotations

import re

import numpy as np
import pytest

import flyball
from flyball import layers, losses

SPARSE = losses.SparseCategoricalCrossentropy()
DENSE = losses.CategoricalCrossentropy()
SQUARED = losses.MeanSquaredError()


def test_defaults_and_names():
    assert (SPARSE.name, SPARSE.from_logits) == ("sparse_categorical_crossentropy", False)
    assert (DENSE.name, DENSE.from_logits) == ("categorical_crossentropy", False)
    assert (SQUARED.name, SQUARED.from_logits) == ("mean_squared_error", False)
    assert losses.SparseCategoricalCrossentropy(from_logits=True).from_logits is True


@pytest.mark.parametrize("name", ["mse", "MSE", "mean_squared_error", "MeanSquaredError"])
def test_get(name):
    assert type(losses.get(name)) is losses.MeanSquaredError
    assert losses.get(SPARSE) is SPARSE


def test_config_round_trip():
    loss = losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    config = {
        "from_logits": True,
        "label_smoothing": 0.1,
        "axis": -1,
        "reduction": "sum_over_batch_size",
        "name": "categorical_crossentropy",
        "smooth": "all",
        "label_noise": 0.0,
    }
    assert losses.get(losses.serialize(loss)).get_config() == config
    assert losses.get(losses.serialize(losses.Huber(0.5))).objective.scalars == (("loss", "huber"), ("delta", 0.5))


@pytest.mark.parametrize("y", [[0, 2, 1], [[0], [2], [1]], [0.0, 2.0, 1.0], np.array([0, 2, 1], np.uint8)])
def test_sparse_targets(y):
    labels = SPARSE.prepare_targets(y, (3,), np.float32)
    assert labels.dtype == np.int64
    assert labels.flags.c_contiguous
    np.testing.assert_array_equal(labels, [0, 2, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_categorical_targets(dtype):
    targets = DENSE.prepare_targets([[1, 0], [0.25, 0.75]], (2,), dtype)
    assert targets.dtype == dtype
    np.testing.assert_array_equal(targets, [[1, 0], [0.25, 0.75]])


def test_squared_targets():
    np.testing.assert_array_equal(SQUARED.prepare_targets([1, 2], (1,), np.float32), [[1], [2]])
    np.testing.assert_array_equal(SQUARED.prepare_targets([[1, 2]], (2,), np.float64), [[1, 2]])


def test_empty_targets_have_their_shape():
    assert SPARSE.prepare_targets(np.empty(0, int), (3,), np.float32).shape == (0,)
    assert DENSE.prepare_targets(np.empty((0, 3)), (3,), np.float32).shape == (0, 3)


@pytest.mark.parametrize(
    ("loss", "y", "shape", "message"),
    [
        (SPARSE, [0, 3], (3,), "y must be integers in [0, 3), got 3 in row 1"),
        (SPARSE, [-1, 0], (3,), "y must be integers in [0, 3), got -1 in row 0"),
        (SPARSE, [0, np.nan], (3,), "y must be integers in [0, 3), got nan in row 1"),
        (SPARSE, [0, np.inf], (3,), "y must be integers in [0, 3), got inf in row 1"),
        (SPARSE, [0, 1.5], (3,), "y must be integers in [0, 3), got 1.5 in row 1"),
        (SPARSE, np.array([2**63], np.uint64), (3,), "y must be integers in [0, 3), got 9223372036854775808"),
        (SPARSE, np.eye(3), (3,), "got shape (3, 3); for one-hot rows use categorical_crossentropy"),
        (SPARSE, ["a"], (3,), "y must be an array of numbers, got dtype <U1"),
        (SPARSE, [None], (3,), "y must be an array of numbers, got dtype object"),
        (SPARSE, [[1], [1, 2]], (3,), "y must be an array of numbers, got list"),
        (
            SPARSE,
            [0],
            (3, 4),
            "y must be of shape (n, 3) or (n, 3, 1) for sparse_categorical_crossentropy, got shape (1,)",
        ),
        (
            DENSE,
            [[0, 1]],
            (2, 3),
            "y must be of shape (n, 2, 3) for categorical_crossentropy, got shape (1, 2); for class",
        ),
        (DENSE, [0, 1], (2,), "got shape (2,); for class indices use sparse_categorical_crossentropy"),
        (DENSE, [[0, 1, 0]], (2,), "y must be of shape (n, 2) for categorical_crossentropy, got shape (1, 3)"),
        (DENSE, [[1, 0], [-0.5, 1.5]], (2,), "y must be non-negative and finite, got -0.5 in row 1"),
        (DENSE, [[np.nan, 1]], (2,), "y must be non-negative and finite, got nan in row 0"),
        (DENSE, [[1, 0], [0.5, 0.4]], (2,), "y must be rows that sum to 1, got a sum of 0.9 in row 1"),
        (SQUARED, [1, 2], (2,), "y must be of shape (n, 2) for mean_squared_error, got shape (2,)"),
        (SQUARED, [[1, 2]], (1,), "y must be of shape (n,) or (n, 1) for mean_squared_error, got shape (1, 2)"),
        (SQUARED, [1, np.nan], (1,), "y must be finite in float32, got nan in row 1"),
        (SQUARED, [1e300], (1,), "y must be finite in float32, got 1e+300 in row 0"),
        (losses.BinaryCrossentropy(), [0, 1.5], (1,), "y must be in [0, 1], got 1.5 in row 1"),
        (losses.Hinge(), [0, 0.5], (1,), "y must be -1 or 1, or 0 or 1, got 0.5 in row 1"),
    ],
)
def test_bad_targets(loss, y, shape, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        loss.prepare_targets(y, shape, np.float32)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.get("sparse_categorical_crosentropy"), "did you mean 'sparse_categorical_crossentropy'?"),
        (lambda: losses.get(None), "loss must be a loss or one of"),
        (lambda: losses.Huber(0), "delta must be in (0, inf), got 0"),
        (lambda: losses.BinaryCrossentropy(label_smoothing=1), "label_smoothing must be in [0, 1), got 1"),
        (lambda: losses.CategoricalCrossentropy(from_logits="yes"), "from_logits must be True or False, got 'yes'"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


# --- values ----------------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(5)
P = RNG.random((4, 3, 5)) * 0.9 + 0.05
T = RNG.random((4, 3, 5)) * 0.9 + 0.05
SHARES, GOAL = P / P.sum(-1, keepdims=True), T / T.sum(-1, keepdims=True)
LABELS = RNG.integers(0, 5, (4, 3))
LOGITS = RNG.standard_normal((4, 3, 5)) * 20


def log_softmax(x):
    return x - x.max(-1, keepdims=True) - np.log(np.exp(x - x.max(-1, keepdims=True)).sum(-1, keepdims=True))


def picked(rows):
    return np.take_along_axis(rows, LABELS[..., None], -1)[..., 0]


COSINE = ((T - 0.5) * P).sum(-1) / np.linalg.norm(T - 0.5, axis=-1) / np.linalg.norm(P, axis=-1)
HINGE = np.maximum(1 - (LABELS % 2 * 2 - 1) * P[..., 0], 0)
VALUES = [
    (losses.MeanSquaredError, {}, T, P, ((P - T) ** 2).mean(-1)),
    (losses.MeanAbsoluteError, {}, T, P, np.abs(P - T).mean(-1)),
    (losses.Huber, {"delta": 1.0}, T, P, ((P - T) ** 2 / 2).mean(-1)),
    (losses.Huber, {"delta": 0.01}, T, P + T + 0.01, (0.01 * (P + 0.005)).mean(-1)),
    (losses.LogCosh, {}, T, P, np.log(np.cosh(P - T)).mean(-1)),
    (losses.MeanAbsolutePercentageError, {}, T - 0.5, P, 100 * (np.abs(P - T + 0.5) / np.abs(T - 0.5)).mean(-1)),
    (losses.MeanSquaredLogarithmicError, {}, 9 * T, P, (np.log((1 + P) / (1 + 9 * T)) ** 2).mean(-1)),
    (losses.CosineSimilarity, {}, T - 0.5, P, -COSINE),
    (losses.Poisson, {}, T, P, (P - T * np.log(P + 1e-7)).mean(-1)),
    (losses.KLDivergence, {}, T, P, (T * np.log(T / P)).sum(-1)),
    (losses.BinaryCrossentropy, {}, T, P, -(T * np.log(P) + (1 - T) * np.log(1 - P)).mean(-1)),
    (losses.BinaryCrossentropy, {"from_logits": True}, T, LOGITS, (np.logaddexp(0, LOGITS) - T * LOGITS).mean(-1)),
    (losses.CategoricalCrossentropy, {}, GOAL, 3 * SHARES, -(GOAL * np.log(SHARES)).sum(-1)),
    (losses.CategoricalCrossentropy, {"from_logits": True}, GOAL, LOGITS, -(GOAL * log_softmax(LOGITS)).sum(-1)),
    (losses.SparseCategoricalCrossentropy, {}, LABELS, SHARES, -np.log(picked(SHARES))),
    (
        losses.SparseCategoricalCrossentropy,
        {"from_logits": True},
        LABELS[..., None],
        LOGITS,
        -picked(log_softmax(LOGITS)),
    ),
    (losses.Hinge, {}, LABELS[..., None] % 2, P[..., :1], HINGE),
    (losses.SquaredHinge, {}, LABELS[..., None] % 2 * 2 - 1, P[..., :1], HINGE**2),
]


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize(
    ("cls", "arguments", "y_true", "y_pred", "want"), VALUES, ids=[row[0].__name__ for row in VALUES]
)
def test_values_and_reductions(cls, arguments, y_true, y_pred, want, dtype):
    y_pred = y_pred.astype(dtype)
    close = {"rtol": 2e-5 if dtype == "float32" else 1e-9, "atol": 1e-6 if dtype == "float32" else 0}
    weights = np.arange(12.0).reshape(4, 3)
    np.testing.assert_allclose(cls(reduction=None, **arguments)(y_true, y_pred), want, **close)
    np.testing.assert_allclose(cls(**arguments)(y_true, y_pred), want.mean(), **close)
    np.testing.assert_allclose(
        cls(reduction="sum", **arguments)(y_true, y_pred, weights), (weights * want).sum(), **close
    )
    mean = cls(reduction="mean_with_sample_weight", **arguments)(y_true, y_pred, weights[..., None])
    np.testing.assert_allclose(mean, (weights * want).sum() / weights.sum(), **close)
    function = getattr(losses, losses.get(cls).name.removesuffix("_loss"))
    np.testing.assert_allclose(function(y_true, y_pred, **arguments), want, **close)


def test_label_smoothing_in_both_conventions():
    # Keras: (1 - eps) * t + eps / K; over the others: 1 - eps for the target, eps / (K - 1) for each other class.
    every = -(0.3 / 5 * log_softmax(LOGITS)).sum(-1)
    target = -picked(log_softmax(LOGITS))
    others = -log_softmax(LOGITS).sum(-1) - target
    for smooth, want in (("all", every + 0.7 * target), ("others", 0.7 * target + 0.3 / 4 * others)):
        arguments = {"from_logits": True, "label_smoothing": 0.3, "smooth": smooth, "reduction": None}
        np.testing.assert_allclose(losses.SparseCategoricalCrossentropy(**arguments)(LABELS, LOGITS), want)
        np.testing.assert_allclose(losses.CategoricalCrossentropy(**arguments)(np.eye(5)[LABELS], LOGITS), want)


class Cubed(losses.Loss):
    def call(self, y_true, y_pred):
        return (np.abs(y_true - y_pred) ** 3).mean(-1)


def test_a_loss_of_ones_own_has_values_and_no_gradient():
    np.testing.assert_allclose(Cubed()([[1.0, 2.0]], [[2.0, 4.0]]), 4.5)
    model = flyball.Sequential([layers.Dense(1, input_shape=(2,))])
    with pytest.raises(ValueError, match=re.escape("loss must be one of flyball.losses to train with, got Cubed")):
        model.compile("sgd", Cubed())
    with pytest.raises(ValueError, match=re.escape("reduction must be one to a number to train with, got 'none'")):
        model.compile("sgd", losses.MeanSquaredError(reduction="none"))


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize(
    ("loss", "activation"), [("mse", None), ("bce", "sigmoid"), (losses.Huber(0.3), "tanh"), ("hinge", "tanh")]
)
def test_outputs_of_any_shape_have_the_loss_of_a_row_of_them(loss, activation):
    x = RNG.standard_normal((9, 4))
    y = RNG.integers(0, 2, (9, 3, 2)).astype(float)
    results = []
    for shape in ((6,), (3, 2), (3, 2, 1)):
        flyball.utils.set_random_seed(0)
        stack = [layers.Dense(6, input_shape=(4,)), layers.Reshape(shape), layers.Activation(activation)]
        model = flyball.Sequential(stack, dtype="float64")
        model.compile("sgd", loss, metrics=["mae"])
        given = y.reshape(9, *shape) if shape[-1] != 1 else y
        history = model.fit(x, given, epochs=3, batch_size=4, verbose=0, validation_data=(x, given)).history
        results.append([*history.values()])
        np.testing.assert_allclose(model.loss(given, model.predict(x)), history["val_loss"][-1], rtol=1e-6)
    np.testing.assert_allclose(results[0], results[1], rtol=1e-12)
    np.testing.assert_allclose(results[0], results[2], rtol=1e-12)
    with pytest.raises(ValueError, match=re.escape("y must be of shape (n, 3, 2) or (n, 3, 2, 1) for")):
        model.fit(x, y[:, :2], verbose=0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: losses.MeanSquaredError()(T, P[:2]), ValueError, "y_true must be of shape (2, 3, 5), that of y_pred"),
        (lambda: losses.CategoricalCrossentropy()([1, 2], SHARES), ValueError, "y_true must be of shape (4, 3, 5)"),
        (
            lambda: losses.SparseCategoricalCrossentropy()([7] * 4, SHARES[:, 0]),
            ValueError,
            "y_true must be integers in [0, 5), got 7 in row 0",
        ),
        (
            lambda: losses.SparseCategoricalCrossentropy()(LABELS, SHARES[:2]),
            ValueError,
            "y_true must be of shape (2, 3)",
        ),
        (
            lambda: losses.MeanSquaredError()(T, P, np.ones(7)),
            ValueError,
            "sample_weight must be of a shape that broadcasts with (4, 3), got (7,)",
        ),
        (lambda: losses.MeanSquaredError()("a", P), ValueError, "y_true must be an array of numbers, got dtype <U1"),
        (
            lambda: losses.MeanSquaredError(reduction="avg"),
            ValueError,
            "reduction must be one of sum_over_batch_size, mean",
        ),
        (
            lambda: losses.MeanSquaredError(reductoin="sum"),
            TypeError,
            "unexpected keyword argument 'reductoin'; did you mean 'reduction'?",
        ),
        (
            lambda: losses.CategoricalCrossentropy(smooth="some"),
            ValueError,
            "smooth must be one of all, others, got 'some'",
        ),
        (
            lambda: losses.get(lambda y_true, y_pred: 0.0),
            ValueError,
            "got the function '<lambda>': training needs its gradient",
        ),
    ],
)
def test_bad_calls(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()
