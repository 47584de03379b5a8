"""The gradient unit: double sampling on replayed planes."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd_hw.memory import block_ram

from .config import run_layout
from .position import PlanePosition, SampleCounter

__all__ = ["GradientUnit"]


class GradientUnit(wiring.Component):
    """Exact mini-batch gradient from the planes of the replay buffer (golden model: :mod:`zipsgd.golden.gradient`).

    For each sample it takes its deltas and replays its planes, one a cycle: each lane adds the plane's weight where the
    plane has a one. The weight is a shifted delta: of the mean of both for base planes, of the *other* sample's for an up
    plane. The accumulators of the chunk at hand are registers; those of the others rest in a memory. In a mini-batch's last
    sample, each chunk's accumulators go to the update unit as the chunk ends.

    ::

        word, weight ─► gate ─► accumulators ─┬─► (last sample) update unit
                                   ▲          ▼
                                   └──── gradient memory

    A chunk's sum is in ``accumulators`` three cycles after its last word is taken.

    Members
    -------
    run : In(run_layout(build))
    start, samples : In, of :class:`.SampleCounter`.
    deltas : In(stream of two signed words)
    word : In(L), next : Out(1): of :class:`.ReplayBuffer`.
    active : Out(1), samples of the epoch are still to come or under way.
    ends : Out(1), with ``chunk``: in the next cycle, ``accumulators`` hold the mini-batch's gradient of this chunk. No two of
        them are less than L / U cycles apart.
    accumulators : Out, L signed words of accumulator_bits.
    finishing : Out(1), the word taken belongs to a mini-batch's last sample.
    sample_done : Out(1), the sample's last word is taken.
    """

    def __init__(self, build: Build):
        self._build = build
        layout = run_layout(build)
        super().__init__(
            {
                "run": In(layout),
                "start": In(1),
                "samples": In(32),
                "deltas": In(stream.Signature(data.ArrayLayout(signed(build.delta_bits), 2))),
                "word": In(build.lanes),
                "next": Out(1),
                "active": Out(1),
                "ends": Out(1),
                "chunk": Out(layout["last_chunk"].shape),
                "accumulators": Out(data.ArrayLayout(signed(build.accumulator_bits), build.lanes)),
                "finishing": Out(1),
                "sample_done": Out(1),
            }
        )

    def elaborate(self, platform):
        build = self._build
        m = Module()
        m.submodules.position = position = PlanePosition(build)
        m.submodules.counter = counter = SampleCounter(build)

        # Weights of the sample to come, in halves of delta's unit
        loaded = Signal()
        shape = signed(build.delta_bits + 1)
        negative = Signal(shape, reset_less=True)
        positive = Signal(shape, reset_less=True)
        up = [Signal(shape, reset_less=True, name=f"up{i + 1}") for i in range(2)]
        delta1, delta2 = self.deltas.payload
        other = Signal.like(delta1)
        m.d.comb += other.eq(Mux(self.run.symmetric, delta1, delta2))
        m.d.comb += self.deltas.ready.eq(~loaded | self.sample_done)
        with m.If(self.deltas.ready):
            m.d.sync += [
                loaded.eq(self.deltas.valid),
                positive.eq(other + delta2),
                negative.eq(-other - delta2),
                up[0].eq(Mux(self.run.symmetric, delta2, delta2 << 1)),
                up[1].eq(Mux(self.run.symmetric, delta1, 0)),
            ]

        # When to take a word: not before the gradient memory holds what the previous sample left of chunk 0, and in a
        # mini-batch's last sample no faster than the update unit follows.
        steps = build.lanes // build.update_lanes
        settle = Signal(2)
        pace = Signal(range(max(2, steps)))
        single = Signal()
        m.d.sync += single.eq(self.run.last_chunk == 0)
        take = Signal()
        hold = (position.first_plane & counter.last_of_batch & (pace != 0)) | (
            (position.chunk == 0) & (settle != 0)
        )
        m.d.comb += [
            take.eq(loaded & ~hold),
            self.next.eq(take),
            position.run.eq(self.run),
            position.advance.eq(take),
            counter.run.eq(self.run),
            counter.start.eq(self.start),
            counter.samples.eq(self.samples),
            self.sample_done.eq(take & position.last_word),
            counter.advance.eq(self.sample_done),
            self.active.eq(counter.active),
            self.finishing.eq(take & counter.last_of_batch),
        ]
        with m.If(settle != 0):
            m.d.sync += settle.eq(settle - 1)
        with m.If(take & position.last_plane & (position.chunk == 0) & ~single):
            m.d.sync += settle.eq(3)
        with m.If(pace != 0):
            m.d.sync += pace.eq(pace - 1)
        with m.If(take & position.first_plane):
            m.d.sync += pace.eq(steps - 1)

        # The plane's weight: shifted right by one with each base plane
        top = build.p_max - 1
        weight_shape = signed(build.delta_bits + 1 + top)
        weight = Signal(weight_shape, reset_less=True)
        base_weight = Signal(weight_shape, reset_less=True)
        up_weight = [Signal(weight_shape, reset_less=True, name=f"up{i + 1}_weight") for i in range(2)]
        with m.If(take):
            with m.If(position.first_plane):
                m.d.sync += weight.eq(negative << top)
                m.d.sync += base_weight.eq(positive << (top - 1) if top else positive)
                m.d.sync += [shifted.eq(value << top) for shifted, value in zip(up_weight, up, strict=True)]
            with m.Elif(position.base):
                m.d.sync += [weight.eq(base_weight), base_weight.eq(base_weight >> 1)]
                m.d.sync += [shifted.eq(shifted >> 1) for shifted in up_weight]
            with m.Else():
                m.d.sync += weight.eq(Mux(position.second_up, up_weight[1], up_weight[0]))

        # Taken; read the gradient memory
        row = self.accumulators.shape()
        m.submodules.memory = memory = block_ram(row, build.max_chunks)
        write = memory.write_port()
        read = memory.read_port()
        m.d.comb += [read.addr.eq(position.chunk), read.en.eq(1)]
        flags = data.StructLayout(
            {
                "valid": 1,
                "load": 1,  # the accumulators start from the memory's row, or from zero
                "zero": 1,
                "last_plane": 1,
                "ends": 1,
                "chunk": position.chunk.shape(),
            }
        )
        taken = Signal(flags)
        word = Signal(build.lanes, reset_less=True)
        m.d.sync += [
            word.eq(self.word),
            taken.valid.eq(take),
            taken.load.eq(position.first_plane & (~single | counter.first_of_batch)),
            taken.zero.eq(counter.first_of_batch),
            taken.last_plane.eq(take & position.last_plane),
            taken.ends.eq(counter.last_of_batch),
            taken.chunk.eq(position.chunk),
        ]

        # Gate
        gated = Signal(flags)
        addends = Signal(data.ArrayLayout(weight_shape, build.lanes), reset_less=True)
        rested = Signal(row, reset_less=True)
        m.d.sync += [gated.eq(taken), rested.eq(Mux(taken.zero, 0, read.data))]
        for lane in range(build.lanes):
            m.d.sync += addends[lane].eq(Mux(word[lane], weight, 0))

        # Accumulate
        with m.If(gated.valid):
            for lane in range(build.lanes):
                start = Mux(gated.load, rested[lane], self.accumulators[lane])
                m.d.sync += self.accumulators[lane].eq(start + addends[lane])
        m.d.comb += [self.ends.eq(gated.last_plane & gated.ends), self.chunk.eq(gated.chunk)]

        # Rest
        rest = Signal()
        rest_chunk = Signal.like(position.chunk)
        m.d.sync += [rest.eq(gated.last_plane), rest_chunk.eq(gated.chunk)]
        m.d.comb += [write.addr.eq(rest_chunk), write.data.eq(self.accumulators), write.en.eq(rest)]
        return m
