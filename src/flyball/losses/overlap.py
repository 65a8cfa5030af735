"""Losses of sets: how little the predicted one and the target have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from flyball import _checks
from flyball.losses.base import values_of
from flyball.losses.regression import Values
from flyball.program.requests import Objective

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from flyball.backend.types import Floats


class Tversky(Values):
    """``1 - I / (I + alpha * (T - I) + beta * (P - I) + 1e-7)`` with I, T, P the sums of ``t * p``, t and p.

    Targets are 0 and 1, predictions probabilities, of pixels say. T - I counts what was missed, P - I what was found
    wrongly. Salehi et al. 2017, "Tversky loss function for image segmentation".

    Parameters
    ----------
    alpha, beta : float
        Not negative.
    reduction, name : str, optional
        See :class:`Loss`. ``"sum"`` is for calls, where ``axis`` is None.
    axis : int, sequence of int or None
        The axes that are added up; None adds up all of a batch, which then has one loss. In training None, or all axes
        but the first.
    """

    default_name = "tversky"
    epsilon: ClassVar[float] = 1e-7
    per_sample: ClassVar[bool] = True

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        axis: Any = None,
        **unknown: object,
    ) -> None:
        super().__init__(reduction, name, **unknown)
        self.alpha = _checks.number("alpha", alpha, "[0, inf)")
        self.beta = _checks.number("beta", beta, "[0, inf)")
        found = None if axis is None else _checks.axes("axis", axis)
        self.axis = tuple(found) if isinstance(found, list) else found if found is None else (found,)
        scalars = (("alpha", self.alpha), ("beta", self.beta), ("epsilon", self.epsilon), ("whole", self.axis is None))
        self.objective = Objective("overlap_loss", "targets", scalars=scalars)

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes that are given."""
        return self.axis if isinstance(self.axis, tuple) else ()

    def require_trainable(self) -> None:
        """See :class:`Loss`."""
        super().require_trainable()
        if self.axis is None and self.reduction == "sum":
            _checks.refuse("the loss's reduction", "a mean to train with where axis is None", self.reduction)

    def call(self, y_true: NDArray[Any], y_pred: Floats) -> NDArray[Any]:
        """Return the loss of what ``axis`` adds up."""
        if y_true.shape != y_pred.shape:
            _checks.refuse("y_true", f"of shape {y_pred.shape}, that of y_pred", y_true.shape)
        axes = range(y_pred.ndim) if self.axis is None else self.axes
        if any(not -y_pred.ndim <= axis < y_pred.ndim for axis in axes):
            _checks.refuse("axis", f"axes of y_pred, whose shape is {y_pred.shape}", self.axis)
        inner = sorted(axis % y_pred.ndim for axis in axes)
        outer = [axis for axis in range(y_pred.ndim) if axis not in inner]
        shape = tuple(y_pred.shape[axis] for axis in outer)
        targets, predictions = (
            array.transpose(*outer, *inner).reshape(*shape, -1) for array in (y_true.astype(y_pred.dtype), y_pred)
        )
        return values_of(self.objective, targets, predictions)

    def prepare_targets(
        self, y: Any, output_shape: tuple[int, ...], dtype: DTypeLike, *, name: str = "y"
    ) -> NDArray[Any]:
        """Return ``y`` of the outputs' shape, finite, in ``dtype``."""
        count = len(output_shape) + 1
        if self.axis is not None and sorted(axis % count for axis in self.axes) != list(range(1, count)):
            _checks.refuse("the loss's axis", f"None or {tuple(range(1, count))} to train with", self.axis)
        return super().prepare_targets(y, output_shape, dtype, name=name)


class Dice(Tversky):
    """``1 - 2 * I / (T + P + 1e-7)`` with I, T, P the sums of ``t * p``, t and p: :class:`Tversky` with halves.

    Milletari et al. 2016, "V-Net".

    Parameters
    ----------
    reduction, name, axis
        As in :class:`Tversky`.
    """

    default_name = "dice"
    epsilon = 0.5e-7

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        axis: Any = None,
        **unknown: Any,
    ) -> None:
        super().__init__(0.5, 0.5, reduction, name, axis, **unknown)
