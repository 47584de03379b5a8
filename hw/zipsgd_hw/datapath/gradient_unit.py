"""The gradient unit: double sampling on replayed planes."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd_hw.memory import block_ram

from .config import run_layout
from .position import PlanePosition

__all__ = ["GradientUnit"]


class GradientUnit(wiring.Component):
    """Exact mini-batch gradient from the planes of the replay buffer (golden model: :mod:`zipsgd.golden.gradient`).

    For each sample it takes its deltas and replays its planes, one a cycle: each lane adds the plane's weight where the
    plane has a one. The weight is a shifted delta: of the mean of both for base planes, of the *other* one's for the first up
    plane and the last; those between have none. As a chunk ends, its sums join those of the mini-batch, which rest in a
    memory; in a mini-batch's last sample they go to the update unit as well.

    ::

        word, weight ─► sums of the chunk ─► + ─► accumulators ─┬─► (last sample) update unit
                                             ▲                  ▼
                                             └────────── gradient memory

    A chunk's gradient is in ``accumulators`` three cycles after its last word is taken, and stays until the next chunk's.

    Parameters
    ----------
    build : the parameters.
    fast_memory : a block RAM's word can be added to in the cycle in which it comes out. This saves the registers in which it
        would else wait, one a bit of the accumulators.

    Members
    -------
    run : In(run_layout(build))
    sample : In(stream), of a sample its ``deltas`` (two signed words), and whether it is ``first_of_batch`` and
        ``last_of_batch``.
    word : In(L), next : Out(1): of :class:`.ReplayBuffer`.
    busy : Out(1), a sample is under way.
    ends : Out(1), with ``chunk``, and ``last_chunk`` if it is its head's last one: in the next cycle, ``accumulators`` hold the
        mini-batch's gradient of this chunk. No two of them are less than L / U cycles apart, nor is the change of
        ``accumulators`` behind one.
    accumulators : Out, L signed words of accumulator_bits.
    finishing : Out(1), the word taken belongs to a mini-batch's last sample.
    sample_done : Out(1), the sample's last word is taken, for the last head.
    """

    def __init__(self, build: Build, *, fast_memory: bool = False):
        self._build = build
        self._fast_memory = fast_memory
        layout = run_layout(build)
        super().__init__(
            {
                "run": In(layout),
                "sample": In(
                    stream.Signature(
                        data.StructLayout(
                            {
                                "deltas": data.ArrayLayout(signed(build.delta_bits), 2),
                                "first_of_batch": 1,
                                "last_of_batch": 1,
                            }
                        )
                    )
                ),
                "word": In(build.lanes),
                "next": Out(1),
                "busy": Out(1),
                "ends": Out(1),
                "chunk": Out(layout["last_chunk"].shape),
                "last_chunk": Out(1),
                "accumulators": Out(data.ArrayLayout(signed(build.accumulator_bits), build.lanes)),
                "finishing": Out(1),
                "sample_done": Out(1),
            }
        )

    def elaborate(self, platform):
        build = self._build
        m = Module()
        m.submodules.position = position = PlanePosition(build, by_head=True)

        # Weights of a sample, in halves of delta's unit; of the next one as soon as they have begun their last chunk
        loaded = Signal()
        frees = Signal()
        shape = signed(build.delta_bits + 1)
        base = Signal(shape, reset_less=True)
        up = [Signal(shape, reset_less=True, name=f"up{i + 1}") for i in range(2)]
        marks = Signal(2, reset_less=True)
        delta1, delta2 = self.sample.payload.deltas
        other = Signal.like(delta1)
        m.d.comb += [
            other.eq(Mux(self.run.symmetric, delta1, delta2)),
            self.sample.ready.eq(~loaded | frees),
        ]
        with m.If(self.sample.ready):
            m.d.sync += [
                loaded.eq(self.sample.valid),
                base.eq(other + delta2),
                up[0].eq(Mux(self.run.symmetric, delta2, delta2 << 1)),
                up[1].eq(Mux(self.run.symmetric, delta1, 0)),
                marks.eq(Cat(self.sample.payload.first_of_batch, self.sample.payload.last_of_batch)),
            ]

        # The sample at hand
        under_way = Signal()
        marks_at_hand = Signal(2)
        first_of_batch, last_of_batch = Signal(), Signal()
        opens = Signal()
        m.d.comb += [
            opens.eq(position.first_plane & position.first_chunk),
            Cat(first_of_batch, last_of_batch).eq(Mux(opens, marks, marks_at_hand)),
            self.busy.eq(loaded | under_way),
        ]

        # In a transcoded run each quantisation's base planes gate by themselves what else its up plane does
        transcoded = self.run.transcoded if build.level_bits else C(0, 1)
        pair = Signal()
        own = Signal(shape)
        m.d.sync += pair.eq(transcoded & (self.run.up_planes == 2))
        m.d.comb += own.eq(Mux(transcoded, Mux(position.number == 0, up[0], up[1]), base))

        # When a chunk may end: not before the gradient memory holds what the previous sample left of it, which is always
        # so in the samples' later chunks if it is so in chunk 0; and in a mini-batch's last sample, and right behind it, no
        # faster than the update unit follows. The memory is read in the cycle of the take or, if fast, in the next one, and
        # written three cycles behind it; no word may be read while it is written.
        steps = build.lanes // build.update_lanes
        turn = 3 if self._fast_memory else 4
        settle = Signal(range(turn))
        pace = Signal(range(max(2, steps)))
        settling, pacing = Signal(), Signal()  # not 0
        take = Signal()
        ending = Signal()
        hold = position.last_plane & (pacing | (position.first_chunk & settling))
        m.d.comb += [
            take.eq(Mux(opens, loaded, 1) & ~hold),
            frees.eq(take & position.sign & position.last_chunk & ((position.number != 0) | ~pair)),
            ending.eq(take & position.last_plane),
            self.next.eq(take),
            position.run.eq(self.run),
            position.advance.eq(take),
            self.sample_done.eq(take & position.last_word & position.last_head),
            self.finishing.eq(take & last_of_batch),
        ]
        with m.If(take):
            m.d.sync += [
                under_way.eq(~position.last_word),
                marks_at_hand.eq(Cat(first_of_batch, last_of_batch)),
            ]
        with m.If(settling):
            m.d.sync += [settle.eq(settle - 1), settling.eq(settle != 1)]
        with m.If(pacing):
            m.d.sync += [pace.eq(pace - 1), pacing.eq(pace != 1)]
        with m.If(ending & position.first_chunk):
            m.d.sync += [settle.eq(turn - 1), settling.eq(1)]
        with m.If(ending & last_of_batch):
            m.d.sync += [pace.eq(steps - 1), pacing.eq(steps > 1)]

        # The plane's weight: shifted right by one with each base plane, and negative in the first
        top = build.p_max - 1
        weight_shape = signed(build.delta_bits + 1 + top)
        weight = Signal(weight_shape, reset_less=True)
        base_weight = Signal(weight_shape, reset_less=True)
        up_weight = [Signal(weight_shape, reset_less=True, name=f"up{i + 1}_weight") for i in range(2)]
        with m.If(take):
            with m.If(position.sign):
                m.d.sync += weight.eq((-own) << top)
                m.d.sync += base_weight.eq(own << (top - 1) if top else own)
                m.d.sync += [shifted.eq(value << top) for shifted, value in zip(up_weight, up, strict=True)]
            with m.Elif(position.base):
                m.d.sync += [weight.eq(base_weight), base_weight.eq(base_weight >> 1)]
                m.d.sync += [shifted.eq(shifted >> 1) for shifted in up_weight]
            with m.Else():
                later = Mux(position.last_plane, up_weight[1], 0) if build.m_max > 2 else up_weight[1]
                m.d.sync += weight.eq(Mux(position.number == 0, up_weight[0], later))

        flags = data.StructLayout(
            {
                "valid": 1,
                "first_plane": 1,
                "last_plane": 1,
                "fresh": 1,
                "ends": 1,
                "last_chunk": 1,
                "chunk": position.chunk.shape(),
            }
        )
        taken = Signal(flags)
        word = Signal(build.lanes, reset_less=True)
        m.d.sync += [
            word.eq(self.word),
            taken.valid.eq(take),
            taken.first_plane.eq(position.first_plane),
            taken.last_plane.eq(ending),
            taken.fresh.eq(first_of_batch),
            taken.ends.eq(ending & last_of_batch),
            taken.last_chunk.eq(position.last_chunk),
            taken.chunk.eq(position.chunk),
        ]

        # Sums of the chunk. Sums are chosen, rather than their operands: an iCE40 cell adds and chooses, then, in one.
        summed = Signal(flags)
        sums = Signal(
            data.ArrayLayout(signed(build.delta_bits + 1 + build.p_max), build.lanes), reset_less=True
        )
        m.d.sync += summed.eq(taken)
        for lane in range(build.lanes):
            with m.If(taken.valid & (word[lane] | taken.first_plane)):
                m.d.sync += sums[lane].eq(Mux(taken.first_plane, weight, sums[lane] + weight))
                with m.If(~word[lane]):
                    m.d.sync += sums[lane].eq(0)

        # Join the mini-batch's
        row = self.accumulators.shape()
        m.submodules.memory = memory = block_ram(row, build.max_chunks)
        write = memory.write_port()
        read = memory.read_port()
        rest = Signal()
        rest_chunk = Signal.like(position.chunk)
        m.d.comb += [read.addr.eq(taken.chunk if self._fast_memory else position.chunk), read.en.eq(1)]
        rested = Signal(row, reset_less=True)
        m.d.sync += rested.eq(Mux(taken.fresh, 0, read.data))
        with m.If(summed.last_plane):
            for lane in range(build.lanes):
                if self._fast_memory:
                    total = Mux(summed.fresh, sums[lane], read.data[lane] + sums[lane])
                else:
                    total = rested[lane] + sums[lane]
                m.d.sync += self.accumulators[lane].eq(total)
        m.d.sync += [rest.eq(summed.last_plane), rest_chunk.eq(summed.chunk)]
        m.d.comb += [
            self.ends.eq(summed.ends),
            self.chunk.eq(summed.chunk),
            self.last_chunk.eq(summed.last_chunk),
            write.addr.eq(rest_chunk),
            write.data.eq(self.accumulators),
            write.en.eq(rest),
        ]
        return m
