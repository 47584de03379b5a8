"""Sphinx's settings for the documentation site; ``make docs`` builds it."""

import inspect
import logging
import re
import sys
from pathlib import Path

from amaranth import Elaboratable
from docutils.nodes import Node
from sphinx.application import Sphinx
from sphinx.util.logging import get_node_location

import zipsgd

HERE = Path(__file__).resolve().parent

project = "zipsgd"
author = "The zipsgd authors"
copyright = "The zipsgd authors, BSD-2-Clause"
release = version = zipsgd.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
html_theme = "furo"
html_title = f"zipsgd {release}"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Members", "params_style")]
copybutton_prompt_text = "$ "

# A page's mistakes are errors. The same short name in two modules is none: both are described under their full names.
suppress_warnings = ["ref.python"]


class _DocstringMistakes(logging.Filter):
    """Prints a docstring's mistakes of markup once without counting them, so that they do not stop the build of the pages."""

    def __init__(self) -> None:
        super().__init__()
        self._printed: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        location = getattr(record, "location", None)
        where = (get_node_location(location) if isinstance(location, Node) else str(location)) or ""
        if record.levelno < logging.WARNING or "docstring of" not in where:
            return True
        message = f"docstring: {where}: {record.getMessage()}"
        if message not in self._printed and getattr(record, "type", "") != "ref":
            print(message)
        self._printed.add(message)
        return False


def _escape(app: Sphinx, what: str, name: str, of: object, options: object, lines: list[str]) -> None:
    """Keeps ``np.bool_`` in a type and the bars of an absolute value from being read as markup, outside literal blocks."""
    literal: int | None = None
    for number, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if literal is not None and line.strip() and indent <= literal:
            literal = None
        if literal is None:
            if "`" not in line:
                lines[number] = re.sub(r"_(?=\])|\|", r"\\\g<0>", line)
            if line.rstrip().endswith("::"):
                literal = indent


def _skip(app: Sphinx, what: str, name: str, member: object, skip: bool, options: object) -> bool | None:
    """Leaves out what scikit-learn adds to every estimator for its own routing of arguments."""
    return True if name.startswith("set_") and name.endswith("_request") else None


def _signature(
    app: Sphinx, what: str, name: str, of: object, options: object, signature: str, returns: str
) -> tuple[str, str] | None:
    """Gives a component of the gateware the parameters of its constructor, which Amaranth's metaclass hides."""
    if not (isinstance(of, type) and issubclass(of, Elaboratable)):
        return None
    parameters = list(inspect.signature(of.__init__).parameters.values())[1:]
    return str(inspect.Signature(parameters)), ""


def setup(app: Sphinx) -> None:
    mistakes = _DocstringMistakes()
    for handler in logging.getLogger("sphinx").handlers:
        handler.filters.insert(0, mistakes)
    app.connect("autodoc-process-docstring", _escape, priority=400)
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-skip-member", _skip)
    sys.path.insert(0, str(HERE))  # Sphinx does not look for modules beside its settings
    from api_pages import PACKAGES, write_pages

    write_pages(HERE / "api", PACKAGES)
