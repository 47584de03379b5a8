"""What tests of builds share: tools that stand in for the real ones."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_TOOLS = {
    "YOSYS": "yosys",
    **dict.fromkeys(("NEXTPNR_ICE40", "NEXTPNR_ECP5", "NEXTPNR_HIMBAECHEL_GOWIN"), "nextpnr"),
    **{"ICEPACK": "icepack", "ECPPACK": "ecppack", "GOWIN_PACK": "gowin_pack"},
}
"""What stands in for a tool, by the variable that names the tool."""


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Callable[[], list[str]]]:
    """Install tools that reach so many megahertz with each seed, and a cache of the test's own, in paths with blanks.

    What the installer returns tells the runs since it was called last.
    """
    folder, runs = tmp_path / "my tools", tmp_path / "my tools" / "runs"
    script = Path(__file__).with_name("stand_in_tool.py")
    monkeypatch.setenv("ZIPSGD_CACHE", str(tmp_path / "my cache"))
    monkeypatch.setenv("STAND_IN_RUNS", str(runs))

    def ran() -> list[str]:
        said = runs.read_text().split() if runs.exists() else []
        runs.unlink(missing_ok=True)
        return said

    def install(megahertz: str) -> Callable[[], list[str]]:
        folder.mkdir(exist_ok=True)
        for variable, tool in _TOOLS.items():
            program = folder / tool
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" {tool} {megahertz} "$@"\n')
            program.chmod(0o755)
            monkeypatch.setenv(variable, str(program))
        return ran

    return install
