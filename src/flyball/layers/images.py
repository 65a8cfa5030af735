"""What the layers of images share: their shapes, factors, seeds, and what is different for a class."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self, Unpack

from flyball import _checks
from flyball.layers._axes import DATA_FORMATS, in_channels_last
from flyball.layers.base import Layer, LayerOptions
from flyball.program.nodes import Ranges

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyball.program.nodes import Node

    Factor = float | tuple[float, float]
    Policy = Mapping[int, Mapping[str, Any] | None]


def factor_range(name: str, value: object, low: float = -1.0, high: float = 1.0) -> tuple[float, float]:
    """Return a pair (lower, upper) as it is, in order, and a number f as (-f, f); all in [low, high]."""
    pair = isinstance(value, (tuple, list))
    numbers = list(value) if isinstance(value, (tuple, list)) else [value]
    try:
        bounds = [_checks.number(name, item, f"[{low:g}, {high:g}]") for item in numbers]
    except ValueError:
        bounds = []
    if len(bounds) != (2 if pair else 1):
        _checks.refuse(name, f"a number in [{low:g}, {high:g}] or two of them, lower and upper", value)
    return (min(bounds), max(bounds)) if pair else (-abs(bounds[0]), abs(bounds[0]))


def share_range(name: str, value: object) -> tuple[float, float]:
    """Return a pair (lower, upper) in [0, 1] as it is, and a number f as (0, f)."""
    lower, upper = factor_range(name, value, 0.0, 1.0)
    return max(lower, 0.0), upper


def value_bounds(value_range: object) -> tuple[float, float]:
    """Return (low, high), the values that pixels may have."""
    bounds = value_range if isinstance(value_range, (tuple, list)) and len(value_range) == 2 else (0, 0)
    low, high = (_checks.number("value_range", bound) for bound in bounds)
    if low >= high:
        _checks.refuse("value_range", "(low, high) with low < high", value_range)
    return low, high


def image_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return height, width and channels of images (height, width) or (height, width, channels)."""
    return shape[0], shape[1], shape[2] if len(shape) == 3 else 1


class ImageLayer(Layer):
    """Base of layers of images: (height, width), (height, width, channels), or with channels first.

    What works on pixels takes channels last. Channels that come first are brought to the end, and back, at the cost of
    a pass each; between layers of images that follow one another they stay at the end.
    """

    def __init__(self, data_format: str | None = None, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.data_format = None if data_format is None else _checks.choice("data_format", data_format, DATA_FORMATS)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the images it makes; refuse what is no image."""
        axes = "(channels, height, width)" if self._channels_first else "(height, width, channels)"
        if len(input_shape) not in {2, 3}:
            _checks.refuse("input_shape", f"(height, width) or {axes}", input_shape)
        shape = self.images_of(self._channels_last(input_shape))
        return self._own_format(shape)

    def images_of(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of what it makes of images of ``shape``, channels last."""
        return shape

    def lower(self) -> list[Node]:
        """Return the nodes of images with channels last, and those that bring them there."""
        shape = self.require_built()
        nodes = self.image_nodes(self._channels_last(shape))
        first = self._channels_first and len(shape) == 3
        return in_channels_last(self.name, shape, nodes) if first and nodes else nodes

    @abstractmethod
    def image_nodes(self, shape: tuple[int, ...]) -> list[Node]:
        """Return the nodes for images of ``shape``, channels last; none where nothing changes."""

    @property
    def _channels_first(self) -> bool:
        return self.data_format == "channels_first"

    def _own_format(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[2:], *shape[:2]) if self._channels_first else shape

    def _channels_last(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[1:], shape[0]) if self._channels_first and len(shape) == 3 else shape


class ClassPolicy(ImageLayer):
    """Base of layers of which amounts are drawn, from ranges that may be others for some classes.

    ``policy`` maps classes to those of the layer's arguments that are different for their samples, or to None, which
    leaves them as they are.
    """

    _augments = True
    _of_class: tuple[str, ...]
    """Arguments that a policy may name."""

    def __init__(
        self,
        policy: Policy | None = None,
        seed: int | None = None,
        data_format: str | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(data_format, **options)
        self.seed = _checks.seed_or_none(seed)
        self.policy = None if policy is None else self._checked(policy)

    @abstractmethod
    def _row(self, arguments: Mapping[str, Any]) -> tuple[float, ...]:
        """Return the operation's row of ranges for values of the arguments a policy may name."""

    @abstractmethod
    def _untouched(self) -> tuple[float, ...]:
        """Return the row that changes nothing."""

    def _ranges(self) -> Ranges:
        usual = {name: getattr(self, name) for name in self._of_class}
        rows: dict[int, tuple[float, ...]] = {}
        for label, different in (self.policy or {}).items():
            try:
                rows[label] = self._untouched() if different is None else self._row({**usual, **different})
            except ValueError as error:
                msg = f"policy of class {label}: {error}"
                raise ValueError(msg) from error
        return Ranges(self._row(usual), rows)

    def _checked(self, policy: object) -> dict[int, dict[str, Any] | None]:
        if not isinstance(policy, dict):
            _checks.refuse("policy", "a dict from classes to dicts of arguments", policy)
        result: dict[int, dict[str, Any] | None] = {}
        for key, different in policy.items():
            label = _checks.integer("policy's classes", key)
            if different is not None and not isinstance(different, dict):
                _checks.refuse(f"policy of class {label}", "a dict of arguments, or None", different)
            unknown = {name: value for name, value in (different or {}).items() if name not in self._of_class}
            _checks.no_more_arguments(f"policy of class {label}", unknown, self._of_class)
            result[label] = None if different is None else dict(different)
        return result

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as JSON types."""
        config = super().get_config()
        if self.policy is not None:  # JSON's objects have strings for keys
            config["policy"] = [[label, different] for label, different in self.policy.items()]
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make a layer from what :meth:`get_config` returned."""
        policy = config.get("policy")
        return cls(**{**config, "policy": dict(policy) if isinstance(policy, list) else policy})
