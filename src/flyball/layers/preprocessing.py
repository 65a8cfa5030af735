"""Features in the unit a network likes: rescaled, or of mean 0 and variance 1."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from flyball import _checks
from flyball.layers.base import Layer, LayerOptions
from flyball.program.nodes import ScaleNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from flyball.program.nodes import Node, Weight

BLOCK = 1 << 20
"""Elements that :meth:`Normalization.adapt` converts to double at a time."""

SMALLEST_VARIANCE = 1e-14
"""Where the deviation is Keras' epsilon, 1e-7."""


def numbers(name: str, value: object) -> Any:
    """Return a number as a float, and anything array-like as nested lists of them."""
    array = np.asarray(value)
    if array.dtype.kind not in "iuf" or array.size == 0 or not np.isfinite(array).all():
        _checks.refuse(name, "a finite number, or an array of them", value)
    return array.astype(np.float64).tolist()


class Rescaling(Layer):
    """``y = scale * x + offset``, in training and afterwards alike.

    Parameters
    ----------
    scale, offset : float or array
        Numbers, or arrays that broadcast against the last axes of a sample: ``1 / 255`` for bytes, or one number a
        channel.
    **options
        ``name``, ``trainable``, ``input_shape``, ``input_dim``.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    def __init__(self, scale: ArrayLike, offset: ArrayLike = 0.0, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.scale = numbers("scale", scale)
        self.offset = numbers("offset", offset)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``input_shape``; refuse one that scale and offset do not broadcast against."""
        for name in ("scale", "offset"):
            shape = np.shape(getattr(self, name))
            if not broadcasts(shape, input_shape[len(input_shape) - len(shape) :]):
                _checks.refuse(name, f"a number or of a shape that broadcasts against {input_shape}", shape)
        return input_shape

    def lower(self) -> list[Node]:
        """Return a node, unless nothing changes."""
        if self.input_shape is None:
            msg = f"{self.name} must be built before it is lowered"
            raise ValueError(msg)
        scale, offset = np.asarray(self.scale), np.asarray(self.offset)
        if (scale == 1.0).all() and not offset.any():
            return []
        axes = len(self.input_shape)
        kept = self.input_shape[axes - max(scale.ndim, offset.ndim) :]
        gamma, beta = (np.broadcast_to(values, kept) for values in (scale, offset))
        node = ScaleNode(self.name, _place(axes, len(kept)), gamma=gamma, beta=beta if offset.any() else None)
        return [node]


def broadcasts(shape: tuple[int, ...], onto: tuple[int, ...]) -> bool:
    """Whether an array of ``shape`` broadcasts to ``onto``, which has as many axes."""
    return len(shape) == len(onto) and all(a in (1, b) for a, b in zip(shape, onto, strict=True))


def _place(axes: int, kept: int) -> tuple[int, int]:
    """Return the range of the last ``kept`` of ``axes``; of none at the front, so that all elements are one run."""
    return (axes - kept, axes) if kept else (0, 0)


class Normalization(Layer):
    """``y = (x - mean) / sqrt(variance)`` with statistics that :meth:`adapt` computes, or that are given.

    Parameters
    ----------
    axis : int, tuple of int or None
        Axes, the batch being axis 0, that have statistics of their own for each index; of several, neighbours. None is
        one mean and one variance for all elements.
    mean, variance : float or array, optional
        Known statistics, broadcast to the kept axes. Without them there are two weights, which no optimizer changes.
    invert : bool
        Whether the layer does the inverse, ``x * sqrt(variance) + mean``.
    **options
        ``name``, ``trainable``, ``input_shape``, ``input_dim``.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: ArrayLike | None = None,
        variance: ArrayLike | None = None,
        invert: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        axes = () if axis is None else tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
        for item in axes:
            if isinstance(item, bool) or not isinstance(item, int) or item == 0:
                _checks.refuse("axis", "an integer other than 0, the batch's, several of them, or None", axis)
        self.axis = axes
        if (mean is None) != (variance is None):
            _checks.refuse("variance", "given if and only if mean is", variance)
        self.mean = None if mean is None else numbers("mean", mean)
        self.variance = None if variance is None else numbers("variance", variance)
        if variance is not None and np.asarray(self.variance).min() < 0.0:
            _checks.refuse("variance", "non-negative", variance)
        self.invert = _checks.flag("invert", invert)
        self._adapted: dict[str, NDArray[np.float64]] = {}
        self._statistics_of: dict[str, Weight | NDArray[np.float64]] = {}

    def _kept(self, input_shape: tuple[int, ...]) -> tuple[int, int]:
        """Return which axes of a sample, from the first to before the second, have statistics of their own."""
        count = len(input_shape) + 1
        wrong = [axis for axis in self.axis if not -count < axis < count]
        if wrong:
            _checks.refuse("axis", f"one of the {len(input_shape)} axes of a sample, from 1 or from -1", wrong[0])
        axes = sorted({axis % count - 1 for axis in self.axis})
        if not axes:
            return 0, 0
        if axes[-1] - axes[0] != len(axes) - 1:
            _checks.refuse("axis", "neighbouring axes", self.axis)
        return axes[0], axes[-1] + 1

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``input_shape``; refuse one that the statistics do not fit."""
        begin, end = self._kept(input_shape)
        kept = input_shape[begin:end]
        for name in ("mean", "variance"):
            shape = np.shape(getattr(self, name))
            if self.mean is not None and not broadcasts(shape, kept[len(kept) - len(shape) :]):
                _checks.refuse(name, f"a number or of a shape that broadcasts to {kept}", shape)
        return input_shape

    def create_weights(self, input_shape: tuple[int, ...]) -> None:
        """Declare mean and variance, unless they are known."""
        begin, end = self._kept(input_shape)
        shape = input_shape[begin:end] or (1,)
        for name, first in (("mean", "zeros"), ("variance", "ones")):
            if self.mean is not None:
                known = np.broadcast_to(getattr(self, name), input_shape[begin:end])
                self._statistics_of[name] = np.maximum(known, SMALLEST_VARIANCE) if name == "variance" else known
                continue
            weight = self.add_weight(name, shape, first, trainable=False)
            self._statistics_of[name] = weight
        self._remember()

    def adapt(self, data: ArrayLike) -> None:
        """Compute mean and variance of ``data``, in double precision and a block of rows at a time.

        Memory-mapped arrays are never in memory as a whole. The layer may be in a model already or not yet; it is then
        bound to the shape of these samples.

        Parameters
        ----------
        data : array (samples, ...)
            Float, integer or bool.

        Raises
        ------
        ValueError
            If ``data`` is no array of finite numbers, has another shape than the layer's input, or the layer was given
            its statistics.
        """
        if self.mean is not None:
            msg = f"{self.name}: data must not be given to a layer that knows its mean and variance"
            raise ValueError(msg)
        if not hasattr(data, "__array__") and not isinstance(
            data, (list, tuple)
        ):  # NumPy would try to read it to its end
            _checks.refuse("data", "an array of numbers (samples, ...)", type(data).__name__)
        array = np.asanyarray(data)
        if array.dtype.kind not in "biuf" or array.ndim < 2 or array.size == 0:
            _checks.refuse("data", "an array of numbers (samples, ...)", f"{array.dtype} of shape {array.shape}")
        shape = array.shape[1:]
        if self.input_shape not in {None, shape}:
            _checks.refuse("data", f"samples of shape {self.input_shape}", shape)
        begin, end = self._kept(shape)
        mean, variance = _moments(array, begin, end)
        if not np.isfinite(variance).all():
            _checks.refuse("data", "finite", float(variance[~np.isfinite(variance)][0]))
        self._adapted = {"mean": mean, "variance": np.maximum(variance, SMALLEST_VARIANCE)}
        self.input_shape = shape
        self._remember()

    def _remember(self) -> None:
        """Make what :meth:`adapt` found the weights' first values, and, where they have memory, their values."""
        for weight, values in zip(self.weights, self._adapted.values(), strict=False):
            weight.initializer = partial(_known, values)
            if weight.value.shape == weight.shape:
                weight.value[...] = values.reshape(weight.shape)

    def lower(self) -> list[Node]:
        """Return a node."""
        if self.input_shape is None or not self._statistics_of:
            msg = f"{self.name} must be built before it is lowered"
            raise ValueError(msg)
        axes = self._kept(self.input_shape)
        mean, variance = self._statistics_of["mean"], self._statistics_of["variance"]
        return [ScaleNode(self.name, axes, mean, variance, inverse=self.invert)]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as JSON types."""
        return {**super().get_config(), "axis": list(self.axis) or None}


def _known(
    values: NDArray[np.float64], shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator
) -> NDArray[Any]:
    """Initialise a weight with ``values``."""
    del rng
    return values.astype(dtype).reshape(shape)


def _moments(array: NDArray[Any], begin: int, end: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and variance of each index of the sample's axes ``begin`` to before ``end``."""
    from flyball.functional import batch_norm_moments, combine_moments  # a face that most models need nothing of

    shape = array.shape[1:]
    channels = int(np.prod(shape[begin:end]))
    before = int(np.prod(shape[:begin]))
    rows = max(1, BLOCK // max(1, array[:1].size))
    blocks = (array[first : first + rows].astype(np.float64) for first in range(0, len(array), rows))
    moments = combine_moments(
        batch_norm_moments(block.reshape(len(block) * before, channels, -1), axis=1) for block in blocks
    )
    return moments.mean, moments.m2 / moments.n
