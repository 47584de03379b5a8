"""Loading a bitstream onto a board."""

import codecs
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from .board import Board
from .loaders import Loader, Programming
from .usb import allow, denied, plugged_in

__all__ = ["ProgrammingFailed", "find_loader", "load_bitstream", "programming_of"]

_TAIL = 12
"""Lines of a loader's output that an error shows."""
_PATIENCE = 5.0
"""Seconds that an interrupted loader has to end."""


class ProgrammingFailed(RuntimeError):
    """No loader is installed, or it failed; the message has its command, the end of its output, and likely causes."""


def programming_of(board: Board) -> Programming:
    """How bitstreams are loaded onto a board.

    Parameters
    ----------
    board : Board
        The board.

    Returns
    -------
    Programming
        The entry of its row.

    Raises
    ------
    ValueError
        The row does not say it.
    """
    if board.programming is None:
        raise ValueError(
            f"board {board.name}: its row names no loader: add programming=Programming(...), or use a loader of your own"
        )
    return board.programming


def find_loader(board: Board, tool: str | None = None) -> tuple[Loader, str]:
    """Find a program that loads bitstreams onto a board.

    Parameters
    ----------
    board : Board
        The board.
    tool : str or None
        Name or path of the program to take; its file name begins with the loader's name. None for the first one that is
        installed.

    Returns
    -------
    (Loader, str)
        The loader, and the path of its program.

    Raises
    ------
    ValueError
        The board's row names no loader, or none that is called ``tool``.
    BuildFailed
        The environment variable of a loader names no program.
    ProgrammingFailed
        No loader is installed.
    """
    loaders = programming_of(board).loaders
    if tool is not None:
        file = Path(tool).name.lower()
        named = [loader for loader in loaders if file.startswith(loader.name.lower())]
        if not named:
            names = " or ".join(loader.name for loader in loaders)
            raise ValueError(
                f"{board.title} is not loaded by {tool!r}: name {names}, or the path of one of them"
            )
        if tool.lower() != named[0].name.lower():
            path = shutil.which(tool)
            if path is None:
                raise ValueError(f"there is no program {tool!r}: correct its path, or leave out --tool")
            return named[0], path
        loaders = (named[0],)
    for loader in loaders:
        path = loader.find()
        if path is not None:
            return loader, path
    missing = "; ".join(
        f"{loader.name}: install it ({loader.installation}), or set {loader.variable} to its path"
        for loader in loaders
    )
    raise ProgrammingFailed(f"no program that loads {board.title} is found. {missing}")


def load_bitstream(
    board: Board,
    bitstream: Path,
    loader: Loader,
    program: str,
    *,
    flash: bool,
    show: Callable[[str], None],
) -> None:
    """Load a bitstream onto a board. If this is interrupted, the loader is ended as well.

    Parameters
    ----------
    board : Board
        The board.
    bitstream : Path
        File of the bitstream.
    loader : Loader
        One of the board's loaders.
    program : str
        Path of its program.
    flash : bool
        Whether the flash is written, in place of the FPGA's own memory.
    show : callable
        Called with each piece of the loader's output as it comes.

    Raises
    ------
    ProgrammingFailed
        The program cannot be run, its exit status is not zero, or the FPGA has not started.
    """
    command = [program, *(loader.flash if flash else loader.memory), str(bitstream)]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that its helpers are ended with it
        )
    except OSError as error:
        raise ProgrammingFailed(
            f"{program} cannot be run: {error.strerror}; name another with --tool"
        ) from None
    said = ""
    with process:
        try:
            for text in _pieces(process):
                said += text
                show(text)
            status = process.wait()
        except BaseException:
            _end(process)
            raise
    lines = [line.strip() for line in re.split(r"[\r\n]+", said) if line.strip()][-_TAIL:]
    if status != 0:
        wrong = f"{loader.name} failed with exit status {status}"
    elif loader.not_started and tuple(lines[-len(loader.not_started) :]) == loader.not_started:
        wrong = f"{loader.name} has sent the bitstream, but the FPGA has not started"
    else:
        return
    ended = ["its output ended:" if lines else "it printed nothing", *(f"  {line}" for line in lines)]
    raise ProgrammingFailed("\n".join([wrong, f"  command: {' '.join(command)}", *ended, *_causes(board)]))


def _pieces(process: "subprocess.Popen[bytes]") -> Iterator[str]:
    """What the loader prints, as it comes: progress within a line, too."""
    assert process.stdout is not None
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while piece := process.stdout.read1(4096):
        yield decoder.decode(piece)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a loader and its helpers."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _causes(board: Board) -> list[str]:
    """What is wrong, as far as this computer can tell, and what to do."""
    usb = programming_of(board).usb
    found = plugged_in(usb)
    if found == []:
        return [
            f"no USB chip {usb} is plugged in: check the cable, as some carry only power, and that it is in the socket for "
            f"programming"
        ]
    closed = denied(usb)
    if closed:
        commands = [f"  {line}" for line in allow([usb])]
        return [f"{closed[0]} may not be opened: run this, then plug the board in again:", *commands]
    causes = [
        "a program that has the board's serial port open",
        "a USB hub (plug the board in directly)",
        "jumpers of the board that are set for the other of memory and flash",
    ]
    if found is None:
        causes += ["a cable that carries only power", f"no right to open the USB chip {usb}"]
    return [f"typical causes: {', '.join(causes)}"]
