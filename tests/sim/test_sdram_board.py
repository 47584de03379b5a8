"""A board whose store is a chip of SDRAM: the emulator's bits, and no wrong word of memory goes unnoticed."""

from collections.abc import Iterator
from typing import Any

import pytest

from zipsgd import train
from zipsgd.backends import BackendOptions
from zipsgd.data import Table
from zipsgd.driver import StoreFault
from zipsgd.protocol.formats import Build
from zipsgd_hw.boards.memories import Sdram
from zipsgd_sim.board import VirtualBoard
from zipsgd_sim.sdram import with_chip

_CHIP = Sdram("M12L64322A-7")
_BUILD = with_chip(
    Build(
        lanes=32,
        update_lanes=4,
        max_features=64,
        diagonal=1,
        clock_hz=100_000_000,
        schedule_words=64,
        store_words=64,
    ),
    _CHIP,
)
_FAST_CHIP = Sdram("16Mx16", 133_000_000)
_FAST = with_chip(_BUILD, _FAST_CHIP)
"""For a chip of 16 bits with a clock of its own."""
_SETTINGS: dict[str, Any] = {"epochs": 3, "resident": True}


@pytest.fixture(scope="module")
def sdram_board() -> Iterator[VirtualBoard]:
    with VirtualBoard(_BUILD, sdram=_CHIP, optimise=1) as served:
        yield served


def test_the_same_bits_from_the_chip(small_table: Table, sdram_board: VirtualBoard) -> None:
    kept = train(small_table, backend=sdram_board.url, **_SETTINGS)
    emulated = train(small_table, backend=BackendOptions("emulator", _BUILD), **_SETTINGS)
    assert kept.model_words == emulated.model_words
    assert sdram_board.statistics()["memory_read"] > 3 * 210 * 6 // 4
    sdram_board.reset()  # which the chip survives
    assert train(small_table, backend=sdram_board.url, **_SETTINGS).model_words == emulated.model_words


def test_the_same_bits_from_a_chip_with_its_own_clock(small_table: Table) -> None:
    emulated = train(small_table, backend=BackendOptions("emulator", _FAST), **_SETTINGS)
    with VirtualBoard(_FAST, sdram=_FAST_CHIP, optimise=1) as board:
        assert train(small_table, backend=board.url, **_SETTINGS).model_words == emulated.model_words
        board.reset()
        assert train(small_table, backend=board.url, **_SETTINGS).model_words == emulated.model_words
        counts = board.statistics()
        assert abs(counts["memory_cycles"] / counts["cycles"] - 1.33) < 0.01
        board.spoil(100, 7)
        with pytest.raises(StoreFault, match="does not hold what was sent"):
            train(small_table, backend=board.url, **_SETTINGS)


def test_a_broken_bit_is_reported(small_table: Table) -> None:
    with VirtualBoard(_BUILD, sdram=_CHIP, optimise=1) as board:
        board.spoil(100, 7)
        with pytest.raises(StoreFault, match="does not hold what was sent"):
            train(small_table, backend=board.url, **_SETTINGS)


def test_bits_that_are_written_wrongly_are_reported(small_table: Table) -> None:
    with (
        VirtualBoard(_BUILD, sdram=_CHIP, sdram_errors=0.02, optimise=1) as board,
        pytest.raises(StoreFault),
    ):
        train(small_table, backend=board.url, **_SETTINGS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"sdram": Sdram("16Mx16")}, "store_words=16777216 and word_bytes=2"),
        ({"sdram": _FAST_CHIP}, "2 of its own has store_words=8388608 and word_bytes=4"),
        ({"sdram": _CHIP, "netlist": "ice40"}, "has no pins of an SDRAM"),
    ],
)
def test_wrong_chips(words: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VirtualBoard(_BUILD, **words)


def test_an_unknown_chip() -> None:
    with pytest.raises(ValueError, match="sdram must be one of"):
        Sdram("no such chip")
