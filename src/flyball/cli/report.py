"""What is printed and what is written as JSON."""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from importlib import metadata
from typing import TYPE_CHECKING, Any

import flyball
from flyball.cli.files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def table(rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows of texts in columns, the first row being the head; all but the first column flush right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def spread(values: Sequence[float], digits: int = 4) -> str:
    """Mean, with the standard deviation over several runs."""
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} +- {statistics.stdev(values):.{digits}f}"


def environment(backend: str) -> dict[str, Any]:
    """What the figures depend on: versions, build, threads, processor."""
    import numpy as np

    return {
        "flyball": flyball.__version__,
        "build": flyball.build_info(),
        "backend": backend,
        "threads": flyball.get_num_threads(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
    }


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def seconds(self) -> float:
        """Seconds since it was made."""
        return time.perf_counter() - self._start


def version_of(package: str) -> str:
    """Version of an installed package."""
    return metadata.version(package)


def write_json(path: Path, figures: dict[str, Any]) -> None:
    """Write the figures, complete or not at all."""
    text = json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(path) as beside:
        beside.write_text(text + "\n", encoding="utf-8")


def say(text: str = "") -> None:
    """Print a line of the report."""
    print(text, flush=True)


def remark(text: str) -> None:
    """Print a line that is not part of the result, to stderr."""
    print(text, file=sys.stderr, flush=True)
