"""Metrics, with the names, arguments and values of Keras 3: what ``fit`` and ``evaluate`` report beside the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from flyball import _checks, losses
from flyball._registry import Registry, serialize
from flyball.metrics.accuracy import (
    Accuracy,
    AccuracyByShape,
    BinaryAccuracy,
    CategoricalAccuracy,
    SignAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from flyball.metrics.base import Mean, MeanMetricWrapper, Metric, Sum
from flyball.metrics.confusion import (
    AUC,
    F1Score,
    FalseNegatives,
    FalsePositives,
    FBetaScore,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from flyball.metrics.constrained import (
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
)
from flyball.metrics.means import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    ConcordanceCorrelation,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    LossMean,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    PearsonCorrelation,
    Poisson,
    R2Score,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from flyball.metrics.overlap import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "BinaryIoU",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "ConcordanceCorrelation",
    "CosineSimilarity",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "IoU",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanIoU",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "OneHotIoU",
    "OneHotMeanIoU",
    "PearsonCorrelation",
    "Poisson",
    "Precision",
    "PrecisionAtRecall",
    "R2Score",
    "Recall",
    "RecallAtPrecision",
    "RootMeanSquaredError",
    "SensitivityAtSpecificity",
    "SignAccuracy",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "get",
    "serialize",
]

_names: dict[str, type[Metric]] = {
    "accuracy": AccuracyByShape,
    "acc": AccuracyByShape,
    "binary_accuracy": BinaryAccuracy,
    "categorical_accuracy": CategoricalAccuracy,
    "sparse_categorical_accuracy": SparseCategoricalAccuracy,
    "top_k_categorical_accuracy": TopKCategoricalAccuracy,
    "sparse_top_k_categorical_accuracy": SparseTopKCategoricalAccuracy,
    "sign_accuracy": SignAccuracy,
    "exact_accuracy": Accuracy,
    "mean_squared_error": MeanSquaredError,
    "root_mean_squared_error": RootMeanSquaredError,
    "mean_absolute_error": MeanAbsoluteError,
    "mean_absolute_percentage_error": MeanAbsolutePercentageError,
    "mean_squared_logarithmic_error": MeanSquaredLogarithmicError,
    "cosine_similarity": CosineSimilarity,
    "log_cosh_error": LogCoshError,
    "r2_score": R2Score,
    "binary_crossentropy": BinaryCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "kl_divergence": KLDivergence,
    "poisson": Poisson,
    "hinge": Hinge,
    "squared_hinge": SquaredHinge,
    "categorical_hinge": CategoricalHinge,
    "precision": Precision,
    "recall": Recall,
    "auc": AUC,
    "f1_score": F1Score,
    "fbeta_score": FBetaScore,
    "true_positives": TruePositives,
    "true_negatives": TrueNegatives,
    "false_positives": FalsePositives,
    "false_negatives": FalseNegatives,
    "mean": Mean,
    "sum": Sum,
    "pearson_correlation": PearsonCorrelation,
    "concordance_correlation": ConcordanceCorrelation,
    "iou": IoU,
    "binary_iou": BinaryIoU,
    "mean_iou": MeanIoU,
    "one_hot_iou": OneHotIoU,
    "one_hot_mean_iou": OneHotMeanIoU,
    "precision_at_recall": PrecisionAtRecall,
    "recall_at_precision": RecallAtPrecision,
    "sensitivity_at_specificity": SensitivityAtSpecificity,
    "specificity_at_sensitivity": SpecificityAtSensitivity,
    "mse": MeanSquaredError,
    "rmse": RootMeanSquaredError,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError,
    "bce": BinaryCrossentropy,
    "kld": KLDivergence,
    "logcosh": LogCoshError,
}
REGISTRY: Registry[Metric] = Registry("metric", Metric, _names)
REGISTRY.classes["MeanMetricWrapper"] = MeanMetricWrapper  # in files; by its name alone nobody means it

# Of which per-sample value of the loss a metric is the mean: 1 where the most likely class is the target's.
_HITS: Mapping[type[Metric], type[losses.Loss]] = {
    SparseCategoricalAccuracy: losses.SparseCategoricalCrossentropy,
    CategoricalAccuracy: losses.CategoricalCrossentropy,
}


def get(identifier: object, loss: losses.Loss | None = None) -> Metric:
    """Return the metric that ``identifier`` stands for, in a model that is trained with ``loss``.

    Parameters
    ----------
    identifier : str, Metric, type, dict or callable
        A name (``"accuracy"``, ``"mse"``, ``"auc"``), a metric, its class, its configuration, or a function
        ``f(y_true, y_pred)`` that returns a value for each sample. ``"accuracy"`` is what suits the loss: of each
        output at 0.5 (of logits, at 0) for binary cross-entropy, of signs for hinges, of the most likely class for
        the others; where the loss says nothing of classes, what suits the shapes, as in Keras.
    loss : Loss, optional
        What the model is trained for.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if callable(identifier) and not isinstance(identifier, (Metric, type)):
        return MeanMetricWrapper(identifier)
    if identifier in ("accuracy", "acc"):
        return _accuracy(str(identifier), loss)
    metric = REGISTRY.get(identifier)
    if isinstance(identifier, str):
        metric.name = identifier
    return metric


def native_source(metric: Metric, loss: losses.Loss) -> Literal["hits", "data_loss"] | None:
    """Say which mean over the samples that ``loss`` computes anyway ``metric`` is, if any: of hits, or of losses."""
    kind = type(metric)
    if kind in _HITS and isinstance(loss, _HITS[kind]) and loss.objective.counts_hits and loss.ignore_class is None:
        return "hits"
    if isinstance(metric, LossMean) and type(loss) is metric.loss:
        same = {**metric.make_loss().get_config(), "name": loss.name, "reduction": loss.reduction}
        return "data_loss" if same == loss.get_config() else None
    return None


def _accuracy(name: str, loss: losses.Loss | None) -> Metric:
    match loss:
        case losses.SparseCategoricalCrossentropy():
            return SparseCategoricalAccuracy(name)
        case losses.CategoricalCrossentropy():
            return CategoricalAccuracy(name)
        case losses.BinaryCrossentropy():
            return BinaryAccuracy(name, 0.0 if loss.from_logits else 0.5)
        case losses.Hinge():
            return SignAccuracy(name)
    return AccuracyByShape(name)


if not TYPE_CHECKING:  # type checkers know the names

    def __getattr__(name: str) -> Any:
        raise _checks.no_attribute(__name__, name, __all__)
