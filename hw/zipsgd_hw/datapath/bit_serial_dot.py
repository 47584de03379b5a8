"""The bit-serial dot product."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd_hw.memory import block_ram

from .adder_tree import AdderTree
from .config import run_layout

__all__ = ["BitSerialDot"]


class BitSerialDot(wiring.Component):
    """z_i = (k + u_i)^T Q3(x), from one plane word a cycle (golden model: :mod:`zipsgd.golden.dot`).

    A plane gates the chunk's words of Q3(x) into an adder tree; Horner's rule weighs the base planes of a chunk; the sums of
    up planes are added to their own z. The pipeline never stalls: a word is taken in each cycle in which ``take`` is high.

    The Q3 memory stands here, one word of L entries a chunk. What is written in one cycle is read by words taken in the next.

    Parameters
    ----------
    build : the parameters.
    fast_memory : of :class:`.GradientUnit`; saves registers, and a cycle, here too.

    Attributes
    ----------
    latency : cycles from the take of a sample's last word to its first ``z_valid``; one more with m = 0.

    Members
    -------
    run : In(run_layout(build))
    take : In(1); word : In(L); and the word's position as of :class:`.PlanePosition`.
    q3_write : In(L / U), a bit for each U entries of a chunk; with q3_chunk and q3_words (U signed words).
    z_valid : Out(1); with m > 1 in as many cycles running, z_1 first.
    z_last : Out(1), this is the last z of its sample.
    z : Out(signed(z_bits)), in units of the run's last base plane times Q3's last bit.
    base_z : Out of the same, k^T Q3, with z_1.
    """

    def __init__(self, build: Build, *, fast_memory: bool = False):
        self._build = build
        self._fast_memory = fast_memory
        layout = run_layout(build)
        chunk = layout["last_chunk"].shape
        self._tree = AdderTree(build.lanes, build.q3_bits)
        self.latency = 2 + (not fast_memory) + self._tree.latency + 2
        super().__init__(
            {
                "run": In(layout),
                "take": In(1),
                "word": In(build.lanes),
                "chunk": In(chunk),
                "first_chunk": In(1),
                "sign": In(1),
                "base": In(1),
                "last_base": In(1),
                "number": In(range(build.m_max)),
                "last_word": In(1),
                "q3_write": In(build.lanes // build.update_lanes),
                "q3_chunk": In(chunk),
                "q3_words": In(data.ArrayLayout(signed(build.q3_bits), build.update_lanes)),
                "z_valid": Out(1),
                "z_last": Out(1),
                "z": Out(signed(build.z_bits)),
                "base_z": Out(signed(build.z_bits)),
            }
        )

    def elaborate(self, platform):
        build = self._build
        m = Module()
        m.submodules.tree = tree = self._tree
        row = data.ArrayLayout(signed(build.q3_bits), build.lanes)
        m.submodules.q3 = q3 = block_ram(row, build.max_chunks)
        write = q3.write_port(granularity=build.update_lanes)
        read = q3.read_port()
        m.d.comb += [
            write.addr.eq(self.q3_chunk),
            Value.cast(write.data).eq(Value.cast(self.q3_words).replicate(len(self.q3_write))),
            write.en.eq(self.q3_write),
            read.addr.eq(self.chunk),
            read.en.eq(1),
        ]

        flags = data.StructLayout(
            {
                "valid": 1,
                "first_chunk": 1,
                "sign": 1,
                "base": 1,
                "last_base": 1,
                "number": range(build.m_max),
                "last_word": 1,
            }
        )

        # Take; gate; tree
        word = Signal(build.lanes, reset_less=True)
        weights = read.data
        m.d.sync += word.eq(self.word)
        if not self._fast_memory:
            weights = Signal(row, reset_less=True)
            following_word = Signal.like(word)
            m.d.sync += [weights.eq(read.data), following_word.eq(word)]
            word = following_word
        for lane in range(build.lanes):
            m.d.sync += tree.terms[lane].eq(Mux(word[lane], weights[lane], 0))
        delayed = Signal(flags)
        m.d.sync += [
            delayed.valid.eq(self.take),
            delayed.first_chunk.eq(self.first_chunk),
            delayed.sign.eq(self.sign),
            delayed.base.eq(self.base),
            delayed.last_base.eq(self.last_base),
            delayed.number.eq(self.number),
            delayed.last_word.eq(self.last_word),
        ]
        for _ in range(1 + (not self._fast_memory) + tree.latency):
            following = Signal(flags)
            m.d.sync += following.eq(delayed)
            delayed = following

        # Horner over the base planes of a chunk, negated, so that the first plane is taken as it is and the others are
        # subtracted; up planes straight into their own sums. Sums are chosen, rather than their operands: an iCE40 cell
        # adds and chooses, then, in one.
        horner = Signal(signed(build.tree_bits + build.p_max), reset_less=True)
        up = [Signal(signed(build.z_bits), reset_less=True, name=f"up{i + 1}") for i in range(build.m_max)]
        with m.If(delayed.valid & delayed.base):
            m.d.sync += horner.eq(Mux(delayed.sign, tree.total, (horner << 1) - tree.total))
        for i, total in enumerate(up):
            with m.If(delayed.valid & ~delayed.base & (delayed.number == i)):
                m.d.sync += total.eq(Mux(delayed.first_chunk, tree.total, total + tree.total))

        # A chunk's base part joins the sample's; in a transcoded run, the second value's has a sum of its own
        transcoded = self.run.transcoded if build.level_bits else C(0, 1)
        add_base = Signal()
        first_chunk = Signal()
        second_base = Signal()
        done = Signal()
        bases = [
            Signal(signed(build.z_bits), reset_less=True, name=f"base{i + 1}")
            for i in range(2 if build.level_bits else 1)
        ]
        m.d.sync += [
            add_base.eq(delayed.valid & delayed.last_base),
            first_chunk.eq(delayed.first_chunk),
            second_base.eq(delayed.number != 0),
            done.eq(delayed.valid & delayed.last_word),
        ]
        for i, part in enumerate(bases):
            with m.If(add_base & (second_base == i)):
                m.d.sync += part.eq(Mux(first_chunk, horner, part + horner))

        # z_1, then z_2 and so on through one adder. Without up planes the last word is the base part's: wait for it.
        late = Signal()
        no_up = Signal()
        last_number = Signal(range(build.m_max))
        first = Signal()
        more = Signal()
        following = Signal.like(last_number)
        number = Signal.like(last_number)
        last = Signal()
        base = Signal.like(bases[0])
        m.d.sync += [
            no_up.eq((self.run.up_planes == 0) | transcoded),
            last_number.eq(Mux(self.run.up_planes == 0, 0, self.run.up_planes - 1)),
            late.eq(done),
            more.eq((first | more) & ~last),
            following.eq(number + 1),
            self.z_valid.eq(first | more),
            self.z_last.eq(last),
            self.z.eq(Mux(no_up, 0, Array(up)[number]) - base),
            self.base_z.eq(-base),
        ]
        m.d.comb += [
            first.eq(Mux(no_up, late, done)),
            number.eq(Mux(first, 0, following)),
            last.eq(number == last_number),
            base.eq(bases[0]),
        ]
        if build.m_max > 2:  # the next sample's base may come before this one's last z
            held = Signal.like(base)
            m.d.sync += held.eq(base)
            with m.If(~first):
                m.d.comb += base.eq(held)
        if build.level_bits:
            with m.If(transcoded & (number != 0)):
                m.d.comb += base.eq(bases[1])
        return m
