"""The experiment behind docs/regularisation.md: it runs, and its statistics are those it names."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[1] / "bench" / "regularisation.py"
PAGE = Path(__file__).parents[1] / "docs" / "regularisation.md"

pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="needs a checkout")


def test_a_quick_run_fills_the_page_and_draws(tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    page = tmp_path / "page.md"
    page.write_text(re.sub(r"\n\|.*", "", PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    command = [sys.executable, "-W", "error", str(SCRIPT), "--quick", "--seeds", "2", "--jobs", "1"]
    outputs = ["--page", str(page), "--picture", str(tmp_path / "picture.png"), "--json", str(tmp_path / "runs.json")]
    done = subprocess.run([*command, *outputs], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "picture.png").stat().st_size > 10_000
    runs = json.loads((tmp_path / "runs.json").read_text(encoding="utf-8"))
    assert {name: len(seeds) for name, seeds in runs.items()} == dict.fromkeys(
        ("digits", "breast cancer", "wine", "diabetes"), 2
    )
    assert "shifts of images" in runs["digits"][0]
    assert "shifts of images" not in runs["wine"][0]
    assert "label smoothing" not in runs["diabetes"][0]
    text = page.read_text(encoding="utf-8")
    scores = np.array([run["dropout"]["score"] for run in runs["wine"]])
    row = re.search(r"<!-- wine -->.*?(\| dropout \|.*?)\n", text, re.DOTALL)[1]
    assert f"| {scores.mean():.1f} ± {scores.std(ddof=1):.1f} |" in row
    assert text.count("| none |") == 4


def test_the_page_has_what_was_measured():
    text = PAGE.read_text(encoding="utf-8")
    for name in ("digits", "breast cancer", "wine", "diabetes"):
        rows = re.search(f"<!-- {name} -->(.*?)<!-- end of {name} -->", text, re.DOTALL)[1].strip().splitlines()
        assert len(rows) >= 2 + 13, name


def test_intervals_are_students(monkeypatch):
    stats = pytest.importorskip("scipy.stats")
    pytest.importorskip("sklearn")
    spec = importlib.util.spec_from_file_location("regularisation", SCRIPT)
    experiment = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "regularisation", experiment)
    spec.loader.exec_module(experiment)
    rng = np.random.default_rng(0)
    base, other = rng.normal(90, 2, 10), rng.normal(91, 2, 10)
    runs = [{"none": {"score": a}, "dropout": {"score": b}} for a, b in zip(base, other, strict=True)]
    found = experiment.summary(runs, "dropout", "score")
    low, high = stats.ttest_rel(other, base).confidence_interval(0.95)
    np.testing.assert_allclose(found["difference"] - found["half"], low)
    np.testing.assert_allclose(found["difference"] + found["half"], high)
    assert found["mean"] == pytest.approx(other.mean())
    worse = {"difference": -2.0, "half": 1.0}
    better = {"difference": 2.0, "half": 1.0}
    neither = {"difference": 0.5, "half": 1.0}
    assert experiment.verdict(better, better) == "score better, loss worse"
    assert experiment.verdict(worse, neither) == "score worse"
    assert experiment.verdict(neither, neither) == "no difference"
