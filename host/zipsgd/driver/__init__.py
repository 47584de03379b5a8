"""The driver of a board: the link, and the device at its other end."""

from .device import Device
from .epoch_counts import EpochCounts
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
