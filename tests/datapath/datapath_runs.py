"""What the datapath's benches share: a build as a plusarg, a run's codes, and the golden model of a run."""

import random
from dataclasses import dataclass

from zipsgd.backends.golden import GoldenBackend
from zipsgd.golden.quantise import Codes
from zipsgd.protocol.formats import Build
from zipsgd_sim.random_runs import RandomRun, random_run

__all__ = [
    "CORNERS",
    "FULL",
    "Corner",
    "format_build",
    "golden_of",
    "parse_build",
    "quantise_fixed_point",
    "random_run",
    "random_stall",
]


FULL = Build(
    lanes=16,
    update_lanes=4,
    max_features=512,
    heads=3,
    hinge=1,
    polynomial=3,
    refetch=1024,
    prox=1,
    diagonal=1,
    level_bits=5,
    level_p_max=2,
)
"""With all options but a ball."""


@dataclass(frozen=True)
class Corner:
    """Runs that go where random ones seldom do.

    ``kinds``: of :func:`random_run`, on ``build``; ``core``: of the core alone, not of the whole datapath.
    """

    build: Build
    kinds: tuple[dict[str, str], ...]
    core: bool = False


CORNERS = {
    # A mini-batch of one sample is updated while the last head of the one before still is, each with its own proximal step and
    # its own turns: heads, chunks and planes together are more than the cycles that an update takes.
    "updates follow each other": Corner(
        Build(lanes=4, update_lanes=4, max_features=80, max_batch=8, heads=10, hinge=1, prox=1, diagonal=1),
        tuple(
            {
                **{"batch": batch, "last batch": last, "heads used": "all", "chunks": "2", "ups": "2"},
                **{"prox": "all", "labels": labels},
            }
            for batch, last in (("1", "full"), ("2", "one"), ("most", "one"))
            for labels in ("classes", "plain")
        )
        + tuple(
            {
                **{
                    "batch": "1",
                    "last batch": "full",
                    "heads used": "all",
                    "chunks": "2",
                    "ups": "1",
                    "p": "most",
                },
                **{"growth": "grow", "loss": loss, "labels": labels},
            }
            for loss in ("squared", "squared_hinge")
            for labels in ("classes", "plain")
        ),
    ),
    "scores of several heads": Corner(
        Build(
            lanes=4,
            update_lanes=4,
            max_features=80,
            max_batch=8,
            heads=3,
            hinge=1,
            polynomial=3,
            level_bits=4,
            level_p_max=2,
            score_words=64,
        ),
        ({}, {"levels": "yes"}, {"heads used": "all"}, {}, {"ups": "more", "loss": "polynomial_margin"}) * 2,
    ),
    # The first mini-batch's first head could be updated long before a load has come to the last head.
    "updates wait for a load": Corner(
        Build(lanes=8, update_lanes=1, max_features=160, max_batch=4, heads=10, replay_words=64),
        ({"batch": "1", "heads used": "all", "chunks": "1", "ups": "1", "p": "1"},) * 4,
        core=True,
    ),
}


def format_build(build: Build) -> str:
    return ":".join(f"{name}={value}" for name, value in build.as_dict().items())


def parse_build(text: str) -> Build:
    return Build(**{name: int(value) for name, value in (item.split("=") for item in text.split(":"))})


def quantise_fixed_point(run: RandomRun, epoch: int) -> Codes:
    """The epoch's quantised samples, all in one."""
    (codes,) = run.epochs[epoch].blocks(run.config, run.epochs[epoch].order.size)
    return codes


def golden_of(build: Build, run: RandomRun) -> GoldenBackend:
    """The golden model at the start of the run."""
    golden = GoldenBackend(build)
    golden.begin(run.config, run.model, run.seed)
    return golden


def random_stall(rng: random.Random) -> float:
    """Chance that a stream pauses in a cycle: none in some runs, so that they show the full rate."""
    return rng.choice([0.0, 0.1, 0.5])
