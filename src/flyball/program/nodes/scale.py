"""Features in another unit: rescaled, or of mean 0 and variance 1 by statistics that are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flyball.program.nodes.base import Node, Weight

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.program.instructions import Buffer
    from flyball.program.lowering import Lowering

SMALLEST = 1e-30
"""Added to variances, so that a feature without any becomes 0, not nan; far below one that means something."""


@dataclass(eq=False)
class ScaleNode(Node):
    """``gamma * (x - mean) / sqrt(variance) + beta``, one of each for every index of the sample's ``axes``.

    The axes are those in ``range(*axes)``; of none of them there is one value for all. What is None is left out.
    With ``inverse`` ``x * sqrt(variance) + mean`` instead.
    """

    axes: tuple[int, int]
    mean: Weight | NDArray[np.float64] | None = None
    variance: Weight | NDArray[np.float64] | None = None
    gamma: NDArray[np.float64] | None = None
    beta: NDArray[np.float64] | None = None
    inverse: bool = False

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        del follower
        first = to.is_first()
        x = self._channels(to, to.value)
        to.value = to.batch(self.layer, to.value.sample_shape)
        y = self._channels(to, to.value)
        arrays = self._statistics(to, x.sample_shape[0])
        self._normalise(to, {"y": y, "x": x, **arrays})
        zeros = to.whole(f"{self.layer}.zeros", np.zeros(x.sample_shape[0], to.memory.dtype))

        def backward(dy: Buffer) -> Buffer | None:
            if first:
                return None
            dy = to.shaped(dy, y)
            self._normalise(to, {"y": dy, "x": dy, **arrays, "beta": None, "running_mean": zeros})
            return dy

        to.on_backward(backward)

    def _statistics(self, to: Lowering, channels: int) -> dict[str, Buffer | None]:
        """Return the operation's arrays of one value a channel."""
        zeros, ones = (
            to.whole(f"{self.layer}.{name}", np.full(channels, number, to.memory.dtype))
            for name, number in (("no_mean", 0.0), ("no_variance", 1.0))
        )
        mean = self._values(to, "mean", self.mean) or zeros
        variance = self._values(to, "variance", self.variance) or ones
        if not self.inverse:
            gamma, beta = self._values(to, "gamma", self.gamma), self._values(to, "beta", self.beta)
            return {"gamma": gamma, "beta": beta, "running_mean": mean, "running_var": variance}
        # sqrt(variance) is variance / sqrt(variance): the same operation, of a single row.
        deviation = to.whole(f"{self.layer}.deviation", np.zeros((1, channels), to.memory.dtype))
        row = to.whole(f"{self.layer}.variance_row", variance.array.reshape(1, -1))
        statistics = {"gamma": None, "beta": None, "running_mean": zeros, "running_var": variance}
        self._normalise(to, {"y": deviation, "x": row, **statistics})
        gamma = to.whole(f"{self.layer}.deviations", deviation.array.reshape(-1))
        return {"gamma": gamma, "beta": mean, "running_mean": zeros, "running_var": ones}

    def _normalise(self, to: Lowering, arrays: dict[str, Buffer | None]) -> None:
        to.add("batch_norm_inference", self.layer, arrays, epsilon=SMALLEST, activation="linear")

    def _values(self, to: Lowering, name: str, values: Weight | NDArray[np.float64] | None) -> Buffer | None:
        """Return the buffer of values, one for each channel."""
        if values is None or isinstance(values, Weight):
            weight = to.weight(values)
            return None if weight is None else to.view(weight, ()) if weight.sample_shape else weight
        return to.whole(f"{self.layer}.{name}", np.ascontiguousarray(values.reshape(-1), to.memory.dtype))

    def _channels(self, to: Lowering, value: Buffer) -> Buffer:
        """Return ``value`` as rows (channels,) or (channels, positions)."""
        begin, end = self.axes
        shape = value.sample_shape
        before, channels, after = (int(np.prod(part)) for part in (shape[:begin], shape[begin:end], shape[end:]))
        return to.view(value, (channels, after) if after > 1 else (channels,), before * value.rows_per_sample)
