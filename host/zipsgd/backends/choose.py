"""From the one argument by which a user picks a backend to the backend."""

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zipsgd.driver import Device
from zipsgd.protocol.formats import Build

from .base import Backend
from .device import DeviceBackend
from .golden import GoldenBackend

_log = logging.getLogger(__name__)

__all__ = ["BACKENDS", "BackendOptions", "is_port", "open_backend"]

BACKENDS = {
    "emulator": "compiled, on this computer",
    "golden": "the NumPy golden model, on this computer",
    "sim": "the virtual board: the gateware, simulated cycle by cycle",
}
"""Backends that take any build, and what each is. A device on a port comes with its own."""


def is_port(name: str) -> bool:
    """Whether ``name`` looks like a serial port or a URL."""
    return "/" in name or "\\" in name or name.upper().startswith("COM")


@dataclass(frozen=True)
class BackendOptions:
    """A backend by name, with what there is to say of it.

    Parameters
    ----------
    name : str
        One of :data:`BACKENDS`, or a serial port or URL with a device on it.
    build : Build, mapping or None
        The build to emulate or simulate; of a device, the build that must be there. A mapping has words of
        :func:`.build_for`, such as ``{"lanes": 16}``, for a build that fits the data otherwise. None: whatever fits the data,
        or is there.
    baud : int
        Of a serial port (0: 3,000,000); of the virtual board, the rate that its link is held to (0: a byte a cycle).
    trace : str or Path or None
        Where the virtual board writes a waveform, NAME.vcd.

    Raises
    ------
    ValueError
        No such backend, or something that it has no use for.
    """

    name: str = "emulator"
    build: Build | Mapping[str, Any] | None = None
    baud: int = 0
    trace: str | Path | None = None

    def __post_init__(self) -> None:
        name, baud = self.name, self.baud
        if name not in BACKENDS and not is_port(name):
            raise ValueError(
                f"no backend {name!r}; backends: {', '.join(BACKENDS)}, or a serial port or URL such as /dev/ttyUSB1 or "
                f"socket://127.0.0.1:4000"
            )
        if self.trace is not None and name != "sim":
            raise ValueError(
                f"only a virtual board writes a waveform, and the backend is {name}: use sim, or trace where the board was "
                f"started"
            )
        if baud < 0 or (baud and name in ("emulator", "golden")):
            raise ValueError(
                f"baud {baud}: the backend {name} has {'no link' if baud > 0 else 'no such rate'}"
            )

    def with_build(self, build: Build | None) -> "BackendOptions":
        """The same with another build."""
        return replace(self, build=build)


def open_backend(wanted: str | BackendOptions, build: Build | None = None) -> Backend:
    """Open a backend.

    What takes long, such as a virtual board's compilation, and a device that goes away or is reset, is logged.

    Parameters
    ----------
    wanted : str or BackendOptions
        A name, or a name with more to say of it.
    build : Build or None
        To go with a name: what to emulate or simulate (default: ``Build()``), or what must be on the device.

    Raises
    ------
    ModuleNotFoundError
        The simulator is not installed.
    DeviceError
        No device on the port, or not the one wanted.
    """
    if isinstance(wanted, str):
        wanted = BackendOptions(wanted, build)
    name = wanted.name
    if wanted.build is not None and not isinstance(wanted.build, Build):
        raise ValueError("a build described by words is made for a task: give zipsgd.train these options")
    if name == "golden":
        return GoldenBackend(wanted.build or Build())
    if name == "emulator":
        from .emulator import EmulatorBackend  # numba takes a second to import

        return EmulatorBackend(wanted.build or Build())
    with ExitStack() as resources:
        if name == "sim":
            try:
                from zipsgd_sim.board import VirtualBoard
            except ImportError as error:
                raise ModuleNotFoundError(
                    f"the virtual board needs the simulator, and {error.name} is not installed: pip install 'zipsgd[sim]'"
                ) from None
            trace = None if wanted.trace is None else Path(wanted.trace)
            board = resources.enter_context(
                VirtualBoard(wanted.build or Build(), baud=wanted.baud, trace=trace, progress=_log.info)
            )
            device = Device(board.url, expect=board.build, progress=_log.info)
        else:
            device = Device(name, expect=wanted.build, baud=wanted.baud or 3_000_000, progress=_log.info)
        return DeviceBackend(device, resources.pop_all(), name, _log.info)
