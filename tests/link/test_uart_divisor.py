"""Cycles a bit: what clock and rate make, and what is refused."""

import pytest

from zipsgd_hw.link.physical import uart_divisor
from zipsgd_hw.link.uart import UartReceiver, UartTransmitter


def test_divisor() -> None:
    assert uart_divisor(24_000_000, 3_000_000) == 8
    assert uart_divisor(12_000_000, 115_200) == 104
    assert uart_divisor(60_000_000, 12_000_000) == 5
    with pytest.raises(ValueError, match=r"at most clock_hz / 5 = 2400000, not 3000000"):
        uart_divisor(12_000_000, 3_000_000)
    with pytest.raises(ValueError, match="nearest rate"):
        uart_divisor(24_000_000, 4_600_000)
    with pytest.raises(ValueError, match="positive"):
        uart_divisor(12_000_000, 0)


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
def test_divisor_too_small() -> None:
    for part in (UartReceiver, UartTransmitter):
        with pytest.raises(ValueError, match="divisor must be at least 5, not 4"):
            part(4)
        with pytest.raises(TypeError, match=r"divisor must be an integer, not 8\.0"):
            part(8.0)
