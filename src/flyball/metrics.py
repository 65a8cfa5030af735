"""Metrics: what ``fit`` and ``evaluate`` report beside the loss. Each is read off what the loss computes anyway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from flyball import _checks, losses

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Metric", "get"]


@dataclass(frozen=True)
class Metric:
    """A number per epoch.

    Attributes
    ----------
    name : str
        What ``History`` and ``metrics_names`` call it: the name it was asked for by, as in Keras.
    source : {"hits", "data_loss"}
        The mean of which per-sample value it is: 1 where the most likely class is the target's, or the loss itself
        without penalties.
    """

    name: str
    source: Literal["hits", "data_loss"]


_SPARSE = (losses.SparseCategoricalCrossentropy,)
_CATEGORICAL = (losses.CategoricalCrossentropy,)
_SQUARED = (losses.MeanSquaredError,)
_ABSOLUTE = (losses.MeanAbsoluteError,)
_METRICS: Mapping[str, tuple[Literal["hits", "data_loss"], tuple[type[losses.Loss], ...]]] = {
    "accuracy": ("hits", _SPARSE + _CATEGORICAL),
    "acc": ("hits", _SPARSE + _CATEGORICAL),
    "sparse_categorical_accuracy": ("hits", _SPARSE),
    "categorical_accuracy": ("hits", _CATEGORICAL),
    "mse": ("data_loss", _SQUARED),
    "mean_squared_error": ("data_loss", _SQUARED),
    "mae": ("data_loss", _ABSOLUTE),
    "mean_absolute_error": ("data_loss", _ABSOLUTE),
}


def get(identifier: object, loss: losses.Loss) -> Metric:
    """Return the metric called ``identifier``, for a model trained with ``loss``.

    Raises
    ------
    ValueError
        If there is none of that name, or it cannot be read off that loss.
    """
    if isinstance(identifier, Metric):
        identifier = identifier.name
    name = _checks.choice("metric", identifier, _METRICS)
    source, suitable = _METRICS[name]
    if not isinstance(loss, suitable):
        valid = [other for other, (_, kinds) in _METRICS.items() if isinstance(loss, kinds)]
        expectation = f"one of {', '.join(valid)} with the loss {loss.name}"
        _checks.refuse("metric", expectation, name)
    return Metric(name, source)
