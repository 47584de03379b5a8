"""Words of samples to labels and plane words."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_BITS
from zipsgd.protocol.run import LabelForm
from zipsgd.protocol.samples import SampleLayout
from zipsgd_hw.store.sample_word import sample_word

from .byte_funnel import ByteFunnel
from .config import run_layout
from .position import PlanePosition

__all__ = ["SampleUnpacker"]


class SampleUnpacker(wiring.Component):
    """The inverse of the woven layout (golden model: :mod:`zipsgd.golden.weave`).

    Lanes behind the last feature are zero. The intercept's lane is made here if it is not on the wire. A sample's label goes
    out before its planes and waits until it is taken; the next sample's label waits behind it. Labels of further heads, which
    come behind the planes, follow it.

    It takes up to S = min(``word_bytes``, L / 8) bytes in a cycle, of one label or of one plane; with four lanes half a byte.
    So a plane of k bytes takes ceil(k / S) cycles, and one without bytes takes one. Words of at least L / 8 bytes thus give a
    plane word in every cycle. A label takes ceil(its bytes / S) cycles of its own. The label behind a sample's last plane takes
    none if S bytes have room for it beside the last bytes of this plane, and it has come by then (:meth:`label_rides`).

    Latency: a plane word goes out one cycle after its last byte was taken, a label one or two cycles; with S > 1, words wait
    one cycle before that.

    Parameters
    ----------
    build : Build
        Build parameters.

    Members
    -------
    run : In(run_layout(build))
        Configuration of the run, with ``last_plane`` that of the wire. A change between samples shows one cycle later.
    input : In(stream.Signature(sample_word(build.word_bytes)))
        Words of samples.
    labels : Out(stream.Signature(signed(16)))
        Labels, in the order of the wire.
    planes : Out(stream.Signature(L))
        Plane words, in the order of the wire.
    """

    @staticmethod
    def most_bytes(build: Build) -> int:
        """Most bytes that are taken in a cycle, S."""
        return max(1, min(build.word_bytes, build.lanes // 8))

    @classmethod
    def label_rides(cls, build: Build, layout: SampleLayout) -> bool:
        """Whether the label behind a sample's last plane comes together with the last bytes of this plane.

        A sample that takes a single cycle comes before the label of the sample before it has moved on.
        """
        most = cls.most_bytes(build)
        last = (layout.last_bytes - 1) % most + 1 if layout.last_bytes else 0
        single = layout.planes * layout.chunks == 1 and layout.last_bytes <= most
        return most > 1 and not single and last + layout.label_bytes <= most

    @classmethod
    def cycles(cls, build: Build, layout: SampleLayout) -> list[int]:
        """Fewest cycles of each chunk of a sample, with the labels before the first one and behind the last one."""

        def parts(count: int) -> int:
            return -(-count // cls.most_bytes(build))

        planes = [max(1, parts(build.lanes // 8))] * (layout.chunks - 1) + [max(1, parts(layout.last_bytes))]
        cycles = [layout.planes * plane for plane in planes]
        rides = cls.label_rides(build, layout)
        if not rides or layout.labels > 1:
            cycles[0] += parts(layout.label_bytes)
        cycles[-1] += max(0, layout.labels - 1 - rides) * parts(LABEL_BITS // 8)
        return cycles

    def __init__(self, build: Build):
        self._build = build
        super().__init__(
            {
                "run": In(run_layout(build)),
                "input": In(stream.Signature(sample_word(build.word_bytes))),
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
        label_ends, rides = Signal(), Signal()
        next_in_label = self._count_labels(m, position, in_label, label_ends, rides)

        free = Signal()  # for a plane word
        m.d.comb += free.eq(~self.planes.valid | self.planes.ready)
        with m.If(self.planes.ready):
            m.d.sync += self.planes.valid.eq(0)
        alone, made = self._make_intercept(m, position)
        if self.most_bytes(build) > 1:
            self._join_parts(m, position, in_label, next_in_label, label_ends, rides, free, made)
            return m
        source = self._split_words(m)
        self._join_label(m, source, in_label, label_ends)
        cut_index = Signal(range(max(1, build.lanes // 8)))  # of the last byte of a plane of the last chunk
        m.d.sync += cut_index.eq((self.run.last_lane - self.run.intercept) >> 3)
        with m.If(~in_label):
            if build.lanes >= 8:
                self._join_bytes(m, position, source, free, alone, made, cut_index)
            else:
                self._split_bytes(m, position, source, free, alone, made)
        return m

    def _count_labels(
        self, m: Module, position: PlanePosition, in_label: Signal, label_ends: Signal, rides: Signal
    ) -> Signal:
        """Whether a label is next: one comes in front of the planes, and those of further heads behind them.

        ``rides``: with the last plane of a sample, the first label behind it comes. Returns whether a label follows the
        label or the plane at hand.
        """
        next_in_label = Signal()
        more_labels = Signal(range(self._build.heads))  # before the next sample's first one
        all_more: Value = C(0)
        if self._build.heads > 1:
            all_more = Mux(self.run.one_against_all, 0, self.run.last_head)
        last_word = position.flags.last_word
        m.d.comb += next_in_label.eq(Mux(in_label, more_labels != 0, last_word & (~rides | (all_more != 0))))
        with m.If(label_ends | position.advance):
            m.d.sync += in_label.eq(next_in_label)
        with m.If(label_ends & (more_labels != 0)):
            m.d.sync += more_labels.eq(more_labels - 1)
        with m.If(position.advance & last_word):
            m.d.sync += more_labels.eq(Mux(rides & (all_more != 0), all_more - 1, all_more))
        return next_in_label

    def _show_label(self, m: Module, low: Value, high: Value, held: Signal) -> Signal:
        """A label from its bytes to the output; ``held`` says that one waits. Returns whether the output has room for it."""
        free = Signal()
        sign = self.run.label_form == LabelForm.SIGN
        byte = self.run.label_form == LabelForm.BYTE
        m.d.comb += free.eq(~self.labels.valid | self.labels.ready)
        with m.If(free):
            m.d.sync += [
                self.labels.valid.eq(held),
                self.labels.payload[:8].eq(Mux(sign, Cat(1, low[0].replicate(7)), low)),
                self.labels.payload[8:].eq(Mux(sign, Cat(low[0].replicate(7), ~low[0]), Mux(byte, 0, high))),
            ]
        return free

    def _make_intercept(self, m: Module, position: PlanePosition) -> tuple[Signal, Signal]:
        """Whether the plane at hand has no bytes, as the intercept is alone in its chunk, and the ones to put into it.

        The highest level has a base of 0 and then ones, and all up bits.
        """
        lanes = self._build.lanes
        ones, alone_last = Signal(lanes), Signal()
        alone, made = Signal(), Signal(lanes)
        run, flags = self.run, position.flags
        sign = flags.first_plane & (run.base_sent if self._build.level_bits else 1)
        m.d.sync += [
            ones.eq(Mux(run.intercept, 1 << run.last_lane, 0)),
            alone_last.eq(run.intercept & (run.last_lane == 0)),
        ]
        m.d.comb += [
            alone.eq(alone_last & flags.last_chunk),
            made.eq(ones & (flags.last_chunk & ~sign).replicate(lanes)),
        ]
        return alone, made

    # Several bytes at a time

    def _join_parts(
        self,
        m: Module,
        position: PlanePosition,
        in_label: Signal,
        next_in_label: Signal,
        label_ends: Signal,
        rides: Signal,
        free: Signal,
        made: Signal,
    ) -> None:
        """Labels and plane words from the parts that a funnel gives."""
        build = self._build
        count, most = build.lanes // 8, self.most_bytes(build)
        m.submodules.funnel = funnel = ByteFunnel(build.word_bytes, most)
        wiring.connect(m, wiring.flipped(self.input), funnel.input)
        label, held = Signal(LABEL_BITS), Signal()
        label_free = self._show_label(m, label[:8], label[8:], held)
        label_bytes = Mux(self.run.label_form == LabelForm.WORD, 2, 1)
        cut_bytes, start, taken, may_ride = self._last_planes(m, label_bytes)
        size, next_size = (
            Signal(range(count + 1)),
            Signal(range(count + 1)),
        )  # of the plane, of the label or plane behind
        index = Signal(range(count))  # bytes that are there
        rest = Signal(
            range(count + 1), init=1
        )  # and that are not: a register, as much follows from it in a cycle
        with_label = Signal()  # a label may come with the last bytes of this plane, which are wanted together
        room, moves, ends = Signal(), Signal(), Signal()
        last, next_last = position.flags.last_chunk, position.next_last_chunk
        m.d.comb += [
            size.eq(Mux(last, cut_bytes, count)),
            next_size.eq(
                Mux(next_in_label, label_bytes, Mux(Mux(in_label, last, next_last), cut_bytes, count))
            ),
            with_label.eq(may_ride & ~in_label & position.flags.last_word & ~held & (index == start)),
            room.eq(Mux(in_label, ~held | label_free, free)),
            funnel.needed.eq(Mux(rest > most, most, rest)),
            funnel.wanted.eq(Mux(with_label, taken, funnel.needed)),
            funnel.place.eq(index),
            funnel.take.eq(room),
            ends.eq((rest == 0) | (funnel.enough & (rest <= most))),
            moves.eq(room & ((funnel.given != 0) | (rest == 0))),
            label_ends.eq(in_label & moves & ends),
            rides.eq(with_label & funnel.whole),
            position.advance.eq(~in_label & moves & ends),
        ]
        with m.If(label_free):
            m.d.sync += held.eq(0)
        with m.If(label_ends | (position.advance & rides)):
            m.d.sync += held.eq(1)
        with m.If(moves):
            m.d.sync += [
                index.eq(Mux(ends, 0, index + funnel.given)),
                rest.eq(Mux(ends, next_size, rest - funnel.given)),
            ]
        with m.Elif(in_label & (index == 0)):
            m.d.sync += rest.eq(label_bytes)  # it may change between samples
        in_word = len(funnel.place)
        label_place = Mux(in_label, 0, cut_bytes)[:in_word]  # its first byte's among those of the funnel
        for place in range(LABEL_BITS // 8):
            with m.If(moves & Mux(in_label, index <= place, with_label)):
                m.d.sync += label.word_select(place, 8).eq(
                    funnel.bytes.word_select((label_place + place)[:in_word], 8)
                )
        for place in range(count):
            byte = funnel.bytes.word_select(place % build.word_bytes, 8)
            # Those that have yet to come may be junk until then
            comes = (index <= place) & (size > place)
            with m.If(~in_label & moves & (comes | (index == 0))):
                m.d.sync += self.planes.payload.word_select(place, 8).eq(
                    Mux(comes, byte, 0) | made.word_select(place, 8)
                )
        with m.If(position.advance):
            m.d.sync += self.planes.valid.eq(1)

    def _last_planes(self, m: Module, label_bytes: Value) -> tuple[Signal, Signal, Signal, Signal]:
        """Bytes of a plane of the last chunk; and of its last cycle, where none before it gave less than it could: the place of
        the first byte, how many come with those of a label, and whether there is room for that."""
        count, most = self._build.lanes // 8, self.most_bytes(self._build)
        cut_bytes, start = Signal(range(count + 1)), Signal(range(count))
        taken, may_ride = Signal(range(most + 1)), Signal()
        size = ((self.run.last_lane + 8 - self.run.intercept) >> 3)[: len(cut_bytes)]
        last = size[: exact_log2(most)]  # 0 also for as many as are taken at once
        m.d.sync += [
            cut_bytes.eq(size),
            start.eq(size - last),
            taken.eq(last + label_bytes),
            may_ride.eq(((last != 0) | (size == 0)) & (last + label_bytes <= most)),
        ]
        return cut_bytes, start, taken, may_ride

    # A byte at a time

    def _split_words(self, m: Module):
        """The bytes of words, one by one."""
        source = stream.Signature(8).create(path=("source",))
        word, place = self.input.payload, Signal(range(self._build.word_bytes))
        ends = place == word.last
        m.d.comb += [
            source.valid.eq(self.input.valid),
            source.payload.eq(word.data.word_select(place, 8)),
            self.input.ready.eq(source.ready & ends),
        ]
        if self._build.word_bytes == 1:
            m.d.comb += self.input.ready.eq(source.ready)
        with m.If(source.valid & source.ready):
            m.d.sync += place.eq(Mux(ends, 0, place + 1))
        return source

    def _join_label(self, m: Module, source, in_label: Signal, label_ends: Signal) -> None:
        """A label of one or two bytes."""
        low, held, high_byte = Signal(8), Signal(), Signal()
        whole = Signal()  # with the byte at hand, which need not wait
        word = self.run.label_form == LabelForm.WORD
        free = self._show_label(m, low, source.payload, held | whole)
        moves = source.valid & source.ready
        with m.If(free):
            m.d.sync += held.eq(0)
        with m.If(in_label):
            m.d.comb += [
                source.ready.eq(Mux(high_byte, free, ~held | free)),
                whole.eq(moves & high_byte),
                label_ends.eq(moves & (high_byte | ~word)),
            ]
            with m.If(moves):
                m.d.sync += high_byte.eq(~high_byte & word)
                with m.If(~high_byte):
                    m.d.sync += [low.eq(source.payload), held.eq(~word)]

    def _join_bytes(
        self,
        m: Module,
        position: PlanePosition,
        source,
        free: Signal,
        alone: Signal,
        made: Signal,
        cut_index: Signal,
    ) -> None:
        """Plane words of whole bytes."""
        count = self._build.lanes // 8
        index, last_index = Signal(range(count)), Signal(range(count))
        m.d.comb += [
            last_index.eq(Mux(position.flags.last_chunk, cut_index, count - 1)),
            source.ready.eq(free & ~alone),
        ]
        with m.If((source.valid | alone) & free):
            m.d.sync += index.eq(index + 1)
            for place in range(count):
                with m.If((index == 0) | (index == place)):
                    m.d.sync += self.planes.payload.word_select(place, 8).eq(
                        Mux((index == place) & ~alone, source.payload, 0) | made.word_select(place, 8)
                    )
            with m.If((index == last_index) | alone):
                m.d.comb += position.advance.eq(1)
                m.d.sync += [index.eq(0), self.planes.valid.eq(1)]

    def _split_bytes(
        self, m: Module, position: PlanePosition, source, free: Signal, alone: Signal, made: Signal
    ) -> None:
        """Two plane words a byte: the byte goes when its high half is out, or the last word in it."""
        high = Signal()
        last_word = position.flags.last_word
        half = Mux(alone, 0, source.payload.word_select(high, self._build.lanes))
        m.d.comb += source.ready.eq(free & (high | (last_word & ~alone)))
        with m.If((source.valid | alone) & free):
            m.d.comb += position.advance.eq(1)
            m.d.sync += [
                high.eq(~high & ~last_word & ~alone),
                self.planes.payload.eq(half | made),
                self.planes.valid.eq(1),
            ]
