"""The ports of Verilog for designs of one's own: as documented, under plain names."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from zipsgd.protocol.formats import Build
from zipsgd_hw.link.physical import Uart
from zipsgd_hw.verilog import KINDS, Kind, VerilogFile, port_table, verilog_file
from zipsgd_hw.verilog.page import FULL, renewed
from zipsgd_hw.verilog.ports import CLOCK, Port

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")  # ports need no gateware
PAGE = Path(__file__).resolve().parents[2] / "docs" / "verilog.md"
UART = Uart(3_000_000)
PLAIN = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
SOME = Build(hinge=1, diagonal=1, max_features=64)


def declared(made: VerilogFile, module: str) -> dict[str, tuple[str, int]]:
    """Direction and width of each port of a module, as its Verilog says."""
    body = re.search(rf"^module {module}\((.*?)\);(.*?)^endmodule", made.text, re.MULTILINE | re.DOTALL)
    assert body is not None
    found = {
        name: (direction, int(high or 0) + 1)
        for direction, high, name in re.findall(
            r"^  (input|output) (?:\[(\d+):0\] )?(\S+);$", body[2], re.MULTILINE
        )
    }
    assert set(re.findall(r"[^\s,]+", body[1])) == set(found)
    return found


@pytest.mark.parametrize("build", [Build(), SOME, FULL], ids=["default", "some parts", "all parts"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_ports_are_those_of_the_documentation(kind: Kind, build: Build) -> None:
    made = verilog_file(kind, build, UART)
    assert declared(made, kind.module) == {line.name: (line.direction, line.width) for line in made.ports}
    head = made.text.partition("\n\n")[0]
    assert all(line.startswith("//") for line in head.splitlines())
    for line in port_table(made.ports):
        assert f"// {line}\n" in head
    for port in made.ports:
        assert PLAIN.fullmatch(port.name), port
        assert f"//       .{port.name}({port.name})" in head
    assert f"{build.hash():#010x}" in head
    assert "block RAM" in head or kind.name == "core"


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_port_is_there_if_its_part_is(kind: Kind) -> None:
    """So each row has the right part, and none is left over."""

    def names(build: Build) -> set[str]:
        return {row.name for row in (*CLOCK, *kind.top(build, UART, False).rows)}

    def expected(has: set[str]) -> set[str]:
        rows: list[Port] = [*CLOCK, *kind.ports]
        return {row.name for row in rows if row.option is None or row.option in has}

    parts = {row.option for row in kind.ports if row.option is not None}
    assert names(FULL) == expected(parts)
    small = Build(max_features=64)
    assert names(small) == expected(set())
    changes = {
        "hinge": ({"hinge": 1}, {"losses"}),
        "polynomial": ({"polynomial": 3}, {"losses", "polynomial"}),
        "refetch": ({"hinge": 1, "refetch": 64}, {"losses", "refetch"}),
        "prox": ({"prox": 1}, {"prox"}),
        "ball": ({"prox": 1, "ball": 1}, {"prox", "ball"}),
        "heads": ({"heads": 2}, {"heads"}),
        "diagonal": ({"diagonal": 1}, {"diagonal"}),
        "score_words": ({"score_words": 64}, {"score_words"}),
        "level_bits": ({"level_bits": 4, "level_p_max": 1}, {"level_bits"}),
    }
    assert not parts or parts == changes.keys() - {"hinge"} | {"losses"}
    for change, has in changes.values() if parts else ():
        assert names(replace(small, **change)) == expected(has)


def test_the_same_build_gives_the_same_text() -> None:
    first, second = (verilog_file(KINDS["core"], SOME, UART).text for _ in range(2))
    assert first == second
    assert "zipsgd/" not in first.replace("//", ""), "no path of this computer"


def test_the_head_tells_the_clock_and_the_rate() -> None:
    text = verilog_file(KINDS["uart"], replace(SOME, clock_hz=24_000_000), Uart(1_000_000)).text
    assert "// clk has 24 MHz by the build" in text
    assert "// The UART runs at 1000000 baud, 24 cycles of clk a bit.\n" in text
    with pytest.raises(ValueError, match="must be at most clock_hz / 5 = 9600000"):
        verilog_file(KINDS["uart"], SOME, Uart(12_000_000))
    assert "baud" not in verilog_file(KINDS["streams"], SOME, Uart(12_000_000)).text


def test_the_page_has_the_tables_of_the_source() -> None:
    """``make docs`` renews them."""
    page = PAGE.read_text()
    assert renewed(page) == page
    assert all(f"<!-- ports: {name} -->" in page for name in KINDS)
