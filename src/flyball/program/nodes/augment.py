"""Images moved and recoloured on their way into the network."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from flyball.backend.augment import AFFINE_RANGES, FILL_MODES
from flyball.program.nodes.base import Node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyball.program.instructions import Buffer
    from flyball.program.lowering import Lowering

IDENTITY = (0.0,) * (2 * len(AFFINE_RANGES) + 2)
"""Ranges of ``affine_matrices`` that move nothing: what two nodes that move differently add up from."""

PARTS = {
    "flip": slice(14, 16),
    "zoom": slice(6, 10),
    "shear": slice(10, 14),
    "rotation": slice(0, 2),
    "shift": slice(2, 6),
    "crop": slice(0, 0),
}
"""What ``affine_matrices`` does, in its order, with the columns of its ranges."""

WHOLE = {"flip", "crop"}
"""Parts that move whole pixels, so that nothing has to be interpolated."""


@dataclass(frozen=True)
class Ranges:
    """Ranges that amounts are drawn from, as the operations' rows of ``ranges``; some classes have their own."""

    usual: tuple[float, ...]
    of_class: Mapping[int, tuple[float, ...]] = field(default_factory=dict)

    def row(self, label: int) -> tuple[float, ...]:
        """Return the ranges of a class."""
        return self.of_class.get(label, self.usual)

    def rows(self) -> list[tuple[float, ...]]:
        """Return all rows, the usual one first."""
        return [self.usual, *self.of_class.values()]

    def added(self, other: Ranges) -> Ranges:
        """Return the ranges of both, column by column."""

        def total(one: tuple[float, ...], two: tuple[float, ...]) -> tuple[float, ...]:
            return tuple(a + b for a, b in zip(one, two, strict=True))

        classes = sorted({*self.of_class, *other.of_class})
        return Ranges(
            total(self.usual, other.usual), {label: total(self.row(label), other.row(label)) for label in classes}
        )

    def write(self, to: Lowering, layer: str) -> dict[str, Buffer | None]:
        """Write which row each sample has; return the operation's ``labels`` and ``ranges``."""
        ranges = to.whole(f"{layer}.ranges", np.array(self.rows()))
        if not self.of_class:
            return {"labels": None, "ranges": ranges}
        if not to.has_targets:
            msg = f"{layer}: policy needs the samples' labels, got samples alone"
            raise ValueError(msg)
        labels = to.target
        if labels.array.dtype != np.int64 or labels.sample_shape or to.mixed:
            found = "rows that a layer before it has mixed" if to.mixed else f"targets of shape {labels.sample_shape}"
            msg = f"{layer}: policy needs one integer label a sample, as a sparse categorical loss takes, got {found}"
            raise ValueError(msg)
        rows = to.batch(f"{layer}.rows", (), np.int64)
        table = to.whole(f"{layer}.rows_of_classes", np.zeros(1, np.int64))

        def tabulate(outputs: Buffer) -> None:
            classes = outputs.sample_shape[0]
            wrong = [label for label in self.of_class if label >= classes]
            if wrong:
                msg = f"{layer}: policy must name classes in [0, {classes}), got {wrong[0]}"
                raise ValueError(msg)
            # Classes without an entry share row 0, with a label that the loss ignores, one past the last.
            table.replace(np.zeros(classes + 1, np.int64))
            table.array[list(self.of_class)] = np.arange(1, len(self.of_class) + 1)

        to.on_outputs(tabulate)
        to.add("gather_labels", layer, {"out": rows, "labels": table, "rows": labels})
        return {"labels": rows, "ranges": ranges}


@dataclass(eq=False)
class AugmentNode(Node):
    """Base of the nodes that make other samples of those given; see :attr:`Node.augments`."""

    @property
    def training_only(self) -> bool:
        """See :class:`Node`."""
        return True

    @property
    def augments(self) -> bool:
        """See :class:`Node`."""
        return True

    def require_inputs(self, to: Lowering) -> None:
        """Refuse values that something before this node learns to make: nothing here passes a gradient on."""
        if not to.is_first():
            msg = f"{self.layer}: augmentation must come before the first layer that learns"
            raise ValueError(msg)


def extents(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return height, width and channels of images of ``shape``, (height, width) or (height, width, channels)."""
    height, width = shape[:2]
    return height, width, shape[2] if len(shape) == 3 else 1


def resample(
    to: Lowering, layer: str, matrices: Buffer, size: tuple[int, int], nearest: bool, fill_mode: str, fill_value: float
) -> None:
    """Write the images of ``to.value`` as ``matrices`` (rows, 6) move them into images of ``size``."""
    x = to.value
    height, width, channels = extents(x.sample_shape)
    to.value = to.batch(layer, (*size, *x.sample_shape[2:]))
    to.add(
        "affine_transform",
        layer,
        {"y": to.matrix_of_samples(to.value), "x": to.matrix_of_samples(x), "matrices": matrices},
        height=height,
        width=width,
        channels=channels,
        out_height=size[0],
        out_width=size[1],
        nearest=nearest,
        fill_mode=FILL_MODES.index(fill_mode),
        fill_value=fill_value,
    )


@dataclass(eq=False)
class ResampleNode(Node):
    """All images under one map from the output's rows and columns to the input's; edges go on as they end."""

    map: tuple[float, float, float, float, float, float]
    size: tuple[int, int]
    nearest: bool = False
    fill_mode: str = "nearest"
    fill_value: float = 0.0

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        if not to.is_first():
            msg = f"{self.layer}: images must be resized before the first layer that learns"
            raise ValueError(msg)
        matrices = to.batch(f"{self.layer}.maps", (6,), np.float64)
        matrices.array[:] = self.map  # for good: no instruction writes there
        resample(to, self.layer, matrices, self.size, self.nearest, self.fill_mode, self.fill_value)


@dataclass(eq=False)
class AffineNode(AugmentNode):
    """Images moved, each under a map that ``affine_matrices`` draws, and resampled once.

    With ``size`` there is a crop, in the middle where nothing is random; ``isotropic`` zooms the width as the height.
    """

    ranges: Ranges
    isotropic: bool = False
    size: tuple[int, int] | None = None
    padding: int = 0
    nearest: bool = False
    fill_mode: str = "reflect"
    fill_value: float = 0.0
    seed: int | None = None

    @property
    def training_only(self) -> bool:
        """See :class:`Node`."""
        return self.size is None

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        self.require_inputs(to)
        height, width, _ = extents(to.value.sample_shape)
        out_height, out_width = size = self.size or (height, width)
        matrices = to.batch(f"{self.layer}.maps", (6,), np.float64)
        if to.training and to.noisy:
            to.add(
                "affine_matrices",
                self.layer,
                {"matrices": matrices, **self.ranges.write(to, self.layer)},
                height=height,
                width=width,
                out_height=out_height,
                out_width=out_width,
                padding=self.padding,
                keep_aspect=self.isotropic,
                **to.random(self.seed),
            )
        else:
            matrices.array[:] = (1, 0, (height - out_height) // 2, 0, 1, (width - out_width) // 2)
        nearest = self.nearest or not self.parts - WHOLE
        fill_mode = self.fill_mode if self.shows_outside else "constant"  # the mode without a border to make
        resample(to, self.layer, matrices, size, nearest, fill_mode, self.fill_value)

    @property
    def parts(self) -> set[str]:
        """Which of :data:`PARTS` it does."""
        moved = {name for name, columns in PARTS.items() if any(any(row[columns]) for row in self.ranges.rows())}
        return moved if self.size is None else moved | {"crop"}

    @property
    def shows_outside(self) -> bool:
        """Whether it samples between pixels or beyond the edges."""
        return bool(self.parts - WHOLE) or self.padding > 0

    def then(self, second: AffineNode) -> AffineNode | None:
        """Return one node that draws the maps of this one and a second one, or None where there is none.

        The operation draws each part once and does them in the order of :data:`PARTS`; maps must be as likely as
        one after the other. Flips change places with what is as likely to either side, and with a crop; a zoom that
        keeps the aspect with rotation and shear.
        """
        outside = [(n.nearest, n.fill_mode, n.fill_value) for n in (self, second) if n.shows_outside]
        if len(set(outside)) > 1 or self.seed != second.seed:
            return None
        order = list(PARTS)
        for p in self.parts:
            for q in second.parts:
                swapped = (q == "flip" and p != "flip" and self._is_symmetric(p)) or (
                    q == "zoom" and second.isotropic and p in {"rotation", "shear"}
                )
                if order.index(p) >= order.index(q) and not swapped:
                    return None
        nearest, fill_mode, fill_value = outside[0] if outside else (False, "reflect", 0.0)
        return replace(
            second,
            ranges=self.ranges.added(second.ranges),
            isotropic=second.isotropic if "zoom" in second.parts else self.isotropic,
            size=second.size or self.size,
            padding=max(self.padding, second.padding),
            nearest=nearest,
            fill_mode=fill_mode,
            fill_value=fill_value,
        )

    def _is_symmetric(self, part: str) -> bool:
        if part in {"zoom", "crop"}:
            return True
        bounds = [row[PARTS[part]] for row in self.ranges.rows()]
        return all(low == -high for row in bounds for low, high in zip(row[::2], row[1::2], strict=True))


@dataclass(eq=False)
class PixelsNode(AugmentNode):
    """Brightness, contrast, saturation, gain of each channel, hue and greyness, drawn for each image.

    Results are clipped to [low, high].
    """

    ranges: Ranges
    low: float
    high: float
    seed: int | None = None

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        channels = extents(to.value.sample_shape)[2]
        self._recolour(to, "adjust_pixels", channels=channels)

    def _recolour(self, to: Lowering, op: str, **scalars: int) -> None:
        self.require_inputs(to)
        x = to.value
        to.value = to.batch(self.layer, x.sample_shape)
        arrays: dict[str, Buffer | None] = {"y": to.matrix_of_samples(to.value), "x": to.matrix_of_samples(x)}
        arrays |= self.ranges.write(to, self.layer)
        to.add(op, self.layer, arrays, **scalars, low=self.low, high=self.high, **to.random(self.seed))


@dataclass(eq=False)
class TonesNode(PixelsNode):
    """An addition, a threshold from which values are inverted, and bits to keep, drawn for each image."""

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        self._recolour(to, "adjust_tones")
