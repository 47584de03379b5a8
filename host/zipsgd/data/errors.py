"""The error for data that cannot be used."""

__all__ = ["DataError"]


class DataError(ValueError):
    """The data cannot be used for training. The message names the place and a remedy."""
