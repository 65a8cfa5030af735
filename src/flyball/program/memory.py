"""Where a model's arrays live: one flat array each for parameters, statistics, gradients and optimiser state."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from flyball.backend import get_backend
from flyball.program.instructions import aligned_empty

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.program.nodes import Weight

LINE = 64
"""Bytes every weight is aligned to."""

UNAVERAGED = "unaveraged"
"""Slot of the parameters that a training goes on from, where the model has got their average."""


class Group(NamedTuple):
    """A range of the flat parameters that one update instruction covers: all its weights share these settings."""

    begin: int
    end: int
    l1: float
    l2: float
    decays: bool
    proximal: bool


@dataclass(eq=False)
class Memory:
    """Flat arrays of a model; its weights' values are views into them.

    Between weights lie zeros, up to the next cache line. They have zero gradients and so stay zero. ``samples`` is how
    many the model is trained on, once that is known: what penalties per sample are divided by.
    """

    weights: list[Weight]
    dtype: np.dtype[Any]
    parameters: NDArray[Any] = field(init=False)
    statistics: NDArray[Any] = field(init=False)
    gradients: NDArray[Any] = field(init=False)
    slots: dict[str, NDArray[Any]] = field(init=False, default_factory=dict)
    groups: list[Group] = field(init=False)
    averaged: bool = field(init=False, default=False)
    """Whether parameters and their average have changed places (:meth:`swap_average`)."""
    samples: int | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._trainable = sorted((w for w in self.weights if w.trainable), key=_settings)
        self._begin: dict[int, int] = {}
        size = 0
        for weight in self._trainable:
            self._begin[id(weight)] = size
            size += self._padded(weight)
        self.regroup()
        self.parameters = self._flat(size)
        self.gradients = self._flat(size)
        size = 0
        parameters = {id(weight) for weight in self._trainable}
        for weight in self.weights:
            if id(weight) not in parameters:
                self._begin[id(weight)] = size
                size += self._padded(weight)
        self.statistics = self._flat(size)
        for weight in self.weights:
            weight.value = self.view(self.parameters if id(weight) in parameters else self.statistics, weight)

    def regroup(self) -> None:
        """Find the groups again, after penalties of weights have changed; nothing moves."""
        self.groups = [self._group(list(members)) for _, members in groupby(self._trainable, key=_settings)]

    def set_samples(self, samples: int) -> None:
        """Note how many samples the model is trained on."""
        if samples != self.samples:
            self.samples = samples
            self.regroup()

    def require_as_built(self) -> None:
        """Refuse weights that began or ceased to be trainable since their places were chosen."""
        trainable = {id(weight) for weight in self._trainable}
        for weight in self.weights:
            if weight.trainable != (id(weight) in trainable):
                expectation = f"{weight.name}: trainable must be as it was at compile"
                msg = f"{expectation}, got {weight.trainable}; compile the model again"
                raise ValueError(msg)

    def require_samples(self) -> None:
        """Refuse penalties per sample as long as the number of samples is not known."""
        per_sample = [weight.name for weight in self._trainable if weight.per_sample]
        if per_sample and self.samples is None:
            why = "as data that come in batches do not tell how many there are"
            msg = f"the regularizer of {per_sample[0]} must be given samples, {why}"
            raise ValueError(msg)

    def gradient(self, weight: Weight) -> NDArray[Any]:
        """Return the view of the flat gradients that belongs to ``weight``."""
        return self.view(self.gradients, weight)

    def penalty(self) -> float:
        """Return what the loss is increased by for all parameters."""
        total = np.array([self.penalty_of_elements()])
        for weight in self._trainable:
            if weight.orthogonality is not None:
                get_backend().orthogonal_penalty(total, None, weight.value, **weight.orthogonality._asdict())
        return float(total[0])

    def penalty_of_elements(self) -> float:
        """Return ``sum(l1 * |w| + l2 / 2 * w**2)`` over all parameters, whose gradient is the update's."""
        self.require_samples()
        total = np.zeros(1)
        for group in self.groups:
            if group.l1 or group.l2:
                get_backend().activity_penalty(total, self.parameters[group.begin : group.end], group.l1, group.l2)
        return float(total[0])

    def arrays(self) -> list[NDArray[Any]]:
        """Return all that training changes and a resumed run needs: parameters, statistics, optimiser state."""
        return [self.parameters, self.statistics, *(self.slots[name] for name in sorted(self.slots))]

    def slot(self, name: str, initial: float = 0.0) -> NDArray[Any]:
        """Return the flat optimiser state ``name``, all ``initial`` at first."""
        if name not in self.slots:
            self.slots[name] = self._flat(self.parameters.size)
            self.slots[name].fill(initial)
        return self.slots[name]

    def parameter_weights(self) -> list[Weight]:
        """Return the weights whose values are parameters, in the model's order."""
        parameters = {id(weight) for weight in self._trainable}
        return [weight for weight in self.weights if id(weight) in parameters]

    def state_of(self, slot: str, weight: Weight) -> NDArray[Any]:
        """Return the view of the optimiser state ``slot`` that belongs to ``weight``."""
        return self.view(self.slots[slot], weight)

    def swap_average(self) -> None:
        """Let parameters and their moving average change places; a second time, they are where they were."""
        average = self.slots["average"]
        before = self.parameters.copy()
        self.parameters[...], average[...] = average, before
        self.averaged = not self.averaged

    def single_groups(self) -> list[Group]:
        """Return a group for each parameter array: what clips its gradient's norm by itself."""
        return [self._group([weight]) for weight in self._trainable]

    def members(self, group: Group) -> list[Weight]:
        """Return the weights of a group, in their order."""
        return [weight for weight in self._trainable if group.begin <= self._begin[id(weight)] < group.end]

    def place_of(self, weight: Weight) -> slice:
        """Return the place of a weight in the flat arrays, with the zeros behind it."""
        begin = self._begin[id(weight)]
        return slice(begin, begin + self._padded(weight))

    def _group(self, weights: list[Weight]) -> Group:
        """Return the group of neighbours with the same settings."""
        first, last = weights[0], weights[-1]
        share = 1.0 / (self.samples or 1) if first.per_sample else 1.0
        begin, end = self._begin[id(first)], self._begin[id(last)] + self._padded(last)
        return Group(begin, end, share * first.l1, share * first.l2, first.decays, first.proximal)

    def _flat(self, size: int) -> NDArray[Any]:
        flat = aligned_empty((size,), self.dtype)
        flat.fill(0)
        return flat

    def _padded(self, weight: Weight) -> int:
        line = LINE // self.dtype.itemsize
        return -(-weight.size // line) * line

    def view(self, flat: NDArray[Any], weight: Weight) -> NDArray[Any]:
        """Return the part of a flat array that belongs to ``weight``."""
        begin = self._begin[id(weight)]
        return flat[begin : begin + weight.size].reshape(weight.shape)


def _settings(weight: Weight) -> tuple[float, float, bool, bool, bool]:
    return weight.l1, weight.l2, not weight.decays, weight.per_sample, weight.proximal
