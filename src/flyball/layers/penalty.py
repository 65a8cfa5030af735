"""Penalties of what layers put out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from flyball import _checks, regularizers
from flyball.layers.base import Layer, LayerOptions

if TYPE_CHECKING:
    from flyball.program.nodes import Node


class ActivityRegularization(Layer):
    """Put out x as it is, and add ``l1 * sum(|x|) + l2 * sum(x**2)`` to the loss, divided by the batch size.

    It is part of the loss that ``fit`` and ``evaluate`` report. As in Keras 3, any layer can do the same with
    ``activity_regularizer=``, which is divided by the batch size too, and not weighted by sample weights.

    Parameters
    ----------
    l1, l2 : float
        Not negative.
    **options
        What every layer takes, see :class:`flyball.layers.base.LayerOptions`.
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **options: Unpack[LayerOptions]) -> None:
        self.l1 = _checks.number("l1", l1, "[0, inf)")
        self.l2 = _checks.number("l2", l2, "[0, inf)")
        if options.get("activity_regularizer") is not None:
            _checks.refuse("activity_regularizer", "None: l1 and l2 say it", options["activity_regularizer"])
        super().__init__(**options)
        self.activity_regularizer = regularizers.L1L2(self.l1, self.l2)

    def lower(self) -> list[Node]:
        """Return no node: the penalty is every layer's."""
        return []

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as JSON types."""
        return {name: value for name, value in super().get_config().items() if name != "activity_regularizer"}
