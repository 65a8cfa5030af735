"""Other shapes of the same memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.program.nodes.base import Node

if TYPE_CHECKING:
    from flyball.program.lowering import Lowering


@dataclass(eq=False)
class ReshapeNode(Node):
    """Samples of another shape, in the same order of elements."""

    shape: tuple[int, ...]

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        to.value = to.view(to.value, self.shape)
