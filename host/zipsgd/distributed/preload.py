"""What the workers that this computer's Dask starts do first. Dask calls :func:`dask_setup` in each of them."""

import logging
import signal

__all__ = ["dask_setup"]


def dask_setup(worker: object) -> None:
    """Leave Ctrl-C to the process that started the workers, which ends them; and do not warn of calls that end with them.

    Parameters
    ----------
    worker : object
        The worker of Dask.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("distributed.worker.state_machine").setLevel(logging.ERROR)
