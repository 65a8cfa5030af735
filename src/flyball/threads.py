"""How many threads the native backend may use."""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from flyball import _checks, _core

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["default_num_threads", "get_num_threads", "set_num_threads"]

MAX_THREADS = 1024


def set_num_threads(threads: int) -> None:
    """Let the native backend use up to ``threads`` threads; results are the same bits for any number.

    Small operations take fewer: a thread has to be worth its start.

    Parameters
    ----------
    threads : int
        In [1, 1024]. More than the cores there are is slower, not wrong.
    """
    threads = _checks.integer("threads", threads, 1)
    if threads > MAX_THREADS:
        _checks.refuse("threads", f"at most {MAX_THREADS}", threads)
    _core.set_num_threads(threads)


def get_num_threads() -> int:
    """Return the largest number of threads the native backend uses."""
    return _core.get_num_threads()


def default_num_threads() -> int:
    """Return what :func:`set_num_threads` is called with at import.

    ``FLYBALL_NUM_THREADS``, else the first number of ``OMP_NUM_THREADS``, else the CPUs that the process may run on,
    less where a control group's quota is smaller. A value that is no such number is warned about and passed over.
    """
    for variable in ("FLYBALL_NUM_THREADS", "OMP_NUM_THREADS"):
        text = os.environ.get(variable, "").strip()
        if not text:
            continue
        first = text.split(",")[0].strip() if variable == "OMP_NUM_THREADS" else text
        if first.isascii() and first.isdigit() and 1 <= int(first[:9]) <= MAX_THREADS:
            return int(first[:9])
        msg = f"{variable} must be an integer in [1, {MAX_THREADS}], got {text!r}; it is ignored"
        warnings.warn(msg, RuntimeWarning, stacklevel=2)
    return min(_cpus(), cgroup_cpus() or MAX_THREADS, MAX_THREADS)


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cgroup_cpus(root: Path = Path("/")) -> int | None:
    """Return the CPUs that Linux control groups (version 1 or 2) grant this process, rounded up; None without a quota.

    A group's quota holds for the groups below it too, so the smallest on the way up counts.
    """
    quotas = list(_quotas(root))
    return max(1, math.ceil(min(quotas))) if quotas else None


def _quotas(root: Path) -> Iterator[float]:
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2) if line.count(":") >= 2 else ("", "?", "")
        for folder in _upwards(root / "sys/fs/cgroup" / controllers, group):
            if not controllers:  # version 2
                limit = _read(folder / "cpu.max").split()
            elif "cpu" in controllers.split(","):
                limit = [_read(folder / name).strip() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")]
            else:
                break
            if len(limit) == 2 and all(text.isdigit() and int(text) for text in limit):
                yield int(limit[0]) / int(limit[1])


def _upwards(mount: Path, group: str) -> Iterator[Path]:
    # Inside a container the group's path may be the host's, of which only the mount's root can be seen.
    parts = [part for part in group.split("/") if part not in {"", ".."}]
    for length in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:length])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
