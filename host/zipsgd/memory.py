"""Memory: how much of it there is, and amounts of it as a user writes them."""

import os
import re
from contextlib import suppress
from pathlib import Path

__all__ = ["default_memory", "parse_memory_size"]

_SHARE = 4
"""A set in memory is there up to three times: as it was read, scaled, and in fixed point."""
_UNKNOWN = 4 << 30
_UNITS = {unit: 1 << 10 * power for power, unit in enumerate(" kmgt")}


def _free() -> int:
    """Bytes that are free to use, as far as the system tells."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) << 10
    except (OSError, StopIteration):
        try:
            free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
        except (AttributeError, OSError, ValueError):
            free = _UNKNOWN
    with suppress(OSError, ValueError):  # a container's own limit; "max" if there is none
        free = min(free, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return free


def default_memory() -> int:
    """Bytes that a set may take in memory, unless a user says otherwise: a quarter of what is free."""
    return max(1 << 20, _free() // _SHARE)


def parse_memory_size(text: str) -> int:
    """Bytes, of a number with or without a unit: ``2G``, ``1.5 GiB``, ``500M``, ``65536``. Raises ValueError."""
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([kmgt]?)(i?b)?", text.strip().lower())
    size = int(float(match[1]) * _UNITS[match[2] or " "]) if match else 0
    if size < 1:
        raise ValueError(f"an amount of memory is written as 2G or 500M, not {text!r}")
    return size
