"""Errors between host and board. Each message names the cause and a remedy."""

__all__ = [
    "BoardTaken",
    "DeviceError",
    "DeviceReset",
    "LinkLost",
    "NoAccess",
    "NoDevice",
    "StoreFault",
    "WrongBuild",
    "WrongDevice",
]


class DeviceError(Exception):
    """Base class of all errors of the driver."""


class NoDevice(DeviceError):
    """The port is missing, access is denied, or nothing on it answers."""


class BoardTaken(NoDevice):
    """Another host uses the board that the server serves."""


class NoAccess(DeviceError):
    """The server of the board does not accept this host's token, or the host has none."""


class WrongDevice(DeviceError):
    """Something answers, but not a zipsgd device of this version."""


class WrongBuild(DeviceError):
    """The device has another build than the requested one."""


class LinkLost(DeviceError):
    """The device stopped answering, or the port disappeared, after the device had answered."""


class DeviceReset(LinkLost):
    """The device answers, but has lost its state: it was reset, or another host uses it."""


class StoreFault(DeviceError):
    """The device's store does not hold what was loaded into it."""
