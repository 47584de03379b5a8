"""Compare golden model, emulator and gateware bit by bit, over a covering array of all options.

The gateware is simulated on the virtual board and driven by the real driver. If a configuration says so, there are random gaps
and random back-pressure on the byte streams in both directions, and resets in the middle of epochs. The tests in
``tests/datapath`` and ``tests/components`` stall the internal streams in the same way.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from typing import Any

import numpy as np

from zipsgd.backends import Backend, EpochResult
from zipsgd.backends.emulator import EmulatorBackend
from zipsgd.backends.golden import GoldenBackend
from zipsgd.extras import extra
from zipsgd.protocol.formats import Build
from zipsgd_hw.link.physical import Uart

from .progress import Steps
from .registry import Bench, Result
from .simulated import simulated

__all__ = ["BENCH", "build_name", "compare", "run"]

SEED = 2
UART_BUILD = Build(lanes=16, update_lanes=8, max_features=304)
UART = Uart(baud=8_000_000)

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


def _widths(build: Build) -> str:
    return f"{build.model_bits}/{build.q3_bits}/{build.delta_bits}/{build.gradient_bits}"


def _listed(result: EpochResult) -> list[list[Any] | None]:
    """Samples in doubt, and scores."""
    return [None if each is None else each.tolist() for each in (result.doubts, result.scores)]


def compare(
    build: Build, backends: Mapping[str, Backend], kinds: Sequence[Mapping[str, str]], seed: int
) -> tuple[_Row, list[_Row], list[_Row]]:
    """Train random runs on all backends, and compare the results.

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
    losses = words = saturated = 0
    configurations: list[_Row] = []
    differences: list[_Row] = []
    for number, kind in enumerate(kinds):
        task = random_run(build, rng, bytes_limit=16000 if kind else 4000, kind=kind)
        table = task.config.levels
        configuration = {
            **asdict(replace(task.config, levels=None, diagonal=None)),
            "levels": None if table is None else f"{table.bits} bits",
            "diagonal": task.config.diagonal is not None,
            "loss": task.config.loss.name.lower(),
            "samples": [epoch.order.size for epoch in task.epochs],
            **{name: kind[name] for name in ("stalls", "resets") if name in kind},
        }
        configurations.append(configuration)
        for backend in backends.values():
            backend.begin(task.config, task.model, task.seed)
        for samples, step in zip(task.epochs, task.steps, strict=True):
            results = {
                name: (backend.epoch(samples, step, lambda done: None), backend.model())
                for name, backend in backends.items()
            }
            golden, golden_model = results.pop("golden")
            for name, (result, model) in results.items():
                losses += 1
                words += model.size
                wrong = {
                    "loss": int(result.loss_sum != golden.loss_sum),
                    "flags": int(result.flags != golden.flags),
                    "doubts": int(_listed(result) != _listed(golden)),
                    "words": int(np.count_nonzero(model != golden_model)),
                }
                if any(wrong.values()):
                    where = {"build": build_name(build), "run": number, "epoch": samples.epoch}
                    differences.append({**where, **configuration, "differs": name, **wrong})
        saturated += golden.flags != 0
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
        "saturated": saturated,
        "losses compared": losses,
        "words compared": words,
        "differing": sum(row["loss"] + row["flags"] + row["doubts"] + row["words"] for row in differences),
    }
    return row, configurations, differences


def _compared(
    build: Build, kinds: Sequence[Mapping[str, str]], seed: int, **options: Any
) -> Iterator[tuple[_Row, list[_Row], list[_Row]]]:
    """:func:`compare` for all ``kinds``, separately for those with stalls or resets."""
    from zipsgd_sim.resets import ResetInEpochs

    def conditions(kind: Mapping[str, str]) -> tuple[bool, bool]:
        return kind.get("stalls", "yes") == "yes", kind.get("resets") == "yes"

    for (stalls, resets), some in groupby(sorted(kinds, key=conditions), conditions):
        with simulated(build, stall_seed=seed if stalls else 0, **options) as (board, device):
            backends: dict[str, Backend] = {
                "golden": GoldenBackend(build),
                "emulator": EmulatorBackend(build),
                "gateware": ResetInEpochs(device, board) if resets else device,
            }
            yield compare(build, backends, list(some), seed)


def run(array: Sequence[Mapping[str, str]] | None = None, uart_runs: int = 3) -> Result:
    """Compare the configurations of a covering array over byte streams, and random ones over the UART's pins.

    Parameters
    ----------
    array : Sequence[Mapping[str, str]], optional
        Configurations; by default the whole covering array.
    uart_runs : int
        Number of random runs over the UART's pins.

    Returns
    -------
    Result
        The result of the bench.
    """
    with extra("sim", "this bench"):
        from zipsgd_sim.options import build_of, fast_memory_of, option_array
    whole, counts = option_array()
    tasks: list[tuple[Build, list[Mapping[str, str]], dict[str, Any]]] = []
    for (build, fast), some in groupby(
        whole if array is None else array, lambda kind: (build_of(kind), fast_memory_of(kind))
    ):
        tasks.append((build, list(some), {"fast_memory": fast, "optimise": 1}))
    if uart_runs:
        tasks.append((UART_BUILD, [{}] * uart_runs, {"uart": UART}))
    rows: list[_Row] = []
    differences: list[_Row] = []
    drawn: list[_Row] = []
    with Steps(len(tasks)) as steps:
        for number, (build, kinds, options) in enumerate(tasks):
            name = build_name(build)
            port = "UART pins" if options.get("uart") else "byte streams"
            steps.next(f"{name}, {port}: {len(kinds)} configurations")
            counted: Counter[str] = Counter()
            for row, configurations, wrong in _compared(
                build, kinds, SEED + number, note=steps.note, **options
            ):
                counted.update(row)
                drawn += [{"build": name, **configuration} for configuration in configurations]
                differences += wrong
            memory = "fast" if options.get("fast_memory") else "slow"
            rows.append({"build": name, "widths": _widths(build), "memory": memory, "port": port, **counted})
    total = sum(row["configurations"] for row in rows)
    ranges = ", ".join(
        f"{key} {min(row[key] for row in drawn)}..{max(row[key] for row in drawn)}"
        for key in ("features", "p", "m", "batch")
    )
    return {
        "goal": f"emulator and gateware have the bits of the golden model (losses, model words, flags, and samples left out, "
        f"after each of two epochs) for a covering array of all options of builds and runs, and over the UART's pins; the "
        f"array contains all {counts[2]} pairs of option values, and all {counts[3]} triples of the options that determine "
        f"when an update overlaps with the following samples; measured: {total} configurations, {ranges}",
        "met": not differences and array is None and uart_runs > 0,
        "seeds": [SEED],
        "pairs": counts[2],
        "triples": counts[3],
        "words compared": sum(row["words compared"] for row in rows),
        "rows": rows,
        "differences": differences,
        "configurations": drawn,
    }


BENCH = Bench(
    "identity", "golden model, emulator and gateware compared bit by bit over a covering array", run
)
