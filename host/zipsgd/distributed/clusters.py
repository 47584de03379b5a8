"""Workers by Dask, on this computer or those of a scheduler; and how many workers an executor has."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from typing import Any

from zipsgd.extras import extra

__all__ = ["capacity_of", "cluster"]


def capacity_of(executor: Executor) -> int:
    """How many calls an executor works on at the same time.

    Parameters
    ----------
    executor : Executor
        An executor.

    Returns
    -------
    int
        Threads of all workers of Dask, processes of loky and MPI, or of whatever else has such a number; 0 if it does not say.
    """
    client = getattr(executor, "_client", None)
    if client is not None:  # of Dask
        return sum(client.nthreads().values())
    for name in ("num_workers", "_max_workers"):  # of mpi4py; of Python's own executors and loky
        if isinstance(found := getattr(executor, name, None), int):
            return found
    return 0


@contextmanager
def cluster(address: str | None = None, workers: int = 0) -> Iterator[Executor]:
    """Connect to a Dask scheduler, or start workers on this computer.

    Parameters
    ----------
    address : str or None
        Address of a scheduler, such as "tcp://lab:8786"; None for workers of this computer, which end with the context.
    workers : int
        Number of workers on this computer; 0 for one on each core.

    Yields
    ------
    Executor
        What sends the workers work, for :class:`.workers.Workers`. Dask starts a worker anew that was killed, and does its work
        again.

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
                    preload=["zipsgd.distributed.preload"],
                )
            )
        try:
            client = stack.enter_context(made.Client(where, timeout=10))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"no Dask scheduler answers at {address} ({error}): start one with 'dask scheduler', or correct the address"
            ) from None

        client.wait_for_workers(max(1, workers))
        yield client.get_executor()
