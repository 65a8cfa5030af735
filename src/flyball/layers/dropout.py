"""Dropout: of elements, of whole channels, and for networks of SELU."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Unpack

from flyball import _checks
from flyball.layers._axes import data_format as checked_data_format
from flyball.layers.base import Layer, LayerOptions
from flyball.program.nodes import AlphaDropoutNode, DropoutNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.program.nodes import Node

MODES = ("inverted", "classic")


class Dropout(Layer):
    """Dropout: in training zero with probability ``rate``, else ``x / (1 - rate)``; in inference the identity.

    The probability is met as the nearest multiple of 2**-16, and the factor uses the one that is met. Srivastava et al.
    2014.

    Parameters
    ----------
    rate : float
        Share of the elements that are dropped, in [0, 1).
    noise_shape : tuple of int or None, optional
        Shape of the mask, the batch axis included: 1 on axes along which one decision is for all, the extent, or None
        for it, on the others. All elements have their own decision if not given.
    seed : int, optional
        In [0, 2**64). Without one, the model's seed and the layer's place decide.
    keep_prob : float, optional
        ``1 - rate``, in its place.
    mode : str
        ``"inverted"``, as said above, or ``"classic"``: in training what is kept stays as it is, in inference
        everything is multiplied by the probability to be kept.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    def __init__(
        self,
        rate: float | None = None,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        *,
        keep_prob: float | None = None,
        mode: str = "inverted",
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        if (rate is None) == (keep_prob is None):
            _checks.refuse("rate", "given, or keep_prob in its place", (rate, keep_prob))
        kept = 1.0 if keep_prob is None else _checks.number("keep_prob", keep_prob, "(0, 1]")
        self.rate = 1.0 - kept if rate is None else _checks.number("rate", rate, "[0, 1)")
        self.keep_prob = None  # said by the rate
        self.noise_shape = _noise_shape(noise_shape)
        self.seed = _checks.seed_or_none(seed)
        self.mode = _checks.choice("mode", mode, MODES)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``input_shape``."""
        mask_shape(self.noise_shape, input_shape)
        return input_shape

    def lower(self) -> list[Node]:
        """Return a dropout node, unless nothing is dropped."""
        shape = mask_shape(self.noise_shape, self.require_built())
        return [DropoutNode(self.name, self.rate, self.seed, shape, self.mode == "classic")] if self.rate else []


class AlphaDropout(Layer):
    """Dropout that keeps mean 0 and variance 1, for networks of SELU: what is dropped is what SELU tends to.

    In training ``a * (x * mask + s * (1 - mask)) + b`` with ``s = -1.7581``; see
    :func:`flyball.functional.alpha_dropout_forward`. Klambauer et al. 2017.

    Parameters
    ----------
    rate : float
        Share of the elements that are dropped, in [0, 1).
    noise_shape : tuple of int or None, optional
        As that of :class:`Dropout`.
    seed : int, optional
        In [0, 2**64). Without one, the model's seed and the layer's place decide.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.rate = _checks.number("rate", rate, "[0, 1)")
        self.noise_shape = _noise_shape(noise_shape)
        self.seed = _checks.seed_or_none(seed)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``input_shape``."""
        mask_shape(self.noise_shape, input_shape)
        return input_shape

    def lower(self) -> list[Node]:
        """Return a node of alpha dropout, unless nothing is dropped."""
        shape = mask_shape(self.noise_shape, self.require_built())
        return [AlphaDropoutNode(self.name, self.rate, self.seed, shape)] if self.rate else []


class SpatialDropout(Layer):
    """Dropout of whole channels: in training each channel of each sample is zero with probability ``rate``.

    Neighbouring positions of an image say the same: dropping them one by one would leave it all there. Tompson et al.
    2015.
    """

    axes: ClassVar[int]
    """Of a sample, the channels' included."""

    def __init__(self, rate: float, data_format: str | None, seed: int | None, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.rate = _checks.number("rate", rate, "[0, 1)")
        self.data_format = checked_data_format(data_format)
        self.seed = _checks.seed_or_none(seed)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``input_shape``."""
        if len(input_shape) != self.axes:
            _checks.refuse("input_shape", f"of {self.axes} axes, one of them the channels'", input_shape)
        return input_shape

    def lower(self) -> list[Node]:
        """Return a dropout node, unless nothing is dropped."""
        shape = self.require_built()
        ones = (1,) * (self.axes - 1)
        mask = (0, shape[0], *ones) if self.data_format == "channels_first" else (0, *ones, shape[-1])
        return [DropoutNode(self.name, self.rate, self.seed, mask)] if self.rate else []


class SpatialDropout1D(SpatialDropout):
    """Dropout of whole channels of sequences (length, channels).

    Parameters
    ----------
    rate : float
        Share of the channels that are dropped, in [0, 1).
    seed : int, optional
        In [0, 2**64). Without one, the model's seed and the layer's place decide.
    data_format : str, optional
        ``"channels_last"`` or ``"channels_first"``.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    axes = 2

    def __init__(
        self, rate: float, seed: int | None = None, data_format: str | None = None, **options: Unpack[LayerOptions]
    ) -> None:
        super().__init__(rate, data_format, seed, **options)


class SpatialDropout2D(SpatialDropout):
    """Dropout of whole channels of images (height, width, channels).

    Parameters
    ----------
    rate : float
        Share of the channels that are dropped, in [0, 1).
    data_format : str, optional
        ``"channels_last"`` or ``"channels_first"``.
    seed : int, optional
        In [0, 2**64). Without one, the model's seed and the layer's place decide.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    axes = 3

    def __init__(
        self, rate: float, data_format: str | None = None, seed: int | None = None, **options: Unpack[LayerOptions]
    ) -> None:
        super().__init__(rate, data_format, seed, **options)


class SpatialDropout3D(SpatialDropout2D):
    """Dropout of whole channels of volumes (depth, height, width, channels); see :class:`SpatialDropout2D`."""

    axes = 4


def _noise_shape(value: object) -> tuple[int | None, ...] | None:
    if value is None:
        return None
    expectation = "a tuple of positive integers or None"
    if not isinstance(value, (tuple, list)):
        _checks.refuse("noise_shape", expectation, value)
    try:
        return tuple(None if extent is None else _checks.integer("noise_shape", extent, 1) for extent in value)
    except ValueError:
        _checks.refuse("noise_shape", expectation, value)


def mask_shape(noise_shape: tuple[int | None, ...] | None, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the shape of a mask over samples of ``shape`` as :class:`flyball.program.nodes.DropoutNode` takes it."""
    if noise_shape is None:
        return None
    fits = len(noise_shape) == len(shape) + 1 and noise_shape[0] in {None, 1}
    if not fits or any(e not in {None, 1, n} for e, n in zip(noise_shape[1:], shape, strict=True)):
        expectation = f"(None or 1, ...) with None, 1 or the extent for each axis of samples of shape {shape}"
        _checks.refuse("noise_shape", expectation, noise_shape)
    sample = tuple(n if e is None else e for e, n in zip(noise_shape[1:], shape, strict=True))
    if noise_shape[0] is None and sample == shape:
        return None
    return (noise_shape[0] or 0, *sample)
