"""The virtual board with the real driver, for benches."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from zipsgd.backends.device import DeviceBackend
from zipsgd.driver import Device
from zipsgd.extras import extra
from zipsgd.protocol.formats import Build
from zipsgd_hw.link.physical import Uart

if TYPE_CHECKING:
    from zipsgd_sim.board import VirtualBoard

__all__ = ["simulated"]


@contextmanager
def simulated(
    build: Build,
    *,
    uart: Uart | None = None,
    fast_memory: bool = False,
    sdram: str | None = None,
    baud: int = 0,
    stall_seed: int = 0,
    optimise: int = 3,
    note: Callable[[str], None] = lambda message: None,
) -> Iterator[tuple["VirtualBoard", DeviceBackend]]:
    """A virtual board and the backend that drives it, as a context; see :class:`zipsgd_sim.board.VirtualBoard`.

    Parameters
    ----------
    build : Build
        The build.
    uart : bool
        Simulate the UART's pins.
    fast_memory : bool
        As for :class:`zipsgd_hw.datapath.datapath.Datapath`.
    sdram : str or None
        Name of a chip of SDRAM that is the build's store; None for a store in block RAM.
    baud : int
        Baud rate of the line; 0 for no limit.
    stall_seed : int
        Seed of random stalls on the byte streams; 0 for none.
    optimise : int
        Optimisation level of the compiled simulation.
    note : Callable[[str], None]
        Called with a message before a board is compiled.

    Yields
    ------
    board : VirtualBoard
        The virtual board.
    device : DeviceBackend
        The backend that drives it.

    Raises
    ------
    ModuleNotFoundError
        The simulator is not installed. The message says how to install it.
    """
    with extra("sim", "this bench"):
        from zipsgd_sim.board import VirtualBoard
    with ExitStack() as resources:
        board = resources.enter_context(
            VirtualBoard(
                build,
                uart=uart,
                fast_memory=fast_memory,
                sdram=sdram,
                baud=baud,
                stall_seed=stall_seed,
                optimise=optimise,
                progress=note,
            )
        )
        device = resources.enter_context(Device(board.url, expect=build))
        yield board, DeviceBackend(device)
