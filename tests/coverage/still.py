"""Why bits of the datapath stay still in ``pytest tests/datapath --toggles FOLDER``, where that is known."""

import re
from collections.abc import Sequence

__all__ = ["reason_for"]

_SHORT = "counts what runs of two epochs, at most 200 samples each, have little of"
_WINDOW = "address bits of a window with room for larger builds"
_WIDE = "a register as wide as the largest build needs"
_BUILD = "belongs to a part that this build does not have"
_CONSTANT = "constant: always ready, always reading, or a share of a word that another unit fills"
_QUEUE = "of a queue with room for more than the samples in flight bring; where it has less, test_core_identity fills it"
_DELTAS = "of a queue as deep as samples in flight, which the gradient unit empties before they are all in it"
_ONE_LANE = "for update units of fewer lanes than the datapath's"

_REASONS: list[tuple[str, int, str]] = [
    # COMPONENT.SIGNAL, from which bit on, why
    (r".*\.(samples(__payload|_done)?)", 8, _SHORT),
    (r".*\.(cycles|plane_cycles|starved_cycles)(_low)?", 12, _SHORT),
    (r"dut\.(cycles|plane_cycles|starved_cycles)_high", 0, _SHORT),
    (r".*\.window_(read|write)__payload", 9, _WINDOW),
    (r"dut(\.transcoder)?\.(level_)?write__payload", 11, _WINDOW),
    (r"dut\.batch", 7, _WIDE),
    (r"dut\.features", 9, _WIDE),
    (r"dut\.heads_used", 2, _WIDE),
    (r"dut\.bound", 23, _WIDE),
    (r"dut\.value_bits", 3, _WIDE),
    (r"dut\.transcoder\.plane", 2, _WIDE),
    (r"dut\.repeater\.(place|following|last_place|(read|write)__addr)", 7, _WIDE),
    (r"dut\.threshold", 31, "of a threshold of half the model's range, which runs seldom draw"),
    (
        r"dut\.core\.update(\.phases|\.prox\d+)?\.threshold",
        15,
        "of a threshold of half the model's range, which runs seldom draw",
    ),
    (r".*\.lfsr\d*\.(back|mark|marked)", 0, _BUILD),
    (r".*\.last_head", 0, _BUILD),
    (r"dut\.core\.gradient\.pair", 0, _BUILD),
    (r"dut\.level_write__(payload|valid)", 0, _BUILD),
    (r"dut\.core\.gradient\.(pace|pacing)", 0, _ONE_LANE),
    (r"dut\.core\.update\.step", 0, _ONE_LANE),
    (r".*\.(window_write__ready|read__en)", 0, _CONSTANT),
    (r"dut\.core(\.update|\.loss)?\.flags", 0, _CONSTANT),
    (r"dut\.core\.deltas\.(level|[rw]_level)", 1, _DELTAS),
    (r"dut\.core\.deltas\.w_rdy", 0, _DELTAS),
    (r"dut\.core(\.replay)?\.full", 0, _QUEUE),
    (r"dut\.core\.replay\.level", 8, _QUEUE),
]


def reason_for(signal: str, bits: Sequence[int]) -> str | None:
    """Why ``bits`` of ``signal``, COMPONENT.NAME, are still; None where that is not known."""
    for pattern, lowest, reason in _REASONS:
        if re.fullmatch(pattern, signal) and min(bits) >= lowest:
            return reason
    return None
