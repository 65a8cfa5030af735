"""Losses of finite values: distances of predictions from targets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball.losses.base import Loss, in_words, numbers, refuse_rows, values_of
from flyball.program.requests import Objective

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from flyball.backend.types import Floats


def pointwise(loss: str, delta: float = 1.0, fused: str = "linear", *, by_position: bool = False) -> Objective:
    """Return the objective that is a pointwise loss."""
    scalars: tuple[tuple[str, Any], ...] = (("loss", loss), ("delta", delta))
    return Objective("pointwise_loss", "targets", fused, scalars=scalars, by_position=by_position)


def row_loss(
    loss: str, gamma: float = 1.0, positive: float = 1.0, negative: float = 1.0, *, fused: str = "linear"
) -> Objective:
    """Return the objective that is a loss of rows."""
    scalars = (("loss", loss), ("gamma", gamma), ("positive", positive), ("negative", negative))
    return Objective("row_loss", "targets", fused, scalars=scalars, by_position=True)


class Values(Loss):
    """Base of the losses of finite values: targets have the shape of the outputs."""

    def call(self, y_true: NDArray[Any], y_pred: Floats) -> NDArray[Any]:
        """Return the loss of each vector along the last axis."""
        return values_of(self.objective, y_true, y_pred)

    def prepare_targets(
        self, y: Any, output_shape: tuple[int, ...], dtype: DTypeLike, *, name: str = "y"
    ) -> NDArray[Any]:
        """Return ``y``, (n, *output_shape), finite, in ``dtype``; a last axis of 1 may be missing."""
        values = numbers(name, y)
        if output_shape[-1:] == (1,) and values.shape[1:] == output_shape[:-1]:
            values = values[..., np.newaxis]
        if values.ndim == 0 or values.shape[1:] != output_shape:
            expectation = _shape_in_words(output_shape)
            msg = f"{name} must be of shape {expectation} for {self.name}, got shape {values.shape}"
            raise ValueError(msg)
        with np.errstate(over="ignore"):  # a value too large for dtype becomes inf, which is refused here
            converted = np.ascontiguousarray(values, dtype=dtype)
        refuse_rows(name, f"finite in {converted.dtype}", values, ~np.isfinite(converted))
        return converted


class MeanSquaredError(Values):
    """``mean((p - t)**2)`` over the outputs of a sample."""

    default_name = "mean_squared_error"
    objective = pointwise("mean_squared_error")


class MeanAbsoluteError(Values):
    """``mean(abs(p - t))`` over the outputs of a sample."""

    default_name = "mean_absolute_error"
    objective = pointwise("mean_absolute_error")


class Huber(Values):
    """Mean over the outputs of ``d**2 / 2``, with d = p - t, and beyond delta of ``delta * (abs(d) - delta / 2)``.

    Parameters
    ----------
    delta : float
        Where the parabola turns into a line; positive.
    reduction, name : str, optional
        See :class:`Loss`.
    """

    default_name = "huber_loss"

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        **unknown: object,
    ) -> None:
        super().__init__(reduction, name, **unknown)
        self.delta = _checks.number("delta", delta, "(0, inf)")
        self.objective = pointwise("huber", self.delta)


class LogCosh(Values):
    """``mean(log(cosh(p - t)))`` over the outputs of a sample."""

    default_name = "log_cosh"
    objective = pointwise("log_cosh")


class Poisson(Values):
    """``mean(p - t * log(p + 1e-7))`` over the outputs of a sample, which are rates."""

    default_name = "poisson"
    objective = pointwise("poisson")


class KLDivergence(Values):
    """``sum(t * log(t / p))``, with t and p between 1e-7 and 1."""

    default_name = "kl_divergence"
    objective = pointwise("kl_divergence", by_position=True)


class MeanAbsolutePercentageError(Values):
    """``100 * mean(abs(p - t) / max(abs(t), 1e-7))`` over the outputs of a sample."""

    default_name = "mean_absolute_percentage_error"
    objective = pointwise("mean_absolute_percentage_error")


class MeanSquaredLogarithmicError(Values):
    """``mean((log(1 + p) - log(1 + t))**2)`` over the outputs of a sample, with p and t at least 1e-7."""

    default_name = "mean_squared_logarithmic_error"
    objective = pointwise("mean_squared_logarithmic_error")


class CosineSimilarity(Values):
    """Minus the cosine of the angle between prediction and target: -1 where they point the same way.

    Vectors of zeros have the loss 0.

    Parameters
    ----------
    axis : int
        The axis of the vectors; the last one in training.
    reduction, name : str, optional
        See :class:`Loss`.
    """

    default_name = "cosine_similarity"
    objective = replace(pointwise("cosine_similarity", by_position=True), unit=True)

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        **unknown: object,
    ) -> None:
        super().__init__(reduction, name, **unknown)
        self.axis = _checks.integer("axis", axis, -32)

    def call(self, y_true: NDArray[Any], y_pred: Floats) -> NDArray[Any]:
        """Return the loss of each vector along the last axis."""
        return super().call(_unit(y_true.astype(y_pred.dtype)), _unit(y_pred))

    def training_targets(
        self, targets: NDArray[Any], classes: int, random: np.random.Generator | None = None
    ) -> NDArray[Any]:
        """See :class:`Loss`."""
        del classes, random
        return _unit(targets)


def _unit(vectors: NDArray[Any]) -> NDArray[Any]:
    lengths = np.sqrt(np.sum(np.square(vectors), axis=-1, keepdims=True))
    return np.asarray(vectors / np.where(lengths > 0.0, lengths, 1.0))


def _shape_in_words(output_shape: tuple[int, ...]) -> str:
    full = in_words(output_shape)
    return full if output_shape[-1] != 1 else f"{in_words(output_shape[:-1])} or {full}"
