"""Products of matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.program.instructions import aligned_empty
from flyball.program.nodes.activation import activation_backward
from flyball.program.nodes.base import Node
from flyball.program.nodes.norm import BatchNormNode

if TYPE_CHECKING:
    from flyball.program.instructions import Buffer
    from flyball.program.lowering import Lowering
    from flyball.program.nodes.base import Weight

GATED_SHARE = 0.4
GATED_UNITS = 32
"""From here on few enough elements of the input's gradient are asked for, each of enough products, to skip others."""


@dataclass(eq=False)
class DenseNode(Node):
    """``activation(x @ w + b)`` over the last axis, in inference with batch normalisation before the activation.

    In training w has normal noise of standard deviation ``noise``.
    """

    w: Weight
    b: Weight | None = None
    activation: str = "linear"
    alpha: float = 0.0
    norm: BatchNormNode | None = None
    noise: float = 0.0

    def write(self, to: Lowering, follower: Node | None) -> None:
        """See :meth:`Node.write`."""
        first = to.is_first(self.w, self.b)
        idle_bias = self.has_idle_bias(follower)
        x, w, b = to.matrix(to.value), self._kernel(to), to.weight(self.b)
        shape = (*to.value.sample_shape[:-1], *w.sample_shape)
        to.value = to.batch(self.layer, shape)
        y = to.matrix(to.value)
        if self.norm is not None:
            arrays = {"y": y, "x": x, "w": w, "b": b, **self.norm.running(to)}
            to.add("dense_batch_norm_inference", self.layer, arrays, epsilon=self.norm.epsilon, **self.kind)
            return
        to.add("dense_forward", self.layer, {"y": y, "x": x, "w": w, "b": b, "added": None}, **self.kind)
        gated = self.is_gated(to, x)
        if self.activation == "relu":
            to.note_open(y, 0.5)

        def backward(dy: Buffer) -> Buffer | None:
            dy = to.shaped(dy, y)
            if self.activation != "linear":
                activation_backward(to, self.layer, dy, None, y, **self.kind)
            dx = None if first else to.gradient_like(x)
            dw, db = to.gradient(self.w), None if idle_bias else to.gradient(self.b)
            arrays = {"dx": dx, "dw": dw, "db": db, "dy": dy, "x": x, "w": w}
            to.add("dense_backward", self.layer, arrays, gated=gated)
            return dx

        to.on_backward(backward)

    def _kernel(self, to: Lowering) -> Buffer:
        w = to.part(self.w)
        if self.noise == 0.0 or not to.noisy:
            return w
        noisy = to.whole(f"{self.w.name}.noisy", aligned_empty(self.w.shape, to.memory.dtype))
        to.add("gaussian_noise_forward", self.layer, {"y": noisy, "x": w}, std=self.noise, **to.random(None))
        return noisy

    @property
    def kind(self) -> dict[str, str | float]:
        """The activation as operations take it."""
        return {"activation": self.activation, "alpha": self.alpha}

    def has_idle_bias(self, follower: Node | None) -> bool:
        """Whether the bias has no effect.

        Batch statistics take away whatever it adds: its gradient is zero, and computed it would be rounding noise,
        which Adam scales up to whole steps.
        """
        return isinstance(follower, BatchNormNode) and follower.centres_columns and self.activation == "linear"

    def is_gated(self, to: Lowering, x: Buffer) -> bool:
        """Whether the gradient of the input ``x`` is better computed only where it is asked for."""
        return to.open_share(x) <= GATED_SHARE and self.w.shape[1] >= GATED_UNITS
