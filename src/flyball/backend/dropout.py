"""Dropout. The conventions are those of :mod:`flyball.backend`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flyball.backend.types import Bools, Floats


class Dropout(Protocol):
    """Dropout."""

    def dropout_mask(self, mask: Bools, rate: float, seed: int, stream: int, step: int) -> None:
        """Draw ``mask``, any shape: True with probability ``keep``; a function of (seed, stream, step, element) only.

        The bits are those of :func:`flyball.reference.random.keep_bits`: 16 bits of Philox4x32-10 an element.
        """
        ...

    def dropout_forward(
        self,
        y: Floats,
        mask: Bools | None,
        x: Floats,
        rate: float,
        seed: int,
        stream: int,
        step: int,
        draw: bool,
    ) -> None:
        """Inverted dropout ``y = x * mask / keep``; arrays of one shape, any number of dimensions.

        With ``draw`` the mask is the one of :meth:`dropout_mask`, and is stored in ``mask`` unless that is None.
        Without, ``mask`` is read. ``y`` may be ``x``. Srivastava et al. 2014.
        """
        ...

    def dropout_backward(
        self, dx: Floats, dy: Floats, mask: Bools | None, rate: float, seed: int, stream: int, step: int
    ) -> None:
        """``dx = dy * mask / keep``; where ``mask`` is None it is drawn again from (seed, stream, step)."""
        ...
