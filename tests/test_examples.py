"""Every example runs, in a process of its own, and its numbers say what its picture is there to show."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from side_by_side import side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    Numbers = dict[str, float]
    Said = dict[tuple[str, ...], Future[tuple[str, Path]]]

EXAMPLES = sorted(path for path in (Path(__file__).parents[1] / "examples").glob("[!_]*.py"))
LARGEST_PICTURE = 150_000

pytestmark = pytest.mark.skipif(not EXAMPLES, reason="tests without the repository around them")


def run(example: Path, folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=folder,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- what the pictures show -----------------------------------------------------------------------------------------


def initialisation(n: Numbers) -> None:
    for activation in ("tanh", "sigmoid", "relu"):
        assert n[f"{activation} N(0, 0.01^2) signal kept"] < 1e-6
    assert n["tanh N(0, 1) saturated"] > 0.7
    assert n["sigmoid N(0, 1) saturated"] > 0.4
    assert n["relu N(0, 1) signal kept"] > 1e5
    assert n["tanh Xavier signal kept"] > 0.3
    assert n["relu Xavier signal kept"] < 0.1
    assert n["relu He signal kept"] > 0.3
    for good, bad in (("Xavier", "N(0, 0.01^2)"), ("Xavier", "N(0, 1)")):
        assert n[f"tanh {good} accuracy"] > n[f"tanh {bad} accuracy"] + 0.2


def symmetry(n: Numbers) -> None:
    assert n["constant different units"] == 1
    assert n["random different units"] == 25
    assert n["constant change of weights"] > 1.0
    assert n["random accuracy"] > n["constant accuracy"] + 0.1


def batch_normalisation(n: Numbers) -> None:
    assert n["batch-norm accuracy at rate 1"] > n["plain accuracy at rate 1"] + 0.3
    assert n["batch-norm worst accuracy over scales"] > n["plain worst accuracy over scales"] + 0.2
    assert n["batch-norm signal kept"] > 0.5
    assert n["plain signal kept"] < 0.01


def overfitting(n: Numbers) -> None:
    assert n["too small train"] > 2 * n["too large train"]
    assert n["too small test"] > n["as large test"]
    assert n["too large test"] > 2 * n["too large train"]
    assert n["too large test"] > n["as large test"]
    assert n["as large train"] > n["too large train"]
    assert n["20 rows test"] - n["20 rows train"] > 3 * (n["320 rows test"] - n["320 rows train"])


def early_stopping(n: Numbers) -> None:
    assert n["largest distance of the paths"] < 0.1 * n["norm of the optimum"]
    assert n["largest ratio of the norms"] < 1.5
    assert n["largest norm over its radius"] < 1.0 + 1e-9
    assert abs(n["best test error stopped"] - n["best test error under L2"]) < 0.02
    assert n["best test error stopped"] < n["test error of all steps"]


def dropout(n: Numbers) -> None:
    assert n["rate 0.5 test loss"] < 0.9 * n["rate 0 test loss"]
    assert n["rate 0.5 train loss"] > 10 * n["rate 0 train loss"]
    assert n["rate 0.8 test loss"] > n["rate 0.5 test loss"]
    assert n["sub-networks"] == 2**5
    assert n["distance of their mean from the scaled network"] < 0.5 * n["spread of the sub-networks"]


def augmentation(n: Numbers) -> None:
    assert n["6 and 9 left as they are"] == 1
    assert n["2 left as it is"] < 1
    for rows in (60, 250):
        shifted, plain = (
            n[f"{rows} digits shifted in training, shifted tests"],
            n[f"{rows} digits as they are, shifted tests"],
        )
        assert shifted > plain + 0.1
    assert n["turns of all classes: 6 and 9 confused"] > n["turns of not 6 and 9: 6 and 9 confused"]


def penalties(n: Numbers) -> None:
    assert n["l1 zeros of two weights"] == 1
    assert n["l2 zeros of two weights"] == 0
    assert abs(n["l1 loss"] - n["l2 loss"]) < 0.1 * n["l1 loss"]
    assert n["L1 zeros in the middle of the path"] >= 3
    assert n["L1 zeros at the end of the path"] == 10
    assert n["L2 zeros at the end of the path"] == 0
    assert n["L1, proximal: zeros"] > 0.5
    for name in ("L2", "L1, in the gradient"):
        assert n[f"{name}: zeros"] < 0.01
    assert n["L2: norm"] < n["no penalty: norm"]


def panda(n: Numbers) -> None:
    assert n["steered: accuracy"] > n["left alone: accuracy"] + 0.2
    assert n["epochs run"] == 48
    assert n["last epoch"] == 40


def schedules(n: Numbers) -> None:
    for name in ("steps", "inverse time", "cosine", "warm restarts", "one cycle"):
        assert n[f"{name}: last loss"] < 0.2 * n["constant: last loss"]


def noise(n: Numbers) -> None:
    for part in ("training", "test"):
        assert n[f"with noise on its weights: rise of the {part} loss"] < 0.8 * n[f"plain: rise of the {part} loss"]
    assert n["smoothing 0.3: test error"] < n["smoothing 0: test error"]
    assert n["smoothing 0.3: mean probability of the choice"] < n["smoothing 0: mean probability of the choice"] - 0.1


CLAIMS: dict[str, Callable[[Numbers], None]] = {
    f"{claim.__name__}.py": claim
    for claim in (
        augmentation,
        batch_normalisation,
        dropout,
        early_stopping,
        initialisation,
        noise,
        overfitting,
        panda,
        penalties,
        schedules,
        symmetry,
    )
}


def test_every_picture_has_a_claim() -> None:
    drawing = {path.name for path in EXAMPLES if "_figure" in path.read_text(encoding="utf-8")}
    assert drawing == set(CLAIMS)


@pytest.fixture(scope="module")
def said(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Said]:
    """Return what each selected example said, and the folder of its pictures."""
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")

    def draw(name: str) -> tuple[str, Path]:
        folder = tmp_path_factory.mktemp(Path(name).stem)
        return run(EXAMPLES[0].with_name(name), folder, "--quick", "--out", str(folder)), folder

    with side_by_side(request, "said", ("name",), draw) as runs:
        yield runs


@pytest.mark.parametrize("name", CLAIMS)
def test_the_numbers_show_what_the_picture_says(name: str, said: Said) -> None:
    text, folder = said[name,].result()
    CLAIMS[name]({key: float(value) for key, value in re.findall(r"^(.+) = (\S+)$", text, re.MULTILINE)})
    pictures = list(folder.glob("*.png"))
    assert len(pictures) == text.count("picture: ") > 0
    assert all(1000 < picture.stat().st_size < LARGEST_PICTURE for picture in pictures)


def test_digits_are_learnt(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    assert float(run(EXAMPLES[0].with_name("digits.py"), tmp_path).split()[-1]) > 0.95


def test_the_roofline_shows_most_of_a_step(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    # A share of measured time: what only moves data is left out, and takes longer on a busy machine.
    share = float(run(EXAMPLES[0].with_name("roofline.py"), tmp_path).split()[-1])
    assert 0.5 < share <= 1.0
    assert (tmp_path / "roofline.png").stat().st_size > 1000


def test_every_example_has_a_test() -> None:
    assert {path.name for path in EXAMPLES} == {*CLAIMS, "digits.py", "roofline.py"}
