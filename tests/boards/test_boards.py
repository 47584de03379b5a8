"""Boards: their table, the prediction, and the build."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from amaranth import Elaboratable, Module, Signal
from amaranth.back import rtlil

from zipsgd import Options
from zipsgd.protocol.formats import Build, BuildError
from zipsgd.protocol.identification import parse_identification
from zipsgd_hw.boards import BOARDS, BuildFailed, build_board, predict_epoch, stock_report, toolchain
from zipsgd_hw.boards.epoch_cycles import epoch_cycles
from zipsgd_hw.boards.families import FAMILIES
from zipsgd_hw.boards.families.ecp5 import ECP5
from zipsgd_hw.boards.memory_blocks import memories, memory_blocks
from zipsgd_hw.boards.report import clocks, fmax_margin, utilisation
from zipsgd_hw.boards.synthesis import synthesise
from zipsgd_hw.top import Accelerator
from zipsgd_sim.cycles import Shape, measure
from zipsgd_sim.verilog import to_rtlil


@pytest.mark.parametrize("name", BOARDS)
def test_row_is_whole(name: str) -> None:
    board = BOARDS[name]
    assert board.name == name
    assert board.device.startswith(board.family.device_prefix)
    assert (
        sum(memory_blocks(board.build, board.ram, in_block_ram=board.memory is None).values())
        <= board.ram.count
    )


def test_each_family_has_a_board() -> None:
    assert {board.family.name for board in BOARDS.values()} == FAMILIES.keys()


def test_there_are_boards_enough_and_each_trains_classifiers() -> None:
    """Two builds for one board are one board. Hinges are the command line's default for classes."""
    assert len({board.platform_class for board in BOARDS.values()}) >= 12
    assert all(board.build.hinge for board in BOARDS.values())
    assert all(board.programming is not None for board in BOARDS.values())


def test_goals_of_size() -> None:
    for name, lanes, features, megahertz in (
        ("icebreaker", 8, 1024, 24),
        ("ice40-hx8k-b-evn", 8, 1024, 60),
        ("ulx3s-85f", 64, 4096, 100),
    ):
        build = BOARDS[name].build
        assert build.lanes >= lanes
        assert build.max_features >= features
        assert build.clock_hz >= megahertz * 1_000_000


_PLAIN_SHAPES = [Shape(200, 2, 2, 16, 3), Shape(100, 1, 1, 8, 3), Shape(256, 8, 2, 1, 7)]
PREDICTED = {
    "plain": (Build(lanes=8, update_lanes=8, max_features=256), False, _PLAIN_SHAPES),
    "slow update": (Build(lanes=8, update_lanes=2, max_features=256), False, _PLAIN_SHAPES),
    "fast memory, proximal step, diagonal, short samples, full replay buffer": (
        Build(lanes=16, update_lanes=4, max_features=128, replay_words=32, prox=1, diagonal=1),
        True,
        [Shape(100, 2, 2, 6, 3), Shape(16, 1, 1, 16, 3), Shape(16, 1, 0, 16, 3), Shape(128, 2, 2, 4, 3)],
    ),
    "heads": (
        Build(lanes=8, update_lanes=2, max_features=384, heads=16),
        False,
        [
            Shape(40, 2, 2, 4, 3, heads=3),
            Shape(8, 1, 1, 1, 6, heads=16),
            Shape(24, 1, 1, 2, 6, heads=16),
            Shape(20, 4, 2, 3, 3, heads=2),
        ],
    ),
    "polynomial": (
        Build(lanes=8, update_lanes=8, max_features=256, polynomial=3, heads=2),
        False,
        [
            Shape(8, 2, 4, 8, 3, degree=3),
            Shape(200, 2, 4, 8, 3, degree=3),
            Shape(30, 1, 1, 5, 3, degree=2, heads=2),
            Shape(30, 1, 2, 5, 3),
        ],
    ),
    "refetching": (
        Build(lanes=8, update_lanes=8, max_features=256, hinge=1, refetch=64),
        False,
        [Shape(100, 2, 2, 4, 3), Shape(30, 1, 1, 4, 3)],
    ),
}
"""Builds, whether their memory is fast, and runs on each."""


@pytest.mark.parametrize("name", PREDICTED)
def test_predicted_cycles_are_those_of_the_gateware(name: str, tmp_path: Path) -> None:
    build, fast_memory, shapes = PREDICTED[name]
    counts = measure(build, shapes, tmp_path, fast_memory=fast_memory)
    for shape, counted in zip(shapes, counts, strict=True):
        predicted = epoch_cycles(
            build,
            samples=shape.batch * shape.batches,
            features=shape.features,
            base_planes=shape.p,
            up_planes=shape.m,
            batch=shape.batch,
            heads=shape.heads,
            degree=shape.degree,
            fast_memory=fast_memory,
        )
        assert abs(predicted - counted.cycles) <= 2 + shape.batches, (shape, predicted, counted)


@pytest.mark.parametrize(
    "build",
    [
        Build(),
        Build(lanes=8, update_lanes=2, max_features=512, heads=16, level_bits=5, level_p_max=2, prox=1),
        Build(lanes=4, update_lanes=4, max_features=64, hinge=1, refetch=128, polynomial=3, ball=1, prox=1),
        Build(lanes=64, update_lanes=4, max_features=320, level_bits=2, heads=2),
    ],
    ids=["plain", "heads and levels", "refetching and polynomial", "wide levels"],
)
def test_memories_are_those_of_the_gateware(build: Build) -> None:
    """All that are read with a clock; those of queues are read without."""
    text = to_rtlil(Accelerator(build), "top")
    sizes, clocked = {}, []
    for module in text.split("\nmodule ")[1:]:
        name = module.split()[0]
        for width, depth, memory in re.findall(
            r"^  memory width (\d+) size (\d+) (\S+)$", module, re.MULTILINE
        ):
            sizes[name, memory.lstrip("\\")] = (int(width), int(depth))
        for cell in re.findall(r"^  cell \$memrd_v2 .*?^  end$", module, re.MULTILINE | re.DOTALL):
            memory = re.search(r'parameter \\MEMID "(\S+)"', cell)
            assert memory is not None
            if re.search(r"parameter \\CLK_ENABLE (1'1|1)$", cell, re.MULTILINE):
                clocked.append((name, memory[1].lstrip("\\")))
    assert len(clocked) == len(set(clocked)) > 5
    assert sorted(sizes[memory] for memory in clocked) == sorted(memories(build).values())


def test_prediction_says_what_bounds_it() -> None:
    build = BOARDS["icebreaker"].build
    sizes = {"samples": 1000, "features": 784, "base_planes": 2, "up_planes": 2}
    assert predict_epoch(build, **sizes, link_baud=3_000_000)["bound_by"] == "link"
    quick = predict_epoch(build, **sizes, link_baud=10**9)
    assert quick["bound_by"] == "datapath"
    assert quick["seconds"] == quick["datapath_seconds"]
    assert predict_epoch(build, **sizes)["link_seconds"] is None


def test_verilog_and_report_without_tools(tmp_path: Path) -> None:
    stale = tmp_path / "icebreaker.bin"
    stale.write_bytes(b"of an earlier build")
    report = build_board("icebreaker", out_dir=tmp_path, prepare_only=True)
    assert not stale.exists()
    assert "module top" in (tmp_path / "icebreaker.v").read_text()
    assert report == json.loads((tmp_path / "build.json").read_text())
    assert report["utilisation"] is None
    assert report["bitstream"] is None
    assert report["link_baud"] == report["predicted_epoch"]["link_baud"] == BOARDS["icebreaker"].link.baud
    assert Build(**report["build"]) == BOARDS["icebreaker"].build


def test_too_many_block_rams_are_told(tmp_path: Path) -> None:
    lines: list[str] = []
    report = build_board("icebreaker", out_dir=tmp_path, prepare_only=True, progress=lines.append)
    assert report["block_rams_estimate"] == {"used": 30, "available": 30}
    assert len(lines) == 1
    changes = {"lanes": 16}
    report = build_board(
        "icebreaker", out_dir=tmp_path, prepare_only=True, changes=changes, progress=lines.append
    )
    used = sum(report["memory_blocks_estimate"].values())
    assert report["block_rams_estimate"] == {"used": used, "available": 30}
    assert used > 30
    assert lines[-1].startswith(f"warning: the build takes about {used} of 30 block RAMs")


def test_a_board_may_choose_how_logic_is_mapped(tmp_path: Path) -> None:
    build_board("icebreaker-store", out_dir=tmp_path, prepare_only=True)
    lines = (tmp_path / "top.ys").read_text().splitlines()
    place = lines.index("scratchpad -copy abc9.script.flow3 abc9.script")
    assert any(line.startswith("synth_ice40 -dsp -dffe_min_ce_use 4 ") for line in lines[place:])


def test_the_link_may_have_another_rate(tmp_path: Path) -> None:
    report = build_board("icebreaker", out_dir=tmp_path, baud=1_000_000, prepare_only=True)
    assert report["link_baud"] == report["predicted_epoch"]["link_baud"] == 1_000_000
    assert report["build"] == BOARDS["icebreaker"].build.as_dict()
    with pytest.raises(ValueError, match=r"the baud rate of a UART must be at most clock_hz / 5 = 4800000"):
        build_board("icebreaker", out_dir=tmp_path, baud=6_000_000, prepare_only=True)


def test_icebreaker_bitstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Placed and routed, at its clock, in a path with blanks; the sidecar says which build it is. The cache gives the same."""
    monkeypatch.setenv("ZIPSGD_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "a folder"
    lines: list[str] = []
    said: list[str] = []
    report = build_board("icebreaker", out_dir=folder, progress=lines.append, watch=said.append)
    content = (folder / report["bitstream"]).read_bytes()
    assert len(content) > 50_000
    assert all(clock["met"] for clock in report["clocks"])
    # What nextpnr makes of oscillator and PLL is the clock that the gateware is told.
    assert [clock["target_mhz"] for clock in report["clocks"]] == [BOARDS["icebreaker"].build.clock_hz / 1e6]
    assert report["utilisation"]["ram"]["used"] <= 30
    assert report["cells_per_lane"] > 0
    sidecar = json.loads((folder / "icebreaker.json").read_text())
    assert Build(**sidecar["build"]) == BOARDS["icebreaker"].build
    assert int(sidecar["build_hash"], 16) == BOARDS["icebreaker"].build.hash()
    assert len(lines) == 5
    assert {"seed 1: placing", "seed 1: routing"} <= set(said)
    assert any(re.fullmatch(r"synthesis: (opt_|abc9_|proc_|memory_)\w+", line) for line in said)
    again = build_board("icebreaker", out_dir=tmp_path / "again")
    assert again["from_cache"] == {"synthesis": True, "seeds": [report["seed"]]}
    assert (tmp_path / "again" / again["bitstream"]).read_bytes() == content


def test_errors_of_the_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no board 'arty'; boards: icebreaker"):
        build_board("arty", out_dir=tmp_path)
    monkeypatch.setenv("YOSYS", "/no/such/program")
    with pytest.raises(BuildFailed, match="YOSYS is set to '/no/such/program', which is no program"):
        toolchain.find_tool("yosys")
    monkeypatch.setenv("YOSYS", "false")
    with pytest.raises(BuildFailed, match="yosys failed with exit status 1"):
        toolchain.run_tool(["yosys"], tmp_path, tmp_path / "log")
    monkeypatch.delenv("YOSYS")
    monkeypatch.setattr(toolchain.shutil, "which", lambda *_, **__: None)
    with pytest.raises(BuildFailed, match=r"yosys is not installed: pip install 'zipsgd\[build\]'"):
        toolchain.find_tool("yosys")


def test_missing_figures_are_missing(tmp_path: Path) -> None:
    """What a tool does not say is None, not zero."""
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"utilization": {"TRELLIS_COMB": {"used": 5, "available": 10}}, "fmax": {}}))
    figures = utilisation(ECP5, report, tmp_path / "none.json")
    assert figures["cells"] == {"used": 5, "available": 10, "percent": 50.0}
    assert figures["ram"] == {"used": None, "available": None, "percent": None}
    with pytest.raises(ValueError, match="names no clock"):
        fmax_margin(clocks(report))


def test_identification_names_the_board_build() -> None:
    from zipsgd.protocol.identification import identification

    for board in BOARDS.values():
        assert parse_identification(identification(board.build)) == board.build


def test_parameters_may_differ_from_the_boards(tmp_path: Path) -> None:
    changes = {"level_bits": 4, "level_p_max": 1, "max_features": 64}
    report = build_board("icebreaker", out_dir=tmp_path, prepare_only=True, changes=changes)
    build = Build(**report["build"])
    assert build == replace(BOARDS["icebreaker"].build, **changes)
    assert report["memory_blocks_estimate"]["levels"] == 2
    with pytest.raises(BuildError, match="no parameter level_bit: a build has lanes, "):
        build_board("icebreaker", out_dir=tmp_path, prepare_only=True, changes={"level_bit": 4})
    with pytest.raises(BuildError, match="lanes must be a power of two"):
        build_board("icebreaker", out_dir=tmp_path, prepare_only=True, changes={"lanes": 12})


class _ArrayElements(Elaboratable):
    """Registers whose names are those of an array's elements, and of another's bits."""

    def __init__(self) -> None:
        self.a, self.b, self.c = Signal(8), Signal(8), Signal(8)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits, element = Signal(8, name="x"), Signal(8, name="x[3]")
        m.d.sync += [bits.eq(bits + self.a), element.eq((bits & self.a) + element)]
        m.d.comb += [self.b.eq(element ^ bits), self.c.eq((element | self.a) + bits)]
        return m


def test_elements_named_as_bits_are_synthesised(tmp_path: Path) -> None:
    """ABC9 fails where such names collide, as those of about half of all builds do."""
    design = _ArrayElements()
    text = rtlil.convert(design, ports=[design.a, design.b, design.c])
    assert synthesise(text, ECP5, "top", tmp_path).exists()


@pytest.mark.parametrize("name", BOARDS)
def test_the_default_epoch_is_that_of_the_default_training(name: str) -> None:
    """So a board with a diagonal predicts one draw."""
    board = BOARDS[name]
    options = Options().resolved(diagonal=bool(board.build.diagonal))
    epoch = stock_report(board)["predicted_epoch"]
    assert (epoch["base_planes"], epoch["up_planes"]) == (options.planes, options.quantisations)
