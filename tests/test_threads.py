"""The number of threads: environment, control groups, affinity."""

from __future__ import annotations

import os
import re

import pytest

import flyball
from flyball import threads


@pytest.fixture
def _restored():
    before = flyball.get_num_threads()
    yield
    flyball.set_num_threads(before)


@pytest.mark.usefixtures("_restored")
def test_set_and_get():
    flyball.set_num_threads(3)
    assert flyball.get_num_threads() == 3
    assert flyball.build_info()["threads"] == 3


@pytest.mark.parametrize(
    ("value", "expectation"),
    [
        (0, "a positive integer"),
        (-2, "a positive integer"),
        (1.5, "a positive integer"),
        (True, "a positive integer"),
        ("4", "a positive integer"),
        (None, "a positive integer"),
        (2**40, "at most 1024"),
    ],
)
def test_bad_numbers(value, expectation):
    before = flyball.get_num_threads()
    with pytest.raises(ValueError, match=re.escape(f"threads must be {expectation}, got {value!r}")):
        flyball.set_num_threads(value)
    assert flyball.get_num_threads() == before


@pytest.fixture
def environment(monkeypatch):
    def set_to(flyball_threads=None, omp_threads=None):
        for name, value in (("FLYBALL_NUM_THREADS", flyball_threads), ("OMP_NUM_THREADS", omp_threads)):
            monkeypatch.delenv(name, raising=False)
            if value is not None:
                monkeypatch.setenv(name, value)

    monkeypatch.setattr(threads, "_cpus", lambda: 16)
    monkeypatch.setattr(threads, "cgroup_cpus", lambda: None)
    return set_to


@pytest.mark.parametrize(
    ("own", "omp", "expected"),
    [
        (None, None, 16),
        ("5", "3", 5),
        (None, "3", 3),
        ("", "3", 3),
        (None, "4,2,1", 4),
        (" 6 ", None, 6),
        ("1024", None, 1024),
    ],
)
def test_environment(environment, own, omp, expected):
    environment(own, omp)
    assert threads.default_num_threads() == expected


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "4,2", "99999999999999999999", "²"])
def test_a_wrong_variable_is_warned_about(environment, value):
    environment(value, "3")
    with pytest.warns(
        RuntimeWarning, match=re.escape(f"FLYBALL_NUM_THREADS must be an integer in [1, 1024], got {value!r}")
    ):
        assert threads.default_num_threads() == 3


def test_a_quota_lowers_the_default(environment, monkeypatch):
    environment()
    monkeypatch.setattr(threads, "cgroup_cpus", lambda: 2)
    assert threads.default_num_threads() == 2
    monkeypatch.setattr(threads, "cgroup_cpus", lambda: 64)
    assert threads.default_num_threads() == 16


def files(root, contents):
    for path, text in contents.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


V1 = "sys/fs/cgroup/cpu,cpuacct"


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "300000 100000\n"}, 3),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/cpu.max": "800000 100000\n",
                "sys/fs/cgroup/a/cpu.max": "200000 100000\n",
            },
            2,
        ),
        ({"proc/self/cgroup": "0::/../other\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1),
        (
            {
                "proc/self/cgroup": "7:memory:/x\n3:cpu,cpuacct:/x\n",
                f"{V1}/x/cpu.cfs_quota_us": "400000\n",
                f"{V1}/x/cpu.cfs_period_us": "100000\n",
            },
            4,
        ),
        (
            {
                "proc/self/cgroup": "3:cpu,cpuacct:/x\n",
                f"{V1}/x/cpu.cfs_quota_us": "-1\n",
                f"{V1}/x/cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
        ({"proc/self/cgroup": "garbage\n::\n0::\n", "sys/fs/cgroup/cpu.max": "x y z\n"}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 0\n"}, None),
    ],
)
def test_control_groups(tmp_path, contents, expected):
    assert threads.cgroup_cpus(files(tmp_path, contents)) == expected


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="affinity is Linux's")
def test_affinity_counts(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 5, 7})
    monkeypatch.setattr(threads, "cgroup_cpus", lambda: None)
    monkeypatch.delenv("FLYBALL_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert threads.default_num_threads() == 3
