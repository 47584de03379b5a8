"""Sums equal those of unbounded integers: no width is too small for any run."""

from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value, signed
from checker import Method, Mutation, Property
from harness import Harness, inside
from small import one_run, small_build

from zipsgd_hw.datapath.bit_serial_dot import BitSerialDot
from zipsgd_hw.datapath.gradient_unit import GradientUnit
from zipsgd_hw.datapath.position import PlanePosition

__all__ = ["PROPERTIES"]


class _Place:
    """Plane and chunk of the current word, counted independently of the gateware."""

    def __init__(self, m: Module, run: Any, take: Value):
        self.plane, self.chunk = Signal(4), Signal(4)
        self.last_plane = self.plane == run.last_plane
        self.last_chunk = self.chunk == run.last_chunk
        self.opens = (self.plane == 0) & (self.chunk == 0)
        with m.If(take):
            m.d.sync += self.plane.eq(Mux(self.last_plane, 0, self.plane + 1))
            with m.If(self.last_plane):
                m.d.sync += self.chunk.eq(Mux(self.last_chunk, 0, self.chunk + 1))


def _later(harness: Harness, value: Value, cycles: int) -> Value:
    for _ in range(cycles):
        value = harness.past(value)
    return value


def _gradient(*, chunks: int, bits: int, ups: int, fast_memory: bool = False) -> Harness:
    """The gradient of one lane and of any one chunk, compared with integers."""
    build = small_build(max_features=8, max_batch=2, replay_words=8, delta_bits=3)
    dut: Any = GradientUnit(build, fast_memory=fast_memory)
    parts = inside(dut)
    harness = Harness()
    m = harness.m
    m.submodules.dut = dut
    harness.drive(dut, but=("run",))
    run = dut.run
    one_run(harness, build, run, chunks=chunks, bits=bits, ups=ups)
    deltas, sample = dut.sample.payload.deltas, dut.sample.payload
    least = Const(-(1 << build.delta_bits - 1), signed(build.delta_bits))
    harness.assume("deltas are saturated symmetrically", (deltas[0] != least) & (deltas[1] != least))
    harness.assume("both alike with fewer than two", (run.up_planes == 2) | (deltas[0] == deltas[1]))
    accepts = dut.sample.valid & dut.sample.ready
    in_batch = Signal(range(build.max_batch + 1))
    with m.If(accepts):
        m.d.sync += in_batch.eq(Mux(sample.marks.last_of_batch, 0, in_batch + 1))
    harness.assume("mini-batches begin", ~accepts | (sample.marks.first_of_batch == (in_batch == 0)))
    harness.assume("and end", ~accepts | (sample.marks.last_of_batch | (in_batch + 1 < build.max_batch)))

    # Of the accepted sample, and of the sample whose words are being taken.
    def register() -> tuple[Signal, Signal, Signal, Signal]:
        shape = signed(build.delta_bits)
        return Signal(shape), Signal(shape), Signal(), Signal()

    accepted, at_hand = register(), register()
    place = _Place(m, run, parts.take)
    of_sample = (deltas[0], deltas[1], sample.marks.first_of_batch, sample.marks.last_of_batch)
    delta1, delta2, first, last = (
        Mux(place.opens, new, old) for new, old in zip(accepted, at_hand, strict=True)
    )
    delta1, delta2 = delta1.as_signed(), delta2.as_signed()
    with m.If(accepts):
        m.d.sync += [register.eq(value) for register, value in zip(accepted, of_sample, strict=True)]
    with m.If(parts.take):
        m.d.sync += [
            register.eq(value) for register, value in zip(at_hand, (delta1, delta2, first, last), strict=True)
        ]

    wide = signed(build.accumulator_bits + 4)
    weight, total, fresh = Signal(wide), Signal(wide), Signal(wide)
    base = Mux(run.symmetric, delta1 + delta2, delta2 << 1)
    up = Mux(
        place.plane == run.last_base + 1,
        Mux(run.symmetric, delta2, delta2 << 1),
        Mux(run.symmetric, delta1, 0),
    )
    to_last = (run.last_base - place.plane)[:3]
    with m.If(place.plane == 0):
        m.d.comb += weight.eq(-(base << to_last << run.shift))
    with m.Elif(place.plane <= run.last_base):
        m.d.comb += weight.eq(base << to_last << run.shift)
    with m.Else():
        m.d.comb += weight.eq(up << run.shift)
    chunk = harness.constant(1, "chunk")
    here = parts.take & (place.chunk == chunk)
    m.d.comb += fresh.eq(Mux(first & (place.plane == 0), 0, total) + Mux(dut.word[0], weight, 0))
    with m.If(here):
        m.d.sync += total.eq(fresh)
    harness.show(
        "when a chunk ends",
        dut.gradient.ends & (dut.gradient.chunk == chunk)
        == _later(harness, here & place.last_plane & last, 2),
    )
    harness.show(
        "its gradient is there",
        ~harness.past(dut.gradient.ends & (dut.gradient.chunk == chunk))
        | (dut.gradient.accumulators[0] == _later(harness, total, 2)),
    )
    return harness


def _dot(*, chunks: int, bits: int, ups: int, fast_memory: bool = False) -> Harness:
    """The dot product z for any Q3, compared with integers."""
    build = small_build(max_features=4 * chunks, p_max=bits, q3_bits=3, replay_words=8)
    dut: Any = BitSerialDot(build, fast_memory=fast_memory)
    latency = BitSerialDot.latency(build, fast_memory=fast_memory)
    parts = inside(dut)
    position: Any = PlanePosition(build)
    harness = Harness()
    m = harness.m
    m.submodules += [dut, position]
    run = dut.run
    one_run(harness, build, run, chunks=chunks, bits=bits, ups=ups)
    take, word = harness.free(1, "take"), harness.free(build.lanes, "word")
    harness.assume("the run is set before", ~take | harness.started)
    harness.cut(parts.q3)
    rows = [harness.constant(build.lanes * build.q3_bits, f"row{i}") for i in range(build.max_chunks)]
    address = Signal.like(parts.read.addr)
    m.d.sync += address.eq(parts.read.addr)
    m.d.comb += [
        Value.cast(parts.read.data).eq(Array(rows)[address]),
        position.run.eq(run),
        position.advance.eq(take),
        dut.take.eq(take),
        dut.word.eq(word),
        dut.chunk.eq(position.chunk),
        dut.flags.eq(position.flags),
    ]
    place = _Place(m, run, take)
    row = Array(rows)[place.chunk[0]]
    partial: Value = Const(0)
    for lane in range(build.lanes):
        partial = partial + Mux(word[lane], row.word_select(lane, build.q3_bits).as_signed(), 0)
    wide = signed(build.z_bits + 4)
    weighed = Signal(wide)
    with m.If(place.plane == 0):
        m.d.comb += weighed.eq(-(partial << run.last_base[:2]))
    with m.Else():
        m.d.comb += weighed.eq(partial << (run.last_base - place.plane)[:2])
    is_base = place.plane <= run.last_base
    z = [Signal(wide, name=f"z{i}") for i in range(2)]
    for i in range(2):
        joins = Mux(is_base, weighed, Mux(place.plane == run.last_base + 1 + i, partial, 0))
        with m.If(take):
            m.d.sync += z[i].eq(Mux(place.opens, 0, z[i]) + joins)
    ends = take & place.last_plane & place.last_chunk
    no_up = run.up_planes == 0
    first = Mux(no_up, _later(harness, ends, latency + 1), _later(harness, ends, latency))
    z1 = Mux(no_up, _later(harness, z[0], latency), _later(harness, z[0], latency - 1))
    second = harness.past(first) & (run.up_planes == 2)
    harness.show("when z is there", dut.scores.valid == (first | second))
    harness.show("z_1", ~first | (dut.scores.z == z1.as_signed()))
    harness.show("z_2", ~second | (dut.scores.z == _later(harness, z[1], latency)))
    return harness


_OTHERS = Mutation(
    GradientUnit,
    "each up plane gates its own delta",
    "up[0].eq(Mux(self.run.symmetric, delta2, delta2 << 1))",
    "up[0].eq(Mux(self.run.symmetric, delta1, delta2 << 1))",
)
_NARROW_SUMS = Mutation(
    GradientUnit,
    "a chunk's sums are too narrow",
    "signed(build.delta_bits + 1 + build.p_max)",
    "signed(build.delta_bits - 1 + build.p_max)",
)
_NARROW_HORNER = Mutation(
    BitSerialDot,
    "Horner's sum is too narrow",
    "signed(build.tree_bits + build.p_max)",
    "signed(build.tree_bits + build.p_max - 2)",
)

PROPERTIES = [
    Property(
        "gradient, one chunk",
        "a mini-batch's gradient equals that of unbounded integers",
        "GradientUnit",
        "delta of 3 bits, p = 2, m = 2, 1 chunk, mini-batches of 1 and 2",
        lambda: _gradient(chunks=1, bits=2, ups=2),
        (_OTHERS, _NARROW_SUMS),
        method=Method.BMC,
        depth=14,
        mutant_depth=14,
    ),
    Property(
        "gradient",
        "a mini-batch's gradient equals that of unbounded integers",
        "GradientUnit",
        "delta of 3 bits, p = 2, m = 2, 2 chunks, mini-batches of 1 and 2",
        lambda: _gradient(chunks=2, bits=2, ups=2),
        (_OTHERS, _NARROW_SUMS),
        method=Method.BMC,
        depth=22,
        mutant_depth=22,
        slow=True,
    ),
    Property(
        "gradient, one sample a value",
        "a mini-batch's gradient equals that of unbounded integers",
        "GradientUnit",
        "delta of 3 bits, p = 1, m = 1, 2 chunks, mini-batches of 1 and 2",
        lambda: _gradient(chunks=2, bits=1, ups=1),
        (
            Mutation(
                GradientUnit,
                "an up plane counts half",
                "up[0].eq(Mux(self.run.symmetric, delta2, delta2 << 1))",
                "up[0].eq(delta2)",
            ),
        ),
        method=Method.BMC,
        depth=18,
        mutant_depth=18,
    ),
    Property(
        "gradient, fast memory",
        "a mini-batch's gradient equals that of unbounded integers",
        "GradientUnit",
        "fast memory, delta of 3 bits, p = 1, m = 0, 1 chunk, mini-batches of 1 and 2",
        lambda: _gradient(chunks=1, bits=1, ups=0, fast_memory=True),
        (
            Mutation(
                GradientUnit,
                "a chunk ends before the memory has what the sample before it left",
                "turn = self.spacing(fast_memory=self._fast_memory)",
                "turn = self.spacing(fast_memory=self._fast_memory) - self._fast_memory",
            ),
        ),
        method=Method.BMC,
        depth=18,
        mutant_depth=18,
    ),
    Property(
        "dot product",
        "each z equals that of unbounded integers, for any Q3",
        "BitSerialDot",
        "L = 4, Q3 of 3 bits, p = 2, m = 2, 1 chunk",
        lambda: _dot(chunks=1, bits=2, ups=2),
        (_NARROW_HORNER,),
        method=Method.BMC,
        depth=13,
        mutant_depth=13,
        slow=True,
    ),
    Property(
        "dot product, two chunks",
        "each z equals that of unbounded integers, for any Q3",
        "BitSerialDot",
        "L = 4, Q3 of 3 bits, p = 1, m = 1, 2 chunks",
        lambda: _dot(chunks=2, bits=1, ups=1),
        (
            Mutation(
                BitSerialDot,
                "a chunk's up plane does not join the one before it",
                "Mux(flags.first_chunk, total, up + total)",
                "total",
            ),
        ),
        method=Method.BMC,
        depth=13,
        mutant_depth=13,
    ),
    Property(
        "dot product, fast memory",
        "each z equals that of unbounded integers, for any Q3",
        "BitSerialDot",
        "fast memory, L = 4, Q3 of 3 bits, p = 1, m = 1, 2 chunks",
        lambda: _dot(chunks=2, bits=1, ups=1, fast_memory=True),
        (
            Mutation(
                BitSerialDot,
                "words meet the weights of a slow memory",
                "range(1 + (not self._fast_memory) + AdderTree.latency(build.lanes))",
                "range(2 + AdderTree.latency(build.lanes))",
            ),
        ),
        method=Method.BMC,
        depth=12,
        mutant_depth=12,
    ),
    Property(
        "dot product, no up planes",
        "each z equals that of unbounded integers, for any Q3",
        "BitSerialDot",
        "L = 4, Q3 of 3 bits, p = 1, m = 0, 2 chunks",
        lambda: _dot(chunks=2, bits=1, ups=0),
        (Mutation(BitSerialDot, "z comes a cycle early", "Mux(no_up, late, done)", "done"),),
        method=Method.BMC,
        depth=16,
        mutant_depth=16,
    ),
]
