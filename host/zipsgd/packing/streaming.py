"""Epochs of sets that are larger than memory."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from zipsgd.golden.levels import LevelTable
from zipsgd.golden.weave import sample_bytes

from .codec import pack
from .rows import Rows

__all__ = ["stream"]

_Bytes = npt.NDArray[np.uint8]
_Int = npt.NDArray[np.int64]

_BLOCK_BYTES = 1 << 20
"""Of float32 features read at a time: few enough for the second-level cache."""


def stream(
    values: Rows,
    labels: npt.NDArray[np.int16],
    order: _Int,
    p: int,
    m: int,
    lanes: int,
    *,
    seed: int,
    epoch: int,
    levels: LevelTable | None = None,
    threads: int = 1,
    memory: int = 1 << 28,
    size: int = 512,
) -> Iterator[_Bytes]:
    """An epoch's samples in the order of training, packed as :func:`.pack` does, ``size`` at a time.

    A shuffled order is the worst one to read a disk in. But packed samples take (p + m) / 32 of the room of float32 features,
    and their bits depend on row numbers alone. So rows are read in ascending order, and each sample is put where the epoch's
    order has it. If all packed samples fit into ``memory``, one pass over the rows does. Otherwise the epoch is handed out
    window by window, each packed in one pass over those rows that it wants, while the one before it is handed out.

    Parameters
    ----------
    values : rows of features in [-1, 1], an array or :class:`.ScaledRows`.
    labels : of all rows, in units of 2^-15.
    order : row numbers, the samples of the epoch in order.
    p, m, lanes, seed, epoch, levels : of :func:`.pack`.
    threads : how many read, scale and pack at once.
    memory : bytes of packed samples held at a time. Beside them, a thread holds a block of rows, some MiB.
    size : samples handed out at a time. The samples do not depend on it, nor on ``threads`` and ``memory``.

    Raises
    ------
    ValueError
        As :func:`.pack`, when the window with the value at fault is reached.
    """
    features = values.shape[1]
    each = sample_bytes(features, p, m, lanes)
    block = max(1, _BLOCK_BYTES // (4 * features))
    held = max(1, order.size if order.size * each <= memory else memory // (2 * each))
    pool = ThreadPoolExecutor(threads)

    def begin(start: int) -> tuple[_Bytes, list[Future[None]]]:
        """The window of samples from number ``start`` on, and the blocks of it that are yet to be filled."""
        rows = order[start : start + held]
        window = np.empty((rows.size, each), dtype=np.uint8)

        def fill(places: _Int) -> None:
            wanted = rows[places]
            window[places] = pack(
                values[wanted],
                labels[wanted],
                p,
                m,
                lanes,
                seed=seed,
                epoch=epoch,
                rows=wanted,
                levels=levels,
            )

        ascending = np.argsort(rows)
        return window, [
            pool.submit(fill, ascending[first : first + block]) for first in range(0, rows.size, block)
        ]

    try:
        ahead = begin(0)
        for start in range(0, order.size, held):
            window, blocks = ahead
            for filled in blocks:
                filled.result()
            if start + held < order.size:
                ahead = begin(start + held)
            for first in range(0, len(window), size):
                yield window[first : first + size]
    finally:
        pool.shutdown(cancel_futures=True)
