"""Pixels changed on the fly: brightness, contrast and colours, by other amounts for every image.

All act in training only, in front of the first layer that learns, and clip to ``value_range``. They compute
``z = mean + contrast * (x - mean) + brightness`` with the mean of the image's channel, then
``gain * (grey + saturation * (z - grey))`` with ``grey = 0.299 red + 0.587 green + 0.114 blue`` of z, and turn the hue.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Unpack

from flyball import _checks
from flyball.layers.images import ClassPolicy, factor_range, image_shape, share_range, value_bounds
from flyball.program.nodes import PixelsNode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyball.layers.base import LayerOptions
    from flyball.layers.images import Factor, Policy
    from flyball.program.nodes import Node

UNCHANGED: dict[str, tuple[float, ...]] = {
    "brightness": (0.0, 0.0),
    "contrast": (1.0, 1.0),
    "saturation": (1.0, 1.0),
    "gain": (1.0, 1.0),
    "hue": (0.0, 0.0),
    "grayscale": (0.0,),
}
"""Ranges of ``adjust_pixels`` that change nothing, in the order of its columns."""


class PixelLayer(ClassPolicy):
    """Base of layers that change the values of pixels."""

    _colours = False
    """Whether three channels are needed."""

    def __init__(
        self,
        value_range: tuple[float, float] = (0.0, 255.0),
        seed: int | None = None,
        data_format: str | None = None,
        policy: Policy | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(policy, seed, data_format, **options)
        self.value_range = value_bounds(value_range)

    @abstractmethod
    def _amounts(self, arguments: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
        """Return ranges of the formula's quantities, those that are not as in :data:`UNCHANGED`."""

    def _row(self, arguments: Mapping[str, Any]) -> tuple[float, ...]:
        amounts = {**UNCHANGED, **self._amounts(arguments)}
        return tuple(bound for name in UNCHANGED for bound in amounts[name])

    def _untouched(self) -> tuple[float, ...]:
        return tuple(bound for bounds in UNCHANGED.values() for bound in bounds)

    def _brightness(self, name: str, factor: object) -> tuple[float, float]:
        low, high = self.value_range
        lower, upper = factor_range(name, factor)
        return lower * (high - low), upper * (high - low)

    def images_of(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``shape``; refuse what has no colours where they are changed."""
        if image_shape(shape)[2] != 3 and self._colours:
            axes = "(3, height, width)" if self._channels_first else "(height, width, 3)"
            _checks.refuse("input_shape", f"{axes}: red, green and blue", self._own_format(shape))
        return shape

    def image_nodes(self, shape: tuple[int, ...]) -> list[Node]:
        """Return a node, unless nothing is changed."""
        del shape
        ranges = self._ranges()
        if all(row == self._untouched() for row in ranges.rows()):
            return []
        return [PixelsNode(self.name, ranges, *self.value_range, seed=self.seed)]


def hue_range(name: str, factor: object) -> tuple[float, float]:
    """Return half of both ends of a range: turns."""
    lower, upper = factor_range(name, factor)
    return lower / 2.0, upper / 2.0


def contrast_range(name: str, factor: object) -> tuple[float, float]:
    """Return (1 - lower, 1 + upper) of a pair in [0, 1]; a number is both."""
    pair = factor if isinstance(factor, (tuple, list)) else (factor, factor)
    if len(pair) != 2:
        _checks.refuse(name, "a number in [0, 1] or two of them, lower and upper", factor)
    lower, upper = (_checks.number(name, bound, "[0, 1]") for bound in pair)
    return 1.0 - lower, 1.0 + upper


def gain_range(name: str, factor: object) -> tuple[float, float]:
    """Return 1 plus both ends of a range."""
    lower, upper = factor_range(name, factor)
    return 1.0 + lower, 1.0 + upper


def saturation_range(name: str, factor: object) -> tuple[float, float]:
    """Return f / (1 - f) of both ends of a pair in [0, 1), the lower of a number being 0."""
    lower, upper = share_range(name, factor)
    if upper == 1.0:
        _checks.refuse(name, "below 1, where colours would be infinitely strong", factor)
    return lower / (1.0 - lower), upper / (1.0 - upper)


class RandomBrightness(PixelLayer):
    """A number added to each image.

    Parameters
    ----------
    factor : float or (lower, upper), in [-1, 1]
        In units of ``value_range``'s width; a number f stands for (-f, f).
    value_range : (low, high)
        Values that pixels may have; the result is clipped to them.
    seed : int, optional
        In [0, 2**64). Without one, the model's seed and the layer's place decide.
    data_format : {None, "channels_last", "channels_first"}
        Images are (height, width), or (height, width, channels), or (channels, height, width) with channels first.
    policy : dict, optional
        ``{3: {"factor": 0.1}, 5: None}``: arguments that are different for the images of a class, None to leave it as
        it is. Needs integer labels.
    **options
        ``name``, ``trainable``, ``input_shape``, ``input_dim``.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    _of_class = ("factor",)

    def __init__(
        self,
        factor: Factor,
        value_range: tuple[float, float] = (0.0, 255.0),
        seed: int | None = None,
        *,
        data_format: str | None = None,
        policy: Policy | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(value_range, seed, data_format, policy, **options)
        self.factor = factor
        self._ranges()

    def _amounts(self, arguments: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
        return {"brightness": self._brightness("factor", arguments["factor"])}


class RandomContrast(PixelLayer):
    """The distance of each image from its channels' means, times a number.

    Parameters
    ----------
    factor : float or (lower, upper), in [0, 1]
        The number is in ``[1 - lower, 1 + upper]``; of a single f both are f, as Keras says (its code takes 0 and f).
    value_range, seed, data_format, policy, **options
        As in :class:`RandomBrightness`.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    _of_class = ("factor",)

    def __init__(
        self,
        factor: Factor,
        value_range: tuple[float, float] = (0.0, 255.0),
        seed: int | None = None,
        *,
        data_format: str | None = None,
        policy: Policy | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(value_range, seed, data_format, policy, **options)
        self.factor = factor
        self._ranges()

    def _amounts(self, arguments: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
        return {"contrast": contrast_range("factor", arguments["factor"])}


class RandomSaturation(PixelLayer):
    """Colours made weaker or stronger.

    The distance of each pixel from its grey value is multiplied by a number between ``f / (1 - f)`` of the factor's
    ends. Keras changes the saturation of the HSV representation instead, and draws f uniformly: the same at 0 (grey)
    and 1/2 (as it was).

    Parameters
    ----------
    factor : float or (lower, upper), in [0, 1)
        A number f stands for (0, f).
    value_range, data_format, seed, policy, **options
        As in :class:`RandomBrightness`. Images must have 3 channels.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    _of_class = ("factor",)
    _colours = True

    def __init__(
        self,
        factor: Factor,
        value_range: tuple[float, float] = (0.0, 255.0),
        data_format: str | None = None,
        seed: int | None = None,
        *,
        policy: Policy | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(value_range, seed, data_format, policy, **options)
        self.factor = factor
        self._ranges()

    def _amounts(self, arguments: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
        return {"saturation": saturation_range("factor", arguments["factor"])}


class RandomColorDegeneration(PixelLayer):
    """Images mixed with their grey version: ``x + f * (grey - x)``.

    Parameters
    ----------
    factor : float or (lower, upper), in [0, 1]
        Range of f; a number stands for (0, factor).
    value_range, data_format, seed, policy, **options
        As in :class:`RandomBrightness`. Images must have 3 channels.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    _of_class = ("factor",)
    _colours = True

    def __init__(
        self,
        factor: Factor,
        value_range: tuple[float, float] = (0.0, 255.0),
        data_format: str | None = None,
        seed: int | None = None,
        *,
        policy: Policy | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(value_range, seed, data_format, policy, **options)
        self.factor = factor
        self._ranges()

    def _amounts(self, arguments: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
        lower, upper = share_range("factor", arguments["factor"])
        return {"saturation": (1.0 - upper, 1.0 - lower)}


class RandomHue(PixelLayer):
    """Colours turned on the circle of hues: red to green to blue and on to red.

    Parameters
    ----------
    factor : float in [0, 1], or (lower, upper) in [-1, 1]
        In half turns; a number f stands for (-f, f). Of a pair, Keras gives the drawn number a random sign, here it has
        the pair's.
    value_range, data_format, seed, policy, **options
        As in :class:`RandomBrightness`. Images must have 3 channels.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    _of_class = ("factor",)
    _colours = True

    def __init__(
        self,
        factor: Factor,
        value_range: tuple[float, float] = (0.0, 255.0),
        data_format: str | None = None,
        seed: int | None = None,
        *,
        policy: Policy | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(value_range, seed, data_format, policy, **options)
        self.factor = factor
        self._ranges()

    def _amounts(self, arguments: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
        return {"hue": hue_range("factor", arguments["factor"])}


class RandomGrayscale(PixelLayer):
    """Images that become grey, with a probability; they keep their 3 channels.

    Parameters
    ----------
    factor : float in [0, 1]
        The probability.
    data_format, seed, policy, **options
        As in :class:`RandomBrightness`. Images must have 3 channels. Nothing is clipped.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    _of_class = ("factor",)
    _colours = True

    def __init__(
        self,
        factor: float = 0.5,
        data_format: str | None = None,
        seed: int | None = None,
        *,
        policy: Policy | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, policy=policy, **options)
        self.value_range = (-math.inf, math.inf)
        self.factor = factor
        self._ranges()

    def _amounts(self, arguments: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
        return {"grayscale": (_checks.number("factor", arguments["factor"], "[0, 1]"),)}


class RandomColorJitter(PixelLayer):
    """Brightness, contrast, saturation, hue and the channels' gains in one pass, clipped once, before the hue turns.

    Parameters
    ----------
    value_range : (low, high)
        Values that pixels may have.
    brightness_factor : float or (lower, upper), optional
        As in :class:`RandomBrightness`.
    contrast_factor : float or (lower, upper), optional
        As in :class:`RandomContrast`.
    saturation_factor : float or (lower, upper), optional
        As in :class:`RandomSaturation`; of images with 3 channels.
    hue_factor : float or (lower, upper), optional
        As in :class:`RandomHue`; of images with 3 channels.
    seed, data_format, policy, **options
        As in :class:`RandomBrightness`.
    gain_factor : float or (lower, upper), in [-1, 1], optional
        Change of each channel, drawn for each: a number f stands for (-f, f).

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    _of_class = ("brightness_factor", "contrast_factor", "saturation_factor", "hue_factor", "gain_factor")

    def __init__(
        self,
        value_range: tuple[float, float] = (0.0, 255.0),
        brightness_factor: Factor | None = None,
        contrast_factor: Factor | None = None,
        saturation_factor: Factor | None = None,
        hue_factor: Factor | None = None,
        seed: int | None = None,
        data_format: str | None = None,
        *,
        gain_factor: Factor | None = None,
        policy: Policy | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(value_range, seed, data_format, policy, **options)
        self.hue_factor = hue_factor
        self.brightness_factor = brightness_factor
        self.contrast_factor = contrast_factor
        self.saturation_factor = saturation_factor
        self.gain_factor = gain_factor
        rows = self._ranges().rows()
        self._colours = any(row[4:6] != UNCHANGED["saturation"] or row[8:10] != UNCHANGED["hue"] for row in rows)

    def _amounts(self, arguments: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
        convert = {
            "brightness": self._brightness,
            "contrast": contrast_range,
            "saturation": saturation_range,
            "hue": hue_range,
            "gain": gain_range,
        }
        factors = {name: arguments[f"{name}_factor"] for name in convert}
        return {name: convert[name](f"{name}_factor", f) for name, f in factors.items() if f is not None}
