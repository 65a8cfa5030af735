"""Native against reference on whole training runs: the networks of bench/peers, one epoch inside ``fit``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conftest import RATIOS

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from flyball_peer import build
from tasks import NETWORKS

import flyball

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

STEPS = 20
_fastest: dict[str, float] = {}


def losses(backend: str, network: str, epochs: int) -> list[float]:
    flyball.use_backend(backend)
    sizes = NETWORKS[network]
    x, y = sizes.data(STEPS)
    history = build(sizes).fit(x, y, batch_size=sizes.batch, epochs=epochs, verbose=0)
    values: list[float] = history.history["loss"]
    return values


@pytest.fixture(autouse=True)
def native_afterwards() -> Any:
    yield
    flyball.use_backend("native")


@pytest.mark.benchmark(max_time=1.0, min_rounds=3)
@pytest.mark.parametrize("backend", ["reference", "native"])
@pytest.mark.parametrize("network", NETWORKS)
def test_training(benchmark: BenchmarkFixture, network: str, backend: str) -> None:
    """One epoch of ``STEPS`` steps, after both backends have agreed on the losses of two."""
    if backend == "native":
        np.testing.assert_allclose(losses("native", network, 2), losses("reference", network, 2), rtol=1e-3)
    flyball.use_backend(backend)
    sizes = NETWORKS[network]
    x, y = sizes.data(STEPS)
    model = build(sizes)
    benchmark.group = f"fit-{network}"
    benchmark(lambda: model.fit(x, y, batch_size=sizes.batch, epochs=1, verbose=0))
    if benchmark.stats is None:
        return
    benchmark.extra_info["steps"] = STEPS
    _fastest[backend] = benchmark.stats.stats.min / STEPS
    if backend == "native" and "reference" in _fastest:
        benchmark.extra_info["ratio"] = _fastest["reference"] / _fastest["native"]
        RATIOS.append((f"fit-{network} (one step)", _fastest.pop("reference"), _fastest.pop("native")))
