"""The sample repeater: one stream of samples for several heads."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_BITS, LABEL_ONE
from zipsgd_hw.memory import block_ram

from .config import run_layout
from .position import PlanePosition

__all__ = ["SampleRepeater"]


class SampleRepeater(wiring.Component):
    """Each sample once for every head of the run, with the label that the head sees (golden model:
    :func:`zipsgd.golden.loss.targets`).

    Planes pass at once to the first head, and into a memory of ``replay_words`` words, from which the other heads have them;
    meanwhile the input waits. Between the first head's planes and the second one's is a cycle without.

    Members
    -------
    run : In(run_layout(build))
    planes : In(stream.Signature(L)), repeated_planes : Out of the same.
    labels : In(stream.Signature(signed(16))), one of a sample or, unless ``run.one_against_all``, one for each head;
        repeated_labels : Out of the same, one for each head.
    """

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
        build = self._build
        m = Module()
        m.submodules.position = position = PlanePosition(build)
        m.submodules.sample = sample = block_ram(build.lanes, build.replay_words)
        write = sample.write_port()
        read = sample.read_port()
        m.d.comb += position.run.eq(self.run)

        # Planes
        output = self.repeated_planes
        place = Signal(range(build.replay_words))
        following = Signal.like(place)
        last_place = Signal.like(place)
        again = Signal.like(self.run.last_head)  # heads that still want the sample from memory
        moves = Signal()
        at_end = Signal()
        m.d.comb += [
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
                    with m.If(position.last_word):
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

        # Labels
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
        return m
