"""The documentation site: ``sphinx-build -W --keep-going -n docs docs/_build``, or ``nox -s docs``.

Pages are Markdown that reads well on a code host too; ``tests/test_docs.py`` runs their examples.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.util.nodes import make_refnode

import flyball

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

DOCS = Path(__file__).parent

project = "flyball"
author = "The flyball developers"
copyright = f"2026, {author}"  # noqa: A001  # Sphinx' name
version = release = flyball.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"flyball {version}"
html_copy_source = False

# Other projects' names become links where their inventories can be had; CI reaches a package index and nothing else.
if os.environ.get("READTHEDOCS") == "True":
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
    }
else:
    nitpick_ignore_regex = [("py:.*", r"(numpy|scipy)\..*")]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

# Docstrings are numpydoc: they state types and shapes in words, which annotations would only repeat. Fields are set as
# text: "array (n, d)" is no name that could be a link.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "params_style")]


def name_other_files(app: Sphinx, page: str, source: list[str]) -> None:
    """Turn links to files of the repository that are no part of the site into their names."""
    del app

    def name(link: re.Match[str]) -> str:
        target = (DOCS / page).parent.joinpath(link["target"]).resolve()
        return link[0] if target.is_relative_to(DOCS) else link["text"]

    source[0] = re.sub(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>\.\./[^)#\s]+)[^)]*\)", name, source[0])


def skip_overrides(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out a method that a base class of flyball's declares: it is documented there."""
    del app, skip, options
    if what not in ("class", "exception"):
        return None
    function = obj.fget if isinstance(obj, property) else getattr(obj, "__func__", obj)
    owner: Any = sys.modules.get(getattr(function, "__module__", None) or "")
    for part in getattr(function, "__qualname__", "").split(".")[:-1]:
        owner = getattr(owner, part, None)
    if not inspect.isclass(owner):
        return None
    inherited = any(name in vars(base) for base in owner.__mro__[1:] if base.__module__.startswith("flyball"))
    return True if inherited else None


def resolve_short_names(
    app: Sphinx, environment: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.Element | None:
    """Link a name that a docstring uses as its own module sees it, where one documented object ends in it.

    A base class' docstring is shown under modules that do not import all that it mentions.
    """
    if node.get("refdomain") != "py":
        return None
    objects = environment.domains["py"].objects
    target = node["reftarget"].lstrip(".")
    if target.startswith("flyball."):  # another place that the object can be imported from
        target = target.rpartition(".")[2]
    found = [(name, entry) for name, entry in objects.items() if name.endswith(f".{target}")]
    if not found:
        return None
    name, entry = min(found, key=lambda item: len(item[0]))
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content, name)


def setup(app: Sphinx) -> None:
    """Register what is above."""
    app.connect("source-read", name_other_files)
    app.connect("autodoc-skip-member", skip_overrides)
    app.connect("missing-reference", resolve_short_names)
