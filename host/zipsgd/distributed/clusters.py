"""Workers by Dask: on this computer, or those of a scheduler."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from typing import Any

from zipsgd.extras import extra

from .workers import Hire

__all__ = ["cluster", "executors_of"]


def executors_of(client: Any) -> list[Executor]:
    """An executor for each worker of a Dask cluster, so that a shard comes to the same worker in each round if that is there.

    Parameters
    ----------
    client : distributed.Client
        The client.

    Returns
    -------
    list of Executor
        One for each worker, in the order of their addresses.

    Raises
    ------
    RuntimeError
        The cluster has no workers.
    """
    client.wait_for_workers(1)
    addresses = sorted(client.scheduler_info(n_workers=-1)["workers"])
    return [
        client.get_executor(workers=[address], allow_other_workers=True, pure=False) for address in addresses
    ]


@contextmanager
def cluster(address: str | None = None, workers: int = 0) -> Iterator[Hire]:
    """Connect to a Dask scheduler, or start workers on this computer.

    Parameters
    ----------
    address : str or None
        Address of a scheduler, such as "tcp://lab:8786"; None for workers of this computer, which end with the context.
    workers : int
        Number of workers on this computer; 0 for one on each core.

    Yields
    ------
    callable
        Returns an executor for each worker that is there, for :class:`.workers.Workers`.

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
                    n_workers=workers or None, threads_per_worker=1, dashboard_address=None, memory_limit=0
                )
            )
        try:
            client = stack.enter_context(made.Client(where, timeout=10))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"no Dask scheduler answers at {address} ({error}): start one with 'dask scheduler', or correct the address"
            ) from None

        def hire() -> Sequence[Executor]:
            return executors_of(client)

        yield hire
