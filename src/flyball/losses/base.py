"""What all losses are: a value for each sample, how these are joined, and the targets a model's training may have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flyball import _checks
from flyball._registry import Configurable, parameters
from flyball.backend import get_backend

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from flyball.backend.types import Doubles, Floats
    from flyball.program.requests import Objective

REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none")
MEANS = REDUCTIONS[:2]


class Loss(Configurable):
    """Base of all losses.

    Called, ``loss(y_true, y_pred, sample_weight=None)`` returns a number: what Keras' loss of the same name returns, in
    double precision. A model trains with the losses of :mod:`flyball.losses`, whose gradients are native; a class of
    one's own, which defines :meth:`call`, computes values only.

    Parameters
    ----------
    reduction : {"sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none"} or None
        How the values, times their weights, are joined: divided by their number (the first two), added up, divided by
        the sum of the weights, or not at all (``"none"``, None), which no model can train with. In training it is the
        values of a batch that are joined.
    name : str, optional
        What configurations call it.

    Attributes
    ----------
    from_logits : bool
        Whether predictions are logits, not probabilities.
    label_noise : float
        How probable it is that a target of training is replaced by another class.
    ignore_class : int or None
        The class whose positions have no loss, and count as if they were not there.
    axis : int, tuple of int or None
        The axis or axes of the arrays that are joined to one value. Models train with the default.
    per_sample : bool
        Whether a sample has one loss, to which its positions do not add one by one.
    objective : Objective
        The operation that computes it in training.
    """

    default_name: ClassVar[str] = "loss"
    from_logits: bool = False
    label_noise: float = 0.0
    ignore_class: int | None = None
    axis: int | tuple[int, ...] | None = -1
    per_sample: ClassVar[bool] = False
    objective: Objective

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = None, **unknown: object
    ) -> None:
        _checks.no_more_arguments(type(self).__name__, unknown, parameters(type(self)))
        self.reduction = None if reduction is None else _checks.choice("reduction", reduction, REDUCTIONS)
        self.name = self.default_name if name is None else _checks.text("name", name)

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> np.float64 | Doubles:
        """Return the loss of predictions.

        Parameters
        ----------
        y_true : array
            Targets: of the shape of ``y_pred``, or class indices without its last axis.
        y_pred : array, shape (..., outputs)
            Predictions. Each vector along the last axis has one value.
        sample_weight : array, optional
            Factors of the values; of any shape that broadcasts with theirs.

        Raises
        ------
        ValueError
            If the shapes do not fit, or an array is not of finite numbers.
        """
        predictions, targets = self.paired(y_true, y_pred)
        values = np.asarray(self.call(targets, predictions), np.float64)
        weights = None if sample_weight is None else numbers("sample_weight", sample_weight).astype(np.float64)
        if self.ignore_class is not None:
            weights = self._without_ignored(targets != self.ignore_class, weights)
        if weights is not None:
            values, weights = same_rank(values, weights)
            values = _product("sample_weight", values, weights)
        if self.reduction in (None, "none"):
            return values
        total = values.sum(dtype=np.float64)
        if self.reduction == "sum":
            return np.float64(total)
        weighted = self.reduction == "mean_with_sample_weight" and weights is not None
        divisor = weights.sum() if weighted and weights is not None else values.size
        return np.float64(total / divisor if divisor else 0.0)

    def _without_ignored(self, kept: NDArray[np.bool_], weights: Doubles | None) -> Doubles:
        """Return weights that are 0 where ``kept`` is not, and whose mean of values is that of those that are."""
        share = np.asarray(kept, np.float64)
        if self.reduction in MEANS and kept.any():
            share *= kept.size / kept.sum()
        return share if weights is None else _product("sample_weight", *same_rank(share, weights))

    def call(self, y_true: NDArray[Any], y_pred: Floats) -> NDArray[Any]:
        """Return a value for each vector along the last axis of ``y_pred``."""
        raise NotImplementedError(_checks.lacks(self, "call"))

    def paired(self, y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Floats, NDArray[Any]]:
        """Return predictions and targets as arrays of one number of axes; the predictions in single or double."""
        predictions, targets = predicted(y_pred), numbers("y_true", y_true)
        targets, predictions = same_rank(targets, predictions)
        return self._with_last_axis("y_pred", predictions), self._with_last_axis("y_true", targets)

    def _with_last_axis(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array whose last axis is the one that the loss is along."""
        if not isinstance(self.axis, int) or self.axis == -1:
            return array
        if not -array.ndim <= self.axis < array.ndim:
            _checks.refuse(name, f"of at least {self.axis + 1 if self.axis >= 0 else -self.axis} axes", array.shape)
        return np.moveaxis(array, self.axis, -1)

    @property
    def in_training(self) -> Objective:
        """The operation that training computes, and how it joins the values of a batch."""
        divisor = {"mean_with_sample_weight": 1, "sum": 2}.get(self.reduction or "none", 0)
        return replace(self.objective, divisor=divisor, ignores=self.ignore_class is not None)

    def require_trainable(self) -> None:
        """Refuse a loss that no model can train with.

        Raises
        ------
        ValueError
            If it is a class of one's own, which has no gradient, or joins no values.
        """
        if not hasattr(self, "objective"):
            msg = f"loss must be one of flyball.losses to train with, got {type(self).__name__}, which has no gradient"
            raise ValueError(msg)
        if self.reduction in (None, "none"):
            _checks.refuse("the loss's reduction", "one to a number to train with", self.reduction)
        if isinstance(self.axis, int) and self.axis != -1:
            _checks.refuse("the loss's axis", "-1, the last one, to train with", self.axis)

    def prepare_targets(
        self, y: Any, output_shape: tuple[int, ...], dtype: DTypeLike, *, name: str = "y"
    ) -> NDArray[Any]:
        """Check the targets ``y`` of a model whose output has ``output_shape`` (one sample's), and convert them.

        ``name`` is what errors call them.

        Raises
        ------
        ValueError
            If ``y`` does not have the right shape, or has a value that cannot be a target.
        """
        raise NotImplementedError(_checks.lacks(self, "prepare_targets"))

    def training_targets(
        self, targets: NDArray[Any], classes: int, random: np.random.Generator | None = None
    ) -> NDArray[Any]:
        """Return what the operation takes, from what :meth:`prepare_targets` returned: targets smoothed, say.

        ``classes`` is the length of the outputs' last axis. With ``random``, label noise is drawn from it where the
        loss has some. A label that is ignored becomes ``classes``.
        """
        del classes, random
        return targets

    def sample_targets(self, rows: int, output_shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return targets for ``rows`` samples that :meth:`prepare_targets` accepts: zeros, or the first class."""
        return np.zeros((rows, *output_shape), dtype)


def values_of(objective: Objective, y_true: NDArray[Any], y_pred: Floats) -> Doubles:
    """Return what a loss of matrices of predictions and targets is of each vector along the last axis."""
    if y_true.shape != y_pred.shape:
        _checks.refuse("y_true", f"of shape {y_pred.shape}, that of y_pred", y_true.shape)
    matrix = (-1, y_pred.shape[-1] if y_pred.ndim else 1)
    predictions = np.ascontiguousarray(y_pred).reshape(matrix)
    targets = np.ascontiguousarray(y_true, dtype=y_pred.dtype).reshape(matrix)
    values = np.empty(len(predictions), np.float64)
    scalars = (value for _, value in objective.scalars)
    getattr(get_backend(), objective.op)(values, None, predictions, targets, None, *scalars, 1.0)
    return values.reshape(y_pred.shape[:-1])


def same_rank(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the two with a last axis of length 1 added or taken away, where one has it and the other lacks it."""
    if a.ndim == b.ndim + 1 and a.shape[-1] == 1:
        return (a, b[:, np.newaxis]) if b.ndim == 1 else (a[..., 0], b)
    if b.ndim == a.ndim + 1 and b.shape[-1] == 1:
        return (a[:, np.newaxis], b) if a.ndim == 1 else (a, b[..., 0])
    return a, b


def _product(name: str, values: NDArray[Any], weights: Doubles) -> Doubles:
    try:
        return np.asarray(values * weights)
    except ValueError:
        _checks.refuse(name, f"of a shape that broadcasts with {values.shape}", weights.shape)


def in_words(shape: tuple[int, ...]) -> str:
    """Return the shape of an array of samples of ``shape``, as errors write it."""
    sizes = ", ".join(["n", *(str(size) for size in shape)])
    return f"({sizes})" if shape else "(n,)"


def predicted(y_pred: Any) -> Floats:
    """Return predictions as an array of float32 or float64."""
    predictions = numbers("y_pred", y_pred)
    return predictions if predictions.dtype in (np.float32, np.float64) else predictions.astype(np.float64)


def numbers(name: str, y: Any) -> NDArray[Any]:
    """Return ``y`` as an array, which must be of numbers."""
    try:
        values = np.asarray(y)
    except ValueError as error:  # a ragged list
        msg = f"{name} must be an array of numbers, got {type(y).__name__} ({error})"
        raise ValueError(msg) from error
    if values.dtype.kind not in "biuf":
        msg = f"{name} must be an array of numbers, got dtype {values.dtype}"
        raise ValueError(msg)
    return values


def refuse_rows(name: str, expectation: str, values: NDArray[Any], wrong: NDArray[np.bool_], what: str = "") -> None:
    """Raise ValueError with the first of ``values`` that is wrong, and its row."""
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        msg = f"{name} must be {expectation}, got {what}{values[wrong].flat[0]!s} in row {row}"
        raise ValueError(msg)
