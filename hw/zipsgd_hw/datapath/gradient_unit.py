"""The gradient unit: double sampling on replayed planes."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd_hw.memory import Memories, block_ram

from .bundles import deltas_layout, gradient_signature, sample_marks_layout, tells_active
from .config import run_layout
from .position import PlanePosition

__all__ = ["GradientUnit"]


class GradientUnit(wiring.Component):
    """Exact mini-batch gradient from the planes of the replay buffer (golden model: :mod:`zipsgd.golden.gradient`).

    For each sample it takes the deltas and replays the planes, one a cycle: each lane adds the plane's weight where the
    plane has a one. The weight is a shifted delta: for base planes the mean of both, for the first up plane and the last the
    *other* quantisation's. A polynomial loss needs more than two dot products; the up planes in between are used only for
    those, and have no weight. At the end of a chunk its sums are added to the mini-batch's sums in a memory; in a mini-batch's
    last sample they go to the update unit as well.

    ::

        word, weight ─► sums of the chunk ─► + ─► accumulators ─┬─► (last sample) update unit
                                             ▲                  ▼
                                             └────────── gradient memory

    Latency: ``accumulators`` hold a chunk's gradient three cycles after its last word is taken, and until the next chunk's.
    Throughput: a word a cycle, except at the end of a chunk where memory or update unit are not ready. Where chunks have a
    single plane, a cycle passes from one sample to the next.

    Parameters
    ----------
    build : Build
        Build parameters.
    fast_memory : bool
        Block RAMs are fast enough for an addition in the cycle in which their word comes out. Saves the registers in which the
        word would otherwise wait, one for each bit of the accumulators.

    Members
    -------
    run : In(run_layout(build))
        Configuration of the run.
    sample : In(stream.Signature(StructLayout({"deltas", "marks"})))
        Deltas of a sample, and its :func:`.sample_marks_layout`.
    word : In(L)
        The oldest word of the replay buffer.
    next : Out(1)
        The word is taken.
    busy : Out(1)
        A sample is under way.
    gradient : Out(gradient_signature(build))
        The gradient of a mini-batch, to the update unit.
    finishing : Out(1)
        The word taken belongs to a mini-batch's last sample.
    sample_done : Out(1)
        The sample's last word is taken, for the last head.
    """

    @staticmethod
    def latency(planes: int) -> int:
        """Cycles from the delta of a sample to the first chunk's ``gradient.ends``, if the unit is idle before.

        Parameters
        ----------
        planes : int
            Planes of a chunk.

        Returns
        -------
        int
            One cycle in the deltas' queue, one for the weights, one for each plane, and one until the last is added.
        """
        return 2 + planes + 1

    @staticmethod
    def spacing(*, fast_memory: bool = False) -> int:
        """Fewest cycles from the end of one sample's first chunk to that of the next one.

        The gradient memory is read in the cycle of the take or, if fast, in the next one, and written three cycles after it.
        """
        return 3 if fast_memory else 4

    @staticmethod
    def memories(build: Build) -> Memories:
        """Block RAMs of the component."""
        return {"gradient": (build.lanes * build.accumulator_bits, build.max_chunks)}

    def __init__(self, build: Build, *, fast_memory: bool = False):
        self._build = build
        self._fast_memory = fast_memory
        sample = data.StructLayout({"deltas": deltas_layout(build), "marks": sample_marks_layout(build)})
        super().__init__(
            {
                "run": In(run_layout(build)),
                "sample": In(stream.Signature(sample)),
                "word": In(build.lanes),
                "next": Out(1),
                "busy": Out(1),
                "gradient": Out(gradient_signature(build)),
                "finishing": Out(1),
                "sample_done": Out(1),
            }
        )

    def elaborate(self, platform):
        build = self._build
        m = Module()
        m.submodules.position = position = PlanePosition(build, by_head=True)
        flags = position.flags
        take, ending = Signal(), Signal()
        frees = Signal()  # the sample's weights are needed no more
        loaded, next_marks, base_complement, up = self._load_weights(m, frees)

        # The sample at hand
        under_way = Signal()
        marks_at_hand, marks = Signal(sample_marks_layout(build)), Signal(sample_marks_layout(build))
        opens = Signal()
        m.d.comb += [
            opens.eq(flags.first_plane & flags.first_chunk),
            marks.eq(Mux(opens, next_marks, marks_at_hand)),
            self.busy.eq(loaded | under_way),
        ]
        with m.If(take):
            m.d.sync += [under_way.eq(~flags.last_word), marks_at_hand.eq(marks)]

        hold = self._hold_at_end(m, flags, ending, marks.last_of_batch)
        transcoded = self.run.transcoded if build.level_bits else C(0, 1)
        pair = Signal()
        m.d.sync += pair.eq(transcoded & (self.run.up_planes == 2))
        m.d.comb += [
            take.eq(Mux(opens, loaded, 1) & ~hold),
            frees.eq(take & flags.sign & flags.last_chunk & ((flags.number != 0) | ~pair)),
            ending.eq(take & flags.last_plane),
            self.next.eq(take),
            position.run.eq(self.run),
            position.advance.eq(take),
            self.sample_done.eq(take & flags.last_word & position.last_head),
            self.finishing.eq(take & marks.last_of_batch),
        ]
        weight = self._weigh_plane(m, take, flags, transcoded, base_complement, up)

        stage = data.StructLayout(
            {
                "valid": 1,
                "first_plane": 1,
                "last_plane": 1,
                "fresh": 1,
                "ends": 1,
                "last_chunk": 1,
                "chunk": position.chunk.shape(),
                **({"active": 1} if tells_active(build) else {}),
            }
        )
        taken = Signal(stage)
        m.d.sync += [
            taken.valid.eq(take),
            taken.first_plane.eq(flags.first_plane),
            taken.last_plane.eq(ending),
            taken.fresh.eq(marks.first_of_batch),
            taken.ends.eq(ending & marks.last_of_batch),
            taken.last_chunk.eq(flags.last_chunk),
            taken.chunk.eq(position.chunk),
        ]
        if tells_active(build):
            m.d.sync += taken.active.eq(marks.active)
        summed = Signal(stage)
        m.d.sync += summed.eq(taken)
        sums = self._sum_chunk(m, taken, weight)
        self._join_batch(m, position.chunk, taken, summed, sums)
        return m

    def _load_weights(self, m: Module, frees: Signal) -> tuple[Signal, Signal, Signal, list[Signal]]:
        """Weights of a sample, in halves of delta's unit; the next sample's are loaded as soon as they may be.

        Returns whether they are there, the sample's marks, the complement of base planes' weight, which the first of them needs
        negated, and the weights of the first up plane and the last.
        """
        build = self._build
        loaded = Signal()
        shape = signed(build.delta_bits + 1)
        base_complement = Signal(shape, reset_less=True)
        up = [Signal(shape, reset_less=True, name=f"up{i + 1}") for i in range(2)]
        next_marks = Signal(sample_marks_layout(build), reset_less=True)
        delta1, delta2 = self.sample.payload.deltas
        other = Signal.like(delta1)
        m.d.comb += [
            other.eq(Mux(self.run.symmetric, delta1, delta2)),
            self.sample.ready.eq(~loaded),
        ]
        with m.If(frees):
            m.d.sync += loaded.eq(0)
        with m.If(~loaded):
            m.d.sync += [
                loaded.eq(self.sample.valid),
                base_complement.eq(~(other + delta2)),
                up[0].eq(Mux(self.run.symmetric, delta2, delta2 << 1)),
                up[1].eq(Mux(self.run.symmetric, delta1, 0)),
                next_marks.eq(self.sample.payload.marks),
            ]
        return loaded, next_marks, base_complement, up

    def _hold_at_end(self, m: Module, flags, ending: Signal, last_of_batch: Value) -> Value:
        """Whether the chunk may not end yet.

        A chunk does not end before the gradient memory holds what the previous sample left of it; if this is so in chunk 0 of
        a sample, it is always so in the later chunks. In a mini-batch's last sample, and right behind it, chunks do not end
        faster than the update unit follows. No word of the memory may be read while it is written.
        """
        steps = self._build.lanes // self._build.update_lanes
        turn = self.spacing(fast_memory=self._fast_memory)
        settle = Signal(range(turn))
        pace = Signal(range(max(2, steps)))
        settling, pacing = Signal(), Signal()  # not 0
        with m.If(settling):
            m.d.sync += [settle.eq(settle - 1), settling.eq(settle != 1)]
        with m.If(pacing):
            m.d.sync += [pace.eq(pace - 1), pacing.eq(pace != 1)]
        with m.If(ending & flags.first_chunk):
            m.d.sync += [settle.eq(turn - 1), settling.eq(1)]
        with m.If(ending & last_of_batch):
            m.d.sync += [pace.eq(steps - 1), pacing.eq(steps > 1)]
        return flags.last_plane & (pacing | (flags.first_chunk & settling))

    def _weigh_plane(
        self, m: Module, take: Signal, flags, transcoded: Value, base_complement: Signal, up: list[Signal]
    ) -> Signal:
        """The taken plane's weight, a cycle later: shifted right by one with each base plane, and negative in the first.

        In a transcoded run, the base planes of each quantisation have the weight of its up plane in other runs.
        """
        build = self._build
        complement, own = Signal(base_complement.shape()), Signal(base_complement.shape())
        m.d.comb += [
            complement.eq(Mux(transcoded, ~Mux(flags.number == 0, up[0], up[1]), base_complement)),
            own.eq(~complement),
        ]
        top = build.p_max - 1
        shape = signed(build.delta_bits + 1 + top)
        weight = Signal(shape, reset_less=True)
        base_weight = Signal(shape, reset_less=True)
        up_weight = [Signal(shape, reset_less=True, name=f"up{i + 1}_weight") for i in range(2)]
        with m.If(take):
            with m.If(flags.sign):
                m.d.sync += weight.eq((complement + 1) << top)
                m.d.sync += base_weight.eq(own << (top - 1) if top else own)
                m.d.sync += [shifted.eq(value << top) for shifted, value in zip(up_weight, up, strict=True)]
            with m.Elif(flags.base):
                m.d.sync += [weight.eq(base_weight), base_weight.eq(base_weight >> 1)]
                m.d.sync += [shifted.eq(shifted >> 1) for shifted in up_weight]
            with m.Else():
                behind = Mux(flags.last_plane, up_weight[1], 0) if build.m_max > 2 else up_weight[1]
                m.d.sync += weight.eq(Mux(flags.number == 0, up_weight[0], behind))
        return weight

    def _sum_chunk(self, m: Module, taken, weight: Signal):
        """The chunk's sums, a lane each.

        Sums are chosen, rather than their operands: an iCE40 cell adds and chooses, then, in one.
        """
        build = self._build
        word = Signal(build.lanes, reset_less=True)
        sums = Signal(
            data.ArrayLayout(signed(build.delta_bits + 1 + build.p_max), build.lanes), reset_less=True
        )
        m.d.sync += word.eq(self.word)
        for lane in range(build.lanes):
            with m.If(taken.valid & (word[lane] | taken.first_plane)):
                m.d.sync += sums[lane].eq(Mux(taken.first_plane, weight, sums[lane] + weight))
                with m.If(~word[lane]):
                    m.d.sync += sums[lane].eq(0)
        return sums

    def _join_batch(self, m: Module, chunk: Value, taken, summed, sums) -> None:
        """Add a chunk's sums to the mini-batch's, and keep these."""
        build = self._build
        accumulators = self.gradient.accumulators
        row = accumulators.shape()
        _, depth = self.memories(build)["gradient"]
        m.submodules.memory = memory = block_ram(row, depth)
        write = memory.write_port()
        read = memory.read_port()
        rest = Signal()
        rest_chunk = Signal.like(chunk)
        rested = Signal(row, reset_less=True)
        m.d.comb += [read.addr.eq(taken.chunk if self._fast_memory else chunk), read.en.eq(1)]
        m.d.sync += rested.eq(Mux(taken.fresh, 0, read.data))
        with m.If(summed.last_plane):
            for lane in range(build.lanes):
                if self._fast_memory:
                    total = Mux(summed.fresh, sums[lane], read.data[lane] + sums[lane])
                else:
                    total = rested[lane] + sums[lane]
                m.d.sync += accumulators[lane].eq(total)
        m.d.sync += [rest.eq(summed.last_plane), rest_chunk.eq(summed.chunk)]
        m.d.comb += [
            self.gradient.ends.eq(summed.ends),
            self.gradient.chunk.eq(summed.chunk),
            self.gradient.last_chunk.eq(summed.last_chunk),
            *([self.gradient.active.eq(summed.active)] if tells_active(self._build) else []),
            write.addr.eq(rest_chunk),
            write.data.eq(accumulators),
            write.en.eq(rest),
        ]
