"""Workers by Dask: on this computer, or those of a scheduler."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from zipsgd.extras import extra

__all__ = ["Cluster", "cluster"]


@dataclass(frozen=True)
class Cluster:
    """Workers of Dask.

    Parameters
    ----------
    executor : Executor
        What sends them work, for :class:`.workers.Workers`. Dask starts a worker anew that was killed, and does its work again.
    workers : int
        How many there were in the beginning.
    """

    executor: Executor
    workers: int


@contextmanager
def cluster(address: str | None = None, workers: int = 0) -> Iterator[Cluster]:
    """Connect to a Dask scheduler, or start workers on this computer.

    Parameters
    ----------
    address : str or None
        Address of a scheduler, such as "tcp://lab:8786"; None for workers of this computer, which end with the context.
    workers : int
        Number of workers on this computer; 0 for one on each core.

    Yields
    ------
    Cluster
        The workers.

    Raises
    ------
    MissingExtra
        Dask is not installed.
    ValueError
        No scheduler answers at the address.
    """
    with extra("distributed", "training on workers"):
        import distributed

        made: Any = distributed
    with ExitStack() as stack:
        where: Any = address
        if address is None:
            where = stack.enter_context(
                made.LocalCluster(
                    n_workers=workers or None,
                    threads_per_worker=1,
                    dashboard_address="127.0.0.1:0",
                    memory_limit=0,
                )
            )
        try:
            client = stack.enter_context(made.Client(where, timeout=10))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"no Dask scheduler answers at {address} ({error}): start one with 'dask scheduler', or correct the address"
            ) from None

        client.wait_for_workers(max(1, workers))
        yield Cluster(client.get_executor(), len(client.scheduler_info(n_workers=-1)["workers"]))
