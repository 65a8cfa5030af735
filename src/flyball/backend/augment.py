"""Data augmentation: images moved, recoloured, cut and mixed. The conventions are those of :mod:`flyball.backend`.

A batch of images is a matrix of N rows with ``height * width * channels`` columns, channels last; extents are scalars,
so that a Program's matrices are images as they are. Inputs of a network need no gradient: there is no backward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flyball.backend.types import Bools, Doubles, Floats, Integers

FILL_MODES = ("constant", "nearest", "reflect", "wrap")
"""How an image goes on beyond its edges, by Keras' names; operations take the index.

``constant`` ``(k k k | a b c d | k k k)``, ``nearest`` ``(a a a | a b c d | d d d)``, ``reflect``
``(c b a | a b c d | d c b)`` and ``wrap`` ``(b c d | a b c d | a b c)``; scipy.ndimage calls the first and the last
``grid-constant`` and ``grid-wrap``.
"""

AFFINE_RANGES = (
    "rotation",
    "shift_rows",
    "shift_columns",
    "zoom_rows",
    "zoom_columns",
    "shear_rows",
    "shear_columns",
)
"""What :meth:`Augment.affine_matrices` draws from ranges (low, high); two columns of ``ranges`` each, in this order.

Two columns more are the probabilities of a horizontal flip (columns in reverse order) and of a vertical one.
"""

AFFINE_NAMES = {
    "rotation": "rotation",
    "height_shift": "shift_rows",
    "width_shift": "shift_columns",
    "height_zoom": "zoom_rows",
    "width_zoom": "zoom_columns",
    "height_shear": "shear_rows",
    "width_shear": "shear_columns",
}
"""What the faces call them: Keras' words."""

FLIPS = ("horizontal_flip", "vertical_flip")
"""What the faces call the two flips, in the operation's order."""

PIXEL_RANGES = ("brightness", "contrast", "saturation", "gain", "hue")
"""What :meth:`Augment.adjust_pixels` draws from ranges (low, high); two columns of ``ranges`` each, in this order.

One column more is the probability of grey, ``"grayscale"``.
"""

TONE_RANGES = ("addition", "threshold", "bits")
"""What :meth:`Augment.adjust_tones` draws from ranges (low, high); two columns of ``ranges`` each, in this order.

One column more is the probability of an inversion.
"""

UNTOUCHED_TONES = {"addition": (0.0, 0.0), "threshold": (256.0, 256.0), "bits": (0.0, 0.0)}
"""Their ranges that change nothing."""

GREY = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in a grey value (ITU-R BT.601)."""

WORDS = {
    **{name: index for index, name in enumerate(AFFINE_RANGES)},
    "flip_columns": 7,
    "flip_rows": 8,
    "crop_row": 9,
    "crop_column": 10,
    "brightness": 11,
    "contrast": 12,
    "saturation": 13,
    "gain": 14,  # of channel k: 14 + k % 8
    "grayscale": 17,  # of images with three channels only, whose gains end before
    "hue": 18,  # too
    "tone_addition": 19,
    "tone_threshold": 20,
    "tone_bits": 21,
    "box_there": 22,
    "box_share": 23,  # and 24
    "box_aspect": 25,
    "box_row": 26,
    "box_column": 27,
    "mix_share": 28,  # and 29
    "partner": 30,
    "tone_inverted": 31,
}
"""Which of a sample's 32 random numbers decides what.

Sample ``i`` has blocks ``8 i`` to ``8 i + 7`` of the address (seed, stream, step), 32 words; a word w is the number
``(w + 1/2) / 2**32``. Operations decide by different words, so they may share an address with one another, but not
with operations that draw for elements.
"""


class Augment(Protocol):
    """Data augmentation."""

    def affine_transform(
        self,
        y: Floats,
        x: Floats,
        matrices: Doubles,
        height: int,
        width: int,
        channels: int,
        out_height: int,
        out_width: int,
        nearest: bool,
        fill_mode: int,
        fill_value: float,
    ) -> None:
        """Resample images under one affine map each: ``y[i, j] = x(m0 * i + m1 * j + m2, m3 * i + m4 * j + m5)``.

        ``matrices`` (N, 6) takes row and column of the output to those of the input, as scipy.ndimage's does. Between
        pixels ``x`` is bilinear, ``left + f * (right - left)`` of two such means down the column, or with ``nearest``
        the pixel at ``floor(coordinate + 1/2)``; beyond its edges it goes on as ``FILL_MODES[fill_mode]`` says.
        Coordinates are float64, their fractions and the means of the images' dtype. ``y`` may be ``x``.
        """
        ...

    def affine_matrices(
        self,
        matrices: Doubles,
        labels: Integers | None,
        ranges: Doubles,
        height: int,
        width: int,
        out_height: int,
        out_width: int,
        padding: int,
        keep_aspect: bool,
        seed: int,
        stream: int,
        step: int,
    ) -> None:
        """Draw ``matrices`` (N, 6) for :meth:`affine_transform`, uniformly from ``ranges`` (K, 16).

        Row ``labels[n]`` of ``ranges`` is that of image n, the first where ``labels`` (N,) is None; its columns are
        ``AFFINE_RANGES`` and the two flips. With v the output's (row, column), plus the crop's first pixel, less the
        shift times (height, width), relative to the image's middle ``((height - 1) / 2, (width - 1) / 2)``, the
        input's is ``middle + F Z S R v``: R ``(cos r + sin c, cos c - sin r)`` turns the picture counterclockwise by
        ``rotation`` full turns, exactly for quarters; S ``(r + shear_rows * c, c + shear_columns * r)``;
        Z multiplies rows by ``1 + zoom_rows`` and columns by ``1 + zoom_columns`` (above 1 the picture shrinks), with
        ``keep_aspect`` both by ``1 + zoom_rows``; F flips. The crop's first pixel is uniform in
        ``[-padding, height - out_height + padding]``, likewise for columns.
        """
        ...

    def adjust_pixels(
        self,
        y: Floats,
        x: Floats,
        labels: Integers | None,
        ranges: Doubles,
        channels: int,
        low: float,
        high: float,
        seed: int,
        stream: int,
        step: int,
    ) -> None:
        """Brightness b, contrast c, saturation s and a gain of each channel, drawn for each image; clipped.

        ``z = mean + c * (x - mean) + b`` with the mean of the image's channel, then
        ``y = clip(gain * (grey + s * (z - grey)), low, high)`` with the grey value of z by ``GREY``; then the hue of y
        turns by h turns: a channel is ``M - (M - m) * clip(min(k, 4 - k), 0, 1)`` with the pixel's largest and smallest
        value M and m, ``k = (6 * hue + p) mod 6`` and p = 5, 3, 1 of red, green, blue. ``ranges`` (K, 11) has the
        columns ``PIXEL_RANGES`` and the probability that s is 0; its rows are chosen as in :meth:`affine_matrices`. Of
        images with other than three channels s is 1 and h is 0. Means are float64. ``y`` may be ``x``.
        """
        ...

    def adjust_tones(
        self,
        y: Floats,
        x: Floats,
        labels: Integers | None,
        ranges: Doubles,
        low: float,
        high: float,
        seed: int,
        stream: int,
        step: int,
    ) -> None:
        """An addition a, a threshold t and a number of bits b, drawn for each image (N, C).

        In units in which values go from 0 to 255, ``v = clip((x - low) * 255 / (high - low) + a, 0, 255)``, then
        ``v = v if v < t else 255 - v``, then where ``b > 0`` ``v = floor(v / s) * s`` with ``s = 2**(8 - b)``; y is v
        in the values' own unit. ``ranges`` (K, 7) has the columns ``TONE_RANGES``, b rounded down, and the probability
        that t is 0; its rows are chosen as in :meth:`affine_matrices`. ``y`` may be ``x``.
        """
        ...

    def add_noise(
        self, y: Floats, x: Floats, noise: Floats, scale: Floats | None, deviation: float, low: float, high: float
    ) -> None:
        """``y = clip(x + deviation * scale * noise, low, high)``; ``x`` (N, C), ``scale`` (C,) or 1; y may be x."""
        ...

    def cut_boxes(
        self,
        boxes: Integers,
        weights: Doubles,
        height: int,
        width: int,
        probability: float,
        alpha: float,
        low: float,
        high: float,
        aspect: float,
        seed: int,
        stream: int,
        step: int,
    ) -> None:
        """Draw ``boxes`` (N, 4): top, left, bottom, right; ``weights`` (N,) are the shares of the images outside.

        With ``probability`` an image has a box, else one of no pixels. Its share q of the image is drawn, as
        ``1 - Beta(alpha, alpha)``, or uniformly from [low, high) where ``alpha`` is 0. Its sides are
        ``sqrt(q) * height * a`` and ``sqrt(q) * width / a``, rounded, at most the image's, with ``log(a**2)`` uniform
        between ``-log(aspect)`` and ``log(aspect)``; its place is uniform inside the image.
        Yun et al., "CutMix", 2019; Zhong et al., "Random erasing", 2020.
        """
        ...

    def mix_weights(self, weights: Doubles, alpha: float, seed: int, stream: int, step: int) -> None:
        """Draw ``weights`` (N,) from Beta(alpha, alpha).

        ``1/2 + sign(cos) / 2 / sqrt(1 + 1 / t)`` with ``t = (u**(-1/alpha) - 1) * cos(2 pi v)**2``, from two uniform
        numbers: exact for every alpha above 0. Devroye, "Random variate generation in one line of code", 1996.
        """
        ...

    def partner_rows(self, partners: Integers, seed: int, stream: int, step: int) -> None:
        """Draw ``partners`` (N,), a permutation: the rows in the order of one random number each."""
        ...

    def paste_boxes(
        self,
        y: Floats,
        x: Floats,
        boxes: Integers,
        partners: Integers | None,
        filling: Floats | None,
        height: int,
        width: int,
        channels: int,
        fill_value: float,
    ) -> None:
        """``y[n] = x[n]``, but inside box n ``x[partners[n]]``, else ``filling[n]``, or ``fill_value`` without both."""
        ...

    def mix_rows(self, y: Floats, x: Floats, partners: Integers, weights: Doubles) -> None:
        """``y[n] = weights[n] * x[n] + (1 - weights[n]) * x[partners[n]]``; ``x`` (N, C). Zhang et al. 2018."""
        ...

    def swap_features(self, y: Floats, x: Floats, mask: Bools, partners: Integers | None, fill_value: float) -> None:
        """``y[n] = x[n]`` where ``mask`` (N, C) is set, else ``x[partners[n]]``, or ``fill_value`` without partners."""
        ...
