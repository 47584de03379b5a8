"""From the one argument by which a user picks a backend to the backend."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from zipsgd.driver import Device
from zipsgd.protocol.formats import Build

from .base import Backend
from .device import DeviceBackend
from .golden import GoldenBackend

__all__ = ["BACKENDS", "open_backend"]

BACKENDS = {
    "emulator": "compiled, on this computer (the default)",
    "golden": "the NumPy golden model, on this computer",
    "sim": "the virtual board: the gateware, simulated cycle by cycle",
}


def open_backend(
    name: str,
    build: Build | None = None,
    *,
    baud: int = 0,
    trace: Path | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> Backend:
    """A backend by name: one of :data:`BACKENDS`, or a serial port or URL with a device on it.

    Parameters
    ----------
    build : what to emulate or simulate (default: ``Build()``); of a device, what must be there (default: anything).
    baud : of a serial port; of the virtual board, the rate its link is held to (0: a byte a cycle).
    trace : the virtual board writes a waveform there.
    progress : is told what takes long, such as a virtual board's compilation.
    """
    if name == "golden":
        return GoldenBackend(build or Build())
    if name == "emulator":
        from .emulator import EmulatorBackend  # numba takes a second to import

        return EmulatorBackend(build or Build())
    with ExitStack() as resources:
        if name == "sim":
            try:
                from zipsgd_sim.board import VirtualBoard
            except ImportError as error:
                raise ModuleNotFoundError(
                    f"the virtual board needs the simulator, and {error.name} is not installed: pip install 'zipsgd[sim]'"
                ) from None
            board = resources.enter_context(
                VirtualBoard(build or Build(), baud=baud, trace=trace, progress=progress)
            )
            device = Device(board.url, expect=board.build)
        else:
            device = Device(name, expect=build, baud=baud or 3_000_000)
        return DeviceBackend(device, resources.pop_all())
