"""The SDRAM controller on the model of its chip: right words, kept rules, a busy bus; and broken rules are seen."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zipsgd_hw.store.sdram import CHIPS, SdramChip, SdramController, SdramGeometry, SdramTiming
from zipsgd_sim.sdram import RuleBroken, exercise_program, run_exercise

pytestmark = pytest.mark.filterwarnings(
    "ignore::amaranth.hdl.UnusedElaboratable"
)  # of controllers that are refused

CLOCK_HZ = 1e9
"""Nanoseconds are cycles."""
# Each time is as long as it can be without giving the controller more time than it would need anyway
TIGHT = SdramChip(
    SdramGeometry(data_bits=16, bank_bits=2, row_bits=11, column_bits=8),
    SdramTiming(
        rcd_ns=5, rp_ns=3, ras_ns=7, rc_ns=16, rrd_ns=6, rfc_ns=10, wr_ns=3, mrd_cycles=6,
        refreshes=64, window_ns=64 * 200 + 34, init_ns=2000, most_ras_ns=400,
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def program() -> Path:
    return exercise_program(SdramController(TIGHT.geometry, TIGHT.timing, CLOCK_HZ))


def test_the_rules_are_kept(program: Path) -> None:
    for seed in (1, 2, 3):
        run_exercise(program, TIGHT, CLOCK_HZ, bursts=20_000, seed=seed)


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("tRCD", {"rcd_ns": 6}),
        ("tRP", {"rp_ns": 4}),
        ("tRAS", {"ras_ns": 8}),
        ("tRC", {"rc_ns": 17}),
        ("tRRD", {"rrd_ns": 7}),
        ("tRFC", {"rfc_ns": 11}),
        ("tWR", {"wr_ns": 4}),
        ("tMRD", {"mrd_cycles": 7}),
        ("mode", {"cas_cycles": 2}),
        ("initialisation", {"init_ns": 2004}),
        ("longest tRAS", {"most_ras_ns": 150}),
        ("tREFI", {"window_ns": 64 * 99}),
        ("refresh window", {"window_ns": 64 * 199}),
    ],
)
def test_the_model_sees_a_rule_that_is_broken_by_a_cycle(
    program: Path, rule: str, changes: dict[str, Any]
) -> None:
    """The controller keeps each time to the cycle, so that a chip that needs one more is not served."""
    chip = replace(TIGHT, timing=replace(TIGHT.timing, **changes))
    with pytest.raises(RuleBroken, match=f"^SDRAM: {rule} is broken in cycle \\d+: "):
        run_exercise(program, chip, CLOCK_HZ, bursts=20_000)


def test_the_bus_is_busy() -> None:
    chip, clock_hz, io_cycles = CHIPS["16Mx16"], 133e6, 2
    program = exercise_program(SdramController(chip.geometry, chip.timing, clock_hz, io_cycles=io_cycles))
    found = run_exercise(program, chip, clock_hz, io_cycles=io_cycles)
    for order in ("reads in order", "reads of random blocks of 4 KB"):
        assert 0.98 < found["share"][order] < 1
    for order in ("writes in order", "writes of random blocks of 4 KB"):
        assert 0.98 < found["share"][order] < 1
    assert 0.8 < found["share"]["reads of random bursts"] < 0.95
    assert found["latency"] == {"open row": 12, "closed bank": 14, "another row": 17}


def test_times_in_cycles() -> None:
    """Times to wait are rounded up, limits are rounded down; a board that has any of three chips waits for the slowest."""
    cycles = CHIPS["16Mx16"].timing.cycles(133e6)
    assert (cycles.rcd, cycles.rp, cycles.ras, cycles.rc, cycles.rrd, cycles.rfc, cycles.wr) == (
        3,
        3,
        6,
        9,
        2,
        9,
        2,
    )
    assert (cycles.init, cycles.window, cycles.most_ras) == (26600, 8_512_000, 13300)
    assert CHIPS["16Mx16"].timing.cycles(100e6).rcd == 3  # 21 ns
    assert CHIPS["MT48LC16M16A2-75"].timing.cycles(100e6).rcd == 2  # 20 ns
    assert CHIPS["M12L64322A-7"].geometry.words * 4 == 8 << 20
    assert all(
        chip.geometry.words * 2 in (32 << 20, 64 << 20) for name, chip in CHIPS.items() if "16" in name
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: replace(TIGHT.geometry, data_bits=12), "data_bits must be one of 4, 8, 16, 32, not 12"),
        (lambda: replace(TIGHT.timing, cas_cycles=4), "cas_cycles must be 2 or 3, not 4"),
        (lambda: replace(TIGHT.timing, rp_ns=0), "rp_ns must be positive, not 0"),
        (lambda: TIGHT.timing.slowest(CHIPS["16Mx16"].timing), "same cas_cycles and refreshes"),
        (lambda: SdramController(TIGHT.geometry, TIGHT.timing, 1e8), "100000000.0 Hz is too slow"),
        (
            lambda: SdramController(TIGHT.geometry, replace(TIGHT.timing, rc_ns=30), CLOCK_HZ),
            "Hz is too fast",
        ),
        (
            lambda: SdramController(TIGHT.geometry, TIGHT.timing, CLOCK_HZ, io_cycles=-1),
            "io_cycles must not be neg",
        ),
    ],
)
def test_bad_values_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
