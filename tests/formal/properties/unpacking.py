"""Words of samples become labels and planes: bytes in order, and nothing that waits changes."""

from amaranth.hdl import Mux, Signal
from checker import Mutation, Property
from harness import Harness
from small import legal_run, small_build

from zipsgd_hw.datapath.byte_funnel import ByteFunnel
from zipsgd_hw.datapath.sample_unpacker import SampleUnpacker

from .streams import STEADY, assume_steady, driven, show_steady

__all__ = ["PROPERTIES"]


def _unpacker(lanes: int, word_bytes: int = 1) -> Harness:
    build = small_build(lanes=lanes, max_features=4 * lanes, heads=2, word_bytes=word_bytes)
    dut = SampleUnpacker(build)
    harness = driven(dut, "run")
    legal_run(harness, build, dut.run)
    assume_steady(harness, dut, "input")
    show_steady(harness, dut, "labels", "planes")
    return harness


def _funnel() -> Harness:
    """The funnel, compared with a count of bytes, one of which, any one, is marked and followed."""
    size = 4
    dut = ByteFunnel(size, size)
    harness = driven(dut)
    m, word = harness.m, dut.input.payload
    assume_steady(harness, dut, "input")
    harness.assume("no more than a word is wanted", dut.wanted <= size)
    harness.assume("no more is needed than wanted", dut.needed <= dut.wanted)
    comes, goes = Signal(), Signal(range(size + 1))
    m.d.comb += [comes.eq(dut.input.valid & dut.input.ready), goes.eq(Mux(dut.take, dut.given, 0))]
    held = Signal(range(4 * size))  # bytes that have come and are not gone, at the start of the cycle
    m.d.sync += held.eq(held + Mux(comes, word.last + 1, 0) - goes)
    behind = Mux(comes, word.last + 1, 0)
    harness.show("no byte that is not there", goes <= held + behind)
    harness.show(
        "all that is wanted, or no more than is needed", (dut.given == dut.wanted) | (dut.given <= dut.needed)
    )
    harness.show("it says whether it is all", dut.whole == ((dut.given == dut.wanted) & (dut.wanted != 0)))
    harness.show(
        "it says whether it is enough", dut.enough == ((dut.given >= dut.needed) & (dut.needed != 0))
    )
    harness.show("all that is wanted where it is kept", (dut.given == dut.wanted) | (held < dut.wanted))
    full = Signal()  # the word that they are of
    m.d.sync += full.eq(Mux(comes, word.last == size - 1, full))
    waits = (held == 0) | ((held < dut.needed) & full & ~dut.input.valid)
    harness.show("it gives something where it can", (dut.given != 0) | (dut.needed == 0) | waits)

    index = harness.constant(range(size), "index")
    marked, byte, ahead = Signal(), Signal(8), Signal(range(4 * size))
    follows, its_byte, its_place = (
        Signal(),
        Signal(8),
        Signal(range(4 * size)),
    )  # with one that comes in this cycle
    marks = comes & harness.free(1, "marks") & (index <= word.last)
    m.d.comb += [
        follows.eq(marked | marks),
        its_byte.eq(Mux(marked, byte, word.data.word_select(index, 8))),
        its_place.eq(Mux(marked, ahead, held + index)),
    ]
    m.d.sync += [marked.eq(follows & (its_place >= goes)), byte.eq(its_byte), ahead.eq(its_place - goes)]
    place = (dut.place + its_place)[: len(dut.place)]
    given = follows & (its_place < dut.given)
    harness.show("each byte in its turn", ~given | (dut.bytes.word_select(place, 8) == its_byte))
    return harness


PROPERTIES = [
    Property(
        "unpacker of half bytes",
        STEADY.format("labels and planes"),
        "SampleUnpacker",
        "L = 4, two heads, any run",
        lambda: _unpacker(4),
        (
            Mutation(
                SampleUnpacker,
                "a plane does not wait",
                "free.eq(~self.planes.valid | self.planes.ready)",
                "free.eq(1)",
            ),
        ),
    ),
    Property(
        "unpacker of bytes",
        STEADY.format("labels and planes"),
        "SampleUnpacker",
        "L = 16, two heads, any run",
        lambda: _unpacker(16),
        (
            Mutation(
                SampleUnpacker,
                "a label does not wait",
                "free.eq(~self.labels.valid | self.labels.ready)",
                "free.eq(1)",
            ),
        ),
    ),
    Property(
        "unpacker of words",
        STEADY.format("labels and planes"),
        "SampleUnpacker",
        "L = 16, words of two bytes, two heads, any run",
        lambda: _unpacker(16, 2),
        (
            Mutation(
                SampleUnpacker,
                "a plane does not wait",
                "room.eq(Mux(in_label, ~held | label_free, free))",
                "room.eq(1)",
            ),
        ),
    ),
    Property(
        "byte funnel",
        "bytes go out in order, each once, all that are wanted or no more than needed, and some wherever they are there",
        "ByteFunnel",
        "words of 4 bytes, up to 4 at a time",
        _funnel,
        (
            Mutation(ByteFunnel, "a word that is not full is joined", "full & word_full &", "full &"),
            Mutation(ByteFunnel, "bytes are given twice", "first.eq(extra),", "first.eq(0),"),
            Mutation(
                ByteFunnel,
                "it waits behind a word that is not full",
                "ends.eq(~full | self.input.valid)",
                "ends.eq(self.input.valid)",
            ),
            Mutation(
                ByteFunnel,
                "it waits for what is wanted",
                "with m.Elif(has_needed):",
                "with m.Elif(has_needed & has_wanted):",
            ),
        ),
    ),
]
