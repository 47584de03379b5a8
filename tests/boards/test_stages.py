"""What a tool is doing, as the end of its log says."""

import time
from pathlib import Path

import pytest

from zipsgd_hw.boards.toolchain import ToolProcess, run_tool

LOGS = {
    "": None,
    "Yosys 0.60\nread\n": None,
    "3.24.1. Executing OPT_CLEAN pass (remove unused cells and wires).\n": "opt_clean",
    "1. Executing RTLIL frontend.\n3. Executing PROC pass (convert).\nfinding\n": "proc",
    "Info: constrained 'rx'\n\nInfo: Packing constants..\nInfo: Packing IOs..\n": "packing",
    "Info: Packing IOs..\nInfo: Placed 4 cells based on constraints.\n": "placing",
    "Info:     at iteration #3, type ALL: wirelen solved = 9\n": None,
    "Info: Running main analytical placer, max placement attempts per cell = 100.\n": "placing",
    "Info: Running simulated annealing placer for refinement.\n": "refining the placement",
    "Info: Routing..\nInfo: Setting up routing queue.\nInfo: Routing 2 arcs.\n": "routing",
    "Info: Running router2...\nInfo: Setting up routing resources...\n": "routing",
    "Info: Routing 2 arcs.\nInfo: Critical path report for clock 'clk':\n": "timing",
    "Warning: Info: Routing\n": None,
    "Info: Packing\n" + "x" * 20_000 + "\n": None,
}


@pytest.mark.parametrize("said", LOGS, ids=range(len(LOGS)))
def test_stage(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "tool"
    (tmp_path / "said").write_text(said)
    tool.write_text(f'#!/bin/sh\ncat "{tmp_path}/said"\necho done > done\nsleep 600\n')
    tool.chmod(0o755)
    monkeypatch.setenv("YOSYS", str(tool))
    process = ToolProcess(["yosys"], tmp_path, tmp_path / "log")
    try:
        end = time.monotonic() + 60
        while not (tmp_path / "done").exists() and time.monotonic() < end:
            time.sleep(0.01)
        assert process.stage == LOGS[said]
        assert not process.done()
    finally:
        process.end()


def test_a_stage_is_told_while_the_tool_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho 'Info: Routing..'\nsleep 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("YOSYS", str(tool))
    said: list[str | None] = []
    run_tool(["yosys"], tmp_path, tmp_path / "log", said.append)
    assert "routing" in said


def test_a_program_that_cannot_be_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zipsgd_hw.boards import BuildFailed
    from zipsgd_hw.boards.toolchain import tool_version

    tool = tmp_path / "tool"
    tool.write_text("#!/no/such/interpreter\n")
    tool.chmod(0o755)
    monkeypatch.setenv("YOSYS", str(tool))
    assert tool_version("yosys") is None
    with pytest.raises(
        BuildFailed, match=r"yosys cannot be run as .*tool: No such file .*or set YOSYS to another"
    ):
        run_tool(["yosys"], tmp_path, tmp_path / "log")
