"""The accelerator on a board."""

from amaranth import ClockDomain, Elaboratable, Module

from zipsgd_hw.datapath.datapath import Datapath

from .board import Board
from .clock_generator import ClockGenerator
from .physical_links import accelerator_on_pins

__all__ = ["BoardTop"]


class BoardTop(Elaboratable):
    """The accelerator on the pins of the board's link, in the clock of :class:`.ClockGenerator`.

    Parameters
    ----------
    board : Board
        The board; its platform must have the link's pins.
    """

    def __init__(self, board: Board):
        self._board = board

    def elaborate(self, platform):
        board = self._board
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.clock = ClockGenerator(board)
        datapath = Datapath(board.build, fast_memory=board.family.fast_memory)
        accelerator = accelerator_on_pins(m, platform, board.build, board.link, datapath, board.store())
        if board.memory is not None:
            board.memory.connect(m, platform, accelerator)
        return m
