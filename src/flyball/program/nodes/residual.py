"""Residual connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flyball.backend import keep_probability
from flyball.program.nodes.base import Node
from flyball.program.nodes.dropout import mask_buffer

if TYPE_CHECKING:
    from flyball.program.instructions import Buffer
    from flyball.program.lowering import Lowering


@dataclass(eq=False)
class ResidualNode(Node):
    """``y = skip(x) + branch(x)``; in training each sample's branch is dropped with probability ``rate``.

    ``branch`` and ``skip`` are nodes as layers return them, unfused; without any, skip is the identity.
    """

    branch: list[Node]
    skip: list[Node] = field(default_factory=list)
    rate: float = 0.0
    seed: int | None = None

    @property
    def needs_batch(self) -> bool:
        """See :class:`Node`."""
        return any(node.needs_batch for node in (*self.branch, *self.skip))

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        x, first, noted = to.value, to.is_first(), to.pending
        to.write(to.fused(self.branch))
        branch, to.value, noted_with_branch = to.value, x, to.pending
        to.write(to.fused(self.skip))
        skip = to.matrix_of_samples(to.value)
        drops = self.rate > 0.0 and to.noisy
        # One decision for each sample: (rows, 1) over (rows, elements), and (rows,) where rows are added.
        mask = mask_buffer(to, self.layer, (0, 1)) if drops else None
        random, scale = {}, 1.0
        if mask is not None:
            random, scale = to.random(self.seed), 1.0 / keep_probability(self.rate)
            to.add("dropout_mask", self.layer, {"mask": mask}, rate=self.rate, **random)
        kept = None if mask is None else to.view(mask, ())
        to.value = to.batch(self.layer, branch.sample_shape)
        y = to.matrix_of_samples(to.value)
        arrays = {"y": y, "x": skip, "branch": to.matrix_of_samples(branch), "mask": kept}
        to.add("add_branch", self.layer, arrays, scale=scale)

        def backward(dy: Buffer) -> Buffer | None:
            # Both ways may change their gradient in place.
            dy = to.shaped(dy, y)
            dbranch = to.gradient_like(y)
            if mask is None:
                to.copy(dbranch, dy, self.layer)
            else:
                scalars = {"rate": self.rate, **random, "scale": scale}
                to.add("dropout_backward", self.layer, {"dx": dbranch, "dy": dy, "mask": mask}, **scalars)
            dx_of_skip = to.backward(dy, noted_with_branch)
            dx_of_branch = to.backward(dbranch, noted)
            if first or dx_of_skip is None or dx_of_branch is None:
                return None
            dx = to.matrix_of_samples(to.shaped(dx_of_skip, x))
            added = to.shaped(dx_of_branch, dx)
            to.add("add_branch", self.layer, {"y": dx, "x": dx, "branch": added, "mask": None}, scale=1.0)
            return dx

        to.on_backward(backward)
