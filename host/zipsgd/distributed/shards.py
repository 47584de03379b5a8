"""Shards of a data set: which rows they have, and the samples of each in a round."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from zipsgd.backends import EpochSamples, Stored
from zipsgd.backends.base import Keep
from zipsgd.fixed_rows import FixedRows
from zipsgd.golden.averaging import shard_seed
from zipsgd.golden.order import Order, row_order
from zipsgd.protocol.numbers import BLOCK_ROWS
from zipsgd.rows import Rows, RowSelection, in_memory
from zipsgd.training.task import shuffled

__all__ = ["Round", "ShardRows", "rows_of_shard"]

_Int = npt.NDArray[np.int64]

_RUNS = 32
"""Runs of neighbouring rows in a shard. Each is read at once; and of a file that is sorted, by class for instance, each shard
still gets rows of every part."""


def rows_of_shard(rows: int, shards: int, shard: int) -> _Int:
    """The rows of a shard: runs of neighbouring rows, dealt to the shards in turn.

    Parameters
    ----------
    rows : int
        Rows of the set, at least one for each shard.
    shards : int
        Number of shards.
    shard : int
        Number of the shard, counted from 0.

    Returns
    -------
    npt.NDArray[np.int64] of shape (samples,)
        Row numbers in ascending order. The sizes of two shards differ by 32 rows at most.

    Raises
    ------
    ValueError
        There are more shards than rows.
    """
    if rows < shards:
        raise ValueError(f"{rows:,} rows cannot be dealt to {shards:,} shards: take fewer shards")
    stripes = min(_RUNS, rows // shards)
    bounds = np.arange(stripes * shards + 1) * rows // (stripes * shards)
    # Each stripe of the set is dealt from another shard on, so that no shard always gets the longer runs
    runs = [stripe * shards + (shard + stripe) % shards for stripe in range(stripes)]
    return np.concatenate([np.arange(bounds[run], bounds[run + 1]) for run in runs])


@dataclass(frozen=True, eq=False)
class ShardRows:
    """The rows of a shard.

    Parameters
    ----------
    values : Rows of shape (rows, features)
        Scaled values.
    labels : npt.NDArray[np.int16] of shape (rows,) or (rows, heads)
        Scaled labels, or class numbers.
    """

    values: Rows
    labels: npt.NDArray[np.int16]

    @classmethod
    def of(
        cls, values: Rows, labels: npt.NDArray[np.int16], shards: int, shard: int, memory: int
    ) -> "ShardRows":
        """The rows of one shard of a set.

        Parameters
        ----------
        values, labels
            Those of the whole set.
        shards, shard : int
            As of :func:`rows_of_shard`.
        memory : int
            Bytes for the values. Larger ones stay where they are.

        Returns
        -------
        ShardRows
            The rows, in memory if there is room.
        """
        if shards == 1:
            return cls(values, labels)
        index = rows_of_shard(len(labels), shards, shard)
        part: Rows = RowSelection(values, index)
        if 4 * index.size * values.shape[1] <= memory:
            part = in_memory(part)
        return cls(part, labels[index])

    def stored(self, seed: int) -> _Int:
        """Row numbers in the order of a device's store: the same array each time, by which a backend knows the set again.

        Parameters
        ----------
        seed : int
            Seed of the shard.

        Returns
        -------
        npt.NDArray[np.int64] of shape (rows,)
            The numbers.
        """
        if seed not in self._stored:
            self._stored[seed] = shuffled(len(self.labels), seed, 0)
        return self._stored[seed]

    @cached_property
    def _stored(self) -> dict[int, _Int]:
        return {}

    @cached_property
    def fixed(self) -> FixedRows:
        """FixedRows: Where an emulator keeps the values as fixed-point numbers."""
        return FixedRows()

    @property
    def size(self) -> int:
        """int: Bytes in memory. Values that are mapped from a file take none."""
        values = self.values
        read = values.nbytes if isinstance(values, np.ndarray) and values.flags.owndata else 0
        return self.labels.nbytes + read


@dataclass(frozen=True, eq=False)
class Round:
    """What determines the samples of a shard in a round, besides its rows.

    Parameters
    ----------
    seed : int
        Seed of the run.
    epoch : int
        The epoch, counted from 0, which determines the order.
    drawn : int
        The epoch that the up bits are drawn for.
    part, parts : int
        Number of the round in the epoch, counted from 0, and rounds of an epoch: each takes its part of the
        shard's mini-batches.
    stored : bool
        Whether the samples may lie in a device's store.
    order : npt.NDArray[np.int64] of shape (samples,) or None
        The shard's samples in the epoch, as row numbers in the shard; None for all of its rows in a random order.
    memory, once
        As of :class:`zipsgd.backends.EpochSamples`.
    """

    seed: int
    epoch: int
    drawn: int
    part: int = 0
    parts: int = 1
    stored: bool = False
    order: _Int | None = None
    memory: int = 1 << 28
    once: bool = False

    @property
    def number(self) -> int:
        """int: Number of the round since training began, counted from 0."""
        return self.epoch * self.parts + self.part

    def samples(
        self, rows: ShardRows, shards: int, shard: int, batch: int, keep: Keep | None = None
    ) -> EpochSamples:
        """The samples of a shard.

        Parameters
        ----------
        rows : ShardRows
            The shard's rows.
        shards, shard : int
            Number of shards, and the shard.
        batch : int
            Samples of a mini-batch. Only the last mini-batch of an epoch has fewer.
        keep : Keep or None
            Keeps the rows packed where they have the same bits in all rounds.

        Returns
        -------
        EpochSamples
            The samples, with the shard's own seed. A single shard has those of a run without shards.
        """
        seed, count = shard_seed(self.seed, shards, shard), len(rows.labels)
        all_samples = EpochSamples(
            rows.values,
            rows.labels,
            np.empty(0, np.int64),
            seed,
            self.drawn,
            self.memory,
            once=self.once,
            keep=keep if self.once else None,
            fixed=rows.fixed,
        )
        if self.stored:
            kept = rows.stored(seed)
            blocks = Order.draw(-(-count // BLOCK_ROWS), seed, self.epoch)
            return replace(all_samples, order=kept[row_order(blocks, count)], stored=Stored(kept, blocks))
        order = shuffled(count, seed, self.epoch) if self.order is None else self.order
        batches = -(-order.size // batch)
        start, end = (batches * (self.part + more) // self.parts * batch for more in (0, 1))
        return all_samples.in_order(order[start:end])
