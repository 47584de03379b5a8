"""What talks to a board: the link, and the device behind it."""

from .device import Device, EpochCounts
from .errors import DeviceError, LimitError, LinkLost, NoDevice, WrongBuild, WrongDevice

__all__ = [
    "Device",
    "DeviceError",
    "EpochCounts",
    "LimitError",
    "LinkLost",
    "NoDevice",
    "WrongBuild",
    "WrongDevice",
]
