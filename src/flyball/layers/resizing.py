"""Images of another size, in training and afterwards alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from flyball import _checks
from flyball.layers.images import ImageLayer, image_shape
from flyball.program.nodes import ResampleNode

if TYPE_CHECKING:
    from flyball.layers.base import LayerOptions
    from flyball.program.nodes import Node

Size = tuple[int, int]


class CenterCrop(ImageLayer):
    """The window of (height, width) in the middle; of a smaller image its largest part of that aspect, resized.

    Parameters
    ----------
    height, width : int
        The window.
    data_format : {None, "channels_last", "channels_first"}
        Images are (height, width), or (height, width, channels), or (channels, height, width) with channels first.
    **options
        ``name``, ``trainable``, ``input_shape``, ``input_dim``.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    def __init__(
        self, height: int, width: int, data_format: str | None = None, **options: Unpack[LayerOptions]
    ) -> None:
        super().__init__(data_format, **options)
        self.height = _checks.integer("height", height, 1)
        self.width = _checks.integer("width", width, 1)

    def images_of(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(height, width)``, and the channels."""
        return (self.height, self.width, *shape[2:])

    def image_nodes(self, shape: tuple[int, ...]) -> list[Node]:
        """Return the nodes that crop, and resize where the image is smaller."""
        height, width = size = image_shape(shape)[:2]
        window = (self.height, self.width)
        if height < self.height or width < self.width:
            return largest_window(self.name, size, window)
        return cropped(self.name, size, window)


class Resizing(ImageLayer):
    """Images of ``height`` rows and ``width`` columns, without a filter: a smaller one may alias.

    Output pixel i lies at ``(i + 1/2) * input / output - 1/2`` of the input, the edges go on as they end.

    Parameters
    ----------
    height, width : int
        The new size.
    interpolation : {"bilinear", "nearest"}
        What there is between pixels.
    crop_to_aspect_ratio : bool
        Whether the largest part of the new aspect is taken, from the middle.
    pad_to_aspect_ratio : bool
        Whether the image is made one of the new aspect first, with ``fill_value`` at both sides.
    fill_mode : {"constant"}
        Of the padding.
    fill_value : float
        Of the padding.
    antialias : {False}
        There is no filter.
    data_format : {None, "channels_last", "channels_first"}
        Images are (height, width), or (height, width, channels), or (channels, height, width) with channels first.
    **options
        ``name``, ``trainable``, ``input_shape``, ``input_dim``.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(data_format, **options)
        self.height = _checks.integer("height", height, 1)
        self.width = _checks.integer("width", width, 1)
        self.interpolation = _checks.choice("interpolation", interpolation, ("bilinear", "nearest"))
        self.crop_to_aspect_ratio = _checks.flag("crop_to_aspect_ratio", crop_to_aspect_ratio)
        self.pad_to_aspect_ratio = _checks.flag("pad_to_aspect_ratio", pad_to_aspect_ratio)
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            _checks.refuse("pad_to_aspect_ratio", "False where crop_to_aspect_ratio is True", pad_to_aspect_ratio)
        self.fill_mode = _checks.choice("fill_mode", fill_mode, ("constant",))
        self.fill_value = _checks.number("fill_value", fill_value)
        self.antialias = _checks.flag("antialias", antialias)
        if self.antialias:
            _checks.refuse("antialias", "False: there is no filter", antialias)

    def images_of(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(height, width)``, and the channels."""
        return (self.height, self.width, *shape[2:])

    def image_nodes(self, shape: tuple[int, ...]) -> list[Node]:
        """Return the nodes that make the aspect that of the output, and resize."""
        height, width = size = image_shape(shape)[:2]
        target, nearest = (self.height, self.width), self.interpolation == "nearest"
        if self.crop_to_aspect_ratio:
            return largest_window(self.name, size, target, nearest)
        if not self.pad_to_aspect_ratio:
            return resized(self.name, size, target, nearest)
        padded = (max(height, width * target[0] // target[1]), max(width, height * target[1] // target[0]))
        nodes = resized(self.name, padded, target, nearest)
        if padded == size:
            return nodes
        start = ((padded[0] - height) // 2, (padded[1] - width) // 2)
        moved = (1.0, 0.0, float(-start[0]), 0.0, 1.0, float(-start[1]))
        return [ResampleNode(self.name, moved, padded, fill_mode="constant", fill_value=self.fill_value), *nodes]


def largest_window(layer: str, size: Size, target: Size, nearest: bool = False) -> list[Node]:
    """Return nodes that take the largest part of ``target``'s aspect from the middle, and resize it."""
    window = (
        max(min(size[0], size[1] * target[0] // target[1]), 1),
        max(min(size[1], size[0] * target[1] // target[0]), 1),
    )
    return [*cropped(layer, size, window), *resized(layer, window, target, nearest)]


def cropped(layer: str, size: Size, window: Size) -> list[Node]:
    """Return a node that cuts ``window`` out of the middle, unless it is all."""
    if size == window:
        return []
    top, left = ((extent - kept) // 2 for extent, kept in zip(size, window, strict=True))
    return [ResampleNode(layer, (1.0, 0.0, float(top), 0.0, 1.0, float(left)), window)]


def resized(layer: str, size: Size, target: Size, nearest: bool) -> list[Node]:
    """Return a node that resizes, unless there is nothing to do."""
    if size == target:
        return []
    rows, columns = (extent / new for extent, new in zip(size, target, strict=True))
    up = 1e-9 if nearest else 0.0  # half-way between two pixels the larger index counts, however that was rounded
    map_of = (rows, 0.0, (rows - 1.0) / 2.0 + up, 0.0, columns, (columns - 1.0) / 2.0 + up)
    return [ResampleNode(layer, map_of, target, nearest)]
