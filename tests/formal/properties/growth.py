"""The growth: it is the golden model's, its mean over the draws is exact, and every row meets its own mini-batch's number."""

from typing import Any

from amaranth.hdl import Cat, Mux, Signal, Value, signed
from checker import Method, Mutation, Property
from harness import Harness, inside
from small import near_rows, one_run, small_build

from zipsgd.protocol.numbers import SHRINK_SHIFT_MAX
from zipsgd_hw.datapath.growth_step import GrowthStep
from zipsgd_hw.datapath.growth_turns import GrowthTurns
from zipsgd_hw.datapath.update_unit import UpdateUnit

__all__ = ["PROPERTIES"]


def _later(harness: Harness, value: Value, cycles: int) -> Value:
    for _ in range(cycles):
        value = harness.past(value)
    return value


def _masked_step(*, fast_memory: bool = False) -> tuple[Harness, Any, Value]:
    """A step with any constant shift, its free inputs, and its mask."""
    build = small_build(diagonal=1)
    dut: Any = GrowthStep(build, fast_memory=fast_memory)
    harness = Harness()
    harness.m.submodules.dut = dut
    harness.drive(dut, but=("run", "mask", "bits", "x", "stepped", "in_turn"))
    shift = harness.constant(4, "shift")
    mask = ((1 << shift) - 1)[:SHRINK_SHIFT_MAX]
    harness.m.d.comb += [dut.run.growth_shift.eq(shift), dut.mask.eq(mask)]
    harness.assume("a shift", shift != 0)
    return harness, dut, mask


def _growth(*, fast_memory: bool = False) -> Harness:
    """Of any value, its step as large as can be: compared with integers."""
    harness, dut, mask = _masked_step(fast_memory=fast_memory)
    cycles = 1 if fast_memory else 2  # to the sum, from the cycle behind x
    build = small_build(diagonal=1)
    bits, x = harness.free(SHRINK_SHIFT_MAX, "bits"), harness.free(dut.x.shape(), "x")
    taken, in_turn = harness.free(signed(build.model_bits), "taken"), harness.free(1, "in_turn")
    most = 1 << (build.gradient_bits - 1 + build.gradient_shift)
    before = harness.past(x)
    harness.m.d.comb += [
        dut.bits.eq(bits),
        dut.x.eq(x),
        dut.stepped.eq(_later(harness, before - taken, cycles - 1)),
        dut.in_turn.eq(in_turn),
    ]
    harness.assume("a step of Q4", (taken >= -most) & (taken < most))
    # One cycle after x
    floor = before >> dut.run.growth_shift
    noise = _later(harness, bits & mask, 2)
    exact = (before + noise) >> dut.run.growth_shift
    whole = (before & mask) == 0
    stepped = before - taken

    def shows(what: str, share: Value) -> None:
        total = _later(harness, stepped + Mux(in_turn, share, 0), cycles)
        harness.show(what, ~_later(harness, harness.started, 4) | (dut.y == total))

    shows("the golden model's sum, which does not overflow", exact)
    up = _later(harness, stepped + floor, cycles)
    grows = _later(harness, in_turn, cycles) & _later(harness, harness.started, 4)
    harness.show("a neighbour", ~grows | (dut.y == up) | (dut.y == up + 1))
    harness.show("what is exact stays", ~(grows & _later(harness, whole, cycles)) | (dut.y == up))
    return harness


_DRAWS = 3
"""Largest shift of the sum over all draws, which are 2^3 then."""


def _mean() -> Harness:
    """The sum over all draws is that of the exact share, for any value."""
    harness, dut, _ = _masked_step()
    m = harness.m
    x = harness.constant(dut.x.shape(), "x")
    harness.assume("few draws", dut.run.growth_shift <= _DRAWS)
    count = Signal(5)
    total = Signal(signed(len(x) + _DRAWS))
    m.d.sync += count.eq(count + 1)
    m.d.comb += [dut.bits.eq(count), dut.x.eq(x), dut.in_turn.eq(1)]
    begin = 1 + 2 + GrowthStep.latency  # bits, x, stepped
    with m.If((count >= begin) & (count < begin + (1 << _DRAWS))):
        m.d.sync += total.eq(total + dut.y)
    exact = x << (_DRAWS - dut.run.growth_shift)[:2]
    harness.show("the mean over all draws is exact", (count != begin + (1 << _DRAWS)) | (total == exact))
    return harness


def _number() -> Harness:
    """Mini-batches as near to each other as the component allows."""
    build = small_build(diagonal=1)
    dut: Any = GrowthTurns(build)
    parts = inside(dut)
    harness = Harness()
    m = harness.m
    m.submodules.dut = dut
    harness.drive(dut, but=("run",))
    run = dut.run
    size = harness.constant(len(run.growth_range), "size")
    stride = harness.constant(len(run.growth_stride), "stride")
    start = harness.constant(len(run.growth_start), "start")
    m.d.comb += [run.growth_range.eq(size), run.growth_stride.eq(stride), run.growth_start.eq(start)]
    harness.assume("stride and start within the range", (stride < size) & (start < size))
    settled, wait = Signal(), Signal(2)
    with m.If(dut.restart | dut.next):
        m.d.sync += wait.eq(Mux(dut.next, 2, 1))
    with m.Elif(wait != 0):
        m.d.sync += wait.eq(wait - 1)
    with m.If(dut.restart):
        m.d.sync += settled.eq(1)
    harness.assume("an epoch begins first", settled | ~dut.next)
    harness.assume("mini-batches three cycles apart", (wait == 0) | ~dut.next)
    harness.assume("restarts by themselves", ~dut.restart | ~(dut.next | harness.past(dut.next)))
    number, before = parts.number, harness.past(parts.number)
    advanced = before + stride
    wanted = Mux(advanced >= size, advanced - size, advanced)
    moved = _later(harness, dut.next, 2)
    began = harness.past(dut.restart)
    harness.show("below the range", ~settled | (number < size))
    harness.show("the start", ~began | (number == start))
    harness.show("the next one", ~moved | (number == wanted))
    harness.show("none without a mini-batch", ~settled | began | moved | (number == before))
    return harness


def _own_number(*, update_lanes: int, chunks: int) -> Harness:
    """Rows of two heads; consecutive mini-batches have different numbers."""
    build = small_build(update_lanes=update_lanes, heads=2, diagonal=1, hinge=1)
    dut: Any = UpdateUnit(build)
    parts = inside(dut)
    turns: Any = parts.turns
    within = inside(turns)
    harness = Harness()
    m = harness.m
    m.submodules.dut = dut
    harness.drive(dut, but=("run",))
    one_run(harness, build, dut.run, chunks=chunks, bits=1, ups=1, heads=2)
    run, address = dut.run, parts.address
    m.d.comb += [run.growth_range.eq(5), run.growth_stride.eq(2), run.growth_start.eq(3)]
    m.d.comb += run.growth_shift.eq(3)
    ends = near_rows(harness, build, dut, parts)
    harness.assume(
        "mini-batches three cycles apart", ~ends | ~(harness.past(ends) | _later(harness, ends, 2))
    )
    ends_head = (dut.gradient.chunk == run.last_chunk) | (dut.gradient.chunk == run.final_chunk)
    harness.assume("ends of heads", ~dut.gradient.ends | (dut.gradient.last_chunk == ends_head))
    harness.assume("a load first", harness.started | dut.load)

    number = Signal(3)
    with m.If(dut.load):
        m.d.sync += number.eq(3)
    with m.Elif(ends):
        m.d.sync += number.eq(Mux(number >= 3, number - 3, number + 2))
    active = Signal()
    with m.If(dut.gradient.ends):
        m.d.sync += active.eq(dut.gradient.active)
    of_head = Mux(address.chunk > run.last_chunk, address.chunk - run.last_chunk - 1, address.chunk)
    trains = address.valid & ~address.zero
    compares = _later(harness, trains, 2)
    harness.show(
        "variances of its place in its head", ~address.valid | (turns.row == Cat(address.step, of_head))
    )
    harness.show("only while its head is active", ~harness.past(trains) | (turns.grows == active))
    harness.show("loads grow nothing", ~harness.past(address.valid & address.zero) | ~turns.grows)
    harness.show(
        "the number of its own mini-batch", ~compares | (within.number == _later(harness, number, 2))
    )
    return harness


PROPERTIES = [
    Property(
        "growth",
        "a value of any size grows by the golden model's share, to a neighbour of the exact sum, without an overflow",
        "GrowthStep",
        "model of 12 bits, any shift, any draw",
        _growth,
        (
            Mutation(
                GrowthStep, "a one too much", "carry.eq(self.in_turn & carries)", "carry.eq(self.in_turn)"
            ),
            Mutation(
                GrowthStep,
                "a share is too narrow",
                "signed(self._build.model_bits - 1)",
                "signed(self._build.model_bits - 2)",
            ),
            Mutation(
                GrowthStep,
                "ones above the dropped bits are missing",
                "dropped.eq(self.x | ~self.mask)",
                "dropped.eq(self.x & self.mask)",
            ),
        ),
        method=Method.BMC,
        depth=8,
        mutant_depth=8,
    ),
    Property(
        "growth, fast memory",
        "a value of any size grows by the golden model's share, to a neighbour of the exact sum, without an overflow",
        "GrowthStep",
        "fast memory, model of 12 bits, any shift, any draw",
        lambda: _growth(fast_memory=True),
        (
            Mutation(GrowthStep, "the carry is missing", "carry.eq(carries)", "carry.eq(0)"),
            Mutation(
                GrowthStep,
                "all grow",
                "Mux(self.in_turn, self._sum(share, carry), self.stepped)",
                "self._sum(share, carry)",
            ),
        ),
        method=Method.BMC,
        depth=8,
        mutant_depth=8,
    ),
    Property(
        "mean of the growth",
        "over all draws, the mean of what is added is exact",
        "GrowthStep",
        "model of 12 bits, shifts of 1 to 3, any value",
        _mean,
        (
            Mutation(
                GrowthStep,
                "a random bit too few",
                "noise.eq(self.bits & self.mask)",
                "noise.eq(self.bits & (self.mask >> 1))",
            ),
        ),
        method=Method.BMC,
        depth=14,
        mutant_depth=14,
    ),
    Property(
        "numbers of turns",
        "the number starts as told, takes one step modulo its range after each mini-batch, and stays below the range",
        "GrowthTurns",
        "any range, stride and start, mini-batches as near as they may be",
        _number,
        (
            Mutation(
                GrowthTurns,
                "the range is a number, too",
                "negated + self.run.growth_range",
                "negated + self.run.growth_range + 1",
            ),
            Mutation(
                GrowthTurns,
                "a sum has too few bits",
                "negated = Signal(RANGE_BITS + 1)",
                "negated = Signal(RANGE_BITS)",
            ),
        ),
        method=Method.BMC,
        depth=9,
        mutant_depth=9,
    ),
    *(
        Property(
            f"turns, {'fast' if update_lanes == 4 else 'slow'} update",
            "every row meets the number of its own mini-batch, the variances of its place in its head, and its head's activity",
            "UpdateUnit",
            f"two heads, L = 4, U = {update_lanes}, {chunks} chunk{'s' * (chunks > 1)} each, rows as near as they come",
            lambda update_lanes=update_lanes, chunks=chunks: _own_number(
                update_lanes=update_lanes, chunks=chunks
            ),
            (
                Mutation(
                    UpdateUnit,
                    "the number changes a cycle late",
                    "turns.next.eq(self._ends_batch(row, final_chunk))",
                    "turns.next.eq(later(m, self._ends_batch(row, final_chunk), 1))",
                ),
                Mutation(
                    UpdateUnit,
                    "the second head's variances stand behind the first one's",
                    "Mux(address.last_chunk, 0, chunk + 1)",
                    "Mux(address.chunk == final_chunk, 0, chunk + 1)",
                ),
            ),
        )
        for update_lanes, chunks in ((4, 1), (2, 2))
    ),
]
