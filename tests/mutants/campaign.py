"""Runs mutants against the benches: those of the changed component first."""

import contextlib
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from points import Mutant
from proof import prove_equivalent
from schemata import Circuit, Live, Textual, live_mutants, with_mutants, zipsgd_sources
from search_path import ROOT
from simulate import Simulator
from targets import Target, all_targets

from zipsgd_sim.cocotb_runner import build_simulator

__all__ = ["Campaign", "Fate", "Verdict"]

AnyMutant = Mutant | Textual

_FOLDER = ROOT / "build" / "mutants"
_AT_ONCE = 80
"""Mutants in a circuit: more make its build slower than a second one is."""
_FIRST_LIMIT = 300.0
"""Seconds for the circuit as it is; mutants may take some times as long as that takes."""


class BenchFails(Exception):
    """A bench fails without any mutant, so that it can catch none."""


class Verdict(StrEnum):
    """The result for a mutant, of one bench or of all."""

    CAUGHT = "caught"
    PASSED = "alive"
    SAME = "same circuit"
    """Its Verilog is the same as the original component's."""
    NONE = "no circuit"
    """The circuit cannot be made, for example because a width would be negative."""


@dataclass(frozen=True)
class Fate:
    """The result for a mutant, with details.

    Attributes
    ----------
    verdict : Verdict
        The result.
    by : str
        The bench with its case, and the test that caught the mutant; empty if none did.
    message : str
        The first line of that test's message.
    own : bool
        Whether the bench is the changed component's own.
    seconds : float
        Duration of the run.
    """

    verdict: Verdict
    by: str = ""
    message: str = ""
    own: bool = False
    seconds: float = 0.0


_ORDER = [Verdict.NONE, Verdict.SAME, Verdict.PASSED, Verdict.CAUGHT]


def _worse(one: Fate | None, other: Fate) -> Fate:
    """Of the results of two benches, the one that says more."""
    return other if one is None or _ORDER.index(other.verdict) > _ORDER.index(one.verdict) else one


# In a worker process


@contextlib.contextmanager
def _work() -> Iterator[Path]:
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=_FOLDER) as folder:
        yield Path(folder)


def _run(
    target: Target, circuit: Circuit, numbers: Mapping[AnyMutant, int], *, as_it_is: bool, limit: float
) -> tuple[dict[AnyMutant, Fate], float]:
    """Runs the mutants of one circuit. Returns the result of each, and a limit in seconds for further runs."""
    fates = {}
    with _work() as work:
        program = build_simulator(circuit.verilog, work, _FOLDER / "simulators", timing=circuit.timing)
        with Simulator(program, target.file, target.case.parameters, work / "runs") as simulator:
            if as_it_is:
                run = simulator.run(0, _FIRST_LIMIT)
                if run.failed:
                    raise BenchFails(f"{target.name}: {run.failed}: {run.message}")
                limit = 10 + 5 * run.seconds
            for mutant, number in numbers.items():
                run = simulator.run(number, limit)
                verdict = Verdict.CAUGHT if run.failed else Verdict.PASSED
                by = f"{target.name}: {run.failed}" if run.failed else ""
                fates[mutant] = Fate(verdict, by, run.message, False, run.seconds)
    return fates, limit


def _run_switched(target: Target, mutants: Sequence[Mutant]) -> tuple[dict[AnyMutant, Fate], float]:
    """Runs mutants that share circuits. If a circuit cannot be made, bisection finds the mutant that prevents it."""
    if len(mutants) > _AT_ONCE:
        fates, _ = _run_switched(target, mutants[_AT_ONCE:])
        more, limit = _run_switched(target, mutants[:_AT_ONCE])
        return fates | more, limit
    try:
        circuit = with_mutants(target.case.make, zipsgd_sources(), mutants)
        return _run(target, circuit, circuit.numbers, as_it_is=True, limit=0)
    except BenchFails:
        raise
    except Exception:
        if not mutants:
            raise
        if len(mutants) == 1:
            return {mutants[0]: Fate(Verdict.NONE)}, _run_switched(target, [])[1]
    half = len(mutants) // 2
    fates, _ = _run_switched(target, mutants[:half])
    more, limit = _run_switched(target, mutants[half:])
    return fates | more, limit


@cache
def _as_it_is(name: str) -> str:
    """The Verilog of a target without mutants."""
    return with_mutants(all_targets()[name].case.make, zipsgd_sources()).verilog


def _run_alone(target: Target, mutant: AnyMutant, limit: float) -> Fate:
    """Runs a mutant in a circuit of its own."""
    try:
        circuit = with_mutants(target.case.make, zipsgd_sources(), alone=mutant)
    except Exception:
        return Fate(Verdict.NONE)
    if circuit.verilog == _as_it_is(target.name):
        return Fate(Verdict.SAME)
    try:
        fates, _ = _run(target, circuit, {mutant: 0}, as_it_is=False, limit=limit)
    except RuntimeError:
        return Fate(Verdict.NONE)
    return fates[mutant]


def _attack(steps: Sequence[tuple[str, list[Mutant], list[AnyMutant]]]) -> dict[AnyMutant, Fate]:
    """Runs mutants against one target after the other until they are caught.

    Each step is the name of a target, its switched mutants and its static mutants.
    """
    fates: dict[AnyMutant, Fate] = {}

    def is_left(mutant: AnyMutant) -> bool:
        return mutant not in fates or fates[mutant].verdict != Verdict.CAUGHT

    for name, all_switched, all_static in steps:
        target = all_targets()[name]
        switched, static = list(filter(is_left, all_switched)), list(filter(is_left, all_static))
        found: dict[AnyMutant, Fate] = {}
        limit = _FIRST_LIMIT
        if switched:
            found, limit = _run_switched(target, switched)
        for mutant in static:
            found[mutant] = _run_alone(target, mutant, limit)
        for mutant, fate in found.items():
            fates[mutant] = _worse(fates.get(mutant), fate)
    return fates


def _prove(name: str, mutant: Mutant) -> tuple[bool | None, str]:
    """Whether a solver finds the mutant equivalent in a target (None: not decided), and the same in words."""
    outcome = prove_equivalent(all_targets()[name], mutant, zipsgd_sources())
    match outcome.holds:
        case True:
            return True, f"{name}: no input tells them apart"
        case False:
            return False, f"{name}: {outcome.broken} differs in cycle {outcome.cycle} of some run"
    return None, f"{name}: not decided in {outcome.seconds:.0f} s"


def _live(name: str) -> Live:
    return live_mutants(all_targets()[name].case.make, zipsgd_sources())


# In the process that leads


class Campaign:
    """Finds what can be mutated in each target, and runs mutants against the targets.

    Parameters
    ----------
    jobs : int
        Number of processes.
    say : callable
        Called with a line of text about the progress.

    Attributes
    ----------
    targets : dict of str to Target
        All targets by name.
    live : dict of str to Live
        The possible mutants of each target.
    switched, static : set of Mutant
        The possible mutants of all targets: those with a switch, and those that need a build of their own.
    broken : list of str
        Benches that failed without a mutant, with the message.
    """

    def __init__(self, jobs: int, say: Callable[[str], None]) -> None:
        self._jobs = jobs
        self._say = say
        self.broken: list[str] = []
        self.targets = all_targets()
        zipsgd_sources()  # before processes fork
        with ProcessPoolExecutor(jobs) as pool:
            self.live = dict(zip(self.targets, pool.map(_live, self.targets), strict=True))
        self.switched = set[Mutant]().union(*(live.switched for live in self.live.values()))
        self.static = set[Mutant]().union(*(live.static for live in self.live.values())) - self.switched
        self._size = {name: len(live.switched | live.static) for name, live in self.live.items()}

    @property
    def population(self) -> set[Mutant]:
        return self.switched | self.static

    @property
    def unreached(self) -> set[Mutant]:
        """Mutants at points where no target has hardware."""
        points = (point for point in zipsgd_sources().points)
        return {
            mutant
            for point in points
            if not {variant.mutant for variant in point.variants} & self.population
            for mutant in (variant.mutant for variant in point.variants)
        }

    def _step(self, name: str, mutants: Iterable[AnyMutant]) -> tuple[str, list[Mutant], list[AnyMutant]]:
        live = self.live[name]
        switched = [m for m in mutants if isinstance(m, Mutant) and m in live.switched]
        static = [
            m for m in mutants if isinstance(m, Textual) or (m in live.static and m not in self.switched)
        ]
        return name, switched, static

    def _is_own(self, name: str, mutant: AnyMutant) -> bool:
        target = self.targets[name]
        if isinstance(mutant, Textual):
            return mutant.file in {file for file, _ in target.components}
        return target.is_own(mutant)

    def run(
        self,
        mutants: Sequence[AnyMutant],
        *,
        known: frozenset[Mutant] = frozenset(),
        above: bool = True,
    ) -> dict[AnyMutant, Fate]:
        """Runs mutants against their components' own benches, then against those of the parts above.

        Parameters
        ----------
        mutants : sequence of Mutant or Textual
            The mutants to run.
        known : frozenset of Mutant
            Mutants known as equivalent: they run against their own benches only.
        above : bool
            Whether to use the benches above at all.

        Returns
        -------
        dict of Mutant or Textual to Fate
            The result for each mutant.
        """
        fates: dict[AnyMutant, Fate] = {}
        with ProcessPoolExecutor(self._jobs) as pool:
            self._own_benches(pool, mutants, fates)
            if above:
                self._benches_above(pool, [m for m in mutants if m not in known], fates)
        return {mutant: fates.get(mutant, Fate(Verdict.NONE)) for mutant in mutants}

    def prove(self, mutants: Iterable[Mutant]) -> dict[Mutant, tuple[bool, str]]:
        """For each mutant, whether it is proved equivalent in all cases of its own benches, and what the solver says."""
        with ProcessPoolExecutor(self._jobs) as pool:
            tasks = {
                mutant: [
                    pool.submit(_prove, name, mutant)
                    for name, live in self.live.items()
                    if self._is_own(name, mutant) and mutant in live.switched | live.static
                ]
                for mutant in mutants
            }
            said = {mutant: [task.result() for task in found] for mutant, found in tasks.items()}
        return {
            mutant: (bool(found) and all(holds for holds, _ in found), "; ".join(text for _, text in found))
            for mutant, found in said.items()
        }

    @staticmethod
    def _is_caught(mutant: AnyMutant, fates: Mapping[AnyMutant, Fate]) -> bool:
        return mutant in fates and fates[mutant].verdict == Verdict.CAUGHT

    def _result(self, done: Future[dict[AnyMutant, Fate]]) -> dict[AnyMutant, Fate]:
        try:
            return done.result()
        except BenchFails as error:
            self.broken.append(str(error))
            self._say(f"fails without a mutant: {error}")
            return {}

    def _own_benches(
        self, pool: ProcessPoolExecutor, mutants: Sequence[AnyMutant], fates: dict[AnyMutant, Fate]
    ) -> None:
        benches: defaultdict[Path, list[str]] = defaultdict(list)
        for name, target in self.targets.items():
            benches[target.file].append(name)
        attacks = {
            file: [self._step(name, [m for m in mutants if self._is_own(name, m)]) for name in names]
            for file, names in benches.items()
        }
        sizes = {
            file: sum(len(switched) + 20 * len(static) for _, switched, static in steps)
            for file, steps in attacks.items()
        }
        tasks: dict[Future[dict[AnyMutant, Fate]], str] = {}
        for file in sorted(sizes, key=sizes.__getitem__, reverse=True):  # so that none is long at the end
            if sizes[file]:
                tasks[pool.submit(_attack, attacks[file])] = file.stem.removeprefix("bench_")
        for done in as_completed(tasks):
            found = self._result(done)
            for mutant, fate in found.items():
                own = Fate(fate.verdict, fate.by, fate.message, True, fate.seconds)
                fates[mutant] = _worse(fates.get(mutant), own)
            caught = sum(fate.verdict == Verdict.CAUGHT for fate in found.values())
            self._say(f"{tasks[done]}: its bench catches {caught} of {len(found)}")

    def _benches_above(
        self, pool: ProcessPoolExecutor, mutants: Sequence[AnyMutant], fates: dict[AnyMutant, Fate]
    ) -> None:
        """So many at a time as there are processes, the smallest first.

        Mutants that need a build of their own are left out: a build of the larger circuits takes a minute for each.
        """
        waiting = sorted(self.targets, key=self._size.__getitem__)
        while waiting:
            tasks = {}
            while waiting and len(tasks) < self._jobs:
                name = waiting.pop(0)
                left = [
                    m
                    for m in mutants
                    if (isinstance(m, Textual) or m in self.switched)
                    and not self._is_own(name, m)
                    and not self._is_caught(m, fates)
                ]
                step = self._step(name, left)
                if step[1] or step[2]:
                    tasks[pool.submit(_attack, [step])] = name
            for done in as_completed(tasks):
                found = self._result(done)
                for mutant, fate in found.items():
                    fates[mutant] = _worse(fates.get(mutant), fate)
                caught = sum(fate.verdict == Verdict.CAUGHT for fate in found.values())
                self._say(f"{tasks[done]}, above: catches {caught} of {len(found)} that are left")


def clean() -> None:
    """Forgets simulators of earlier runs."""
    shutil.rmtree(_FOLDER / "simulators", ignore_errors=True)
