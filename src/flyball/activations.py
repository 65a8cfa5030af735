"""Activations under the names of Keras 3: functions on arrays, which layers take as ``activation=`` too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flyball import _checks
from flyball.backend import ACTIVATIONS, ALPHAS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    Activation = Callable[..., NDArray[Any]]

__all__ = [
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "hard_sigmoid",
    "leaky_relu",
    "linear",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "swish",
    "tanh",
]

OVER_AXIS = ("softmax", "log_softmax")
"""What is not computed element by element, but over the last axis."""

NAMES = (*ACTIVATIONS, *OVER_AXIS)
"""Names that layers take."""

ALIASES = {"swish": "silu"}


def relu(
    x: ArrayLike, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> NDArray[Any]:
    """``min(x, max_value)`` above ``threshold``, ``negative_slope * (x - threshold)`` elsewhere; no limit if None."""
    from flyball import functional

    slope, highest, threshold = relu_numbers(negative_slope, max_value, threshold)
    return functional.relu_forward(_floats(x), negative_slope=slope, max_value=highest, threshold=threshold)


def leaky_relu(x: ArrayLike, negative_slope: float = 0.2) -> NDArray[Any]:
    """``x`` where it is positive, else ``negative_slope * x``."""
    return _elementwise(x, "leaky_relu", _checks.number("negative_slope", negative_slope, "[0, inf)"))


def relu6(x: ArrayLike) -> NDArray[Any]:
    """``min(max(x, 0), 6)``."""
    return _elementwise(x, "relu6")


def elu(x: ArrayLike, alpha: float = 1.0) -> NDArray[Any]:
    """``x`` where it is positive, else ``alpha * (exp(x) - 1)``. Clevert et al. 2016."""
    return _elementwise(x, "elu", _checks.number("alpha", alpha, "[0, inf)"))


def selu(x: ArrayLike) -> NDArray[Any]:
    """``1.0507 * elu(x, 1.6733)``. Klambauer et al. 2017."""
    return _elementwise(x, "selu")


def gelu(x: ArrayLike, approximate: bool = False) -> NDArray[Any]:
    """``x * (1 + erf(x / sqrt(2))) / 2``; approximately with tanh. Hendrycks and Gimpel 2016."""
    return _elementwise(x, "gelu_tanh" if _checks.flag("approximate", approximate) else "gelu")


def sigmoid(x: ArrayLike) -> NDArray[Any]:
    """``1 / (1 + exp(-x))``."""
    return _elementwise(x, "sigmoid")


def hard_sigmoid(x: ArrayLike) -> NDArray[Any]:
    """``min(max(x / 6 + 1 / 2, 0), 1)``."""
    return _elementwise(x, "hard_sigmoid")


def tanh(x: ArrayLike) -> NDArray[Any]:
    """Hyperbolic tangent."""
    return _elementwise(x, "tanh")


def silu(x: ArrayLike) -> NDArray[Any]:
    """``x / (1 + exp(-x))``, also called swish. Elfwing et al. 2018."""
    return _elementwise(x, "silu")


swish = silu


def softplus(x: ArrayLike) -> NDArray[Any]:
    """``log(1 + exp(x))``."""
    return _elementwise(x, "softplus")


def softsign(x: ArrayLike) -> NDArray[Any]:
    """``x / (1 + abs(x))``."""
    return _elementwise(x, "softsign")


def exponential(x: ArrayLike) -> NDArray[Any]:
    """``exp(x)``."""
    return _elementwise(x, "exponential")


def mish(x: ArrayLike) -> NDArray[Any]:
    """``x * tanh(log(1 + exp(x)))``. Misra 2019."""
    return _elementwise(x, "mish")


def linear(x: ArrayLike) -> NDArray[Any]:
    """``x``."""
    return _elementwise(x, "linear")


def softmax(x: ArrayLike, axis: int | Sequence[int] = -1) -> NDArray[Any]:
    """``exp(x) / sum(exp(x))`` over ``axis``, one or several."""
    return _over_axis(x, "softmax", axis)


def log_softmax(x: ArrayLike, axis: int | Sequence[int] = -1) -> NDArray[Any]:
    """``x - log(sum(exp(x)))`` over ``axis``, one or several."""
    return _over_axis(x, "log_softmax", axis)


FUNCTIONS: dict[str, Activation] = {
    function.__name__: function
    for function in (
        linear, relu, leaky_relu, relu6, elu, selu, gelu, sigmoid, hard_sigmoid, tanh, silu, softplus, softsign,
        exponential, mish, softmax, log_softmax,
    )
}  # fmt: skip


def get(identifier: object) -> Activation:
    """Return the function of this module that a name stands for; None is :func:`linear`.

    Raises
    ------
    ValueError
        If ``identifier`` is neither such a name nor such a function.
    """
    name = name_of(identifier, "identifier")
    if name == "gelu_tanh":
        return _gelu_tanh
    return FUNCTIONS[name]


def _gelu_tanh(x: ArrayLike) -> NDArray[Any]:
    return gelu(x, approximate=True)


def serialize(activation: object) -> str:
    """Return the name of an activation."""
    return name_of(activation)


deserialize = get


def name_of(activation: object, argument: str = "activation") -> str:
    """Return the name, one of :data:`NAMES`, of what a layer was given: a name, a function of this module, or None.

    Raises
    ------
    ValueError
        If it is none of these: a function of one's own has no derivative here.
    """
    if activation is None:
        return "linear"
    if activation is _gelu_tanh:
        return "gelu_tanh"
    if callable(activation):
        name = getattr(activation, "__name__", None)
        if name in FUNCTIONS and FUNCTIONS[name] is activation:
            return str(name)
        _checks.refuse(argument, "a name or a function of flyball.activations", activation)
    if isinstance(activation, str):
        activation = ALIASES.get(activation, activation)
    return _checks.choice(argument, activation, NAMES)


def relu_numbers(
    negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> tuple[float, float | None, float]:
    """Return the numbers of a relu, checked: none of them is negative."""
    highest = None if max_value is None else _checks.number("max_value", max_value, "[0, inf)")
    slope = _checks.number("negative_slope", negative_slope, "[0, inf)")
    return slope, highest, _checks.number("threshold", threshold, "[0, inf)")


def relu_kind(negative_slope: float, max_value: float | None, threshold: float) -> tuple[str, float] | None:
    """Return the name and alpha of the activation that Keras' ``relu`` with these numbers is, or None."""
    if threshold != 0.0 or (max_value is not None and (max_value != 6.0 or negative_slope != 0.0)):
        return None
    if max_value is not None:
        return "relu6", 0.0
    return ("leaky_relu", negative_slope) if negative_slope > 0.0 else ("relu", 0.0)


def _floats(x: ArrayLike) -> NDArray[Any]:
    array = np.asarray(x)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)


def _elementwise(x: ArrayLike, name: str, alpha: float | None = None) -> NDArray[Any]:
    from flyball import functional  # models need none of it

    return functional.activation_forward(_floats(x), name, alpha=ALPHAS.get(name, 0.0) if alpha is None else alpha)


def _over_axis(x: ArrayLike, name: str, axis: int | Sequence[int]) -> NDArray[Any]:
    from flyball import functional

    given = _checks.axes("axis", axis)
    axes = [given] if isinstance(given, int) else given
    last = range(-len(axes), 0)
    array = np.moveaxis(_floats(x), axes, last)
    forward = functional.softmax_forward if name == "softmax" else functional.log_softmax_forward
    rows = forward(array.reshape(*array.shape[: array.ndim - len(axes)], -1))
    return np.moveaxis(rows.reshape(array.shape), last, axes)
