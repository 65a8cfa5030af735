"""What a Program is asked for: of which arrays, which loss, which update."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Objective:
    """What a step's end computes.

    ``op`` is an operation of the losses, ``fused`` the activation it includes; ``scalars`` are the operation's before
    ``scale``, by name and in its order, a function being one of the number of outputs.
    """

    op: str
    target_name: str
    fused: str = "linear"
    counts_hits: bool = False
    unit: bool = False
    """Whether it is of outputs that are scaled to the length 1 first."""
    by_position: bool = False
    """Whether each vector along the outputs' last axis has a loss of its own, not each sample."""
    ignores: bool = False
    """Whether labels that are as large as the number of classes do not count."""
    divisor: int = 0
    """How the losses of a batch are joined: see ``loss_weights``."""
    scalars: tuple[tuple[str, float | str | Callable[[int], float]], ...] = ()

    def of_outputs(self, outputs: int) -> Objective:
        """Return what it is for so many outputs: with numbers in the place of functions."""
        scalars = ((name, value(outputs) if callable(value) else value) for name, value in self.scalars)
        return replace(self, scalars=tuple(scalars))


@dataclass(frozen=True)
class Update:
    """What an optimiser asks for: the operation, its state arrays and its scalars; see the Protocol's updates."""

    op: str
    slots: tuple[str, ...]
    scalars: dict[str, Any]
    initial: float = 0.0
    """First value of the state."""
    max_norm: float | None = None
    """Largest norm of the gradient, of each parameter array or of all together."""
    max_norm_is_global: bool = False
    decays_all: bool = False
    """Whether weights that are spared from decay otherwise, biases for one, are decayed as well."""
    average_decay: float | None = None
    """Decay of the moving average of the parameters, in the slot ``average``."""
    overwrite_period: int | None = None
    """Each so many updates the average takes the parameters' place."""
    steps: int = 1
    """Of which the mean gradient is taken, those so far being summed in the slot ``accumulated``."""


class Data(NamedTuple):
    """The arrays a Program reads: samples (n, ...), targets (n,) or (n, ...), the order (n,) in which rows are taken.

    Without an order rows are taken as they come. ``weights`` (n,) are the rows' factors in the loss, or (n, positions)
    those of the vectors along the outputs' last axis.
    """

    x: NDArray[Any]
    y: NDArray[Any] | None = None
    order: NDArray[np.int64] | None = None
    weights: NDArray[Any] | None = None
