"""Place and route with several seeds."""

import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .board import Board
from .build_cache import BuildCache
from .report import clocks, fmax_margin
from .steps import Step, StepRun
from .toolchain import POLL_SECONDS

__all__ = ["BUDGET_MINUTES", "MOST_SEEDS", "SeedSearch", "chosen", "place", "spread"]

BUDGET_MINUTES = 30.0
"""How long seeds are begun by default."""
MOST_SEEDS = 100
"""How many seeds are tried at most, unless they are named."""


@dataclass(frozen=True)
class SeedSearch:
    """Which seeds of the placer are tried, and for how long.

    Parameters
    ----------
    seeds : sequence of int or None
        The seeds, in this order. None for the board's own and then others, :data:`MOST_SEEDS` at most.
    sweep : bool
        Whether all seeds are tried; else they are tried until one meets the clock.
    budget_minutes : float or None
        No seed is begun after so many minutes, but the first one; None for no such limit.
    jobs : int
        How many seeds run side by side.

    Raises
    ------
    ValueError
        There is no seed, or a number is not above 0.
    """

    seeds: Sequence[int] | None = None
    sweep: bool = False
    budget_minutes: float | None = BUDGET_MINUTES
    jobs: int = 1

    def __post_init__(self) -> None:
        if self.seeds is not None and not self.seeds:
            raise ValueError("seeds must name at least one seed")
        if self.budget_minutes is not None and not self.budget_minutes > 0:
            raise ValueError(
                f"the budget for seeds must be above 0 minutes, not {self.budget_minutes:g}: give it a larger number"
            )
        if self.jobs < 1:
            raise ValueError(
                f"jobs must be at least 1, not {self.jobs}: it is how many seeds run side by side"
            )

    def order(self, board: Board) -> list[int]:
        """The seeds for a board, each once."""
        if self.seeds is not None:
            return list(dict.fromkeys(self.seeds))
        return list(dict.fromkeys([board.seed, *range(1, MOST_SEEDS + 1)]))[:MOST_SEEDS]


@dataclass
class _Race:
    """Seeds that wait, run and are done."""

    folder: Path
    step: Callable[[int], Step]
    search: SeedSearch
    order: list[int]
    cache: BuildCache | None
    progress: Callable[[str], None]

    def __post_init__(self) -> None:
        self._begun = time.monotonic()
        self._waiting = deque(self.order)
        self.running: dict[int, StepRun] = {}
        self.results: dict[int, dict[str, Any]] = {}

    @property
    def _met(self) -> int | None:
        """Place in the order of the first seed that ends the search."""
        if self.search.sweep:
            return None
        places = (place for place, seed in enumerate(self.order) if _meets(self.results.get(seed)))
        return next(places, None)

    def _may_begin(self) -> bool:
        if not self._waiting or len(self.running) >= self.search.jobs or self._met is not None:
            return False
        budget = self.search.budget_minutes
        if (
            budget is None
            or time.monotonic() - self._begun < 60 * budget
            or self._waiting[0] == self.order[0]
        ):
            return True
        self.progress(f"no further seed is begun: the budget of {budget:g} minutes is over")
        self._waiting.clear()
        return False

    def begin(self) -> None:
        """Begin as many seeds as may run."""
        while self._may_begin():
            seed = self._waiting.popleft()
            run = self.running[seed] = StepRun(self.step(seed), self.folder, self.cache)
            if not run.cached:
                self.progress(f"place and route, seed {seed}")
            self.look()

    def look(self) -> None:
        """Take the results of the seeds that are done, and end those that have become useless."""
        for seed, run in list(self.running.items()):
            if run.done():
                del self.running[seed]
                told = clocks(self.folder / f"seed-{seed}.json")
                fmax_margin(told)  # raises an error if nothing was timed
                self.results[seed] = {"seed": seed, "clocks": told, "cached": run.cached}
                worst = min(told, key=lambda row: row["fmax_mhz"] / row["target_mhz"])
                source = ", from the cache," if run.cached else ""
                self.progress(
                    f"seed {seed}{source} reaches {worst['fmax_mhz']:g} of {worst['target_mhz']:g} MHz"
                )
        met = self._met
        if met is not None:
            for seed in self.order[met + 1 :]:
                if seed in self.running:
                    self.running.pop(seed).end()

    def end(self) -> None:
        """End all that runs."""
        for run in self.running.values():
            run.end()

    def said(self) -> str:
        """What the seeds that run are doing."""
        return ", ".join(f"seed {seed}: {run.stage or 'starting'}" for seed, run in self.running.items())


def _meets(row: dict[str, Any] | None) -> bool:
    return row is not None and fmax_margin(row["clocks"]) >= 1


def place(
    board: Board,
    step: Callable[[int], Step],
    folder: Path,
    search: SeedSearch,
    cache: BuildCache | None,
    progress: Callable[[str], None],
    watch: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Place and route a synthesised design with several seeds.

    Seeds that run side by side give the result of seeds one after another: when one meets the clock, those before it in the
    order are waited for, and those behind it are ended. However this ends, no tool is left running.

    Parameters
    ----------
    board : Board
        The board.
    step : callable
        Gives the step of a seed; among what it leaves is nextpnr's report, ``seed-N.json`` in the folder.
    folder : Path
        The build's folder.
    search : SeedSearch
        Which seeds, and for how long.
    cache : BuildCache or None
        The cache of routings; None for none.
    progress : callable
        Called with a line before each seed.
    watch : callable
        Called often with what the tools are doing.

    Returns
    -------
    list of dict
        For each seed that was tried, in the order: ``seed``, ``clocks``, as of :func:`.report.clocks`, and ``cached``, whether
        it came from the cache.

    Raises
    ------
    BuildFailed
        nextpnr is missing or failed. A design that is too slow is no failure here.
    """
    race = _Race(folder, step, search, search.order(board), cache, progress)
    try:
        race.begin()
        while race.running:
            watch(race.said())
            time.sleep(POLL_SECONDS)
            race.look()
            race.begin()
    finally:
        race.end()
    return [race.results[seed] for seed in race.order if seed in race.results]


def chosen(results: list[dict[str, Any]], sweep: bool) -> dict[str, Any]:
    """The result that becomes the bitstream.

    Parameters
    ----------
    results : list of dict
        As :func:`place` returns them, not empty.
    sweep : bool
        As of :class:`SeedSearch`.

    Returns
    -------
    dict
        The first one that meets every clock; in a sweep, or if there is none, the fastest one.
    """
    fastest = max(results, key=lambda row: fmax_margin(row["clocks"]))
    return fastest if sweep else next(filter(_meets, results), fastest)


def spread(results: list[dict[str, Any]]) -> dict[str, float]:
    """Fmax of the slowest clock over the seeds.

    Parameters
    ----------
    results : list of dict
        As :func:`place` returns them, not empty.

    Returns
    -------
    dict of str to float
        ``min_mhz``, ``median_mhz`` and ``max_mhz``.
    """
    values = [min(row["fmax_mhz"] for row in seed["clocks"]) for seed in results]
    return {"min_mhz": min(values), "median_mhz": round(statistics.median(values), 2), "max_mhz": max(values)}
