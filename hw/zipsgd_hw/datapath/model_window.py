"""The host's window to the master model."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from zipsgd.protocol.formats import Build
from zipsgd_hw.windows import ReadWriteWindow

__all__ = ["ModelWindow"]


class ModelWindow(wiring.Component):
    """Words of the master model to rows of U words and back, through one shift register.

    A row is shifted in word by word, and stored one cycle after its last word; of a row fetched, the words before the one asked
    for are shifted out.

    Latency: 6 cycles from a request to its word, and one more for each word before it in its row. Throughput: a word written
    in every cycle.

    Parameters
    ----------
    build : Build
        Build parameters.

    Members
    -------
    model_window : In(ReadWriteWindow)
        Words by feature. Written in bursts of whole rows from a multiple of U on; places behind the memory do nothing. Read in
        any order.
    store : Out(1)
        Write ``row`` to ``store_row``.
    row : Out(ArrayLayout(signed(model_bits), U))
        The row to store.
    store_row : Out(range(max_features / U))
        Its index.
    fetch : Out(1)
        Read ``fetch_row``.
    fetch_row : Out(range(max_features / U))
        Index of the row to read.
    fetched : In(ArrayLayout(signed(model_bits), U))
        The row read, two cycles after ``fetch``.
    """

    def __init__(self, build: Build):
        self._build = build
        self._rows = build.max_features // build.update_lanes
        row = data.ArrayLayout(signed(build.model_bits), build.update_lanes)
        super().__init__(
            {
                "model_window": In(ReadWriteWindow),
                "store": Out(1),
                "row": Out(row),
                "store_row": Out(range(self._rows)),
                "fetch": Out(1),
                "fetch_row": Out(range(self._rows)),
                "fetched": In(row),
            }
        )

    def elaborate(self, platform):
        width = self._build.model_bits
        m = Module()
        lane_bits = exact_log2(self._build.update_lanes)
        window = self.model_window
        staging = Signal(len(self.row.as_value()), reset_less=True)
        before = Signal(max(1, lane_bits))
        word_in = window.write.payload
        offset = window.read.payload
        in_range = (word_in.offset >> lane_bits) < self._rows
        m.d.comb += [
            self.row.eq(staging),
            window.write.ready.eq(1),
            window.data.payload.eq(staging[:width].as_signed()),
        ]
        m.d.sync += [
            self.store.eq(window.write.valid & word_in.offset[:lane_bits].all() & in_range),
            self.store_row.eq(word_in.offset[lane_bits:]),
            # The request comes from afar, and the address goes to all of the memory's blocks; nothing fetches at once
            self.fetch_row.eq(offset[lane_bits:]),
        ]
        with m.If(window.write.valid):
            m.d.sync += staging.eq(Cat(staging, word_in.data[:width])[width:])
        with m.FSM():
            with m.State("IDLE"), m.If(window.read.valid):
                m.next = "SETTLE"
            with m.State("SETTLE"):  # a row that came just before is written now
                m.next = "FETCH"
            with m.State("FETCH"):
                m.d.comb += self.fetch.eq(1)
                m.next = "WAIT"
            with m.State("WAIT"):
                m.next = "TAKE"
            with m.State("TAKE"):
                m.d.sync += [staging.eq(self.fetched), before.eq(offset[:lane_bits])]
                m.next = "SHIFT"
            with m.State("SHIFT"):
                with m.If(before == 0):
                    m.next = "SHOW"
                with m.Else():
                    m.d.sync += [staging.eq(staging[width:]), before.eq(before - 1)]
            with m.State("SHOW"):
                m.d.comb += window.data.valid.eq(1)
                with m.If(window.data.ready):
                    m.d.comb += window.read.ready.eq(1)
                    m.next = "IDLE"
        return m
