"""Penalties on weights, by default in Keras' convention: ``l1 * sum(|w|) + l2 * sum(w**2)`` is added to the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flyball import _checks
from flyball._registry import Configurable, Registry, parameters, serialize
from flyball.backend import get_backend

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]


CONVENTIONS = ("lambda", "lambda/2", "lambda/m", "lambda/2m")


class Regularizer(Configurable):
    """Base of the penalties ``c * (l1 * sum(|w|) + l2 * sum(w**2))``; c is 1, unless another convention is chosen.

    The gradient it adds is ``c * (l1 * sign(w) + 2 * l2 * w)``. So PyTorch's ``weight_decay=a`` is
    ``L2(a, "lambda/2")``; ``alpha=a`` of scikit-learn's Ridge is ``L2(a, "lambda/m")`` beside a mean squared error;
    ``C=a`` of its LogisticRegression is ``L2(1 / a, "lambda/2m")`` beside a cross-entropy, as is ``alpha`` of its MLPs
    where a batch is the whole data set. A Gaussian prior of standard deviation s on the weights is
    ``L2(1 / s**2, "lambda/2m")`` beside a negative log-likelihood, a Laplace prior of scale b is ``L1(1 / b,
    "lambda/m")``: the most probable weights are the minimum.

    Parameters
    ----------
    convention : {"lambda", "lambda/2", "lambda/m", "lambda/2m"}
        The factor c: 1 (Keras), 1/2, 1/m or 1/(2m), with m the number of training samples.
    samples : int, optional
        m. By default the number of samples that the model is fitted to, or, as long as there was none, evaluated on.
        Data that come in batches do not tell it.
    """

    l1: float = 0.0
    l2: float = 0.0
    proximal: bool = False

    def __init__(self, convention: str = "lambda", samples: int | None = None, **unknown: object) -> None:
        _checks.no_more_arguments(type(self).__name__, unknown, parameters(type(self)))
        self.convention = _checks.choice("convention", convention, CONVENTIONS)
        self.samples = None if samples is None else _checks.integer("samples", samples, 1)

    @property
    def needs_samples(self) -> bool:
        """Whether the factor depends on a number of samples that is not known yet."""
        return self.samples is None and self.convention.endswith("m")

    @property
    def convention_factor(self) -> float:
        """c, to be divided by the number of samples where that is not known yet."""
        half = 0.5 if "2" in self.convention else 1.0
        return half / self.samples if self.samples is not None and self.convention.endswith("m") else half

    def __call__(self, w: ArrayLike) -> float:
        """Return the penalty of the weights ``w``, summed in double precision."""
        if self.needs_samples:
            _checks.refuse("samples", f"given to compute a penalty by itself in the convention {self.convention}", None)
        w = np.asarray(w, dtype=np.float64)
        return float(self.convention_factor * (self.l1 * np.abs(w).sum() + self.l2 * np.square(w).sum()))


class L1(Regularizer):
    """``l1 * sum(|w|)``: the lasso, which draws weights to zero.

    Parameters
    ----------
    l1 : float
        Not negative.
    convention, samples
        See :class:`Regularizer`.
    proximal : bool
        Whether a step ends with ``w = sign(w) * max(|w| - learning_rate * l1, 0)``, in the place of a gradient: then
        weights become exactly zero, and stay so until the data ask for them.

    Notes
    -----
    The proximal step subtracts ``learning_rate * l1`` from ``|w|`` after each update, whatever the update did. Where
    the gradient goes through a momentum m, which multiplies it by up to ``1 / (1 - m)``, the same ``l1`` weighs that
    much less than as a part of the gradient: weights settle where ``|gradient| = l1 * (1 - m)``.
    """

    def __init__(
        self,
        l1: float = 0.01,
        convention: str = "lambda",
        samples: int | None = None,
        *,
        proximal: bool = False,
        **unknown: object,
    ) -> None:
        super().__init__(convention, samples, **unknown)
        self.l1 = _checks.number("l1", l1, "[0, inf)")
        self.proximal = _checks.flag("proximal", proximal)


class L2(Regularizer):
    """``l2 * sum(w**2)``: ridge, or coupled weight decay.

    Parameters
    ----------
    l2 : float
        Not negative.
    convention, samples
        See :class:`Regularizer`.
    """

    def __init__(
        self, l2: float = 0.01, convention: str = "lambda", samples: int | None = None, **unknown: object
    ) -> None:
        super().__init__(convention, samples, **unknown)
        self.l2 = _checks.number("l2", l2, "[0, inf)")


class L1L2(Regularizer):
    """``l1 * sum(|w|) + l2 * sum(w**2)``: the elastic net.

    Parameters
    ----------
    l1, l2 : float
        Not negative.
    convention, samples
        See :class:`Regularizer`; for both parts.
    proximal : bool
        As in :class:`L1`.
    """

    def __init__(
        self,
        l1: float = 0.0,
        l2: float = 0.0,
        convention: str = "lambda",
        samples: int | None = None,
        *,
        proximal: bool = False,
        **unknown: object,
    ) -> None:
        super().__init__(convention, samples, **unknown)
        self.l1 = _checks.number("l1", l1, "[0, inf)")
        self.l2 = _checks.number("l2", l2, "[0, inf)")
        self.proximal = _checks.flag("proximal", proximal)


class OrthogonalRegularizer(Regularizer):
    """``factor`` times the mean of ``abs(v_i . v_j)`` over all pairs i < j, v being vectors divided by their lengths.

    It draws the rows or columns of a kernel (inputs, units) to right angles, whatever their lengths: columns are those
    of the units, which then see different things.

    Parameters
    ----------
    factor : float
        Not negative.
    mode : {"rows", "columns"}
        Which of the kernel's vectors, those of the inputs or those of the units.
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows", **unknown: object) -> None:
        super().__init__(**unknown)  # type: ignore[arg-type]
        self.factor = _checks.number("factor", factor, "[0, inf)")
        self.mode = _checks.choice("mode", mode, ("rows", "columns"))

    def of_each_pair(self, name: str, shape: tuple[int, ...]) -> float:
        """Return what a pair of vectors of a matrix of ``shape`` counts; errors call it ``name``."""
        if len(shape) != 2:
            _checks.refuse(name, "a matrix for an orthogonal regularizer", shape)
        count = shape[self.mode == "columns"]
        return 2.0 * self.factor / (count * (count - 1)) if count > 1 else 0.0

    def __call__(self, w: ArrayLike) -> float:
        """Return the penalty of the weights ``w``, a matrix, in double precision."""
        matrix = np.ascontiguousarray(w, dtype=np.float64)
        penalty = np.zeros(1)
        factor = self.of_each_pair("w", matrix.shape)
        get_backend().orthogonal_penalty(penalty, None, matrix, factor, self.mode == "columns")
        return float(penalty[0])


_names: dict[str, type[Regularizer]] = {
    "l1": L1,
    "l2": L2,
    "l1_l2": L1L2,
    "orthogonal_regularizer": OrthogonalRegularizer,
}
REGISTRY: Registry[Regularizer] = Registry("regularizer", Regularizer, _names)


def get(identifier: object, argument: str = "regularizer") -> Regularizer | None:
    """Return the regularizer that ``identifier`` stands for; None stays None.

    Parameters
    ----------
    identifier : str, Regularizer, type, dict or None
        A name (``"l1"``, ``"l2"``, ``"l1_l2"``, ``"orthogonal_regularizer"``), a regularizer, its class, or its
        configuration.
    argument : str
        What errors call the value.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    return None if identifier is None else REGISTRY.get(identifier, argument)


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer
