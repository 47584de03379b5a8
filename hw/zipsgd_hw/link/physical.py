"""Physical layers of the link: what carries its bytes between host and board."""

from dataclasses import dataclass

__all__ = ["Uart"]


@dataclass(frozen=True)
class Uart:
    """An asynchronous serial line, 8N1, without handshake lines: the link's credit makes them unnecessary.

    Parameters
    ----------
    baud : int
        Rate of the line in bits per second, either way. :func:`zipsgd_hw.link.uart.uart_divisor` says which rates a clock can
        make.
    """

    baud: int
