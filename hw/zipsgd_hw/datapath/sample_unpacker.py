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

    Lanes behind the last feature are zero. A sample's label goes out before its planes and waits until it is taken; the next
    sample's label waits behind it. Labels of further heads, which come behind the planes, follow it.

    Latency: a plane word goes out one cycle after its last byte came in. Throughput: a byte a cycle or, with four lanes, a
    plane word of half a byte a cycle.

    Parameters
    ----------
    build : Build
        Build parameters.

    Members
    -------
    run : In(run_layout(build))
        Configuration of the run, with ``last_plane`` that of the wire.
    bytes : In(stream.Signature(8))
        Bytes of samples.
    labels : Out(stream.Signature(signed(16)))
        Labels, in the order of the wire.
    planes : Out(stream.Signature(L))
        Plane words, in the order of the wire.
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
        in_label = Signal(init=1)
        sample_ends = Signal()
        self._unpack_labels(m, in_label, sample_ends)

        with m.If(self.planes.ready):
            m.d.sync += self.planes.valid.eq(0)
        free = Signal()
        m.d.comb += [
            free.eq(~self.planes.valid | self.planes.ready),
            sample_ends.eq(position.advance & position.flags.last_word),
        ]
        with m.If(~in_label):
            if build.lanes >= 8:
                self._join_bytes(m, position, free)
            else:
                self._split_bytes(m, position, free)
        return m

    def _unpack_labels(self, m: Module, in_label: Signal, sample_ends: Signal) -> None:
        """Two bytes each: one in front of the planes, and those of further heads behind them."""
        low = Signal(8)
        more_labels = Signal(range(self._build.heads))  # before the next sample's first one
        all_more: Value = C(0)
        if self._build.heads > 1:
            all_more = Mux(self.run.one_against_all, 0, self.run.last_head)
        high_byte = Signal()
        byte = self.bytes.payload
        with m.If(self.labels.ready):
            m.d.sync += self.labels.valid.eq(0)
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
        with m.If(sample_ends):
            m.d.sync += [in_label.eq(1), more_labels.eq(all_more)]

    def _join_bytes(self, m: Module, position: PlanePosition, free: Signal) -> None:
        """Plane words of whole bytes."""
        count = self._build.lanes // 8
        index = Signal(range(max(2, count)))
        last_index = Signal.like(index)
        byte = self.bytes.payload
        m.d.comb += [
            last_index.eq(Mux(position.flags.last_chunk, self.run.last_lane >> 3, count - 1)),
            self.bytes.ready.eq(free),
        ]
        with m.If(self.bytes.valid & free):
            m.d.sync += index.eq(index + 1)
            with m.If(index == 0):
                m.d.sync += self.planes.payload.eq(byte)
            with m.Else():
                m.d.sync += self.planes.payload.word_select(index, 8).eq(byte)
            with m.If(index == last_index):
                m.d.comb += position.advance.eq(1)
                m.d.sync += [index.eq(0), self.planes.valid.eq(1)]

    def _split_bytes(self, m: Module, position: PlanePosition, free: Signal) -> None:
        """Two plane words a byte: the byte goes when its high half, or the sample's last word, is out."""
        high = Signal()
        last_word = position.flags.last_word
        m.d.comb += self.bytes.ready.eq(free & (high | last_word))
        with m.If(self.bytes.valid & free):
            m.d.comb += position.advance.eq(1)
            m.d.sync += [
                high.eq(~high & ~last_word),
                self.planes.payload.eq(self.bytes.payload.word_select(high, self._build.lanes)),
                self.planes.valid.eq(1),
            ]
