"""Write docs/operations.md: every operation with its formula, from the docstrings of ``flyball.backend``.

Run ``python tools/operations_page.py`` after a change of a docstring; a test fails while the page is old.
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from pathlib import Path

from flyball import backend, functional

PAGE = Path(__file__).parents[1] / "docs" / "operations.md"

HEAD = """# Operations

Every operation of flyball, with its formula. Both backends, native and NumPy, implement this list; `flyball.functional`
has the same names, with defaults, checks and `out=`. The page is made from the docstrings of `flyball.backend` by
`python tools/operations_page.py`.

"""


def page() -> str:
    """Return the text of the page."""
    text = [HEAD, _markdown(_doc(backend).split("\n\n", 1)[1]), "\n"]
    for family in backend.Backend.__bases__[:-1]:
        names = [
            name for name, member in vars(family).items() if name in backend.OPERATIONS and inspect.isfunction(member)
        ]
        title = _doc(family).splitlines()[0].removesuffix(".")
        text.append(f"\n## {title}\n")
        for name in names:
            arguments = ", ".join(backend.OPERATIONS[name])
            text.append(f"\n### {name}\n\n`{name}({arguments})`\n\n")
            text.append(_markdown(_doc(getattr(family, name))))
            if hasattr(functional, name):
                shown = inspect.signature(getattr(functional, name))
                parameters = ", ".join(
                    f"{p.name}={p.default!r}" if p.default is not p.empty else p.name for p in shown.parameters.values()
                )
                text.append(f"\n`flyball.functional.{name}({parameters})`\n")
    return "".join(text)


def _doc(of: object) -> str:
    return inspect.getdoc(of) or ""


def _markdown(docstring: str) -> str:
    """Turn reStructuredText's double backticks, roles and tables into Markdown's; fill the lines."""
    text = re.sub(r":(?:meth|func|mod|class|data):`~?\.?([\w.]+)`", r"`\1`", docstring)
    return "\n\n".join(_block(block) for block in text.split("\n\n")).replace("``", "`") + "\n"


def _block(block: str) -> str:
    if block.startswith("==="):
        return _table(block.splitlines())
    return textwrap.fill(
        " ".join(block.replace("``", "`").split()), 120, break_long_words=False, break_on_hyphens=False
    )


def _table(lines: list[str]) -> str:
    """Turn a simple table of reStructuredText, of two columns, into Markdown's; a row goes on where it has no name."""
    width = lines[0].index(" ")
    rows: list[list[str]] = []
    for line in lines:
        name, value = line[:width].strip(), line[width:].strip()
        if name.startswith("==="):
            continue
        if name:
            rows.append([name, value])
        else:
            rows[-1][1] += " " + value
    rows.insert(1, ["---", "---"])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}: {len(backend.OPERATIONS)} operations\n")
