"""The driver of a board: the link, and the device at its other end."""

from .device import Device, count_on
from .epoch_counts import EpochCounts
from .epoch_plan import EpochPlan, Write, schedules
from .errors import DeviceError, DeviceReset, LinkLost, NoDevice, StoreFault, WrongBuild, WrongDevice

__all__ = [
    "Device",
    "DeviceError",
    "DeviceReset",
    "EpochCounts",
    "EpochPlan",
    "LinkLost",
    "NoDevice",
    "StoreFault",
    "Write",
    "WrongBuild",
    "WrongDevice",
    "count_on",
    "schedules",
]
