"""The engine of ``make mutants``, on a component of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny
from chosen import CHOSEN
from drawing import sample
from equivalent import EQUIVALENT, Equivalent, reasons
from points import Mutant
from schemata import Circuit, Live, Sources, Textual, live_mutants, with_mutants, zipsgd_sources
from simulate import Simulator

from zipsgd_sim.cocotb_runner import build_simulator
from zipsgd_sim.verilog import to_verilog

BENCH = Path(__file__).parent / "bench_tiny.py"
EQUIVALENT_HERE = {
    ("operand dropped", "self.up & ~self.full → self.up"),
    ("choice", "Mux(self.full, LIMIT, self.count + 1) → self.count + 1"),
    ("constant", "Mux(self.full, LIMIT, self.count + 1) → Mux(..., LIMIT + 1, ...)"),
}
"""The counter is kept from going beyond its limit twice."""


@pytest.fixture(scope="module")
def sources() -> Sources:
    return Sources({"tiny.py": tiny})


@pytest.fixture(scope="module")
def live(sources: Sources) -> Live:
    return live_mutants(tiny.Tiny, sources)


def _named(live: Live, operator: str, change: str) -> Mutant:
    (found,) = (m for m in live.switched | live.static if (m.operator, m.change) == (operator, change))
    return found


def _simulator(circuit: Circuit, folder: Path) -> Simulator:
    program = build_simulator(circuit.verilog, folder, folder / "simulators")
    return Simulator(program, BENCH, {}, folder / "runs")


@pytest.fixture(scope="module")
def all_at_once(
    sources: Sources, live: Live, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Circuit, Simulator]]:
    """One circuit with every mutant that can be switched on."""
    circuit = with_mutants(tiny.Tiny, sources, live.switched)
    with _simulator(circuit, tmp_path_factory.mktemp("tiny")) as simulator:
        yield circuit, simulator


def test_without_mutants_a_circuit_is_as_it_was(sources: Sources) -> None:
    assert with_mutants(tiny.Tiny, sources).verilog == to_verilog(tiny.Tiny(), "dut")


def test_points_are_found(live: Live) -> None:
    found = {(mutant.operator, mutant.change) for mutant in live.switched}
    assert found >= {
        ("logic", "self.clear | first → self.clear & first"),
        ("operand dropped", "self.up & ~self.full → ~self.full"),
        ("inversion dropped", "~self.full → self.full"),
        ("comparison", "self.count == LIMIT → self.count != LIMIT"),
        ("constant", "self.count == LIMIT → self.count == (LIMIT - 1)"),
        ("arithmetic", "self.count + 1 → self.count - 1"),
        ("condition", "self.up & ~self.full → always"),
        ("statement dropped", "self.count.eq(0) dropped"),
        ("constant", "first.eq(0) → first.eq(0 + 1)"),
    }
    assert {(mutant.operator, mutant.change) for mutant in live.static} == {("init", "init=1 → another")}
    assert all(mutant.file == "tiny.py" and mutant.place == "Tiny.elaborate" for mutant in live.switched)


def test_each_mutant_is_caught_unless_it_is_equivalent(all_at_once: tuple[Circuit, Simulator]) -> None:
    circuit, simulator = all_at_once
    assert not simulator.run(0, 60).failed
    passed = {m for m, number in circuit.numbers.items() if not simulator.run(number, 60).failed}
    assert {(mutant.operator, mutant.change) for mutant in passed} == EQUIVALENT_HERE
    assert not simulator.run(0, 60).failed, "a mutant stays behind"


def test_what_fails_is_said(live: Live, all_at_once: tuple[Circuit, Simulator]) -> None:
    circuit, simulator = all_at_once
    number = circuit.numbers[_named(live, "statement dropped", "self.full.eq(self.count == LIMIT) dropped")]
    run = simulator.run(number, 60)
    assert run.failed == "counts"
    assert run.message.endswith(": full")
    late = simulator.run(0, 0.0)
    assert late.failed == "time"


def test_a_mutant_of_its_own(sources: Sources, live: Live, tmp_path: Path) -> None:
    """What a register holds at reset, and one that could be switched as well."""
    plain = with_mutants(tiny.Tiny, sources).verilog
    init = with_mutants(tiny.Tiny, sources, alone=_named(live, "init", "init=1 → another")).verilog
    assert init != plain
    step = _named(live, "arithmetic", "self.count + 1 → self.count - 1")
    assert with_mutants(tiny.Tiny, sources, alone=step).verilog not in (plain, init)
    edit = Textual("tiny.py", "self.count + 1", "self.count - 1", "counts down")
    with _simulator(with_mutants(tiny.Tiny, sources, alone=edit), tmp_path) as simulator:
        assert simulator.run(0, 60).failed == "counts"
    assert with_mutants(tiny.Tiny, sources).verilog == plain


def test_edits_fit(sources: Sources) -> None:
    with (
        pytest.raises(ValueError, match="has 0 times 'no such text'"),
        sources.edited("tiny.py", "no such text", ""),
    ):
        pass
    for edit in CHOSEN:
        with zipsgd_sources().edited(edit.file, edit.old, edit.new):
            pass


def test_equivalent_mutants_exist() -> None:
    everything = [variant.mutant for point in zipsgd_sources().points for variant in point.variants]
    assert set(reasons(everything).values()) == {entry.why for entry in EQUIVALENT}
    gone = Equivalent("datapath/lfsr.py", "with m.If(self.mark):", "condition", "self.gone → always", "none")
    with pytest.raises(ValueError, match=r"has no mutant 'condition: self\.gone → always'"):
        reasons(everything, [gone])


def test_a_sample_is_of_all_components_and_by_seed() -> None:
    mutants = [
        Mutant("a.py", f"{owner}.elaborate", f"line {i}", "logic", "a & b → a | b")
        for owner, count in (("Large", 900), ("Small", 40), ("Least", 3))
        for i in range(count)
    ]
    static = set(mutants[:300])
    drawn = sample(mutants, static, 100, 1)
    assert drawn == sample(reversed(mutants), static, 100, 1) != sample(mutants, static, 100, 2)
    owners = [mutant.place.split(".")[0] for mutant in drawn]
    assert owners.count("Least") == 3
    assert owners.count("Small") >= 6
    assert 85 <= owners.count("Large") <= 100
    assert 0 < len(static & set(drawn)) <= 100 // 8
    assert len(set(drawn)) == len(drawn)
