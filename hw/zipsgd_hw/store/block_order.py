"""The blocks of an epoch, in its order."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build

__all__ = ["ORDER", "BlockOrder", "order_layout", "placed"]

ORDER = ("order_first", "order_stride", "order_range", "block_bursts")
"""Registers of the order."""


def placed(build: Build) -> data.StructLayout:
    """A block: the number of its first burst, and whether it is the last block of the set, which may be shorter."""
    return data.StructLayout({"address": build.burst_bits, "last": 1})


def order_layout(build: Build) -> data.StructLayout:
    """The registers of :data:`ORDER`, as wide as the build's store needs; constant while blocks are read."""
    return data.StructLayout(dict.fromkeys(ORDER, build.burst_bits))


class BlockOrder(wiring.Component):
    """Each block of the set once (golden model: :class:`zipsgd.golden.order.Order`).

    It counts in bursts, so that it needs no multiplier.

    Latency: three cycles from ``start`` to the first block. Throughput: a block in three cycles.

    Parameters
    ----------
    build : Build
        Build parameters, with a store.

    Members
    -------
    order : In(order_layout(build))
        First block, stride, range and distance of blocks.
    start : In(1)
        Strobe: begin anew, with the first block.
    stop : In(1)
        Strobe: no more blocks.
    blocks : Out(stream.Signature(placed(build)))
        The blocks. ``start`` and ``stop`` may take back a block that is offered.
    busy : Out(1)
        More blocks will come.
    """

    def __init__(self, build: Build):
        self._bits = build.burst_bits
        super().__init__(
            {
                "order": In(order_layout(build)),
                "start": In(1),
                "stop": In(1),
                "blocks": Out(stream.Signature(placed(build))),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        order, address = self.order, self.blocks.payload.address
        # A sum is kept as its complement, so that it is compared with the range, and reduced by it, in an addition
        negated = Signal(self._bits + 1)
        following = Signal(self._bits)
        end = Signal(self._bits + 1)
        settling = Signal(2)
        reduced = Signal(self._bits + 2)  # carries where the sum is below the range
        m.d.comb += [
            reduced.eq(negated + order.order_range),
            self.blocks.valid.eq(self.busy & (settling == 0)),
        ]
        m.d.sync += [
            negated.eq(~(address + order.order_stride)),
            end.eq(address + order.block_bursts),
            following.eq(~Mux(reduced[-1], negated, reduced)),
            self.blocks.payload.last.eq(end == order.order_range),
        ]
        with m.If(settling != 0):
            m.d.sync += settling.eq(settling - 1)
        with m.If(self.blocks.valid & self.blocks.ready):
            m.d.sync += [address.eq(following), self.busy.eq(following != order.order_first), settling.eq(2)]
        with m.If(self.start):
            m.d.sync += [address.eq(order.order_first), self.busy.eq(1), settling.eq(2)]
        with m.Elif(self.stop):
            m.d.sync += self.busy.eq(0)
        return m
