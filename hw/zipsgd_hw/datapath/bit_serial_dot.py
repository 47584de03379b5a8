"""The bit-serial dot product."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd_hw.memory import Memories, block_ram

from .adder_tree import AdderTree
from .bundles import chunk_shape, plane_flags_layout, q3_signature, scores_signature
from .config import run_layout

__all__ = ["BitSerialDot"]


class BitSerialDot(wiring.Component):
    """z_i = (k + u_i)^T Q3(x), from one plane word a cycle (golden model: :mod:`zipsgd.golden.dot`).

    A plane gates the chunk's words of Q3(x) into an adder tree; Horner's rule weighs the base planes of a chunk; the sums of
    up planes are added to their own z. The component also holds Q3's memory, one word of L entries for each chunk. What is
    written in one cycle is read by words taken in the next.

    Latency: :meth:`latency` cycles from the last word of a sample to its first z. Throughput: a word in every cycle; the
    pipeline never stalls.

    Parameters
    ----------
    build : Build
        Build parameters.
    fast_memory : bool
        Block RAMs are fast enough to be used in the cycle in which their word comes out, see :class:`.GradientUnit`. Saves a
        register for each bit of Q3's word, and a cycle.

    Members
    -------
    run : In(run_layout(build))
        Configuration of the run.
    take : In(1)
        A plane word is taken; ``word``, ``chunk`` and ``flags`` belong to it.
    word : In(L)
        The plane word, a bit for each lane.
    chunk : In(range(max_chunks))
        Index of its chunk in model memory.
    flags : In(plane_flags_layout(build))
        Its place in the sample.
    q3 : In(q3_signature(build))
        Writes of Q3(x); not of a chunk that is being read.
    scores : Out(scores_signature(build))
        The dot products.
    """

    @staticmethod
    def latency(build: Build, *, fast_memory: bool = False, up_planes: int = 2) -> int:
        """Cycles from the take of a sample's last word to its first z: one more without up planes.

        Parameters
        ----------
        build : Build
            Build parameters.
        fast_memory : bool
            As of the component.
        up_planes : int
            Up planes of the run, m; 0 as well for a transcoded run.
        """
        return 4 + (not fast_memory) + AdderTree.latency(build.lanes) + (up_planes == 0)

    @staticmethod
    def memories(build: Build) -> Memories:
        """Block RAMs of the component."""
        return {"q3": (build.lanes * build.q3_bits, build.max_chunks)}

    def __init__(self, build: Build, *, fast_memory: bool = False):
        self._build = build
        self._fast_memory = fast_memory
        super().__init__(
            {
                "run": In(run_layout(build)),
                "take": In(1),
                "word": In(build.lanes),
                "chunk": In(chunk_shape(build)),
                "flags": In(plane_flags_layout(build)),
                "q3": In(q3_signature(build)),
                "scores": Out(scores_signature(build)),
            }
        )

    def elaborate(self, platform):
        build = self._build
        m = Module()
        m.submodules.tree = tree = AdderTree(build.lanes, build.q3_bits)
        row = data.ArrayLayout(signed(build.q3_bits), build.lanes)
        _, depth = self.memories(build)["q3"]
        m.submodules.q3 = q3 = block_ram(row, depth)
        write = q3.write_port(granularity=build.update_lanes)
        read = q3.read_port()
        words = self.q3.words.as_value()
        m.d.comb += [
            write.addr.eq(self.q3.chunk),
            write.data.eq(words.replicate(len(self.q3.write))),
            write.en.eq(self.q3.write),
            read.addr.eq(self.chunk),
            read.en.eq(1),
        ]
        delayed = self._gate(m, tree, read.data)
        horner, ups = self._weigh_planes(m, delayed, tree.total)
        bases, done = self._join_chunks(m, delayed, horner)
        self._emit_scores(m, bases, ups, done)
        return m

    def _gate(self, m: Module, tree: AdderTree, weights):
        """Take, gate and add; returns the flags of the plane whose sum is there, with its ``valid``."""
        build = self._build
        stage = data.StructLayout({"valid": 1, "flags": plane_flags_layout(build)})
        word = Signal(build.lanes, reset_less=True)
        m.d.sync += word.eq(self.word)
        if not self._fast_memory:
            slow_weights = Signal(weights.shape(), reset_less=True)
            following_word = Signal.like(word)
            m.d.sync += [slow_weights.eq(weights), following_word.eq(word)]
            word, weights = following_word, slow_weights
        for lane in range(build.lanes):
            m.d.sync += tree.terms[lane].eq(Mux(word[lane], weights[lane], 0))
        delayed = Signal(stage)
        m.d.sync += [delayed.valid.eq(self.take), delayed.flags.eq(self.flags)]
        for _ in range(1 + (not self._fast_memory) + AdderTree.latency(build.lanes)):
            following = Signal(stage)
            m.d.sync += following.eq(delayed)
            delayed = following
        return delayed

    def _weigh_planes(self, m: Module, delayed, total: Value) -> tuple[Signal, list[Signal]]:
        """The chunk's base part, as below, and the sample's sum of each up plane.

        Horner's rule keeps -1 - x in place of the negated part x. So it takes the first plane's complement and adds the others:
        x becomes 2x - total, and its complement 2 * complement + 1 + total. Sums are chosen, rather than their operands: an
        iCE40 cell adds and chooses, then, in one.
        """
        build = self._build
        flags = delayed.flags
        horner = Signal(signed(build.tree_bits + build.p_max), reset_less=True)
        ups = [Signal(signed(build.z_bits), reset_less=True, name=f"up{i + 1}") for i in range(build.m_max)]
        with m.If(delayed.valid & flags.base):
            m.d.sync += horner.eq(Mux(flags.sign, ~total, ((horner << 1) | 1) + total))
        for i, up in enumerate(ups):
            with m.If(delayed.valid & ~flags.base & (flags.number == i)):
                m.d.sync += up.eq(Mux(flags.first_chunk, total, up + total))
        return horner, ups

    def _join_chunks(self, m: Module, delayed, horner: Signal) -> tuple[list[Signal], Signal]:
        """The sample's base part, one of each value in a transcoded run, and a strobe at the sample's last word.

        Parts are added as complements of negated ones, too: that of a sum is the sum of both, and 1.
        """
        build = self._build
        add_base = Signal()
        first_chunk = Signal()
        second_base = Signal()
        done = Signal()
        bases = [
            Signal(signed(build.z_bits), reset_less=True, name=f"base{i + 1}")
            for i in range(2 if build.level_bits else 1)
        ]
        m.d.sync += [
            add_base.eq(delayed.valid & delayed.flags.last_base),
            first_chunk.eq(delayed.flags.first_chunk),
            second_base.eq(delayed.flags.number != 0),
            done.eq(delayed.valid & delayed.flags.last_word),
        ]
        for i, part in enumerate(bases):
            with m.If(add_base & (second_base == i)):
                m.d.sync += part.eq(Mux(first_chunk, horner, part + horner + 1))
        return bases, done

    def _emit_scores(self, m: Module, bases: list[Signal], ups: list[Signal], done: Signal) -> None:
        """z_1, then z_2 and so on through one adder. Without up planes the last word is the base part's: wait for it."""
        build = self._build
        transcoded = self.run.transcoded if build.level_bits else C(0, 1)
        late = Signal()
        no_up = Signal()
        last_number = Signal(range(build.m_max))
        first = Signal()
        more = Signal()
        following = Signal.like(last_number)
        number = Signal.like(last_number)
        last = Signal()
        base = Signal.like(bases[0])
        scores = self.scores
        m.d.sync += [
            no_up.eq((self.run.up_planes == 0) | transcoded),
            last_number.eq(Mux(self.run.up_planes == 0, 0, self.run.up_planes - 1)),
            late.eq(done),
            more.eq((first | more) & ~last),
            following.eq(number + 1),
            scores.valid.eq(first | more),
            scores.last.eq(last),
            scores.z.eq(Mux(no_up, 0, Array(ups)[number]) + base + 1),
            scores.base_z.eq(base + 1),
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
