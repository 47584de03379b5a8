"""The command ``zipsgd program``."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .board_option import add_board, board_of
from .command import Commands, add_command
from .progress import messages

if TYPE_CHECKING:
    from zipsgd_hw.boards import Board

__all__ = ["add"]

_EXAMPLES = """\
  zipsgd program --board ulx3s-85f                       the last build of this board
  zipsgd program --board ulx3s-85f --flash               it survives power-off
  zipsgd program --board icebreaker --bitstream other/icebreaker.bin --tool iceprog
"""
_USUAL_BAUD = 3_000_000
"""What commands take for a serial port if they are not told."""


def add(commands: Commands) -> None:
    """Add the command ``program``, see :mod:`zipsgd.cli.command`."""
    command = add_command(
        commands,
        "program",
        run,
        summary="load a bitstream onto a board",
        description="Load the bitstream of the last build onto a board, with openFPGALoader or the board's own tool. What the "
        "tool prints is shown as it comes.",
        examples=_EXAMPLES,
    )
    add_board(command)
    command.add_argument(
        "--bitstream",
        type=Path,
        metavar="FILE",
        help="a bitstream, or the folder of a build (default: build/NAME)",
    )
    command.add_argument(
        "--flash",
        action="store_true",
        help="write the flash, so that the bitstream survives power-off (default: the FPGA's own memory, where the board has "
        "a way to it)",
    )
    command.add_argument(
        "--tool",
        metavar="PROGRAM",
        help="the program that loads: openFPGALoader, iceprog or fujprog, or its path (default: the first one that is "
        "installed; OPENFPGALOADER, ICEPROG and FUJPROG may hold their paths)",
    )


def _read(file: Path) -> dict[str, Any]:
    """An object of a file in JSON; raises OSError or ValueError."""
    content = json.loads(file.read_text())
    if not isinstance(content, dict):
        raise ValueError("it holds no report")
    return content


def _built(folder: Path, make: str) -> Path:
    """The bitstream of the build in a folder. ``make`` is the command that makes one."""
    remedy = f"make one with '{make}', or name a bitstream with --bitstream"
    try:
        name = _read(folder / "build.json").get("bitstream")
    except FileNotFoundError:
        raise ValueError(f"there is no build in {folder}: {remedy}") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"no report of a build in {folder / 'build.json'}: {error}; {remedy}") from None
    if not isinstance(name, str) or not (folder / name).is_file():
        raise ValueError(
            f"the build in {folder} has no bitstream, as it was only prepared or missed its clock: {remedy}"
        )
    return folder / name


def _bitstream(board: "Board", given: Path | None, make: str) -> tuple[Path, dict[str, Any]]:
    """The file to load, and what its sidecar says."""
    folder = Path("build") / board.name if given is None else given
    file = folder if given is not None and not given.is_dir() else _built(folder, make)
    if not file.is_file():
        raise ValueError(f"there is no file {file}: name a bitstream, or make one with '{make}'")
    suffix = board.family.bitstream_suffix
    if file.suffix != suffix:
        raise ValueError(f"{file} is no bitstream for {board.title}: its bitstreams end in {suffix}")
    try:
        sidecar = _read(file.with_suffix(".json"))
    except (OSError, ValueError):  # a bitstream need not have one
        sidecar = {}
    device = sidecar.get("device", board.device)
    if device != board.device:
        raise ValueError(
            f"{file} is for a {device}, and {board.title} has a {board.device}: name its bitstream or its board"
        )
    return file, sidecar


def _slowest(sidecar: dict[str, Any]) -> str:
    """How far the clock was missed, where the sidecar says it."""
    try:
        row = min(sidecar["clocks"], key=lambda row: row["fmax_mhz"] / row["target_mhz"])
        return f" ({row['fmax_mhz']:g} of {row['target_mhz']:g} MHz)"
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return ""


def _next(usb: str, baud: int) -> str:
    """The command that comes after this one, with the port of the board if there is one."""
    from serial.tools import list_ports

    ports = [
        port for port in list_ports.comports() if f"{port.vid or 0:04x}:{port.pid or 0:04x}" == usb.lower()
    ]
    rate = "" if baud == _USUAL_BAUD else f" --baud {baud}"
    if ports:
        port = max(ports, key=lambda port: (port.location or "", port.device)).device
        return f"next: zipsgd verify synthetic10 --backend {port}{rate}"
    return (
        f"next: zipsgd verify synthetic10 --backend PORT{rate}, where PORT is the board's last serial port: 'zipsgd doctor' "
        f"lists them"
    )


def _show(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def run(arguments: argparse.Namespace) -> int:
    """Load a bitstream onto a board, see :func:`zipsgd.cli.main.main`."""
    board = board_of(arguments.board)
    from zipsgd_hw.boards.programming import find_loader, load_bitstream, programming_of

    programming = programming_of(board)
    make = f"zipsgd build --board {arguments.board}"
    file, sidecar = _bitstream(board, arguments.bitstream, make)
    loader, program = find_loader(board, arguments.tool)
    flash = arguments.flash or not programming.memory
    say = messages().print
    if flash and not arguments.flash:
        say(
            f"{board.title} has no way to the FPGA's own memory: the flash is written, and survives power-off"
        )
    if sidecar.get("clock_met") is False:
        say(
            f"warning: {file} missed its clock{_slowest(sidecar)}, so the board may compute wrong results, or not answer: "
            f"compare it with 'zipsgd verify', or build for a slower clock with '{make} --set clock_hz=...'"
        )
    place = "flash" if flash else "memory"
    say(f"loading {file} into the {place} of {board.title} with {program}")
    try:
        load_bitstream(board, file, loader, program, flash=flash, show=_show)
    except KeyboardInterrupt:
        say(f"\nthe {place} of {board.title} may hold half a bitstream: load it again")
        raise
    print(f"loaded {file} into the {place} of {board.title}")
    print(_next(programming.usb, sidecar.get("link_baud", board.link.baud)))
    return 0
