"""From the codes of single values to the planes of chunks."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.raw_words import GENERATORS
from zipsgd_hw.datapath.config import run_layout

__all__ = ["PlaneGatherer", "code_layout"]


def code_layout(build: Build) -> data.StructLayout:
    """A value of a sample, quantised.

    Parameters
    ----------
    build : Build
        Build parameters.

    Members
    -------
    code : p_max + 2
        Its bit of each plane, as of :class:`.StochasticRounder`.
    last : 1
        It is the sample's last one.
    """
    return data.StructLayout({"code": build.p_max + GENERATORS, "last": 1})


class PlaneGatherer(wiring.Component):
    """Gathers the values of a chunk, and sends its planes while the values of the next chunk come (golden model:
    :func:`zipsgd.golden.weave.plane_words`).

    Lanes behind a sample's last value are zero.

    Latency: two cycles from a chunk's last value to its first plane. Throughput: a value in every cycle in which there is room,
    and a plane in every cycle from a chunk's first one to its last. A value waits where the chunk before its own is complete,
    and planes of the one before that have yet to go.

    Parameters
    ----------
    build : Build
        Build parameters.

    Members
    -------
    run : In(run_layout(build))
        Configuration of the run.
    input : In(stream.Signature(code_layout(build)))
        Values in the order of the columns.
    planes : Out(stream.Signature(L))
        Plane words, chunk by chunk.
    """

    def __init__(self, build: Build):
        self._build = build
        super().__init__(
            {
                "run": In(run_layout(build)),
                "input": In(stream.Signature(code_layout(build))),
                "planes": Out(stream.Signature(build.lanes)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lanes, value = self._build.lanes, self.input.payload
        chunk = data.ArrayLayout(unsigned(lanes), len(value.code))  # by plane
        filling, leaving = Signal(chunk, reset_less=True), Signal(chunk, reset_less=True)
        whole, moves, takes = Signal(), Signal(), Signal()
        place = Signal(range(lanes))
        number = Signal.like(self.run.last_plane)  # of the plane that leaves
        ends, goes, last_goes = Signal(), Signal(), Signal()
        m.d.comb += [
            ends.eq(value.last | place.all()),
            goes.eq(self.planes.valid & self.planes.ready),
            last_goes.eq(goes & (number == self.run.last_plane)),
            moves.eq(whole & (~self.planes.valid | last_goes)),
            self.input.ready.eq(~whole | moves),
            takes.eq(self.input.valid & self.input.ready),
            self.planes.payload.eq(leaving[0]),
        ]
        with m.If(takes):
            m.d.sync += place.eq(Mux(ends, 0, place + 1))
            for lane in range(lanes):
                with m.If((place == lane) | (place == 0)):
                    m.d.sync += [
                        plane[lane].eq(bit & (place == lane))
                        for plane, bit in zip(filling, value.code, strict=True)
                    ]
        m.d.sync += whole.eq((takes & ends) | (whole & ~moves))
        with m.If(moves):
            m.d.sync += [leaving.eq(filling), self.planes.valid.eq(1), number.eq(0)]
        with m.Elif(goes):
            m.d.sync += [leaving.eq(leaving.as_value() >> lanes), number.eq(number + 1)]
            with m.If(last_goes):
                m.d.sync += self.planes.valid.eq(0)
        return m
