"""From numbers of levels to the levels' own planes."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from zipsgd.protocol.formats import Build
from zipsgd_hw.memory import block_ram
from zipsgd_hw.windows import LateWrite

from .config import run_layout

__all__ = ["Transcoder"]


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

    Four cycles lie between the last plane in and the first plane out: taken whole, looked up, waiting in a register for the
    block RAM to be slow, chosen.

    Members
    -------
    run : In(run_layout(build)), as the core sees it.
    wire_base_planes : In(3), p; wire_last_plane : In(3), p + m - 1. Do not matter in a run without levels.
    input : In(stream.Signature(L)); output : Out(stream.Signature(L)).
    write : In(LateWrite), a word of the table. Not while samples are under way.
    """

    def __init__(self, build: Build):
        self._build = build
        super().__init__(
            {
                "run": In(run_layout(build)),
                "wire_base_planes": In(3),
                "wire_last_plane": In(3),
                "input": In(stream.Signature(build.lanes)),
                "output": Out(stream.Signature(build.lanes)),
                "write": In(LateWrite),
            }
        )

    def elaborate(self, platform):
        build = self._build
        lanes, p_max = build.lanes, build.level_p_max
        levels = (1 << p_max) + 1
        m = Module()
        run = self.run

        # Table
        part = min(lanes, 32)
        parts = lanes // part
        plane_bits = bits_for(build.level_bits - 1)
        row = data.ArrayLayout(data.ArrayLayout(unsigned(part), parts), levels)
        m.submodules.table = table = block_ram(
            data.ArrayLayout(unsigned(part), parts * levels), build.max_chunks << plane_bits
        )
        write = table.write_port(granularity=1)
        read = table.read_port()
        place = data.View(
            data.StructLayout(
                {
                    "part": exact_log2(parts),
                    "level": exact_log2(build.level_rows),
                    "row": range(build.max_chunks << plane_bits),
                }
            ),
            self.write.payload.offset[
                : exact_log2(parts)
                + exact_log2(build.level_rows)
                + bits_for((build.max_chunks << plane_bits) - 1)
            ],
        )
        word = place.level * parts + place.part
        m.d.comb += [
            write.addr.eq(place.row),
            Value.cast(write.data).eq(self.write.payload.data[:part].replicate(parts * levels)),
            write.en.eq(Mux(self.write.valid, 1 << word, 0)),
        ]

        # Collect a chunk
        number = Signal(data.ArrayLayout(unsigned(lanes), max(1, p_max)), reset_less=True)
        ups = Signal(data.ArrayLayout(unsigned(lanes), 2), reset_less=True)
        plane = Signal(3)
        whole = Signal()  # a chunk is collected
        takes = Signal()
        moves = Signal()  # and moves on
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
                shifted = Cat(self.input.payload, number)[: number.shape().size]
                m.d.sync += Value.cast(number).eq(Mux(plane == 0, ~self.input.payload, shifted))
            with m.Elif(plane == self.wire_base_planes):
                m.d.sync += ups[0].eq(self.input.payload)
            with m.Else():
                m.d.sync += ups[1].eq(self.input.payload)

        # Send it: a place in the table in one cycle, numbers and row in the next, both in registers, the plane
        flows = Signal()
        held = Signal()
        held_number, held_ups = Signal.like(number, reset_less=True), Signal.like(ups, reset_less=True)
        second = Signal()
        out_plane = Signal(plane_bits)
        last_plane, last = Signal(), Signal()
        chunk = Signal(range(max(2, build.max_chunks)))
        m.d.comb += [
            flows.eq(~self.output.valid | self.output.ready),
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
        index = Signal(data.ArrayLayout(unsigned(p_max + 1), lanes), reset_less=True)
        looked_up, settled = Signal(), Signal()
        chooser = Signal.like(index)
        level_planes = Signal(row, reset_less=True)
        m.d.comb += [read.addr.eq(Cat(out_plane, chunk)), read.en.eq(flows)]
        with m.If(flows):
            m.d.sync += [
                looked_up.eq(held),
                settled.eq(looked_up),
                chooser.eq(index),
                Value.cast(level_planes).eq(Value.cast(read.data)),
            ]
            for lane in range(lanes):
                base = Cat(held_number[bit][lane] for bit in range(p_max))
                m.d.sync += index[lane].eq(base + Mux(second, held_ups[1][lane], held_ups[0][lane]))
        m.d.comb += self.input.ready.eq(Mux(run.transcoded, ~whole | moves, flows))
        m.d.comb += takes.eq(self.input.valid & self.input.ready & run.transcoded)
        with m.If(flows):
            m.d.sync += [
                self.output.valid.eq(Mux(run.transcoded, settled, self.input.valid)),
                self.output.payload.eq(self.input.payload),
            ]
            with m.If(run.transcoded):
                for lane in range(lanes):
                    choice = Array(level_planes[level][lane // part][lane % part] for level in range(levels))
                    m.d.sync += self.output.payload[lane].eq(choice[chooser[lane]])
        return m
