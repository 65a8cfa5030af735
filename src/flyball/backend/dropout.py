"""Dropout. The conventions are those of :mod:`flyball.backend`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flyball.backend.types import Bools, Bytes, Floats


class Dropout(Protocol):
    """Dropout.

    Wherever ``mask`` stands beside an array of numbers it is one of three: bool of the array's shape; bool with an
    extent of 1 on axes along which one decision is for all (``mask`` is broadcast, in its own memory); or uint8 of
    shape ``((size + 7) // 8,)``, a bit an element in the order of ``numpy.packbits(bitorder="little")``, the bits
    behind the last element 0 where it is written. What is drawn is a function of (seed, stream, step, element of the
    mask) only. A decision takes 16 bits of Philox4x32-10, those of :func:`flyball.reference.random.keep_bits`, which
    keep where they are below ``65536 * keep``; where ``keep`` is 1/2 it takes one, that of
    :func:`flyball.reference.random.coins`, which keeps where it is 1.
    """

    def dropout_mask(self, mask: Bools | Bytes, rate: float, seed: int, stream: int, step: int) -> None:
        """Draw ``mask``, any shape: True with probability ``keep``; uint8 is eight elements a byte."""
        ...

    def dropout_mask_columns(
        self, mask: Bools, rate: float, seed: int, stream: int, step: int, width: int, first: int
    ) -> None:
        """Draw ``mask`` (n, c): columns [first, first + c) of the mask that :meth:`dropout_mask` draws for (n, width).

        ``c``, ``width`` and ``first`` are multiples of 64.
        """
        ...

    def dropout_forward(
        self,
        y: Floats,
        mask: Bools | Bytes | None,
        x: Floats,
        rate: float,
        seed: int,
        stream: int,
        step: int,
        draw: bool,
        scale: float,
    ) -> None:
        """``y = x * mask * scale``: inverted dropout with ``scale = 1 / keep``, classic dropout with 1.

        ``x`` and ``y`` have one shape, any number of dimensions. With ``draw`` the mask is the one of
        :meth:`dropout_mask`, and is stored in ``mask`` unless that is None. Without, ``mask`` is read. A dropped
        element is +0 whatever it was. ``y`` may be ``x``. Srivastava et al. 2014.
        """
        ...

    def dropout_backward(
        self,
        dx: Floats,
        dy: Floats,
        mask: Bools | Bytes | None,
        rate: float,
        seed: int,
        stream: int,
        step: int,
        scale: float,
    ) -> None:
        """``dx = dy * mask * scale``; ``dx`` may be ``dy``.

        Where ``mask`` is None it is drawn again from (seed, stream, step), in the shape of ``dy``.
        """
        ...

    def dropout_inference(self, y: Floats, x: Floats, rate: float) -> None:
        """Classic dropout when nothing is dropped: ``y = x * keep``; ``y`` may be ``x``."""
        ...

    def alpha_dropout_forward(
        self,
        y: Floats,
        mask: Bools | Bytes | None,
        x: Floats,
        rate: float,
        seed: int,
        stream: int,
        step: int,
        draw: bool,
    ) -> None:
        """Alpha dropout, for SELU: ``y = a * (x * mask + s * (1 - mask)) + b``.

        With ``s = -1.7580993408473766``, what SELU saturates at, ``a = 1 / sqrt(keep + s**2 * keep * (1 - keep))`` and
        ``b = -a * s * (1 - keep)`` mean 0 and variance 1 stay. ``mask`` and ``draw`` as in :meth:`dropout_forward`.
        ``y`` may be ``x``. Klambauer et al. 2017.
        """
        ...

    def alpha_dropout_backward(
        self, dx: Floats, dy: Floats, mask: Bools | Bytes | None, rate: float, seed: int, stream: int, step: int
    ) -> None:
        """``dx = a * dy * mask``, with ``mask`` as in :meth:`dropout_backward`; ``dx`` may be ``dy``."""
        ...

    def add_branch(self, y: Floats, x: Floats, branch: Floats, mask: Bools | None, scale: float) -> None:
        """Residual connection of rows: ``y = x + scale * mask * branch``; ``mask`` (N,), others (N, C).

        Without ``mask`` all rows have their branch; where it is False ``y = x`` whatever ``branch`` is. With ``scale =
        1 / keep`` that is stochastic depth (Huang et al. 2016), scaled as inverted dropout is. ``y`` may be ``x``.
        """
        ...
