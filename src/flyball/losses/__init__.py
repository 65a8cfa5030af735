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
    CategoricalHinge,
    Hinge,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from flyball.losses.focal import (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
)
from flyball.losses.overlap import Dice, Tversky
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
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "Dice",
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
    "Tversky",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "cosine_similarity",
    "dice",
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
    "tversky",
]


_names: dict[str, type[Loss]] = {}


def _function(loss: type[Loss]) -> Callable[..., Doubles]:
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
    _names[function.__name__] = loss
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
binary_focal_crossentropy = _function(BinaryFocalCrossentropy)
categorical_focal_crossentropy = _function(CategoricalFocalCrossentropy)
categorical_generalized_cross_entropy = _function(CategoricalGeneralizedCrossEntropy)
categorical_hinge = _function(CategoricalHinge)
dice = _function(Dice)
tversky = _function(Tversky)

_names |= {
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
