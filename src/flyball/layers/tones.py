"""Tones of images changed on the fly: solarized, inverted and posterized, by other amounts for every image.

All act in training only, in front of the first layer that learns, on values that are clipped to ``value_range``; see
:func:`flyball.functional.adjust_tones`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Unpack

from flyball import _checks
from flyball.backend.augment import UNTOUCHED_TONES
from flyball.layers.images import ClassPolicy, share_range, value_bounds
from flyball.program.nodes import TonesNode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyball.layers.base import LayerOptions
    from flyball.layers.images import Factor, Policy
    from flyball.program.nodes import Node

UNCHANGED: dict[str, tuple[float, ...]] = {**UNTOUCHED_TONES, "inversion": (0.0,)}
"""Ranges of ``adjust_tones`` that change nothing, in the order of its columns."""


class ToneLayer(ClassPolicy):
    """Base of layers that change tones."""

    def __init__(
        self,
        value_range: tuple[float, float],
        seed: int | None,
        data_format: str | None,
        policy: Policy | None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(policy, seed, data_format, **options)
        self.value_range = value_bounds(value_range)

    @abstractmethod
    def _amounts(self, arguments: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
        """Return ranges of the operation, those that are not as in :data:`UNCHANGED`."""

    def _row(self, arguments: Mapping[str, Any]) -> tuple[float, ...]:
        return tuple(bound for bounds in {**UNCHANGED, **self._amounts(arguments)}.values() for bound in bounds)

    def _untouched(self) -> tuple[float, ...]:
        return tuple(bound for bounds in UNCHANGED.values() for bound in bounds)

    def image_nodes(self, shape: tuple[int, ...]) -> list[Node]:
        """Return a node."""
        del shape
        return [TonesNode(self.name, self._ranges(), *self.value_range, seed=self.seed)]


class Solarization(ToneLayer):
    """Values from a threshold on inverted, after something was added to all.

    Parameters
    ----------
    addition_factor, threshold_factor : float or (lower, upper), in [0, 1]
        In shares of ``value_range``; a number f stands for (0, f). (Of a pair, Keras takes the lower end for a value
        itself.)
    value_range : (low, high)
        Values that pixels may have; they are clipped to them.
    seed : int, optional
        In [0, 2**64). Without one, the model's seed and the layer's place decide.
    data_format : {None, "channels_last", "channels_first"}
        Images are (height, width), or (height, width, channels), or (channels, height, width) with channels first.
    policy : dict, optional
        ``{3: {"addition_factor": 0.1}, 5: None}``: arguments that are different for the images of a class, None to
        leave it as it is. Needs integer labels.
    **options
        ``name``, ``trainable``, ``input_shape``, ``input_dim``.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    _of_class = ("addition_factor", "threshold_factor")

    def __init__(
        self,
        addition_factor: Factor = 0.0,
        threshold_factor: Factor = 0.0,
        value_range: tuple[float, float] = (0.0, 255.0),
        seed: int | None = None,
        *,
        data_format: str | None = None,
        policy: Policy | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(value_range, seed, data_format, policy, **options)
        self.addition_factor = addition_factor
        self.threshold_factor = threshold_factor
        self._ranges()

    def _amounts(self, arguments: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
        return {
            name: tuple(255.0 * bound for bound in share_range(f"{name}_factor", arguments[f"{name}_factor"]))
            for name in ("addition", "threshold")
        }


class RandomInvert(ToneLayer):
    """All values of an image inverted, with a probability: ``low + high - x`` (in Keras ``high - x``).

    Parameters
    ----------
    factor : float or (lower, upper), in [0, 1]
        Range that an image's probability is drawn from, so that their mean is what counts; a number f stands for
        (0, f), as in Keras.
    value_range, seed, data_format, policy, **options
        As in :class:`Solarization`.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    _of_class = ("factor",)

    def __init__(
        self,
        factor: Factor = 1.0,
        value_range: tuple[float, float] = (0.0, 255.0),
        seed: int | None = None,
        data_format: str | None = None,
        *,
        policy: Policy | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(value_range, seed, data_format, policy, **options)
        self.factor = factor
        self._ranges()

    def _amounts(self, arguments: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
        return {"inversion": (sum(share_range("factor", arguments["factor"])) / 2.0,)}


class RandomPosterization(ToneLayer):
    """Values of fewer bits: of eight, in units in which they go from 0 to 255, only the first are kept.

    Parameters
    ----------
    factor : int or (lower, upper), in [1, 8]
        How many bits; of a pair both ends may be drawn. (Keras leaves out the upper one, and reads a number f as
        (1, f).)
    value_range, data_format, seed, policy, **options
        As in :class:`Solarization`.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be, or is not known.
    """

    _of_class = ("factor",)

    def __init__(
        self,
        factor: int | tuple[int, int],
        value_range: tuple[float, float] = (0.0, 255.0),
        data_format: str | None = None,
        seed: int | None = None,
        *,
        policy: Policy | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(value_range, seed, data_format, policy, **options)
        self.factor = factor
        self._ranges()

    def _amounts(self, arguments: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
        factor = arguments["factor"]
        pair = factor if isinstance(factor, (tuple, list)) else (factor, factor)
        try:
            first, last = (_checks.integer("factor", bits, 1) for bits in pair)
        except ValueError:
            first = last = 9
        if not first <= last <= 8:
            _checks.refuse("factor", "an integer in [1, 8] or two of them, lower and upper", factor)
        return {"bits": (float(first), last + 1.0)}  # drawn, and rounded down
