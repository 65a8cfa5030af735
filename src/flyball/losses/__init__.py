"""Losses, with the names, arguments and values of Keras 3; the arithmetic is in :mod:`flyball.backend`'s operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball._registry import Registry, serialize
from flyball.losses.base import Loss
from flyball.losses.classification import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Hinge,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from flyball.losses.regression import (
    CosineSimilarity,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from flyball.backend.types import Doubles

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "CosineSimilarity",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "binary_crossentropy",
    "categorical_crossentropy",
    "cosine_similarity",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
]


def _function(loss: type[Loss]) -> Callable[[ArrayLike, ArrayLike], Doubles]:
    def function(y_true: ArrayLike, y_pred: ArrayLike, **arguments: Any) -> Doubles:
        return np.asarray(loss(reduction="none", **arguments)(y_true, y_pred))

    function.__name__ = function.__qualname__ = loss.default_name.removesuffix("_loss")
    function.__doc__ = f"""Return the loss of each vector along the last axis; see :class:`{loss.__name__}`.

    Parameters
    ----------
    y_true, y_pred : array
        As :class:`{loss.__name__}` takes them.
    **arguments
        Of the class.
    """
    return function


sparse_categorical_crossentropy = _function(SparseCategoricalCrossentropy)
categorical_crossentropy = _function(CategoricalCrossentropy)
binary_crossentropy = _function(BinaryCrossentropy)
mean_squared_error = _function(MeanSquaredError)
mean_absolute_error = _function(MeanAbsoluteError)
mean_absolute_percentage_error = _function(MeanAbsolutePercentageError)
mean_squared_logarithmic_error = _function(MeanSquaredLogarithmicError)
cosine_similarity = _function(CosineSimilarity)
huber = _function(Huber)
log_cosh = _function(LogCosh)
hinge = _function(Hinge)
squared_hinge = _function(SquaredHinge)
poisson = _function(Poisson)
kl_divergence = _function(KLDivergence)

_names: dict[str, type[Loss]] = {
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "binary_crossentropy": BinaryCrossentropy,
    "mean_squared_error": MeanSquaredError,
    "mean_absolute_error": MeanAbsoluteError,
    "mean_absolute_percentage_error": MeanAbsolutePercentageError,
    "mean_squared_logarithmic_error": MeanSquaredLogarithmicError,
    "cosine_similarity": CosineSimilarity,
    "huber": Huber,
    "log_cosh": LogCosh,
    "hinge": Hinge,
    "squared_hinge": SquaredHinge,
    "poisson": Poisson,
    "kl_divergence": KLDivergence,
    "bce": BinaryCrossentropy,
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError,
    "kld": KLDivergence,
    "huber_loss": Huber,
    "logcosh": LogCosh,
}
REGISTRY: Registry[Loss] = Registry("loss", Loss, _names)


def get(identifier: object) -> Loss:
    """Return the loss that ``identifier`` stands for.

    Parameters
    ----------
    identifier : str, Loss, type or dict
        A name (``"sparse_categorical_crossentropy"``, ``"mse"``), a loss, its class, or its configuration.

    Raises
    ------
    ValueError
        If it is none of these. A function is none: training needs a gradient, which flyball has for its own losses.
    """
    if callable(identifier) and not isinstance(identifier, (Loss, type)):
        name = getattr(identifier, "__name__", repr(identifier))
        msg = f"loss must be one of flyball.losses, got the function {name!r}: training needs its gradient as well"
        raise ValueError(msg)
    return REGISTRY.get(identifier)


if not TYPE_CHECKING:  # type checkers know the names

    def __getattr__(name: str) -> Any:
        raise _checks.no_attribute(__name__, name, __all__)
