"""Metrics against scikit-learn and formulas, by themselves and in models, whose steps leave their outputs behind."""

import json
import re

import numpy as np
import pytest

import flyball
from flyball import layers, losses, metrics

RNG = np.random.default_rng(3)
ROWS = 203
CLASSES = RNG.integers(0, 4, ROWS)
SCORES = RNG.random((ROWS, 4))
SCORES /= SCORES.sum(1, keepdims=True)
BITS = RNG.integers(0, 2, ROWS)
CHANCES = np.clip(0.3 * BITS + 0.7 * RNG.random(ROWS), 0, 1)
WEIGHTS = RNG.random(ROWS)
VALUES, GUESSES = RNG.standard_normal((ROWS, 2)), RNG.standard_normal((ROWS, 2))


def in_parts(metric, y_true, y_pred, weights=None):
    """Return the result of a metric that was given its samples in several batches."""
    for rows in (slice(0, 50), slice(50, 51), slice(51, None)):
        metric.update_state(y_true[rows], y_pred[rows], None if weights is None else weights[rows])
    return metric.result()


def test_classification_is_scikit_learns():
    sk = pytest.importorskip("sklearn.metrics")
    hard = SCORES.argmax(1)
    for weights in (None, WEIGHTS):
        options = {"sample_weight": weights}
        close = {"rtol": 1e-6}
        np.testing.assert_allclose(
            in_parts(metrics.SparseCategoricalAccuracy(), CLASSES, SCORES, weights),
            sk.accuracy_score(CLASSES, hard, **options),
        )
        np.testing.assert_allclose(
            in_parts(metrics.SparseTopKCategoricalAccuracy(k=2), CLASSES, SCORES, weights),
            sk.top_k_accuracy_score(CLASSES, SCORES, k=2, **options),
        )
        np.testing.assert_allclose(
            in_parts(metrics.BinaryAccuracy(threshold=0.4), BITS, CHANCES, weights),
            sk.accuracy_score(BITS, CHANCES > 0.4, **options),
        )
        for name, function in (("Precision", sk.precision_score), ("Recall", sk.recall_score)):
            got = in_parts(getattr(metrics, name)(), BITS, CHANCES, weights)
            np.testing.assert_allclose(got, function(BITS, CHANCES > 0.5, **options))
        for average in (None, "macro", "weighted"):
            got = in_parts(metrics.F1Score(average), np.eye(4)[CLASSES], SCORES, weights)
            np.testing.assert_allclose(got, sk.f1_score(CLASSES, hard, average=average, **options), **close)
        got = in_parts(metrics.FBetaScore("macro", beta=2.0), np.eye(4)[CLASSES], SCORES, weights)
        np.testing.assert_allclose(got, sk.fbeta_score(CLASSES, hard, beta=2.0, average="macro", **options), **close)
        # The area is exact where each prediction has a threshold of its own.
        every = metrics.AUC(thresholds=np.unique(CHANCES))
        np.testing.assert_allclose(in_parts(every, BITS, CHANCES, weights), sk.roc_auc_score(BITS, CHANCES, **options))
        got = in_parts(metrics.AUC(num_thresholds=2000), BITS, CHANCES, weights)
        np.testing.assert_allclose(got, sk.roc_auc_score(BITS, CHANCES, **options), atol=1e-3)


def test_regression_is_scikit_learns():
    sk = pytest.importorskip("sklearn.metrics")
    for weights in (None, WEIGHTS):
        options = {"sample_weight": weights}
        for name, function in (
            ("MeanSquaredError", sk.mean_squared_error),
            ("RootMeanSquaredError", sk.root_mean_squared_error),
            ("MeanAbsoluteError", sk.mean_absolute_error),
            ("R2Score", sk.r2_score),
        ):
            got = in_parts(getattr(metrics, name)(), VALUES[:, :1], GUESSES[:, :1], weights)
            np.testing.assert_allclose(got, function(VALUES[:, 0], GUESSES[:, 0], **options), rtol=1e-12)
        got = in_parts(metrics.MeanAbsolutePercentageError(), VALUES, GUESSES, weights)
        np.testing.assert_allclose(got, 100 * sk.mean_absolute_percentage_error(VALUES, GUESSES, **options))
    got = in_parts(metrics.R2Score("variance_weighted_average"), VALUES, GUESSES)
    np.testing.assert_allclose(got, sk.r2_score(VALUES, GUESSES, multioutput="variance_weighted"))
    got = in_parts(metrics.CosineSimilarity(), VALUES, GUESSES)
    want = (VALUES * GUESSES).sum(1) / np.linalg.norm(VALUES, axis=1) / np.linalg.norm(GUESSES, axis=1)
    np.testing.assert_allclose(got, want.mean())


def test_names_and_configurations():
    for name in ("mse", "auc", "f1_score", "top_k_categorical_accuracy"):
        assert metrics.get(name).name == name
    for made in (metrics.AUC(50, "PR", name="area"), metrics.Precision([0.2, 0.4], class_id=1), metrics.R2Score(None)):
        twin = metrics.get(metrics.serialize(made))
        assert type(twin) is type(made)
        assert twin.get_config() == made.get_config()
    assert metrics.get(metrics.AUC).name == "auc"


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        (losses.SparseCategoricalCrossentropy(), metrics.SparseCategoricalAccuracy),
        (losses.CategoricalCrossentropy(), metrics.CategoricalAccuracy),
        (losses.BinaryCrossentropy(), metrics.BinaryAccuracy),
        (losses.Hinge(), metrics.SignAccuracy),
    ],
)
def test_accuracy_suits_the_loss(loss, kind):
    assert type(metrics.get("accuracy", loss)) is kind
    assert metrics.get("acc", loss).name == "acc"


@pytest.mark.parametrize("metric", [metrics.SparseCategoricalAccuracy, metrics.SparseTopKCategoricalAccuracy])
def test_a_label_that_is_no_class_is_a_miss(metric):
    scores = np.eye(4)[[0, 1, 3, 3]]
    assert metric()([-1, 1, 255, 3], scores) == 0.5


def test_accuracy_of_logits_is_at_zero_and_without_a_loss_of_classes_by_the_shapes():
    assert metrics.get("accuracy", losses.BinaryCrossentropy(from_logits=True)).threshold == 0.0
    plain = metrics.get("accuracy", losses.MeanSquaredError())
    assert plain([[1], [0]], [[0.7], [0.6]]) == 0.5
    plain.reset_state()
    assert plain([[0, 1], [1, 0]], [[0.2, 0.3], [0.2, 0.3]]) == 0.5
    plain.reset_state()
    assert plain([1, 1], [[0.2, 0.3], [0.2, 0.3]]) == 1.0


@pytest.mark.parametrize(
    ("metric", "loss", "source"),
    [
        ("accuracy", losses.SparseCategoricalCrossentropy(), "hits"),
        ("categorical_accuracy", losses.CategoricalCrossentropy(label_smoothing=0.1), "hits"),
        ("mse", losses.MeanSquaredError(), "data_loss"),
        ("mse", losses.MeanSquaredError(name="mine"), "data_loss"),
        ("mae", losses.MeanSquaredError(), None),
        ("accuracy", losses.BinaryCrossentropy(), None),
        ("categorical_crossentropy", losses.CategoricalCrossentropy(), "data_loss"),
        ("categorical_crossentropy", losses.CategoricalCrossentropy(label_smoothing=0.1), None),
    ],
)
def test_what_the_loss_computes_anyway_is_read_off_it(metric, loss, source):
    assert metrics.native_source(metrics.get(metric, loss), loss) == source


# --- in models -------------------------------------------------------------------------------------------------------

X = RNG.standard_normal((ROWS, 5)).astype(np.float32)
Y3 = (X[:, :3] + 0.5 * RNG.standard_normal((ROWS, 3))).argmax(1)


def classifier(loss="sparse_categorical_crossentropy", outputs=3, activation="softmax", **options):
    flyball.utils.set_random_seed(1)
    stack = [layers.Dense(8, "tanh", input_shape=(5,)), layers.Dense(outputs, activation)]
    model = flyball.Sequential(stack, dtype="float64")
    model.compile("adam", loss, **options)
    return model


def cross(y_true, y_pred):
    return -np.log(np.take_along_axis(y_pred, y_true[:, None], 1))[:, 0]


@pytest.mark.usefixtures("each_backend")
def test_recorded_metrics_are_those_of_the_outputs():
    # A learning rate of 0: all epochs' outputs are the model's predictions.
    names = ["accuracy", "sparse_top_k_categorical_accuracy", metrics.SparseTopKCategoricalAccuracy(2, "top2"), cross]
    model = classifier(metrics=names)
    model.optimizer.learning_rate = 0.0
    history = model.fit(X, Y3, epochs=2, batch_size=32, verbose=0, validation_data=(X[:50], Y3[:50])).history
    p = model.predict(X)
    rank = (p > np.take_along_axis(p, Y3[:, None], 1)).sum(1)
    want = {"accuracy": rank == 0, "top2": rank < 2, "cross": cross(Y3, p)}
    for name, values in want.items():
        np.testing.assert_allclose(history[name], [values.mean()] * 2, rtol=1e-12)
        np.testing.assert_allclose(history[f"val_{name}"], [values[:50].mean()] * 2, rtol=1e-12)
    np.testing.assert_allclose(history["cross"], history["loss"], rtol=1e-12)
    assert history["sparse_top_k_categorical_accuracy"] == [1.0, 1.0]
    assert model.metrics_names == ["loss", "accuracy", "sparse_top_k_categorical_accuracy", "top2", "cross"]
    result = model.evaluate(X, Y3, verbose=0, return_dict=True)
    np.testing.assert_allclose(result["top2"], want["top2"].mean())


@pytest.mark.usefixtures("each_backend")
def test_metrics_of_an_epoch_are_of_the_outputs_its_steps_had():
    # As the loss is: a metric that is computed from recorded outputs is the loss that training reports.
    model = classifier(metrics=["accuracy", metrics.MeanMetricWrapper(cross, "cross")])
    history = model.fit(X, Y3, epochs=3, batch_size=32, verbose=0).history
    np.testing.assert_allclose(history["cross"], history["loss"], rtol=1e-10)
    assert history["cross"][0] > history["cross"][-1]


@pytest.mark.parametrize("recorded", [False, True])
def test_recording_changes_no_bit_of_the_training(recorded):
    model = classifier(metrics=[cross] if recorded else None)
    model.fit(X, Y3, epochs=3, batch_size=32, verbose=0)
    plain = classifier()
    plain.fit(X, Y3, epochs=3, batch_size=32, verbose=0)
    assert model.fingerprint() == plain.fingerprint()


def test_batches_and_arrays_have_the_same_metrics():
    class Watch(flyball.callbacks.Callback):
        seen = ()

        def on_train_batch_end(self, batch, logs=None):
            self.seen = (*self.seen, logs["cross"])

    results, watch = [], Watch()
    for data in ((X, Y3), ([(X[i : i + 32], Y3[i : i + 32]) for i in range(0, ROWS, 32)], None)):
        model = classifier(metrics=[cross, "accuracy"])
        options = {"batch_size": 32, "callbacks": [watch]} if data[1] is not None else {}
        history = model.fit(*data, epochs=2, verbose=0, shuffle=False, **options).history
        results.append([history["cross"], history["accuracy"]])
    np.testing.assert_allclose(*results, rtol=1e-12)
    assert watch.seen[6] == results[0][0][0]
    assert len(watch.seen) == 14


@pytest.mark.usefixtures("each_backend")
def test_weighted_metrics_use_weights_and_metrics_do_not():
    model = classifier(metrics=["accuracy", "sparse_categorical_crossentropy"], weighted_metrics=[cross])
    weights = WEIGHTS * 3
    result = model.evaluate(X, Y3, sample_weight=weights, verbose=0, return_dict=True)
    p = model.predict(X)
    np.testing.assert_allclose(result["cross"], (weights * cross(Y3, p)).sum() / weights.sum(), rtol=1e-10)
    np.testing.assert_allclose(result["sparse_categorical_crossentropy"], cross(Y3, p).mean(), rtol=1e-10)
    np.testing.assert_allclose(result["accuracy"], (p.argmax(1) == Y3).mean())
    np.testing.assert_allclose(result["loss"], (weights * cross(Y3, p)).mean(), rtol=1e-10)


@pytest.mark.parametrize("from_logits", [False, True])
def test_binary_metrics_see_probabilities_or_logits_as_the_model_gives_them(from_logits):
    y = (Y3 == 1).astype(float)
    loss = losses.BinaryCrossentropy(from_logits=from_logits, label_smoothing=0.2)
    area = metrics.AUC(from_logits=from_logits)
    model = classifier(loss, 1, None if from_logits else "sigmoid", metrics=["accuracy", area])
    model.fit(X, y, epochs=2, verbose=0)
    result = model.evaluate(X, y, verbose=0, return_dict=True)
    p = model.predict(X)[:, 0]
    np.testing.assert_allclose(result["accuracy"], ((p > (0 if from_logits else 0.5)) == y).mean())
    chances = 1 / (1 + np.exp(-p)) if from_logits else p
    np.testing.assert_allclose(result["auc"], metrics.AUC()(y, chances), rtol=1e-9)


def test_a_saved_model_has_its_metrics(tmp_path):
    model = classifier(metrics=["acc", metrics.SparseTopKCategoricalAccuracy(2, "top2")], weighted_metrics=["accuracy"])
    model.save(tmp_path / "model.fb")
    twin = flyball.load_model(tmp_path / "model.fb")
    assert twin.evaluate(X, Y3, verbose=0) == model.evaluate(X, Y3, verbose=0)
    assert twin.metrics_names == ["loss", "acc", "top2", "accuracy"]
    with pytest.raises(ValueError, match="a function must have a name to be saved or copied, got a lambda"):
        classifier(metrics=[lambda y_true, y_pred: y_pred]).save(tmp_path / "other.fb")


def test_a_metric_of_ones_own():
    class Largest(metrics.Metric):
        sums = ()

        def reset_state(self):
            self.largest = 0.0

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.largest = max(self.largest, float(np.max(y_pred)))

        def result(self):
            return self.largest

    model = classifier(metrics=[Largest()])
    assert model.evaluate(X, Y3, verbose=0)[1] == model.predict(X).max()
    assert model.metrics_names == ["loss", "largest"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: metrics.get("acuracy"), ValueError, "metric must be a metric or one of accuracy, acc"),
        (lambda: metrics.get("f1_scor"), ValueError, "got 'f1_scor'; did you mean 'f1_score'?"),
        (lambda: metrics.AUC(curve="roc"), ValueError, "curve must be one of ROC, PR, got 'roc'"),
        (lambda: metrics.Precision(thresholds=2), ValueError, "thresholds must be in [0, 1], got 2"),
        (lambda: metrics.F1Score(avrage="macro"), TypeError, "unexpected keyword argument 'avrage'; did you mean"),
        (lambda: metrics.AUC()(BITS, 2 * CHANCES + 1), ValueError, "y_pred must be in [0, 1] for auc, got"),
        (lambda: metrics.Precision()(BITS, CHANCES[:4]), ValueError, "y_true must be of shape (4,), that of y_pred"),
        (lambda: metrics.SparseCategoricalAccuracy()([4, 1], SCORES[:1]), ValueError, "y_true must be of shape (1,)"),
        (lambda: metrics.MeanSquaredError()("a", "b"), ValueError, "y_true must be an array of numbers, got dtype <U1"),
        (lambda: metrics.Accuracy()(BITS, BITS, np.ones(3)), ValueError, "sample_weight must be of a shape that"),
        (lambda: classifier(metrics="accuracy"), ValueError, "metrics must be a list of names or metrics, got 'acc"),
        (lambda: classifier(metrics=["acc", "acc"]), ValueError, "metrics must have different names, and none 'loss'"),
        (
            lambda: classifier(metrics=["f1_score"]).fit(X, Y3, verbose=0),
            ValueError,
            "metric 'f1_score' does not suit the model: y_true must be of shape (2, 3), that of y_pred, got (2,)",
        ),
        (
            lambda: classifier("mse", metrics=["f1_score"]).fit(X, np.eye(3)[Y3], verbose=0),
            ValueError,
            "f1_score must be one number, for which a metric of several classes takes an average, got array(",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


# --- label noise -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "y", "outputs", "activation"),
    [
        (losses.SparseCategoricalCrossentropy(label_noise=0.3), Y3, 3, "softmax"),
        (losses.CategoricalCrossentropy(label_noise=0.3), np.eye(3)[Y3], 3, "softmax"),
        (losses.BinaryCrossentropy(label_noise=0.3), (Y3 > 0).astype(float), 1, "sigmoid"),
    ],
)
def test_label_noise_is_drawn_anew_in_every_epoch_and_by_the_seed(loss, y, outputs, activation):
    def losses_of(seed, epochs=2):
        flyball.utils.set_random_seed(seed)
        first = flyball.initializers.RandomNormal(stddev=1.0, seed=0)
        stack = [layers.Dense(outputs, activation, kernel_initializer=first, input_shape=(5,))]
        model = flyball.Sequential(stack)
        model.compile(flyball.optimizers.SGD(0.0), loss)
        return model.fit(X, y, epochs=epochs, verbose=0).history["loss"], model.evaluate(X, y, verbose=0)

    (first, second), clean = losses_of(4)
    assert first != second
    assert losses_of(4)[0] == [first, second]
    assert losses_of(5)[0] != [first, second]
    np.testing.assert_allclose(losses_of(5)[1], clean)


def test_label_noise_replaces_its_share_of_labels_by_others():
    labels = np.repeat(np.arange(4), 5000)
    noisy = losses.SparseCategoricalCrossentropy(label_noise=0.3).training_targets(labels, 4, np.random.default_rng(0))
    changed = noisy != labels
    assert abs(changed.mean() - 0.3) < 4 * np.sqrt(0.21 / len(labels))
    counts = np.bincount(4 * labels[changed] + noisy[changed], minlength=16).reshape(4, 4)
    assert (counts.diagonal() == 0).all()
    np.testing.assert_allclose(counts[~np.eye(4, dtype=bool)], 500, atol=4 * np.sqrt(500))
    rows = np.eye(4)[labels]
    noisy = losses.CategoricalCrossentropy(label_noise=0.3).training_targets(rows, 4, np.random.default_rng(0))
    np.testing.assert_array_equal(noisy.sum(1), 1.0)
    assert abs((noisy.argmax(1) != labels).mean() - 0.3) < 4 * np.sqrt(0.21 / len(labels))


def test_intersections_over_unions_are_scikit_learns():
    sk = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    y, scores = rng.integers(0, 4, (50, 6)), rng.random((50, 6, 4))
    p, w = scores.argmax(-1), rng.random((50, 6))
    each = sk.jaccard_score(y.ravel(), p.ravel(), average=None)
    weighted = sk.jaccard_score(y.ravel(), p.ravel(), average=None, sample_weight=w.ravel())
    assert metrics.MeanIoU(4)(y, p) == pytest.approx(each.mean(), rel=1e-12)
    assert metrics.IoU(4, [1, 3])(y, p, w) == pytest.approx(weighted[[1, 3]].mean(), rel=1e-12)
    assert metrics.OneHotMeanIoU(4)(np.eye(4)[y], scores) == pytest.approx(each.mean(), rel=1e-12)
    assert metrics.OneHotIoU(4, [2])(np.eye(4)[y], scores) == pytest.approx(each[2], rel=1e-12)
    yes, chance = y % 2, scores[..., 0]
    found = sk.jaccard_score(yes.ravel(), (chance >= 0.3).ravel(), average=None)
    assert metrics.BinaryIoU(threshold=0.3)(yes, chance) == pytest.approx(found.mean(), rel=1e-12)
    kept = y != 1
    left = sk.jaccard_score(y[kept], p[kept], average=None, labels=[0, 2, 3])
    ignoring = metrics.IoU(4, [0, 2, 3], ignore_class=1)
    for rows in (slice(0, 20), slice(20, 50)):
        ignoring.update_state(y[rows], p[rows])
    assert ignoring.result() == pytest.approx(left.mean(), rel=1e-12)


def test_classes_that_are_nowhere_do_not_count():
    assert metrics.MeanIoU(5)([0, 1, 1], [0, 1, 0]) == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert metrics.MeanIoU(3)([0, 7, -1], [0, 1, 1]) == 1.0
    assert metrics.MeanIoU(3).result() == 0.0


@pytest.mark.parametrize("axis", [-1, 0])
def test_correlations(axis):
    rng = np.random.default_rng(1)
    t, p = rng.normal(size=(7, 5)), rng.normal(size=(7, 5))
    lines = list(zip(t.T, p.T, strict=True)) if axis == 0 else list(zip(t, p, strict=True))
    pearson = [np.corrcoef(a, b)[0, 1] for a, b in lines]
    assert metrics.PearsonCorrelation(axis=axis)(t, p) == pytest.approx(np.mean(pearson), rel=1e-9)
    concordance = [2 * np.cov(a, b, ddof=0)[0, 1] / (a.var() + b.var() + (a.mean() - b.mean()) ** 2) for a, b in lines]
    assert metrics.ConcordanceCorrelation(axis=axis)(t, p) == pytest.approx(np.mean(concordance), rel=1e-6)
    assert metrics.PearsonCorrelation(axis=axis)(t, 3 * t + 1) == pytest.approx(1.0)
    assert metrics.PearsonCorrelation(axis=axis)(t, np.ones_like(t)) == 0.0


@pytest.mark.parametrize(
    ("make", "rate", "other"),
    [
        (metrics.SensitivityAtSpecificity, "sensitivity", "specificity"),
        (metrics.SpecificityAtSensitivity, "specificity", "sensitivity"),
        (metrics.PrecisionAtRecall, "precision", "sensitivity"),
        (metrics.RecallAtPrecision, "sensitivity", "precision"),
    ],
)
def test_the_best_rate_at_another(make, rate, other):
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, 200)
    p = np.clip(0.3 * y + rng.random(200) * 0.7, 0, 1)
    found = []
    for threshold in np.linspace(0, 1, 50):
        positive = p > threshold
        tp, fp = (positive & (y == 1)).sum(), (positive & (y == 0)).sum()
        rates = {
            "sensitivity": tp / (y == 1).sum(),
            "specificity": 1 - fp / (y == 0).sum(),
            "precision": tp / max(1, tp + fp),
        }
        found.append(rates[rate] if rates[other] >= 0.7 else 0.0)
    metric = make(0.7, 50)
    for rows in (slice(0, 90), slice(90, 200)):
        metric.update_state(y[rows], p[rows])
    assert 0.1 < max(found) < 1.0
    assert metric.result() == pytest.approx(max(found), rel=1e-12)


@pytest.mark.parametrize(
    "metric",
    [
        metrics.Mean("m"),
        metrics.Sum("s"),
        metrics.IoU(3, [0, 2], ignore_class=1),
        metrics.BinaryIoU([1], 0.3),
        metrics.MeanIoU(3, sparse_y_pred=False),
        metrics.OneHotIoU(3, [1]),
        metrics.OneHotMeanIoU(3),
        metrics.PearsonCorrelation(axis=0),
        metrics.ConcordanceCorrelation(),
        metrics.PrecisionAtRecall(0.5, 20, 1),
        metrics.BinaryCrossentropy("b", True, 0.1, axis=1),
        metrics.SparseCategoricalCrossentropy(ignore_class=-1),
        metrics.CosineSimilarity(axis=0),
    ],
    ids=lambda metric: type(metric).__name__,
)
def test_configurations_make_the_metric_again(metric):
    again = metrics.get(json.loads(json.dumps(metrics.serialize(metric))))
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()
    assert repr(again) == repr(metric)


def test_metrics_of_segmentation_in_a_model(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.random((8, 3, 3, 2)), rng.integers(0, 3, (8, 3, 3))
    model = flyball.Sequential([layers.Input((3, 3, 2)), layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[metrics.MeanIoU(3, sparse_y_pred=False)])
    found = model.evaluate(x, y, verbose=0, return_dict=True)["mean_io_u"]
    assert found == pytest.approx(metrics.MeanIoU(3)(y, model.predict(x).argmax(-1)))
    model.save(tmp_path / "m.flyball")
    assert flyball.load_model(tmp_path / "m.flyball").evaluate(x, y, verbose=0)[1] == found


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: metrics.IoU(2, [2]), ValueError, "target_class_ids must be classes in [0, 2), got [2]"),
        (lambda: metrics.MeanIoU(3)([0, 1], [0.2, 1.0]), ValueError, "y_pred must be numbers of classes, or scores"),
        (
            lambda: metrics.MeanIoU(3)([0, 1], [0, 1, 2]),
            ValueError,
            "y_true must be of as many classes as",
        ),
        (lambda: metrics.PrecisionAtRecall(1.5), ValueError, "recall must be in [0, 1], got 1.5"),
        (lambda: metrics.PearsonCorrelation(axis=2)(BITS, BITS), ValueError, "axis must be one of the 1 of y_pred"),
        (lambda: metrics.BinaryCrossentropy(from_logit=True), TypeError, "did you mean 'from_logits'"),
        (lambda: metrics.MeanSquaredError("a", 1), TypeError, "MeanSquaredError takes at most 1 arguments, got 2"),
        (lambda: classifier(metrics=[metrics.Mean()]), ValueError, "metrics must be of targets and predictions, got M"),
    ],
)
def test_bad_arguments_of_more_metrics(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()
