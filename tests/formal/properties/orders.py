"""Blocks of a store come in the golden order, each once."""

from amaranth.hdl import Array, Cat, Mux, Signal
from checker import Method, Mutation, Property
from harness import Harness, inside, steady
from small import small_build

from zipsgd_hw.store.block_order import BlockOrder

__all__ = ["PROPERTIES"]


def _order() -> Harness:
    """Any set of up to eight blocks. The block at position i must be (first + i * stride) mod blocks, and a marked block comes
    once."""
    dut = BlockOrder(small_build(store_words=64))
    parts = inside(dut)
    harness = Harness()
    m = harness.m
    m.submodules.dut = dut
    harness.drive(dut, but=("order",))
    bits, most = 4, 8
    count, first, stride, marked = (
        harness.constant(bits, name) for name in ("count", "first", "stride", "marked")
    )
    double = harness.constant(1, "double")  # bursts of a block: 1 or 2
    harness.assume("blocks of the store", (count != 0) & (count <= Mux(double, most // 2, most)))
    harness.assume("blocks of the set", (first < count) & (marked < count))
    harness.assume("a stride", Mux(count == 1, stride == 0, stride < count))
    for divisor in (2, 3, 5, 7):
        common = [
            Cat(number == multiple for multiple in range(0, most + 1, divisor)).any()
            for number in (count, stride)
        ]
        harness.assume(f"not both divided by {divisor}", ~(common[0] & common[1]))
    order = dut.order
    m.d.comb += [
        order.order_first.eq(first << double),
        order.order_stride.eq(stride << double),
        order.order_range.eq(count << double),
        order.block_bursts.eq(1 << double),
    ]
    golden = [first]
    for _ in range(most):
        after = Signal(bits + 1)
        m.d.comb += after.eq(golden[-1] + stride)
        golden.append(Mux(after >= count, after - count, after)[:bits])
    given, seen, running = Signal(bits), Signal(), Signal()
    block, following = Signal(bits), Signal(bits)
    m.d.comb += [block.eq(Array(golden)[given]), following.eq(Array([*golden[1:], 0])[given])]
    moves = dut.blocks.valid & dut.blocks.ready
    with m.If(moves):
        m.d.sync += [given.eq(given + 1), seen.eq(seen | (block == marked)), running.eq(given + 1 != count)]
    with m.If(dut.start):
        m.d.sync += [given.eq(0), seen.eq(0), running.eq(1)]
    with m.Elif(dut.stop):
        m.d.sync += running.eq(0)
    offered, address = dut.blocks.valid, dut.blocks.payload.address
    harness.show("a block waits unchanged", steady(harness, dut.blocks, unless=dut.start | dut.stop))
    harness.show("the next block of the order", ~running | (address == block << double))
    harness.show("the last block is marked", ~offered | (dut.blocks.payload.last == (block + 1 == count)))
    harness.show("each block once", ~moves | (block != marked) | ~seen)
    harness.show("as many blocks as there are", Mux(running, given < count, given <= count))
    harness.show("it is busy until all have come", dut.busy == running)
    harness.show("and then every block has come", (given != count) | seen)
    waits = Signal(2)
    m.d.sync += waits.eq(Mux(dut.busy & ~offered & ~dut.start, waits + 1, 0))
    harness.show("a block in three cycles", waits < 3)
    # What makes the proof quick: what has been seen, and what each register holds
    before = Cat((each == marked) & (place < given) for place, each in enumerate(golden)).any()
    harness.lemma("what has been seen", seen == before)
    harness.lemma("settling", (parts.settling + waits) <= 2)
    summed = ~running | (parts.settling > 1)
    harness.lemma("the sum", summed | (~parts.negated == address + order.order_stride))
    harness.lemma("the end", summed | (parts.end == address + order.block_bursts))
    harness.lemma("the next one", ~offered | (parts.following == following << double))
    return harness


PROPERTIES = [
    Property(
        "block order",
        "the block at position i is (first + i * stride) mod blocks; each block comes once, and the set's last one is marked;"
        " an epoch may be stopped or begun anew at any time",
        "BlockOrder",
        "8 bursts, blocks of 1 or 2 bursts, any number of blocks, first block and stride",
        _order,
        (
            Mutation(
                BlockOrder,
                "the range is a place, too",
                "Mux(reduced[-1],",
                "Mux(reduced[-1] | reduced[:-1].all(),",
            ),
            Mutation(
                BlockOrder,
                "a block comes before its sum",
                "settling.eq(2)]\n        with m.If(self.start)",
                "settling.eq(1)]\n        with m.If(self.start)",
            ),
            Mutation(
                BlockOrder,
                "it is over a block early",
                "following != order.order_first",
                "~negated != order.order_first",
            ),
        ),
        method=Method.INDUCTION,
    ),
]
