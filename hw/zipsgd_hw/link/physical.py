"""Physical layers of the link: what carries its bytes between host and board. Needs no Amaranth."""

from dataclasses import dataclass

__all__ = ["MIN_DIVISOR", "Uart", "Usb", "uart_divisor"]

MIN_DIVISOR = 5
"""Fewest cycles a bit. The beginning of a start bit is known to within a cycle; with fewer cycles a bit, a clock that is off by
3% would move the sampling point out of the stop bit."""
_TOLERANCE = 0.02
"""Largest relative error of a rate."""


_USB_SPEEDS = ("full", "high")


@dataclass(frozen=True)
class Uart:
    """An asynchronous serial line, 8N1, without handshake lines: the link's credit makes them unnecessary.

    Parameters
    ----------
    baud : int
        Rate of the line in bits per second, in both directions. :func:`uart_divisor` says which rates a clock can make.
    """

    baud: int


@dataclass(frozen=True)
class Usb:
    """USB 2.0, as a serial port (CDC-ACM), for which operating systems have a driver of their own.

    Parameters
    ----------
    speed : str
        "full": 12 Mbit/s, from two pins of the FPGA; "high": 480 Mbit/s, by a transceiver on ULPI.
    vendor, product : int
        What the device calls itself, 16 bits each. 1209:0001 is a number that pid.codes has set aside for tests: a board that
        is given away needs one of its own.

    Raises
    ------
    ValueError
        There is no such speed, or a number has more than 16 bits.
    """

    speed: str
    vendor: int = 0x1209
    product: int = 0x0001

    def __post_init__(self) -> None:
        if self.speed not in _USB_SPEEDS:
            raise ValueError(f"the speed of USB must be one of {', '.join(_USB_SPEEDS)}, not {self.speed!r}")
        for name in ("vendor", "product"):
            if not 0 <= getattr(self, name) < 1 << 16:
                raise ValueError(f"the {name} number of USB must be in 0..65535, not {getattr(self, name)!r}")

    @property
    def high(self) -> bool:
        """Whether the speed is high."""
        return self.speed == "high"

    @property
    def clock_hz(self) -> int:
        """Clock of the bus in the FPGA, in hertz: a bit at full speed, a byte at high speed."""
        return 60_000_000 if self.high else 12_000_000

    @property
    def packet_bytes(self) -> int:
        """Most bytes of a packet."""
        return 512 if self.high else 64

    @property
    def baud(self) -> int:
        """The rate of a UART with as many bytes per second, for predictions: 11 packets in 125 us, or 17 in a millisecond."""
        return 10 * (11 * 8_000 * 512 if self.high else 17 * 1_000 * 64)


def uart_divisor(clock_hz: int, baud: int) -> int:
    """Cycles a bit: round(clock_hz / baud).

    Parameters
    ----------
    clock_hz : int
        The clock in hertz.
    baud : int
        The rate in bits per second.

    Returns
    -------
    int
        Cycles a bit, at least :data:`MIN_DIVISOR`.

    Raises
    ------
    ValueError
        The rate is not positive, the clock is too slow for it, or the clock misses it by more than 2%.
    """
    if baud <= 0:
        raise ValueError(f"the baud rate of a UART must be positive, not {baud}")
    divisor = max(1, round(clock_hz / baud))
    if divisor < MIN_DIVISOR:
        raise ValueError(
            f"the baud rate of a UART must be at most clock_hz / {MIN_DIVISOR} = {clock_hz // MIN_DIVISOR}, not {baud}"
        )
    if abs(clock_hz / divisor / baud - 1) > _TOLERANCE:
        raise ValueError(
            f"{baud} baud cannot be made from {clock_hz} Hz: the nearest rate is {clock_hz / divisor:.0f}; "
            f"change the baud rate to a divisor of the clock, or clock_hz to a multiple of the baud rate"
        )
    return divisor
