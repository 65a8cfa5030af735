"""What all metrics are: sums over samples, and a number made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from flyball import _checks, _own_objects
from flyball._registry import Configurable, parameters, snake_case
from flyball.losses.base import numbers, same_rank

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from flyball.backend.types import Doubles


class Metric(Configurable):
    """Base of all metrics, which are used as Keras' are: ``update_state``, ``result``, ``reset_state``.

    A metric of one's own defines ``sums``, :meth:`statistics` and :meth:`value`; or the three methods themselves.

    Parameters
    ----------
    name : str, optional
        What ``History`` calls it.

    Attributes
    ----------
    sums : tuple of str
        Names of the sums over samples it is made of.
    state : dict of str to float or array
        The sums so far.
    """

    sums: ClassVar[tuple[str, ...]]
    default_name: ClassVar[str | None] = None

    def __init__(self, name: str | None = None, **unknown: object) -> None:
        _checks.no_more_arguments(type(self).__name__, unknown, parameters(type(self)))
        self.name = (
            (self.default_name or snake_case(type(self).__name__)) if name is None else _checks.text("name", name)
        )
        self.reset_state()

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> Any:
        """Take in a batch, and return the result over all so far."""
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take in targets and predictions, and factors of the samples.

        Raises
        ------
        ValueError
            If the shapes do not fit, or an array is not of numbers.
        """
        targets, predictions = numbers("y_true", y_true), numbers("y_pred", y_pred)
        weights = None if sample_weight is None else numbers("sample_weight", sample_weight).astype(np.float64)
        predictions = predictions if predictions.dtype == np.float32 else predictions.astype(np.float64)
        for sum_name, value in zip(self.sums, self.statistics(targets, predictions, weights), strict=True):
            self.state[sum_name] = self.state[sum_name] + np.asarray(value, np.float64)

    def result(self) -> Any:
        """Return the metric of all samples so far: a float, or an array where it has several values."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.asarray(self.value(**self.state), np.float64)
        return float(value) if value.ndim == 0 else value

    def reset_state(self) -> None:
        """Forget all samples."""
        self.state: dict[str, Any] = dict.fromkeys(self.sums, 0.0)

    def statistics(self, y_true: NDArray[Any], y_pred: NDArray[Any], weights: Doubles | None) -> Sequence[ArrayLike]:
        """Return the sums of a batch, in the order of ``sums``."""
        raise NotImplementedError(_checks.lacks(self, "statistics"))

    def value(self, **state: Any) -> ArrayLike:
        """Return the metric, from the sums of all batches."""
        raise NotImplementedError(_checks.lacks(self, "value"))


class Mean(Metric):
    """Mean of a value for each sample, weighted where there are weights. ``update_state`` takes the values alone."""

    sums: ClassVar[tuple[str, ...]] = ("total", "count")

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:  # type: ignore[override]
        """Take in values, one or more for each sample, and factors of the samples."""
        given = None if sample_weight is None else numbers("sample_weight", sample_weight).astype(np.float64)
        self._add(numbers("values", values).astype(np.float64), given)

    def __call__(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> Any:  # type: ignore[override]
        """Take in values, and return the mean over all so far."""
        self.update_state(values, sample_weight)
        return self.result()

    def value(self, **state: Any) -> ArrayLike:
        """See :class:`Metric`."""
        return no_nan(state["total"], state["count"])

    def _add(self, values: Doubles, weights: Doubles | None) -> None:
        total, count = weighted_sums(values, weights)
        self.state["total"] = self.state["total"] + total
        self.state["count"] = self.state["count"] + count


class Sum(Mean):
    """Sum of all values, times their weights where there are some."""

    sums: ClassVar[tuple[str, ...]] = ("total",)

    def value(self, **state: Any) -> ArrayLike:
        """See :class:`Metric`."""
        return np.asarray(state["total"])

    def _add(self, values: Doubles, weights: Doubles | None) -> None:
        self.state["total"] = self.state["total"] + weighted_sums(values, weights)[0]


class MeanOfSamples(Metric):
    """Base of the metrics that are the mean of a value for each sample."""

    sums = ("total", "count")

    def values(self, y_true: NDArray[Any], y_pred: NDArray[Any]) -> Any:
        """Return the values: of any number for each sample, which are averaged."""
        raise NotImplementedError(_checks.lacks(self, "values"))

    def statistics(self, y_true: NDArray[Any], y_pred: NDArray[Any], weights: Doubles | None) -> Sequence[ArrayLike]:
        """See :class:`Metric`."""
        return weighted_sums(np.asarray(self.values(y_true, y_pred), np.float64), weights)

    def value(self, **state: Any) -> ArrayLike:
        """See :class:`Metric`."""
        return no_nan(state["total"], state["count"])


class MeanMetricWrapper(MeanOfSamples):
    """Mean of ``fn(y_true, y_pred, **arguments)``, a function of one's own that returns a value for each sample."""

    def __init__(self, fn: Callable[..., Any], name: str | None = None, **arguments: Any) -> None:
        if not callable(fn):
            _checks.refuse("fn", "a function of y_true and y_pred", fn)
        super().__init__(getattr(fn, "__name__", type(fn).__name__) if name is None else name)
        self.fn, self.arguments = fn, arguments

    def values(self, y_true: NDArray[Any], y_pred: NDArray[Any]) -> Any:
        """See :class:`MeanOfSamples`."""
        return np.asarray(self.fn(y_true, y_pred, **self.arguments))

    def get_config(self) -> dict[str, Any]:
        """Return the name under which :func:`from_config` finds the function, and the arguments."""
        return {"fn": _own_objects.name_of(self.fn), "name": self.name, **self.arguments}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make a metric of a function that this program knows by its name."""
        return cls(**{**config, "fn": _own_objects.function(config.get("fn"))})


def weighted_sums(values: Doubles, weights: Doubles | None) -> tuple[float, float]:
    """Return the sum of a value for each sample, and of what each sample counts.

    Values of one sample beyond its weights' axes are averaged first.
    """
    if weights is None:
        rows = values.reshape(len(values), -1).mean(axis=1) if values.ndim > 1 else values
        return float(rows.sum()), float(rows.size)
    values, weights = same_rank(values, weights)
    if values.ndim > weights.ndim:
        values = values.mean(axis=tuple(range(weights.ndim, values.ndim)))
    try:
        weights = np.broadcast_to(weights, values.shape)
    except ValueError:
        _checks.refuse("sample_weight", f"of a shape that broadcasts to {values.shape}", weights.shape)
    return float((values * weights).sum()), float(weights.sum())


def no_nan(numerator: Any, denominator: Any) -> NDArray[Any]:
    """Return the quotient, and 0 where the denominator is 0."""
    numerator, denominator = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    quotient: NDArray[Any] = np.divide(numerator, denominator, out=np.zeros(shape), where=denominator != 0.0)
    return quotient


def same_shapes(y_true: NDArray[Any], y_pred: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return targets and predictions, which must be of one shape but for a last axis of length 1."""
    y_true, y_pred = same_rank(y_true, y_pred)
    if y_true.shape != y_pred.shape:
        _checks.refuse("y_true", f"of shape {y_pred.shape}, that of y_pred", y_true.shape)
    return y_true, y_pred
