"""The register table, and the documentation made from it."""

from pathlib import Path

import pytest

from zipsgd.protocol.formats import Build
from zipsgd.protocol.registers import REGISTERS, identification, markdown, parse_identification

DOCS = Path(__file__).parents[2] / "docs"


def test_documentation_is_current() -> None:
    assert (DOCS / "registers.md").read_text() == markdown(), "run 'make docs'"


def test_addresses_are_consecutive_and_names_unique() -> None:
    assert [register.address for register in REGISTERS.values()] == list(range(len(REGISTERS)))
    assert all(1 <= register.width <= 32 for register in REGISTERS.values())


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
