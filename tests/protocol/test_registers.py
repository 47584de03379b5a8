"""The register table, and the documentation made from it."""

from dataclasses import replace
from pathlib import Path

import pytest

from zipsgd.protocol.formats import Build
from zipsgd.protocol.identification import identification, parse_identification
from zipsgd.protocol.registers import REGISTERS, WINDOW_OFFSET_BITS, WINDOWS, registers_of, windows_of
from zipsgd.protocol.registers_page import markdown

DOCS = Path(__file__).parents[2] / "docs"


def test_documentation_is_current() -> None:
    assert (DOCS / "registers.md").read_text() == markdown(), "run 'make docs'"


def test_addresses_are_consecutive_and_names_unique() -> None:
    assert [register.address for register in REGISTERS.values()] == list(range(len(REGISTERS)))
    assert all(1 <= register.width <= 32 for register in REGISTERS.values())


def test_windows_are_where_they_always_were() -> None:
    addresses = {name: window.address for name, window in WINDOWS.items()}
    assert addresses == {
        "model_window": 0x1_0000,
        "level_window": 0x2_0000,
        "coefficient_window": 0x4_0000,
        "doubt_window": 0x8_0000,
        "variance_window": 0x10_0000,
        "schedule_window": 0x20_0000,
        "result_window": 0x40_0000,
        "score_window": 0x80_0000,
    }
    assert len({window.select_bit for window in WINDOWS.values()}) == len(WINDOWS)
    assert len(REGISTERS) <= 1 << WINDOW_OFFSET_BITS <= min(addresses.values())
    assert not set(WINDOWS) & set(REGISTERS), "both are ports of the register bank"


def test_a_window_is_there_with_its_option() -> None:
    build = Build(lanes=4, update_lanes=4, max_features=64)
    assert set(windows_of(build)) == {"model_window"}
    whole = replace(
        build,
        level_bits=4,
        hinge=1,
        polynomial=3,
        refetch=64,
        diagonal=1,
        store_words=64,
        schedule_words=64,
        score_words=64,
    )
    assert windows_of(whole) == WINDOWS
    assert {"value_bits", "degree", "refetching"} <= set(registers_of(whole)) - set(registers_of(build))
    for window in WINDOWS.values():
        assert isinstance(window.width, int) or getattr(whole, window.width) <= 32


def test_identification_round_trip() -> None:
    build = Build(lanes=16, update_lanes=4, max_features=160)
    assert parse_identification(identification(build)) == build


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("magic", 0, "no zipsgd device"),
        ("version", 99, "version 99 of the contract"),
        ("build_hash", 1, "does not match its parameters"),
        ("lanes", 3, "lanes must be"),
    ],
)
def test_a_wrong_block_is_named(name: str, value: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_identification(identification(Build()) | {name: value})
