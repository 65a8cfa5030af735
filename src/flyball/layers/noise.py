"""Normal noise on inputs and hidden features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import numpy as np

from flyball import _checks
from flyball.layers.base import Layer, LayerOptions
from flyball.layers.images import value_bounds
from flyball.layers.preprocessing import broadcasts, numbers
from flyball.program.nodes import FeatureNoiseNode, GaussianDropoutNode, GaussianNoiseNode

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from flyball.program.nodes import Node


class GaussianNoise(Layer):
    """``x + stddev * n`` in training, n standard normal; the identity in inference.

    On inputs it is a penalty on the network's slopes: Bishop 1995. For noise on weights see ``kernel_noise`` of
    :class:`flyball.layers.Dense`.

    Parameters
    ----------
    stddev : float
        Standard deviation, not negative.
    seed : int, optional
        In [0, 2**64). Without one, the model's seed and the layer's place decide.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    def __init__(self, stddev: float, seed: int | None = None, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.stddev = _checks.number("stddev", stddev, "[0, inf)")
        self.seed = _checks.seed_or_none(seed)

    def lower(self) -> list[Node]:
        """Return a noise node, unless there is no noise."""
        return [GaussianNoiseNode(self.name, self.stddev, self.seed)] if self.stddev else []


class GaussianDropout(Layer):
    """``x * (1 + sqrt(rate / (1 - rate)) * n)`` in training, n standard normal; the identity in inference.

    The factor has the mean and the variance of :class:`flyball.layers.Dropout`'s. Srivastava et al. 2014, section 10.

    Parameters
    ----------
    rate : float
        In [0, 1).
    seed : int, optional
        In [0, 2**64). Without one, the model's seed and the layer's place decide.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    def __init__(self, rate: float, seed: int | None = None, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.rate = _checks.number("rate", rate, "[0, 1)")
        self.seed = _checks.seed_or_none(seed)

    def lower(self) -> list[Node]:
        """Return a node of Gaussian dropout, unless nothing is changed."""
        return [GaussianDropoutNode(self.name, self.rate, self.seed)] if self.rate else []


class FeatureNoise(Layer):
    """``clip(x + stddev * scale * n)`` in training, n standard normal: noise in the unit of each feature.

    For rows of tables whose columns differ in size, and for pixels, which have limits. Of inputs only: it stands in
    front of the first layer that learns. Evaluation and prediction take the samples as they are.

    Parameters
    ----------
    stddev : float
        Standard deviation in units of ``scale``, not negative.
    scale : float or array, optional
        Numbers that broadcast against the last axes of a sample, such as ``x_train.std(axis=0)``; 1 by default.
    value_range : (low, high), optional
        Limits of the result, none by default.
    seed : int, optional
        In [0, 2**64). Without one, the model's seed and the layer's place decide.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    _augments = True

    def __init__(
        self,
        stddev: float,
        scale: ArrayLike | None = None,
        value_range: tuple[float, float] | None = None,
        seed: int | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.stddev = _checks.number("stddev", stddev, "[0, inf)")
        self.scale = None if scale is None else numbers("scale", scale)
        self.value_range = None if value_range is None else value_bounds(value_range)
        self.seed = _checks.seed_or_none(seed)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``input_shape``; refuse one that ``scale`` does not broadcast against."""
        shape = np.shape(self.scale if self.scale is not None else 1.0)
        if not broadcasts(shape, input_shape[len(input_shape) - len(shape) :]):
            _checks.refuse("scale", f"a number or of a shape that broadcasts against {input_shape}", shape)
        return input_shape

    def lower(self) -> list[Node]:
        """Return a noise node, unless there is no noise."""
        if not self.stddev:
            return []
        scale = None if self.scale is None else np.broadcast_to(np.asarray(self.scale), self.require_built())
        return [FeatureNoiseNode(self.name, self.stddev, scale, self.value_range or (-np.inf, np.inf), self.seed)]
