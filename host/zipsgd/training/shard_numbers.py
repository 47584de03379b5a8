"""Numbers of shards and of rounds that suit the rows and the workers, where the options leave them open."""

from dataclasses import replace

from .options import Options
from .parts import Parts

__all__ = ["suitable_rounds", "suitable_shards", "with_shards"]

_LEAST_ROWS = 1024
"""Rows of a shard from which on it is worth sending, where nobody has asked for a number of shards."""


def suitable_shards(rows: int, workers: int) -> int:
    """A number of shards that suits a number of workers.

    Parameters
    ----------
    rows : int
        Rows of the set.
    workers : int
        Number of workers.

    Returns
    -------
    int
        A power of two, one shard for each worker or more; but fewer for a set whose shards would have under 1,024 rows.
    """
    wanted = 1 << max(0, workers - 1).bit_length()
    most = max(1, rows // _LEAST_ROWS)
    return min(wanted, 1 << (most.bit_length() - 1))


_ROUNDS = 4
"""Most rounds in an epoch where nobody has asked for a number; ``docs/shards.md`` shows what other numbers do."""


def suitable_rounds(rows: int, shards: int, batch: int) -> int:
    """A number of rounds in an epoch.

    Parameters
    ----------
    rows : int
        Rows of the set.
    shards : int
        Number of shards.
    batch : int
        Samples of a mini-batch.

    Returns
    -------
    int
        Half the number of shards, as few shards hardly gain by more rounds; but at most 4, and at most the mini-batches of a
        shard.
    """
    return max(1, min(_ROUNDS, shards // 2, rows // shards // batch))


def with_shards(options: Options, rows: int, parts: Parts) -> Options:
    """Options that do not leave open how the work is shared.

    Parameters
    ----------
    options : Options
        How to train.
    rows : int
        Rows of the set.
    parts : Parts
        Parts of the device, among them the number of workers.

    Returns
    -------
    Options
        The options, with numbers of shards and rounds.

    Raises
    ------
    ValueError
        It is not known how many workers there are.
    """
    shards, rounds = options.shards, options.rounds
    if isinstance(shards, str):
        if not parts.workers:
            raise ValueError(
                f"shards={shards!r} is for workers that are known in number, and this executor does not say how many it has: "
                f"give a number, such as shards=8"
            )
        shards = suitable_shards(rows, parts.workers)
    if rounds is None and shards > 1:
        rounds = 1 if options.resident else suitable_rounds(rows, shards, options.batch_size)
    return replace(options, shards=shards, rounds=rounds)
