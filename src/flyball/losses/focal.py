"""Losses of classes in which samples that the model is sure of count less: where it is right, or where it is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball._registry import parameters
from flyball.losses.base import values_of
from flyball.losses.classification import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from flyball.losses.regression import row_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray

    from flyball.backend.types import Doubles, Floats

LEAST = 1e-7
"""Keras' bound of probabilities away from 0 and 1."""


class BinaryFocalCrossentropy(BinaryCrossentropy):
    """Binary cross-entropy, times ``u**gamma`` with u how far the probability is from the target.

    ``u = t * (1 - p) + (1 - t) * p``, so that outputs that are right already count little. Lin et al. 2017, "Focal Loss
    for Dense Object Detection".

    Parameters
    ----------
    apply_class_balancing : bool
        Whether targets 1 weigh ``alpha`` and targets 0 ``1 - alpha``, and not all of them 1.
    alpha : float
        In [0, 1].
    gamma : float
        At least 0, where it is the binary cross-entropy.
    from_logits, label_smoothing, axis, reduction, name, label_noise
        As in :class:`BinaryCrossentropy`.
    """

    default_name = "binary_focal_crossentropy"

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        *,
        label_noise: float = 0.0,
        **unknown: Any,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, label_noise=label_noise, **unknown)
        self.apply_class_balancing = _checks.flag("apply_class_balancing", apply_class_balancing)
        self.alpha = _checks.number("alpha", alpha, "[0, 1]")
        self.gamma = _checks.number("gamma", gamma, "[0, inf)")
        shares = (self.alpha, 1.0 - self.alpha) if self.apply_class_balancing else (1.0, 1.0)
        self.objective = row_loss("binary_focal_cross_entropy_logits", self.gamma, *shares, fused="sigmoid")
        self.of_probabilities = row_loss("binary_focal_cross_entropy", self.gamma, *shares)


class CategoricalFocalCrossentropy(CategoricalCrossentropy):
    """``-sum(alpha * (1 - p)**gamma * t * log(p))`` of one-hot or soft rows.

    Samples that are right already count little. Lin et al. 2017, "Focal Loss for Dense Object Detection".

    Parameters
    ----------
    alpha : float or sequence of float
        Weight of all classes, or of each; not negative.
    gamma : float
        At least 0, where it is the cross-entropy times ``alpha``.
    from_logits, label_smoothing, axis, reduction, name, smooth, label_noise
        As in :class:`CategoricalCrossentropy`.
    """

    default_name = "categorical_focal_crossentropy"

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        *,
        smooth: str = "all",
        label_noise: float = 0.0,
        **unknown: Any,
    ) -> None:
        options = {"smooth": smooth, "label_noise": label_noise, **unknown}
        super().__init__(from_logits, label_smoothing, axis, reduction, name, **options)
        several = isinstance(alpha, (list, tuple, np.ndarray))
        self.alpha = (
            [_checks.number("alpha", item, "[0, inf)") for item in alpha]  # type: ignore[union-attr]
            if several
            else _checks.number("alpha", alpha, "[0, inf)")
        )
        self.gamma = _checks.number("gamma", gamma, "[0, inf)")
        self.objective = row_loss("categorical_focal_cross_entropy_logits", self.gamma, fused="softmax")

    def call(self, y_true: NDArray[Any], y_pred: Floats) -> NDArray[Any]:
        """Return the loss of each vector along the last axis."""
        if y_pred.ndim == 0 or y_true.shape != y_pred.shape:
            _checks.refuse("y_true", f"of shape {y_pred.shape}, that of y_pred, and not a number", y_true.shape)
        if not self.from_logits:
            shares = y_pred / y_pred.sum(axis=-1, keepdims=True)
            y_pred = np.log(np.clip(shares, LEAST, 1.0 - LEAST))
        return values_of(self.objective, self._weighted(self.smoothed(y_true)), y_pred)

    def prepare_targets(
        self, y: Any, output_shape: tuple[int, ...], dtype: DTypeLike, *, name: str = "y"
    ) -> NDArray[Any]:
        """See :class:`CategoricalCrossentropy`."""
        self._require_alpha(output_shape[-1])
        return super().prepare_targets(y, output_shape, dtype, name=name)

    def training_targets(
        self, targets: NDArray[Any], classes: int, random: np.random.Generator | None = None
    ) -> NDArray[Any]:
        """See :class:`Loss`."""
        smoothed = super().training_targets(targets, classes, random)
        return np.ascontiguousarray(self._weighted(smoothed), dtype=targets.dtype)

    def _weighted(self, targets: NDArray[Any]) -> NDArray[Any]:
        """Return targets with the weights of classes, in which the loss is linear."""
        self._require_alpha(targets.shape[-1])
        return np.asarray(targets * np.asarray(self.alpha))

    def _require_alpha(self, classes: int) -> None:
        if isinstance(self.alpha, list) and len(self.alpha) != classes:
            _checks.refuse("alpha", f"a number, or one for each of {classes} classes", self.alpha)


class CategoricalGeneralizedCrossEntropy(SparseCategoricalCrossentropy):
    """``(1 - p[label]**q) / q`` for class indices: between the cross-entropy (q to 0) and the absolute error (q = 1).

    Labels that are wrong pull less at a model that is sure of another class. Zhang and Sabuncu 2018, "Generalized Cross
    Entropy Loss for Training Deep Neural Networks with Noisy Labels". Predictions are probabilities: models end in
    softmax, and are trained from the logits.

    Parameters
    ----------
    q : float
        In (0, 1).
    reduction, name : str, optional
        See :class:`Loss`.
    """

    default_name = "categorical_generalized_cross_entropy"

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        **unknown: Any,
    ) -> None:
        _checks.no_more_arguments(type(self).__name__, unknown, parameters(type(self)))
        super().__init__(reduction=reduction, name=name)
        self.q = _checks.number("q", q, "(0, 1)")
        self.objective = row_loss("categorical_generalized_cross_entropy_logits", self.q, fused="softmax")

    def distribution_values(self, targets: NDArray[Any], predictions: Floats) -> Doubles:
        """Return the loss of each vector of ``predictions`` with that of ``targets``."""
        with np.errstate(divide="ignore"):  # the logarithm of 0 is a logit that softmax turns into 0
            return values_of(self.objective, targets, np.asarray(np.log(predictions)))

    def training_targets(
        self, targets: NDArray[Any], classes: int, random: np.random.Generator | None = None
    ) -> NDArray[Any]:
        """Return one-hot rows, of bytes: an operation converts those of a batch."""
        rows: NDArray[Any] = np.eye(classes, dtype=np.uint8)[super().training_targets(targets, classes, random)]
        return rows
