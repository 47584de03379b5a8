"""Why bits of the datapath stay still in ``pytest tests/datapath --toggles``, where that is known."""

import re
from collections.abc import Sequence

__all__ = ["reason_for"]

_REASONS: list[tuple[str, int, str]] = [
    # signals "COMPONENT.NAME" in full, from which bit on, and why
    (
        r".*\b(samples|samples_done|samples__payload)",
        8,
        "counts samples of an epoch: runs have at most 200, two epochs each",
    ),
    (r".*\b(cycles|plane_cycles|starved_cycles)(_low)?", 12, "counts cycles: runs are short"),
    (r".*\b(cycles|plane_cycles|starved_cycles)_high", 0, "counts cycles: runs are short"),
    (
        r".*\.loss",
        40,
        "as wide as the largest epoch's loss: runs have at most 200 samples, and no sum below zero so large",
    ),
    (
        r".*\.loss_high",
        8,
        "as wide as the largest epoch's loss: runs have at most 200 samples, and no sum below zero so large",
    ),
]


def reason_for(signal: str, indices: Sequence[int]) -> str | None:
    """Why the bits ``indices`` of ``signal``, COMPONENT.NAME, are still; None where that is not known."""
    for pattern, lowest, reason in _REASONS:
        if re.fullmatch(pattern, signal) and min(indices) >= lowest:
            return reason
    return None
