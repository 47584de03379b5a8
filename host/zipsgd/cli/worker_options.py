"""Arguments for workers that train shards."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zipsgd.backends import BackendOptions

__all__ = ["add_workers", "workers_of"]


def add_workers(command: argparse.ArgumentParser) -> None:
    """Add arguments for workers.

    Parameters
    ----------
    command : argparse.ArgumentParser
        Parser of the command.
    """
    group = command.add_argument_group(
        "workers", "processes or computers that train the shards side by side, by Dask (extra 'distributed')"
    )
    where = group.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, metavar="N", help="start N workers on this computer")
    where.add_argument(
        "--cluster", metavar="ADDRESS", help="take the workers of a Dask scheduler, such as tcp://lab:8786"
    )
    group.add_argument(
        "--spool",
        type=Path,
        metavar="FOLDER",
        help="a folder that all workers see, for the rows (default: the system's folder of temporary files, which will do for "
        "workers on this computer)",
    )
    group.add_argument(
        "--ports",
        nargs="+",
        metavar="PORT",
        help="boards that the workers train on, instead of --backend: ports or URLs, of which each worker takes one that is "
        "free; 'own' for those in the environment variable ZIPSGD_PORTS of each worker",
    )


@contextmanager
def workers_of(arguments: argparse.Namespace, backend: BackendOptions) -> Iterator[BackendOptions]:
    """Start the workers that the arguments ask for, or connect to them.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed arguments.
    backend : BackendOptions
        What each worker trains on.

    Yields
    ------
    BackendOptions
        The workers, or the backend itself.

    Raises
    ------
    MissingExtra
        Dask is not installed.
    ValueError
        The arguments contradict each other, or no scheduler answers.
    """
    if arguments.workers is None and arguments.cluster is None:
        for name in ("spool", "ports"):
            if getattr(arguments, name) is not None:
                raise ValueError(f"--{name} goes with workers: say --workers N, or --cluster ADDRESS")
        yield backend
        return
    if arguments.workers is not None and arguments.workers < 1:
        raise ValueError(f"--workers takes the number of workers, 1 or more, not {arguments.workers}")
    from zipsgd.distributed import Workers, cluster

    with cluster(arguments.cluster, arguments.workers or 0) as executor:
        ports = arguments.ports or []
        yield Workers(
            "ports" if ports else backend.name,
            backend.build,
            backend.baud,
            backend.trace,
            backend.usb,
            executor=executor,
            ports=() if ports == ["own"] else tuple(ports),
            spool=arguments.spool,
        )
