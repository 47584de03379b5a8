"""The sample repeater: one stream of samples for several heads."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_BITS, LABEL_ONE
from zipsgd_hw.memory import Memories, block_ram

from .config import run_layout
from .position import PlanePosition

__all__ = ["SampleRepeater"]


class SampleRepeater(wiring.Component):
    """Each sample once for every head of the run, with that head's label (golden model: :func:`zipsgd.golden.loss.targets`).

    Planes pass at once to the first head, and into a memory of ``replay_words`` words, from which the other heads get them;
    meanwhile the input waits.

    Latency: none for the first head. Throughput: a plane in every cycle, with one cycle without between the first head's
    planes and the second one's.

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
        m.submodules.position = position = PlanePosition(self._build)
        width, depth = self.memories(self._build)["repeater"]
        m.submodules.sample = sample = block_ram(width, depth)
        write = sample.write_port()
        read = sample.read_port()
        output = self.repeated_planes
        place = Signal(range(depth))
        following = Signal.like(place)
        last_place = Signal.like(place)
        again = Signal.like(self.run.last_head)  # heads that still want the sample from memory
        moves = Signal()
        at_end = Signal()
        m.d.comb += [
            position.run.eq(self.run),
            moves.eq(output.valid & output.ready),
            at_end.eq(place == last_place),
            write.addr.eq(place),
            write.data.eq(self.planes.payload),
            read.addr.eq(place),
            read.en.eq(1),
            output.payload.eq(self.planes.payload),
        ]
        with m.FSM():
            with m.State("PASS"):
                m.d.comb += [
                    output.valid.eq(self.planes.valid),
                    self.planes.ready.eq(output.ready),
                    write.en.eq(moves),
                    position.advance.eq(moves),
                ]
                m.d.sync += [last_place.eq(place), again.eq(self.run.last_head)]
                with m.If(moves):
                    m.d.sync += place.eq(place + 1)
                    with m.If(position.flags.last_word):
                        m.d.sync += place.eq(0)
                        with m.If(self.run.last_head != 0):
                            m.next = "TURN"
            with m.State("TURN"):
                m.next = "AGAIN"
            with m.State("AGAIN"):
                m.d.comb += [
                    output.valid.eq(1),
                    output.payload.eq(read.data),
                    following.eq(Mux(at_end, 0, place + 1)),
                    read.addr.eq(Mux(moves, following, place)),
                ]
                with m.If(moves):
                    m.d.sync += place.eq(following)
                    with m.If(at_end):
                        m.d.sync += again.eq(again - 1)
                        with m.If(again == 1):
                            m.next = "PASS"

    def _repeat_labels(self, m: Module) -> None:
        head = Signal.like(self.run.last_head)
        last_head = Signal()
        target = self.repeated_labels
        m.d.comb += [
            last_head.eq(head == self.run.last_head),
            target.valid.eq(self.labels.valid),
            target.payload.eq(self.labels.payload),
            self.labels.ready.eq(target.ready & (last_head | ~self.run.one_against_all)),
        ]
        with m.If(self.run.one_against_all):
            m.d.comb += target.payload.eq(Mux(self.labels.payload == head, LABEL_ONE, -LABEL_ONE))
        with m.If(target.valid & target.ready):
            m.d.sync += head.eq(Mux(last_head, 0, head + 1))
