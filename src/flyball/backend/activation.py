"""Activations. The conventions are those of :mod:`flyball.backend`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flyball.backend.types import Floats


class Activations(Protocol):
    """Activations."""

    def relu_forward(self, y: Floats, x: Floats) -> None:
        """``y = max(x, 0)``; any shape; ``nan`` stays ``nan``; ``y`` may be ``x``."""
        ...

    def relu_backward(self, dx: Floats, dy: Floats, y: Floats) -> None:
        """``dx = dy where y > 0 else 0``; ``y`` is the output (or input) of relu; ``dx`` may be ``dy``."""
        ...

    def softmax_forward(self, y: Floats, x: Floats) -> None:
        """``y = exp(x - max(x)) / sum(exp(x - max(x)))`` over the rows of (N, C); ``y`` may be ``x``."""
        ...

    def softmax_backward(self, dx: Floats, dy: Floats, y: Floats) -> None:
        """``dx = y * (dy - sum(dy * y))`` over the rows of (N, C); ``y`` is the output; ``dx`` may be ``dy``."""
        ...
