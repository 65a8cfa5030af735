"""Images moved on the fly: flipped, turned, shifted, zoomed, sheared and cropped, by other amounts at every step.

All act in training only, on images in front of the first layer that learns. Neighbours that can be drawn as one map
are: the image is then resampled once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from flyball import _checks
from flyball.backend.augment import AFFINE_NAMES, FILL_MODES, FLIPS
from flyball.layers.images import ClassPolicy, factor_range, image_shape
from flyball.layers.resizing import largest_window
from flyball.program.nodes import AffineNode, Ranges
from flyball.program.nodes.augment import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyball.layers.base import LayerOptions
    from flyball.layers.images import Factor, Policy
    from flyball.program.nodes import Node

MODES = {
    "horizontal": (0.5, 0.0),
    "vertical": (0.0, 0.5),
    "horizontal_and_vertical": (0.5, 0.5),
}
"""Probabilities of RandomFlip's modes."""


class GeometricLayer(ClassPolicy):
    """Base of layers that resample images under drawn maps."""

    def __init__(
        self,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        policy: Policy | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(policy, seed, data_format, **options)
        self.fill_mode = _checks.choice("fill_mode", fill_mode, sorted(FILL_MODES))
        self.interpolation = _checks.choice("interpolation", interpolation, ("bilinear", "nearest"))
        self.fill_value = _checks.number("fill_value", fill_value)

    def _amounts(self, arguments: Mapping[str, Any]) -> dict[str, Factor]:
        """Return ranges by their names in :func:`flyball.functional.affine_matrices`; none here."""
        del arguments
        return {}

    def _row(self, arguments: Mapping[str, Any]) -> tuple[float, ...]:
        amounts = self._amounts(arguments)
        from flyball.functional.augment import affine_range  # a face that most models need nothing of

        return tuple(bound for name in (*AFFINE_NAMES, *FLIPS) for bound in affine_range(name, amounts.get(name, 0.0)))

    def _untouched(self) -> tuple[float, ...]:
        return IDENTITY

    def _isotropic(self) -> bool:
        return False

    def image_nodes(self, shape: tuple[int, ...]) -> list[Node]:
        """Return a node, unless no image is moved."""
        del shape
        node = AffineNode(
            self.name,
            self._ranges(),
            isotropic=self._isotropic(),
            nearest=self.interpolation == "nearest",
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            seed=self.seed,
        )
        return [node] if node.parts else []


class RandomFlip(ClassPolicy):
    """Left and right, or top and bottom, change places with probability 1/2.

    Parameters
    ----------
    mode : {"horizontal", "vertical", "horizontal_and_vertical"}
        What is flipped. Both are drawn independently of each other; Keras 3 does both or none.
    seed : int, optional
        In [0, 2**64). Without one, the model's seed and the layer's place decide.
    data_format : {None, "channels_last", "channels_first"}
        Images are (height, width), or (height, width, channels), or (channels, height, width) with channels first.
    policy : dict, optional
        ``{4: {"mode": "horizontal"}, 6: None}``: another mode for the images of a class, or none. Needs integer labels.
    **options
        ``name``, ``trainable``, ``input_shape``, ``input_dim``.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    _of_class = ("mode",)

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        *,
        policy: Policy | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(policy, seed, data_format, **options)
        self.mode = _checks.choice("mode", mode, MODES)
        self._ranges()

    def _row(self, arguments: Mapping[str, Any]) -> tuple[float, ...]:
        return (*IDENTITY[:-2], *MODES[_checks.choice("mode", arguments["mode"], MODES)])

    def _untouched(self) -> tuple[float, ...]:
        return IDENTITY

    def image_nodes(self, shape: tuple[int, ...]) -> list[Node]:
        """Return a node."""
        del shape
        return [AffineNode(self.name, self._ranges(), seed=self.seed)]


class RandomRotation(GeometricLayer):
    """Images turned about their middle.

    Parameters
    ----------
    factor : float or (lower, upper), in [-1, 1]
        In full turns, counterclockwise; a number f stands for (-f, f).
    fill_mode : {"reflect", "constant", "nearest", "wrap"}
        How an image goes on beyond its edges, see :func:`flyball.functional.affine_transform`.
    interpolation : {"bilinear", "nearest"}
        What there is between pixels.
    seed : int, optional
        In [0, 2**64). Without one, the model's seed and the layer's place decide.
    fill_value : float
        Value of the pixels outside, for ``constant``.
    data_format : {None, "channels_last", "channels_first"}
        Images are (height, width), or (height, width, channels), or (channels, height, width) with channels first.
    policy : dict, optional
        ``{6: {"factor": 0.05}, 9: {"factor": 0.05}}``: arguments that are different for the images of a class, here so
        that no 6 becomes a 9; None leaves a class as it is. Needs integer labels.
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
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        *,
        policy: Policy | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, policy, **options)
        self.factor = factor
        self._ranges()

    def _amounts(self, arguments: Mapping[str, Any]) -> dict[str, Factor]:
        return {"rotation": factor_range("factor", arguments["factor"])}


class RandomTranslation(GeometricLayer):
    """Images shifted.

    Parameters
    ----------
    height_factor, width_factor : float or (lower, upper), in [-1, 1]
        Down and to the right, in shares of height and width; a number f stands for (-f, f).
    fill_mode, interpolation, seed, fill_value, data_format, policy, **options
        As in :class:`RandomRotation`.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    _of_class = ("height_factor", "width_factor")

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        *,
        policy: Policy | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, policy, **options)
        self.height_factor = height_factor
        self.width_factor = width_factor
        self._ranges()

    def _amounts(self, arguments: Mapping[str, Any]) -> dict[str, Factor]:
        return {
            "height_shift": factor_range("height_factor", arguments["height_factor"]),
            "width_shift": factor_range("width_factor", arguments["width_factor"]),
        }


class RandomZoom(GeometricLayer):
    """Images that shrink to ``1 / (1 + factor)`` of their size about their middle, or grow where it is below 0.

    Parameters
    ----------
    height_factor : float or (lower, upper), in (-1, 1]
        A number f stands for (-f, f).
    width_factor : float or (lower, upper), optional
        Without one it is that of the height, so that the aspect is kept.
    fill_mode, interpolation, seed, fill_value, data_format, policy, **options
        As in :class:`RandomRotation`.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    _of_class = ("height_factor", "width_factor")

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor | None = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        *,
        policy: Policy | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, policy, **options)
        self.height_factor = height_factor
        self.width_factor = width_factor
        self._ranges()

    def _amounts(self, arguments: Mapping[str, Any]) -> dict[str, Factor]:
        width = arguments["width_factor"]
        if (width is None) != (self.width_factor is None):
            _checks.refuse("width_factor", "None for all classes or for none", width)
        factors = {"height": arguments["height_factor"], "width": 0.0 if width is None else width}
        ranges = {side: factor_range(f"{side}_factor", factor) for side, factor in factors.items()}
        for side, (lower, _) in ranges.items():
            if lower <= -1.0:
                _checks.refuse(f"{side}_factor", "above -1, where an image would be infinitely large", factors[side])
        return {f"{side}_zoom": bounds for side, bounds in ranges.items()}

    def _isotropic(self) -> bool:
        return self.width_factor is None


class RandomShear(GeometricLayer):
    """Images sheared about their middle (Keras: about the first pixel): parallelograms of squares.

    Parameters
    ----------
    x_factor, y_factor : float in [0, 1], or (lower, upper) in [-1, 1]
        Columns that a row is moved by for each row from the middle, and rows that a column is moved by for each column.
        A number f stands for (-f, f); of a pair, Keras gives the drawn number a random sign, here it has the pair's.
    interpolation, fill_mode, fill_value, data_format, seed, policy, **options
        As in :class:`RandomRotation`.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    _of_class = ("x_factor", "y_factor")

    def __init__(
        self,
        x_factor: Factor = 0.0,
        y_factor: Factor = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | None = None,
        *,
        policy: Policy | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, policy, **options)
        self.x_factor = x_factor
        self.y_factor = y_factor
        self._ranges()

    def _amounts(self, arguments: Mapping[str, Any]) -> dict[str, Factor]:
        return {
            "width_shear": factor_range("x_factor", arguments["x_factor"]),
            "height_shear": factor_range("y_factor", arguments["y_factor"]),
        }


class RandomAffine(GeometricLayer):
    """Flip, zoom, shear, rotation and shift, in this order, in one resampling.

    Parameters
    ----------
    rotation : float or (lower, upper)
        In full turns, counterclockwise. Here and below a number f stands for (-f, f).
    height_shift, width_shift : float or (lower, upper)
        Down and to the right, in shares of height and width.
    height_zoom, width_zoom : float or (lower, upper), above -1
        As in :class:`RandomZoom`; ``width_zoom=None`` keeps the aspect.
    height_shear, width_shear : float or (lower, upper)
        ``y_factor`` and ``x_factor`` of :class:`RandomShear`.
    horizontal_flip, vertical_flip : float in [0, 1]
        Probabilities.
    fill_mode, interpolation, seed, fill_value, data_format, policy, **options
        As in :class:`RandomRotation`.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    _of_class = (*AFFINE_NAMES, *FLIPS)

    def __init__(
        self,
        rotation: Factor = 0.0,
        height_shift: Factor = 0.0,
        width_shift: Factor = 0.0,
        height_zoom: Factor = 0.0,
        width_zoom: Factor | None = None,
        height_shear: Factor = 0.0,
        width_shear: Factor = 0.0,
        horizontal_flip: float = 0.0,
        vertical_flip: float = 0.0,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        *,
        policy: Policy | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, policy, **options)
        self.rotation = rotation
        self.height_shift = height_shift
        self.width_shift = width_shift
        self.height_zoom = height_zoom
        self.width_zoom = width_zoom
        self.height_shear = height_shear
        self.width_shear = width_shear
        self.horizontal_flip = horizontal_flip
        self.vertical_flip = vertical_flip
        self._ranges()

    def _amounts(self, arguments: Mapping[str, Any]) -> dict[str, Factor]:
        if (arguments["width_zoom"] is None) != (self.width_zoom is None):
            _checks.refuse("width_zoom", "None for all classes or for none", arguments["width_zoom"])
        return {name: 0.0 if value is None else value for name, value in arguments.items()}

    def _isotropic(self) -> bool:
        return self.width_zoom is None


class RandomCrop(GeometricLayer):
    """A window of (height, width) at a random place of each image; in evaluation and prediction in the middle.

    Keras crops all images of a batch at the same place. As there, images that are smaller than the window, and not
    padded, give their largest part of the window's aspect, resized.

    Parameters
    ----------
    height, width : int
        The window.
    seed : int, optional
        In [0, 2**64). Without one, the model's seed and the layer's place decide.
    data_format : {None, "channels_last", "channels_first"}
        Images are (height, width), or (height, width, channels), or (channels, height, width) with channels first.
    padding : int
        Pixels that the window may lie beyond each edge, in training.
    fill_mode, fill_value : str, float
        What is there, see :class:`RandomRotation`.
    **options
        ``name``, ``trainable``, ``input_shape``, ``input_dim``.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    _of_class = ()

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        *,
        padding: int = 0,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(fill_mode, "bilinear", seed, fill_value, data_format, **options)
        self.height = _checks.integer("height", height, 1)
        self.width = _checks.integer("width", width, 1)
        self.padding = _checks.integer("padding", padding)

    def images_of(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``(height, width)``, and the channels."""
        height, width, _ = image_shape(shape)
        if self.padding and (height < self.height or width < self.width):
            _checks.refuse("padding", f"0 for images smaller than ({self.height}, {self.width})", self.padding)
        return (self.height, self.width, *shape[2:])

    def image_nodes(self, shape: tuple[int, ...]) -> list[Node]:
        """Return a node that crops, or those that resize a smaller image."""
        height, width, _ = image_shape(shape)
        if height < self.height or width < self.width:
            return largest_window(self.name, (height, width), (self.height, self.width))
        if (height, width) == (self.height, self.width) and not self.padding:
            return []
        node = AffineNode(
            self.name,
            Ranges(IDENTITY),
            size=(self.height, self.width),
            padding=self.padding,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            seed=self.seed,
        )
        return [node]
