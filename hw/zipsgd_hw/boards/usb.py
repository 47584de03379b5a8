"""USB chips of boards: whether they are plugged in and may be opened, and the rule that allows it. For Linux."""

import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["allow", "denied", "plugged_in"]

_DEVICES = Path("/sys/bus/usb/devices")
_NODES = Path("/dev/bus/usb")
_RULES = "/etc/udev/rules.d/70-zipsgd.rules"  # the number is below 73, at which systemd looks for the tag


def plugged_in(usb: str) -> list[Path] | None:
    """Find the chips of a kind that are plugged in.

    Parameters
    ----------
    usb : str
        The kind, as ``VENDOR:PRODUCT``.

    Returns
    -------
    list of Path or None
        Their device files; None where the system has no list of chips.
    """
    if not _DEVICES.is_dir():
        return None
    found = []
    for chip in sorted(_DEVICES.iterdir()):
        try:
            said = [
                (chip / name).read_text().strip() for name in ("idVendor", "idProduct", "busnum", "devnum")
            ]
        except OSError:  # an interface of a chip, or a chip that was just unplugged
            continue
        if ":".join(said[:2]) == usb.lower():
            found.append(_NODES / f"{int(said[2]):03}" / f"{int(said[3]):03}")
    return found


def denied(usb: str) -> list[Path]:
    """Find the chips of a kind that are plugged in and may not be opened.

    Parameters
    ----------
    usb : str
        The kind, as ``VENDOR:PRODUCT``.

    Returns
    -------
    list of Path
        Their device files.
    """
    return [node for node in plugged_in(usb) or () if not os.access(node, os.R_OK | os.W_OK)]


def allow(chips: Iterable[str]) -> list[str]:
    """The commands that allow users to open chips: they add a rule for udev, and let it work.

    Parameters
    ----------
    chips : iterable of str
        Kinds of chips, as ``VENDOR:PRODUCT``.

    Returns
    -------
    list of str
        The commands.
    """
    kinds = [usb.lower().split(":") for usb in chips]
    rules = [
        f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor}", ATTR{{idProduct}}=="{product}", MODE="0660", GROUP="plugdev", '
        f'TAG+="uaccess"'
        for vendor, product in kinds
    ]
    return [
        *(f"echo '{rule}' | sudo tee -a {_RULES}" for rule in rules),
        "sudo udevadm control --reload-rules && sudo udevadm trigger",
    ]
