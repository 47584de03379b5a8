"""What talks to a board: the link, and the device behind it."""

from .device import Device, EpochCounts
from .errors import DeviceError, DeviceReset, LinkLost, NoDevice, WrongBuild, WrongDevice

__all__ = [
    "Device",
    "DeviceError",
    "DeviceReset",
    "EpochCounts",
    "LinkLost",
    "NoDevice",
    "WrongBuild",
    "WrongDevice",
]
