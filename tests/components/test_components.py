"""Each component of the gateware by itself, against its golden function, in every case of its bench."""

from pathlib import Path

import pytest
from component_bench import Case, all_benches
from write_table import PAGE, components, with_table

from zipsgd_sim.cocotb_runner import run_cocotb

_CASES = [
    pytest.param(file, case, id=f"{file.stem.removeprefix('bench_')}-{case.name}")
    for file, bench in all_benches().items()
    for case in bench.cases
]


@pytest.mark.parametrize(("file", "case"), _CASES)
def test_component(file: Path, case: Case, tmp_path: Path) -> None:
    run_cocotb(case.make(), file, tmp_path, case.parameters)


def test_every_component_has_a_bench() -> None:
    assert [component.name for component in components() if not component.bench] == []


def test_the_table_is_up_to_date() -> None:
    page = PAGE.read_text()
    assert with_table(page) == page, "run `make docs`"
