"""Sending the shards of a round to workers, and again those that were lost."""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import replace
from statistics import median
from typing import Any

from .work import Done
from .worker import Job, run_job

__all__ = ["Crew", "RoundFailed"]

_log = logging.getLogger(__name__)

_TRIES = 6
"""How often a shard is trained in a round before its error is told."""
_BROKEN_SECONDS = 180.0
"""How long shards are sent again when the executor breaks, with which all shards on their way are lost, whoever is to blame."""
_LOOK_SECONDS = 0.5
"""Time between two looks whether a shard takes too long."""
_SLOW, _LEAST_SLOW_SECONDS = 4.0, 5.0
"""A shard that takes so many times as long as half of the others did, and so many seconds, is also sent to another worker."""


class RoundFailed(RuntimeError):
    """A shard could not be trained, or there is no executor any more."""


class Crew:
    """Workers, behind any :class:`concurrent.futures.Executor`.

    Parameters
    ----------
    executor : Executor or callable
        The executor, or a function that makes one. The function is called again when an executor is broken, as one of processes
        is when a process is killed.

    Attributes
    ----------
    lost_seconds : float
        Seconds that shards had taken when they were lost.
    """

    def __init__(self, executor: Executor | Callable[[], Executor]) -> None:
        self._made_by = executor
        self._executor: Executor | None = None
        self._sent: list[Future[Done]] = []
        self.lost_seconds = 0.0

    def submit(self, job: Job) -> "Future[Done]":
        """Send a shard to a worker.

        Parameters
        ----------
        job : Job
            The shard.

        Returns
        -------
        Future of Done
            What comes back.

        Raises
        ------
        RoundFailed
            There is no executor that takes it.
        """
        return self._submit(run_job, job)

    def ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Have a worker call a function.

        Parameters
        ----------
        function : callable
            A function of a module that the workers have as well.
        arguments
            Its arguments.

        Returns
        -------
        object
            What it returns.
        """
        return self._submit(function, *arguments).result()

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        for fresh in (False, True):
            if fresh or self._executor is None:
                made = self._made_by
                self._executor = made if isinstance(made, Executor) else made()
            try:
                return self._executor.submit(function, *arguments)
            except (BrokenExecutor, RuntimeError) as error:
                broken = error
        raise RoundFailed(
            f"the executor takes no more work ({broken}): give a function that makes one, such as "
            f"executor=lambda: ProcessPoolExecutor(2), so that a new one takes its place"
        )

    def train(self, jobs: Sequence[Job], progress: Callable[[int], None]) -> list[Done]:
        """Train all shards of a round.

        Parameters
        ----------
        jobs : sequence of Job
            The shards.
        progress : callable
            Called with the number of samples that have been taken so far.

        Returns
        -------
        list of Done
            What each shard gives. Which workers did it, and how often, makes no difference.

        Raises
        ------
        RoundFailed
            A shard was lost time and again.
        """
        results: list[Done | None] = [None] * len(jobs)
        tries = [1] * len(jobs)
        first = time.monotonic()
        begun = [first] * len(jobs)
        took: list[float] = []
        running = {self.submit(job): place for place, job in enumerate(jobs)}
        # Dask's client tells of a call that nobody keeps, and sends nothing else for 10 ms. So those of the last round are
        # kept until the calls of this one are on their way.
        self._sent = list(running)
        try:
            while None in results:
                ready, _ = wait(running, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
                for future in ready:
                    place = running.pop(future)
                    if results[place] is not None:  # another copy was faster
                        continue
                    try:
                        results[place] = future.result()
                        took.append(time.monotonic() - begun[place])
                        progress(sum(done.samples for done in results if done is not None))
                    except (ValueError, TypeError):
                        raise
                    except (Exception, CancelledError) as error:
                        if place not in running.values():
                            now = time.monotonic()
                            lost_for_good = (
                                now - first > _BROKEN_SECONDS
                                if isinstance(error, BrokenExecutor)
                                else tries[place] >= _TRIES
                            )
                            self._lost(jobs[place], tries[place], now - begun[place], error, lost_for_good)
                            begun[place] = time.monotonic()
                            tries[place] += 1
                            running[self.submit(replace(jobs[place], sending=tries[place]))] = place
                for place in self._slow(results, begun, took, tries):
                    _log.info(
                        "shard %d takes %.0f s, half of the others at most %.1f s: it is also sent to another worker",
                        jobs[place].shard,
                        time.monotonic() - begun[place],
                        median(took),
                    )
                    tries[place] += 1
                    running[self.submit(replace(jobs[place], sending=tries[place]))] = place
        finally:
            for future in running:
                future.cancel()
        return [done for done in results if done is not None]

    def _lost(self, job: Job, tries: int, seconds: float, error: BaseException, for_good: bool) -> None:
        self.lost_seconds += seconds
        said = str(error) or type(error).__name__
        if for_good:
            raise RoundFailed(
                f"shard {job.shard} was lost {tries} times in round {job.turn.number}: {said}"
            ) from None
        _log.warning(
            "shard %d of round %d was lost after %.1f s, and is sent again: %s",
            job.shard,
            job.turn.number,
            seconds,
            said,
        )

    @staticmethod
    def _slow(
        results: Sequence[Done | None], begun: Sequence[float], took: Sequence[float], tries: Sequence[int]
    ) -> list[int]:
        """The shards to send a second time, as they take much longer than others."""
        if 2 * len(took) < len(results):
            return []
        limit = max(_LEAST_SLOW_SECONDS, _SLOW * median(took))
        now = time.monotonic()
        return [
            place
            for place, done in enumerate(results)
            if done is None and tries[place] == 1 and now - begun[place] > limit
        ]
