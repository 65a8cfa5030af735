"""What weights must be after each step: names, arguments and defaults of Keras 3."""

from __future__ import annotations

from math import inf, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball._registry import Configurable, Registry, serialize
from flyball.backend import get_backend
from flyball.program.nodes import Projection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "get", "max_norm", "min_max_norm", "non_neg",
    "serialize", "unit_norm",
]  # fmt: skip


class Constraint(Configurable):
    """Base of all constraints: weights are put back to the nearest that are allowed, after each step."""

    axis: int | list[int] = 0

    def operation(self) -> tuple[str, dict[str, float | str]]:
        """Return the operation that does it, and its scalars."""
        raise NotImplementedError(_checks.lacks(self, "operation"))

    def __call__(self, w: ArrayLike) -> NDArray[Any]:
        """Return ``w`` as it would be after a step."""
        array = np.asarray(w)
        array = array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
        axes = self._axes(array.ndim)
        front = tuple(range(len(axes)))
        columns = np.moveaxis(array, axes, front)
        flat = np.array(columns, order="C").reshape(prod(columns.shape[: len(axes)]), -1)
        op, scalars = self.operation()
        arguments = (flat, flat) if op == "activation_forward" else (flat,)
        getattr(get_backend(), op)(*arguments, *scalars.values())
        return np.moveaxis(flat.reshape(columns.shape), front, axes)

    def projection(self, shape: tuple[int, ...]) -> Projection:
        """Return what a Program does to weights of ``shape`` after each step."""
        axes = self._axes(len(shape))
        if axes != list(range(len(axes))):
            _checks.refuse("axis", f"the first axes of weights of shape {shape}", self.axis)
        return Projection(*self.operation(), rows=prod(shape[: len(axes)]))

    def _axes(self, ndim: int) -> list[int]:
        axes = [self.axis] if isinstance(self.axis, int) else self.axis
        if not all(-ndim <= axis < ndim for axis in axes):
            _checks.refuse("axis", f"in [{-ndim}, {ndim}) for weights of {ndim} dimensions", self.axis)
        return sorted({axis % ndim for axis in axes})


def _axis(axis: int | Sequence[int]) -> int | list[int]:
    if isinstance(axis, (list, tuple)):
        return [_checks.integer("axis", value, -32) for value in axis]
    return _checks.integer("axis", axis, -32)


class MaxNorm(Constraint):
    """Columns are scaled to the norm ``max_value`` where theirs is larger. Srivastava et al. 2014, section 5.1.

    Parameters
    ----------
    max_value : float
        Largest norm.
    axis : int or list of int
        Axes a norm runs over: 0 for what goes into a unit of a dense layer, all but the last for a convolution's.
    """

    def __init__(self, max_value: float = 2, axis: int | Sequence[int] = 0) -> None:
        self.max_value = _checks.number("max_value", max_value, "[0, inf)")
        self.axis = _axis(axis)

    def operation(self) -> tuple[str, dict[str, float | str]]:
        """Return the operation that does it, and its scalars."""
        return "constrain_norm", {"min_value": 0.0, "max_value": self.max_value, "rate": 1.0}


class UnitNorm(Constraint):
    """Columns are scaled to the norm 1; one of zeros stays. ``axis`` as in :class:`MaxNorm`."""

    def __init__(self, axis: int | Sequence[int] = 0) -> None:
        self.axis = _axis(axis)

    def operation(self) -> tuple[str, dict[str, float | str]]:
        """Return the operation that does it, and its scalars."""
        return "constrain_norm", {"min_value": 1.0, "max_value": 1.0, "rate": 1.0}


class MinMaxNorm(Constraint):
    """Norms of columns are moved by ``rate`` of the way into [min_value, max_value].

    Parameters
    ----------
    min_value, max_value : float
        Smallest and largest norm.
    rate : float
        In [0, 1]; 1 enforces the bounds at each step.
    axis : int or list of int
        As in :class:`MaxNorm`.
    """

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: int | Sequence[int] = 0
    ) -> None:
        self.min_value = _checks.number("min_value", min_value, "[0, inf)")
        self.max_value = _checks.number("max_value", max_value, f"[{self.min_value}, {inf})")
        self.rate = _checks.number("rate", rate, "[0, 1]")
        self.axis = _axis(axis)

    def operation(self) -> tuple[str, dict[str, float | str]]:
        """Return the operation that does it, and its scalars."""
        return "constrain_norm", {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate}


class NonNeg(Constraint):
    """Negative weights become zero."""

    def operation(self) -> tuple[str, dict[str, float | str]]:
        """Return the operation that does it, and its scalars."""
        return "activation_forward", {"activation": "relu", "alpha": 0.0}


_names: dict[str, type[Constraint]] = {
    "max_norm": MaxNorm, "unit_norm": UnitNorm, "min_max_norm": MinMaxNorm, "non_neg": NonNeg
}  # fmt: skip
REGISTRY: Registry[Constraint] = Registry("constraint", Constraint, _names)


def get(identifier: object, argument: str = "constraint") -> Constraint | None:
    """Return the constraint that ``identifier`` stands for; None stays None.

    Parameters
    ----------
    identifier : str, Constraint, type, dict or None
        A name (``"max_norm"``, ...), a constraint, its class, or its configuration.
    argument : str
        What errors call the value.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    return None if identifier is None else REGISTRY.get(identifier, argument)


max_norm, unit_norm, min_max_norm, non_neg = MaxNorm, UnitNorm, MinMaxNorm, NonNeg
