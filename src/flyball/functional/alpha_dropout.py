"""Alpha dropout, which keeps mean and variance of a network of SELU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

from flyball.functional.dropout import backward, forward

if TYPE_CHECKING:
    from flyball.backend.types import Floats
    from flyball.functional.dropout import Mask, NoiseShape


@overload
def alpha_dropout_forward(
    x: Floats,
    rate: float,
    *,
    seed: int | None = None,
    step: int = 0,
    stream: int = 0,
    mask: Mask | None = None,
    noise_shape: NoiseShape | None = None,
    return_mask: Literal[False] = False,
    packed: bool = False,
    out: Floats | None = None,
) -> Floats: ...
@overload
def alpha_dropout_forward(
    x: Floats,
    rate: float,
    *,
    seed: int | None = None,
    step: int = 0,
    stream: int = 0,
    mask: Mask | None = None,
    noise_shape: NoiseShape | None = None,
    return_mask: Literal[True],
    packed: bool = False,
    out: Floats | None = None,
) -> tuple[Floats, Mask]: ...
def alpha_dropout_forward(
    x: Floats,
    rate: float,
    *,
    seed: int | None = None,
    step: int = 0,
    stream: int = 0,
    mask: Mask | None = None,
    noise_shape: NoiseShape | None = None,
    return_mask: bool = False,
    packed: bool = False,
    out: Floats | None = None,
) -> Floats | tuple[Floats, Mask]:
    """Alpha dropout in training, for networks of SELU: ``y = a * (x * mask + s * (1 - mask)) + b``.

    ``s = -1.7580993408473766`` is what SELU tends to far to the left; with ``a = 1 / sqrt(keep + s**2 * keep *
    (1 - keep))`` and ``b = -a * s * (1 - keep)`` an input of mean 0 and variance 1 keeps both. Inference needs no
    operation. Keras' ``AlphaDropout``, PyTorch's ``alpha_dropout``.

    Parameters
    ----------
    x : array of float32 or float64, any shape
        Copied once if its layout asks for it, as is ``mask``.
    rate : float in [0, 1)
        Share of the elements that are dropped; ``keep`` is ``1 - rate`` rounded to a multiple of 2**-16.
    seed, step, stream, mask, noise_shape, return_mask, packed
        As in :func:`dropout_forward`.
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
    Klambauer et al., "Self-normalizing neural networks", 2017.
    """
    return forward(x, rate, seed, step, stream, mask, noise_shape, return_mask, packed, out, "alpha_dropout_forward")


def alpha_dropout_backward(
    dy: Floats,
    rate: float,
    *,
    seed: int | None = None,
    step: int = 0,
    stream: int = 0,
    mask: Mask | None = None,
    noise_shape: NoiseShape | None = None,
    out: Floats | None = None,
) -> Floats:
    """Gradient of :func:`alpha_dropout_forward`: ``dx = a * dy * mask``.

    Parameters
    ----------
    dy : array of float32 or float64, any shape
        Gradient with respect to the output. Copied once if its layout asks for it, as is ``mask``.
    rate : float in [0, 1)
        Rate of the forward pass.
    seed, step, stream, mask, noise_shape
        As in :func:`dropout_backward`.
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
    return backward(dy, rate, seed, step, stream, mask, noise_shape, out, "alpha_dropout_backward")
