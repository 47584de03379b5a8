"""Bitstreams taken apart: what is made of the tool's Verilog. ``make bitstream-test`` simulates a real one."""

import re
from pathlib import Path

import pytest

from zipsgd.protocol.formats import Build
from zipsgd_hw.boards import BuildFailed
from zipsgd_hw.link.physical import Uart
from zipsgd_hw.top import UartAccelerator
from zipsgd_sim import bitstreams
from zipsgd_sim.bitstreams import bitstream_design
from zipsgd_sim.designs import TOP

CHIP = """\
module bitstream (input \\rx__io , output \\tx__io );
wire rx__io, n1, n2, tx__io;
wire rx__io;
reg n3 = 0;
SB_PLL40_CORE #( .DIVR(0) ) pll (.REFERENCECLK(n1));
endmodule
"""


def test_the_tool_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("ICEBOX_VLOG", raising=False)
    with pytest.raises(
        BuildFailed, match=r"icebox_vlog takes bitstreams apart, .* 'apt-get install fpga-icestorm'"
    ):
        bitstream_design(tmp_path / "top.bin")


def test_a_chip_is_made_fit_to_be_simulated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ports declared once, flip-flops unknown, a PLL whose clock is the simulation's, and the ports that the board reads."""
    commands = []

    def run_tool(command: list[str], folder: Path, log: Path) -> None:
        assert folder == tmp_path / "work"
        commands.append(command)
        if command[0] == "icebox_vlog":
            log.write_text(CHIP)

    monkeypatch.setattr(bitstreams, "find_tool", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(bitstreams, "run_tool", run_tool)
    (tmp_path / "work").mkdir()
    (tmp_path / "top.bin").write_bytes(b"bits")
    (tmp_path / "top.pcf").write_text("set_io rx 1")
    design = bitstream_design(tmp_path / "top.bin")
    apart, cells = design.write(tmp_path / "work")
    assert [command[0] for command in commands] == ["icepack", "icebox_vlog"]
    assert (tmp_path / "work" / "board.bin").read_bytes() == b"bits"
    assert (tmp_path / "work" / "board.pcf").read_text() == "set_io rx 1"
    lines = apart.read_text().splitlines()
    assert lines[1:5] == [
        "wire n1, n2;",
        "",
        "reg n3 = $urandom;",
        "simulated_pll #( .DIVR(0) ) pll (.REFERENCECLK(n1));",
    ]
    assert "module simulated_pll #(" in lines
    ports = re.search(rf"^module {TOP} \((.*)\);$", apart.read_text(), re.MULTILINE)
    assert ports is not None
    accelerator = UartAccelerator(Build(), Uart(3_000_000))
    assert {port.split()[-1] for port in ports[1].split(",")} == {
        "clk",
        "rst",
        *accelerator.signature.members,
    }
    assert "= $urandom" in cells.read_text()
    (tmp_path / "top.bin").write_bytes(b"other bits")
    assert bitstream_design(tmp_path / "top.bin").key != design.key
