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
_DEGREE = "as wide as a polynomial of the highest degree of any build needs"
_LARGE = "top of a sum over a model as large as can be, of words that are all alike"
_SIGN = "sign of what is never negative, and the bit below it, of a threshold of half the model's range"
_SQUARE = "bit 1 of a square, which is always 0, and the top of one, which only the least number has"
_ODD = "the last bit of a mini-batch's sum, which is set at all base planes and two samples per value alone"

_TERMS = frozenset({1, 23, 25} | {lane + bit for lane in range(0, 52, 13) for bit in (11, 12)})
"""Of the squares, of 24 bits a lane, and of the sums' terms, of 13 bits, which have a name in common."""

_REASONS: list[tuple[str, int | frozenset[int], str]] = [
    # COMPONENT.SIGNAL, from which bit on or which ones, why
    (r".*\.(counters__)?(samples(__payload|_done)?)", 8, _SHORT),
    (r".*\.(counters__)?(cycles|plane_cycles)(_low)?", 12, _SHORT),
    (r".*\.(counters__)?starved_cycles(_low)?", 11, _SHORT),
    (r"dut(\.core(\.loss)?)?\.loss", 40, _SHORT),
    (r"dut\.loss_high", 8, _SHORT),
    (r"dut\.(cycles|plane_cycles|starved_cycles)_high", 0, _SHORT),
    (r".*\.model_window__(read|write)__payload", 9, _WINDOW),
    (r"dut(\.transcoder)?\.level_window__payload", 11, _WINDOW),
    (r"dut\.batch", 7, _WIDE),
    (r"dut\.features", 9, _WIDE),
    (r"dut\.heads_used", 2, _WIDE),
    (r"dut\.bound", 23, _WIDE),
    (r"dut\.value_bits", 3, _WIDE),
    (r"dut\.transcoder\.plane", 2, _WIDE),
    (r"dut\.repeater\.(place|after|following|written|kept|level|(read|write)__addr)", 7, _WIDE),
    (r"dut\.threshold", 31, "of a threshold of half the model's range, which runs seldom draw"),
    (r"dut\.core\.update(\.phases|\.prox\d+)?\.constants__thresholds", 34, _SIGN),
    (r"dut\.core\.update(\.phases|\.prox\d+)?\.constants__bounds", 23, _SIGN),
    (r".*\.coefficient_window__payload", 5, _WINDOW),
    (r".*\.variance_window__payload", 9, _WINDOW),
    (r"dut(\.core(\.doubts)?)?\.doubt_window__offset", 1, _SHORT),
    (r"dut\.core\.doubts\.(place|read__addr)", 1, _SHORT),
    (r"dut\.core\.doubts\.gathered", 31, "the last bit of a word, with which it is written"),
    (r"dut\.(degree|up_planes)", 2, _DEGREE),
    (r"dut\.core\.spacing", 4, _DEGREE),
    (r"dut\.core\.loss\.evaluator\.count", 3, _DEGREE),
    (r"dut\.core\.loss\.evaluator\.summed", 7, _DEGREE),
    (r".*\.inward", 0, _BUILD),
    (r"dut\.core\.norms\.spared", 0, _BUILD),
    (r"dut\.core(\.norms|\.loss)?\.bounds", 19, _LARGE),
    (r"dut\.core\.norms\.(above|below)", 19, _LARGE),
    (r"dut\.core\.norms\.(above|below)\.(terms|total)", 11, _LARGE),
    (r"dut\.core\.norms\.(square|total)", 13, _LARGE),
    (r"dut\.core\.norms\.(bits_for_half|half)", 4, _LARGE),
    (r"dut\.core\.norms\.squares\.total", 24, _LARGE),
    (r"dut\.core\.norms(\.squares)?\.terms", _TERMS, _SQUARE),
    (r"dut\.core\.gradient\.rested", frozenset(range(0, 512, 32)), _ODD),
    (r".*\.lfsr\d*\.(back|mark|marked)", 0, _BUILD),
    (r".*\.last_head", 0, _BUILD),
    (r"dut\.core\.gradient\.pair", 0, _BUILD),
    (r"dut\.core\.gradient\.(pace|pacing)", 0, _ONE_LANE),
    (r"dut\.core\.update\.step", 0, _ONE_LANE),
    (r".*\.(model_window__write__ready|read__en)", 0, _CONSTANT),
    (r"dut\.core(\.update|\.loss)?\.flags", 0, _CONSTANT),
    (r"dut\.core\.deltas\.(level|[rw]_level)", 1, _DELTAS),
    (r"dut\.core\.deltas\.w_rdy", 0, _DELTAS),
    (r"dut\.core(\.replay)?\.full", 0, _QUEUE),
    (r"dut\.core\.replay\.level", 8, _QUEUE),
]


def reason_for(signal: str, bits: Sequence[int]) -> str | None:
    """Why ``bits`` of ``signal``, COMPONENT.NAME, are still; None where that is not known."""
    for pattern, known, reason in _REASONS:
        stays = min(bits) >= known if isinstance(known, int) else known.issuperset(bits)
        if re.fullmatch(pattern, signal) and stays:
            return reason
    return None
