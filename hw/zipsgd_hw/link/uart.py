"""Asynchronous serial line, 8N1."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from .physical import MIN_DIVISOR

__all__ = ["UartReceiver", "UartTransmitter"]


def _checked(divisor: int) -> int:
    if not isinstance(divisor, int):
        raise TypeError(f"divisor must be an integer, not {divisor!r}")
    if divisor < MIN_DIVISOR:
        raise ValueError(f"divisor must be at least {MIN_DIVISOR}, not {divisor}")
    return divisor


class UartReceiver(wiring.Component):
    """Receives bytes, least significant bit first, without gaps if need be.

    A byte comes out in the middle of its stop bit, so that the next start bit may come up to half a bit early. A start bit
    that is gone by its middle is ignored; a byte without a stop bit is dropped, and the line must go high again first.

    Latency: 9 * divisor + divisor // 2 + 3 cycles from the first one of the start bit. Throughput: a byte in 10 bits.

    Parameters
    ----------
    divisor : int
        Cycles a bit, at least 5.

    Members
    -------
    rx : In(1)
        The pin, asynchronous; synchronised by two flip-flops here.
    data : Out(stream.Signature(8, always_ready=True))
        The bytes, each valid for one cycle.

    Raises
    ------
    TypeError, ValueError
        ``divisor`` is no integer, or is too small.
    """

    rx: In(1, init=1)
    data: Out(stream.Signature(8, always_ready=True))

    def __init__(self, divisor: int):
        self._divisor = _checked(divisor)
        super().__init__()

    def elaborate(self, platform):
        m = Module()

        rx = Signal(init=1)
        m.submodules.synchroniser = FFSynchronizer(self.rx, rx, init=1, stages=2)

        timer = Signal(range(self._divisor))
        # A start bit's one stands above the bits to come; when it is shifted out, the byte is complete.
        shift = Signal(9)
        m.d.comb += self.data.payload.eq(shift[1:])
        m.d.sync += self.data.valid.eq(0)

        with m.FSM():
            with m.State("idle"):
                m.d.sync += timer.eq(self._divisor // 2 - 1)
                with m.If(~rx):
                    m.next = "start"
            with m.State("start"):
                m.d.sync += timer.eq(timer - 1)
                with m.If(timer == 0):
                    m.d.sync += timer.eq(self._divisor - 1)
                    m.d.sync += shift.eq(1 << 8)
                    m.next = "bits"
                    with m.If(rx):
                        m.next = "idle"
            with m.State("bits"):
                m.d.sync += timer.eq(timer - 1)
                with m.If(timer == 0):
                    m.d.sync += timer.eq(self._divisor - 1)
                    with m.If(shift[0]):
                        m.d.sync += self.data.valid.eq(rx)
                        m.next = "idle"
                        with m.If(~rx):
                            m.next = "break"
                    with m.Else():
                        m.d.sync += shift.eq(Cat(shift[1:], rx))
            with m.State("break"), m.If(rx):
                m.next = "idle"

        return m


class UartTransmitter(wiring.Component):
    """Sends bytes, least significant bit first.

    Latency: the start bit begins one cycle after the byte is taken. Throughput: a byte in 10 * divisor cycles, without gaps
    while ``data`` is valid.

    Parameters
    ----------
    divisor : int
        Cycles a bit, at least 5.

    Members
    -------
    data : In(stream.Signature(8))
        Bytes to send.
    tx : Out(1)
        The pin, high when idle.

    Raises
    ------
    TypeError, ValueError
        ``divisor`` is no integer, or is too small.
    """

    data: In(stream.Signature(8))
    tx: Out(1, init=1)

    def __init__(self, divisor: int):
        self._divisor = _checked(divisor)
        super().__init__()

    def elaborate(self, platform):
        m = Module()

        timer = Signal(range(self._divisor))
        # Start bit, data and a one that marks the end: when only it is left, the stop bit is being sent.
        shift = Signal(10, init=1)
        m.d.comb += self.tx.eq(shift[0])

        with m.If(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(shift != 1):
            m.d.sync += timer.eq(self._divisor - 1)
            m.d.sync += shift.eq(shift >> 1)
        with m.Else():
            m.d.comb += self.data.ready.eq(1)
            with m.If(self.data.valid):
                m.d.sync += timer.eq(self._divisor - 1)
                m.d.sync += shift.eq(Cat(0, self.data.payload, 1))

        return m
