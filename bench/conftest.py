"""Settings of the benchmarks: threads, build information, and the table of ratios at the end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from threadpoolctl import threadpool_limits

from flyball import _core

if TYPE_CHECKING:
    from collections.abc import Iterator

RATIOS: list[tuple[str, float, float]] = []
"""Case, seconds of the reference, seconds of the native backend."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--threads",
        type=int,
        default=min(2, os.cpu_count() or 1),
        help="threads of both backends (default: 2, or 1 where there is one)",
    )


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    _core.set_num_threads(config.getoption("--threads"))
    machine_info["flyball"] = _core.build_info()


@pytest.fixture(scope="session", autouse=True)
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """Fix the threads of flyball and of NumPy's BLAS."""
    count: int = request.config.getoption("--threads")
    _core.set_num_threads(count)
    with threadpool_limits(count):
        yield count


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not RATIOS:
        return
    write = terminalreporter.write_line
    terminalreporter.section("native against reference (fastest round of each)")
    width = max(len(case) for case, _, _ in RATIOS)
    write(f"{'':{width}}  {'reference us':>12}  {'native us':>12}  {'ratio':>8}")
    for case, reference, native in RATIOS:
        write(f"{case:{width}}  {reference * 1e6:12.1f}  {native * 1e6:12.1f}  {reference / native:8.1f}")
    write(f"{_core.build_info()}")
