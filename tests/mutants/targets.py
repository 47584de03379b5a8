"""The benches that mutants are run against: those of the components, and those of the parts made of components."""

import warnings
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import search_path
from amaranth.hdl import UnusedElaboratable
from component_bench import Case, ComponentBench, all_benches
from datapath_runs import CORNERS, FULL, format_build
from points import Mutant

from zipsgd.protocol.formats import Build
from zipsgd_hw.datapath.core import TrainingCore
from zipsgd_hw.datapath.datapath import Datapath

__all__ = ["Target", "all_targets"]

warnings.simplefilter("ignore", UnusedElaboratable)  # of circuits whose elaboration a mutant breaks


@dataclass(frozen=True)
class Target:
    """A bench in one of its cases.

    Attributes
    ----------
    name : str
        Name of bench and case.
    file : Path
        The file with the cocotb tests.
    case : Case
        The configuration.
    components : frozenset of (str, str)
        File and class of each component that the bench is for, and of their parts; empty for a part above others.
    """

    name: str
    file: Path
    case: Case
    components: frozenset[tuple[str, str]]

    def is_own(self, mutant: Mutant) -> bool:
        """Whether this is the bench of the component that the mutant changes."""
        owner = mutant.place.split(".")[0]
        files = {file for file, _ in self.components}
        is_class = owner[0].isupper()
        return (mutant.file, owner) in self.components if is_class else mutant.file in files


def _component(of: type) -> tuple[str, str]:
    return "/".join(of.__module__.split(".")[1:]) + ".py", of.__name__


def _targets_of(file: Path, bench: ComponentBench) -> list[Target]:
    components = frozenset(map(_component, (*bench.components, *bench.parts)))
    name = file.stem.removeprefix("bench_")
    return [Target(f"{name} {case.name}", file, case, components) for case in bench.cases]


_ABOVE: list[tuple[str, type, Build, int]] = [
    ("bench_core.py", TrainingCore, Build(lanes=4, update_lanes=4, max_features=64, replay_words=32), 15),
    ("bench_datapath.py", Datapath, Build(lanes=8, update_lanes=2, max_features=304, prox=1), 10),
    (
        "bench_datapath.py",
        Datapath,
        Build(lanes=16, update_lanes=4, max_features=304, hinge=1, refetch=1024, prox=1, ball=1),
        10,
    ),
    ("bench_datapath.py", Datapath, Build(lanes=8, update_lanes=1, max_features=512, heads=10), 10),
    ("bench_datapath.py", Datapath, FULL, 10),
]
"""Files in ``tests/datapath``, what they run on, and their runs."""


def _above() -> list[Target]:
    """The parts above components, which have benches of another kind."""
    made = []
    for file, component, build, runs in _ABOVE:
        parameters = {"build": format_build(build), "seed": build.lanes + build.update_lanes, "runs": runs}
        options = "".join(
            f" {name}" for name in ("hinge", "heads", "prox", "ball", "diagonal") if build.has(name)
        )
        case = Case(f"L{build.lanes}-U{build.update_lanes}{options}", partial(component, build), parameters)
        name = f"{file.removeprefix('bench_').removesuffix('.py')} {case.name}"
        made.append(Target(name, search_path.ROOT / "tests" / "datapath" / file, case, frozenset()))
    for name, corner in CORNERS.items():
        file, component = ("bench_core.py", TrainingCore) if corner.core else ("bench_datapath.py", Datapath)
        parameters = {"build": format_build(corner.build), "seed": 3, "corner": name}
        case = Case(name, partial(component, corner.build), parameters)
        made.append(Target(name, search_path.ROOT / "tests" / "datapath" / file, case, frozenset()))
    return made


@cache
def all_targets() -> dict[str, Target]:
    """By name; components' own benches come first."""
    targets = [target for file, bench in all_benches().items() for target in _targets_of(file, bench)]
    targets += _above()
    named = {target.name: target for target in targets}
    assert len(named) == len(targets), "two benches have a name"
    return named
