"""Training on workers, in one call."""

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from zipsgd.training.api import train as train_here
from zipsgd.training.option_words import options_with
from zipsgd.training.options import Options
from zipsgd.training.result import Result

from .workers import Workers

__all__ = ["train"]


def train(
    X: Any,
    y: Any = None,
    options: Options | None = None,
    *,
    executor: Executor | Callable[[], Executor],
    backend: str = "emulator",
    ports: tuple[str, ...] = (),
    spool: str | Path | None = None,
    worker_memory: int = 1 << 30,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    **words: Any,
) -> Result:
    """Train on workers that share the work.

    Parameters
    ----------
    X, y, options
        Data and options, see :func:`zipsgd.train`. ``shards`` and ``rounds`` among the options say how the work is shared.
        Where no options are given, the number of shards is one that suits rows and workers.
    executor : Executor or callable
        Where the workers are, see :class:`.Workers`; of Dask ``client.get_executor()``.
    backend : str
        What each worker trains on: "emulator", "golden", "sim", or "ports" for boards.
    ports, spool
        See :class:`.Workers`.
    worker_memory : int
        Its ``memory``.
    checkpoint, resume, words
        See :func:`zipsgd.train`. A run may go on with other workers, and other numbers of them.

    Returns
    -------
    RegressionResult or ClassifierResult
        The model, and a record of the run. Its bits are those of :func:`zipsgd.train` with the same options.

    Raises
    ------
    RoundFailed
        A shard was lost time and again.
    DataError, LimitError, ValueError, OutputError
        See :func:`zipsgd.train`.
    """
    own = {
        name: words.pop(name) for name in ("weights", "validation", "memory", "callbacks") if name in words
    }
    if options is None:
        words.setdefault("shards", "auto")
    workers = Workers(backend, executor=executor, ports=ports, spool=spool, memory=worker_memory)
    return train_here(
        X, y, options_with(options, words), backend=workers, checkpoint=checkpoint, resume=resume, **own
    )
