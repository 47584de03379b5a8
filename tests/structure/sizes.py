"""How long modules and functions are, in lines."""

import ast
from collections.abc import Iterator
from pathlib import Path

__all__ = ["MOST_FUNCTION_LINES", "MOST_MODULE_LINES", "too_long"]

MOST_MODULE_LINES = 400
MOST_FUNCTION_LINES = 99
"""Both with their docstrings, comments and blank lines; a function without its decorators."""
_FOLDERS = ("hw", "host", "sim", "bench", "tests")


def _of_a_file(file: Path, name: str) -> Iterator[str]:
    source = file.read_text()
    if len(source.splitlines()) > MOST_MODULE_LINES:
        yield name
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            if node.end_lineno - node.lineno + 1 > MOST_FUNCTION_LINES:
                yield f"{name}: {node.name}"


def too_long(root: Path) -> set[str]:
    """Modules and functions that are longer than they may be.

    Parameters
    ----------
    root : Path
        The project's folder.

    Returns
    -------
    set of str
        Modules as ``hw/zipsgd_hw/top.py``, functions as ``hw/zipsgd_hw/top.py: elaborate``.
    """
    return {
        name
        for folder in _FOLDERS
        for file in sorted((root / folder).rglob("*.py"))
        for name in _of_a_file(file, file.relative_to(root).as_posix())
    }
