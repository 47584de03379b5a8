"""The queues of words between a store's port and an SDRAM's data pins."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from .bus import BURST

__all__ = ["READ_BURSTS", "WordQueues"]

READ_BURSTS, _WRITE_BURSTS = 4, 2
"""Bursts that the queues have room for: with so many, none waits for a word or for room while both ends keep up."""


class WordQueues(wiring.Component):
    """Promises each burst its words: those to write are here, and for those to read there is room.

    Latency: a word that arrives is on ``read`` two cycles later. Throughput: a word a cycle each way.

    Parameters
    ----------
    word_bits : int
        Bits of a word.

    Members
    -------
    write, read : In(stream.Signature(word_bits)), Out(stream.Signature(word_bits))
        Words to write, and words that were read.
    is_write : In(1)
        Whether the burst that asks is one to write.
    fits : Out(1)
        It can have its promise.
    promise : In(1)
        It gets it now.
    sends : In(1)
        Drive the next word from the next cycle on. Eight times for each promise, not in its own cycle.
    arrives : In(1)
        ``incoming`` has a word. Eight times for each promise.
    outgoing : Out(word_bits)
        The word to drive, from flip-flops.
    drive : Out(1)
        Whether to drive it, from a flip-flop.
    incoming : In(word_bits)
        The word on the bus.
    """

    def __init__(self, word_bits: int):
        self._word_bits = word_bits
        super().__init__(
            {
                "write": In(stream.Signature(word_bits)),
                "read": Out(stream.Signature(word_bits)),
                "is_write": In(1),
                "fits": Out(1),
                "promise": In(1),
                "sends": In(1),
                "arrives": In(1),
                "outgoing": Out(word_bits),
                "drive": Out(1),
                "incoming": In(word_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.to_write = to_write = SyncFIFO(width=self._word_bits, depth=_WRITE_BURSTS * BURST)
        m.submodules.was_read = was_read = SyncFIFO(width=self._word_bits, depth=READ_BURSTS * BURST)
        moves = Signal()
        m.d.comb += [
            to_write.w_data.eq(self.write.payload),
            to_write.w_en.eq(self.write.valid),
            self.write.ready.eq(to_write.w_rdy),
            to_write.r_en.eq(self.sends),
            was_read.w_data.eq(self.incoming),
            was_read.w_en.eq(self.arrives),
            moves.eq(~self.read.valid | self.read.ready),
            was_read.r_en.eq(moves),
        ]
        m.d.sync += [self.outgoing.eq(to_write.r_data), self.drive.eq(self.sends)]
        with m.If(moves):
            m.d.sync += [self.read.payload.eq(was_read.r_data), self.read.valid.eq(was_read.r_rdy)]

        # Bursts whose words wait to be promised, and bursts that have been promised room
        filled, promised = Signal(range(_WRITE_BURSTS + 1)), Signal(range(READ_BURSTS + 1))
        came, left = Signal(range(BURST)), Signal(range(BURST))  # words of a burst that is not complete
        comes, leaves = to_write.w_en & to_write.w_rdy, was_read.r_en & was_read.r_rdy
        with m.If(comes):
            m.d.sync += came.eq(came + 1)
        with m.If(leaves):
            m.d.sync += left.eq(left + 1)
        self._count(m, filled, comes & came.all(), self.promise & self.is_write)
        self._count(m, promised, self.promise & ~self.is_write, leaves & left.all())
        m.d.comb += self.fits.eq(Mux(self.is_write, filled != 0, promised != READ_BURSTS))
        return m

    @staticmethod
    def _count(m: Module, count: Signal, up, down) -> None:
        with m.If(up & ~down):
            m.d.sync += count.eq(count + 1)
        with m.Elif(down & ~up):
            m.d.sync += count.eq(count - 1)
