"""The virtual board with the real driver, for benches."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any

from zipsgd.backends import Backend
from zipsgd.backends.device import DeviceBackend
from zipsgd.backends.emulator import EmulatorBackend
from zipsgd.backends.golden import GoldenBackend
from zipsgd.driver import Device
from zipsgd.driver.host_link import PATIENCE
from zipsgd.extras import extra
from zipsgd.protocol.formats import Build
from zipsgd_hw.boards.board import Board
from zipsgd_hw.boards.memories import Sdram
from zipsgd_hw.link.physical import Uart, Usb

if TYPE_CHECKING:
    from zipsgd_sim.board import VirtualBoard

__all__ = ["sdram_of", "simulated", "simulated_backends"]


def sdram_of(board: Board) -> Sdram:
    """The chip of SDRAM of a board that has one.

    Parameters
    ----------
    board : Board
        The board.

    Returns
    -------
    Sdram
        The chip.
    """
    assert isinstance(board.memory, Sdram)
    return board.memory


@contextmanager
def simulated(
    build: Build,
    *,
    uart: Uart | None = None,
    usb: Usb | None = None,
    fast_memory: bool = False,
    sdram: Sdram | None = None,
    baud: int = 0,
    stall_seed: int = 0,
    optimise: int = 3,
    patience: float = PATIENCE,
    note: Callable[[str], None] = lambda message: None,
) -> Iterator[tuple["VirtualBoard", DeviceBackend]]:
    """A virtual board and the backend that drives it, as a context; see :class:`zipsgd_sim.board.VirtualBoard`.

    Parameters
    ----------
    build : Build
        The build.
    uart : bool
        Simulate the UART's pins.
    usb : Usb or None
        Simulate a USB bus.
    fast_memory : bool
        As for :class:`zipsgd_hw.datapath.datapath.Datapath`.
    sdram : Sdram or None
        A chip of SDRAM that is the build's store; None for a store in block RAM.
    baud : int
        Baud rate of the line; 0 for no limit.
    stall_seed : int
        Seed of random stalls on the byte streams; 0 for none.
    optimise : int
        Optimisation level of the compiled simulation.
    patience : float
        Seconds without an answer after which the board counts as lost.
    note : Callable[[str], None]
        Called with a message before a board is compiled, and while samples are loaded into its store.

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
                usb=usb,
                fast_memory=fast_memory,
                sdram=sdram,
                baud=baud,
                stall_seed=stall_seed,
                optimise=optimise,
                progress=note,
            )
        )
        device = resources.enter_context(Device(board.url, expect=build, patience=patience))
        yield board, DeviceBackend(device, progress=note)


def simulated_backends(
    build: Build, kinds: Sequence[Mapping[str, str]], seed: int, **options: Any
) -> Iterator[tuple[dict[str, Backend], DeviceBackend, list[Mapping[str, str]]]]:
    """Golden model, emulator and a simulated board, which is another one for each mix of stalls and resets.

    Parameters
    ----------
    build : Build
        The build of all backends.
    kinds : Sequence[Mapping[str, str]]
        Options of each run. The byte streams stall unless ``stalls`` is "no"; the board is reset if ``resets`` is "yes".
    seed : int
        Seed of the stalls.
    options : Any
        Of :func:`simulated`.

    Yields
    ------
    backends : dict[str, Backend]
        Backends by name; "golden" is the reference.
    device : DeviceBackend
        The device behind "gateware".
    kinds : list[Mapping[str, str]]
        The runs that it is for.
    """
    from zipsgd_sim.resets import ResetInEpochs

    def conditions(kind: Mapping[str, str]) -> tuple[bool, bool]:
        return kind.get("stalls", "yes") == "yes", kind.get("resets") == "yes"

    for (stalls, resets), some in groupby(sorted(kinds, key=conditions), conditions):
        with simulated(build, stall_seed=seed if stalls else 0, **options) as (board, device):
            backends: dict[str, Backend] = {
                "golden": GoldenBackend(build),
                "emulator": EmulatorBackend(build),
                "gateware": ResetInEpochs(device, board) if resets else device,
            }
            yield backends, device, list(some)
