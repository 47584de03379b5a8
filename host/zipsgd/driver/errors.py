"""What can go wrong between host and board. Each message names the thing and what to do."""

__all__ = ["DeviceError", "DeviceReset", "LinkLost", "NoDevice", "WrongBuild", "WrongDevice"]


class DeviceError(Exception):
    """Base of all errors of the driver."""


class NoDevice(DeviceError):
    """The port is missing, not permitted, or nothing on it answers."""


class WrongDevice(DeviceError):
    """Something answers, but not a zipsgd device of this version."""


class WrongBuild(DeviceError):
    """The device is another build than the one asked for."""


class LinkLost(DeviceError):
    """The device stopped answering, or the port went away, after it had answered."""


class DeviceReset(LinkLost):
    """The device answers, but has forgotten what it was told: it was reset, or another host has it."""
