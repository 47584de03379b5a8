"""Who has an SDRAM's data bus, and when."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .geometry import SdramCycles

__all__ = ["BURST", "DataBus"]

BURST = 8
"""Words of a burst: a read or a write takes the bus for as many cycles."""


class DataBus(wiring.Component):
    """Follows reads and writes along the bus.

    All members speak of the cycle before a command is on the pins. Latency: ``sends`` answers at once; ``arrives`` is high from
    ``1 + cas + io_cycles`` cycles after a read on.

    Parameters
    ----------
    cycles : SdramCycles
        The chip's timing.
    io_cycles : int
        Cycles that registers between here and the chip take, to it and back.

    Members
    -------
    read, write : In(1)
        A burst is read, or written.
    may_read, may_write : Out(1)
        The bus is free for it.
    settled : Out(1)
        The last burst's bank may be precharged.
    others_settled : Out(1)
        All other banks may be precharged.
    sends : Out(1)
        A word goes to the chip.
    arrives : Out(1)
        A word comes from the chip.
    """

    read: In(1)
    write: In(1)
    may_read: Out(1)
    may_write: Out(1)
    settled: Out(1)
    others_settled: Out(1)
    sends: Out(1)
    arrives: Out(1)

    def __init__(self, cycles: SdramCycles, io_cycles: int):
        self._cycles, self._io_cycles = cycles, io_cycles
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        cas, recovery = self._cycles.cas, self._cycles.wr
        first = cas + self._io_cycles
        # Bit i: there was one i + 1 cycles ago
        reads, writes = Signal(first + BURST), Signal(BURST + recovery)
        m.d.sync += [reads.eq(Cat(self.read, reads)), writes.eq(Cat(self.write, writes))]
        busy, turns, recovers, others = Signal(), Signal(), Signal(), Signal()
        both = Cat(self.read | self.write, reads | writes)  # bit i: there will have been one i + 1 cycles ago
        m.d.sync += [
            busy.eq(both[: BURST - 1].any()),
            # Nobody drives the bus for a cycle between the last word that is read and the first one that is written
            turns.eq(reads[BURST - 2 : BURST - 1 + cas].any()),
            recovers.eq(writes[BURST - 2 : BURST + recovery - 3].any()),
            # A burst of another bank began eight cycles before the last one, or earlier
            others.eq(both[: max(recovery - 2, 0)].any()),
        ]
        m.d.comb += [
            self.may_read.eq(~busy),
            self.may_write.eq(~(busy | turns)),
            self.settled.eq(~(busy | recovers)),
            self.others_settled.eq(~others),
            self.sends.eq(self.write | writes[: BURST - 1].any()),
            self.arrives.eq(reads[first : first + BURST].any()),
        ]
        return m
