"""Writes the pages of the API reference: one for each public module, from the packages as they are installed."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from zipsgd.extras import MissingExtra

__all__ = ["PACKAGES", "write_pages"]

PACKAGES = ("zipsgd", "zipsgd_hw", "zipsgd_sim")
"""Import packages that the reference covers, in this order."""


def _children(package: ModuleType) -> Iterator[ModuleType]:
    """The public modules of a package, without those of its own packages, and without those whose extra is not installed."""
    for found in pkgutil.iter_modules(package.__path__):
        if not found.name.startswith("_"):
            with suppress(MissingExtra):
                yield importlib.import_module(f"{package.__name__}.{found.name}")


def _heading(text: str) -> list[str]:
    return [text, "=" * len(text), ""]


def _summary(value: object) -> str:
    """The first line of a docstring, behind a colon; empty where there is none, or where it is no whole sentence."""
    lines = (inspect.getdoc(value) or "").splitlines() if callable(value) else []
    return f": {lines[0].replace('|', chr(92) + '|')}" if lines and lines[0].endswith(".") else ""


def _offered(package: ModuleType) -> list[str]:
    """What a package offers under its own name: described here if it is defined here, else a reference to its module."""
    references, described = [], []
    for name in sorted(getattr(package, "__all__", ())):
        value = getattr(package, name)
        home = getattr(value, "__module__", None)
        if home == package.__name__:
            directive = "autoclass" if isinstance(value, type) else "autofunction"
            described += [f".. {directive}:: {home}.{name}", ""]
        elif isinstance(home, str) and home.partition(".")[0] in PACKAGES:
            references.append(f"* :py:obj:`{name} <{home}.{name}>`{_summary(value)}")
        else:
            references.append(f"* ``{name}``")
    listed = [f"Names in ``{package.__name__}``:", "", *references, ""] if references else []
    return [*listed, *described]


def _write(folder: Path, module: ModuleType) -> None:
    """Write a module's page and, of a package, those of its modules."""
    name = module.__name__
    if not hasattr(module, "__path__"):
        body = [f".. automodule:: {name}", "   :members:", "   :show-inheritance:", ""]
        (folder / f"{name}.rst").write_text("\n".join(_heading(name) + body))
        return
    children = list(_children(module))
    body = [f".. automodule:: {name}", "", *_offered(module)]
    body += [".. toctree::", "   :maxdepth: 1", "", *(f"   {child.__name__}" for child in children), ""]
    (folder / f"{name}.rst").write_text("\n".join(_heading(name) + body))
    for child in children:
        _write(folder, child)


def write_pages(folder: Path, packages: Sequence[str]) -> None:
    """Write ``index.rst`` and a page for each module of ``packages`` into ``folder``; pages of an earlier run are deleted.

    Raises
    ------
    ImportError
        A package that a module needs is not installed: install the extra ``docs``.
    """
    folder.mkdir(exist_ok=True)
    for stale in folder.glob("*.rst"):
        stale.unlink()
    for name in packages:
        _write(folder, importlib.import_module(name))
    contents = [
        "Written from the docstrings. ``zipsgd`` runs on the host, ``zipsgd_hw`` is the gateware and ``zipsgd_sim`` the",
        "virtual board.",
        "",
        ".. toctree::",
        "   :maxdepth: 2",
        "",
        *(f"   {name}" for name in packages),
        "",
    ]
    (folder / "index.rst").write_text("\n".join(_heading("API reference") + contents))
