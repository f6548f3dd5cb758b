"""How Sphinx builds these pages: ``make docs``. The pages are the Markdown files that GitHub shows, and the API."""

from __future__ import annotations

import re

from secagent_env import __version__

REPOSITORY_FILE = re.compile(r"\[([^\]]+)\]\((?:(?:\.\./)?(?:\w+/)?[\w.-]+\.(?:py|ipynb|cff|onnx|yaml)|LICENSE)\)")
PAGES = {"(CONTRIBUTING.md)": "(docs/contributing.md)", "(CHANGELOG.md)": "(docs/changes.md)"}

project = "secagent"
author = copyright = "The secagent developers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
html_theme = "furo"
html_title = f"secagent {__version__}"
exclude_patterns = ["_build"]
suppress_warnings = ["myst.header"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
myst_fence_as_directive = ["math"]

autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False


def _link(app: object, name: str, source: list[str]) -> None:
    """Leave the names of files outside these pages, and not the links to them; link to the pages that include files."""
    for there, here in PAGES.items():
        source[0] = source[0].replace(there, here)
    source[0] = REPOSITORY_FILE.sub(r"\1", source[0])


def _link_included(app: object, path: object, name: str, source: list[str]) -> None:
    _link(app, name, source)


def _escape(app: object, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Keep reStructuredText from reading |h|² as a substitution."""
    lines[:] = [line.replace("|", r"\|") for line in lines]


def setup(app: object) -> None:
    """Register what this file adds to Sphinx."""
    handlers = {"source-read": _link, "include-read": _link_included, "autodoc-process-docstring": _escape}
    for event, handler in handlers.items():
        app.connect(event, handler)  # type: ignore[attr-defined]
