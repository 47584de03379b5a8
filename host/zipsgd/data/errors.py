"""Errors of data."""

__all__ = ["DataError"]


class DataError(ValueError):
    """Data that cannot be trained on. The message names the place and what to do."""
