"""Dropout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.backend import keep_probability
from flyball.program.nodes.base import Node

if TYPE_CHECKING:
    from flyball.program.instructions import Buffer
    from flyball.program.lowering import Lowering


@dataclass(eq=False)
class DropoutNode(Node):
    """Dropout; ``seed`` None takes the model's.

    ``mask_shape`` is that of the mask of a batch: its first extent is 1 where all samples share one, else 0, its others
    are those of a sample, or 1 on axes along which one decision is for all. ``classic`` scales in inference instead of
    in training.
    """

    rate: float
    seed: int | None = None
    mask_shape: tuple[int, ...] | None = None
    classic: bool = False

    @property
    def training_only(self) -> bool:
        """See :class:`Node`."""
        return not self.classic

    @property
    def elementwise(self) -> bool:
        """Whether it is inverted dropout with a decision for each element."""
        return self.mask_shape is None and not self.classic

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        if not to.noisy:
            x = to.value
            to.value = to.batch(self.layer, x.sample_shape)
            to.add("dropout_inference", self.layer, {"y": to.value, "x": x}, rate=self.rate)
            return
        scale = 1.0 if self.classic else 1.0 / keep_probability(self.rate)
        x = to.value
        write_dropout(to, self, "dropout", {"scale": scale})
        if to.open_share(x) < 1.0:
            to.note_open(to.value, to.open_share(x) * (1.0 - self.rate))


@dataclass(eq=False)
class AlphaDropoutNode(Node):
    """Alpha dropout; ``seed`` and ``mask_shape`` as those of :class:`DropoutNode`."""

    rate: float
    seed: int | None = None
    mask_shape: tuple[int, ...] | None = None

    @property
    def training_only(self) -> bool:
        """See :class:`Node`."""
        return True

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        write_dropout(to, self, "alpha_dropout", {})


def write_dropout(to: Lowering, node: DropoutNode | AlphaDropoutNode, op: str, scalars: dict[str, Any]) -> None:
    """Write an operation that drops; the backward pass draws its mask again where it is as large as the samples."""
    x = to.value
    y = to.value = to.batch(node.layer, x.sample_shape)
    mask: Buffer | None
    if to.in_lane:  # whose columns no operation draws by the way
        mask = to.like(y, f"{node.layer}.mask", np.bool_)
        random = to.draw_mask(node.layer, mask, node.rate, node.seed)
    else:
        random, mask = to.random(node.seed), mask_buffer(to, node.layer, node.mask_shape)
    arrays: dict[str, Buffer | None] = {"y": y, "mask": mask, "x": x}
    to.add(f"{op}_forward", node.layer, arrays, rate=node.rate, **random, draw=not to.in_lane, **scalars)

    def backward(dy: Buffer) -> Buffer:
        dy = to.shaped(dy, y)
        to.add(f"{op}_backward", node.layer, {"dx": dy, "dy": dy, "mask": mask}, rate=node.rate, **random, **scalars)
        return dy

    to.on_backward(backward)


def mask_buffer(to: Lowering, layer: str, shape: tuple[int, ...] | None) -> Buffer | None:
    """Add a buffer for a mask of ``shape``, see :class:`DropoutNode`."""
    if shape is None:
        return None
    if shape[0] == 1:
        return to.whole(f"{layer}.mask", np.zeros(shape, np.bool_))
    return to.batch(f"{layer}.mask", shape[1:], np.bool_)
