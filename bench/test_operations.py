"""Native against reference, operation by operation. A result is compared before it is timed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cases import CASES, Case
from conftest import RATIOS

from flyball import _core, reference
from flyball.backend import OPERATIONS

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

BACKENDS = {"reference": reference, "native": _core}
TOLERANCE = {"float32": {"rtol": 1e-3, "atol": 1e-4}, "float64": {"rtol": 1e-10, "atol": 1e-11}}

_fastest: dict[str, float] = {}


def run(backend: Any, case: Case, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Arguments after one call on ``backend``."""
    arguments = case.arguments(dtype)
    getattr(backend, case.operation)(*arguments.values())
    return arguments


def test_every_operation_has_a_case() -> None:
    assert {case.operation for case in CASES} == set(OPERATIONS)


@pytest.mark.benchmark(max_time=0.2, min_rounds=5, warmup=True, warmup_iterations=1)
@pytest.mark.parametrize("backend", BACKENDS)  # in turn: reference, then native, case by case
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_operation(benchmark: BenchmarkFixture, case: Case, dtype: str, backend: str) -> None:
    name = f"{case.id}-{dtype}"
    scalar = np.dtype(dtype)
    if backend == "native":
        expected, actual = run(reference, case, scalar), run(_core, case, scalar)
        for output in case.writes:
            np.testing.assert_allclose(
                actual[output], expected[output], err_msg=f"{name}: {output}", **TOLERANCE[dtype]
            )
    benchmark.group = name
    arguments = case.arguments(scalar)
    benchmark(partial(getattr(BACKENDS[backend], case.operation), *arguments.values()))
    if benchmark.stats is None:  # --benchmark-disable
        return
    _fastest[backend] = benchmark.stats.stats.min
    if backend == "native" and "reference" in _fastest:
        benchmark.extra_info["ratio"] = _fastest["reference"] / _fastest["native"]
        RATIOS.append((name, _fastest.pop("reference"), _fastest.pop("native")))
