"""What talks to a board: the link, and the device behind it."""

from .device import Device, EpochCounts
from .errors import DeviceError, LinkLost, NoDevice, WrongBuild, WrongDevice

__all__ = [
    "Device",
    "DeviceError",
    "EpochCounts",
    "LinkLost",
    "NoDevice",
    "WrongBuild",
    "WrongDevice",
]
