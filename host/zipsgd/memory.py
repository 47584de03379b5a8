"""Sizes of memory: how much is available, and sizes as a user writes them."""

import os
import re
from contextlib import suppress
from pathlib import Path

__all__ = ["default_memory", "parse_memory_size"]

_SHARE = 4
"""A data set may be in memory three times: as it was read, scaled, and in fixed point."""
_UNKNOWN = 4 << 30
_UNITS = {unit: 1 << 10 * power for power, unit in enumerate(" kmgt")}


def _free() -> int:
    """Bytes of available memory, as far as the system reports them."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) << 10
    except (OSError, StopIteration):
        try:
            free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
        except (AttributeError, OSError, ValueError):
            free = _UNKNOWN
    with suppress(OSError, ValueError):  # the limit of a container; "max" if there is none
        free = min(free, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return free


def default_memory() -> int:
    """Bytes of memory that a data set may take unless the user chooses otherwise: a quarter of the available memory.

    Returns
    -------
    int
        Number of bytes, at least 1 MiB.
    """
    return max(1 << 20, _free() // _SHARE)


def parse_memory_size(text: str) -> int:
    """The number of bytes that a text such as ``2G``, ``1.5 GiB``, ``500M`` or ``65536`` stands for.

    Parameters
    ----------
    text : str
        A number with or without a unit. Units are powers of 1024.

    Returns
    -------
    int
        Number of bytes, at least 1.

    Raises
    ------
    ValueError
        The text is not a size of memory.
    """
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([kmgt]?)(i?b)?", text.strip().lower())
    size = int(float(match[1]) * _UNITS[match[2] or " "]) if match else 0
    if size < 1:
        raise ValueError(f"a size of memory is written like 2G or 500M, not {text!r}")
    return size
