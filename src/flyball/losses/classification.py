"""Losses of classes: cross-entropies and hinges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball.backend import get_backend
from flyball.losses.base import Loss, in_words, numbers, predicted, refuse_rows, values_of
from flyball.losses.regression import Values, pointwise, row_loss
from flyball.program.requests import Objective

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from flyball.backend.types import Doubles, Floats

# How far from 1 the sum of a row of probabilities may be: float16 probabilities of 1000 classes stay well inside.
PROBABILITY_TOLERANCE = 1e-3


class _Classes(Loss):
    """What the cross-entropies over several classes share."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        *,
        smooth: str = "all",
        label_noise: float = 0.0,
        **unknown: object,
    ) -> None:
        super().__init__(reduction, name, **unknown)
        self.from_logits = _checks.flag("from_logits", from_logits)
        self.label_smoothing = _checks.number("label_smoothing", label_smoothing, "[0, 1)")
        self.axis = _checks.integer("axis", axis, -32)
        self.smooth = _checks.choice("smooth", smooth, ("all", "others"))
        self.label_noise = _checks.number("label_noise", label_noise, "[0, 1]")

    def share(self, classes: int) -> float:
        """Return what label smoothing gives to each class that is not the label's."""
        return self.label_smoothing / (classes if self.smooth == "all" else max(classes - 1, 1))

    def smoothed(self, targets: NDArray[Any]) -> NDArray[Any]:
        """Return the rows of probabilities with label smoothing."""
        if not self.label_smoothing:
            return targets
        classes = targets.shape[-1]
        share = self.share(classes)
        return np.asarray((1.0 - classes * share) * targets + share)

    def distribution_values(self, targets: NDArray[Any], predictions: Floats) -> Doubles:
        """Return the cross-entropy of each vector of ``predictions`` with that of ``targets``."""
        if not self.from_logits:
            sums = predictions.sum(axis=-1, keepdims=True)
            return values_of(pointwise("categorical_cross_entropy"), targets, predictions / sums)
        matrix = (-1, predictions.shape[-1])
        logits = np.ascontiguousarray(predictions).reshape(matrix)
        rows = np.ascontiguousarray(targets, dtype=logits.dtype).reshape(matrix)
        values = np.empty(len(logits), np.float64)
        get_backend().softmax_cross_entropy_soft(values, None, None, logits, rows, None, 1.0)
        return values.reshape(predictions.shape[:-1])


class SparseCategoricalCrossentropy(_Classes):
    """Cross-entropy for class indices: ``-log(p[label])`` with p the predicted probabilities.

    Parameters
    ----------
    from_logits : bool
        False for a model that ends in softmax, True for one whose output is ``logits``, with p = softmax(logits). Both
        are trained from the logits, so that no probability is ever rounded to 0.
    ignore_class : int, optional
        A label, of a class or of none (-1, 255), whose positions have no loss; means are over the other ones.
    reduction, name : str, optional
        See :class:`Loss`.
    axis : int
        The axis of the classes; the last one in training.
    label_smoothing : float
        eps in [0, 1): how much of the target is spread over classes. (Keras' loss of this name has none.)
    smooth : {"all", "others"}
        Over all classes, as in Keras and PyTorch: ``1 - eps + eps / classes`` for the label, ``eps / classes`` for
        each other; or over the others, so that the label keeps ``1 - eps``: ``eps / (classes - 1)`` for each other.
    label_noise : float
        In [0, 1]: how probable it is that a target is replaced by another class, drawn anew in every epoch of training
        from the model's seed. Evaluation knows no noise. The training's ``accuracy``, like its loss, is of the targets
        with noise; metrics that are neither are of those given.
    """

    default_name = "sparse_categorical_crossentropy"

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        *,
        label_smoothing: float = 0.0,
        smooth: str = "all",
        label_noise: float = 0.0,
        **unknown: object,
    ) -> None:
        options = {"smooth": smooth, "label_noise": label_noise, **unknown}
        super().__init__(from_logits, label_smoothing, axis, reduction, name, **options)  # type: ignore[arg-type]
        self.ignore_class = None if ignore_class is None else _checks.integer("ignore_class", ignore_class, -(2**53))
        self.objective = Objective(
            "softmax_cross_entropy",
            "labels",
            fused="softmax",
            counts_hits=True,
            by_position=True,
            scalars=(("smoothing", self.share),),
        )

    def paired(self, y_true: Any, y_pred: Any) -> tuple[Floats, NDArray[Any]]:
        """Return predictions, and class indices without their last axis."""
        predictions, labels = self._with_last_axis("y_pred", predicted(y_pred)), numbers("y_true", y_true)
        if labels.ndim == predictions.ndim:
            labels = self._with_last_axis("y_true", labels)
            labels = labels[..., 0] if labels.shape[-1:] == (1,) else labels
        return predictions, labels

    def call(self, y_true: NDArray[Any], y_pred: Floats) -> NDArray[Any]:
        """Return the cross-entropy of each vector along the last axis with its label."""
        if y_pred.ndim == 0 or y_true.shape != y_pred.shape[:-1]:
            _checks.refuse("y_true", f"of shape {y_pred.shape[:-1]}, that of y_pred without its last", y_true.shape)
        classes = y_pred.shape[-1]
        labels = _labels("y_true", y_true, classes, self.ignore_class)
        if self.ignore_class is not None:
            kept = labels != self.ignore_class
            labels, y_pred = np.where(kept, labels, 0), np.where(kept[..., np.newaxis], y_pred, y_pred.dtype.type(1))
        return self.distribution_values(self.smoothed(np.eye(classes)[labels]), y_pred)

    def prepare_targets(
        self, y: Any, output_shape: tuple[int, ...], dtype: DTypeLike, *, name: str = "y"
    ) -> NDArray[Any]:
        """Return ``y``, integers (also integral floats) in [0, classes), or ``ignore_class``, as int64.

        They have the outputs' shape without its last axis, or with one of 1 in its place.
        """
        del dtype
        *positions, classes = output_shape
        values = numbers(name, y)
        if values.shape[1:] == (*positions, 1):
            values = values[..., 0]
        if values.ndim == 0 or values.shape[1:] != tuple(positions):
            expectation = f"of shape {in_words((*positions,))} or {in_words((*positions, 1))} for {self.default_name}"
            msg = (
                f"{name} must be {expectation}, got shape {values.shape}; for one-hot rows use categorical_crossentropy"
            )
            raise ValueError(msg)
        return _labels(name, values, classes, self.ignore_class)

    def training_targets(
        self, targets: NDArray[Any], classes: int, random: np.random.Generator | None = None
    ) -> NDArray[Any]:
        """See :class:`Loss`."""
        given = targets
        if random is not None and self.label_noise:
            others = (targets + random.integers(1, max(classes, 2), targets.shape)) % classes
            targets = np.where(random.random(targets.shape) < self.label_noise, others, targets)
        return targets if self.ignore_class is None else np.where(given == self.ignore_class, classes, targets)

    def sample_targets(self, rows: int, output_shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return the first class for all ``rows``."""
        del dtype
        return np.zeros((rows, *output_shape[:-1]), np.int64)


class CategoricalCrossentropy(_Classes):
    """Cross-entropy for rows of probabilities (one-hot or soft): ``-sum(t * log(p))``.

    Parameters
    ----------
    from_logits : bool
        As in :class:`SparseCategoricalCrossentropy`.
    label_smoothing : float
        eps in [0, 1): how much of the target is spread over classes.
    axis : int
        The axis of the classes; the last one in training.
    reduction, name : str, optional
        See :class:`Loss`.
    smooth : {"all", "others"}
        Over all classes, as in Keras and PyTorch: the targets become ``(1 - eps) * t + eps / classes``; or over the
        others, so that a one-hot target keeps ``1 - eps``: ``(1 - eps) * t + eps / (classes - 1) * (1 - t)``.
    label_noise : float
        In [0, 1]: how probable it is that a target changes the places of its largest class and
        another one, drawn anew in every epoch of training from the model's seed. Evaluation knows no noise.
    """

    default_name = "categorical_crossentropy"
    objective = Objective("softmax_cross_entropy_soft", "targets", fused="softmax", counts_hits=True, by_position=True)

    def call(self, y_true: NDArray[Any], y_pred: Floats) -> NDArray[Any]:
        """Return the cross-entropy of each vector along the last axis."""
        if y_pred.ndim == 0 or y_true.shape != y_pred.shape:
            _checks.refuse("y_true", f"of shape {y_pred.shape}, that of y_pred, and not a number", y_true.shape)
        return self.distribution_values(self.smoothed(y_true), y_pred)

    def prepare_targets(
        self, y: Any, output_shape: tuple[int, ...], dtype: DTypeLike, *, name: str = "y"
    ) -> NDArray[Any]:
        """Return ``y``, of the outputs' shape, with non-negative rows that sum to 1 within 1e-3, in ``dtype``."""
        values = numbers(name, y)
        if values.ndim == 0 or values.shape[1:] != output_shape:
            msg = f"{name} must be of shape {in_words(output_shape)} for {self.default_name}, got shape {values.shape}"
            if values.shape[1:] in (output_shape[:-1], (*output_shape[:-1], 1)):
                msg += "; for class indices use sparse_categorical_crossentropy"
            raise ValueError(msg)
        refuse_rows(name, "non-negative and finite", values, ~((values >= 0) & np.isfinite(values)))
        sums = values.sum(axis=-1, dtype=np.float64)
        refuse_rows(name, "rows that sum to 1", sums, np.abs(sums - 1.0) > PROBABILITY_TOLERANCE, "a sum of ")
        return np.ascontiguousarray(values, dtype=dtype)

    def training_targets(
        self, targets: NDArray[Any], classes: int, random: np.random.Generator | None = None
    ) -> NDArray[Any]:
        """See :class:`Loss`."""
        if random is not None and self.label_noise:
            rows = targets.reshape(-1, classes).copy()
            changed = np.flatnonzero(random.random(len(rows)) < self.label_noise)
            places = rows.argmax(axis=1)[changed]
            others = (places + random.integers(1, max(classes, 2), len(changed))) % classes
            rows[changed, places], rows[changed, others] = rows[changed, others], rows[changed, places]
            targets = rows.reshape(targets.shape)
        return np.ascontiguousarray(self.smoothed(targets), dtype=targets.dtype)

    def sample_targets(self, rows: int, output_shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return equal probabilities of all classes for all ``rows``."""
        return np.full((rows, *output_shape), 1.0 / output_shape[-1], dtype)


class BinaryCrossentropy(Values):
    """``-mean(t * log(p) + (1 - t) * log(1 - p))`` over the outputs of a sample, each a yes or no of its own.

    Parameters
    ----------
    from_logits : bool
        False for a model that ends in sigmoid, True for one whose output is ``logits``, with p = sigmoid(logits). Both
        are trained from the logits, so that no probability is ever rounded to 0 or 1.
    label_smoothing : float
        eps in [0, 1): the targets become ``(1 - eps) * t + eps / 2``.
    axis : int
        The axis of the outputs that are averaged; the last one in training.
    reduction, name : str, optional
        See :class:`Loss`.
    label_noise : float
        In [0, 1]: how probable it is that a target t becomes 1 - t, drawn anew in every epoch of training from the
        model's seed. Evaluation knows no noise.
    """

    default_name = "binary_crossentropy"
    objective = pointwise("binary_cross_entropy_logits", fused="sigmoid")
    of_probabilities = pointwise("binary_cross_entropy")

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        *,
        label_noise: float = 0.0,
        **unknown: object,
    ) -> None:
        super().__init__(reduction, name, **unknown)
        self.from_logits = _checks.flag("from_logits", from_logits)
        self.label_smoothing = _checks.number("label_smoothing", label_smoothing, "[0, 1)")
        self.axis = _checks.integer("axis", axis, -32)
        self.label_noise = _checks.number("label_noise", label_noise, "[0, 1]")

    def call(self, y_true: NDArray[Any], y_pred: Floats) -> NDArray[Any]:
        """Return the cross-entropy of each vector along the last axis."""
        return values_of(self.objective if self.from_logits else self.of_probabilities, self._smoothed(y_true), y_pred)

    def prepare_targets(
        self, y: Any, output_shape: tuple[int, ...], dtype: DTypeLike, *, name: str = "y"
    ) -> NDArray[Any]:
        """Return ``y``, values in [0, 1] of the outputs' shape, in ``dtype``."""
        values = super().prepare_targets(y, output_shape, dtype, name=name)
        refuse_rows(name, "in [0, 1]", values, (values < 0.0) | (values > 1.0))
        return values

    def training_targets(
        self, targets: NDArray[Any], classes: int, random: np.random.Generator | None = None
    ) -> NDArray[Any]:
        """See :class:`Loss`."""
        del classes
        if random is not None and self.label_noise:
            targets = np.where(random.random(targets.shape) < self.label_noise, 1.0 - targets, targets)
        return np.ascontiguousarray(self._smoothed(targets), dtype=targets.dtype)

    def _smoothed(self, targets: NDArray[Any]) -> NDArray[Any]:
        if not self.label_smoothing:
            return targets
        return (1.0 - self.label_smoothing) * targets + self.label_smoothing / 2.0


class Hinge(Values):
    """``mean(max(1 - t * p, 0))`` over the outputs of a sample; targets 0 and 1 count as -1 and 1."""

    default_name = "hinge"
    objective = pointwise("hinge")

    def call(self, y_true: NDArray[Any], y_pred: Floats) -> NDArray[Any]:
        """Return the hinge of each vector along the last axis."""
        return super().call(_signs(y_true), y_pred)

    def prepare_targets(
        self, y: Any, output_shape: tuple[int, ...], dtype: DTypeLike, *, name: str = "y"
    ) -> NDArray[Any]:
        """Return ``y``, values -1 and 1, or 0 and 1, of the outputs' shape, in ``dtype``."""
        values = super().prepare_targets(y, output_shape, dtype, name=name)
        refuse_rows(name, "-1 or 1, or 0 or 1", values, ~np.isin(values, (-1.0, 0.0, 1.0)))
        return values

    def training_targets(
        self, targets: NDArray[Any], classes: int, random: np.random.Generator | None = None
    ) -> NDArray[Any]:
        """See :class:`Loss`."""
        del classes, random
        return np.ascontiguousarray(_signs(targets), dtype=targets.dtype)


class SquaredHinge(Hinge):
    """``mean(max(1 - t * p, 0)**2)`` over the outputs of a sample; targets 0 and 1 count as -1 and 1."""

    default_name = "squared_hinge"
    objective = pointwise("squared_hinge")


class CategoricalHinge(Values):
    """``max(1 + max((1 - t) * p) - sum(t * p), 0)``: the target's score is to exceed the others by 1.

    Targets are one-hot rows, or rows of -1 and 1.
    """

    default_name = "categorical_hinge"
    objective = row_loss("categorical_hinge")

    def prepare_targets(
        self, y: Any, output_shape: tuple[int, ...], dtype: DTypeLike, *, name: str = "y"
    ) -> NDArray[Any]:
        """Return ``y``, values -1, 0 and 1 of the outputs' shape, in ``dtype``."""
        values = super().prepare_targets(y, output_shape, dtype, name=name)
        refuse_rows(name, "-1, 0 or 1", values, ~np.isin(values, (-1.0, 0.0, 1.0)))
        return values


def _signs(targets: NDArray[Any]) -> NDArray[Any]:
    """Return targets 0 and 1 as -1 and 1, and others as they are."""
    return 2.0 * targets - 1.0 if np.isin(targets, (0, 1)).all() else targets


def _labels(name: str, values: NDArray[Any], classes: int, ignored: int | None = None) -> NDArray[np.int64]:
    wrong = (values < 0) | (values >= classes)
    if values.dtype.kind in "iu":
        labels = values.astype(np.int64)
    else:
        with np.errstate(invalid="ignore"):  # nan and inf have no integer; the comparison below finds them
            labels = values.astype(np.int64)
        wrong |= labels != values
    expectation = f"integers in [0, {classes})"
    if ignored is not None:
        wrong &= values != ignored
        expectation += f", or {ignored}, which is ignored"
    refuse_rows(name, expectation, values, wrong)
    return np.ascontiguousarray(labels)
