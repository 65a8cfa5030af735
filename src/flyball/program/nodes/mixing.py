"""Samples changed by other samples, or in part: rectangles erased or pasted, rows mixed, features swapped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flyball.program.nodes.augment import AugmentNode, extents
from flyball.program.nodes.noise import standard_normal
from flyball.program.targets import Mixture

if TYPE_CHECKING:
    from flyball.program.instructions import Buffer
    from flyball.program.lowering import Lowering
    from flyball.program.nodes.base import Node


@dataclass(eq=False)
class BoxNode(AugmentNode):
    """A rectangle of each image erased, or with ``pasted`` another image's in its place; see ``cut_boxes``.

    With ``noise`` (low, high) it becomes normal noise of standard deviation ``|high|``, clipped to that range.
    """

    probability: float = 1.0
    alpha: float = 0.0
    scale: tuple[float, float] = (0.0, 0.0)
    aspect: float = 1.0
    fill_value: float = 0.0
    noise: tuple[float, float] | None = None
    pasted: bool = False
    seed: int | None = None

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        self.require_inputs(to)
        x = to.value
        height, width, channels = extents(x.sample_shape)
        random = to.random(self.seed)
        boxes = to.batch(f"{self.layer}.boxes", (4,), np.int64)
        weights = to.batch(f"{self.layer}.weights", (), np.float64)
        to.add(
            "cut_boxes",
            self.layer,
            {"boxes": boxes, "weights": weights},
            height=height,
            width=width,
            probability=self.probability,
            alpha=self.alpha,
            low=self.scale[0],
            high=self.scale[1],
            aspect=self.aspect,
            **random,
        )
        partners = None
        if self.pasted:
            partners = draw_partners(to, self.layer, random)
            to.mix(Mixture(self.layer, partners, weights))
        to.value = to.batch(self.layer, x.sample_shape)
        y, x = to.matrix_of_samples(to.value), to.matrix_of_samples(x)
        filling = None if self.noise is None else self._filling(to, x, *self.noise)
        to.add(
            "paste_boxes",
            self.layer,
            {"y": y, "x": x, "boxes": boxes, "partners": partners, "filling": filling},
            height=height,
            width=width,
            channels=channels,
            fill_value=self.fill_value,
        )

    def _filling(self, to: Lowering, x: Buffer, low: float, high: float) -> Buffer:
        """Write noise for all pixels of ``x``."""
        zeros, noise = standard_normal(to, self.layer, x, self.seed)
        filling = to.like(x, f"{self.layer}.filling")
        arrays: dict[str, Buffer | None] = {"y": filling, "x": zeros, "noise": noise, "scale": None}
        to.add("add_noise", self.layer, arrays, deviation=abs(high), low=low, high=high)
        return filling


@dataclass(eq=False)
class MixNode(AugmentNode):
    """Each row a mean of itself and another, weighted by Beta(alpha, alpha), and so its target."""

    alpha: float
    seed: int | None = None

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        self.require_inputs(to)
        x, random = to.value, to.random(self.seed)
        weights = to.batch(f"{self.layer}.weights", (), np.float64)
        to.add("mix_weights", self.layer, {"weights": weights}, alpha=self.alpha, **random)
        partners = draw_partners(to, self.layer, random)
        to.mix(Mixture(self.layer, partners, weights))
        to.value = to.batch(self.layer, x.sample_shape)
        y, x = to.matrix_of_samples(to.value), to.matrix_of_samples(x)
        to.add("mix_rows", self.layer, {"y": y, "x": x, "partners": partners, "weights": weights})


@dataclass(eq=False)
class SwapNode(AugmentNode):
    """Features replaced, with probability ``rate``, by another row's, or by ``fill_value``."""

    rate: float
    fill_value: float | None = None
    seed: int | None = None

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        self.require_inputs(to)
        x = to.matrix_of_samples(to.value)
        mask = to.like(x, f"{self.layer}.mask", np.bool_)
        to.add("dropout_mask", self.layer, {"mask": mask}, rate=self.rate, **to.random(self.seed))
        partners = draw_partners(to, self.layer, to.random(self.seed)) if self.fill_value is None else None
        to.value = to.batch(self.layer, to.value.sample_shape)
        arrays = {"y": to.matrix_of_samples(to.value), "x": x, "mask": mask, "partners": partners}
        to.add("swap_features", self.layer, arrays, fill_value=self.fill_value or 0.0)


def draw_partners(to: Lowering, layer: str, random: dict[str, Any]) -> Buffer:
    """Write a drawn permutation of the step's rows."""
    partners = to.batch(f"{layer}.partners", (), np.int64)
    to.add("partner_rows", layer, {"partners": partners}, **random)
    return partners
