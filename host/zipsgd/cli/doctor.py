"""The command ``zipsgd doctor``."""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from zipsgd.cache import cache_folder, unwritable_cache
from zipsgd.extras import installation, requirements
from zipsgd.output import OutputError, write_file

from .command import Commands, add_command

__all__ = ["add"]

_FOR = {
    "hw": "gateware in a design of your own",
    "sim": "the virtual board",
    "usb": "boards on USB",
    "build": "bitstreams",
    "sklearn": "the scikit-learn estimators",
    "torch": "networks with few levels",
    "plot": "figures",
    "tensorboard": "logs for TensorBoard",
    "bench": "the measurements",
    "formal": "the proofs",
    "test": "the test suite",
    "docs": "the documentation",
    "fuzz": "guided fuzzing",
}
"""What the extras are for."""
_NEEDED = ("hw", "sim")
"""Extras whose absence sets the exit status to 1."""
_EXAMPLES = """\
  zipsgd doctor
  zipsgd doctor --port /dev/ttyUSB1                      also identify the device on this port
"""


def add(commands: Commands) -> None:
    """Add the command ``doctor``, see :mod:`zipsgd.cli.command`."""
    command = add_command(
        commands,
        "doctor",
        run,
        summary="check what is installed and what is missing",
        description="Try on this computer what zipsgd needs: it writes files, compiles a function, runs the tools that are "
        "installed, and looks for programs that load bitstreams and for serial ports. The exit status is 1 if something fails, "
        "or is missing that the virtual board needs. Anything else that is absent is needed only for the purpose shown.",
        examples=_EXAMPLES,
    )
    command.add_argument("--port", metavar="URL", help="also identify the device on this serial port or URL")


def _say(word: str, text: str) -> None:
    print(f"{word:8}{text}", flush=True)


def _try(what: str, work: Callable[[], str]) -> bool:
    """Try something, and print what comes out; whether it succeeded."""
    try:
        _say("ok", f"{what}: {work()}")
    except Exception as error:  # whatever is wrong here, the other checks go on
        _say("FAILED", f"{what}: {' '.join(str(error).split()) or type(error).__name__}")
        return False
    return True


def _missing(extra: str) -> list[str]:
    missing = []
    for package in requirements().get(extra, ()):
        try:
            version(package)
        except PackageNotFoundError:
            missing.append(package)
    return missing


def _packages() -> bool:
    """Print what is installed of each extra; whether all is there that the virtual board needs."""
    good, said = True, set[str]()
    for extra in dict.fromkeys(("", *_FOR, *requirements())):
        if extra not in requirements():
            continue
        missing = _missing(extra)
        purpose = _FOR.get(extra, "") if extra else "training"
        title = f"extra {extra}" if extra else "zipsgd"
        if not missing:
            listed = [f"{name} {version(name)}" for name in requirements()[extra] if name not in said]
            said.update(requirements()[extra])
            _say("ok", f"{title}, for {purpose}: {', '.join(listed) or 'of the above'}")
            continue
        needed = not extra or extra in _NEEDED
        good &= not needed
        _say(
            "MISSING" if needed else "absent",
            f"{title}, for {purpose}: no {', '.join(missing)}: {installation(extra)}",
        )
    return good


def _temporary() -> str:
    with tempfile.TemporaryDirectory() as folder:
        write_file(Path(folder) / "file", "text")
    return f"{tempfile.gettempdir()} can be written"


def _megabytes(folder: Path) -> float:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # another command may delete what it no longer needs
            total += path.lstat().st_size
    return total / 1e6


def _cache() -> str:
    folder = cache_folder("doctor")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        write_file(folder / "file", "text")
    except OutputError as error:
        raise OutputError(f"{error}; set ZIPSGD_CACHE to a folder that can be written") from None
    (folder / "file").unlink()
    folder.rmdir()
    usual = unwritable_cache()
    held = f"and holds {_megabytes(folder.parent):.0f} MB, which you may delete"
    return f"{folder.parent} can be written, {held}" + (f" ({usual} cannot be written)" if usual else "")


def _numba() -> str:
    from zipsgd.compiled import compiled, keeps_code

    @compiled
    def trial(x: int) -> int:
        return 2 * x + 1

    if trial(20) != 41:
        raise RuntimeError("its code gives wrong results")
    return (
        "its code is kept"
        if keeps_code(trial)
        else "its code is not kept, as no folder for it can be written"
    )


def _gateware() -> str:
    from amaranth.back import verilog
    from amaranth.hdl import Module, Signal

    module, a, b = Module(), Signal(name="a"), Signal(name="b")
    module.d.comb += a.eq(b)
    if "assign a = b" not in verilog.convert(module, ports=[a, b]):
        raise RuntimeError("Amaranth writes no Verilog")
    return "Amaranth writes Verilog"


def _compilers() -> str:
    from zipsgd_sim.verilate import check_tools

    return check_tools()


def _synthesis() -> str:
    from zipsgd_hw.boards.toolchain import tool_version

    _say("note", "trying the synthesis tools, which takes a minute or two the first time")
    found = {name: tool_version(name) for name in ("yosys", "nextpnr-ice40", "nextpnr-ecp5")}
    broken = [name for name, said in found.items() if said is None]
    if broken:
        raise RuntimeError(f"{', '.join(broken)} cannot be run")
    return "Yosys and nextpnr run"


def _loaders() -> bool:
    """Print which programs there are that load bitstreams; whether no environment variable names a wrong one."""
    from zipsgd_hw.boards import BOARDS, BuildFailed

    rows = (board.programming for board in BOARDS.values() if board.programming is not None)
    loaders = {loader.name: loader for row in rows for loader in row.loaders}
    try:
        found = {name: path for name, loader in loaders.items() if (path := loader.find()) is not None}
    except BuildFailed as error:
        _say("FAILED", f"loaders of bitstreams: {error}")
        return False
    if found:
        listed = ", ".join(f"{name} ({path})" for name, path in found.items())
        _say("ok", f"loaders of bitstreams: {listed}")
    else:
        listed = "; ".join(f"{name}: {loader.installation}" for name, loader in loaders.items())
        _say("absent", f"loaders of bitstreams; 'zipsgd program' needs one that knows your board: {listed}")
    return True


def _usb() -> None:
    """Print how to open the USB chips of boards, if there are some that may not be opened."""
    from zipsgd_hw.boards import BOARDS
    from zipsgd_hw.boards.usb import allow, denied

    chips = sorted({board.programming.usb for board in BOARDS.values() if board.programming is not None})
    closed = [node for usb in chips for node in denied(usb)]
    for node in closed:
        _say(
            "DENIED", f"{node}: a USB chip such as a board's, through which 'zipsgd program' loads bitstreams"
        )
    if closed:
        _say("", "run this, then plug the board in again:")
        for line in allow(chips):
            _say("", f"  {line}")


def run(arguments: argparse.Namespace) -> int:
    """Print what works and what is missing, see :func:`zipsgd.cli.main.main`."""
    _say("ok", f"Python {sys.version.split()[0]}")
    good = _packages()
    good &= _try("temporary files", _temporary)
    good &= _try("cache", _cache)
    good &= _try("Numba", _numba)
    tools = {"hw": ("gateware", _gateware), "sim": ("compilers of the virtual board", _compilers)}
    tools["build"] = ("synthesis", _synthesis)
    for extra, (what, work) in tools.items():
        if not _missing(extra):
            good &= _try(what, work)
    if not _missing("build"):
        good &= _loaders()
        _usb()
    _ports()
    if arguments.port:
        from zipsgd.driver import Device

        with Device(arguments.port) as device:
            _say("ok", f"{arguments.port}: a zipsgd device")
            for name, value in device.build.as_dict().items():
                _say("", f"{name} {value:,}")
    return 0 if good else 1


def _ports() -> None:
    from serial.tools import list_ports

    ports = list(list_ports.comports())
    if not ports:
        _say("note", "no serial port; a board appears as one when it is plugged in")
    for port in ports:
        allowed = os.access(port.device, os.R_OK | os.W_OK)
        _say("ok" if allowed else "DENIED", f"{port.device}: {port.description}")
        if not allowed:
            _say("", "add yourself to the group that owns it (often dialout), and log in again")
        timer = Path(f"/sys/bus/usb-serial/devices/{Path(port.device).name}/latency_timer")
        if timer.exists() and int(timer.read_text()) > 1:
            _say("", f"its latency timer is {timer.read_text().strip()} ms: echo 1 | sudo tee {timer}")
