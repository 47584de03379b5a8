"""The structure of the sources: what imports what, and how long modules and functions are."""

from pathlib import Path

import pytest
from sizes import too_long
from walls import ROOTS, WALLS, Break, breaks, imports_of

ROOT = Path(__file__).resolve().parents[2]


def _tree(folder: Path, files: dict[str, str]) -> Path:
    """A project with these files' texts, and nothing else."""
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def test_no_import_breaks_a_wall() -> None:
    assert not breaks(ROOT)


def test_each_wall_is_about_something() -> None:
    """A package that has been renamed would leave its rule without effect."""
    found = imports_of(ROOT)
    modules = {each.module for each in found}
    for wall in WALLS:
        for package in (*wall.of, *wall.besides):
            assert any(f"{module}.".startswith(f"{package}.") for module in modules), (
                f"{wall.name}: {package}"
            )
        for module, packages in wall.lazily.items():
            for package in packages:
                assert any(
                    each.module == module and each.lazy and f"{each.target}.".startswith(f"{package}.")
                    for each in found
                ), f"{wall.name}: {module} no longer imports {package}"


OFFENCES = [
    (WALLS[0], "host/zipsgd/protocol/frames.py", "import numpy as np"),
    (WALLS[0], "host/zipsgd/protocol/frames.py", "from ..golden import weave"),
    (WALLS[0], "host/zipsgd/protocol/frames.py", "def late():\n    import numba"),
    (WALLS[1], "host/zipsgd/golden/weave.py", "from numba import njit"),
    (WALLS[1], "host/zipsgd/golden/weave.py", "from zipsgd.emulator import emulate"),
    (WALLS[1], "host/zipsgd/golden/weave.py", "from zipsgd import train"),
    (WALLS[2], "hw/zipsgd_hw/datapath/core.py", "from zipsgd.golden.weave import weave"),
    (WALLS[2], "hw/zipsgd_hw/datapath/core.py", "import numpy"),
    (WALLS[2], "hw/zipsgd_hw/datapath/core.py", "from zipsgd_sim.verilog import to_verilog"),
    (WALLS[3], "host/zipsgd/training/api.py", "from zipsgd.cli.options import parser"),
    (WALLS[3], "sim/zipsgd_sim/board.py", "from zipsgd import cli"),
    (WALLS[4], "host/zipsgd/training/api.py", "from ..estimators.base import Base"),
    (WALLS[4], "host/zipsgd/data/sets.py", "def late():\n    import_module('zipsgd.estimators')"),
    (WALLS[5], "host/zipsgd/training/api.py", "def late():\n    from sklearn.base import clone"),
    (WALLS[5], "host/zipsgd/data/sets.py", "from sklearn.datasets import fetch_openml"),
    (WALLS[6], "host/zipsgd/levels/api.py", "def late():\n    import torch"),
    (WALLS[6], "host/zipsgd/training/api.py", "from zipsgd.torch import quantize_"),
    (WALLS[7], "host/zipsgd/backends/choose.py", "from zipsgd_sim.board import VirtualBoard"),
    (WALLS[7], "host/zipsgd/driver/device.py", "def late():\n    from zipsgd_sim.board import VirtualBoard"),
    (WALLS[7], "host/zipsgd/cli/build.py", "if verbose:\n    import zipsgd_hw.boards"),
    (WALLS[7], "host/zipsgd/cli/sim.py", "def late():\n    import zipsgd_bench.faults"),
    (WALLS[8], "sim/zipsgd_sim/board.py", "def late():\n    from zipsgd_bench.faults import run"),
    (WALLS[9], "host/zipsgd/output.py", "from zipsgd.rows import iterate_blocks"),
    (WALLS[10], "host/zipsgd/cache.py", "from zipsgd.output import write_file"),
    (WALLS[11], "host/zipsgd/extras.py", "def late():\n    import numpy"),
]
"""Each wall, and an import that breaks it alone."""

LOOK_ALIKES = {
    "bench/zipsgd_bench/quality.py": "import sklearn, zipsgd.cli, zipsgd.estimators, zipsgd_sim.board",
    "host/zipsgd/backends/choose.py": "def late():\n    from zipsgd_sim.board import VirtualBoard",
    "host/zipsgd/cli/build.py": "if TYPE_CHECKING:\n    from zipsgd_hw.boards import Board",
    "host/zipsgd/cli/train.py": "import zipsgd.estimators\nfrom .options import parser",
    "host/zipsgd/data/sets.py": "def late():\n    from sklearn.datasets import fetch_openml",
    "host/zipsgd/estimators/base.py": "from sklearn.base import BaseEstimator",
    "host/zipsgd/golden/weave.py": "import numpy.typing as npt\nfrom ..protocol.formats import Build",
    "host/zipsgd/protocol/frames.py": "import struct, zlib\nfrom . import formats\nfrom .formats import Build",
    "host/zipsgd/training/api.py": "import zipsgd_hwless, sklearnish\nfrom zipsgd.emulator import emulate",
    "hw/zipsgd_hw/datapath/core.py": "from amaranth import *\nfrom zipsgd.protocol import formats",
    "sim/zipsgd_sim/board.py": "import zipsgd.driver, zipsgd_hw.boards",
}
"""Imports that no wall refuses."""

EXISTING = {f"host/zipsgd/{name}/__init__.py": "" for name in ("cli", "golden", "protocol")}


@pytest.mark.parametrize(("wall", "file", "text"), OFFENCES)
def test_a_wall_refuses_an_offence(wall, file, text, tmp_path: Path) -> None:
    found = breaks(_tree(tmp_path, {**EXISTING, "host/zipsgd/golden/weave.py": "", file: text}))
    assert wall.name in {each.wall for each in found}
    assert {each.module for each in found} == {".".join(Path(file).with_suffix("").parts[1:])}


def test_each_wall_is_seen_to_refuse() -> None:
    assert {wall.name for wall, _, _ in OFFENCES} == {wall.name for wall in WALLS}


def test_walls_let_the_rest_pass(tmp_path: Path) -> None:
    assert breaks(_tree(tmp_path, EXISTING | LOOK_ALIKES)) == set()


def test_an_offence_added_to_the_sources_is_found(tmp_path: Path) -> None:
    """The sources as they are, with one more import."""
    for folder in ROOTS:
        _tree(
            tmp_path,
            {str(file.relative_to(ROOT)): file.read_text() for file in (ROOT / folder).rglob("*.py")},
        )
    file = tmp_path / "host" / "zipsgd" / "protocol" / "registers.py"
    file.write_text(file.read_text() + "\nimport numpy\n")
    assert breaks(tmp_path) == {
        Break("the protocol needs the standard library alone", "zipsgd.protocol.registers", "numpy")
    }


def test_nothing_is_too_long() -> None:
    assert not too_long(ROOT)


def test_what_is_too_long_is_found(tmp_path: Path) -> None:
    def function(lines: int) -> str:
        return "def f():\n" + "    pass\n" * (lines - 1)

    fits = {"hw/a.py": "\n" * 400, "tests/deep/b.py": function(99)}
    assert too_long(_tree(tmp_path, fits)) == set()
    too_much = {
        "hw/c.py": "\n" * 401,
        "tests/deep/d.py": f"class A:\n    async {function(100).replace(chr(10), chr(10) + '    ')}",
    }
    assert too_long(_tree(tmp_path, too_much)) == {"hw/c.py", "tests/deep/d.py: f"}
