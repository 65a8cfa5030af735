"""``train FILE`` and ``predict``: on real tables, on hostile ones, and on what is no table at all."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pd = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

from flyball.cli.errors import InputError
from flyball.cli.main import main
from flyball.cli.reading import read_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = 240


def mixed_table(seed: int = 0) -> Any:
    """Numbers, booleans, dates and categories, some missing; class and price depend on them."""
    rng = np.random.default_rng(seed)
    size = rng.normal(50, 20, ROWS)
    colour = rng.choice(["rot", "grün", "blau"], ROWS)
    sunny = rng.random(ROWS) < 0.5
    score = size / 20 + (colour == "rot") * 2 - sunny * 1.5
    return pd.DataFrame(
        {
            "größe": np.where(rng.random(ROWS) < 0.1, np.nan, size),
            "colour": np.where(rng.random(ROWS) < 0.1, None, colour),
            "sunny": sunny,
            "day": pd.date_range("2024-01-01", periods=ROWS, freq="31h"),
            "code": [f"c-{i}" for i in range(ROWS)],
            "class": np.where(score > np.median(score), "high", "low, or\nnot high"),
            "price": 1000 * score + 5000,
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the table as CSV and Parquet, and a trained model for each task."""
    path = tmp_path_factory.mktemp("tables")
    table = mixed_table()
    table.to_csv(path / "mixed.csv", index=False)
    table.to_parquet(path / "mixed.parquet", index=False)
    for target, other in (("class", "price"), ("price", "class")):
        arguments = ["--target", target, "--ignore", other, "--model", path / f"{target}.safetensors", "--epochs", 40]
        assert run("train", path / "mixed.csv", *arguments, "--json", path / f"{target}.json", "--hidden", "32") == 0
    return path


def run(*arguments: object) -> int:
    """Run the command line in this process."""
    return main([str(argument) for argument in arguments])


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the command line, expect exit code 2 and one line on stderr, and return it."""

    def call(*arguments: object) -> str:
        assert run(*arguments) == 2
        captured = capsys.readouterr()
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
        return captured.err[len("error: ") :]

    return call


def write(path: Path, text: str | bytes) -> Path:
    """Write a file and return its path."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# --- what works ------------------------------------------------------------------------------------------------------


def test_classification_beats_the_majority(folder: Path) -> None:
    figures = json.loads((folder / "class.json").read_text(encoding="utf-8"))
    assert figures["target"] == {"task": "classification", "name": "class", "classes": ["high", "low, or\nnot high"]}
    assert figures["scores"]["baseline_accuracy"] < 0.6
    assert figures["scores"]["test_accuracy"] > 0.8
    assert figures["data"]["notes"] == [
        "column 'code' is not used: it has 154 different texts in 154 rows, like an identifier"
    ]
    assert sum(figures["data"]["rows"].values()) == ROWS
    assert len(figures["history"]["val_loss"]) == figures["epochs"]
    assert figures["history"]["val_loss"][figures["best_epoch"] - 1] == min(figures["history"]["val_loss"])


def test_regression_beats_the_mean_in_the_target_s_unit(folder: Path) -> None:
    scores = json.loads((folder / "price.json").read_text(encoding="utf-8"))["scores"]
    assert scores["test_rmse"] < 0.6 * scores["baseline_rmse"]
    assert scores["test_mae"] < scores["baseline_mae"]
    assert scores["test_r2"] > 0.6
    assert scores["baseline_r2"] < 0.1
    assert 500 < scores["baseline_rmse"] < 5000


def test_predictions_of_csv_and_parquet_are_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("predict", folder / "class.safetensors", folder / "mixed.csv", "--proba") == 0
    printed = capsys.readouterr().out
    frame = pd.read_csv(io.StringIO(printed))
    assert list(frame.columns) == ["class", "probability of high", "probability of low, or\nnot high"]
    assert (frame["class"] == mixed_table()["class"]).mean() > 0.85
    np.testing.assert_allclose(frame.iloc[:, 1:].sum(axis=1), 1.0, atol=1e-6)
    out = folder / "out.parquet"
    assert run("predict", folder / "class.safetensors", folder / "mixed.parquet", "--proba", "--output", out) == 0
    pd.testing.assert_frame_equal(pd.read_parquet(out), frame, check_dtype=False)


def test_predictions_of_a_regression_are_in_the_target_s_unit(folder: Path) -> None:
    out = folder / "prices.csv"
    assert run("predict", folder / "price.safetensors", folder / "mixed.csv", "--output", out) == 0
    predicted = pd.read_csv(out)["price"]
    assert np.corrcoef(predicted, mixed_table()["price"])[0, 1] > 0.8
    assert abs(predicted.mean() - mixed_table()["price"].mean()) < 500


def test_prediction_survives_other_orders_columns_and_categories(folder: Path, tmp_path: Path) -> None:
    table = mixed_table()
    table["colour"] = "lilac"
    table["size in m"] = 1
    shuffled = table[sorted(table.columns)].drop(columns=["class", "price", "code"])
    shuffled.to_csv(tmp_path / "new.tsv", sep="\t", index=False)
    assert run("predict", folder / "class.safetensors", tmp_path / "new.tsv", "--output", tmp_path / "out.tsv") == 0
    assert set(pd.read_csv(tmp_path / "out.tsv", sep="\t")["class"]) <= {"high", "low, or\nnot high"}


def test_same_seed_same_figures(folder: Path, tmp_path: Path) -> None:
    def history(seed: int) -> Any:
        arguments = ["--target", "class", "--ignore", "price", "--epochs", 3, "--hidden", "16,8", "--seed", seed]
        assert run("train", folder / "mixed.csv", *arguments, "--json", tmp_path / "out.json") == 0
        return json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["history"]

    assert history(1) == history(1)
    assert history(1) != history(2)


@pytest.mark.parametrize(
    ("name", "target", "least"),
    [("breast_cancer", "target", 0.93), ("wine", "target", 0.9), ("diabetes", "target", 0.3)],
)
def test_real_tables(name: str, target: str, least: float, tmp_path: Path) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    getattr(datasets, f"load_{name}")(as_frame=True).frame.to_csv(tmp_path / f"{name}.csv", index=False)
    arguments = ["--target", target, "--epochs", 60, "--json", tmp_path / "out.json"]
    assert run("train", tmp_path / f"{name}.csv", *arguments) == 0
    scores = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["scores"]
    assert scores["test_r2" if name == "diabetes" else "test_accuracy"] >= least


def test_windows_line_ends_semicolons_quotes_and_a_byte_order_mark(tmp_path: Path) -> None:
    rows = "".join(f'{i % 5};"line\r\nbreak {i % 3}";{"ja" if i % 2 else "nein"}\r\n' for i in range(60))
    path = write(tmp_path / "windows.csv", b"\xef\xbb\xbf" + f'a;"b, c";y\r\n{rows}'.encode())
    table = read_table(path)
    assert list(table.columns) == ["a", "b, c", "y"]
    assert table["b, c"][0] == "line\r\nbreak 0"
    assert len(table) == 60
    assert run("train", path, "--target", "y", "--epochs", 1, "--hidden", 4) == 0


def test_hostile_values_train(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["huge,infinite,mixed,,überschrift,y"]
    for i in range(60):
        huge = 10**30 + i % 3 * 10**29
        lines.append(f"{huge},{'inf' if i % 7 == 0 else i % 4},{'x' if i % 5 else 3.5},{i},{rng.normal()},{i % 2}")
    path = write(tmp_path / "hostile.csv.gz", gzip.compress("\n".join(lines).encode()))
    out = tmp_path / "out.json"
    assert run("train", path, "--target", "y", "--epochs", 2, "--hidden", 4, "--json", out) == 0
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert "column 'Unnamed: 3' is not used: it numbers the rows" in figures["data"]["notes"]
    assert np.all(np.isfinite(figures["history"]["loss"]))


def test_rows_without_a_target_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{i % 6},{'' if i < 5 else 'ab'[i % 2]}" for i in range(65)]
    path = write(tmp_path / "t.csv", "x,y\n" + "\n".join(lines))
    assert run("train", path, "--target", "y", "--epochs", 1, "--hidden", 4) == 0
    assert "note: 5 rows without a value of 'y' are left out" in capsys.readouterr().out


def test_task_can_be_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "t.csv", "x,y\n" + "\n".join(f"{i % 6},{i % 3}" for i in range(60)))
    for task, word in (("classification", "3 classes"), ("regression", "a number")):
        assert run("train", path, "--target", "y", "--epochs", 1, "--hidden", 4, "--task", task) == 0
        assert f"{task.capitalize()} of 'y' ({word})" in capsys.readouterr().out


def test_nothing_is_written_unless_asked(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("train", folder / "mixed.csv", "--target", "class", "--epochs", 1, "--hidden", 4) == 0
    assert list(tmp_path.iterdir()) == []


def test_plot(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for target in ("class", "price"):
        picture = tmp_path / f"{target}.png"
        assert run("train", folder / "mixed.csv", "--target", target, "--epochs", 2, "--plot", picture) == 0
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert len(list(tmp_path.iterdir())) == 1
        picture.unlink()


# --- bad input -------------------------------------------------------------------------------------------------------


def test_unknown_column(folder: Path, fails: Callable[..., str]) -> None:
    message = fails("train", folder / "mixed.csv", "--target", "Clas")
    assert message == "--target must be a column of mixed.csv, got 'Clas'; did you mean 'class'?\n"
    message = fails("train", folder / "mixed.csv", "--target", "zzz")
    assert "there are 'größe', 'colour'" in message
    message = fails("train", folder / "mixed.csv", "--target", "class", "--ignore", "grosse")
    assert message == "--ignore must be a column of mixed.csv, got 'grosse'; did you mean 'größe'?\n"
    message = fails("train", folder / "mixed.csv", "--target", "class", "--ignore", "class")
    assert "--ignore must be another column than the target, got 'class'" in message


def test_no_target(folder: Path, fails: Callable[..., str]) -> None:
    message = fails("train", folder / "mixed.csv")
    assert message == "--target must name the column of mixed.csv to predict, got none\n"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("absent.csv", None, "FILE must be an existing file, got"),
        (
            "table.xlsx",
            b"PK",
            "FILE must be a table, with a name that ends in one of .csv, .tsv, .tab, .parquet, .pq, got",
        ),
        ("noname", b"a,b", "FILE must be a table, with a name that ends in one of"),
        ("empty.csv", b"", "FILE must be a readable table, got"),
        ("blank.csv", b"\n\n\n", "FILE must be a readable table, got"),
        ("header.csv", b"a,y\n", "FILE must have at least one row below its header, got none in"),
        ("header.parquet", pd.DataFrame({"a": [], "y": []}), "FILE must have at least one row"),
        ("latin.csv", "a,y\nä,1\n".encode("latin-1"), "FILE must be text in UTF-8, got byte 0xe4 at"),
        ("binary.csv", bytes(range(256)) * 8, "FILE must be"),
        ("ragged.csv", b"a,y\n1,2\n1,2,3\n", "FILE must be a readable table, got"),
        ("quote.csv", b'a,y\n"1,2\n', "FILE must be a readable table, got"),
        ("twice.csv", b"a,a,y\n1,2,3\n", "FILE must have distinct column names, got 'a' more than once in"),
        ("no.parquet", b"PAR1 is not enough", "FILE must be a readable table, got"),
        ("no.csv.gz", b"not compressed", "FILE must be a readable table, got"),
        ("few.csv", b"a,y\n1,2\n2,3\n", "FILE must have at least 10 rows with a target, got 2"),
        ("nothing.csv", b"a,y\n" + b"1,\n" * 30, "FILE must have at least 10 rows with a target, got 0"),
        ("one.csv", b"a,y\n" + b"1,b\n2,b\n" * 30, "--target must have at least two classes, got 'b' in every row"),
        (
            "rare.csv",
            b"a,y\n" + b"1,b\n2,c\n" * 30 + b"3,d\n",
            "at least 3 rows of every class, got 1 of 'd' in column 'y'",
        ),
        ("same.csv", b"a,y\n" + b"1,0.5\n2,0.5\n" * 30, "--target must vary, got 0.5 in every row of column 'y'"),
        ("inf.csv", b"a,y\n" + b"1,0.5\n2,inf\n" * 30, "--target must be finite, got inf in row 2 of 'y'"),
        ("dates.csv", b"a,y\n" + b"1,2020-01-01\n" * 30, "--target must be numbers or classes, got the datetimes of"),
        ("useless.csv", b"a,y\n" + b"1,b\n1,c\n" * 30, "FILE must have a column to learn from besides the target"),
        ("only.csv", b"y\n" + b"b\nc\n" * 30, "FILE must have a column to learn from besides the target"),
    ],
)
def test_bad_table(name: str, content: Any, expected: str, tmp_path: Path, fails: Callable[..., str]) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        content.to_parquet(path)
    assert expected in fails("train", path, "--target", "y")


def test_directory_is_no_table(tmp_path: Path, fails: Callable[..., str]) -> None:
    (tmp_path / "d.csv").mkdir()
    assert "a directory" in fails("train", tmp_path / "d.csv", "--target", "y")


def test_regression_of_text(folder: Path, fails: Callable[..., str]) -> None:
    message = fails("train", folder / "mixed.csv", "--target", "colour", "--task", "regression")
    assert "column 'colour' must hold numbers, got " in message


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--epochs", "0"], "--epochs must be an integer from 1 to 1000000, got '0'"),
        (["--epochs", "many"], "--epochs must be an integer from 1 to 1000000, got 'many'"),
        (["--seed", "-1"], "--seed must be an integer from 0 to "),
        (["--seed", "1.5"], "--seed must be an integer from 0 to "),
        (["--test-size", "1"], "--test-size must be a share of the rows above 0 and at most 0.9, got '1'"),
        (["--test-size", "nan"], "--test-size must be a share of the rows"),
        (["--hidden", "256,-1"], "--hidden must be numbers of units from 1 to 65536 with commas between"),
        (["--hidden", ""], "--hidden must be numbers of units"),
        (["--task", "ranking"], "--task must be classification or regression, got 'ranking'"),
        (["--backend", "cuda"], "--backend must be native or reference, got 'cuda'"),
        (["--threads", "0"], "--threads must be an integer from 1 to "),
        (["--seeds", "3"], "--seeds must be left out for a table, got 3"),
        (["--plot", "curves.bmp"], "--plot must end in .png or .pdf or .svg, got 'curves.bmp'"),
        (["--model", "model.pkl"], "--model must end in .safetensors, got 'model.pkl'"),
        (["--json", "nowhere/out.json"], "--json must be a file in a directory that exists and can be written, got"),
        (
            ["--json", "a.png", "--plot", "a.png"],
            "--plot must be a file of its own, got 'a.png', which is that of --json",
        ),
        (["--frobnicate"], "unrecognized arguments: --frobnicate"),
    ],
)
def test_bad_options(
    arguments: list[str],
    expected: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fails: Callable[..., str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert fails("train", folder / "mixed.csv", "--target", "class", *arguments).startswith(expected)
    assert list(tmp_path.iterdir()) == []


def test_inputs_are_not_overwritten(folder: Path, fails: Callable[..., str]) -> None:
    data, model = folder / "mixed.csv", folder / "class.safetensors"
    assert "which is that of the input" in fails("train", data, "--target", "class", "--json", data)
    assert "which is that of the input" in fails("predict", model, data, "--output", data)


def test_prediction_needs_its_columns(folder: Path, tmp_path: Path, fails: Callable[..., str]) -> None:
    mixed_table().drop(columns=["sunny", "day"]).to_csv(tmp_path / "t.csv", index=False)
    message = fails("predict", folder / "class.safetensors", tmp_path / "t.csv")
    assert message.startswith(
        "FILE must have the columns the model was trained on, got none of the name 'sunny', 'day'"
    )
    mixed_table().assign(sunny="perhaps").to_csv(tmp_path / "t.csv", index=False)
    message = fails("predict", folder / "class.safetensors", tmp_path / "t.csv")
    assert message == "column 'sunny' must hold true or false, got 'perhaps' in row 1\n"


def test_probabilities_of_a_regression(folder: Path, fails: Callable[..., str]) -> None:
    message = fails("predict", folder / "price.safetensors", folder / "mixed.csv", "--proba")
    assert message == "--proba must be left out: the model predicts the number 'price', which has no classes\n"


def test_damaged_models(folder: Path, tmp_path: Path, fails: Callable[..., str]) -> None:
    whole = (folder / "class.safetensors").read_bytes()
    header = int.from_bytes(whole[:8], "little")
    damaged = {
        "empty": b"",
        "short": whole[:-1],
        "half": whole[: len(whole) // 2],
        "header": whole[:8] + b"{" * header + whole[8 + header :],
        "length": b"\xff" * 8 + whole[8:],
        "table": whole.replace(b"flyball.table", b"flyball.taste"),
        "kind": whole.replace(b'\\"kind\\": \\"category\\"', b'\\"kind\\": \\"catastro\\"'),
        "text": b"this is no model at all, but it is long enough to have a header",
    }
    for name, content in damaged.items():
        assert content != whole, name
        message = fails("predict", write(tmp_path / name, content), folder / "mixed.csv")
        assert message.startswith("MODEL must be a model that python -m flyball train FILE saved, got"), name
    assert fails("predict", tmp_path / "absent", folder / "mixed.csv").startswith("MODEL must be an existing file, got")


def test_a_model_of_something_else(folder: Path, tmp_path: Path, fails: Callable[..., str]) -> None:
    import flyball

    model = flyball.Sequential([flyball.layers.Input((2,)), flyball.layers.Dense(1)])
    model.save(tmp_path / "other.safetensors")
    message = fails("predict", tmp_path / "other.safetensors", folder / "mixed.csv")
    assert "it was not saved by python -m flyball train FILE" in message


def test_missing_library_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fails: Callable[..., str]
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    message = fails("train", folder / "mixed.csv", "--target", "class")
    assert 'pip install "flyball[tables]"' in message
    assert message.startswith("reading a table needs pandas, which cannot be imported")


def test_reading_names_the_argument(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="DATA must be an existing file"):
        read_table(tmp_path / "x.csv", "DATA")


# --- as a process ----------------------------------------------------------------------------------------------------


def command(*arguments: object) -> list[str]:
    """Return the command line of a process of its own."""
    return [sys.executable, "-m", "flyball", *map(str, arguments)]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.usefixtures("interruptible")
def test_interrupt_ends_with_130(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    arguments = command(
        "train", folder / "mixed.csv", "--target", "class", "--hidden", "2048,2048,2048", "--model", out
    )
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Network"):
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip() == "interrupted"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
def test_a_reader_that_leaves_is_no_error(folder: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    arguments = command("predict", folder / "class.safetensors", folder / "mixed.csv")
    process = subprocess.run(arguments, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert process.stderr == b""
    assert process.returncode == 141


def test_any_locale_prints_any_name(folder: Path) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    arguments = command("train", folder / "mixed.csv", "--target", "größ")
    process = subprocess.run(arguments, capture_output=True, env=environment, check=False)
    assert process.returncode == 2
    assert process.stderr.startswith(b"error: --target must be a column")
    arguments = command("train", folder / "mixed.csv", "--target", "größe", "--epochs", 1, "--hidden", 4)
    process = subprocess.run(arguments, capture_output=True, env=environment, check=False)
    assert process.returncode == 0, process.stderr
