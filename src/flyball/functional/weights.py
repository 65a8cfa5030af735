"""What happens to weights and gradients around a step: norms and clipping, constraints, sums and averages."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from flyball.backend import get_backend
from flyball.functional._checks import (
    flat,
    floats,
    matching,
    native_float,
    not_negative,
    number,
    outside,
    plain,
    positive,
    share,
    whole,
    written,
)
from flyball.reference._arrays import FLOAT64, need_ndim

if TYPE_CHECKING:
    from flyball.backend.types import Doubles, Floats


def squared_norm(
    g: Floats, w: Floats | None = None, *, l1: float = 0.0, l2: float = 0.0, out: Doubles | None = None
) -> Doubles:
    """Return ``sum((g + l1 * sign(w) + l2 * w)**2)``, without w ``sum(g**2)``, summed in float64.

    Parameters
    ----------
    g : array of float32 or float64, any shape
        Gradient.
    w : array like g, optional
        Weights, where the norm is to take in the penalties' gradient.
    l1, l2 : float, at least 0
        As in the updates.
    out : array of float64, shape (1,), optional
        Increased by the result, and returned: the norm over several arrays is the sum of theirs.

    Returns
    -------
    array of float64, shape (1,)

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If a shape does not fit, arrays overlap, or a number is negative.
    """
    gradient = floats("g", g)
    weights = None
    if w is not None:
        weights = matching("w", w, gradient, "g").ravel()
    numbers = not_negative("l1", l1), not_negative("l2", l2)
    total = np.zeros(1) if out is None else out
    written("out", total, FLOAT64, (1,))
    get_backend().squared_norm(total, gradient.ravel(), weights, *numbers)
    return total


def clip_scale(total: Doubles, max_norm: float, *, out: Doubles | None = None) -> Doubles:
    """Return ``min(1, max_norm / sqrt(total))``, the factor that clips a gradient's norm; sets ``total`` to zero.

    >>> total = squared_norm(dw)                                            # doctest: +SKIP
    >>> squared_norm(db, out=total)                                         # doctest: +SKIP
    >>> scale = clip_scale(total, 1.0)                                      # doctest: +SKIP
    >>> adam_update(w, dw, m, v, step=1, gradient_scale=scale)              # doctest: +SKIP

    Parameters
    ----------
    total : array of float64, shape (1,)
        Sum of squares, from :func:`squared_norm`; zero afterwards, for the next step's sums.
    max_norm : float above 0
        Largest norm.
    out : array of float64, shape (1,), optional
        Receives the result.

    Returns
    -------
    array of float64, shape (1,)
        What the updates take as ``gradient_scale``. nan stays nan.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If a shape does not fit, arrays overlap, or ``max_norm`` is not above 0.
    """
    written("total", plain("total", total), FLOAT64, (1,))
    scale = np.empty(1) if out is None else out
    written("out", scale, FLOAT64, (1,))
    get_backend().clip_scale(scale, total, positive("max_norm", max_norm))
    return scale


class OrthogonalPenalty(NamedTuple):
    """What :func:`orthogonal_penalty` returns."""

    penalty: float
    dw: Floats


def orthogonal_penalty(w: Floats, *, factor: float = 0.01, mode: str = "rows") -> OrthogonalPenalty:
    """Penalty of vectors that are not at right angles, and its gradient.

    ``factor`` times the mean of ``abs(v_i . v_j)`` over all pairs i < j, v being the rows or columns of w divided by
    their lengths: what :class:`flyball.regularizers.OrthogonalRegularizer` adds to the loss.

    Parameters
    ----------
    w : array of float32 or float64, shape (K, C)
        Copied once if its layout asks for it.
    factor : float
        Not negative.
    mode : {"rows", "columns"}
        What is to be orthogonal; there must be two at least.

    Returns
    -------
    OrthogonalPenalty
        Named tuple of ``penalty`` (a float) and ``dw`` (K, C).

    Raises
    ------
    TypeError
        If ``w`` has another dtype, or is no array.
    ValueError
        If it is no matrix of at least two vectors, or an argument is outside what is said above.
    """
    w = floats("w", w)
    need_ndim("w", w, 2)
    factor = not_negative("factor", factor)
    if mode not in ("rows", "columns"):
        msg = f"mode must be 'rows' or 'columns', got {mode!r}"
        raise ValueError(msg)
    count = w.shape[mode == "columns"]
    if count < 2:
        msg = f"w must have at least 2 {mode}, got shape {w.shape}"
        raise ValueError(msg)
    penalty, dw = np.zeros(1), np.zeros_like(w)
    get_backend().orthogonal_penalty(penalty, dw, w, 2.0 * factor / (count * (count - 1)), mode == "columns")
    return OrthogonalPenalty(float(penalty[0]), dw)


def constrain_norm(w: Floats, *, min_value: float = 0.0, max_value: float = inf, rate: float = 1.0) -> None:
    """Move the norms of columns into [min_value, max_value], in place: max-norm, unit-norm and min-max-norm.

    ``norm = sqrt(sum(w**2))`` over all axes but the last; ``w *= 1 + rate * (clip(norm, min_value, max_value) / norm
    - 1)``. Columns whose norm is inside, or zero, stay as they are. Non-negative weights are
    ``activation_forward(w, "relu", out=w)``.

    Parameters
    ----------
    w : array of float32 or float64, shape (..., C)
        Weights of a layer; a column holds what goes into one unit. Never copied.
    min_value, max_value : float, at least 0
        Bounds of the norms; ``max_value`` may be infinite.
    rate : float in [0, 1]
        How much of the way: 1 enforces the bounds.

    Raises
    ------
    TypeError
        If w has another dtype, or is no array.
    ValueError
        If w has no axis or is not contiguous, or a number is outside what is said above.

    References
    ----------
    Srivastava et al., "Dropout", 2014, section 5.1 (max-norm). Keras divides by ``norm + 1e-7``.
    """
    array = plain("w", w)
    written("w", array, native_float("w", array), array.shape)
    if not array.ndim:
        msg = "w must have at least 1 dimension, got shape ()"
        raise ValueError(msg)
    low, high = not_negative("min_value", min_value), number("max_value", max_value)
    if not low <= high:
        outside("max_value", f"[{low}, inf]", max_value)
    if array.ndim != 2:
        array = array.reshape(-1 if array.size else 0, array.shape[-1])
    get_backend().constrain_norm(array, low, high, share("rate", rate))


def accumulate(y: Floats, x: Floats, *, keep: float = 1.0, scale: float = 1.0) -> None:
    """Accumulate, in place: ``y = keep * y + scale * x``, such as gradients of several batches.

    Parameters
    ----------
    y : array of float32 or float64, any shape
        Sum, updated in place; never copied.
    x : array like y
        What is added. Copied once if its layout asks for it.
    keep, scale : float
        Factors of old and new; with ``keep=0`` the old is not looked at: the first of several batches.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If a shape does not fit, or arrays overlap.
    """
    total, added = _pair("y", y, "x", x)
    get_backend().accumulate(total, added, number("keep", keep), number("scale", scale))


def average_update(average: Floats, w: Floats, *, decay: float, step: int | None = None) -> None:
    """Average weights, in place: ``average = decay * average + (1 - decay) * w``; ``average = w`` at step 1.

    With ``decay = n / (n + 1)`` at the n-th call, counted from 0, it is the mean of all (stochastic weight averaging).
    Lookahead keeps slow weights: every k steps ``average_update(slow, w, decay=1 - alpha)``, then ``w[...] = slow``.

    Parameters
    ----------
    average : array of float32 or float64, any shape
        The average, updated in place; never copied.
    w : array like average
        Weights after a step. Copied once if its layout asks for it.
    decay : float in [0, 1]
        Share of the old average that is kept.
    step : int, at least 1, optional
        Number of the step: at the first one nothing is kept. Without it ``decay`` is all that counts.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If a shape does not fit, arrays overlap, or a number is outside what is said above.

    References
    ----------
    Izmailov et al., "Averaging weights leads to wider optima", 2018; Zhang et al., "Lookahead optimizer", 2019.
    """
    old, new = _pair("average", average, "w", w)
    get_backend().average_update(old, new, share("decay", decay), 0 if step is None else whole("step", step, 1, 63))


def _pair(name: str, y: Any, other: str, x: Any) -> tuple[Floats, Floats]:
    """Return flat views of an array that is written to, and of one like it."""
    written_to = flat(name, y)
    read = matching(other, x, y, name)
    return written_to, read.ravel()
