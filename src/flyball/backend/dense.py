"""Products of matrices. The conventions are those of :mod:`flyball.backend`, but for strides.

Matrices that are read (``a``, ``b``, ``x``, ``w``, ``dy``) may have any strides, negative and zero ones included, as
long as their elements are aligned. Outputs and biases are C-contiguous.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flyball.backend.types import Floats


class Dense(Protocol):
    """Products of matrices."""

    def matmul(
        self,
        c: Floats,
        a: Floats,
        b: Floats,
        bias: Floats | None,
        transpose_a: bool,
        transpose_b: bool,
        activation: str,
        alpha: float,
    ) -> None:
        """``c = activation(op(a) @ op(b) + bias)``; ``op`` transposes on request.

        ``activation`` and ``alpha`` are those of ``activation_forward``.

        Shapes: ``op(a)`` (M, K), ``op(b)`` (K, N), ``c`` (M, N), ``bias`` (N,). Each element of ``c`` is one chain of
        multiply-adds in the order of K, whatever the number of threads.
        """
        ...

    def dense_forward(
        self, y: Floats, x: Floats, w: Floats, b: Floats | None, added: Floats | None, activation: str, alpha: float
    ) -> None:
        """``y = activation(x @ w + b + added)``; ``x`` (N, K), ``w`` (K, C), ``b`` (C,), ``added`` and ``y`` (N, C)."""
        ...

    def dense_batch_norm_inference(
        self,
        y: Floats,
        x: Floats,
        w: Floats,
        b: Floats | None,
        gamma: Floats | None,
        beta: Floats | None,
        running_mean: Floats,
        running_var: Floats,
        epsilon: float,
        activation: str,
        alpha: float,
    ) -> None:
        """``y = activation(gamma * (x @ w + b - running_mean) / sqrt(running_var + epsilon) + beta)`` in one pass.

        ``dense_forward`` and ``batch_norm_inference`` at once: the normalisation becomes a factor and a summand of
        the product's columns. Shapes are theirs, and ``activation`` is any that ``dense_forward`` takes.
        """
        ...

    def dense_backward(
        self, dx: Floats | None, dw: Floats | None, db: Floats | None, dy: Floats, x: Floats, w: Floats, gated: bool
    ) -> None:
        """``dx = dy @ w.T``, ``dw = x.T @ dy``, ``db = sum(dy, axis=0)``; an output that is None is not computed.

        The rows of ``dw`` may lie any distance apart.
        ``gated``, ``dx`` is 0 where ``x`` is: what the ReLU that ``x`` comes from makes of the gradient.
        """
        ...
