"""Raw words on a device: codes of values, and the planes that they are gathered to."""

from amaranth.hdl import Mux, Signal
from checker import Mutation, Property
from harness import Harness, inside
from small import legal_run, small_build

from zipsgd_hw.quantiser.plane_gatherer import PlaneGatherer
from zipsgd_hw.quantiser.stochastic_rounder import StochasticRounder

from .streams import assume_steady, driven, show_steady

__all__ = ["PROPERTIES"]

_RAW_BITS = 8


def _rounder() -> Harness:
    """The code of each value, from integers of as many bits as they need."""
    build = small_build()
    dut = StochasticRounder(build, _RAW_BITS)
    parts = inside(dut)
    harness = driven(dut, "run")
    legal_run(harness, build, dut.run)
    last_base = dut.run.last_base
    drop = Signal(range(parts.frac + 1))
    harness.m.d.comb += drop.eq(parts.frac - last_base)
    dropped = ((1 << drop) - 1)[: parts.frac]
    fraction = dut.value.as_unsigned() & dropped
    known = harness.past(harness.started) & harness.past(dut.step)
    value, one = harness.past(dut.value.as_unsigned()), harness.past(dut.one)
    for plane in range(build.p_max):
        base = Mux(one, int(plane > 0), value[parts.frac - plane])
        wrong = known & (last_base >= plane) & (dut.code[plane] != base)
        harness.show(f"plane {plane} of the base, rounded down", ~wrong)
    for number, draw in enumerate(parts.draws):
        up = harness.past((draw & dropped) + fraction >= 1 << drop)
        bit = dut.code.bit_select(last_base + 1 + number, 1)
        harness.show(f"up bit {number + 1}", ~known | (bit == (up | one)))
    return harness


def _gatherer() -> Harness:
    """A value, any one, is marked and followed to each of its planes."""
    build = small_build()
    dut = PlaneGatherer(build)
    parts = inside(dut)
    harness = driven(dut, "run")
    m, run = harness.m, dut.run
    legal_run(harness, build, run)
    assume_steady(harness, dut, "input")
    comes, goes = Signal(), Signal()
    place, plane, chunks = Signal(range(build.lanes)), Signal.like(run.last_plane), Signal(2)
    chunk_ends, chunk_goes = Signal(), Signal()
    m.d.comb += [
        comes.eq(dut.input.valid & dut.input.ready),
        goes.eq(dut.planes.valid & dut.planes.ready),
        chunk_ends.eq(comes & (dut.input.payload.last | (place == build.lanes - 1))),
        chunk_goes.eq(goes & (plane == run.last_plane)),
    ]
    with m.If(comes):
        m.d.sync += place.eq(Mux(chunk_ends, 0, place + 1))
    with m.If(goes):
        m.d.sync += plane.eq(Mux(chunk_goes, 0, plane + 1))
    m.d.sync += chunks.eq(chunks + chunk_ends - chunk_goes)

    mark = harness.free(1, "mark")
    waits, ahead, lane, code, final = (
        Signal(),
        Signal.like(chunks),
        Signal.like(place),
        Signal.like(dut.input.payload.code),
        Signal(),
    )
    with m.If(mark & comes & ~waits):
        m.d.sync += [
            waits.eq(1),
            ahead.eq(chunks - chunk_goes),
            lane.eq(place),
            code.eq(dut.input.payload.code),
            final.eq(chunk_ends),
        ]
    with m.Elif(chunk_goes & waits):
        m.d.sync += [waits.eq(ahead != 0), ahead.eq(ahead - 1)]
    due = goes & waits & (ahead == 0)
    bit = dut.planes.payload.bit_select(lane, 1)
    harness.show("a value has its bit in each plane", ~due | (bit == code.bit_select(plane, 1)))
    behind = (dut.planes.payload >> lane) >> 1
    harness.show("lanes behind the last value are zero", ~(due & final) | (behind == 0))
    harness.show("planes are those of whole chunks", ~dut.planes.valid | (chunks != 0))
    shown = dut.planes.valid | (chunks == 0) | (harness.past(chunks - chunk_goes) == 0)
    harness.show("a whole chunk shows in the next cycle", shown)
    harness.show("values are taken while there is room", dut.input.ready == ((chunks != 2) | chunk_goes))
    show_steady(harness, dut, "planes")
    harness.lemma("chunks", chunks == parts.whole + dut.planes.valid)
    harness.lemma("place and plane", (place == parts.place) & (~dut.planes.valid | (plane == parts.number)))
    return harness


PROPERTIES = [
    Property(
        "codes of values",
        "the base is the value rounded down, and each up bit the carry of what is left and as many bits of its own draw; so a "
        "value that is a level stays, and any other becomes one of its two neighbours; 1 is the highest base and all up bits",
        "StochasticRounder",
        "words of 8 bits, any run, any draws",
        _rounder,
        (
            Mutation(
                StochasticRounder,
                "a random bit too few",
                "(draw & ~of_base)",
                "(draw[: frac - 1] & ~of_base)",
            ),
            Mutation(
                StochasticRounder,
                "a carry ends at the base",
                "self.value[:frac] | of_base",
                "self.value[:frac] & ~of_base",
            ),
            Mutation(
                StochasticRounder,
                "1 is the lowest base",
                "self.value[frac] & ~self.one",
                "self.value[frac] | self.one",
            ),
            Mutation(
                StochasticRounder,
                "both up bits have a draw",
                "| self.one for draw in draws]",
                "| self.one for draw in draws[:1] * 2]",
            ),
        ),
    ),
    Property(
        "gathered planes",
        "each value has its bit in each plane of its chunk, once and in order, and lanes behind the last value are zero; "
        "planes wait unchanged; values are taken while there is room for them",
        "PlaneGatherer",
        "L = 4, p up to 2, any run, samples of any lengths",
        _gatherer,
        (
            Mutation(
                PlaneGatherer,
                "a chunk is written over",
                "moves.eq(whole & (~self.planes.valid | last_goes))",
                "moves.eq(whole & (~self.planes.valid | goes))",
            ),
            Mutation(
                PlaneGatherer,
                "values are taken too early",
                "self.input.ready.eq(~whole | moves)",
                "self.input.ready.eq(~whole | last_goes)",
            ),
            Mutation(
                PlaneGatherer,
                "lanes of the chunk before stay",
                "with m.If((place == lane) | (place == 0)):",
                "with m.If(place == lane):",
            ),
            Mutation(
                PlaneGatherer,
                "a plane too many",
                "goes & (number == self.run.last_plane)",
                "goes & (number > self.run.last_plane)",
            ),
            Mutation(
                PlaneGatherer,
                "a chunk of one value is lost",
                "whole.eq((takes & ends) | (whole & ~moves))",
                "whole.eq(~moves & ((takes & ends) | whole))",
            ),
        ),
    ),
]
