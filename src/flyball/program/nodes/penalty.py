"""Penalties of what layers put out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flyball.program.instructions import Dynamic
from flyball.program.nodes.base import Node

if TYPE_CHECKING:
    from flyball.program.instructions import Buffer
    from flyball.program.lowering import Lowering


@dataclass(eq=False)
class ActivityPenaltyNode(Node):
    """``l1 * sum(|x|) + l2 / 2 * sum(x**2)`` of a batch over its rows, added to the loss; x goes on as it is."""

    l1: float
    l2: float

    @property
    def for_loss_only(self) -> bool:
        """See :class:`Node`."""
        return True

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        x = to.value
        factors = {"l1": self.l1, "l2": self.l2}
        total = to.whole(f"total_activity.{self.layer}", np.zeros(1))
        to.add("activity_penalty", self.layer, {"total": total, "x": x}, **factors)

        def backward(dy: Buffer) -> Buffer:
            dy = to.shaped(dy, x)
            scalars = {**factors, "scale": Dynamic.INVERSE_ROWS}
            to.add("activity_penalty_backward", self.layer, {"dx": dy, "dy": dy, "x": x}, **scalars)
            return dy

        to.on_backward(backward)
