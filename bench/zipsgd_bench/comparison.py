"""Random runs on several backends, compared bit by bit with the golden model."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zipsgd.backends import Backend, EpochResult
from zipsgd.protocol.formats import Build

if TYPE_CHECKING:
    from zipsgd_sim.random_runs import RandomRun

__all__ = ["Compared", "build_name", "compare", "compare_run", "described"]

_Row = dict[str, Any]


def build_name(build: Build) -> str:
    """A short name of a build.

    Parameters
    ----------
    build : Build
        The build.

    Returns
    -------
    str
        Lanes, update lanes, and optional parts.
    """
    levels = f" levels {build.level_bits}/{build.level_p_max}" if build.level_bits else ""
    heads = f" heads {build.heads}" if build.has("heads") else ""
    more = "".join(
        f" {option}"
        for option in ("hinge", "polynomial", "refetch", "prox", "ball", "diagonal")
        if build.has(option)
    )
    return f"L{build.lanes} U{build.update_lanes}{levels}{heads}{more}"


@dataclass
class Compared:
    """What was compared of a run.

    Parameters
    ----------
    losses : int
        Number of losses.
    words : int
        Number of words of models.
    saturated : bool
        Whether a value was saturated in the last epoch.
    wrong : list of dict
        Where a backend differs from the golden model: the epoch, the backend, and how much of what differs.
    """

    losses: int = 0
    words: int = 0
    saturated: bool = False
    wrong: list[_Row] = field(default_factory=list)


def described(run: "RandomRun") -> _Row:
    """A run's configuration for a table.

    Parameters
    ----------
    run : RandomRun
        The run.

    Returns
    -------
    dict of str to Any
        The parameters of the configuration, and the samples of each epoch.
    """
    config = run.config
    return {
        **asdict(replace(config, levels=None, diagonal=None)),
        "levels": None if config.levels is None else f"{config.levels.bits} bits",
        "diagonal": config.diagonal is not None,
        "loss": config.loss.name.lower(),
        "samples": [epoch.order.size for epoch in run.epochs],
    }


def _listed(result: EpochResult) -> list[list[Any] | None]:
    """Samples in doubt, and scores."""
    return [None if each is None else each.tolist() for each in (result.doubts, result.scores)]


def _trained(
    backend: Backend, run: "RandomRun", turn: slice
) -> tuple[list[EpochResult], npt.NDArray[np.int64]]:
    """The results of a turn's epochs, and the model after the last one."""
    samples, steps = run.epochs[turn], run.steps[turn]
    if run.turns:
        results = backend.epochs(samples, steps, lambda done: None)
    else:
        results = [
            backend.epoch(one, step, lambda done: None) for one, step in zip(samples, steps, strict=True)
        ]
    return results, backend.model()


def _turns(run: "RandomRun") -> Iterable[slice]:
    """The epochs of each turn."""
    first = 0
    for epochs in run.turns or [1] * len(run.epochs):
        yield slice(first, first + epochs)
        first += epochs


def compare_run(run: "RandomRun", backends: Mapping[str, Backend]) -> Compared:
    """Train a run on all backends, and compare losses and flags of each epoch, and the model after each turn.

    Parameters
    ----------
    run : RandomRun
        The run.
    backends : Mapping[str, Backend]
        Backends by name; "golden" is the reference.

    Returns
    -------
    Compared
        What was compared.
    """
    compared = Compared()
    for backend in backends.values():
        backend.begin(run.config, run.model, run.seed)
    for turn in _turns(run):
        trained = {name: _trained(backend, run, turn) for name, backend in backends.items()}
        golden, golden_model = trained.pop("golden")
        for name, (results, model) in trained.items():
            compared.words += model.size
            for number, (result, right) in enumerate(zip(results, golden, strict=True), turn.start):
                compared.losses += 1
                last = number == turn.stop - 1
                wrong = {
                    "loss": int(result.loss_sum != right.loss_sum),
                    "flags": int(result.flags != right.flags),
                    "doubts": int(_listed(result) != _listed(right)),
                    "words": int(np.count_nonzero(model != golden_model)) if last else 0,
                }
                if any(wrong.values()):
                    compared.wrong.append({"epoch": number, "differs": name, **wrong})
        compared.saturated = golden[-1].flags != 0
    return compared


def compare(
    build: Build, backends: Mapping[str, Backend], kinds: Sequence[Mapping[str, str]], seed: int
) -> tuple[_Row, list[_Row], list[_Row]]:
    """Train random runs on samples that are streamed on all backends, and compare the results.

    Parameters
    ----------
    build : Build
        The build of all backends.
    backends : Mapping[str, Backend]
        Backends by name; "golden" is the reference.
    kinds : Sequence[Mapping[str, str]]
        Options of each run, see :func:`zipsgd_sim.random_runs.random_run`.
    seed : int
        Seed of the random runs.

    Returns
    -------
    counts : dict[str, Any]
        Counts of configurations and comparisons.
    configurations : list[dict[str, Any]]
        The configurations.
    differences : list[dict[str, Any]]
        Differences from the golden model.
    """
    from zipsgd_sim.random_runs import random_run

    rng = random.Random(seed)
    compared: list[Compared] = []
    configurations: list[_Row] = []
    differences: list[_Row] = []
    for number, kind in enumerate(kinds):
        run = random_run(build, rng, bytes_limit=16000 if kind else 4000, kind=kind)
        conditions = {name: kind[name] for name in ("stalls", "resets") if name in kind}
        configurations.append({**described(run), **conditions})
        compared.append(compare_run(run, backends))
        where = {"build": build_name(build), "run": number, **configurations[-1]}
        differences += [{**where, **wrong} for wrong in compared[-1].wrong]
    row = {
        "configurations": len(kinds),
        "on levels": sum(each["levels"] is not None for each in configurations),
        "hinges": sum("hinge" in each["loss"] for each in configurations),
        "polynomials": sum("polynomial" in each["loss"] for each in configurations),
        "proximal": sum(each["prox"] for each in configurations),
        "refetching": sum(each["refetch"] > 0 for each in configurations),
        "one draw": sum(each["diagonal"] for each in configurations),
        "balls": sum(each["ball"] for each in configurations),
        "heads": sum(each["heads"] > 1 for each in configurations),
        "saturated": sum(each.saturated for each in compared),
        "losses compared": sum(each.losses for each in compared),
        "words compared": sum(each.words for each in compared),
        "differing": sum(row["loss"] + row["flags"] + row["doubts"] + row["words"] for row in differences),
    }
    return row, configurations, differences
