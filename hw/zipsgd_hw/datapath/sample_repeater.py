"""The sample repeater: one stream of samples for several heads."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_BITS, LABEL_ONE
from zipsgd_hw.memory import Memories, block_ram
from zipsgd_hw.stream_queue import stream_queue

from .config import run_layout
from .position import PlanePosition

__all__ = ["SampleRepeater"]


class SampleRepeater(wiring.Component):
    """Each sample once for every head of the run, with that head's label (golden model: :func:`zipsgd.golden.loss.targets`).

    Planes go through a memory of ``replay_words`` words, which keeps a sample until its last head has it. The rest of the
    memory takes in the next samples meanwhile, and a queue takes in their labels: a slow source need not wait for the heads.

    Latency: a plane word goes out three cycles after it came, a label one. Throughput: a plane in every cycle, also from one
    head to the next.

    Parameters
    ----------
    build : Build
        Build parameters, with several heads.

    Members
    -------
    run : In(run_layout(build))
        Configuration of the run.
    planes : In(stream.Signature(L)), repeated_planes : Out(stream.Signature(L))
        Plane words of a sample, and the same once for each head.
    labels : In(stream.Signature(signed(16)))
        One label of a sample or, unless ``run.one_against_all``, one for each head.
    repeated_labels : Out(stream.Signature(signed(16)))
        One label for each head; with ``run.one_against_all``, +1 for the head of the sample's class and -1 for all others.
    """

    @staticmethod
    def memories(build: Build) -> Memories:
        """Block RAMs of the component."""
        return {"repeater": (build.lanes, build.replay_words)}

    @staticmethod
    def most_labels(build: Build) -> int:
        """Most labels that wait: those of a sample, and the next sample's first one, which comes before its planes."""
        return build.heads + 1

    def __init__(self, build: Build):
        self._build = build
        plane, label = stream.Signature(build.lanes), stream.Signature(signed(LABEL_BITS))
        super().__init__(
            {
                "run": In(run_layout(build)),
                "planes": In(plane),
                "repeated_planes": Out(plane),
                "labels": In(label),
                "repeated_labels": Out(label),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self._repeat_planes(m)
        self._repeat_labels(m)
        return m

    def _repeat_planes(self, m: Module) -> None:
        m.submodules.position = position = PlanePosition(self._build, by_head=True)
        width, depth = self.memories(self._build)["repeater"]
        m.submodules.samples = samples = block_ram(width, depth)
        write = samples.write_port()
        read = samples.read_port()
        output = self.repeated_planes
        # Places have a bit more than addresses, which tells a full memory from an empty one
        written = Signal(range(2 * depth))  # where the next word goes
        place = Signal.like(written)  # the word that the memory shows, or will show
        kept = Signal.like(written)  # the first word that a head still wants
        level = Signal(range(depth + 1))  # words from there on
        after, following = Signal.like(written), Signal.like(written)
        full = Signal()
        shown = Signal()
        comes, moves, rewinds, frees = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            position.run.eq(self.run),
            position.advance.eq(moves),
            self.planes.ready.eq(~full),
            comes.eq(self.planes.valid & ~full),
            moves.eq(shown & (~output.valid | output.ready)),
            frees.eq(moves & position.last_head),
            rewinds.eq(position.flags.last_word & ~position.last_head),
            after.eq(place + 1),
            following.eq(Mux(rewinds, kept, after)),
            write.addr.eq(written[:-1]),
            write.data.eq(self.planes.payload),
            write.en.eq(comes),
            read.addr.eq(Mux(moves, following, place)[:-1]),
            read.en.eq(1),
        ]
        m.d.sync += [
            written.eq(written + comes),
            level.eq(level + comes - frees),
            full.eq(~frees & (level[-1] | (level[:-1].all() & comes))),
            shown.eq(Mux(moves, rewinds | (after != written), place != written)),
        ]
        with m.If(output.ready):
            m.d.sync += output.valid.eq(0)
        with m.If(moves):  # a block RAM's word comes out late, and the core may be far away
            m.d.sync += [place.eq(following), output.payload.eq(read.data), output.valid.eq(1)]
        with m.If(frees):
            m.d.sync += kept.eq(after)

    def _repeat_labels(self, m: Module) -> None:
        label_in, label_out = stream_queue(m, "waiting", LABEL_BITS, self.most_labels(self._build))
        head = Signal.like(self.run.last_head)
        last_head = Signal()
        target = self.repeated_labels
        m.d.comb += [
            label_in.payload.eq(self.labels.payload),
            label_in.valid.eq(self.labels.valid),
            self.labels.ready.eq(label_in.ready),
            last_head.eq(head == self.run.last_head),
            target.valid.eq(label_out.valid),
            target.payload.eq(label_out.payload),
            label_out.ready.eq(target.ready & (last_head | ~self.run.one_against_all)),
        ]
        with m.If(self.run.one_against_all):
            m.d.comb += target.payload.eq(Mux(label_out.payload == head, LABEL_ONE, -LABEL_ONE))
        with m.If(target.valid & target.ready):
            m.d.sync += head.eq(Mux(last_head, 0, head + 1))
