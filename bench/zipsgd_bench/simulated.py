"""The virtual board under the real driver, for benches."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from zipsgd.backends.device import DeviceBackend
from zipsgd.driver import Device
from zipsgd.protocol.formats import Build
from zipsgd_hw.link.physical import Uart

from .extras import extra

if TYPE_CHECKING:
    from zipsgd_sim.board import VirtualBoard

__all__ = ["simulated"]


@contextmanager
def simulated(
    build: Build,
    *,
    uart: Uart | None = None,
    fast_memory: bool = False,
    baud: int = 0,
    stall_seed: int = 0,
    optimise: int = 3,
    note: Callable[[str], None] = lambda message: None,
) -> Iterator[tuple["VirtualBoard", DeviceBackend]]:
    """A virtual board of ``build`` and the backend that drives it; see :class:`zipsgd_sim.board.VirtualBoard`.

    ``fast_memory``: of :class:`zipsgd_hw.datapath.datapath.Datapath`. ``note`` is told before a board is compiled.
    Raises ModuleNotFoundError, with what to install, without the simulator.
    """
    with extra("sim"):
        from zipsgd_sim.board import VirtualBoard
        from zipsgd_sim.designs import rtl
    with ExitStack() as resources:
        board = resources.enter_context(
            VirtualBoard(
                build,
                design=rtl(build, uart, fast_memory),
                uart=uart,
                baud=baud,
                stall_seed=stall_seed,
                optimise=optimise,
                progress=note,
            )
        )
        device = resources.enter_context(Device(board.url, expect=build))
        yield board, DeviceBackend(device)
