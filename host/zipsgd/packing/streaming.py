"""Epochs of sets that are larger than memory.

A shuffled order is the worst one to read a disk in. So an epoch is made window by window, as many samples as memory has room
for: their rows are read in ascending order, and each is put where the epoch's order has it. Packed samples take (p + m) / 32
of the room of float32 features, so windows are few; if one holds the epoch, a single pass over the rows does.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from zipsgd.golden.levels import LevelTable
from zipsgd.protocol.samples import sample_bytes
from zipsgd.rows import Rows

from .codec import pack

__all__ = ["shuffled", "stream"]

_Number = TypeVar("_Number", bound=np.generic)
_Int = npt.NDArray[np.int64]

_BLOCK_BYTES = 1 << 20
"""Of float32 features read at a time: few enough for the second-level cache."""
_PLACE_BYTES = 8
"""Of a sample in a window, for its place there."""


def _in_order(
    make: Callable[[_Int], npt.NDArray[_Number]],
    sample: npt.NDArray[_Number],
    order: _Int,
    block: int,
    threads: int,
    memory: int,
    size: int,
) -> Iterator[npt.NDArray[_Number]]:
    """``make(order)``, ``size`` rows at a time, made ``block`` ascending rows at a time.

    ``sample``: a row of the results, for its shape and type. Up to ``memory`` bytes are held: the whole epoch, or a window that
    is handed out and one that is filled meanwhile; but ``size`` rows of each at least.
    """
    each = sample.nbytes + _PLACE_BYTES
    held = max(size, order.size if order.size * each <= memory else memory // (2 * each) // size * size)
    pool = ThreadPoolExecutor(threads)

    def begin(start: int) -> tuple[npt.NDArray[_Number], list[Future[None]]]:
        """The window of samples from number ``start`` on, and the blocks of it that are yet to be filled."""
        rows = order[start : start + held]
        window = np.empty((rows.size, *sample.shape), dtype=sample.dtype)

        def fill(places: _Int) -> None:
            window[places] = make(rows[places])

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
                yield window[first : first + size].copy()  # a view would keep the window
    finally:
        pool.shutdown(cancel_futures=True)


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
) -> Iterator[npt.NDArray[np.uint8]]:
    """An epoch's samples in the order of training, packed as :func:`.pack` does, ``size`` at a time, in the end maybe fewer.

    Parameters
    ----------
    values : rows of features in [-1, 1], an array or :class:`.ScaledRows`.
    labels : of all rows, int16.
    order : row numbers, the samples of the epoch in order.
    p, m, lanes, seed, epoch, levels : of :func:`.pack`.
    threads : how many read, scale and pack at once.
    memory : bytes of packed samples, and of numbers of their places, held at a time; for twice ``size`` samples at least.
        Beside them, a thread holds a block of rows, some MiB.
    size : samples handed out at a time. The samples do not depend on it, nor on ``threads`` and ``memory``.

    Raises
    ------
    ValueError
        As :func:`.pack`, when the window with the value at fault is reached.
    """

    def packed(rows: _Int) -> npt.NDArray[np.uint8]:
        return pack(values[rows], labels[rows], p, m, lanes, seed=seed, epoch=epoch, rows=rows, levels=levels)

    features = values.shape[1]
    sample = np.empty(sample_bytes(features, p, m, lanes, labels[:1].size), dtype=np.uint8)
    return _in_order(packed, sample, order, _block(features), threads, memory, size)


def shuffled(
    values: Rows, order: _Int, *, threads: int = 1, memory: int = 1 << 28, size: int = 512
) -> Iterator[npt.NDArray[np.float32]]:
    """``values[order]`` as float32, ``size`` rows at a time, in the end maybe fewer.

    ``threads``, ``memory``: as of :func:`stream`, of rows as they are. Rows in memory are taken as they come.
    """
    if isinstance(values, np.ndarray):
        return (values[order[start : start + size]] for start in range(0, order.size, size))
    sample = np.empty(values.shape[1], dtype=np.float32)
    block = _block(values.shape[1])
    return _in_order(
        lambda rows: values[rows].astype(np.float32, copy=False), sample, order, block, threads, memory, size
    )


def _block(features: int) -> int:
    """Rows read at a time."""
    return max(1, _BLOCK_BYTES // (4 * features))
