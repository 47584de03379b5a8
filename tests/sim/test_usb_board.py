"""A virtual board on a USB bus: a serial port to the host, with the golden model's bits, whatever the bus does."""

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from zipsgd import Options, train
from zipsgd.backends import BackendOptions
from zipsgd.data import Table
from zipsgd.driver import Device
from zipsgd.extras import MissingExtra
from zipsgd.protocol.formats import Build
from zipsgd_hw.link.physical import Uart, Usb
from zipsgd_sim.board import VirtualBoard
from zipsgd_sim.mishaps import after_bytes

_OPTIONS = Options(epochs=2, batch_size=8, seed=3)
_LONGEST = 60.0
"""Seconds after which something hangs, on a busy machine as well."""


@pytest.fixture(scope="module", params=["full", "high"])
def usb_board(request: pytest.FixtureRequest, small_build: Build) -> Iterator[VirtualBoard]:
    with VirtualBoard(small_build, usb=Usb(request.param), optimise=1) as served:
        yield served


@pytest.fixture(scope="module")
def expected(small_build: Build, small_table: Table) -> list[int]:
    golden = BackendOptions("golden", build=small_build)
    return train(small_table, options=_OPTIONS, backend=golden).model_words


def _found(board: VirtualBoard, enumerations: int) -> dict[str, int | str]:
    """What the host says once it has found the device so many times."""
    end = time.monotonic() + _LONGEST
    while not (seen := board.usb())["name"] or seen["enumerations"] < enumerations:
        assert time.monotonic() < end
        time.sleep(0.01)
    return seen


def test_the_host_finds_a_serial_port(usb_board: VirtualBoard, request: pytest.FixtureRequest) -> None:
    seen = _found(usb_board, 1)
    assert seen["speed"] == request.node.callspec.params["usb_board"]
    assert (seen["vendor"], seen["product"]) == (0x1209, 0x0001)
    assert (seen["manufacturer"], seen["name"]) == ("zipsgd", "zipsgd accelerator")
    assert (seen["enumerations"], seen["retries"], seen["uncalled"]) == (1, 0, 0)


def test_the_golden_models_bits(usb_board: VirtualBoard, small_table: Table, expected: list[int]) -> None:
    for _ in range(2):
        assert train(small_table, options=_OPTIONS, backend=usb_board.url).model_words == expected
    seen = usb_board.usb()
    assert (seen["retries"], seen["uncalled"]) == (0, 0)


def test_damaged_packets_come_again(
    usb_board: VirtualBoard, small_build: Build, small_table: Table, expected: list[int]
) -> None:
    speed = str(usb_board.usb()["speed"])
    with VirtualBoard(small_build, usb=Usb(speed), usb_errors=0.02, optimise=1) as board:
        for _ in range(3):
            assert train(small_table, options=_OPTIONS, backend=board.url).model_words == expected
        seen = board.usb()
        with Device(board.url) as device:
            bad = device.read("frames_bad")
    assert int(seen["damaged"]) > 10
    assert int(seen["retries"]) > 5
    assert (
        bad == 0
    )  # the bus itself repeats packets, and neither loses nor doubles a byte of the link's frames


def test_unplugged_in_mid_epoch(usb_board: VirtualBoard, small_build: Build, small_table: Table) -> None:
    options = replace(_OPTIONS, epochs=20)
    golden = train(small_table, options=options, backend=BackendOptions("golden", build=small_build))
    before = int(_found(usb_board, 1)["enumerations"])

    def pull() -> None:
        usb_board.unplug()
        time.sleep(0.3)
        usb_board.plug()

    with after_bytes(usb_board, usb_board.statistics()["received"] + 8_000, pull) as times:
        result = train(small_table, options=options, backend=usb_board.url)
    assert len(times) == 2
    assert result.model_words == golden.model_words
    assert usb_board.usb()["enumerations"] == before + 1


@pytest.mark.parametrize("speed", ["full", "high"])
def test_training_on_a_bus_by_the_backends_name(
    speed: str,
    small_build: Build,
    small_table: Table,
    expected: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("zipsgd_sim.board.VirtualBoard", partial(VirtualBoard, optimise=1))
    backend = BackendOptions("sim", build=small_build, usb=speed)
    assert train(small_table, options=_OPTIONS, backend=backend).model_words == expected


def test_what_has_no_bus_is_refused(small_build: Build) -> None:
    with pytest.raises(ValueError, match="a virtual board with USB has no UART"):
        VirtualBoard(small_build, usb=Usb("full"), uart=Uart(3_000_000))
    with pytest.raises(ValueError, match="the speed of USB must be one of full, high, not 'super'"):
        Usb("super")
    with pytest.raises(ValueError, match=r"the product number of USB must be in 0\.\.65535, not 65536"):
        Usb("full", product=1 << 16)


def test_without_luna_the_extra_is_named(small_build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("zipsgd_hw.usb_top", "zipsgd_hw.link.usb"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "luna.gateware.interface.utmi", None)
    with pytest.raises(MissingExtra, match=r"needs luna-usb, .* pip install 'zipsgd\[usb\]'"):
        VirtualBoard(replace(small_build, max_features=16), usb=Usb("full"))


def test_reset_in_mid_epoch(usb_board: VirtualBoard, small_build: Build, small_table: Table) -> None:
    options = replace(_OPTIONS, epochs=20)
    golden = train(small_table, options=options, backend=BackendOptions("golden", build=small_build))
    with after_bytes(usb_board, usb_board.statistics()["received"] + 8_000, usb_board.reset) as times:
        result = train(small_table, options=options, backend=usb_board.url)
    assert len(times) == 2
    assert result.model_words == golden.model_words
