"""The engines that the bench of shards compares, and what kills their workers."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from zipsgd.distributed import cluster
from zipsgd.extras import extra

__all__ = ["ENGINES", "by_mpi", "engine", "killing"]

ENGINES = ("dask", "loky", "mpi4py", "threads")


@contextmanager
def engine(name: str, workers: int) -> Iterator[Callable[[], Executor]]:
    """Workers of an engine of this computer. Those of mpi4py begin with the interpreter, see :func:`by_mpi`.

    Parameters
    ----------
    name : str
        One of :data:`ENGINES`, or "processes".
    workers : int
        Number of workers.

    Yields
    ------
    callable
        Returns the executor.
    """
    if name == "dask":
        with cluster(workers=workers) as found:
            yield lambda: found
    elif name == "loky":
        with extra("test", "this bench"):
            import loky
        yield lambda: loky.get_reusable_executor(max_workers=workers, reuse=True)
        loky.get_reusable_executor().shutdown(kill_workers=True)
    elif name == "threads":
        with ThreadPoolExecutor(workers) as pool:
            yield lambda: pool
    else:
        yield lambda: ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


def by_mpi(code: str, workers: int) -> str:
    """Run code that has ``executor``, whose workers are processes of MPI.

    Parameters
    ----------
    code : str
        Lines of Python that print something.
    workers : int
        Number of workers.

    Returns
    -------
    str
        What they print.
    """
    lines = "".join(f"        {line}\n" for line in code.splitlines())
    program = (
        "from mpi4py.futures import MPIPoolExecutor\nif __name__ == '__main__':\n"
        f"    with MPIPoolExecutor() as executor:\n{lines}"
    )
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "by_mpi.py"
        script.write_text(program)
        launch = str(Path(sys.executable).with_name("mpiexec"))
        command = [launch, "-n", str(workers + 1), sys.executable, "-m", "mpi4py.futures", str(script)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@contextmanager
def killing(kills: int, most_seconds: float, seed: int = 1) -> Iterator[list[int]]:
    """Kill children of this process at random times meanwhile.

    Parameters
    ----------
    kills : int
        How often.
    most_seconds : float
        Most seconds between two.
    seed : int
        Seed of the times and of the choice.

    Yields
    ------
    list of int
        The processes that were killed.
    """
    draw, over, killed = random.Random(seed), threading.Event(), list[int]()

    def kill() -> None:
        while len(killed) < kills and not over.wait(draw.uniform(0.05, most_seconds)):
            children = _children()
            if children:
                victim = draw.choice(children)
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def _children() -> list[int]:
    """The workers among this process's children, which run Python's spawn or loky's main."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        text = b" ".join(words)
        if (
            parent == os.getpid()
            and (b"popen_loky" in text or b"spawn_main" in text)
            and b"resource_tracker" not in text
        ):
            found.append(int(folder.name))
    return found
