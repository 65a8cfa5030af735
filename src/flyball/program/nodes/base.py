"""What all nodes are, and the weights they hold."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from flyball.program.instructions import Buffer
    from flyball.program.lowering import Lowering


class Projection(NamedTuple):
    """What happens to a weight after each step, seen as a matrix of ``rows`` rows: an operation, in place."""

    op: str
    scalars: dict[str, float | str]
    rows: int


class Orthogonality(NamedTuple):
    """What each pair of a matrix's rows, or ``columns``, adds to the loss: ``factor`` times its cosine's magnitude."""

    factor: float
    columns: bool


@dataclass(eq=False)
class Weight:
    """One array of a layer: a parameter, or a running statistic.

    ``initializer(shape, dtype, rng)`` makes its first value. ``value`` is a view into one of the model's flat arrays
    once the model is built. ``l1`` and ``l2`` are the penalty ``l1 * sum(|w|) + l2 / 2 * sum(w**2)``, whose gradient
    is ``l1 * sign(w) + l2 * w``. It is divided by the number of training samples where it is ``per_sample``; l1 is no
    gradient but a step by itself where it is ``proximal``. ``decays`` says whether an optimiser's weight decay applies;
    ``projection`` is its constraint; ``orthogonality`` another penalty.
    """

    name: str
    shape: tuple[int, ...]
    initializer: Callable[[tuple[int, ...], np.dtype[Any], np.random.Generator], NDArray[Any]]
    trainable: bool = True
    l1: float = 0.0
    l2: float = 0.0
    per_sample: bool = False
    proximal: bool = False
    decays: bool = True
    projection: Projection | None = None
    orthogonality: Orthogonality | None = None
    value: NDArray[Any] = field(default_factory=lambda: np.empty(0), repr=False)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(eq=False)
class Node(ABC):
    """One step of a network; ``layer`` names the layer it came from."""

    layer: str

    @property
    def training_only(self) -> bool:
        """Whether evaluation and prediction leave it out."""
        return False

    @property
    def augments(self) -> bool:
        """Whether it makes other samples of those given: what training alone does, to inputs that need no gradient."""
        return False

    @property
    def for_loss_only(self) -> bool:
        """Whether predictions leave it out: it adds to the loss, and hands on what it is given."""
        return False

    @property
    def needs_batch(self) -> bool:
        """Whether training takes more than one row at a time."""
        return False

    @abstractmethod
    def write(self, to: Lowering, follower: Node | None) -> None:
        """Write the forward instructions, which read ``to.value`` and set it, and hand over the backward ones.

        ``follower`` is the node after this one.
        """


def last_axes(to: Lowering, value: Buffer, count: int) -> Buffer:
    """Return ``value`` as a matrix whose columns are its last ``count`` axes."""
    shape = value.sample_shape
    outer, inner = shape[: len(shape) - count], shape[len(shape) - count :]
    return to.view(value, (math.prod(inner),), value.rows_per_sample * math.prod(outer))


def flat(to: Lowering, weight: Weight | None) -> Buffer | None:
    """Return the buffer of a weight as a vector."""
    buffer = to.weight(weight)
    return buffer if buffer is None else to.view(buffer, ())


def flat_gradient(to: Lowering, weight: Weight | None) -> Buffer | None:
    """Return the buffer of a weight's gradient as a vector, or None where it does not learn."""
    buffer = to.gradient(weight)
    return buffer if buffer is None else to.view(buffer, ())
