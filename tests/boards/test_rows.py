"""Rows of boards: the PLL's settings, and the errors of a wrong row."""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from zipsgd_hw.boards import BOARDS
from zipsgd_hw.boards.catalogue import by_name
from zipsgd_hw.boards.families.ecp5 import Ecp5Pll
from zipsgd_hw.boards.families.family import Pll
from zipsgd_hw.boards.families.ice40 import ICE40, Ice40Pll

ULX3S = BOARDS["ulx3s-85f"]
MODULE = "amaranth_boards.ulx3s"


@pytest.mark.parametrize(
    ("name", "pll"),
    [
        ("icebreaker", Ice40Pll(divr=0, divf=63, divq=5, filter_range=1, pad=True)),
        ("icebreaker-store", Ice40Pll(divr=0, divf=63, divq=5, filter_range=1, pad=True)),
        ("ice40-hx8k-b-evn", Ice40Pll(divr=0, divf=79, divq=4, filter_range=1, pad=False)),
        ("ulx3s-85f", Ecp5Pll(clki_div=1, clkfb_div=4, clkop_div=6)),
    ],
)
def test_settings_of_the_boards(name: str, pll: Pll) -> None:
    """Those that icepll and ecppll give."""
    assert BOARDS[name].pll == pll


@pytest.mark.parametrize(
    "input_hz", [12_000_000, 16_000_000, 25_000_000, 27_000_000, 48_000_000, 100_000_000]
)
@pytest.mark.parametrize("find", [Ice40Pll.find, Ecp5Pll.find])
def test_settings_make_the_clock_within_the_ranges(find: Callable[[int, int], Any], input_hz: int) -> None:
    found = 0
    for clock_hz in range(20_000_000, 250_000_000, 1_000_000):
        try:
            pll = find(input_hz, clock_hz)
        except ValueError:
            continue
        found += 1
        assert pll.output_hz(input_hz) == clock_hz
        if isinstance(pll, Ice40Pll):
            detector, low, high = input_hz / (pll.divr + 1), 533e6, 1066e6
            vco = clock_hz << pll.divq
            steps = (17e6, 26e6, 44e6, 66e6, 101e6)
            assert detector >= 10e6
            assert pll.filter_range == 1 + sum(detector >= step for step in steps)
        else:
            detector, low, high = input_hz / pll.clki_div, 400e6, 800e6
            vco = clock_hz * pll.clkop_div
            assert detector >= 3.125e6
        assert low <= vco <= high
        assert (vco / detector).is_integer()
    assert found


def test_a_changed_clock_changes_the_pll() -> None:
    slower = replace(ULX3S, build=replace(ULX3S.build, clock_hz=90_000_000))
    assert slower.pll == Ecp5Pll(clki_div=5, clkfb_div=18, clkop_div=7)


def test_a_clock_that_the_pll_cannot_make_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"board ulx3s-85f: the PLL cannot make 90000001 Hz .* such as 90000000 or 90625000"
    ):
        replace(ULX3S, build=replace(ULX3S.build, clock_hz=90_000_001))
    with pytest.raises(ValueError, match=r"such as 400000000$"):
        Ecp5Pll.find(25_000_000, 500_000_000)
    with pytest.raises(ValueError, match="cannot run from an input of 1000000 Hz: correct input_hz"):
        Ice40Pll.find(1_000_000, 24_000_000)
    with pytest.raises(ValueError, match="board ulx3s-85f: pll_pad is for iCE40 boards only"):
        replace(ULX3S, pll_pad=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"block_rams": -1}, "block_rams must be a whole number of at least 1, not -1"),
        ({"block_rams": 2.5}, "block_rams must be a whole number of at least 1, not 2.5"),
        ({"input_hz": 0}, "input_hz must be a whole number of at least 1, not 0"),
        (
            {"family": ICE40},
            r"the device LFE5U-85F-6BG381C is not of the family ice40, .* named iCE40\.\.\.: correct",
        ),
        ({"device": "iCE40HX8K-CT256"}, "the device iCE40HX8K-CT256 is not of the family ecp5"),
    ],
)
def test_a_wrong_row_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^board ulx3s-85f: {message}"):
        replace(ULX3S, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"platform_class": f"{MODULE}:ULX3S_25F_Platform"},
            "is for the device LFE5U-25F, the row for LFE5U-85F-6BG381C",
        ),
        ({"platform_class": f"{MODULE}:ULX3S_90F_Platform"}, "is not found; it must be written MODULE:CLASS"),
        ({"platform_class": MODULE}, "is not found; it must be written MODULE:CLASS"),
        ({"platform_class": ""}, "is not found; it must be written MODULE:CLASS"),
        ({"platform_class": f"{MODULE}s:ULX3S_85F_Platform"}, "is not found .No module named"),
        ({"platform_class": f"{MODULE}:os"}, "is no Amaranth platform"),
        ({"platform_class": f"{MODULE}:Resource"}, "is no Amaranth platform"),
        ({"input_hz": 50_000_000}, "has an oscillator of 25000000 Hz, the row's input_hz is 50000000"),
    ],
)
def test_a_wrong_platform_is_refused(changes: dict[str, str], message: str) -> None:
    board = replace(ULX3S, **changes)
    with pytest.raises(
        ValueError, match=f"^board ulx3s-85f: platform_class .* {message}.*: correct the board's row"
    ):
        board.platform()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [({"resources": []}, "has no resource 'uart'"), ({"default_clk": None}, "has no default clock")],
)
def test_a_platform_without_uart_or_clock_is_refused(
    attributes: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules[type(ULX3S.platform()).__module__]
    platform = module.ULX3S_85F_Platform
    if "resources" in attributes:
        attributes = {"resources": [row for row in platform.resources if row.name != "uart"]}
    monkeypatch.setattr(module, "ULX3S_85F_Platform", type("Other", (platform,), attributes))
    with pytest.raises(ValueError, match=message):
        ULX3S.platform()


def test_missing_platforms_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "amaranth_boards", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'zipsgd\[build\]'"):
        ULX3S.platform()


def test_a_name_is_given_once() -> None:
    assert by_name([ULX3S]) == {"ulx3s-85f": ULX3S}
    with pytest.raises(
        ValueError, match="two rows of the boards are named 'ulx3s-85f': give each its own name"
    ):
        by_name([ULX3S, replace(ULX3S, title="another")])
