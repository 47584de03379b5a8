"""The contract imports the standard library alone: gateware and other tools can use it without the host's packages."""

import ast
import sys
from pathlib import Path

import pytest

import zipsgd.protocol

MODULES = sorted(Path(zipsgd.protocol.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_only_the_standard_library_is_imported(module: Path) -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            imported.add(str(node.module).partition(".")[0])
    assert imported <= sys.stdlib_module_names
