"""First values of weights: ``initializer(shape, dtype, rng) -> array``.

An initializer with a ``seed`` returns the same values at every call, as in Keras; one without draws a seed from the
generator it is given. The values are functions of that seed and the element, drawn in float64 by
:mod:`flyball.functional`: from the same bits on both backends, at every instruction set and with any number of threads.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from flyball import _checks, _own_objects, utils
from flyball._registry import Configurable, Registry, serialize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import DTypeLike, NDArray

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "get",
    "serialize",
]

# The standard deviation of a standard normal variable cut at two: sqrt(1 - 2 * 2 * pdf(2) / (cdf(2) - cdf(-2))).
TRUNCATED_STDDEV = 0.87962566103423978

STREAM = 2**32 - 1
"""Of the random numbers: a layer that draws with the same seed has a lower one."""


class Initializer(Configurable):
    """Base of all initializers. To write your own, define :meth:`sample`."""

    seed: int | None = None

    def __call__(
        self, shape: tuple[int, ...], dtype: DTypeLike = np.float32, rng: np.random.Generator | None = None
    ) -> NDArray[Any]:
        """Return a new array of ``shape`` and ``dtype``; ``rng`` draws the seed where the initializer has none."""
        seed = self.seed
        if seed is None:
            seed = utils.new_seed() if rng is None else int(rng.integers(2**64, dtype=np.uint64))
        return np.ascontiguousarray(self.sample(shape, seed), dtype=dtype)

    def sample(self, shape: tuple[int, ...], seed: int) -> NDArray[Any]:
        """Return the values as an array of ``shape``, in double precision; a function of ``seed`` in [0, 2**64)."""
        raise NotImplementedError(_checks.lacks(self, "sample"))


class Constant(Initializer):
    """All elements are ``value``."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = _checks.number("value", value)

    def sample(self, shape: tuple[int, ...], seed: int) -> NDArray[Any]:
        """Return the values."""
        del seed
        return np.full(shape, self.value)


class Zeros(Initializer):
    """All elements are 0."""

    def sample(self, shape: tuple[int, ...], seed: int) -> NDArray[Any]:
        """Return the values."""
        del seed
        return np.zeros(shape)


class Ones(Initializer):
    """All elements are 1."""

    def sample(self, shape: tuple[int, ...], seed: int) -> NDArray[Any]:
        """Return the values."""
        del seed
        return np.ones(shape)


class RandomNormal(Initializer):
    """Normal with the given ``mean`` and standard deviation ``stddev``."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean = _checks.number("mean", mean)
        self.stddev = _checks.number("stddev", stddev, "[0, inf)")
        self.seed = _seed(seed)

    def sample(self, shape: tuple[int, ...], seed: int) -> NDArray[Any]:
        """Return the values."""
        return _normal(shape, self.mean, self.stddev, seed)


class RandomUniform(Initializer):
    """Uniform in [``minval``, ``maxval``)."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        self.minval = _checks.number("minval", minval)
        self.maxval = _checks.number("maxval", maxval)
        if self.maxval < self.minval:
            _checks.refuse("maxval", f"at least minval = {self.minval}", maxval)
        self.seed = _seed(seed)

    def sample(self, shape: tuple[int, ...], seed: int) -> NDArray[Any]:
        """Return the values."""
        return _uniform(shape, self.minval, self.maxval, seed)


class TruncatedNormal(Initializer):
    """Normal with ``mean`` and ``stddev``, given that values are within two standard deviations."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean = _checks.number("mean", mean)
        self.stddev = _checks.number("stddev", stddev, "[0, inf)")
        self.seed = _seed(seed)

    def sample(self, shape: tuple[int, ...], seed: int) -> NDArray[Any]:
        """Return the values."""
        return _truncated(shape, self.mean, self.stddev, seed)


class VarianceScaling(Initializer):
    """Values of variance ``scale / n``, with n the fan in, the fan out, or their mean.

    The fan in of a kernel (in, out) is ``in``, its fan out ``out``; for (..., in, out) both are multiplied by the
    leading sizes.

    Parameters
    ----------
    scale : float
        Positive factor.
    mode : str
        ``"fan_in"``, ``"fan_out"`` or ``"fan_avg"``.
    distribution : str
        ``"truncated_normal"`` (normal, given that it is within two standard deviations of the untruncated normal,
        which is widened so that the variance is met), ``"untruncated_normal"`` or ``"uniform"`` (in
        +-sqrt(3 * scale / n)).
    seed : int in [0, 2**64), optional
        With a seed, every call returns the same values.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        self.scale = _checks.number("scale", scale, "(0, inf)")
        self.mode = _checks.choice("mode", mode, ("fan_in", "fan_out", "fan_avg"))
        self.distribution = _checks.choice(
            "distribution", distribution, ("truncated_normal", "untruncated_normal", "uniform")
        )
        self.seed = _seed(seed)

    def sample(self, shape: tuple[int, ...], seed: int) -> NDArray[Any]:
        """Return the values."""
        fan_in, fan_out = fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        stddev = math.sqrt(self.scale / max(1.0, n))
        if self.distribution == "uniform":
            limit = math.sqrt(3.0) * stddev
            return _uniform(shape, -limit, limit, seed)
        if self.distribution == "untruncated_normal":
            return _normal(shape, 0.0, stddev, seed)
        return _truncated(shape, 0.0, stddev / TRUNCATED_STDDEV, seed)


class GlorotUniform(VarianceScaling):
    """Uniform in +-sqrt(6 / (fan_in + fan_out)). Glorot and Bengio 2010 ("Xavier")."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_avg", "uniform", seed)


class GlorotNormal(VarianceScaling):
    """Truncated normal of variance 2 / (fan_in + fan_out). Glorot and Bengio 2010 ("Xavier")."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_avg", "truncated_normal", seed)


class HeUniform(VarianceScaling):
    """Uniform in +-sqrt(6 / fan_in). He et al. 2015."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2.0, "fan_in", "uniform", seed)


class HeNormal(VarianceScaling):
    """Truncated normal of variance 2 / fan_in. He et al. 2015."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2.0, "fan_in", "truncated_normal", seed)


class LecunUniform(VarianceScaling):
    """Uniform in +-sqrt(3 / fan_in). LeCun et al. 1998."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_in", "uniform", seed)


class LecunNormal(VarianceScaling):
    """Truncated normal of variance 1 / fan_in. LeCun et al. 1998."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_in", "truncated_normal", seed)


class Orthogonal(Initializer):
    """Rows or columns, whichever are fewer, that are orthogonal and of length ``gain``. Saxe et al. 2014.

    The orthogonal factor of a normal matrix, with the signs that make the other factor's diagonal positive. A shape of
    more than two sizes is taken as (all but the last, last).
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        self.gain = _checks.number("gain", gain)
        self.seed = _seed(seed)

    def sample(self, shape: tuple[int, ...], seed: int) -> NDArray[Any]:
        """Return the values."""
        if len(shape) < 2:
            _checks.refuse("shape", "of two sizes or more for orthogonal values", shape)
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(_normal((max(rows, columns), min(rows, columns)), 0.0, 1.0, seed))
        q = q * np.copysign(1.0, np.diag(r))
        return (self.gain * (q if rows >= columns else q.T)).reshape(shape)


class Identity(Initializer):
    """``gain`` on the diagonal of a matrix, 0 elsewhere."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = _checks.number("gain", gain)

    def sample(self, shape: tuple[int, ...], seed: int) -> NDArray[Any]:
        """Return the values."""
        del seed
        if len(shape) != 2:
            _checks.refuse("shape", "of two sizes for an identity", shape)
        return self.gain * np.eye(*shape)


class _Function(Initializer):
    """A user's function ``f(shape, dtype=...)``."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def sample(self, shape: tuple[int, ...], seed: int) -> NDArray[Any]:
        del seed
        values = np.asarray(self.function(shape, dtype=np.float64))
        if values.shape != shape:
            _checks.refuse("the initializer's result", f"an array of shape {shape}", values.shape)
        return values

    def get_config(self) -> dict[str, Any]:
        return {"function": _own_objects.name_of(self.function)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(_own_objects.function(config.get("function")))


def fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """Return (fan in, fan out) of a weight of ``shape``."""
    if len(shape) < 2:
        n = float(shape[0]) if shape else 1.0
        return n, n
    field = float(math.prod(shape[:-2]))
    return shape[-2] * field, shape[-1] * field


def _uniform(shape: tuple[int, ...], low: float, high: float, seed: int) -> NDArray[Any]:
    from flyball import functional

    return functional.random_uniform(shape, low, high, seed=seed, stream=STREAM, dtype=np.float64)


def _normal(shape: tuple[int, ...], mean: float, stddev: float, seed: int) -> NDArray[Any]:
    from flyball import functional

    return functional.random_normal(shape, mean, stddev, seed=seed, stream=STREAM, dtype=np.float64)


def _truncated(shape: tuple[int, ...], mean: float, stddev: float, seed: int) -> NDArray[Any]:
    from flyball import functional

    return functional.random_truncated_normal(shape, mean, stddev, seed=seed, stream=STREAM, dtype=np.float64)


def _seed(seed: object) -> int | None:
    if seed is None:
        return None
    value = _checks.integer("seed", seed)
    if value >= 2**64:
        _checks.refuse("seed", "in [0, 2**64)", seed)
    return value


_names: dict[str, type[Initializer]] = {
    "zeros": Zeros,
    "ones": Ones,
    "constant": Constant,
    "random_normal": RandomNormal,
    "random_uniform": RandomUniform,
    "truncated_normal": TruncatedNormal,
    "variance_scaling": VarianceScaling,
    "glorot_uniform": GlorotUniform,
    "glorot_normal": GlorotNormal,
    "he_uniform": HeUniform,
    "he_normal": HeNormal,
    "lecun_uniform": LecunUniform,
    "lecun_normal": LecunNormal,
    "orthogonal": Orthogonal,
    "identity": Identity,
    "zero": Zeros,
    "one": Ones,
    "normal": RandomNormal,
    "uniform": RandomUniform,
    "orthogonal_initializer": Orthogonal,
    "identity_initializer": Identity,
}
REGISTRY: Registry[Initializer] = Registry("initializer", Initializer, _names)
REGISTRY.classes["_Function"] = _Function  # in files


def get(identifier: object, argument: str = "initializer") -> Initializer:
    """Return the initializer that ``identifier`` stands for.

    Parameters
    ----------
    identifier : str, Initializer, type, dict or callable
        A name in any spelling (``"he_normal"``, ``"HeNormal"``), an initializer, its class, its configuration, or a
        function ``f(shape, dtype=...)`` that returns an array.
    argument : str
        What errors call the value.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if callable(identifier) and not isinstance(identifier, (type, Initializer)):
        return _Function(identifier)
    return REGISTRY.get(identifier, argument)


zeros, ones, constant = Zeros, Ones, Constant
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling = VarianceScaling
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
he_uniform, he_normal = HeUniform, HeNormal
lecun_uniform, lecun_normal = LecunUniform, LecunNormal
orthogonal, identity = Orthogonal, Identity
