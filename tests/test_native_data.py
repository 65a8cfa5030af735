"""Gathering of rows and totals of the native backend against NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from flyball import _core

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("each_level")
DTYPES = [np.float32, np.float64]
SOURCES = ["f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]
COLUMNS = [0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 101, 784]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("c", COLUMNS)
def test_gather(c: int, source: str, dtype: Any) -> None:
    rng = np.random.default_rng(c)
    x = np.frombuffer(rng.bytes(23 * c * 8), "i8").astype(source).reshape(23, c)
    if source in ("f4", "f8"):
        x = rng.normal(size=(23, c)).astype(source)
    rows = rng.integers(0, 23, 40)
    buffer = np.full(40 * c + 64, 7, dtype)
    out = buffer[32 : 32 + 40 * c].reshape(40, c)
    _core.gather(out, x, rows)
    np.testing.assert_array_equal(out, x[rows].astype(dtype))
    assert (buffer[:32] == 7).all()
    assert (buffer[-32:] == 7).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_gather_of_rows_that_lie_apart(dtype: Any, tmp_path: Path) -> None:
    wide = np.arange(20 * 12, dtype=np.int16).reshape(20, 12)
    np.save(tmp_path / "x.npy", wide)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    rows = np.array([19, 0, 0, 7])
    out = np.empty((4, 5), dtype)
    for x in (wide[:, 3:8], mapped[:, 3:8]):
        _core.gather(out, x, rows)
        np.testing.assert_array_equal(out, wide[rows, 3:8])
    _core.gather(out, wide[::-2, 3:8], np.array([9, 0, 0, 7]))
    np.testing.assert_array_equal(out, wide[::-2, 3:8][[9, 0, 0, 7]])
    _core.gather(out, np.broadcast_to(wide[0, :5], (20, 5)), rows)
    np.testing.assert_array_equal(out, wide[[0] * 4, :5])


@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_share_the_rows(dtype: Any) -> None:
    x = np.random.default_rng(0).integers(0, 255, (997, 64)).astype(np.uint8)
    rows = np.random.default_rng(1).permutation(997)
    for threads in (1, 2, 3):
        _core.set_num_threads(threads)
        out = np.empty((997, 64), dtype)
        _core.gather(out, x, rows)
        np.testing.assert_array_equal(out, x[rows])


def test_nothing_to_gather() -> None:
    _core.gather(np.empty((0, 3), np.float32), np.empty((4, 3), np.float32), np.empty(0, np.int64))
    _core.gather(np.empty((0, 3), np.float32), np.empty((0, 3), np.uint8), np.empty(0, np.int64))
    with pytest.raises(ValueError, match=r"^rows must be in \[0, 0\), got 0 at position 0$"):
        _core.gather(np.empty((1, 3), np.float32), np.empty((0, 3), np.uint8), np.zeros(1, np.int64))


@pytest.mark.parametrize("row", [-1, 4, 2**62, -(2**63)])
def test_rows_out_of_range_change_nothing(row: int) -> None:
    out = np.full((3, 2), 5, np.float32)
    with pytest.raises(ValueError, match=rf"^rows must be in \[0, 4\), got {row} at position 1$"):
        _core.gather(out, np.zeros((4, 2), np.float32), np.array([0, row, 1]))
    assert (out == 5).all()


def test_sources_are_refused() -> None:
    rows = np.zeros(2, np.int64)
    out = np.empty((2, 3), np.float32)
    refused: list[Any] = [
        np.zeros((4, 3), np.float16),
        np.zeros((4, 3), ">f4"),
        np.zeros((4, 3), np.complex64),
        np.zeros((4, 3), "U1"),
        np.zeros((4, 3), "M8[s]"),
        np.zeros((3, 4), np.float32).T,
        np.zeros((4, 6), np.float32)[:, ::2],
        np.zeros(4, [("flag", "u1"), ("row", "f4", 3)])["row"],
    ]
    for x in refused:
        with pytest.raises(ValueError, match=r"^x must have rows of consecutive, aligned elements"):
            _core.gather(out, x, rows)
    with pytest.raises(ValueError, match="rows must be a C-contiguous int64 array"):
        _core.gather(out, np.zeros((4, 3), np.float32), np.zeros(2, np.int32))
    with pytest.raises(ValueError, match="x must have 2 dimensions"):
        _core.gather(out, np.zeros(4, np.float32), rows)
    x = np.zeros((4, 3), np.float32)
    with pytest.raises(ValueError, match=r"^out must not overlap x$"):
        _core.gather(x[:2], x, rows)


@pytest.mark.parametrize("scale", [1.0, 0.25, 1 / 3])
@pytest.mark.parametrize("count", [0, 1, 7, 1000])
def test_add_total(count: int, scale: float) -> None:
    values = np.random.default_rng(count).normal(size=count)
    total = np.array([0.5])
    _core.add_total(total, values, scale)
    expected = 0.0
    for value in values:
        expected += value
    assert total[0] == pytest.approx(0.5 + scale * expected, rel=1e-15, abs=1e-15)
    with pytest.raises(ValueError, match=r"^total must not overlap values$"):
        _core.add_total(total, total, 1.0)
