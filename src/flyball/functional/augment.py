"""Data augmentation: images moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.backend import get_backend
from flyball.backend.augment import AFFINE_NAMES, AFFINE_RANGES, FILL_MODES, FLIPS
from flyball.functional._checks import address, new_or_given, number, share, typed, whole, wrong_shape
from flyball.functional._images import images_of, interval, one_of, size_of, table
from flyball.reference._arrays import FLOAT64

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.backend.types import Doubles, Floats, Integers
    from flyball.functional._images import Policy, Range


def affine_range(name: str, value: Any) -> list[float]:
    """Return the columns of one of the ranges of a map."""
    if name in FLIPS:
        return [share(name, value)]
    low, high = interval(name, value)
    if "zoom" in name and low <= -1.0:
        msg = f"{name} must be above -1, got {value}"
        raise ValueError(msg)
    return [low, high]


AFFINE_COLUMNS = {
    **{name: slice(2 * k, 2 * k + 2) for k, name in enumerate(AFFINE_NAMES)},
    **{name: slice(2 * len(AFFINE_RANGES) + k, 2 * len(AFFINE_RANGES) + k + 1) for k, name in enumerate(FLIPS)},
}


def affine_transform(
    x: NDArray[Any],
    matrices: Doubles,
    *,
    size: tuple[int, int] | None = None,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    out: Floats | None = None,
) -> Floats:
    """Resample images, each under its own affine map from output to input.

    ``y[n, i, j] = x[n](m0 * i + m1 * j + m2, m3 * i + m4 * j + m5)`` with ``m = matrices[n]``, in rows and columns
    counted from the first pixel, as in :func:`scipy.ndimage.affine_transform`. Each image is resampled once, so
    maps that follow one another are best multiplied. There is no backward: images are inputs.

    Parameters
    ----------
    x : array of float32, float64 or uint8, shape (N, height, width) or (N, height, width, channels)
        Images. uint8 is converted to float32, once; other layouts are copied once.
    matrices : array of float64, shape (N, 6)
        Maps; see :func:`affine_matrices`.
    size : (height, width), optional
        Extents of the output, by default those of the input.
    interpolation : {"bilinear", "nearest"}
        Mean of the four pixels around a coordinate by their distance, or the nearest pixel (that of the larger index
        half-way between two).
    fill_mode : {"reflect", "constant", "nearest", "wrap"}
        How an image goes on beyond its edges: ``reflect`` (c b a | a b c d | d c b), ``constant`` with
        ``fill_value``, ``nearest`` with the edge, ``wrap`` from the other side. Also for the half pixels at an edge.
    fill_value : float
        Value of the pixels outside, for ``constant``.
    out : array like the result, optional
        Receives the result; may be ``x`` where ``size`` leaves the extents. It is never copied.

    Returns
    -------
    y : array of x's dtype, float32 for uint8, shape (N, size...) or (N, size..., channels)
        A pixel is nan if one of the four that it is made of is.

    Raises
    ------
    TypeError
        If an array has another dtype, or is no array.
    ValueError
        If an argument is outside what is said above, or an element of ``matrices`` is not below 2**31 in magnitude.
    """
    images, height, width, channels = images_of(x)
    n = len(images)
    maps = typed("matrices", matrices, FLOAT64)
    if maps.shape != (n, 6):
        wrong_shape("matrices", maps, f"({n}, 6)")
    if not (np.abs(maps) < 2.0**31).all():
        msg = "matrices must be finite and below 2**31"
        raise ValueError(msg)
    nearest = one_of("interpolation", interpolation, ("bilinear", "nearest")) == 1
    mode = one_of("fill_mode", fill_mode, FILL_MODES)
    fill_value = number("fill_value", fill_value)
    out_height, out_width = (height, width) if size is None else size_of("size", size)
    shape = (n, out_height, out_width, *images.shape[3:])
    y = new_or_given(out, shape, images.dtype, True, "x matrices", images, maps)
    get_backend().affine_transform(
        y.reshape(n, -1),
        images.reshape(n, -1),
        maps,
        height,
        width,
        channels,
        out_height,
        out_width,
        nearest,
        mode,
        fill_value,
    )
    return y


def affine_matrices(
    count: int,
    image_size: tuple[int, int],
    *,
    rotation: Range = 0.0,
    height_shift: Range = 0.0,
    width_shift: Range = 0.0,
    height_zoom: Range = 0.0,
    width_zoom: Range | None = None,
    height_shear: Range = 0.0,
    width_shear: Range = 0.0,
    horizontal_flip: float = 0.0,
    vertical_flip: float = 0.0,
    size: tuple[int, int] | None = None,
    padding: int = 0,
    labels: Integers | None = None,
    policy: Policy | None = None,
    seed: int,
    step: int = 0,
    stream: int = 0,
    out: Doubles | None = None,
) -> Doubles:
    """Draw maps for :func:`affine_transform`: one of flip, zoom, shear, rotation, shift and crop together.

    An image is flipped, zoomed, sheared, turned, shifted and cropped, in this order, about its middle. Every amount
    is uniform in its range, which is (low, high), or a number f for (-f, f). They are functions of (seed, stream,
    step, index of the image) only.

    Parameters
    ----------
    count : int
        Number of images.
    image_size : (height, width)
        Their extents.
    rotation : float or (low, high)
        In full turns, counterclockwise, as in Keras' RandomRotation; exact for quarters.
    height_shift, width_shift : float or (low, high)
        Down and to the right, in shares of height and width (RandomTranslation).
    height_zoom, width_zoom : float or (low, high), above -1
        Above 0 the image shrinks to ``1 / (1 + zoom)``, below it grows (RandomZoom). ``width_zoom=None`` is that of
        the height, so that the aspect is kept.
    height_shear, width_shear : float or (low, high)
        Rows that a column is moved by for each column from the middle, and columns for each row (RandomShear, which
        shears about the first pixel).
    horizontal_flip, vertical_flip : float in [0, 1]
        Probability that left and right, or top and bottom, change places (RandomFlip: 0.5).
    size : (height, width), optional
        Crop to these extents at a random place (RandomCrop).
    padding : int
        How many pixels the crop may lie beyond each edge.
    labels : array of integers, shape (count,), optional
        Classes of the images, for ``policy``.
    policy : mapping from classes to mappings from the names above to ranges or probabilities, optional
        What is different for a class: ``{6: {"rotation": 0.05}, 9: {"rotation": 0.05, "vertical_flip": 0.0}}`` keeps a
        6 from becoming a 9. A class that is not named has the arguments' ranges.
    seed, step, stream : int
        Address of the random numbers, see :func:`dropout_mask`.
    out : array of float64, shape (count, 6), optional
        Receives the result. It is never copied.

    Returns
    -------
    matrices : array of float64, shape (count, 6)
        Maps from rows and columns of the output to those of the input.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If an argument is outside what is said above, or a crop is larger than the padded image.
    """
    count = whole("count", count, 1, 29)
    height, width = size_of("image_size", image_size)
    out_height, out_width = (height, width) if size is None else size_of("size", size)
    padding = whole("padding", padding, 0, 20)
    if out_height > height + 2 * padding or out_width > width + 2 * padding:
        msg = f"size must be at most ({height + 2 * padding}, {width + 2 * padding}), got ({out_height}, {out_width})"
        raise ValueError(msg)
    given = {
        "rotation": rotation,
        "height_shift": height_shift,
        "width_shift": width_shift,
        "height_zoom": height_zoom,
        "width_zoom": 0.0 if width_zoom is None else width_zoom,
        "height_shear": height_shear,
        "width_shear": width_shear,
        "horizontal_flip": horizontal_flip,
        "vertical_flip": vertical_flip,
    }
    if width_zoom is None and any("width_zoom" in ranges for ranges in (policy or {}).values()):
        msg = "width_zoom must be given where policy names it, got None"
        raise ValueError(msg)
    row = [bound for name, value in given.items() for bound in affine_range(name, value)]
    ranges, chosen = table([row], policy, labels, count, AFFINE_COLUMNS, affine_range)
    seed, stream, step = address(seed, stream, step)
    matrices: Doubles = new_or_given(out, (count, 6), np.dtype(np.float64))
    get_backend().affine_matrices(
        matrices,
        chosen,
        ranges,
        height,
        width,
        out_height,
        out_width,
        padding,
        width_zoom is None,
        seed,
        stream,
        step,
    )
    return matrices


def augment_images(
    x: NDArray[Any],
    *,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    size: tuple[int, int] | None = None,
    out: Floats | None = None,
    seed: int,
    **ranges: Any,
) -> Floats:
    """Shift, rotate, zoom, shear, flip and crop images, all in one resampling.

    :func:`affine_transform` with maps that :func:`affine_matrices` draws.

    Parameters
    ----------
    x : array of float32, float64 or uint8, shape (N, height, width) or (N, height, width, channels)
        Images, see :func:`affine_transform`.
    interpolation, fill_mode, fill_value : str, str, float
        See :func:`affine_transform`.
    size : (height, width), optional
        Extents of a random crop.
    out : array like the result, optional
        Receives the result; may be ``x``. It is never copied.
    seed : int
        Names a sequence of random numbers.
    ranges : keyword arguments
        ``rotation``, ``height_shift``, ``width_shift``, ``height_zoom``, ``width_zoom``, ``height_shear``,
        ``width_shear``, ``horizontal_flip``, ``vertical_flip``, ``padding``, ``labels``, ``policy``, ``step`` and
        ``stream`` of :func:`affine_matrices`.

    Returns
    -------
    y : array
        The images.

    Raises
    ------
    TypeError
        If an argument is of another type, or unknown.
    ValueError
        If an argument is outside what is said there.
    """
    images, height, width, _ = images_of(x)
    matrices = affine_matrices(len(images), (height, width), size=size, seed=seed, **ranges)
    return affine_transform(
        images,
        matrices,
        size=size,
        interpolation=interpolation,
        fill_mode=fill_mode,
        fill_value=fill_value,
        out=out,
    )
