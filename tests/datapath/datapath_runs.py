"""What the datapath's benches share: a build as a plusarg, a run's codes, and the golden model of a run."""

import random

from zipsgd.backends.golden import GoldenBackend
from zipsgd.golden.quantise import Codes
from zipsgd.protocol.formats import Build
from zipsgd_sim.random_runs import RandomRun, random_run

__all__ = ["codes_of", "format_build", "golden_of", "parse_build", "random_run", "random_stall"]


def format_build(build: Build) -> str:
    return ":".join(f"{name}={value}" for name, value in build.as_dict().items())


def parse_build(text: str) -> Build:
    return Build(**{name: int(value) for name, value in (item.split("=") for item in text.split(":"))})


def codes_of(run: RandomRun, epoch: int) -> Codes:
    """The epoch's quantised samples, all in one."""
    (codes,) = run.epochs[epoch].blocks(run.epochs[epoch].order.size)
    return codes


def golden_of(build: Build, run: RandomRun) -> GoldenBackend:
    """The golden model at the start of the run."""
    golden = GoldenBackend(build)
    golden.begin(run.config, run.model, run.seed)
    return golden


def random_stall(rng: random.Random) -> float:
    """Chance that a stream pauses in a cycle: none in some runs, so that they show the full rate."""
    return rng.choice([0.0, 0.1, 0.5])
