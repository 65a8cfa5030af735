"""Samples changed by other samples, or in part: erased and pasted rectangles, mixed rows, swapped features.

All act in training only, in front of the first layer that learns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from flyball import _checks
from flyball.layers.base import Layer, LayerOptions
from flyball.layers.images import ImageLayer, factor_range, value_bounds
from flyball.program.nodes import BoxNode, MixNode, SwapNode

if TYPE_CHECKING:
    from flyball.layers.images import Factor
    from flyball.program.nodes import Node


class RandomErasing(ImageLayer):
    """A rectangle of an image becomes noise, or a constant (random erasing, cut-out).

    Parameters
    ----------
    factor : float or (lower, upper), in [0, 1]
        Probability that an image has a rectangle; of a pair it is their mean, what Keras' two draws amount to.
    scale : float or (lower, upper), in [0, 1]
        Share of the image, drawn uniformly; a number stands for (0, scale).
    fill_value : float, optional
        Value of the erased pixels. Without one they are normal noise of mean 0 and standard deviation ``|high|``. Both
        are clipped to ``value_range``.
    value_range : (low, high)
        Values that pixels may have.
    seed : int, optional
        In [0, 2**64). Without one, the model's seed and the layer's place decide.
    data_format : {None, "channels_last", "channels_first"}
        Images are (height, width), or (height, width, channels), or (channels, height, width) with channels first.
    aspect : float, at least 1
        The sides' ratio, relative to the image's, is between ``1 / aspect`` and ``aspect``. 1 keeps the image's.
    **options
        ``name``, ``trainable``, ``input_shape``, ``input_dim``.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.

    References
    ----------
    DeVries and Taylor, "Cutout", 2017. Zhong et al., "Random erasing data augmentation", 2020.
    """

    _augments = True

    def __init__(
        self,
        factor: Factor = 1.0,
        scale: Factor = (0.02, 0.33),
        fill_value: float | None = None,
        value_range: tuple[float, float] = (0.0, 255.0),
        seed: int | None = None,
        data_format: str | None = None,
        *,
        aspect: float = 1.0 / 0.3,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(data_format, **options)
        self.factor = factor
        self.scale = scale
        self.fill_value = None if fill_value is None else _checks.number("fill_value", fill_value)
        self.value_range = value_bounds(value_range)
        self.seed = _checks.seed_or_none(seed)
        self.aspect = _checks.number("aspect", aspect, "[1, inf)")
        lower, upper = factor_range("factor", factor, 0.0, 1.0)
        self._probability = upper if lower < 0.0 else (lower + upper) / 2.0
        low, high = factor_range("scale", scale, 0.0, 1.0)
        self._shares = max(low, 0.0), high

    def image_nodes(self, shape: tuple[int, ...]) -> list[Node]:
        """Return a node, unless nothing is erased."""
        del shape
        low, high = self.value_range
        node = BoxNode(
            self.name,
            probability=self._probability,
            scale=self._shares,
            aspect=self.aspect,
            fill_value=min(max(self.fill_value or 0.0, low), high),
            noise=(low, high) if self.fill_value is None else None,
            seed=self.seed,
        )
        return [node] if self._probability > 0.0 and self._shares[1] > 0.0 else []


class MixUp(Layer):
    """Each sample a mean of itself and another of the batch, and so its target.

    ``w * x[n] + (1 - w) * x[partner]`` with w from Beta(alpha, alpha), for images, rows of tables, and anything else
    of which a mean makes sense. Targets are mixed by the same w: integer labels become rows of probabilities, so that
    a cross-entropy is w times that of the one label and 1 - w times that of the other. ``accuracy`` then counts where
    the prediction is the class of the larger share; metrics that are no mean of the step's losses or hits, such as
    AUC, see the samples' own targets.

    Parameters
    ----------
    alpha : float above 0
        The smaller, the closer w is to 0 or 1; 1 makes it uniform.
    data_format : {None, "channels_last", "channels_first"}
        Makes no difference here.
    seed : int, optional
        In [0, 2**64). Without one, the model's seed and the layer's place decide.
    **options
        ``name``, ``trainable``, ``input_shape``, ``input_dim``.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.

    References
    ----------
    Zhang et al., "mixup: beyond empirical risk minimization", 2018.
    """

    _augments = True

    def __init__(
        self,
        alpha: float = 0.2,
        data_format: str | None = None,
        seed: int | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.alpha = _checks.number("alpha", alpha, "(0, inf)")
        self.data_format = (
            None
            if data_format is None
            else _checks.choice("data_format", data_format, ("channels_last", "channels_first"))
        )
        self.seed = _checks.seed_or_none(seed)

    def lower(self) -> list[Node]:
        """Return a node."""
        return [MixNode(self.name, self.alpha, self.seed)]


class CutMix(ImageLayer):
    """A rectangle of another image of the batch pasted into each, and targets mixed by the shares of pixels.

    The rectangle has the image's aspect; its share of the image is ``1 - w`` with w from Beta(factor, factor), rounded
    to whole pixels. Targets are treated as by :class:`MixUp`.

    Parameters
    ----------
    factor : float in (0, 1]
        Of the distribution: 1 makes shares uniform, as in the paper. (Keras draws it below ``factor``, once a batch.)
    seed : int, optional
        In [0, 2**64). Without one, the model's seed and the layer's place decide.
    data_format : {None, "channels_last", "channels_first"}
        Images are (height, width), or (height, width, channels), or (channels, height, width) with channels first.
    **options
        ``name``, ``trainable``, ``input_shape``, ``input_dim``.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.

    References
    ----------
    Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable features", 2019.
    """

    _augments = True

    def __init__(
        self,
        factor: float = 1.0,
        seed: int | None = None,
        data_format: str | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(data_format, **options)
        self.factor = _checks.number("factor", factor, "(0, 1]")
        self.seed = _checks.seed_or_none(seed)

    def image_nodes(self, shape: tuple[int, ...]) -> list[Node]:
        """Return a node."""
        del shape
        return [BoxNode(self.name, alpha=self.factor, pasted=True, seed=self.seed)]


class SwapNoise(Layer):
    """Features replaced by those of another sample of the batch (swap noise), or by a constant (mask-out).

    Each feature of each sample is replaced with probability ``rate``. A replaced one has a value that this feature
    really takes, whatever its distribution: noise for rows of tables, with columns of any kind.

    Parameters
    ----------
    rate : float in [0, 1)
        Share of the features that are replaced.
    fill_value : float, optional
        Constant to put there; by default each sample has a partner, a drawn permutation of the batch.
    seed : int, optional
        In [0, 2**64). Without one, the model's seed and the layer's place decide.
    **options
        ``name``, ``trainable``, ``input_shape``, ``input_dim``.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    _augments = True

    def __init__(
        self,
        rate: float,
        fill_value: float | None = None,
        seed: int | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.rate = _checks.number("rate", rate, "[0, 1)")
        self.fill_value = None if fill_value is None else _checks.number("fill_value", fill_value)
        self.seed = _checks.seed_or_none(seed)

    def lower(self) -> list[Node]:
        """Return a node, unless nothing is replaced."""
        return [SwapNode(self.name, self.rate, self.fill_value, self.seed)] if self.rate else []
