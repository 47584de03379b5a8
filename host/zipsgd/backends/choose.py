"""Opening a backend by the name that a user gives."""

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zipsgd.driver import Device
from zipsgd.driver.tcp import check_url
from zipsgd.extras import extra
from zipsgd.protocol.formats import Build
from zipsgd.protocol.plain import make_plain

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
"""The backends on this computer, each with a description. They take any build, whereas a board on a port has its own."""


def is_port(name: str) -> bool:
    """Whether a name looks like a serial port or a URL.

    Parameters
    ----------
    name : str
        Name of a backend.

    Returns
    -------
    bool
        True for names such as "/dev/ttyUSB1", "COM3" or "socket://127.0.0.1:4000".
    """
    return "/" in name or "\\" in name or name.upper().startswith("COM")


@dataclass(frozen=True)
class BackendOptions:
    """A backend by name, with further options.

    Parameters
    ----------
    name : str
        One of :data:`BACKENDS`, or the serial port or URL of a device.
    build : Build, mapping or None
        The build to emulate or simulate, or the build that a board must have. A mapping holds arguments of
        :func:`.build_for`, such as ``{"lanes": 16}``; everything else then fits the data. None: a build that fits the data,
        or any build that the board has.
    baud : int
        Rate of a serial port in baud (0: 3,000,000), or the rate to which the virtual board's link is limited (0: no limit,
        one byte per cycle).
    trace : str, Path or None
        File for the virtual board's waveform, such as NAME.vcd; None for no waveform.
    usb : str or None
        Put the virtual board on a USB bus of this speed, "full" or "high"; None for a plain byte stream.

    Raises
    ------
    ValueError
        There is no such backend, or it does not support one of the options.
    """

    name: str = "emulator"
    build: Build | Mapping[str, Any] | None = None
    baud: int = 0
    trace: str | Path | None = None
    usb: str | None = None

    def __post_init__(self) -> None:
        make_plain(self)
        name, baud = self.name, self.baud
        check_url(name)
        if name not in BACKENDS and not is_port(name):
            raise ValueError(
                f"no backend {name!r}; backends: {', '.join(BACKENDS)}, or a serial port or URL such as /dev/ttyUSB1, "
                f"socket://127.0.0.1:4000 or tcp://lab:9474"
            )
        if self.trace is not None and name != "sim":
            raise ValueError(
                f"only a virtual board writes a waveform, and the backend is {name}: use sim, or trace where the board was "
                f"started"
            )
        if self.usb is not None and (name != "sim" or baud):
            other = f"the backend is {name}" if name != "sim" else "baud is the rate of another line"
            raise ValueError(
                f"usb puts the virtual board on a USB bus, and {other}: leave out usb or correct the other"
            )
        if baud < 0 or (baud and name in ("emulator", "golden")):
            raise ValueError(
                f"baud {baud}: the backend {name} has {'no link' if baud > 0 else 'no such rate'}"
            )

    def with_build(self, build: Build | Mapping[str, Any] | None) -> "BackendOptions":
        """The same options with another build.

        Parameters
        ----------
        build : Build, mapping or None
            The build.

        Returns
        -------
        BackendOptions
            The changed copy.
        """
        return replace(self, build=build)

    def capacity(self) -> int:
        """How many shards are trained at the same time, see :meth:`zipsgd.backends.Distributed.capacity`."""
        return 1

    def open(self) -> Backend:
        """Open the backend, see :func:`open_backend`.

        Returns
        -------
        Backend
            The open backend; the caller closes it.
        """
        name = self.name
        if self.build is not None and not isinstance(self.build, Build):
            raise ValueError("a build described by words is made for a task: give zipsgd.train these options")
        if name == "golden":
            return GoldenBackend(self.build or Build())
        if name == "emulator":
            from .emulator import EmulatorBackend  # numba takes a second to import

            return EmulatorBackend(self.build or Build())
        with ExitStack() as resources:
            if name == "sim":
                with extra("sim", "the virtual board"):
                    from zipsgd_hw.link.physical import Usb
                    from zipsgd_sim.board import VirtualBoard
                board = resources.enter_context(
                    VirtualBoard(
                        self.build or Build(),
                        baud=self.baud,
                        usb=None if self.usb is None else Usb(self.usb),
                        trace=None if self.trace is None else Path(self.trace),
                        progress=_log.info,
                    )
                )
                device = Device(board.url, expect=board.build, progress=_log.info)
            else:
                device = Device(name, expect=self.build, baud=self.baud or 3_000_000, progress=_log.info)
            return DeviceBackend(device, resources.pop_all(), name, _log.info)


def open_backend(wanted: str | BackendOptions, build: Build | None = None) -> Backend:
    """Open a backend.

    The log says when a virtual board is compiled, which takes a while, and when a device is lost or was reset.

    Parameters
    ----------
    wanted : str or BackendOptions
        A name, or a name with further options.
    build : Build or None
        Only with a plain name: the build to emulate or simulate (None: ``Build()``), or the build that the device must have.

    Returns
    -------
    Backend
        The open backend; the caller closes it.

    Raises
    ------
    MissingExtra
        The simulator is not installed.
    DeviceError
        There is no device on the port, it has another build, or a server refuses this host.
    ValueError
        The build is a mapping; only :func:`zipsgd.train`, which knows the data, can complete it.
    """
    if isinstance(wanted, str):
        wanted = BackendOptions(wanted, build)
    return wanted.open()
