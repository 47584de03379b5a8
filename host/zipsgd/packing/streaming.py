"""Packed epochs of data sets that are larger than memory.

A shuffled order is the worst one for reading a disk. So an epoch is packed window by window, each with as many samples as fit
in memory. The rows of a window are read in ascending order, and each is written to its place in the epoch's order. Packed
samples take (p + m) / 32 of the memory of float32 features, so there are few windows. If one window holds the whole epoch, a
single pass over the rows is enough.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from zipsgd.golden.levels import LevelTable
from zipsgd.protocol.samples import SampleLayout
from zipsgd.rows import Rows

from .codec import pack

__all__ = ["shuffled", "stream"]

_Number = TypeVar("_Number", bound=np.generic)
_Int = npt.NDArray[np.int64]

_BLOCK_BYTES = 1 << 20
"""Bytes of float32 features that are read at a time: few enough for the second-level cache."""
_PLACE_BYTES = 8
"""Bytes for the place of a sample in a window."""


def _in_order(
    make: Callable[[_Int], npt.NDArray[_Number]],
    sample: npt.NDArray[_Number],
    order: _Int,
    block: int,
    threads: int,
    memory: int,
    size: int,
) -> Iterator[npt.NDArray[_Number]]:
    """``make(order)``, ``size`` rows at a time, computed in blocks of ``block`` rows in ascending order.

    ``sample`` has the shape and type of one result. At most ``memory`` bytes are in use: either the whole epoch, or one window
    that is handed out and another one that is filled meanwhile, but at least ``size`` rows of each.
    """
    each = sample.nbytes + _PLACE_BYTES
    held = max(size, order.size if order.size * each <= memory else memory // (2 * each) // size * size)
    pool = ThreadPoolExecutor(threads)

    def begin(start: int) -> tuple[npt.NDArray[_Number], list[Future[None]]]:
        """The window of samples from number ``start`` on, and its blocks that remain to be filled."""
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
                yield window[first : first + size].copy()  # a view would keep the window in memory
    finally:
        pool.shutdown(cancel_futures=True)


def stream(
    values: Rows,
    labels: npt.NDArray[np.int16],
    order: _Int,
    layout: SampleLayout,
    *,
    seed: int,
    epoch: int,
    levels: LevelTable | None = None,
    threads: int = 1,
    memory: int = 1 << 28,
    size: int = 512,
) -> Iterator[npt.NDArray[np.uint8]]:
    """Pack the samples of an epoch in the order of training, as :func:`.pack` does.

    Parameters
    ----------
    values : Rows of shape (rows, features)
        Features in [-1, 1], as an array or :class:`.ScaledRows`.
    labels : npt.NDArray[np.int16] of shape (rows,) or (rows, labels)
        Labels of all rows.
    order : npt.NDArray[np.int64] of shape (samples,)
        Row numbers of the epoch's samples, in order.
    layout : SampleLayout
        The layout.
    seed, epoch : int
        Seed and epoch of the up bits.
    levels : LevelTable | None
        Levels of each column; None for evenly spaced levels.
    threads : int
        Number of threads that read, scale and pack.
    memory : int
        Bytes for packed samples and their places, but at least the bytes for twice ``size`` samples. In addition, each thread
        holds a block of rows of a few MiB.
    size : int
        Samples per block. The samples do not depend on ``size``, ``threads`` or ``memory``.

    Returns
    -------
    Iterator[npt.NDArray[np.uint8]] of shape (at most ``size``, layout.size)
        Blocks of packed samples; only the last one may have fewer than ``size``.

    Raises
    ------
    ValueError
        As :func:`.pack`, when iteration reaches the window with the invalid value.
    """

    def packed(rows: _Int) -> npt.NDArray[np.uint8]:
        return pack(values[rows], labels[rows], layout, seed=seed, epoch=epoch, rows=rows, levels=levels)

    sample = np.empty(layout.size, dtype=np.uint8)
    return _in_order(packed, sample, order, _block(layout.features), threads, memory, size)


def shuffled(
    values: Rows, order: _Int, *, threads: int = 1, memory: int = 1 << 28, size: int = 512
) -> Iterator[npt.NDArray[np.float32]]:
    """``values[order]`` as float32, block by block.

    Parameters
    ----------
    values : Rows of shape (rows, features)
        Features. An array in memory is indexed directly.
    order : npt.NDArray[np.int64] of shape (samples,)
        Row numbers of the epoch's samples, in order.
    threads : int
        Number of threads that read.
    memory : int
        Bytes for rows, as for :func:`stream`.
    size : int
        Rows per block.

    Returns
    -------
    Iterator[npt.NDArray[np.float32]] of shape (at most ``size``, features)
        Blocks of rows.
    """
    if isinstance(values, np.ndarray):
        return (values[order[start : start + size]] for start in range(0, order.size, size))
    sample = np.empty(values.shape[1], dtype=np.float32)
    block = _block(values.shape[1])
    return _in_order(
        lambda rows: values[rows].astype(np.float32, copy=False), sample, order, block, threads, memory, size
    )


def _block(features: int) -> int:
    """Rows that are read at a time."""
    return max(1, _BLOCK_BYTES // (4 * features))
