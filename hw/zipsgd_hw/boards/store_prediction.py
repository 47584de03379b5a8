"""Whether a set fits into a build's store, and how long an epoch from there takes, from the build's parameters alone."""

from dataclasses import replace
from typing import Any

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import BLOCK_ROWS
from zipsgd.protocol.samples import SampleLayout
from zipsgd.protocol.store import StoreLayout
from zipsgd_hw.datapath.datapath import Datapath
from zipsgd_hw.datapath.sample_repeater import SampleRepeater
from zipsgd_hw.datapath.sample_unpacker import SampleUnpacker
from zipsgd_hw.store.block_reader import BlockReader
from zipsgd_hw.store.pace import StorePace

from .epoch_cycles import Supply, epoch_cycles

__all__ = ["predict_room", "predict_store_epoch"]

_KEPT_WORDS = 3
"""Words before the unpacker that wait in registers while the core takes no planes."""


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _most_bits(build: Build, rows: int, sample: SampleLayout) -> int | None:
    """Most bits a value at which all rows fit, with as many up planes; None if there is none."""
    least = 0 if build.level_bits else 1
    for p in range(build.p_max, least - 1, -1):
        other = replace(sample, p=p)
        if other.planes and other.chunks * other.planes <= build.replay_words:
            layout = StoreLayout(rows, other.size, build.word_bytes)
            if layout.bursts <= build.store_bursts:
                return other.planes
    return None


def predict_room(build: Build, rows: int, sample: SampleLayout) -> dict[str, Any]:
    """How much of a set fits into a build's store.

    Parameters
    ----------
    build : Build
        Build parameters, with a store.
    rows : int
        Rows of the set.
    sample : SampleLayout
        Layout of a sample.

    Returns
    -------
    dict of str to bool, int, str or None
        ``room``, a sentence; ``fits``, whether all rows fit; ``rows_that_fit``; ``boards`` that together hold all rows, None if
        a board holds none; ``most_bits``, the most bits a value at which all rows fit, None if there are none.
    """
    layout = StoreLayout(rows, sample.size, build.word_bytes)
    held = min(rows, layout.rows_within(build.store_bursts))
    boards = -(-rows // held) if held else None
    most = _most_bits(build, rows, sample)
    bits = _counted(sample.planes, "bit")
    if held == rows:
        room = f"all {rows:,} rows fit at {bits}"
        if most is not None and most > sample.planes:
            room += f", and at up to {_counted(most, 'bit')}"
    else:
        ways = [] if boards is None else [_counted(boards, "board")]
        ways += [] if most is None else [_counted(most, "bit")]
        room = f"{held:,} of {rows:,} rows fit at {bits}"
        room += f"; {' or '.join(ways)} would hold all" if ways else ""
    return {"room": room, "fits": held == rows, "rows_that_fit": held, "boards": boards, "most_bits": most}


def _spread(cycles: float, like: list[int]) -> tuple[float, ...]:
    """Cycles of a sample over its chunks, in the proportions of others."""
    return tuple(cycles * part / sum(like) for part in like)


def _ahead(build: Build, sample: SampleLayout, unpacker: list[int]) -> float:
    """Cycles by which the unpacker is ahead of the core at most; ``unpacker``: those of each chunk."""
    words = sample.chunks * sample.planes
    kept = Datapath.most_planes(build)
    if build.heads > 1:  # the repeater takes in planes of the next samples, each behind its first label
        room = (build.replay_words - words + kept) / words
        return sum(unpacker) * min(room, SampleRepeater.most_labels(build) / sample.labels)
    return sum(unpacker) * min(1.0, kept / words)


def predict_store_epoch(
    build: Build, pace: StorePace, sample: SampleLayout, sizes: dict[str, Any]
) -> dict[str, Any]:
    """How long an epoch on the samples of a store takes.

    Parameters
    ----------
    build : Build
        Build parameters, with a store.
    pace : StorePace
        How fast the store is read.
    sample : SampleLayout
        Layout of a sample.
    sizes : dict of str to int
        Keyword arguments of :func:`.epoch_cycles`.

    Returns
    -------
    dict of str to float or str
        ``cycles_per_sample``; ``seconds`` of an epoch; ``bound_by``, what alone takes longest: "memory", "unpacker", or
        "datapath".
    """
    rows = sizes["samples"]
    layout = StoreLayout(rows, sample.size, build.word_bytes)
    in_block = min(rows, BLOCK_ROWS)
    read = pace.cycles(layout.block_bursts) / in_block
    passed = BlockReader.cycles(build, layout.block_bursts) / in_block
    unpacker = SampleUnpacker.cycles(build, sample)
    ahead = _ahead(build, sample, unpacker)
    words = ahead * SampleUnpacker.most_bytes(build) / build.word_bytes + _KEPT_WORDS
    supplies = (
        Supply(_spread(read, unpacker), words + pace.ahead_words),
        Supply(_spread(passed, unpacker), words),
        Supply(tuple(unpacker), ahead),
    )
    cycles = epoch_cycles(build, **sizes, supplies=supplies)
    alone = {
        "memory": max(read, passed),
        "unpacker": sum(unpacker),
        "datapath": epoch_cycles(build, **sizes) / rows,
    }
    return {
        "cycles_per_sample": round(cycles / rows, 3),
        "seconds": cycles / build.clock_hz,
        "bound_by": max(alone, key=lambda name: alone[name]),
    }
