"""A shard's part of a round: a pure function from a model to a model, wherever it runs."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from zipsgd.backends import Backend, EpochResult
from zipsgd.backends.base import Keep
from zipsgd.golden.averaging import shard_seed
from zipsgd.golden.diagonal import Growth
from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig

from .shards import Round, ShardRows

__all__ = ["Done", "train_shard"]

_Int = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Done:
    """What a shard's part of a round gives.

    Parameters
    ----------
    model : npt.NDArray[np.int32] of shape (heads, features)
        The model's words.
    result : EpochResult
        Loss, flags and counts.
    samples : int
        Samples that were taken.
    where : str
        Who computed it.
    """

    model: npt.NDArray[np.int32]
    result: EpochResult
    samples: int
    where: str = ""


def train_shard(
    backend: Backend,
    config: RunConfig,
    rows: ShardRows,
    turn: Round,
    model: npt.NDArray[np.int32],
    step: Step,
    shards: int,
    shard: int,
    keep: Keep | None = None,
) -> Done:
    """Train a shard in a round.

    Parameters
    ----------
    backend : Backend
        Open backend, of any state.
    config : RunConfig
        Configuration of the run.
    rows : ShardRows
        The shard's rows.
    turn : Round
        The round.
    model : npt.NDArray[np.int32] of shape (heads, features)
        The model before the round.
    step : Step
        Step of the epoch. Its growth is made anew, for the shard's samples.
    shards, shard : int
        Number of shards, and the shard.
    keep : Keep or None
        As of :meth:`.Round.samples`.

    Returns
    -------
    Done
        Model and counts, which do not depend on the backend.

    Raises
    ------
    ValueError
        The shard has no samples in this round.
    """
    samples = turn.samples(rows, shards, shard, config.batch, keep)
    if not samples.order.size:
        raise ValueError(
            f"shard {shard} of {shards} has {len(rows.labels):,} rows, too few for {turn.parts} rounds in an epoch with "
            f"mini-batches of {config.batch}: take fewer shards, fewer rounds or smaller mini-batches"
        )
    # The turns of shards and rounds follow each other, so that together they are even
    before = turn.number * shards + shard
    growth = Growth.of_samples(config.diagonal, step.value, samples.order.size, config.batch, before)
    words = model.astype(np.int64).reshape(config.model_shape())
    backend.begin(config, words, shard_seed(turn.seed, shards, shard), turn.number)
    result = backend.epoch(samples, replace(step, growth=growth), lambda samples: None)
    after = backend.model().reshape(model.shape).astype(np.int32)
    return Done(after, replace(result, doubts=None, scores=None), samples.order.size)
