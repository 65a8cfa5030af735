"""Activations. The conventions are those of :mod:`flyball.backend`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from flyball.backend.types import Doubles, Floats


ACTIVATIONS: dict[str, Literal["nothing", "x", "y"]] = {
    "linear": "nothing",
    "relu": "y",
    "leaky_relu": "y",
    "relu6": "y",
    "elu": "y",
    "selu": "y",
    "gelu": "x",
    "gelu_tanh": "x",
    "sigmoid": "y",
    "hard_sigmoid": "y",
    "tanh": "y",
    "silu": "x",
    "softplus": "y",
    "softsign": "y",
    "exponential": "y",
    "mish": "x",
}
"""Activations by name, and what their derivatives are computed from: the input x, the output y or nothing.

What needs only y can work in place, and be part of the operation before it, whose result nobody has to keep.
"""

ALPHAS = {"leaky_relu": 0.2, "elu": 1.0}
"""Keras' value of ``alpha`` for the activations that have one."""


class Activations(Protocol):
    """Activations."""

    def activation_forward(self, y: Floats, x: Floats, activation: str, alpha: float) -> None:
        """``y = f(x)`` on each element of any shape; ``y`` may be ``x``.

        The functions are those of Keras 3, and their limits at ``-inf`` and ``inf``; ``nan`` stays ``nan``:

        ============== =====================================================================
        ``activation`` ``f(x)``
        ============== =====================================================================
        linear         ``x``
        relu           ``max(x, 0)``
        leaky_relu     ``x if x >= 0 else alpha * x``
        relu6          ``min(max(x, 0), 6)``
        elu            ``x if x > 0 else alpha * (exp(x) - 1)``
        selu           ``1.05070098735548 * (x if x > 0 else 1.67326324235438 * (exp(x) - 1))``
        gelu           ``x * (1 + erf(x / sqrt(2))) / 2``
        gelu_tanh      ``x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2``
        sigmoid        ``1 / (1 + exp(-x))``
        hard_sigmoid   ``min(max(x / 6 + 1 / 2, 0), 1)``
        tanh           ``tanh(x)``
        silu           ``x / (1 + exp(-x))``
        softplus       ``log(1 + exp(x))``
        softsign       ``x / (1 + abs(x))``
        exponential    ``exp(x)``
        mish           ``x * tanh(log(1 + exp(x)))``
        ============== =====================================================================

        ``alpha`` is not negative, and ignored where it does not appear.
        """
        ...

    def activation_backward(
        self, dx: Floats, dy: Floats, x: Floats | None, y: Floats | None, activation: str, alpha: float
    ) -> None:
        """``dx = dy * f'(x)`` from what :data:`ACTIVATIONS` says, ``x`` or ``y``; the other is ignored or None.

        Where a piecewise linear function has a corner, its derivative is the one below. ``relu``, ``relu6`` and
        ``hard_sigmoid`` select: where they are constant, or nan, ``dx`` is 0 whatever ``dy`` is. ``dx`` may be ``dy``.
        """
        ...

    def relu_forward(self, y: Floats, x: Floats, negative_slope: float, threshold: float, max_value: float) -> None:
        """``y = min(x, max_value) if x > threshold else negative_slope * (x - threshold)``; ``y`` may be ``x``.

        ``max_value`` may be infinite; where ``negative_slope`` is 0, so is what is below. ``nan`` stays ``nan``. Any
        shape. ``activation_forward`` has the frequent cases, which other operations include.
        """
        ...

    def relu_backward(
        self, dx: Floats, dy: Floats, x: Floats, negative_slope: float, threshold: float, max_value: float
    ) -> None:
        """``dx = dy * (x < max_value if x > threshold else negative_slope)`` from the input; ``dx`` may be ``dy``.

        It selects: where the function is constant, ``dx`` is 0 whatever ``dy`` is.
        """
        ...

    def prelu_forward(self, y: Floats, x: Floats, alpha: Floats) -> None:
        """``y = x if x > 0 else alpha * x``; ``x`` (N, C), ``alpha`` (C,), learned; ``y`` may be ``x``."""
        ...

    def prelu_backward(self, dx: Floats | None, dalpha: Floats | None, dy: Floats, x: Floats, alpha: Floats) -> None:
        """``dx = dy if x > 0 else alpha * dy`` and ``dalpha = sum(dy * min(x, 0))`` over N; ``dx`` may be ``dy``.

        The sum's order depends on the shape of x alone. Outputs that nobody asks for are None.
        """
        ...

    def softmax_forward(self, y: Floats, x: Floats) -> None:
        """``y = exp(x - max(x)) / sum(exp(x - max(x)))`` over the rows of (N, C); ``y`` may be ``x``."""
        ...

    def softmax_backward(self, dx: Floats, dy: Floats, y: Floats) -> None:
        """``dx = y * (dy - sum(dy * y))`` over the rows of (N, C); ``y`` is the output; ``dx`` may be ``dy``."""
        ...

    def log_softmax_forward(self, y: Floats, x: Floats) -> None:
        """``y = (x - max(x)) - log(sum(exp(x - max(x))))`` over the rows of (N, C); ``y`` may be ``x``."""
        ...

    def log_softmax_backward(self, dx: Floats, dy: Floats, y: Floats) -> None:
        """``dx = dy - exp(y) * sum(dy)`` over the rows of (N, C); ``y`` is the output; ``dx`` may be ``dy``."""
        ...

    def activity_penalty(self, total: Doubles, x: Floats, l1: float, l2: float) -> None:
        """Increase ``total[0]`` (shape (1,)) by ``sum(l1 * abs(x) + l2 / 2 * x**2)``, in float64; x of any shape.

        The sum's order depends on the size of x alone.
        """
        ...

    def activity_penalty_backward(self, dx: Floats, dy: Floats, x: Floats, l1: float, l2: float, scale: float) -> None:
        """``dx = dy + scale * (l1 * sign(x) + l2 * x)``; ``dx`` may be ``dy``."""
        ...
