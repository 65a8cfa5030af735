"""What happens to weights and gradients around a step. The conventions are those of :mod:`flyball.backend`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flyball.backend.types import Doubles, Floats


class Weights(Protocol):
    """What happens to weights and gradients around a step: norms, constraints, sums and averages."""

    def squared_norm(self, total: Doubles, g: Floats, w: Floats | None, l1: float, l2: float) -> None:
        """Increase ``total[0]`` (shape (1,)) by ``sum((g + l1 * sign(w) + l2 * w)**2)``, in float64; g, w (n,).

        Without ``w`` it is ``sum(g**2)``. The sum's order depends on n alone.
        """
        ...

    def clip_scale(self, scale: Doubles, total: Doubles, max_norm: float) -> None:
        """``scale[0] = min(1, max_norm / sqrt(total[0]))``; then ``total[0] = 0``, for the next step's sums.

        What updates take as ``gradient_scale``. nan stays nan.
        """
        ...

    def orthogonal_penalty(self, penalty: Doubles, dw: Floats | None, w: Floats, factor: float, columns: bool) -> None:
        """``penalty[0] += factor * sum(abs(v_i . v_j), i < j)``, and its gradient by w is added to ``dw``; both (N, C).

        v are the rows of w, or its ``columns``, divided by their lengths; one of length 0 stays so, without a gradient.
        ``penalty`` is (1,), float64. With g the sum of ``sign(v_i . v_j) * v_j`` over j, that by the row ``w_i`` is
        ``factor * (g_i - (g_i . v_i) * v_i) / |w_i|``.
        """
        ...

    def constrain_norm(self, w: Floats, min_value: float, max_value: float, rate: float) -> None:
        """Move the norm of each column of w (K, C), in place, by ``rate`` of the way into [min_value, max_value].

        ``norm = sqrt(sum(w**2, axis=0))``; ``w *= 1 + rate * (clip(norm, min_value, max_value) / norm - 1)``. A column
        whose norm is inside, or zero, stays as it is. (Keras divides by ``norm + 1e-7``, and so shrinks every column
        a little in every step.)
        """
        ...

    def accumulate(self, y: Floats, x: Floats, keep: float, scale: float) -> None:
        """``y = keep * y + scale * x``; with ``keep = 0`` y is not read.

        y and x are (n,), or (n, c) with rows any distance apart.
        """
        ...

    def average_update(self, average: Floats, w: Floats, decay: float, step: int) -> None:
        """``average = decay * average + (1 - decay) * w``, of average and w (n,); at step 1 ``average = w``.

        The exponential moving average of weights, as Keras starts it. ``decay = n / (n + 1)`` makes the mean of n + 1
        weights (stochastic weight averaging, Izmailov et al. 2018).
        """
        ...
