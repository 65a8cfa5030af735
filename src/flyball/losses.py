"""Losses: names, and what targets they take; the arithmetic is in :mod:`flyball.backend`'s operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball._registry import Configurable, Registry, serialize
from flyball.program.lowering import Objective

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "get",
    "serialize",
]

# How far from 1 the sum of a row of probabilities may be: float16 probabilities of 1000 classes stay well inside.
PROBABILITY_TOLERANCE = 1e-3


class Loss(Configurable):
    """Base of all losses: the mean over the samples of one number each.

    Attributes
    ----------
    name : str
        What configurations call it.
    from_logits : bool
        Whether predictions are logits, not probabilities.
    objective : Objective
        The operation that computes it.
    """

    from_logits: bool = False
    objective: Objective

    def __init__(self, name: str) -> None:
        self.name = _checks.text("name", name)

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
        raise NotImplementedError

    def sample_targets(self, rows: int, output_shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return targets for ``rows`` samples that :meth:`prepare_targets` accepts: zeros, or the first class."""
        return np.zeros((rows, *output_shape), dtype)


class SparseCategoricalCrossentropy(Loss):
    """Cross-entropy for class indices: ``-log(p[label])`` with p the predicted probabilities.

    Parameters
    ----------
    from_logits : bool
        False for a model that ends in softmax, True for one whose output is ``logits``, with p = softmax(logits). Both
        are computed from the logits, so that no probability is ever rounded to 0.
    name : str
        What configurations call it.
    """

    objective = Objective(
        "softmax_cross_entropy", "labels", fused="softmax", counts_hits=True, scalars=(("smoothing", 0.0),)
    )

    def __init__(self, from_logits: bool = False, *, name: str = "sparse_categorical_crossentropy") -> None:
        super().__init__(name)
        self.from_logits = _checks.flag("from_logits", from_logits)

    def prepare_targets(
        self, y: Any, output_shape: tuple[int, ...], dtype: DTypeLike, *, name: str = "y"
    ) -> NDArray[Any]:
        """Return ``y``, (n,) or (n, 1) integers (also integral floats) in [0, classes), as (n,) int64."""
        del dtype
        classes = _columns(self, output_shape)
        values = _numbers(name, y)
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim != 1:
            expectation = "of shape (n,) or (n, 1) for sparse_categorical_crossentropy"
            msg = (
                f"{name} must be {expectation}, got shape {values.shape}; for one-hot rows use categorical_crossentropy"
            )
            raise ValueError(msg)
        with np.errstate(invalid="ignore"):  # nan and inf have no integer; the comparison below finds them
            labels = values.astype(np.int64)
        _refuse_rows(
            name, f"integers in [0, {classes})", values, (labels != values) | (values < 0) | (values >= classes)
        )
        return np.ascontiguousarray(labels)

    def sample_targets(self, rows: int, output_shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return the first class for all ``rows``."""
        del output_shape, dtype
        return np.zeros(rows, np.int64)


class CategoricalCrossentropy(Loss):
    """Cross-entropy for rows of probabilities (one-hot or soft): ``-sum(t * log(p))``.

    Parameters
    ----------
    from_logits : bool
        As in :class:`SparseCategoricalCrossentropy`.
    label_smoothing : float
        eps in [0, 1): the targets become ``(1 - eps) * t + eps / classes``.
    name : str
        What configurations call it.
    """

    objective = Objective("softmax_cross_entropy_soft", "targets", fused="softmax", counts_hits=True)

    def __init__(
        self, from_logits: bool = False, label_smoothing: float = 0.0, *, name: str = "categorical_crossentropy"
    ) -> None:
        super().__init__(name)
        self.from_logits = _checks.flag("from_logits", from_logits)
        self.label_smoothing = _checks.number("label_smoothing", label_smoothing, "[0, 1)")

    def prepare_targets(
        self, y: Any, output_shape: tuple[int, ...], dtype: DTypeLike, *, name: str = "y"
    ) -> NDArray[Any]:
        """Return ``y``, (n, classes) with non-negative rows that sum to 1 within 1e-3, in ``dtype``."""
        classes = _columns(self, output_shape)
        values = _numbers(name, y)
        if values.ndim != 2 or values.shape[1] != classes:
            msg = f"{name} must be of shape (n, {classes}) for categorical_crossentropy, got shape {values.shape}"
            if values.ndim == 1 or values.shape[1:] == (1,):
                msg += "; for class indices use sparse_categorical_crossentropy"
            raise ValueError(msg)
        _refuse_rows(name, "non-negative and finite", values, ~((values >= 0) & np.isfinite(values)))
        sums = values.sum(axis=1, dtype=np.float64)
        _refuse_rows(name, "rows that sum to 1", sums, np.abs(sums - 1.0) > PROBABILITY_TOLERANCE, "a sum of ")
        if self.label_smoothing:
            values = (1.0 - self.label_smoothing) * values + self.label_smoothing / classes
        return np.ascontiguousarray(values, dtype=dtype)

    def sample_targets(self, rows: int, output_shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return equal probabilities of all classes for all ``rows``."""
        return np.full((rows, *output_shape), 1.0 / _columns(self, output_shape), dtype)


def _pointwise(loss: str, delta: float = 1.0, fused: str = "linear") -> Objective:
    return Objective("pointwise_loss", "targets", fused, scalars=(("loss", loss), ("delta", delta)))


class _Values(Loss):
    """Losses of finite values: targets have the shape of the outputs."""

    def prepare_targets(
        self, y: Any, output_shape: tuple[int, ...], dtype: DTypeLike, *, name: str = "y"
    ) -> NDArray[Any]:
        """Return ``y``, (n, outputs), or (n,) if there is one output, finite, as (n, outputs) in ``dtype``."""
        outputs = _columns(self, output_shape)
        values = _numbers(name, y)
        if values.ndim == 1 and outputs == 1:
            values = values[:, np.newaxis]
        if values.ndim != 2 or values.shape[1] != outputs:
            expectation = "(n,) or (n, 1)" if outputs == 1 else f"(n, {outputs})"
            msg = f"{name} must be of shape {expectation} for {self.name}, got shape {values.shape}"
            raise ValueError(msg)
        with np.errstate(over="ignore"):  # a value too large for dtype becomes inf, which is refused here
            converted = np.ascontiguousarray(values, dtype=dtype)
        _refuse_rows(name, f"finite in {converted.dtype}", values, ~np.isfinite(converted))
        return converted


class MeanSquaredError(_Values):
    """``mean((p - t)**2)`` over the outputs of a sample."""

    objective = _pointwise("mean_squared_error")

    def __init__(self, *, name: str = "mean_squared_error") -> None:
        super().__init__(name)


class MeanAbsoluteError(_Values):
    """``mean(abs(p - t))`` over the outputs of a sample."""

    objective = _pointwise("mean_absolute_error")

    def __init__(self, *, name: str = "mean_absolute_error") -> None:
        super().__init__(name)


class Huber(_Values):
    """Mean over the outputs of ``d**2 / 2``, with d = p - t, and beyond delta of ``delta * (abs(d) - delta / 2)``.

    Parameters
    ----------
    delta : float
        Where the parabola turns into a line; positive.
    name : str
        What configurations call it.
    """

    def __init__(self, delta: float = 1.0, *, name: str = "huber_loss") -> None:
        super().__init__(name)
        self.delta = _checks.number("delta", delta, "(0, inf)")
        self.objective = _pointwise("huber", self.delta)


class LogCosh(_Values):
    """``mean(log(cosh(p - t)))`` over the outputs of a sample."""

    objective = _pointwise("log_cosh")

    def __init__(self, *, name: str = "log_cosh") -> None:
        super().__init__(name)


class Poisson(_Values):
    """``mean(p - t * log(p + 1e-7))`` over the outputs of a sample, which are rates."""

    objective = _pointwise("poisson")

    def __init__(self, *, name: str = "poisson") -> None:
        super().__init__(name)


class KLDivergence(_Values):
    """``sum(t * log(t / p))``, with t and p between 1e-7 and 1."""

    objective = _pointwise("kl_divergence")

    def __init__(self, *, name: str = "kl_divergence") -> None:
        super().__init__(name)


class Hinge(_Values):
    """``mean(max(1 - t * p, 0))`` over the outputs of a sample; targets 0 and 1 count as -1 and 1."""

    objective = _pointwise("hinge")

    def __init__(self, *, name: str = "hinge") -> None:
        super().__init__(name)

    def prepare_targets(
        self, y: Any, output_shape: tuple[int, ...], dtype: DTypeLike, *, name: str = "y"
    ) -> NDArray[Any]:
        """Return ``y``, values -1 and 1, or 0 and 1, of the outputs' shape, in ``dtype``."""
        values = super().prepare_targets(y, output_shape, dtype, name=name)
        _refuse_rows(name, "-1 or 1, or 0 or 1", values, ~np.isin(values, (-1.0, 0.0, 1.0)))
        return values if (values < 0.0).any() else np.ascontiguousarray(2.0 * values - 1.0, dtype=dtype)


class SquaredHinge(Hinge):
    """``mean(max(1 - t * p, 0)**2)`` over the outputs of a sample; targets 0 and 1 count as -1 and 1."""

    objective = _pointwise("squared_hinge")

    def __init__(self, *, name: str = "squared_hinge") -> None:
        super().__init__(name=name)


class BinaryCrossentropy(_Values):
    """``-mean(t * log(p) + (1 - t) * log(1 - p))`` over the outputs of a sample, each a yes or no of its own.

    Parameters
    ----------
    from_logits : bool
        False for a model that ends in sigmoid, True for one whose output is ``logits``, with p = sigmoid(logits). Both
        are computed from the logits, so that no probability is ever rounded to 0 or 1.
    label_smoothing : float
        eps in [0, 1): the targets become ``(1 - eps) * t + eps / 2``.
    name : str
        What configurations call it.
    """

    objective = _pointwise("binary_cross_entropy_logits", fused="sigmoid")

    def __init__(
        self, from_logits: bool = False, label_smoothing: float = 0.0, *, name: str = "binary_crossentropy"
    ) -> None:
        super().__init__(name)
        self.from_logits = _checks.flag("from_logits", from_logits)
        self.label_smoothing = _checks.number("label_smoothing", label_smoothing, "[0, 1)")

    def prepare_targets(
        self, y: Any, output_shape: tuple[int, ...], dtype: DTypeLike, *, name: str = "y"
    ) -> NDArray[Any]:
        """Return ``y``, values in [0, 1] of the outputs' shape, in ``dtype``."""
        values = super().prepare_targets(y, output_shape, dtype, name=name)
        _refuse_rows(name, "in [0, 1]", values, (values < 0.0) | (values > 1.0))
        if not self.label_smoothing:
            return values
        return np.ascontiguousarray((1.0 - self.label_smoothing) * values + self.label_smoothing / 2.0, dtype=dtype)


def _columns(loss: Loss, output_shape: tuple[int, ...]) -> int:
    if len(output_shape) != 1:
        msg = f"the model's output must have shape (n, columns) for {loss.name}, got {('n', *output_shape)}"
        raise ValueError(msg)
    return output_shape[0]


def _numbers(name: str, y: Any) -> NDArray[Any]:
    try:
        values = np.asarray(y)
    except ValueError as error:  # a ragged list
        msg = f"{name} must be an array of numbers, got {type(y).__name__} ({error})"
        raise ValueError(msg) from error
    if values.dtype.kind not in "biuf":
        msg = f"{name} must be an array of numbers, got dtype {values.dtype}"
        raise ValueError(msg)
    return values


def _refuse_rows(name: str, expectation: str, values: NDArray[Any], wrong: NDArray[np.bool_], what: str = "") -> None:
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        msg = f"{name} must be {expectation}, got {what}{values[wrong].flat[0]!s} in row {row}"
        raise ValueError(msg)


_names: dict[str, type[Loss]] = {
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    "mean_absolute_error": MeanAbsoluteError,
    "mae": MeanAbsoluteError,
    "huber": Huber,
    "log_cosh": LogCosh,
    "hinge": Hinge,
    "squared_hinge": SquaredHinge,
    "poisson": Poisson,
    "kl_divergence": KLDivergence,
    "binary_crossentropy": BinaryCrossentropy,
    "bce": BinaryCrossentropy,
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
        If it is none of these.
    """
    return REGISTRY.get(identifier)
