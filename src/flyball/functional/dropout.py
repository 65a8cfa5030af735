"""Dropout, inverted and classic, with masks drawn, given, packed or broadcast."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from flyball.backend import get_backend, keep_probability
from flyball.functional._checks import (
    address,
    at_least_1d,
    floats,
    fraction,
    matching,
    new_or_given,
    number,
    out_like,
    plain,
    positive,
    samples_of,
    shape_of,
    tidy,
    typed,
)
from flyball.reference._arrays import BOOL, UINT8

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.backend.types import Bools, Bytes, Floats

    Mask = Bools | Bytes
    NoiseShape = Sequence[int | None]


def dropout_mask(
    shape: int | Sequence[int],
    rate: float,
    *,
    seed: int,
    step: int = 0,
    stream: int = 0,
    packed: bool = False,
    out: Mask | None = None,
) -> Mask:
    """Draw a mask: True, with probability ``keep``, where an element is kept.

    ``keep`` is :func:`flyball.backend.keep_probability` of ``rate``: 16 random bits decide an element, so ``1 - rate``
    is rounded to a multiple of 2**-16; at one half a single bit decides. The bits are a function of seed, stream, step
    and the element's index only.

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
    packed : bool
        Whether to return a bit an element, as ``numpy.packbits(mask, bitorder="little")`` does, instead of a byte.
    out : array of bool of that shape, optional
        Receives the mask; with ``packed`` an array of uint8, shape ((size + 7) // 8,). It is never copied.

    Returns
    -------
    mask : array of bool, or with ``packed`` of uint8
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
    if not packed:
        mask: Mask = new_or_given(out, extents, BOOL)
        get_backend().dropout_mask(mask, rate, seed, stream, step)
        return mask
    size = prod(extents)
    mask = new_or_given(out, ((size + 7) // 8,), UINT8)
    get_backend().dropout_mask(mask, rate, seed, stream, step)
    if size % 8:
        mask[-1] &= (1 << size % 8) - 1
    return mask


@overload
def dropout_forward(
    x: Floats,
    rate: float,
    *,
    seed: int | None = None,
    step: int = 0,
    stream: int = 0,
    mask: Mask | None = None,
    noise_shape: NoiseShape | None = None,
    scale: float | None = None,
    return_mask: Literal[False] = False,
    packed: bool = False,
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
    mask: Mask | None = None,
    noise_shape: NoiseShape | None = None,
    scale: float | None = None,
    return_mask: Literal[True],
    packed: bool = False,
    out: Floats | None = None,
) -> tuple[Floats, Mask]: ...
def dropout_forward(
    x: Floats,
    rate: float,
    *,
    seed: int | None = None,
    step: int = 0,
    stream: int = 0,
    mask: Mask | None = None,
    noise_shape: NoiseShape | None = None,
    scale: float | None = None,
    return_mask: bool = False,
    packed: bool = False,
    out: Floats | None = None,
) -> Floats | tuple[Floats, Mask]:
    """Inverted dropout in training: ``y = x * mask / keep``; inference needs no operation.

    With ``scale=1`` classic dropout: ``y = x * mask``; inference is :func:`dropout_inference`. The mask is either
    given, or drawn as :func:`dropout_mask` does; a drawn one need not be stored, as :func:`dropout_backward` can draw
    it again. A dropped element is 0 whatever it was, infinite and nan included.

    Parameters
    ----------
    x : array of float32 or float64, any shape
        Copied once if its layout asks for it, as is ``mask``.
    rate : float in [0, 1)
        Share of the elements that are dropped; ``keep`` is ``1 - rate`` rounded to a multiple of 2**-16.
    seed, step, stream : int
        Address of the random numbers, see :func:`dropout_mask`. ``seed`` is required unless ``mask`` is given, and
        refused if it is.
    mask : array of bool like x, or of uint8, optional
        Mask to use: True where an element is kept. An extent of 1 stands for the whole axis. An array of uint8, shape
        ((size + 7) // 8,), has a bit an element, as ``numpy.packbits(mask, bitorder="little")`` makes it.
    noise_shape : sequence of int or None, optional
        Shape of the mask to draw, as in Keras: 1 on axes along which one decision is for all, the extent of ``x`` (or
        None, which stands for it) on the others. (N, 1, C) is spatial dropout of (N, L, C), (N, C, 1, 1) of
        (N, C, H, W).
    scale : float above 0, optional
        Factor of what is kept, instead of ``1 / keep``.
    return_mask : bool
        Whether to return the mask as well.
    packed : bool
        Whether the mask that is returned has a bit an element; not with ``noise_shape``.
    out : array like x, optional
        Receives ``y``; may be ``x``. It is never copied.

    Returns
    -------
    y : array like x
        ``out`` if that was given.
    mask : array of bool like x, of ``noise_shape``, or of uint8
        Only with ``return_mask``.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array, or there is neither a mask nor an integer seed.
    ValueError
        If an argument is outside what is said above.

    References
    ----------
    Srivastava et al., "Dropout", 2014; Tompson et al., "Efficient object localization using convolutional networks",
    2015 (spatial dropout).
    """
    return forward(
        x, rate, seed, step, stream, mask, noise_shape, return_mask, packed, out, "dropout_forward", (scale,)
    )


def dropout_backward(
    dy: Floats,
    rate: float,
    *,
    seed: int | None = None,
    step: int = 0,
    stream: int = 0,
    mask: Mask | None = None,
    noise_shape: NoiseShape | None = None,
    scale: float | None = None,
    out: Floats | None = None,
) -> Floats:
    """Gradient of :func:`dropout_forward`: ``dx = dy * mask / keep``, or times ``scale`` if that is given.

    Parameters
    ----------
    dy : array of float32 or float64, any shape
        Gradient with respect to the output. Copied once if its layout asks for it, as is ``mask``.
    rate : float in [0, 1)
        Rate of the forward pass.
    seed, step, stream : int
        Address of the forward pass, from which the mask is drawn again; ``seed`` is refused if ``mask`` is given.
    mask : array of bool like dy, or of uint8, optional
        Mask of the forward pass.
    noise_shape, scale
        Those of the forward pass.
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
    return backward(dy, rate, seed, step, stream, mask, noise_shape, out, "dropout_backward", (scale,))


def dropout_inference(x: Floats, rate: float, *, out: Floats | None = None) -> Floats:
    """Classic dropout at inference: ``y = x * keep``, the mean of ``dropout_forward(x, rate, scale=1)``.

    Parameters
    ----------
    x : array of float32 or float64, any shape
        Copied once if its layout asks for it.
    rate : float in [0, 1)
        Rate of the training; ``keep`` is ``1 - rate`` rounded to a multiple of 2**-16.
    out : array like x, optional
        Receives ``y``; may be ``x``. It is never copied.

    Returns
    -------
    y : array like x
        ``out`` if that was given.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If ``rate`` is outside [0, 1), or an array does not fit.

    References
    ----------
    Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors", 2012.
    """
    x = floats("x", x)
    y = out_like(out, "x", x)
    get_backend().dropout_inference(y, x, fraction("rate", rate))
    return y


def forward(
    x: Floats,
    rate: float,
    seed: int | None,
    step: int,
    stream: int,
    mask: Mask | None,
    noise_shape: NoiseShape | None,
    return_mask: bool,
    packed: bool,
    out: Floats | None,
    operation: str,
    scales: tuple[float | None, ...] = (),
) -> Floats | tuple[Floats, Mask]:
    """Check the arguments of a forward pass and run ``operation``."""
    x = floats("x", x)
    rate = fraction("rate", rate)
    draw = mask is None
    if draw:
        seed, stream, step = address(seed, stream, step)
        if noise_shape is not None:
            mask = np.empty(noise_extents(noise_shape, x.shape, packed), BOOL)
        elif return_mask:
            mask = np.empty((x.size + 7) // 8, UINT8) if packed else np.empty(x.shape, BOOL)
    else:
        mask = given_mask(mask, seed, noise_shape)
        seed = stream = step = 0
    scalars = (factor(scales[0], rate),) if scales else ()
    y = out_like(out, "x mask", x, mask)
    getattr(get_backend(), operation)(y, mask, x, rate, seed, stream, step, draw, *scalars)
    return (y, mask) if return_mask and mask is not None else y


def backward(
    dy: Floats,
    rate: float,
    seed: int | None,
    step: int,
    stream: int,
    mask: Mask | None,
    noise_shape: NoiseShape | None,
    out: Floats | None,
    operation: str,
    scales: tuple[float | None, ...] = (),
) -> Floats:
    """Check the arguments of a backward pass and run ``operation``."""
    dy = floats("dy", dy)
    rate = fraction("rate", rate)
    if mask is None:
        seed, stream, step = address(seed, stream, step)
        if noise_shape is not None:
            mask = np.empty(noise_extents(noise_shape, dy.shape), BOOL)
            get_backend().dropout_mask(mask, rate, seed, stream, step)
    else:
        mask = given_mask(mask, seed, noise_shape)
        seed = stream = step = 0
    scalars = (factor(scales[0], rate),) if scales else ()
    dx = out_like(out, "dy mask", dy, mask)
    getattr(get_backend(), operation)(dx, dy, mask, rate, seed, stream, step, *scalars)
    return dx


def factor(scale: float | None, rate: float) -> float:
    """Return what kept elements are multiplied by."""
    return 1.0 / keep_probability(rate) if scale is None else positive("scale", scale)


def given_mask(mask: Any, seed: int | None, noise_shape: NoiseShape | None) -> Mask:
    """Return a mask as operations want it; refuse what a mask that is drawn would need."""
    if seed is not None or noise_shape is not None:
        name, value = ("noise_shape", noise_shape) if seed is None else ("seed", seed)
        msg = f"{name} must be None where mask is given, got {value}"
        raise ValueError(msg)
    array = plain("mask", mask)
    dtype = array.dtype
    if dtype not in (BOOL, UINT8):
        msg = f"mask must be bool, got {dtype}"
        raise TypeError(msg)
    return tidy(array, dtype)


def noise_extents(noise_shape: NoiseShape, shape: tuple[int, ...], packed: bool = False) -> tuple[int, ...]:
    """Return the shape of a mask that is broadcast over ``shape``."""
    if packed:
        msg = f"packed must be False where noise_shape is given, got {packed}"
        raise ValueError(msg)
    try:
        given = tuple(noise_shape)
    except TypeError:
        msg = f"noise_shape must be a sequence of integers or None, got {noise_shape!r}"
        raise TypeError(msg) from None
    fits = len(given) == len(shape) and all(n in (1, None, m) for n, m in zip(given, shape, strict=True))
    if not fits:
        msg = f"noise_shape must have, for each axis of shape {shape}, its extent, 1 or None, got {noise_shape}"
        raise ValueError(msg)
    return tuple(extent if size is None else int(size) for size, extent in zip(given, shape, strict=True))


def add_branch(
    x: Floats, branch: Floats, *, mask: Bools | None = None, scale: float = 1.0, out: Floats | None = None
) -> Floats:
    """Residual connection: ``y = x + scale * mask * branch``; with a mask stochastic depth.

    The gradient of ``branch`` is ``dy * scale * mask``, to which :func:`dropout_backward` with that mask, of shape
    (N, 1, ...), comes; that of ``x`` is ``dy``.

    Parameters
    ----------
    x : array of float32 or float64, shape (N, ...)
        Samples. Copied once if its layout asks for it, as is ``branch``.
    branch : array like x
        What is added.
    mask : array of bool, shape (N,), optional
        Samples whose branch is added; the others stay as they are, whatever their branch is. All, if not given.
    scale : float
        ``1 / keep`` for branches that are kept with that probability.
    out : array like x, optional
        Receives ``y``; may be ``x``. It is never copied.

    Returns
    -------
    y : array like x
        ``out`` if that was given.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If a shape does not fit, or arrays overlap.

    References
    ----------
    He et al., "Deep residual learning", 2016; Huang et al., "Deep networks with stochastic depth", 2016.
    """
    x = at_least_1d("x", floats("x", x))
    branch = matching("branch", branch, x, "x")
    kept = None if mask is None else typed("mask", mask, BOOL)
    y = out_like(out, "x branch", x, branch)
    scale = number("scale", scale)
    get_backend().add_branch(samples_of(y), samples_of(x), samples_of(branch), kept, scale)
    return y
