"""Normalisation. The conventions are those of :mod:`flyball.backend`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flyball.backend.types import Bools, Doubles, Floats, Integers


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

        Images with channels first are (N, C, S), S the product of their extents: a channel's statistics are then over
        N and S, and where a formula says N it is N * S. With channels last they are (N * S, C). The other operations
        of batch normalisation take the same shapes.
        """
        ...

    def batch_norm_backward(
        self,
        dx: Floats | None,
        dgamma: Floats | None,
        dbeta: Floats | None,
        dy: Floats,
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
        ``dbeta = sum(dz)``, ``dx = gamma * rstd * (dz - dbeta / N - xhat * dgamma / N)``. ``z`` is found again from
        ``x``, which is quicker than to read ``y``. ``dx`` may be ``dy``, and the rows of a matrix ``dx`` may lie any
        distance apart.
        """
        ...

    def ghost_batch_norm_forward(
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
        group: int,
        momentum: float,
        epsilon: float,
        unbiased: bool,
        activation: str,
        rate: float,
    ) -> None:
        """:meth:`batch_norm_forward` of so many rows of ``x`` after each other as ``group`` says, at least 1.

        Each group has a row of ``mean`` and ``rstd`` (G, C), which may have more than there are groups; the last group
        has the rows that remain, too, and where there are fewer than ``group``, they are one. Running statistics take
        in one group after the other. Hoffer, Hubara and Soudry 2017.
        """
        ...

    def ghost_batch_norm_backward(
        self,
        dx: Floats | None,
        dgamma: Floats | None,
        dbeta: Floats | None,
        dy: Floats,
        x: Floats,
        gamma: Floats | None,
        beta: Floats | None,
        mean: Doubles,
        rstd: Doubles,
        mask: Bools | None,
        group: int,
        activation: str,
        rate: float,
    ) -> None:
        """Gradients of :meth:`ghost_batch_norm_forward`: each group's are those of :meth:`batch_norm_backward`.

        ``dgamma`` and ``dbeta`` are their sums. ``dx`` may be ``dy``.
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

    def batch_norm_moments(self, mean: Doubles, m2: Doubles, x: Floats) -> None:
        """First step of :meth:`batch_norm_forward`: ``mean = mean(x)``, ``m2 = sum((x - mean)**2)`` of each channel."""
        ...

    def combine_moments(self, mean: Doubles, m2: Doubles, means: Doubles, m2s: Doubles, counts: Integers) -> None:
        """Moments of all values from those of P parts, ``means`` and ``m2s`` (P, C) of ``counts`` (P,) values each.

        Part after part: ``delta = means[p] - mean``, ``mean += delta * counts[p] / n``, ``m2 += m2s[p] + delta**2 *
        (n - counts[p]) * counts[p] / n``, ``n`` the values so far, these included. Parts of no values are left out.
        Chan, Golub and LeVeque 1979.
        """
        ...

    def batch_norm_statistics(
        self,
        rstd: Doubles,
        running_mean: Floats | None,
        running_var: Floats | None,
        mean: Doubles,
        m2: Doubles,
        count: int,
        momentum: float,
        epsilon: float,
        unbiased: bool,
    ) -> None:
        """Second step of :meth:`batch_norm_forward`: ``rstd = 1 / sqrt(m2 / count + epsilon)``, running statistics."""
        ...

    def batch_norm_apply(
        self,
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
        """Third step of :meth:`batch_norm_forward`: ``y`` from ``mean`` and ``rstd``; ``y`` may be ``x``."""
        ...

    def batch_norm_backward_sums(
        self,
        sum_dz: Doubles,
        sum_dz_xhat: Doubles,
        dy: Floats,
        x: Floats,
        gamma: Floats | None,
        beta: Floats | None,
        mean: Doubles,
        rstd: Doubles,
        mask: Bools | None,
        activation: str,
        rate: float,
    ) -> None:
        """First step of :meth:`batch_norm_backward`: ``sum(dz)`` and ``sum(dz * xhat)``, which add up over parts."""
        ...

    def batch_norm_backward_apply(
        self,
        dx: Floats,
        dy: Floats,
        x: Floats,
        gamma: Floats | None,
        beta: Floats | None,
        mean: Doubles,
        rstd: Doubles,
        sum_dz: Doubles,
        sum_dz_xhat: Doubles,
        mask: Bools | None,
        count: int,
        activation: str,
        rate: float,
    ) -> None:
        """Second step of :meth:`batch_norm_backward`, with sums over ``count`` values of each channel.

        ``dx = gamma * rstd * (dz - sum_dz / count - xhat * sum_dz_xhat / count)``; ``dx`` may be ``dy``.
        """
        ...

    def layer_norm_forward(
        self,
        y: Floats,
        mean: Doubles,
        rstd: Doubles,
        x: Floats,
        gamma: Floats | None,
        beta: Floats | None,
        epsilon: float,
    ) -> None:
        """Layer normalisation of the rows of ``x`` (N, C): ``y = gamma * (x - mean) * rstd + beta``.

        ``mean = mean(x, axis=1)``, ``rstd = 1 / sqrt(mean((x - mean)**2, axis=1) + epsilon)`` (N,); ``gamma`` and
        ``beta`` (C,). ``y`` may be ``x``. Ba, Kiros and Hinton 2016.
        """
        ...

    def layer_norm_backward(
        self,
        dx: Floats | None,
        dgamma: Floats | None,
        dbeta: Floats | None,
        dy: Floats,
        x: Floats,
        gamma: Floats | None,
        mean: Doubles,
        rstd: Doubles,
    ) -> None:
        """Gradients of :meth:`layer_norm_forward`.

        With ``xhat = (x - mean) * rstd`` and ``g = gamma * dy``: ``dgamma = sum(dy * xhat, axis=0)``,
        ``dbeta = sum(dy, axis=0)``, ``dx = rstd * (g - mean(g, axis=1) - xhat * mean(g * xhat, axis=1))``. ``dx`` may
        be ``dy``.
        """
        ...

    def rms_norm_forward(self, y: Floats, rstd: Doubles, x: Floats, gamma: Floats | None, epsilon: float) -> None:
        """Root-mean-square normalisation of rows: ``y = gamma * x * rstd``, ``rstd = 1 / sqrt(mean(x**2) + epsilon)``.

        Shapes are those of :meth:`layer_norm_forward`. ``y`` may be ``x``. Zhang and Sennrich 2019.
        """
        ...

    def rms_norm_backward(
        self, dx: Floats | None, dgamma: Floats | None, dy: Floats, x: Floats, gamma: Floats | None, rstd: Doubles
    ) -> None:
        """Gradients of :meth:`rms_norm_forward`.

        With ``xhat = x * rstd`` and ``g = gamma * dy``: ``dgamma = sum(dy * xhat, axis=0)``,
        ``dx = rstd * (g - xhat * mean(g * xhat, axis=1))``. ``dx`` may be ``dy``.
        """
        ...

    def group_norm_forward(
        self,
        y: Floats,
        mean: Doubles,
        rstd: Doubles,
        x: Floats,
        gamma: Floats | None,
        beta: Floats | None,
        channels_last: bool,
        epsilon: float,
    ) -> None:
        """Group normalisation: ``y = gamma * (x - mean) * rstd + beta``, statistics of groups of a sample's channels.

        ``x`` is (N, C, S), or (N, S, C) with ``channels_last``; ``mean`` and ``rstd`` (N, G), G a divisor of C: group g
        has the channels from ``g * C / G`` on, as many; ``gamma`` and ``beta`` (C,). G = C is instance normalisation.
        ``y`` may be ``x``. Wu and He 2018.
        """
        ...

    def group_norm_backward(
        self,
        dx: Floats | None,
        dgamma: Floats | None,
        dbeta: Floats | None,
        dy: Floats,
        x: Floats,
        gamma: Floats | None,
        mean: Doubles,
        rstd: Doubles,
        channels_last: bool,
    ) -> None:
        """Gradients of :meth:`group_norm_forward`.

        With ``xhat = (x - mean) * rstd``, ``g = gamma * dy`` and means over a sample's group:
        ``dx = rstd * (g - mean(g) - xhat * mean(g * xhat))``; ``dgamma`` and ``dbeta`` are the sums of ``dy * xhat``
        and ``dy`` over all but the channels. ``dx`` may be ``dy``.
        """
        ...
