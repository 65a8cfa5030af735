"""Normalisation. The conventions are those of :mod:`flyball.backend`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flyball.backend.types import Bools, Doubles, Floats


class Norm(Protocol):
    """Normalisation."""

    def batch_norm_forward(
        self,
        y: Floats,
        mean: Doubles,
        rstd: Doubles,
        running_mean: Floats | None,
        running_var: Floats | None,
        x: Floats,
        gamma: Floats | None,
        beta: Floats | None,
        mask: Bools | None,
        momentum: float,
        epsilon: float,
        unbiased: bool,
        activation: str,
        rate: float,
    ) -> None:
        """Batch normalisation in training, with activation and dropout in the same pass.

        ``mean = mean(x, axis=0)``, ``var = mean((x - mean)**2, axis=0)``, ``rstd = 1 / sqrt(var + epsilon)``,
        ``z = gamma * (x - mean) * rstd + beta``, ``y = activation(z) * mask / keep`` (the last factor only where
        ``mask`` is given; ``keep`` is the exactly representable probability of :func:`keep_probability`).
        ``running = momentum * running + (1 - momentum) * batch``, with ``var * N / (N - 1)`` for the variance if
        ``unbiased``. ``x``, ``y``, ``mask`` (N, C), all others (C,); ``mean`` and ``rstd`` are float64 because a mean
        needs more digits than the values it is subtracted from. ``y`` may be ``x``. Ioffe and Szegedy 2015.
        """
        ...

    def batch_norm_backward(
        self,
        dx: Floats | None,
        dgamma: Floats | None,
        dbeta: Floats | None,
        dy: Floats,
        y: Floats,
        x: Floats,
        gamma: Floats | None,
        beta: Floats | None,
        mean: Doubles,
        rstd: Doubles,
        mask: Bools | None,
        activation: str,
        rate: float,
    ) -> None:
        """Gradients of :meth:`batch_norm_forward` given what it was given and what it returned.

        With ``xhat = (x - mean) * rstd`` and ``dz = dy * mask / keep * activation'(z)``: ``dgamma = sum(dz * xhat)``,
        ``dbeta = sum(dz)``, ``dx = gamma * rstd * (dz - dbeta / N - xhat * dgamma / N)``. ``y`` is read only where the
        activation is relu, where it says which units were active and kept. ``dx`` may be ``dy``.
        """
        ...

    def batch_norm_inference(
        self,
        y: Floats,
        x: Floats,
        gamma: Floats | None,
        beta: Floats | None,
        running_mean: Floats,
        running_var: Floats,
        epsilon: float,
        activation: str,
    ) -> None:
        """``y = activation(gamma * (x - running_mean) / sqrt(running_var + epsilon) + beta)``; ``y`` may be ``x``."""
        ...
