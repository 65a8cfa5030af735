"""Data augmentation: images recoloured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.backend import get_backend
from flyball.backend.augment import PIXEL_RANGES, TONE_RANGES, UNTOUCHED_TONES
from flyball.functional._checks import address, out_like, share
from flyball.functional._images import finite_bounds, images_of, interval, table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.backend.types import Floats, Integers
    from flyball.functional._images import Policy, Range


def adjust_pixels(
    x: NDArray[Any],
    *,
    brightness: Range = 0.0,
    contrast: Range = 0.0,
    saturation: Range = 0.0,
    gain: Range = 0.0,
    hue: Range = 0.0,
    grayscale: float = 0.0,
    value_range: tuple[float, float] = (0.0, 255.0),
    labels: Integers | None = None,
    policy: Policy | None = None,
    seed: int,
    step: int = 0,
    stream: int = 0,
    out: Floats | None = None,
) -> Floats:
    """Change brightness, contrast and colours of images, each by amounts of its own, and clip.

    ``z = mean + (1 + contrast) * (x - mean) + brightness * (high - low)`` with the mean of the image's channel, then
    ``y = clip((1 + gain) * (grey + (1 + saturation) * (z - grey)), low, high)`` with
    ``grey = 0.299 red + 0.587 green + 0.114 blue`` of z, then the hue of y turns by ``hue`` turns, as in the HSV
    representation. ``gain`` is drawn for each channel; the others for each image. Ranges are (low, high), or a number f
    for (-f, f).

    Parameters
    ----------
    x : array of float32, float64 or uint8, shape (N, height, width) or (N, height, width, channels)
        Images. uint8 is converted to float32, once; other layouts are copied once.
    brightness : float or (low, high)
        Added, in shares of the value range (Keras' RandomBrightness).
    contrast : float or (low, high)
        Change of the distance from the mean (Keras' RandomContrast).
    saturation : float or (low, high)
        Change of the distance from grey; of images with 3 channels only.
    gain : float or (low, high)
        Change of each channel. Channels 8 apart have the same.
    hue : float or (low, high)
        In full turns of the circle of colours (Keras' RandomHue: half its factor); of images with 3 channels only.
    grayscale : float in [0, 1]
        Probability that an image becomes grey (Keras' RandomGrayscale); of images with 3 channels only.
    value_range : (low, high)
        Values that images may have.
    labels : array of integers, shape (N,), optional
        Classes of the images, for ``policy``.
    policy : mapping from classes to mappings from the names above to ranges, optional
        What is different for a class, see :func:`affine_matrices`.
    seed, step, stream : int
        Address of the random numbers, see :func:`dropout_mask`.
    out : array like the result, optional
        Receives the result; may be ``x``. It is never copied.

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
    """
    images, _, _, channels = images_of(x)
    low, high = finite_bounds(value_range)
    given = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "gain": gain, "hue": hue}
    given["grayscale"] = grayscale

    def columns(name: str, value: Any) -> list[float]:
        bounds = [share(name, value)] if name == "grayscale" else [*interval(name, value)]
        if name in {"saturation", "hue", "grayscale"} and channels != 3 and any(bounds):
            msg = f"{name} must be 0 for images of {channels} channels, got {value}"
            raise ValueError(msg)
        if name in {"hue", "grayscale"}:
            return bounds
        return [bound * (high - low) if name == "brightness" else 1.0 + bound for bound in bounds]

    row = [bound for name, value in given.items() for bound in columns(name, value)]
    places = {name: slice(2 * k, 2 * k + 2) for k, name in enumerate(PIXEL_RANGES)} | {"grayscale": slice(-1, None)}
    ranges, chosen = table([row], policy, labels, len(images), places, columns)
    seed, stream, step = address(seed, stream, step)
    y = out_like(out, "x", images)
    n = len(images)
    get_backend().adjust_pixels(
        y.reshape(n, -1), images.reshape(n, -1), chosen, ranges, channels, low, high, seed, stream, step
    )
    return y


def adjust_tones(
    x: NDArray[Any],
    *,
    addition: Range = 0.0,
    threshold: Range | None = None,
    bits: int | tuple[int, int] | None = None,
    inversion: float = 0.0,
    value_range: tuple[float, float] = (0.0, 255.0),
    labels: Integers | None = None,
    policy: Policy | None = None,
    seed: int,
    step: int = 0,
    stream: int = 0,
    out: Floats | None = None,
) -> Floats:
    """Solarize, invert and posterize images, each by amounts of its own.

    In units in which values go from 0 to 255, ``v = clip(x + addition, 0, 255)``, then ``255 - v`` from the threshold
    on, then the first ``bits`` of the eight of v, rounded down.

    Parameters
    ----------
    x : array of float32, float64 or uint8, shape (N, height, width) or (N, height, width, channels)
        Images. uint8 is converted to float32, once; other layouts are copied once.
    addition : float or (low, high)
        In shares of the value range; a number f stands for (-f, f), as in all ranges here but the next.
    threshold : float or (low, high), optional
        In shares of the value range, a number being what it says; values from it on are inverted. None inverts nothing.
    bits : int or (low, high), in [1, 8], optional
        Bits to keep, a number being what it says; both ends of a pair may be drawn. None keeps all of a value.
    inversion : float in [0, 1]
        Probability that all values of an image are inverted.
    value_range : (low, high)
        Values that images may have.
    labels : array of integers, shape (N,), optional
        Classes of the images, for ``policy``.
    policy : mapping from classes to mappings from the names above to ranges, optional
        What is different for a class, see :func:`affine_matrices`.
    seed, step, stream : int
        Address of the random numbers, see :func:`dropout_mask`.
    out : array like the result, optional
        Receives the result; may be ``x``. It is never copied.

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
    """
    images, _, _, _ = images_of(x)
    low, high = finite_bounds(value_range)

    def columns(name: str, value: Any) -> list[float]:
        if name == "inversion":
            return [share(name, value)]
        if value is None:
            return list(UNTOUCHED_TONES[name])
        if name == "addition":
            return [255.0 * bound for bound in interval(name, value)]
        bounds = value if isinstance(value, (tuple, list)) else (value, value)
        if name == "threshold":
            return [255.0 * bound for bound in interval(name, bounds)]
        first, last = interval(name, bounds)
        if not 1 <= first <= last <= 8:
            msg = f"bits must be in [1, 8], got {value!r}"
            raise ValueError(msg)
        return [first, last + 1.0]  # drawn, and rounded down

    given = {"addition": addition, "threshold": threshold, "bits": bits, "inversion": inversion}
    row = [bound for name, value in given.items() for bound in columns(name, value)]
    places = {name: slice(2 * k, 2 * k + 2) for k, name in enumerate(TONE_RANGES)} | {"inversion": slice(-1, None)}
    ranges, chosen = table([row], policy, labels, len(images), places, columns)
    seed, stream, step = address(seed, stream, step)
    y = out_like(out, "x", images)
    n = len(images)
    get_backend().adjust_tones(y.reshape(n, -1), images.reshape(n, -1), chosen, ranges, low, high, seed, stream, step)
    return y
