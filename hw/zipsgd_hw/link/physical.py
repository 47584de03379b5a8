"""Physical layers of the link: what carries its bytes between host and board. Needs no Amaranth."""

from dataclasses import dataclass

__all__ = ["MIN_DIVISOR", "Uart", "uart_divisor"]

MIN_DIVISOR = 5
"""Fewest cycles a bit. The beginning of a start bit is known to within a cycle; with fewer cycles a bit, a clock that is off by
3% would move the sampling point out of the stop bit."""
_TOLERANCE = 0.02
"""Largest relative error of a rate."""


@dataclass(frozen=True)
class Uart:
    """An asynchronous serial line, 8N1, without handshake lines: the link's credit makes them unnecessary.

    Parameters
    ----------
    baud : int
        Rate of the line in bits per second, in both directions. :func:`uart_divisor` says which rates a clock can make.
    """

    baud: int


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
