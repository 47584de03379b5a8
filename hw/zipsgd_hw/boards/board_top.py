"""The accelerator on a board."""

from amaranth import ClockDomain, Elaboratable, Module
from amaranth.lib import io

from zipsgd_hw.datapath.datapath import Datapath
from zipsgd_hw.top import UartAccelerator

from .board import Board
from .clock_generator import ClockGenerator

__all__ = ["BoardTop"]


class BoardTop(Elaboratable):
    """:class:`.UartAccelerator` on the board's serial pins, in the clock of :class:`.ClockGenerator`.

    Only the two data pins are used: the link's credit makes handshake lines unnecessary.

    Parameters
    ----------
    board : Board
        The board; its platform must have a ``uart`` resource.
    """

    def __init__(self, board: Board):
        self._board = board

    def elaborate(self, platform):
        board = self._board
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.clock = ClockGenerator(board)
        datapath = Datapath(board.build, fast_memory=board.family.fast_memory)
        m.submodules.accelerator = accelerator = UartAccelerator(
            board.build, board.link, datapath, board.store()
        )
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.d.comb += [accelerator.rx.eq(rx.i), tx.o.eq(accelerator.tx)]
        if board.memory is not None:
            board.memory.connect(m, platform, accelerator)
        return m
