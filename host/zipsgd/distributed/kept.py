"""What a worker keeps in memory from one round to the next."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from zipsgd.backends import EpochSamples
from zipsgd.backends.base import Keep
from zipsgd.backends.packed_rows import PackedRows
from zipsgd.golden.levels import LevelTable
from zipsgd.protocol.run import LabelForm
from zipsgd.protocol.samples import SampleLayout

__all__ = ["Kept", "keep_packed"]

_READ_BYTES = 1 << 24
"""Bytes of packed rows that wait for their place while rows are packed to be kept."""


class Kept:
    """What was used last, as far as it fits into so many bytes, and the very last thing in any case."""

    def __init__(self) -> None:
        self._things: OrderedDict[Any, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Any], size: Callable[[Any], int], most: int) -> Any:
        """A thing, which is made if it is not kept.

        Parameters
        ----------
        key : hashable
            What makes two things the same one.
        make : callable
            Makes the thing.
        size : callable
            Its bytes in memory.
        most : int
            Bytes for all things.

        Returns
        -------
        object
            The thing.
        """
        with self._lock:  # threads that want the same rows read them once
            if key not in self._things:
                made = make()
                self._things[key] = made, size(made)
            self._things.move_to_end(key)
            total = sum(bytes_of for _, bytes_of in self._things.values())
            while total > most and len(self._things) > 1:
                total -= self._things.popitem(last=False)[1][1]
            return self._things[key][0]


def keep_packed(kept: Kept, shard: Hashable, room: int, most: int) -> Keep:
    """A function that keeps the rows of a shard packed.

    Parameters
    ----------
    kept : Kept
        Where they are kept.
    shard : hashable
        What makes two shards the same one, whatever their labels are.
    room : int
        Bytes for the packed rows and the labels of the shard.
    most : int
        Bytes for all that is kept.

    Returns
    -------
    Keep
        The function.
    """

    def keep(samples: EpochSamples, layout: SampleLayout, levels: LevelTable | None) -> PackedRows | None:
        planes = replace(layout, labels=1, label_form=LabelForm.BYTE)
        if len(samples.labels) * planes.plane_bytes + samples.labels.nbytes > room:
            return None
        table = None if levels is None else (levels.bits, levels.values.tobytes())
        key = shard, planes, table, samples.seed, samples.epoch
        rows: PackedRows = kept.get(
            key, partial(_packed, samples, planes, levels), lambda made: made.planes.nbytes, most
        )
        return rows

    return keep


def _packed(samples: EpochSamples, layout: SampleLayout, levels: LevelTable | None) -> PackedRows:
    """Pack all rows, block by block, and drop their labels."""
    count, done = len(samples.labels), 0
    planes = np.empty((count, layout.plane_bytes), dtype=np.uint8)
    in_order = replace(
        samples,
        labels=np.zeros(count, dtype=np.int16),
        order=np.arange(count),
        memory=_READ_BYTES,
        keep=None,
    )
    for part in in_order.packed(layout, levels):
        planes[done : done + len(part)] = part[:, layout.label_bytes :]
        done += len(part)
    return PackedRows(planes)
