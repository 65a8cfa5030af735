"""Inverted dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

import numpy as np

from flyball.backend import get_backend
from flyball.functional._checks import address, bools, floats, fraction, new_or_given, shape_of
from flyball.reference._arrays import BOOL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.backend.types import Bools, Floats


def dropout_mask(
    shape: int | Sequence[int], rate: float, *, seed: int, step: int = 0, stream: int = 0, out: Bools | None = None
) -> Bools:
    """Draw a mask: True, with probability ``keep``, where an element is kept.

    ``keep`` is :func:`flyball.backend.keep_probability` of ``rate``: 16 random bits decide an element, so ``1 - rate``
    is rounded to a multiple of 2**-16. The bits are a function of seed, stream, step and the element's index only.

    Parameters
    ----------
    shape : int or sequence of ints
        Shape of the mask.
    rate : float in [0, 1)
        Share of the elements that are dropped.
    seed : int in [0, 2**64)
        Names a sequence of random numbers.
    step : int in [0, 2**48)
        Names a draw, such as a training step.
    stream : int in [0, 2**32)
        Names a place that draws, such as a layer.
    out : array of bool of that shape, optional
        Receives the mask. It is never copied.

    Returns
    -------
    mask : array of bool
        ``out`` if that was given.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If an argument is outside what is said above, or ``shape`` has more elements than an array can have.

    References
    ----------
    Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011 (Philox4x32-10).
    """
    extents = shape_of(shape)
    rate = fraction("rate", rate)
    seed, stream, step = address(seed, stream, step)
    mask = new_or_given(out, extents, BOOL)
    get_backend().dropout_mask(mask, rate, seed, stream, step)
    return mask


@overload
def dropout_forward(
    x: Floats,
    rate: float,
    *,
    seed: int | None = None,
    step: int = 0,
    stream: int = 0,
    mask: Bools | None = None,
    return_mask: Literal[False] = False,
    out: Floats | None = None,
) -> Floats: ...
@overload
def dropout_forward(
    x: Floats,
    rate: float,
    *,
    seed: int | None = None,
    step: int = 0,
    stream: int = 0,
    mask: Bools | None = None,
    return_mask: Literal[True],
    out: Floats | None = None,
) -> tuple[Floats, Bools]: ...
def dropout_forward(
    x: Floats,
    rate: float,
    *,
    seed: int | None = None,
    step: int = 0,
    stream: int = 0,
    mask: Bools | None = None,
    return_mask: bool = False,
    out: Floats | None = None,
) -> Floats | tuple[Floats, Bools]:
    """Inverted dropout in training: ``y = x * mask / keep``; inference needs no operation.

    The mask is either given, or drawn as :func:`dropout_mask` does; a drawn one need not be stored, as
    :func:`dropout_backward` can draw it again.

    Parameters
    ----------
    x : array of float32 or float64, any shape
        Copied once if its layout asks for it, as is ``mask``.
    rate : float in [0, 1)
        Share of the elements that are dropped; ``keep`` is ``1 - rate`` rounded to a multiple of 2**-16.
    seed, step, stream : int
        Address of the random numbers, see :func:`dropout_mask`. ``seed`` is required unless ``mask`` is given, and
        refused if it is.
    mask : array of bool like x, optional
        Mask to use: True where an element is kept.
    return_mask : bool
        Whether to return the mask as well.
    out : array like x, optional
        Receives ``y``; may be ``x``. It is never copied.

    Returns
    -------
    y : array like x
        ``out`` if that was given.
    mask : array of bool like x
        Only with ``return_mask``.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array, or there is neither a mask nor an integer seed.
    ValueError
        If an argument is outside what is said above.

    References
    ----------
    Srivastava et al., "Dropout", 2014.
    """
    x = floats("x", x)
    mask = bools("mask", mask)
    rate = fraction("rate", rate)
    seed, stream, step = draw_address(seed, stream, step, mask)
    y = new_or_given(out, x.shape, x.dtype, in_place=True, x=x, mask=mask)
    draw = mask is None
    if draw and return_mask:
        mask = np.empty(x.shape, BOOL)
    get_backend().dropout_forward(y, mask, x, rate, seed, stream, step, draw)
    if mask is not None and return_mask:
        return y, mask
    return y


def dropout_backward(
    dy: Floats,
    rate: float,
    *,
    seed: int | None = None,
    step: int = 0,
    stream: int = 0,
    mask: Bools | None = None,
    out: Floats | None = None,
) -> Floats:
    """Gradient of :func:`dropout_forward`: ``dx = dy * mask / keep``.

    Parameters
    ----------
    dy : array of float32 or float64, any shape
        Gradient with respect to the output. Copied once if its layout asks for it, as is ``mask``.
    rate : float in [0, 1)
        Rate of the forward pass.
    seed, step, stream : int
        Address of the forward pass, from which the mask is drawn again; ``seed`` is refused if ``mask`` is given.
    mask : array of bool like dy, optional
        Mask of the forward pass.
    out : array like dy, optional
        Receives the result; may be ``dy``. It is never copied.

    Returns
    -------
    dx : array like dy
        Gradient with respect to the input.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array, or there is neither a mask nor an integer seed.
    ValueError
        If an argument is outside what is said above.
    """
    dy = floats("dy", dy)
    mask = bools("mask", mask)
    rate = fraction("rate", rate)
    seed, stream, step = draw_address(seed, stream, step, mask)
    dx = new_or_given(out, dy.shape, dy.dtype, in_place=True, dy=dy, mask=mask)
    get_backend().dropout_backward(dx, dy, mask, rate, seed, stream, step)
    return dx


def draw_address(seed: int | None, stream: int, step: int, mask: Bools | None) -> tuple[int, int, int]:
    """Return the address to draw from, which is given if and only if ``mask`` is not."""
    if mask is None:
        return address(seed, stream, step)
    if seed is not None:
        msg = f"seed must be None where mask is given, got {seed}"
        raise ValueError(msg)
    return 0, 0, 0
