"""The driver of a board: the link, and the device at its other end."""

from .device import Device, count_on
from .epoch_counts import EpochCounts
from .epoch_plan import EpochPlan, Write, schedules
from .errors import (
    BoardTaken,
    DeviceError,
    DeviceReset,
    LinkLost,
    NoAccess,
    NoDevice,
    StoreFault,
    WrongBuild,
    WrongDevice,
)

__all__ = [
    "BoardTaken",
    "Device",
    "DeviceError",
    "DeviceReset",
    "EpochCounts",
    "EpochPlan",
    "LinkLost",
    "NoAccess",
    "NoDevice",
    "StoreFault",
    "Write",
    "WrongBuild",
    "WrongDevice",
    "count_on",
    "schedules",
]
