"""The documentation is true: examples run and print what it says, links lead somewhere, lists are complete."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import flyball
import flyball.functional
from flyball import backend

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TEXTS = [*PAGES, *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "csrc/README.md"))]

pytestmark = pytest.mark.skipif(not PAGES, reason="needs a checkout")

BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[\w ]+) -->\n+)?```(?P<language>\w+)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE
)


def identifier(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[re.Match[str]]:
    return list(BLOCK.finditer(page.read_text(encoding="utf-8")))


def has_examples(page: Path) -> bool:
    return any(block["language"] == "python" for block in blocks(page))


# --- examples --------------------------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A directory, threads and a backend that an example may change."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setattr(backend, "_active", backend.get_backend())
    flyball.utils.clear_session()
    threads = flyball.get_num_threads()
    yield
    flyball.set_num_threads(threads)
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.mark.parametrize("page", [page for page in TEXTS if page.exists() and has_examples(page)], ids=identifier)
def test_examples_run_and_print_what_the_page_says(page, elsewhere):
    """Python blocks of a page run one after the other; ``<!-- run -->`` marks commands, ``<!-- prints -->`` output."""
    text = page.read_text(encoding="utf-8")
    for package in ("sklearn", "matplotlib", "pandas", "onnx", "onnxruntime"):
        if re.search(rf"^ *(import|from) {package}\b", text, re.MULTILINE):
            pytest.importorskip(package)
    for use, package in (("flyball.plotting", "matplotlib"), ("callbacks.TensorBoard(", "tensorboardX")):
        if use in text:
            pytest.importorskip(package)
    names: dict[str, object] = {"__name__": "example"}
    printed = io.StringIO()
    for block in blocks(page):
        line = text.count("\n", 0, block.start("code"))
        if block["language"] == "python":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile("\n" * line + block["code"], page, "exec"), names)
        elif block["mark"] == "run":
            program, *arguments = shlex.split(block["code"])
            assert program == "python"
            done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        elif block["mark"] == "prints":
            assert printed.getvalue() == block["code"], f"{identifier(page)}:{line}"


# --- links -----------------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """Return what a code host and the site call the headings of a page."""
    without_code = BLOCK.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", without_code, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", TEXTS, ids=identifier)
def test_links_lead_somewhere(page):
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://")):
            continue
        file, _, anchor = target.partition("#")
        path = page.parent / file if file else page
        assert path.exists(), f"{identifier(page)}: {target}"
        assert not anchor or anchor in anchors(path), f"{identifier(page)}: {target}"


@pytest.mark.parametrize("image", sorted((DOCS / "images").glob("*")), ids=identifier)
def test_pictures_are_shown(image):
    shown = f"images/{image.name})"
    assert any(shown in page.read_text(encoding="utf-8") for page in TEXTS), "show it on its technique's page"


# --- the reference ---------------------------------------------------------------------------------------------------


def test_every_public_module_has_a_page_of_the_reference():
    modules = [name for name in flyball.__all__ if isinstance(getattr(flyball, name), ModuleType)]
    assert len(modules) > 10
    without = [name for name in modules if not (DOCS / "reference" / f"{name}.md").exists()]
    assert without == [], "write docs/reference/<module>.md as its neighbours are, and list it in their index.md"


def test_the_reference_of_functions_is_complete():
    page = (DOCS / "reference" / "functional.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\.\. auto(?:function|class):: (\w+)$", page, re.MULTILINE)
    assert sorted(listed) == sorted(flyball.functional.__all__), "see docs/reference/functional.md"


def test_the_page_of_operations_is_up_to_date():
    spec = importlib.util.spec_from_file_location("operations_page", ROOT / "tools" / "operations_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = module.page()
    assert "### batch_norm_forward\n" in text
    assert "\n| huber | `d**2 / 2 if abs(d) <= delta else delta * (abs(d) - delta / 2)` |\n" in text
    assert not re.search(r"===|:\w+:`", text), "markup that Markdown does not have"
    assert module.PAGE.read_text(encoding="utf-8") == text, "run python tools/operations_page.py"


def test_public_names_have_docstrings():
    modules = [getattr(flyball, name) for name in flyball.__all__ if isinstance(getattr(flyball, name), ModuleType)]
    bare = [
        f"{module.__name__}.{name}"
        for module in modules
        for name in getattr(module, "__all__", ())
        if callable(getattr(module, name)) and not inspect.getdoc(getattr(module, name))
    ]
    assert bare == []


# --- the table of techniques -----------------------------------------------------------------------------------------


def rows_of_techniques():
    """Return name, test and page cells of each row of docs/mission.md that is done."""
    lines = (DOCS / "mission.md").read_text(encoding="utf-8").splitlines()
    rows = [line.strip("|").split(" | ") for line in lines if line.startswith("| ")]
    rows = [[cell.strip(" |") for cell in row] for row in rows]
    return [row for row in rows if row[0] != "technique" and "*next*" not in row[1]]


def public(name):
    found = flyball
    for part in name.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("row", rows_of_techniques() if PAGES else [], ids=lambda row: row[0][:40])
def test_techniques_are_where_the_table_says(row):
    _, names, tests, page = row
    for name, arguments in re.findall(r"`([\w.]+)(?:\(([^)]*)\))?`", names):
        found = public(name)
        for argument in re.findall(r"(\w+)=", arguments):
            assert argument in inspect.signature(found).parameters, f"{name}({argument}=)"
    for file, test in re.findall(r"`([\w/]+\.py)::(\w+)`", tests):
        assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), f"{file}::{test}"
    assert names.count("`") >= 2
    assert tests.count("::") >= 1
    assert re.fullmatch(r"\[[\w ]+\]\([\w./-]+\.md\)", page), page
