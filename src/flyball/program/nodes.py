"""What layers lower to: nodes, each one forward step of a network and, in reverse, one backward step.

A layer returns its nodes unfused; :mod:`flyball.program.fusion` merges neighbours; :mod:`flyball.program.lowering`
turns nodes into the instructions of a Program.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Projection:
    """What happens to a weight after each step, seen as a matrix of ``rows`` rows: an operation, in place."""

    op: str
    scalars: dict[str, float | str]
    rows: int


@dataclass(eq=False)
class Weight:
    """One array of a layer: a parameter, or a running statistic.

    ``initializer(shape, dtype, rng)`` makes its first value. ``value`` is a view into one of the model's flat arrays
    once the model is built. ``l1`` and ``l2`` are the penalty ``l1 * sum(|w|) + l2 / 2 * sum(w**2)``, whose gradient
    is ``l1 * sign(w) + l2 * w``; ``decays`` says whether an optimiser's weight decay applies; ``projection`` is its
    constraint.
    """

    name: str
    shape: tuple[int, ...]
    initializer: Callable[[tuple[int, ...], np.dtype[Any], np.random.Generator], NDArray[Any]]
    trainable: bool = True
    l1: float = 0.0
    l2: float = 0.0
    decays: bool = True
    projection: Projection | None = None
    value: NDArray[Any] = field(default_factory=lambda: np.empty(0), repr=False)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(eq=False)
class Node:
    """One step of a network; ``layer`` names the layer it came from."""

    layer: str
    training_only: ClassVar[bool] = False
    """Whether evaluation and prediction leave it out."""


@dataclass(eq=False)
class DenseNode(Node):
    """``activation(x @ w + b)``."""

    w: Weight
    b: Weight | None = None
    activation: str = "linear"
    alpha: float = 0.0


@dataclass(eq=False)
class BatchNormNode(Node):
    """Batch normalisation, then ``activation``, then dropout at ``rate`` on ``stream``."""

    gamma: Weight | None
    beta: Weight | None
    running_mean: Weight
    running_var: Weight
    momentum: float
    epsilon: float
    activation: str = "linear"
    rate: float = 0.0
    seed: int | None = None


@dataclass(eq=False)
class ActivationNode(Node):
    """An activation on its own: one of :data:`flyball.backend.ACTIVATIONS`, ``softmax`` or ``log_softmax``."""

    activation: str
    alpha: float = 0.0


@dataclass(eq=False)
class DropoutNode(Node):
    """Inverted dropout; ``seed`` None takes the model's."""

    training_only = True

    rate: float
    seed: int | None = None
