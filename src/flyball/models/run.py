"""A fit while it runs: where it stands, and where it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyball.training import Position, StreamTrainer, Trainer


@dataclass(eq=False)
class Run:
    """What ``fit`` knows of its run, for callbacks that keep it or move it.

    Attributes
    ----------
    trainer : Trainer or StreamTrainer
    epoch : int
        The epoch that runs, or the next one; a callback may set it between epochs.
    number : int
        How many epochs the model had been trained for when this one began: the address of its random order.
    inside : bool
        Whether the epoch has begun and is not over.
    position : Position or None
        Where inside the next epoch it begins.
    """

    trainer: Trainer | StreamTrainer
    epoch: int
    number: int
    inside: bool = False
    position: Position | None = None

    def begin_epoch(self, number: int) -> None:
        """Enter the epoch."""
        self.trainer.clear()
        self.number, self.inside = number, True

    def end_epoch(self) -> None:
        """Leave the epoch: the next one is ahead."""
        self.epoch, self.inside, self.position = self.epoch + 1, False, None

    def where(self) -> Position | None:
        """Return the place inside the epoch, None at its beginning."""
        return self.trainer.position() if self.inside and self.trainer.done else self.position
