"""Normal noise on inputs and hidden features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from flyball import _checks
from flyball.layers.base import Layer, LayerOptions
from flyball.program.nodes import GaussianDropoutNode, GaussianNoiseNode

if TYPE_CHECKING:
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
