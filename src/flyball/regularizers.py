"""Penalties on weights, in Keras' convention: ``l1 * sum(|w|) + l2 * sum(w**2)`` is added to the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flyball import _checks
from flyball._registry import Configurable, Registry, serialize

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["L1", "L1L2", "L2", "Regularizer", "get", "l1", "l1_l2", "l2", "serialize"]


class Regularizer(Configurable):
    """Base of the penalties ``l1 * sum(|w|) + l2 * sum(w**2)``.

    The gradient it adds is ``l1 * sign(w) + 2 * l2 * w``: half of PyTorch's ``weight_decay`` is Keras' ``l2``.
    """

    l1: float = 0.0
    l2: float = 0.0

    def __call__(self, w: ArrayLike) -> float:
        """Return the penalty of the weights ``w``, summed in double precision."""
        w = np.asarray(w, dtype=np.float64)
        return float(self.l1 * np.abs(w).sum() + self.l2 * np.square(w).sum())


class L1(Regularizer):
    """``l1 * sum(|w|)``: the lasso, which draws weights to zero."""

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = _checks.number("l1", l1, "[0, inf)")


class L2(Regularizer):
    """``l2 * sum(w**2)``: ridge, or coupled weight decay."""

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = _checks.number("l2", l2, "[0, inf)")


class L1L2(Regularizer):
    """``l1 * sum(|w|) + l2 * sum(w**2)``: the elastic net."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = _checks.number("l1", l1, "[0, inf)")
        self.l2 = _checks.number("l2", l2, "[0, inf)")


_names: dict[str, type[Regularizer]] = {"l1": L1, "l2": L2, "l1_l2": L1L2}
REGISTRY: Registry[Regularizer] = Registry("regularizer", Regularizer, _names)


def get(identifier: object, argument: str = "regularizer") -> Regularizer | None:
    """Return the regularizer that ``identifier`` stands for; None stays None.

    Parameters
    ----------
    identifier : str, Regularizer, type, dict or None
        A name (``"l1"``, ``"l2"``, ``"l1_l2"``), a regularizer, its class, or its configuration.
    argument : str
        What errors call the value.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    return None if identifier is None else REGISTRY.get(identifier, argument)


l1, l2, l1_l2 = L1, L2, L1L2
