"""Every operation is in the parity harness, in the benchmarks and on the operations page, and nothing else is."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from parity.cases import OPERATIONS as PARITY

import flyball._core as native
from flyball.backend import ACTIVATIONS, LOSSES, OPERATIONS

ROOT = Path(__file__).parents[1]


@pytest.fixture
def benchmarks(monkeypatch):
    """The cases of ``pytest bench``."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    import cases

    return cases.CASES


def test_parity_harness():
    assert set(PARITY) == set(OPERATIONS)


def test_benchmarks(benchmarks):
    assert {case.operation for case in benchmarks} == set(OPERATIONS)


def test_benchmarks_run(benchmarks):
    for case in {(case.operation, case.label): case for case in reversed(benchmarks)}.values():
        getattr(native, case.operation)(*case.arguments(np.dtype("float32")).values())


def test_operations_page():
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert re.findall(r"^### (\w+)$", page, flags=re.MULTILINE) == list(OPERATIONS)


@pytest.mark.parametrize(
    ("operation", "kinds"),
    [("activation_forward", ACTIVATIONS), ("activation_backward", ACTIVATIONS), ("pointwise_loss", LOSSES)],
)
def test_every_kind_of_an_operation(benchmarks, operation, kinds):
    argument = "loss" if operation == "pointwise_loss" else "activation"
    assert {variant[argument] for variant in PARITY[operation].variants if argument in variant} == set(kinds)
    assert {case.label for case in benchmarks if case.operation == operation} == set(kinds)
