"""Bytes of samples to labels and plane words."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_BITS

from .config import run_layout
from .position import PlanePosition

__all__ = ["SampleUnpacker"]


class SampleUnpacker(wiring.Component):
    """The inverse of the woven layout (golden model: :mod:`zipsgd.golden.weave`).

    Takes up to a byte a cycle. A plane word goes out one cycle after its last byte came in; lanes behind the last feature are
    zero. A sample's label goes out before its planes and waits for whoever needs it; the next sample's waits behind it. Labels
    of further heads, which come behind the planes, follow it.

    Members
    -------
    run : In(run_layout(build))
    bytes : In(stream.Signature(8))
    labels : Out(stream.Signature(signed(16)))
    planes : Out(stream.Signature(L))
    """

    def __init__(self, build: Build):
        self._build = build
        super().__init__(
            {
                "run": In(run_layout(build)),
                "bytes": In(stream.Signature(8)),
                "labels": Out(stream.Signature(signed(LABEL_BITS))),
                "planes": Out(stream.Signature(build.lanes)),
            }
        )

    def elaborate(self, platform):
        build = self._build
        m = Module()
        m.submodules.position = position = PlanePosition(build)
        m.d.comb += position.run.eq(self.run)
        byte = self.bytes.payload

        low = Signal(8)
        in_label = Signal(init=1)
        more_labels = Signal(range(build.heads))  # before the next sample's first one
        all_more: Value = C(0)
        if build.heads > 1:
            all_more = Mux(self.run.one_against_all, 0, self.run.last_head)
        high_byte = Signal()
        with m.If(self.labels.ready):
            m.d.sync += self.labels.valid.eq(0)
        with m.If(self.planes.ready):
            m.d.sync += self.planes.valid.eq(0)
        free = Signal()
        m.d.comb += free.eq(~self.planes.valid | self.planes.ready)

        with m.If(in_label):
            m.d.comb += self.bytes.ready.eq(~high_byte | ~self.labels.valid | self.labels.ready)
            with m.If(self.bytes.valid & self.bytes.ready):
                m.d.sync += [low.eq(byte), high_byte.eq(~high_byte)]
                with m.If(high_byte):
                    m.d.sync += [
                        self.labels.payload.eq(Cat(low, byte)),
                        self.labels.valid.eq(1),
                        in_label.eq(more_labels != 0),
                    ]
                    with m.If(more_labels != 0):
                        m.d.sync += more_labels.eq(more_labels - 1)
        if build.lanes >= 8:
            count = build.lanes // 8
            index = Signal(range(max(2, count)))
            last_index = Signal.like(index)
            m.d.comb += last_index.eq(Mux(position.last_chunk, self.run.last_lane >> 3, count - 1))
            with m.If(~in_label):
                m.d.comb += self.bytes.ready.eq(free)
                with m.If(self.bytes.valid & free):
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == 0):
                        m.d.sync += self.planes.payload.eq(byte)
                    with m.Else():
                        m.d.sync += self.planes.payload.word_select(index, 8).eq(byte)
                    with m.If(index == last_index):
                        m.d.comb += position.advance.eq(1)
                        m.d.sync += [
                            index.eq(0),
                            self.planes.valid.eq(1),
                            in_label.eq(position.last_word),
                            more_labels.eq(all_more),
                        ]
        else:
            # Two half bytes: the byte goes when its high half, or the sample's last word, is out
            high = Signal()
            with m.If(~in_label):
                m.d.comb += self.bytes.ready.eq(free & (high | position.last_word))
                with m.If(self.bytes.valid & free):
                    m.d.comb += position.advance.eq(1)
                    m.d.sync += [
                        high.eq(~high & ~position.last_word),
                        self.planes.payload.eq(byte.word_select(high, build.lanes)),
                        self.planes.valid.eq(1),
                        in_label.eq(position.last_word),
                        more_labels.eq(all_more),
                    ]
        return m
