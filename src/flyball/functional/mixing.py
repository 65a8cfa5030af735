"""Data augmentation by other samples: rectangles erased or pasted, rows mixed, features swapped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from flyball.backend import get_backend
from flyball.functional._checks import (
    address,
    floats,
    integers,
    new_or_given,
    not_empty,
    number,
    plain,
    positive,
    samples_of,
    share,
    tidy,
    typed,
    whole,
    wrong_shape,
)
from flyball.functional._images import images_of, interval
from flyball.functional.dropout import dropout_mask
from flyball.reference._arrays import BOOL, FLOAT32

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.backend.types import Bools, Doubles, Floats, Integers


class Mixed(NamedTuple):
    """Rows mixed in pairs, and their targets."""

    x: Floats
    targets: Floats
    partners: Integers
    """The row that each was mixed with, (N,)."""
    weights: Doubles
    """The share of each row's own part, (N,)."""


# --- rectangles -------------------------------------------------------------------------------------------------


def random_erasing(
    x: NDArray[Any],
    *,
    factor: float = 1.0,
    scale: tuple[float, float] = (0.02, 0.33),
    aspect: float = 1.0 / 0.3,
    fill_value: float = 0.0,
    seed: int,
    step: int = 0,
    stream: int = 0,
    out: Floats | None = None,
) -> Floats:
    """Erase a rectangle of each image (cut-out): a share of its pixels becomes ``fill_value``.

    Parameters
    ----------
    x : array of float32, float64 or uint8, shape (N, height, width) or (N, height, width, channels)
        Images. uint8 is converted to float32, once; other layouts are copied once.
    factor : float in [0, 1]
        Probability that an image has a rectangle.
    scale : (low, high) in [0, 1]
        Range of its share of the image.
    aspect : float, at least 1
        Its sides' ratio, relative to the image's, is between ``1 / aspect`` and ``aspect``. 1 keeps the image's.
    fill_value : float
        Value of the erased pixels.
    seed, step, stream : int
        Address of the random numbers, see :func:`dropout_mask`.
    out : array like the result, optional
        Receives the result; must not overlap ``x``. It is never copied.

    Returns
    -------
    y : array of x's dtype, float32 for uint8
        The images.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If an argument is outside what is said above.

    References
    ----------
    DeVries and Taylor, "Cutout", 2017. Zhong et al., "Random erasing data augmentation", 2020.
    """
    images, height, width, channels = images_of(x)
    low, high = interval("scale", scale)
    if low < 0.0 or high > 1.0:
        msg = f"scale must be (low, high) in [0, 1], got {scale}"
        raise ValueError(msg)
    boxes, _ = draw_boxes(
        len(images), height, width, share("factor", factor), 0.0, (low, high), aspect, address(seed, stream, step)
    )
    y = new_or_given(out, images.shape, images.dtype, False, "x", images)
    value = number("fill_value", fill_value)
    get_backend().paste_boxes(samples_of(y), samples_of(images), boxes, None, None, height, width, channels, value)
    return y


def draw_boxes(
    n: int,
    height: int,
    width: int,
    probability: float,
    alpha: float,
    scale: tuple[float, float],
    aspect: float,
    key: tuple[int, int, int],
) -> tuple[Integers, Doubles]:
    """Return boxes, and the shares of the images outside them."""
    if not 1.0 <= number("aspect", aspect) < np.inf:
        msg = f"aspect must be in [1, inf), got {aspect}"
        raise ValueError(msg)
    boxes, weights = np.empty((n, 4), np.int64), np.empty(n)
    get_backend().cut_boxes(boxes, weights, height, width, probability, alpha, *scale, float(aspect), *key)
    return boxes, weights


# --- pairs of samples -------------------------------------------------------------------------------------------


def draw_partners(n: int, key: tuple[int, int, int]) -> Integers:
    """Return a permutation of the rows."""
    partners = np.empty(n, np.int64)
    get_backend().partner_rows(partners, *key)
    return partners


def soft_targets(targets: Any, classes: int | None, x: Floats) -> Floats:
    """Return targets that can be mixed: distributions as they are, labels as rows with a one."""
    array = plain("targets", targets)
    if array.dtype.kind not in "iu":
        values = typed("targets", array, x.dtype, "x")
        if values.ndim < 1 or len(values) != len(x):
            wrong_shape("targets", values, f"({len(x)}, ...)")
        return values
    if classes is None:
        msg = "classes must be given where targets are labels, got None"
        raise ValueError(msg)
    count = whole("classes", classes, 1, 31)
    labels = integers("targets", array)
    if labels.shape != (len(x),):
        wrong_shape("targets", labels, f"({len(x)},)")
    if int(labels.min()) < 0 or int(labels.max()) >= count:
        wrong = labels[(labels < 0) | (labels >= count)][0]
        msg = f"targets must be in [0, {count}), got {wrong}"
        raise ValueError(msg)
    rows: Floats = np.zeros((len(x), count), x.dtype)
    rows[np.arange(len(x)), labels] = 1.0
    return rows


def mixed_rows(rows: Floats, partners: Integers, weights: Doubles, out: Floats | None = None) -> Floats:
    """Return rows of any shape mixed with their partners."""
    y = new_or_given(out, rows.shape, rows.dtype, False, "x", rows)
    get_backend().mix_rows(samples_of(y), samples_of(rows), partners, weights)
    return y


def mix_up(
    x: NDArray[Any],
    targets: NDArray[Any],
    alpha: float = 0.2,
    *,
    classes: int | None = None,
    seed: int,
    step: int = 0,
    stream: int = 0,
    out: Floats | None = None,
) -> Mixed:
    """Mix each row, and its target, with another: ``w * x[n] + (1 - w) * x[partner]``, ``w`` from Beta(alpha, alpha).

    For images, rows of tables, and anything else of which a mean makes sense. Partners are a drawn permutation.

    Parameters
    ----------
    x : array of float32, float64 or uint8, shape (N, ...)
        Samples. uint8 is converted to float32, once; other layouts are copied once.
    targets : array of x's dtype, shape (N, ...), or of integers, shape (N,)
        Distributions or numbers; or labels, of which distributions are made.
    alpha : float above 0
        The smaller, the closer weights are to 0 or 1; 1 makes them uniform.
    classes : int, optional
        Number of classes; required where ``targets`` are labels.
    seed, step, stream : int
        Address of the random numbers, see :func:`dropout_mask`.
    out : array like the mixed x, optional
        Receives it; must not overlap ``x``. It is never copied.

    Returns
    -------
    Mixed
        x, targets, partners and weights.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If an argument is outside what is said above.

    References
    ----------
    Zhang et al., "mixup: beyond empirical risk minimization", 2018.
    """
    array = plain("x", x)
    rows = not_empty("x", tidy(array, FLOAT32) if array.dtype == np.uint8 else floats("x", array))
    soft = soft_targets(targets, classes, rows)
    alpha = positive("alpha", alpha)
    key = address(seed, stream, step)
    weights = np.empty(len(rows))
    get_backend().mix_weights(weights, alpha, *key)
    partners = draw_partners(len(rows), key)
    return Mixed(mixed_rows(rows, partners, weights, out), mixed_rows(soft, partners, weights), partners, weights)


def cut_mix(
    x: NDArray[Any],
    targets: NDArray[Any],
    alpha: float = 1.0,
    *,
    factor: float = 1.0,
    classes: int | None = None,
    seed: int,
    step: int = 0,
    stream: int = 0,
    out: Floats | None = None,
) -> Mixed:
    """Paste a rectangle of another image into each, and mix the targets by the shares of pixels.

    The rectangle has the image's aspect; its share of the image is ``1 - w`` with w from Beta(alpha, alpha), rounded
    to whole pixels, and ``weights`` is what is left. Partners are a drawn permutation.

    Parameters
    ----------
    x : array of float32, float64 or uint8, shape (N, height, width) or (N, height, width, channels)
        Images. uint8 is converted to float32, once; other layouts are copied once.
    targets : array of x's dtype, shape (N, ...), or of integers, shape (N,)
        Distributions or numbers; or labels, of which distributions are made.
    alpha : float above 0
        The smaller, the closer shares are to 0 or 1; 1 makes them uniform.
    factor : float in [0, 1]
        Probability that an image is given a rectangle.
    classes : int, optional
        Number of classes; required where ``targets`` are labels.
    seed, step, stream : int
        Address of the random numbers, see :func:`dropout_mask`.
    out : array like the mixed x, optional
        Receives it; must not overlap ``x``. It is never copied.

    Returns
    -------
    Mixed
        x, targets, partners and weights.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If an argument is outside what is said above.

    References
    ----------
    Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable features", 2019.
    """
    images, height, width, channels = images_of(x)
    soft = soft_targets(targets, classes, images)
    alpha = positive("alpha", alpha)
    key = address(seed, stream, step)
    n = len(images)
    boxes, weights = draw_boxes(n, height, width, share("factor", factor), alpha, (0.0, 0.0), 1.0, key)
    partners = draw_partners(n, key)
    y = new_or_given(out, images.shape, images.dtype, False, "x", images)
    get_backend().paste_boxes(samples_of(y), samples_of(images), boxes, partners, None, height, width, channels, 0.0)
    return Mixed(y, mixed_rows(soft, partners, weights), partners, weights)


# --- rows of tables ---------------------------------------------------------------------------------------------


def swap_features(
    x: Floats,
    mask: Bools | None = None,
    *,
    rate: float | None = None,
    fill_value: float | None = None,
    seed: int | None = None,
    step: int = 0,
    stream: int = 0,
    out: Floats | None = None,
) -> Floats:
    """Replace features of rows by those of another row (swap noise), or by a constant (mask-out).

    ``y[n] = x[n]`` where the mask is True, elsewhere ``x[partner]``, with a drawn permutation of the rows as
    partners; or ``fill_value``.

    Parameters
    ----------
    x : array of float32 or float64, shape (N, ...)
        Rows. Copied once if its layout asks for it, as is ``mask``.
    mask : array of bool like x, optional
        True where a feature is kept; drawn as :func:`dropout_mask` does if it is None.
    rate : float in [0, 1), optional
        Share of the features that are replaced; required without ``mask``, refused with it.
    fill_value : float, optional
        Constant to put there; by default there are partners.
    seed, step, stream : int
        Address of the random numbers, see :func:`dropout_mask`. Partners are drawn from ``stream`` with its
        highest bit flipped. ``seed`` is required unless there is nothing to draw.
    out : array like x, optional
        Receives the result; must not overlap ``x``. It is never copied.

    Returns
    -------
    y : array like x
        ``out`` if that was given.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If an argument is outside what is said above.
    """
    x = floats("x", x)
    if x.ndim < 1:
        wrong_shape("x", x, "(N, ...)")
    if (mask is None) == (rate is None):
        msg = f"rate must be given if and only if mask is not, got {rate}"
        raise ValueError(msg)
    if rate is None:
        chosen = None if mask is None else typed("mask", mask, BOOL)
    else:
        kept = np.empty(x.shape, BOOL)
        dropout_mask(x.shape, rate, seed=seed, step=step, stream=stream, out=kept)  # type: ignore[arg-type]  # refused
        chosen = kept
    if chosen is None or chosen.shape != x.shape:
        wrong_shape("mask", plain("mask", chosen), str(x.shape))
    partners = None
    if fill_value is None:
        key = address(seed, stream, step)
        partners = draw_partners(len(x), (key[0], key[1] ^ 1 << 31, key[2]))
    y = new_or_given(out, x.shape, x.dtype, False, "x mask", x, chosen)
    get_backend().swap_features(
        samples_of(y),
        samples_of(x),
        samples_of(chosen),
        partners,
        0.0 if fill_value is None else number("fill_value", fill_value),
    )
    return y
