"""Counters that tell where in a sample, and where in an epoch, the datapath is."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import SAMPLES_BITS

from .bundles import BATCH_MARKS, chunk_shape, plane_flags_layout
from .config import run_layout

__all__ = ["PlanePosition", "SampleCounter"]

_AT_START = {"first_plane": 1, "sign": 1, "base": 1, "first_chunk": 1}


class PlanePosition(wiring.Component):
    """Position of a plane word in its sample: chunk by chunk, base planes first, then up planes.

    Outputs describe the current word and come from registers. ``advance`` moves to the next word, which shows in the next
    cycle, and wraps at the end of the sample. A change of ``run`` between samples shows one cycle later.

    Parameters
    ----------
    build : Build
        Build parameters.
    by_head : bool
        In a build with several heads, a sample comes once for each head of the run.

    Members
    -------
    run : In(run_layout(build))
        Configuration of the run.
    advance : In(1)
        Move to the next word.
    flags : Out(plane_flags_layout(build))
        The current word's place in its sample.
    chunk : Out(range(max_chunks))
        Index of the chunk. With ``by_head``, its index in model memory, where one head's chunks follow the previous head's.
    next_last_chunk : Out(1)
        The next word is of its sample's last chunk.
    last_head : Out(1)
        With ``by_head``, the sample is for the last head; else always 1.
    """

    def __init__(self, build: Build, *, by_head: bool = False):
        self._build = build
        self._by_head = by_head and build.heads > 1
        super().__init__(
            {
                "run": In(run_layout(build)),
                "advance": In(1),
                "flags": Out(plane_flags_layout(build)),
                "chunk": Out(chunk_shape(build)),
                "next_last_chunk": Out(1),
                "last_head": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        here = Signal(plane_flags_layout(self._build), init=_AT_START)  # its last_word is found below
        last_word = here.last_plane & here.last_chunk
        m.d.comb += [self.flags.eq(here), self.flags.last_word.eq(last_word)]
        self._count_planes(m, here)
        chunk = self._count_chunks(m, here, last_word)
        if self._by_head:
            self._count_heads(m, here)
        else:
            m.d.comb += [self.last_head.eq(1), self.chunk.eq(chunk)]
        return m

    def _count_planes(self, m: Module, here) -> None:
        """The plane within its chunk."""
        transcoded = self.run.transcoded if self._build.level_bits else C(0, 1)
        next_plane = Signal(4, init=1)  # index of the plane behind this one, if the chunk has it
        one_plane, one_base = Signal(), Signal()
        m.d.comb += [one_plane.eq(self.run.last_plane == 0), one_base.eq(self.run.last_base == 0)]
        with m.If(self.advance & ~here.last_plane):
            m.d.sync += [
                next_plane.eq(next_plane + 1),
                here.first_plane.eq(0),
                here.last_plane.eq(next_plane == self.run.last_plane),
                here.sign.eq(here.last_base & transcoded),
                here.base.eq(here.base & (~here.last_base | transcoded)),
                here.last_base.eq(
                    (next_plane == self.run.last_base) | (transcoded & (next_plane == self.run.last_plane))
                ),
                here.number.eq(here.number + Mux(transcoded, here.last_base, ~here.base)),
            ]
        with m.Elif(self.advance | here.first_plane):
            m.d.sync += [
                next_plane.eq(1),
                here.first_plane.eq(1),
                here.last_plane.eq(one_plane),
                here.sign.eq(1),
                here.base.eq(1),
                here.last_base.eq(one_base),
                here.number.eq(0),
            ]

    def _count_chunks(self, m: Module, here, last_word: Value) -> Signal:
        """The chunk within its sample; returns its index there."""
        chunk = Signal.like(self.chunk)
        next_chunk = Signal.like(self.chunk, init=1)
        one_chunk = Signal()
        follows_last = Signal()  # the chunk behind this one is the last
        m.d.comb += [
            one_chunk.eq(self.run.last_chunk == 0),
            follows_last.eq(next_chunk == self.run.last_chunk),
            self.next_last_chunk.eq(here.last_chunk),
        ]
        with m.If(here.last_plane):
            m.d.comb += self.next_last_chunk.eq(Mux(here.last_chunk, one_chunk, follows_last))
        with m.If(self.advance & here.last_plane & ~here.last_chunk):
            m.d.sync += [
                chunk.eq(next_chunk),
                next_chunk.eq(next_chunk + 1),
                here.first_chunk.eq(0),
                here.last_chunk.eq(follows_last),
            ]
        with m.Elif(self.advance & last_word | here.first_chunk):
            m.d.sync += [
                chunk.eq(0),
                next_chunk.eq(1),
                here.first_chunk.eq(1),
                here.last_chunk.eq(one_chunk),
            ]
        return chunk

    def _count_heads(self, m: Module, here) -> None:
        """The head, and the chunk in model memory."""
        head = Signal.like(self.run.last_head)
        m.d.sync += self.last_head.eq(head == self.run.last_head)
        with m.If(self.advance & here.last_plane):
            m.d.sync += self.chunk.eq(self.chunk + 1)
            with m.If(here.last_chunk):
                m.d.sync += [head.eq(head + 1), self.last_head.eq(head + 1 == self.run.last_head)]
                with m.If(self.last_head):
                    m.d.sync += [
                        self.chunk.eq(0),
                        head.eq(0),
                        self.last_head.eq(self.run.last_head == 0),
                    ]


class SampleCounter(wiring.Component):
    """Counts the samples of an epoch in mini-batches; the last mini-batch may be smaller.

    ``start`` loads ``samples``. ``advance`` moves to the next sample; after the epoch's last sample ``active`` falls. In the
    next cycle, ``active`` and the first mark are those of the next sample; the last mark is a cycle later. It follows from
    counters, whose many bits would make ``advance`` slow if they did not wait for it in a register.

    Parameters
    ----------
    build : Build
        Build parameters.

    Members
    -------
    run : In(run_layout(build))
        Configuration of the run.
    start : In(1)
        Begin an epoch.
    samples : In(32)
        Samples of the epoch, at least 1, with ``start``.
    advance : In(1)
        Move to the next sample; not in two cycles in a row. ``start`` goes first.
    active : Out(1)
        Samples of the epoch are still to come; ``marks`` describe the current one.
    marks : Out(BATCH_MARKS)
        Whether the current sample is the first or last one of its mini-batch.
    """

    def __init__(self, build: Build):
        super().__init__(
            {
                "run": In(run_layout(build)),
                "start": In(1),
                "samples": In(SAMPLES_BITS),
                "advance": In(1),
                "active": Out(1),
                "marks": Out(BATCH_MARKS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        count = Signal(SAMPLES_BITS)  # samples before this one, less all of them, less one
        final = Signal()
        in_batch = Signal.like(self.run.last_in_batch)
        first = Signal(init=1)
        last = Signal()
        m.d.comb += [
            final.eq(~count[0] & count[1:].all()),
            last.eq((in_batch == self.run.last_in_batch) | final),
            self.marks.first_of_batch.eq(first),
            self.marks.last_of_batch.eq(last),
        ]
        counts = Signal()
        m.d.sync += counts.eq(self.advance & ~self.start)
        with m.If(self.start | counts):
            m.d.sync += count.eq(Mux(self.start, ~self.samples, count + 1))
        with m.If(self.start):
            m.d.sync += [self.active.eq(1), first.eq(1), in_batch.eq(0)]
        with m.Else():
            with m.If(self.advance):
                m.d.sync += [self.active.eq(~final), first.eq(last)]
            with m.If(counts):
                m.d.sync += in_batch.eq(Mux(last, 0, in_batch + 1))
        return m
