"""From the one argument by which a user picks a backend to the backend."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from zipsgd.driver import Device
from zipsgd.protocol.formats import Build

from .base import Backend
from .device import DeviceBackend
from .golden import GoldenBackend

__all__ = ["BACKENDS", "is_port", "open_backend"]

BACKENDS = {
    "emulator": "compiled, on this computer",
    "golden": "the NumPy golden model, on this computer",
    "sim": "the virtual board: the gateware, simulated cycle by cycle",
}
"""Backends that take any build, and what each is. A device on a port comes with its own."""


def is_port(name: str) -> bool:
    """Whether ``name`` looks like a serial port or a URL."""
    return "/" in name or "\\" in name or name.upper().startswith("COM")


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
    baud : of a serial port (0: 3,000,000); of the virtual board, the rate its link is held to (0: a byte a cycle).
    trace : the virtual board writes a waveform there.
    progress : is told what takes long, such as a virtual board's compilation, and of a device that goes away or is reset.

    Raises
    ------
    ValueError
        No such backend, or an argument that it has no use for.
    ModuleNotFoundError
        The simulator is not installed.
    DeviceError
        No device on the port, or not the one wanted.
    """
    if name not in BACKENDS and not is_port(name):
        raise ValueError(
            f"no backend {name!r}; backends: {', '.join(BACKENDS)}, or a serial port or URL such as /dev/ttyUSB1 or "
            f"socket://127.0.0.1:4000"
        )
    if trace is not None and name != "sim":
        raise ValueError(
            f"only a virtual board writes a waveform, and the backend is {name}: use sim, or trace where the board was started"
        )
    if baud < 0 or (baud and name in ("emulator", "golden")):
        raise ValueError(f"baud {baud}: the backend {name} has {'no link' if baud > 0 else 'no such rate'}")
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
            device = Device(board.url, expect=board.build, progress=progress)
        else:
            device = Device(name, expect=build, baud=baud or 3_000_000, progress=progress)
        return DeviceBackend(device, resources.pop_all(), name, progress)
