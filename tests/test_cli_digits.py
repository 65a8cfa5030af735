"""``info`` and ``train digits``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import flyball
from flyball.backend import get_backend
from flyball.cli import plotting
from flyball.cli.main import main
from flyball.cli.networks import Run
from flyball.cli.progress import EpochLine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a short run of both networks over two seeds writes."""
    pytest.importorskip("sklearn")
    path = tmp_path_factory.mktemp("digits") / "digits.json"
    assert main(["train", "digits", "--epochs", "8", "--seeds", "2", "--json", str(path)]) == 0
    written: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return written


def test_both_networks_learn(figures: dict[str, Any]) -> None:
    for name in ("plain", "regularised"):
        summary = figures["networks"][name]
        assert [run["seed"] for run in summary["runs"]] == [0, 1]
        assert summary["test_accuracy"] == np.mean([run["test_accuracy"] for run in summary["runs"]])
        assert summary["test_accuracy"] > 0.9
        assert summary["gap"] == pytest.approx(summary["train_accuracy"] - summary["test_accuracy"])
        for run in summary["runs"]:
            assert set(run["history"]) == {"loss", "accuracy", "val_loss", "val_accuracy"}
            assert len(run["history"]["loss"]) == run["epochs"] == 8
    for run in figures["networks"]["regularised"]["runs"]:
        # The weights are those of the best epoch, whose accuracy on the validation part was recorded then.
        assert run["validation_accuracy"] == pytest.approx(run["history"]["val_accuracy"][run["best_epoch"] - 1])
    assert figures["environment"]["build"] == json.loads(json.dumps(flyball.build_info()))


def test_backends_train_alike(figures: dict[str, Any]) -> None:
    if get_backend().name != "native":
        assert figures["speed"] is None
        return
    speed = figures["speed"]
    assert speed["loss_disagreement"] < 1e-4
    assert speed["ratio"] == pytest.approx(speed["reference_seconds"] / speed["native_seconds"])
    assert speed["steps"] == 80


def test_report_and_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    arguments = ["train", "digits", "--epochs", "2", "--seeds", "1", "--seed", "3", "--backend", "reference"]
    before = get_backend().name
    try:
        assert main([*arguments, "--plot", str(tmp_path / "curves.png")]) == 0
    finally:
        flyball.use_backend(before)
    out = capsys.readouterr().out
    assert "1169 to train on, 269 to validate, 359 to test" in out
    assert "seed 3, backend reference" in out
    assert [line.split()[0] for line in out.splitlines() if line.startswith(("plain", "regularised "))] == [
        "plain",
        "regularised",
    ]
    assert "Speed:" not in out
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--target", "y"], "--target must be left out for digits, got 'y'"),
        (["--model", "m.safetensors"], "--model must be left out for digits, got"),
        (["--test-size", "0.5"], "--test-size must be left out for digits, got 0.5"),
        (["--seeds", "0"], "--seeds must be an integer from 1 to 1000, got '0'"),
    ],
)
def test_options_of_tables_are_refused(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "digits", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"error: {expected}")


def test_missing_scikit_learn_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert main(["train", "digits"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: train digits needs sklearn, which cannot be imported")
    assert 'pip install "flyball[demo]"' in error
    assert error.count("\n") == 1


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(flyball.build_info()))
    assert main(["info"]) == 0
    assert f"version:        {flyball.__version__}" in capsys.readouterr().out


def test_a_command_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main(["dance"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert all(error.startswith("error: ") and "COMMAND" in error for error in errors)


def test_help_is_quick_and_complete() -> None:
    script = (
        "import sys; from flyball.cli.main import main\ntry: main(['train', '--help'])\nfinally: print(*sys.modules)"
    )
    process = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    for option in ("--target", "--seeds", "--plot", "--json", "--model", "--hidden", "--backend", "--threads"):
        assert option in process.stdout
    assert not {"pandas", "sklearn", "matplotlib"} & set(process.stdout.split())
    environment = os.environ | {"COLUMNS": "80"}
    process = subprocess.run(
        [sys.executable, "-m", "flyball", "--help"], capture_output=True, text=True, check=True, env=environment
    )
    assert "train digits" in process.stdout


def test_curves_of_a_single_epoch_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib.pyplot")
    flat = {"loss": [1.0], "val_loss": [1.0], "accuracy": [0.0], "val_accuracy": [1.0]}
    run = Run("regularised", flyball.Sequential(), flat, 1, 0.0)
    plotting.learning_curves([run], "one epoch", tmp_path / "one.svg")
    assert b"one epoch" in (tmp_path / "one.svg").read_bytes() or b"<svg" in (tmp_path / "one.svg").read_bytes()


def test_progress_is_one_line_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with EpochLine("piped", quiet=False) as line:
        line.on_epoch_end(0, {"loss": 1.0})
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with EpochLine("quiet", quiet=True) as line:
        line.on_epoch_end(0, {"loss": 1.0})
    assert capsys.readouterr().err == ""
    with EpochLine("shown", quiet=False) as line:
        line.on_epoch_end(0, {"loss": 1.0})
    shown = capsys.readouterr().err
    assert "shown: epoch 1, loss 1.0000" in shown
    assert "\n" not in shown
    assert shown.endswith(" \r")
