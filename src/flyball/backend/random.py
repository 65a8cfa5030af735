"""Random numbers. The conventions are those of :mod:`flyball.backend`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flyball.backend.types import Floats, Integers


class Random(Protocol):
    """Random numbers and noise.

    Each is a function of (seed, stream, step, element) only, made of the words of Philox4x32-10 that
    :func:`flyball.reference.random.words` lists. Two operations with one (seed, stream, step) use the same words, so
    their results depend on one another: let each place that draws have its own stream.
    """

    def random_uniform(self, out: Floats, low: float, high: float, seed: int, stream: int, step: int) -> None:
        """``out = low + (high - low) * u``, below ``high``; ``u`` is a multiple of 2**-24 or 2**-52 in [0, 1)."""
        ...

    def random_normal(self, out: Floats, mean: float, std: float, seed: int, stream: int, step: int) -> None:
        """``out = mean + std * n``, with ``n`` the standard normal of Box and Muller 1958.

        Two words ``u`` in (0, 1] and ``t`` in turns make two of them, ``sqrt(-2 * log(u)) * cos(2 * pi * t)`` and the
        same with the sine. ``|n|`` is at most 6.7 in float32, 8.5 in float64.
        """
        ...

    def random_truncated_normal(
        self, out: Floats, mean: float, std: float, bound: float, seed: int, stream: int, step: int
    ) -> None:
        """``out = mean + std * n``, with ``n`` standard normal under the condition ``|n| <= bound``, ``bound <= 6``.

        By inversion: ``n`` is the normal quantile (Wichura 1988, AS 241) at ``1/2 + t * erf(bound / sqrt(2))``, with
        ``t`` uniform in [-1/2, 1/2].
        """
        ...

    def random_integers(self, out: Integers, low: int, high: int, seed: int, stream: int, step: int) -> None:
        """Integers in [low, high): ``low + floor(word * (high - low) / 2**64)`` of 64 bits an element.

        The probability of a value is off by less than 2**-64, that is relatively by ``(high - low) / 2**64``.
        """
        ...

    def random_permutation(self, out: Integers, seed: int, stream: int, step: int) -> None:
        """Put 0 to ``size - 1`` in random order; ``out`` has one dimension.

        By Fisher and Yates: for ``i`` from the last to 0, element ``i`` changes places with element
        ``floor(word[i] * (i + 1) / 2**64)``.
        """
        ...

    def gaussian_noise_forward(self, y: Floats, x: Floats, std: float, seed: int, stream: int, step: int) -> None:
        """``y = x + std * n``, ``n`` as in :meth:`random_normal`; its gradient is the identity. ``y`` may be ``x``."""
        ...

    def gaussian_dropout_forward(self, y: Floats, x: Floats, rate: float, seed: int, stream: int, step: int) -> None:
        """``y = x * (1 + sqrt(rate / (1 - rate)) * n)``, ``n`` as in :meth:`random_normal`; ``y`` may be ``x``.

        Srivastava et al. 2014, section 10.
        """
        ...

    def gaussian_dropout_backward(self, dx: Floats, dy: Floats, rate: float, seed: int, stream: int, step: int) -> None:
        """``dx = dy * (1 + sqrt(rate / (1 - rate)) * n)`` with the forward pass' ``n``; ``dx`` may be ``dy``."""
        ...
