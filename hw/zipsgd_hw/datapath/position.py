"""Counters that say where in a sample, and where in an epoch, the datapath stands."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build

from .config import run_layout

__all__ = ["PlanePosition", "SampleCounter"]


class PlanePosition(wiring.Component):
    """Position of a plane word in its sample: chunk by chunk, base planes first, then up planes.

    Outputs describe the word at hand, and come from registers; ``advance`` moves to the next one and wraps at the end of the
    sample. A change of ``run`` between samples shows in them after a cycle.

    Parameters
    ----------
    build : the parameters.
    by_head : a sample comes once for each head of the run; where the build has several.

    Members
    -------
    run : In(run_layout(build))
    advance : In(1)
    chunk : Out, index of the chunk; ``by_head``, in model memory, where a head's chunks stand behind those of the one before.
    last_head : Out(1), ``by_head``: this is the sample for the last head; else 1.
    first_plane, last_plane : Out(1), of the chunk.
    sign, last_base : Out(1), first and last base plane of a value: of the chunk or, in a transcoded run, of each quantisation.
    base : Out(1), the word is a base plane; else an up plane.
    number : Out, which quantisation the word is of, from 0: that of an up plane or, in a transcoded run, of a base plane.
    first_chunk, last_chunk, last_word : Out(1), of the sample.
    """

    def __init__(self, build: Build, *, by_head: bool = False):
        self._build = build
        self._by_head = by_head and build.heads > 1
        layout = run_layout(build)
        super().__init__(
            {
                "run": In(layout),
                "advance": In(1),
                "last_head": Out(1),
                "chunk": Out(layout["last_chunk"].shape),
                "first_plane": Out(1, init=1),
                "last_plane": Out(1),
                "sign": Out(1, init=1),
                "base": Out(1, init=1),
                "last_base": Out(1),
                "number": Out(range(build.m_max)),
                "first_chunk": Out(1, init=1),
                "last_chunk": Out(1),
                "last_word": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        transcoded = self.run.transcoded if self._build.level_bits else C(0, 1)
        next_plane = Signal(4, init=1)  # index of the plane behind this one, if the chunk has it
        next_chunk = Signal.like(self.chunk, init=1)
        one_plane, one_base, one_chunk = Signal(), Signal(), Signal()
        m.d.comb += [
            one_plane.eq(self.run.last_plane == 0),
            one_base.eq(self.run.last_base == 0),
            one_chunk.eq(self.run.last_chunk == 0),
            self.last_word.eq(self.last_plane & self.last_chunk),
        ]
        with m.If(self.advance & ~self.last_plane):
            m.d.sync += [
                next_plane.eq(next_plane + 1),
                self.first_plane.eq(0),
                self.last_plane.eq(next_plane == self.run.last_plane),
                self.sign.eq(self.last_base & transcoded),
                self.base.eq(self.base & (~self.last_base | transcoded)),
                self.last_base.eq(
                    (next_plane == self.run.last_base) | (transcoded & (next_plane == self.run.last_plane))
                ),
                self.number.eq(self.number + Mux(transcoded, self.last_base, ~self.base)),
            ]
        with m.Elif(self.advance | self.first_plane):
            m.d.sync += [
                next_plane.eq(1),
                self.first_plane.eq(1),
                self.last_plane.eq(one_plane),
                self.sign.eq(1),
                self.base.eq(1),
                self.last_base.eq(one_base),
                self.number.eq(0),
            ]
        chunk = Signal.like(self.chunk)  # of this head
        if self._by_head:
            head = Signal.like(self.run.last_head)
            m.d.sync += self.last_head.eq(head == self.run.last_head)
            with m.If(self.advance & self.last_plane):
                m.d.sync += self.chunk.eq(self.chunk + 1)
                with m.If(self.last_chunk):
                    m.d.sync += [head.eq(head + 1), self.last_head.eq(head + 1 == self.run.last_head)]
                    with m.If(self.last_head):
                        m.d.sync += [
                            self.chunk.eq(0),
                            head.eq(0),
                            self.last_head.eq(self.run.last_head == 0),
                        ]
        else:
            m.d.comb += [self.last_head.eq(1), self.chunk.eq(chunk)]
        with m.If(self.advance & self.last_plane & ~self.last_chunk):
            m.d.sync += [
                chunk.eq(next_chunk),
                next_chunk.eq(next_chunk + 1),
                self.first_chunk.eq(0),
                self.last_chunk.eq(next_chunk == self.run.last_chunk),
            ]
        with m.Elif(self.advance & self.last_word | self.first_chunk):
            m.d.sync += [
                chunk.eq(0),
                next_chunk.eq(1),
                self.first_chunk.eq(1),
                self.last_chunk.eq(one_chunk),
            ]
        return m


class SampleCounter(wiring.Component):
    """Counts the samples of an epoch in mini-batches; the last mini-batch may be smaller.

    ``start`` loads ``samples`` (at least 1). While ``active``, the flags describe the sample at hand and ``advance`` moves to
    the next one; after the epoch's last one ``active`` falls.
    """

    def __init__(self, build: Build):
        super().__init__(
            {
                "run": In(run_layout(build)),
                "start": In(1),
                "samples": In(32),
                "advance": In(1),
                "active": Out(1),
                "first_of_batch": Out(1, init=1),
                "last_of_batch": Out(1),
            }
        )
        self._build = build

    def elaborate(self, platform):
        m = Module()
        count = Signal(32)  # samples before this one, less all of them, less one
        final = Signal()
        in_batch = Signal.like(self.run.last_in_batch)
        m.d.comb += [
            final.eq(~count[0] & count[1:].all()),
            self.last_of_batch.eq((in_batch == self.run.last_in_batch) | final),
        ]
        with m.If(self.start | self.advance):
            m.d.sync += count.eq(Mux(self.start, ~self.samples, count + 1))
        with m.If(self.start):
            m.d.sync += [self.active.eq(1), self.first_of_batch.eq(1), in_batch.eq(0)]
        with m.Elif(self.advance):
            m.d.sync += [
                self.active.eq(~final),
                in_batch.eq(Mux(self.last_of_batch, 0, in_batch + 1)),
                self.first_of_batch.eq(self.last_of_batch),
            ]
        return m
