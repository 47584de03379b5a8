"""Verilator's toggle data: what is counted as a bit, and when it has toggled."""

from pathlib import Path

import pytest

from zipsgd_sim.toggles import Component, read_toggles


def point(module: str, bit: str, edge: str, count: int, page: str = "v_toggle") -> str:
    fields = {"f": "dut.v", "l": "3", "t": "toggle", "page": f"{page}/{module}", "o": f"{bit}:{edge}"}
    return "C '" + "".join(f"\x01{name}\x02{value}" for name, value in fields.items()) + f"' {count}\n"


def both(module: str, bit: str, rises: int = 1, falls: int = 1) -> str:
    return point(module, bit, "0->1", rises) + point(module, bit, "1->0", falls)


def read(tmp_path: Path, *points: str) -> list[Component]:
    file = tmp_path / "coverage.dat"
    file.write_text("# SystemC::Coverage-3\n" + "".join(points))
    return read_toggles(file)


def test_a_bit_has_to_rise_and_fall(tmp_path: Path) -> None:
    (component,) = read(
        tmp_path,
        both("dut", "word[0]"),
        both("dut", "word[1]", falls=0),
        both("dut", "word[10]", rises=0, falls=0),
        both("dut", "word[9]", rises=0),
        both("dut", "bit", rises=7, falls=8),
    )
    assert (component.name, component.bits, component.toggled) == ("dut", 5, 2)
    assert component.still == {"word": [1, 9, 10]}


def test_one_edge_that_was_never_listed_is_none(tmp_path: Path) -> None:
    (component,) = read(tmp_path, point("dut", "bit", "0->1", 5))
    assert component.still == {"bit": [0]}


def test_names_are_amaranths(tmp_path: Path) -> None:
    components = read(
        tmp_path,
        both("dut.core.loss$157.lfsr", "seed___05Fpayload__02461[3]", rises=0),
        both("dut.core", "ready", rises=0),
    )
    assert [component.name for component in components] == ["dut.core", "dut.core.loss.lfsr"]
    assert [component.still for component in components] == [{"ready": [0]}, {"seed__payload": [3]}]


def test_each_bit_is_counted_once(tmp_path: Path) -> None:
    """Fields, elements, expressions, words of memories, signals of no bits and other kinds of coverage are left out."""
    (component,) = read(
        tmp_path,
        both("dut", "run[0]"),
        both("dut", "run__02eshift[0]"),
        both("dut", "words__05b1__05d[0]"),
        both("dut", "__02412[0]"),
        both("dut", "memory[3][0]"),
        both("dut", "step[-1]", rises=0),
        both("dut", "step[0]", rises=0),
        point("dut", "block", "0->1", 1, page="v_branch"),
    )
    assert component == Component("dut", 1, {})


def test_a_file_without_toggles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no toggle coverage"):
        read(tmp_path)
