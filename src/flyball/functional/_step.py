"""What the updates share: the options, the settings of ranges, and the call of the operation."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from flyball._checks import no_more_arguments
from flyball.backend import get_backend
from flyball.functional._checks import (
    flat,
    matching,
    not_negative,
    plain,
    positive,
    whole,
    written,
)
from flyball.reference._arrays import FLOAT64, need, refuse_overlap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball.backend.types import Doubles, Floats


class UpdateRange(NamedTuple):
    """Settings of the elements [begin, end) of flat weights, in the place of an update's own.

    ``UpdateRange(begin, end)`` spares them from penalties and decay, as is usual for biases and the parameters of
    normalisations. ``learning_rate`` multiplies the update's.
    """

    begin: int
    end: int
    l1: float = 0.0
    l2: float = 0.0
    weight_decay: float = 0.0
    learning_rate: float = 1.0


class UpdateOptions(TypedDict, total=False):
    """What every update takes beside its own arguments.

    The gradient of the step is ``g' = clip(scale * g) + l1 * sign(w) + l2 * w``, with ``scale = gradient_scale[0]`` and
    ``clip(x) = min(max(x, -clip_value), clip_value)``. After the step, weights have shrunk by
    ``learning_rate * weight_decay`` of their size.

    - ``l1``, ``l2`` (at least 0, default 0): the loss has the penalty ``l1 * sum(|w|) + l2 / 2 * sum(w**2)``. ``l2`` is
      PyTorch's ``weight_decay`` of SGD and Adam, and twice Keras' ``l2``.
    - ``proximal`` (default False): l1 acts after the step instead of in the gradient, by soft-thresholding:
      ``w = sign(w) * max(|w| - learning_rate * l1, 0)``, which makes weights exactly zero.
    - ``weight_decay`` (at least 0, default 0): decoupled decay. PyTorch's AdamW.
    - ``clip_value`` (above 0, default None: no clipping): largest size of an element of the gradient.
    - ``gradient_scale`` (array of float64, shape (1,), default None: 1): what :func:`clip_scale` returns.
    - ``clip_penalty`` (default False, as in PyTorch): whether scale and clip take in the penalties' gradient, as in
      Keras: ``g' = clip(scale * (g + l1 * sign(w) + l2 * w))``.
    - ``penalty`` (array of float64, shape (1,), default None): increased by the penalty of the weights before the step.
    - ``ranges`` (sequence of :class:`UpdateRange`, default None): elements of w, as if it were flat, with settings of
      their own; ascending and apart. The elements between them take those of the call.
    """

    l1: float
    l2: float
    proximal: bool
    weight_decay: float
    clip_value: float | None
    gradient_scale: Doubles | None
    clip_penalty: bool
    penalty: Doubles | None
    ranges: Sequence[UpdateRange] | None


def run_update(
    operation: str,
    w: Floats,
    g: Floats,
    state: dict[str, Floats | None],
    learning_rate: float,
    own: tuple[float, ...],
    options: UpdateOptions,
) -> None:
    """Check what all updates share, and run the operation on each range of the weights."""
    weights = flat("w", w)
    gradient = matching("g", g, w, "w")
    for name, array in state.items():
        if array is not None:
            written(name, array, weights.dtype, w.shape)
    shared = _settings(operation, options) if options else _DEFAULTS
    penalty, gradient_scale, penalties, clipping = shared
    ranges = options.get("ranges")
    pieces = _pieces(UpdateRange(0, weights.size, *penalties), ranges) if ranges else None
    rate = not_negative("learning_rate", learning_rate)

    if weights is not w:
        gradient = gradient.ravel()
        state = {name: None if array is None else array.ravel() for name, array in state.items()}
    run = getattr(get_backend(), operation)
    if pieces is None:
        run(weights, *state.values(), penalty, gradient, gradient_scale, rate, *own, *penalties, *clipping)
        return
    if len(pieces) > 1:
        outputs = {"w": weights, **state, "penalty": penalty}
        refuse_overlap(outputs, {"g": gradient, "gradient_scale": gradient_scale})
    for part in pieces:
        elements = slice(part.begin, part.end)
        run(
            weights[elements],
            *(None if array is None else array[elements] for array in state.values()),
            penalty,
            gradient[elements],
            gradient_scale,
            rate * part.learning_rate,
            *own,
            part.l1,
            part.l2,
            part.weight_decay,
            *clipping,
        )


def _settings(operation: str, options: UpdateOptions) -> tuple[Any, Any, tuple[float, ...], tuple[Any, ...]]:
    """Return penalty, gradient_scale, the penalties' factors and how to clip, checked."""
    unknown: dict[str, Any] = {name: value for name, value in options.items() if name not in _OPTIONS}
    if unknown:
        no_more_arguments(operation, unknown, _OPTIONS)
    penalty, gradient_scale = options.get("penalty"), options.get("gradient_scale")
    if penalty is not None:
        written("penalty", penalty, FLOAT64, (1,))
    if gradient_scale is not None:
        need("gradient_scale", plain("gradient_scale", gradient_scale), FLOAT64, (1,))
    clip_value = options.get("clip_value")
    bound = inf if clip_value is None else positive("clip_value", clip_value)
    factors = (
        not_negative("l1", options.get("l1", 0.0)),
        not_negative("l2", options.get("l2", 0.0)),
        not_negative("weight_decay", options.get("weight_decay", 0.0)),
    )
    return penalty, gradient_scale, factors, (bool(options.get("proximal")), bound, bool(options.get("clip_penalty")))


def _checked(name: str, part: UpdateRange) -> UpdateRange:
    numbers = (not_negative(f"{name}{field}", getattr(part, field)) for field in UpdateRange._fields[2:])
    return UpdateRange(part.begin, part.end, *numbers)


def _pieces(everywhere: UpdateRange, ranges: Sequence[UpdateRange]) -> list[UpdateRange]:
    """Return the ranges, and between them pieces with the settings of ``everywhere``."""
    pieces, end = [], 0
    for i, values in enumerate(ranges):
        part = UpdateRange(*values)
        begin = whole(f"ranges[{i}].begin", part.begin, 0, 63)
        stop = whole(f"ranges[{i}].end", part.end, 0, 63)
        if not end <= begin <= stop <= everywhere.end:
            msg = f"ranges[{i}] must lie in [{end}, {everywhere.end}), got [{begin}, {stop})"
            raise ValueError(msg)
        if end < begin:
            pieces.append(everywhere._replace(begin=end, end=begin))
        pieces.append(_checked(f"ranges[{i}].", part))
        end = stop
    if end < everywhere.end or not pieces:
        pieces.append(everywhere._replace(begin=end))
    return pieces


_OPTIONS = tuple(UpdateOptions.__annotations__)
_DEFAULTS = _settings("", {})
