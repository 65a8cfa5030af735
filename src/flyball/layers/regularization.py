"""Layers that act in training only: dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from flyball import _checks
from flyball.layers.base import Layer, LayerOptions
from flyball.program.nodes import DropoutNode

if TYPE_CHECKING:
    from flyball.program.nodes import Node


class Dropout(Layer):
    """Inverted dropout: in training zero with probability ``rate``, else ``x / (1 - rate)``; else the identity.

    The probability is met as the nearest multiple of 2**-16, and the factor uses the one that is met. Srivastava et al.
    2014.

    Parameters
    ----------
    rate : float
        In [0, 1).
    seed : int, optional
        In [0, 2**64). Without one, the model's seed and the layer's place decide.
    **options
        ``name``, ``trainable``, ``input_shape``, ``input_dim``.
    """

    def __init__(self, rate: float, *, seed: int | None = None, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.rate = _checks.number("rate", rate, "[0, 1)")
        self.seed = None if seed is None else _checks.integer("seed", seed)
        if self.seed is not None and self.seed >= 2**64:
            _checks.refuse("seed", "in [0, 2**64)", seed)

    def lower(self) -> list[Node]:
        """Return a dropout node, unless nothing is dropped."""
        return [DropoutNode(self.name, self.rate, self.seed)] if self.rate else []
