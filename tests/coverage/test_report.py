"""The report of ``make coverage``: what it adds up, and what it does not let pass."""

from report import line_rows, missed_rows, spans, toggle_rows
from still import reason_for

from zipsgd_sim.toggles import Component


def entry(statements: int, *missing: int) -> dict[str, object]:
    summary = {"num_statements": statements, "covered_lines": statements - len(missing)}
    return {"summary": summary, "missing_lines": list(missing)}


FILES = {
    "host/zipsgd/run.py": entry(10, 4, 5, 6, 9),
    "host/zipsgd/cli/main.py": entry(30),
    "sim/zipsgd_sim/board.py": entry(100, 1, 2, 3, 4, 5),
    "hw/zipsgd_hw/top.py": entry(2, 1, 2),
}


def test_lines_by_folder() -> None:
    found = {row["lines of"]: (row["statements"], row["run"], row["%"]) for row in line_rows(FILES)}
    assert list(found)[:3] == ["host", "hw", "sim"]
    assert found["host"] == (40, 36, 90.0)
    assert found["host/zipsgd"] == (10, 6, 60.0)
    assert found["host/zipsgd/cli"] == (30, 30, 100.0)


def test_files_below_the_goal() -> None:
    (row,) = missed_rows(FILES)
    assert row == {"file": "host/zipsgd/run.py", "%": 60.0, "lines not run": "4-6, 9"}
    assert spans([]) == ""


def test_a_reason_holds_from_its_lowest_bit_on() -> None:
    assert reason_for("dut.core.counters__cycles", [14, 15]) == reason_for("dut.cycles_high", [0])
    assert reason_for("dut.core.counters__cycles", [3, 14]) is None
    assert reason_for("dut.core.gradient.sums", [0]) is None


def test_still_bits_by_reason() -> None:
    components = [
        Component("dut", 8, {"batch": [10, 11, 12]}),
        Component("dut.core.dot", 4, {"sum": [2]}),
    ]
    rows, reasons = toggle_rows("small", components)
    assert [(row["component"], row["bits"], row["toggled"]) for row in rows] == [
        ("dut", 8, 5),
        ("dut.core.dot", 4, 3),
        ("all", 12, 8),
    ]
    assert [(row["still because"], row["bits"], row["signals"]) for row in reasons] == [
        ("NOT KNOWN", 1, "dut.core.dot.sum 2"),
        (reason_for("dut.batch", [10]), 3, "dut.batch 10-12"),
    ]
