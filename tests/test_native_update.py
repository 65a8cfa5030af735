"""Updates of the native backend against the formulas in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from flyball import _core
from flyball import functional as F
from flyball.backend import backend_scope

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytestmark = pytest.mark.usefixtures("each_level")
DTYPES = [np.float32, np.float64]
# Around every vector's width, primes, and around a block of 2048.
COUNTS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 101, 2047, 2048, 2049, 6151]
TAIL = (False, np.inf, False)
"""No proximal step, no clipping."""
PENALTIES = [(0.0, 0.0, 0.0), (0.0, 0.03, 0.0), (0.02, 0.0, 0.0), (0.02, 0.03, 0.1)]


def arrays_of(count: int, number: int, dtype: Any) -> list[NDArray[Any]]:
    """Random arrays inside guards of sevens; the first, the weights, holds zeros too."""
    rng = np.random.default_rng(count)
    arrays = []
    for _ in range(number):
        buffer = np.full(count + 64, 7, dtype)
        buffer[32 : 32 + count] = rng.normal(size=count)
        arrays.append(buffer[32 : 32 + count])
    arrays[0][::5] = 0
    return arrays


def assert_guards(arrays: list[NDArray[Any]]) -> None:
    """Nothing was written outside the arrays."""
    for array in arrays:
        assert isinstance(array.base, np.ndarray)
        assert (array.base[:32] == 7).all()
        assert (array.base[-32:] == 7).all()


def penalty_of(w: NDArray[np.float64], l1: float, l2: float) -> float:
    """Penalty of the weights."""
    return float((l1 * np.abs(w) + l2 / 2 * w**2).sum())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("penalties", PENALTIES)
@pytest.mark.parametrize("variant", ["plain", "momentum", "nesterov"])
@pytest.mark.parametrize("count", COUNTS)
def test_sgd(count: int, variant: str, penalties: tuple[float, float, float], dtype: Any) -> None:
    l1, l2, decay = penalties
    rate, momentum = 0.1, 0.9
    w, velocity, g = arrays_of(count, 3, dtype)
    wide_w, wide_velocity, wide_g = (array.astype(np.float64) for array in (w, velocity, g))
    gradient = wide_g + l1 * np.sign(wide_w) + l2 * wide_w
    if variant == "plain":
        step = -rate * gradient
    else:
        wide_velocity = momentum * wide_velocity - rate * gradient
        step = momentum * wide_velocity - rate * gradient if variant == "nesterov" else wide_velocity
    expected = wide_w * (1 - rate * decay) + step
    first = w.copy()
    scalars = (g, None, rate, momentum, variant == "nesterov", l1, l2, decay, *TAIL)
    penalty = np.array([2.0])
    _core.sgd_update(w, None if variant == "plain" else velocity, penalty, *scalars)
    assert_guards([w, velocity, g])
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(w, expected, rtol=4 * eps, atol=4 * eps)
    np.testing.assert_allclose(velocity, wide_velocity, rtol=4 * eps, atol=4 * eps)
    np.testing.assert_allclose(penalty, 2 + penalty_of(wide_w, l1, l2), rtol=4 * eps)

    again = first.copy()
    _core.sgd_update(again, None if variant == "plain" else arrays_of(count, 3, dtype)[1], None, *scalars)
    # Without the sum the compiler may fuse another product into its addition: a rounding.
    np.testing.assert_allclose(again, w, rtol=2 * eps, atol=2 * eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("penalties", PENALTIES)
@pytest.mark.parametrize("count", COUNTS)
def test_adam(count: int, penalties: tuple[float, float, float], dtype: Any) -> None:
    l1, l2, decay = penalties
    rate, beta_1, beta_2, epsilon, step = 0.01, 0.9, 0.999, 1e-7, 3
    w, m, v, g = arrays_of(count, 4, dtype)
    np.abs(v, out=v)
    wide_w, wide_m, wide_v, wide_g = (array.astype(np.float64) for array in (w, m, v, g))
    gradient = wide_g + l1 * np.sign(wide_w) + l2 * wide_w
    wide_m += (1 - beta_1) * (gradient - wide_m)
    wide_v += (1 - beta_2) * (gradient**2 - wide_v)
    a = rate * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
    expected = wide_w * (1 - rate * decay) - a * wide_m / (np.sqrt(wide_v) + epsilon)
    first = [array.copy() for array in (w, m, v)]
    penalty = np.array([2.0])
    scalars = (None, penalty, g, None, rate, beta_1, beta_2, epsilon, step, False, l1, l2, decay, *TAIL)
    _core.adam_update(w, m, v, *scalars)
    assert_guards([w, m, v, g])
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(m, wide_m, rtol=4 * eps, atol=4 * eps)
    np.testing.assert_allclose(v, wide_v, rtol=4 * eps, atol=4 * eps)
    np.testing.assert_allclose(w, expected, rtol=8 * eps, atol=8 * eps)
    np.testing.assert_allclose(penalty, 2 + penalty_of(wide_w, l1, l2), rtol=4 * eps)

    again_w, again_m, again_v = first
    _core.adam_update(again_w, again_m, again_v, None, None, *scalars[2:])
    for got, want in zip(first, (w, m, v), strict=True):
        np.testing.assert_allclose(got, want, rtol=4 * eps, atol=4 * eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_adam_of_nothing_moves_nothing(dtype: Any) -> None:
    w, m, v, g = np.ones(9, dtype), np.zeros(9, dtype), np.zeros(9, dtype), np.zeros(9, dtype)
    _core.adam_update(w, m, v, None, None, g, None, 0.1, 0.9, 0.999, 1e-7, 1, False, 0.0, 0.0, 0.0, *TAIL)
    np.testing.assert_array_equal(w, 1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_first_step_of_adam_is_the_learning_rate(dtype: Any) -> None:
    w, m, v = np.zeros(9, dtype), np.zeros(9, dtype), np.zeros(9, dtype)
    g = np.linspace(1, 5, 9).astype(dtype)
    _core.adam_update(w, m, v, None, None, g, None, 0.1, 0.9, 0.999, 0.0, 1, False, 0.0, 0.0, 0.0, *TAIL)
    np.testing.assert_allclose(w, -0.1, rtol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sign_of_zero_and_nan(dtype: Any) -> None:
    w = np.array([0.0, -0.0, np.nan, 2.0, -2.0], dtype)
    _core.sgd_update(w, None, None, np.zeros(5, dtype), None, 1.0, 0.0, False, 0.5, 0.0, 0.0, *TAIL)
    np.testing.assert_array_equal(w, np.array([0, 0, np.nan, 1.5, -1.5], dtype))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("operation", "states", "options"),
    [
        (F.adam_update, 2, {"step": 1}),
        (F.rmsprop_update, 1, {}),
        (F.adagrad_update, 1, {}),
        (F.adamax_update, 2, {"step": 1}),
        (F.adadelta_update, 2, {}),
    ],
)
def test_quotients_of_what_is_not_finite(operation: Any, states: int, options: dict[str, Any], dtype: Any) -> None:
    largest, least = float(np.finfo(dtype).max), float(np.finfo(dtype).tiny)
    numbers = np.array([0, 1, -1, largest, -largest, least, np.inf, -np.inf, np.nan], dtype)
    g, state = (part.ravel() for part in np.meshgrid(numbers, np.abs(numbers)))
    found = []
    for backend in ("native", "reference"):
        w = np.ones_like(g)
        with backend_scope(backend):
            operation(w, g, *(state.copy() for _ in range(states)), epsilon=1e-30, **options)
        found.append(w)
    assert not np.isfinite(found[1]).all()
    np.testing.assert_allclose(*found, rtol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_penalty_is_summed_in_double(dtype: Any) -> None:
    count = 100_003
    w, g = np.full(count, 0.1, dtype), np.zeros(count, dtype)
    penalty = np.zeros(1)
    _core.sgd_update(w.copy(), None, penalty, g, None, 0.1, 0.0, False, 1.0, 0.0, 0.0, *TAIL)
    np.testing.assert_allclose(penalty[0], count * float(dtype(0.1)), rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads(dtype: Any) -> None:
    results = []
    for threads in (1, 2, 3):
        _core.set_num_threads(threads)
        w, m, v, g = arrays_of(50_021, 4, dtype)
        np.abs(v, out=v)
        penalty = np.zeros(1)
        for step in range(1, 4):
            _core.adam_update(
                w, m, v, None, penalty, g, None, 0.01, 0.9, 0.999, 1e-7, step, False, 0.01, 0.02, 0.1, *TAIL
            )
            _core.sgd_update(w, m, penalty, g, None, 0.01, 0.9, True, 0.01, 0.02, 0.1, *TAIL)
        results.append([array.tobytes() for array in (w, m, v, penalty)])
    assert results[0] == results[1] == results[2]


UPDATES: dict[str, tuple[int, tuple[Any, ...], tuple[Any, ...]]] = {
    "sgd_update": (1, (), (1e-2, 0.9, True)),
    "adam_update": (2, (None,), (1e-2, 0.9, 0.999, 1e-7, 3, False)),
    "rmsprop_update": (1, (None, None), (1e-2, 0.9, 0.0, 1e-7, False)),
    "adagrad_update": (1, (), (1e-2, 1e-7, True)),
}
"""Arrays of state, what is absent, and scalars before the penalties."""


@pytest.mark.parametrize(("dtype", "penalised"), [(np.float32, True), (np.float64, False)])
@pytest.mark.parametrize("name", UPDATES)
def test_what_no_cache_holds_is_updated_as_what_one_does(name: str, penalised: bool, dtype: Any) -> None:
    """Arrays of more than 40 MiB have a loop of their own, which asks ahead; their parts have the usual one."""
    states, absent, scalars = UPDATES[name]
    count = (42 << 20) // np.dtype(dtype).itemsize + 3
    w, *state, g = (np.resize(np.random.default_rng(i).random(9973).astype(dtype), count) for i in range(states + 2))
    w -= 0.5
    tail = (1e-3, 1e-2, 1e-2, False, 0.4, False) if penalised else (0.0, 1e-2, 0.0, False, np.inf, False)
    total, parts = np.zeros(1), np.zeros(1)
    expected = [array.copy() for array in (w, *state)]
    update, middle = getattr(_core, name), 3 << 20
    for part in (slice(middle), slice(middle, count)):
        given = [*(array[part] for array in expected), *absent, parts if penalised else None]
        update(*given, g[part], None, *scalars, *tail)
    update(w, *state, *absent, total if penalised else None, g, None, *scalars, *tail)
    for found, wanted in zip((w, *state), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert total == pytest.approx(parts, rel=1e-12)


def test_overlaps_are_refused() -> None:
    base = np.zeros(40)
    w, m, v, g = base[:8], base[8:16], base[16:24], base[24:32]
    adam = (None, 0.1, 0.9, 0.999, 1e-7, 1, False, 0.0, 0.0, 0.0, *TAIL)
    sgd = (None, 0.1, 0.9, False, 0.0, 0.0, 0.0, *TAIL)
    _core.adam_update(w, m, v, None, base[32:33], g, *adam)
    with pytest.raises(ValueError, match=r"^w must not overlap m$"):
        _core.adam_update(w, w, v, None, None, g, *adam)
    with pytest.raises(ValueError, match=r"^v must not overlap g$"):
        _core.adam_update(w, m, v, None, None, base[20:28], *adam)
    with pytest.raises(ValueError, match=r"^w must not overlap g$"):
        _core.sgd_update(w, None, None, w, *sgd)
    with pytest.raises(ValueError, match=r"^penalty must not overlap g$"):
        _core.sgd_update(w, m, base[31:32], g, *sgd)


def test_wrong_arrays_are_refused() -> None:
    w = np.zeros(4, np.float32)
    with pytest.raises(ValueError, match=r"g must be a C-contiguous float32 array of shape \(4,\)"):
        _core.sgd_update(w, None, None, np.zeros(5, np.float32), None, 0.1, 0.0, False, 0.0, 0.0, 0.0, *TAIL)
    with pytest.raises(ValueError, match=r"penalty must be a C-contiguous float64 array of shape \(1,\)"):
        _core.sgd_update(w, None, np.zeros(2), np.zeros(4, np.float32), None, 0.1, 0.0, False, 0.0, 0.0, 0.0, *TAIL)
    w.setflags(write=False)
    with pytest.raises(ValueError, match="w must be writeable"):
        _core.sgd_update(w, None, None, np.zeros(4, np.float32), None, 0.1, 0.0, False, 0.0, 0.0, 0.0, *TAIL)
