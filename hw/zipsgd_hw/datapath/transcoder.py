"""From numbers of levels to the levels' own planes."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import ReadPort
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from zipsgd.protocol.formats import Build
from zipsgd_hw.memory import Memories, block_ram
from zipsgd_hw.windows import WriteWindow

from .config import run_layout

__all__ = ["Transcoder"]

_PART = 32
"""Most lanes that one word of the table's window carries."""


class Transcoder(wiring.Component):
    """Looks each value's level up, and sends the level's own planes (golden model: :mod:`zipsgd.golden.levels`).

    A chunk comes as p base planes, which number level k, and m up planes. It goes on as planes of value_bits bits of the
    level k + u_1, most significant first, and then of k + u_2. The next chunk's planes are taken meanwhile. In a run without
    levels (value_bits = 0) planes pass as they come.

    ::

        planes ─► k, u_1, u_2 ─► k + u_i ─┐
                  table[chunk][plane] ────┴─► choose ─► planes

    The table has a row for each plane of each chunk: that plane of the lanes' level 0, of their level 1 and so on up to
    2^level_p_max. A word of its window carries 32 lanes of one of these, or all lanes if there are fewer; its place is,
    from the low end, the part of the lanes, the level, the plane and the chunk, each in a field of whole bits.

    Latency: four cycles from a chunk's last plane to its first plane out (collected, looked up, held in a register because
    the block RAM is slow, chosen); in a run without levels one cycle. Throughput: a plane in every cycle.

    Parameters
    ----------
    build : Build
        Build parameters, with a transcoder.

    Members
    -------
    run : In(run_layout(build))
        Configuration of the run, as the core sees it.
    wire_base_planes : In(3), wire_last_plane : In(3)
        p, and p + m - 1, of the planes that come; they do not matter in a run without levels.
    input : In(stream.Signature(L)), output : Out(stream.Signature(L))
        Plane words.
    level_window : In(WriteWindow)
        The table; not while samples are under way.
    """

    @staticmethod
    def memories(build: Build) -> Memories:
        """Block RAMs of the component."""
        levels = (1 << build.level_p_max) + 1
        return {"levels": (build.lanes * levels, build.max_chunks << bits_for(build.level_bits - 1))}

    def __init__(self, build: Build):
        self._build = build
        self._levels = (1 << build.level_p_max) + 1
        self._part = min(build.lanes, _PART)
        self._parts = build.lanes // self._part
        super().__init__(
            {
                "run": In(run_layout(build)),
                "wire_base_planes": In(3),
                "wire_last_plane": In(3),
                "input": In(stream.Signature(build.lanes)),
                "output": Out(stream.Signature(build.lanes)),
                "level_window": In(WriteWindow),
            }
        )

    def elaborate(self, platform):
        m = Module()
        moves = Signal()  # a collected chunk goes on
        flows = Signal()
        m.d.comb += flows.eq(~self.output.valid | self.output.ready)
        whole, number, ups = self._collect_chunk(m, flows, moves)
        self._send_chunk(m, flows, whole, moves, number, ups)
        return m

    def _make_table(self, m: Module) -> ReadPort:
        """The table, written through its window; returns its read port."""
        build = self._build
        _, depth = self.memories(build)["levels"]
        words = self._parts * self._levels
        m.submodules.table = table = block_ram(data.ArrayLayout(unsigned(self._part), words), depth)
        write = table.write_port(granularity=1)
        layout = data.StructLayout(
            {"part": exact_log2(self._parts), "level": exact_log2(build.level_rows), "row": range(depth)}
        )
        window = self.level_window
        place = data.View(layout, window.payload.offset[: layout.size])
        word = place.level * self._parts + place.part
        m.d.comb += [
            write.addr.eq(place.row),
            write.data.eq(window.payload.data[: self._part].replicate(words)),
            write.en.eq(Mux(window.valid, 1 << word, 0)),
        ]
        return table.read_port()

    def _collect_chunk(self, m: Module, flows: Signal, moves: Signal) -> tuple[Signal, Signal, Signal]:
        """Take a chunk's planes; returns whether it is whole, its levels' numbers by bit, and its up planes."""
        build, lanes = self._build, self._build.lanes
        transcoded = self.run.transcoded
        word = self.input.payload
        number = Signal(data.ArrayLayout(unsigned(lanes), max(1, build.level_p_max)), reset_less=True)
        ups = Signal(data.ArrayLayout(unsigned(lanes), 2), reset_less=True)
        plane = Signal(3)
        whole = Signal()
        takes = Signal()
        m.d.comb += [
            self.input.ready.eq(Mux(transcoded, ~whole | moves, flows)),
            takes.eq(self.input.valid & self.input.ready & transcoded),
        ]
        with m.If(moves):
            m.d.sync += whole.eq(0)
        with m.If(takes):
            m.d.sync += plane.eq(plane + 1)
            with m.If(plane == self.wire_last_plane):
                m.d.sync += [plane.eq(0), whole.eq(1)]
            with m.If(plane == 0):
                m.d.sync += [number.eq(0), ups.eq(0)]
            with m.If(plane < self.wire_base_planes):
                # A base is a two's complement number; its level is counted from the lowest one.
                shifted = Cat(word, number)[: number.shape().size]
                m.d.sync += number.eq(Mux(plane == 0, ~word, shifted))
            with m.Elif(plane == self.wire_base_planes):
                m.d.sync += ups[0].eq(word)
            with m.Else():
                m.d.sync += ups[1].eq(word)
        return whole, number, ups

    def _send_chunk(self, m: Module, flows: Signal, whole: Signal, moves: Signal, number, ups) -> None:
        """A place in the table in one cycle, numbers and row in the next, both in registers, the plane."""
        build, lanes, run = self._build, self._build.lanes, self.run
        held = Signal()
        held_number, held_ups = Signal.like(number, reset_less=True), Signal.like(ups, reset_less=True)
        second = Signal()
        out_plane = Signal(bits_for(build.level_bits - 1))
        last_plane, last = Signal(), Signal()
        chunk = Signal(range(max(2, build.max_chunks)))
        m.d.comb += [
            last_plane.eq(out_plane == run.last_base),
            last.eq(last_plane & (second | (run.up_planes != 2))),
            moves.eq(run.transcoded & whole & (~held | (flows & last))),
        ]
        with m.If(moves):
            m.d.sync += [held.eq(1), held_number.eq(number), held_ups.eq(ups)]
        with m.Elif(flows & last):
            m.d.sync += held.eq(0)
        with m.If(held & flows):
            m.d.sync += out_plane.eq(out_plane + 1)
            with m.If(last_plane):
                m.d.sync += [out_plane.eq(0), second.eq(~last)]
            with m.If(last):
                m.d.sync += chunk.eq(Mux(chunk == run.last_chunk, 0, chunk + 1))

        read = self._make_table(m)
        index = Signal(data.ArrayLayout(unsigned(build.level_p_max + 1), lanes), reset_less=True)
        looked_up, settled = Signal(), Signal()
        chooser = Signal.like(index)
        row = data.ArrayLayout(data.ArrayLayout(unsigned(self._part), self._parts), self._levels)
        level_planes = Signal(row, reset_less=True)
        m.d.comb += [read.addr.eq(Cat(out_plane, chunk)), read.en.eq(flows)]
        with m.If(flows):
            m.d.sync += [
                looked_up.eq(held),
                settled.eq(looked_up),
                chooser.eq(index),
                level_planes.eq(read.data),
                self.output.valid.eq(Mux(run.transcoded, settled, self.input.valid)),
                self.output.payload.eq(self.input.payload),
            ]
            for lane in range(lanes):
                base = Cat(held_number[bit][lane] for bit in range(build.level_p_max))
                m.d.sync += index[lane].eq(base + Mux(second, held_ups[1][lane], held_ups[0][lane]))
            with m.If(run.transcoded):
                for lane in range(lanes):
                    part, place = divmod(lane, self._part)
                    choice = Array(level_planes[level][part][place] for level in range(self._levels))
                    m.d.sync += self.output.payload[lane].eq(choice[chooser[lane]])
