"""The same bits from the golden model, the emulator and the gateware, over random runs.

The gateware is simulated on the virtual board and driven through the real driver, with random gaps and random back-pressure
on the byte streams either way; the streams within are stalled in the same way by the tests of ``tests/datapath`` and
``tests/components``.
"""

import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from zipsgd.backends import Backend, EpochResult
from zipsgd.backends.emulator import EmulatorBackend
from zipsgd.backends.golden import GoldenBackend
from zipsgd.protocol.formats import Build

from .progress import Steps
from .registry import Bench, Result
from .simulated import simulated

__all__ = ["BENCH", "BUILDS", "UART_BUILD", "build_name", "compare", "run"]

SEED = 2
GOAL = 50
"""Fewest configurations."""
BUILDS = (
    Build(lanes=4, update_lanes=4, max_features=300),
    Build(lanes=4, update_lanes=1, max_features=300, p_max=4, q3_bits=14, delta_bits=12, gradient_bits=14),
    Build(lanes=8, update_lanes=8, max_features=304, max_batch=32),
    Build(lanes=8, update_lanes=2, max_features=1024, q3_bits=10, delta_bits=20, gradient_bits=20),
    Build(
        lanes=16, update_lanes=16, max_features=304, model_bits=20, q3_bits=9, delta_bits=14, gradient_bits=15
    ),
    Build(lanes=32, update_lanes=4, max_features=320, rx_bytes=4096),
    Build(lanes=64, update_lanes=64, max_features=320),
    Build(lanes=8, update_lanes=2, max_features=304, level_bits=8, level_p_max=2),
    Build(lanes=64, update_lanes=16, max_features=320, level_bits=6, level_p_max=4),
    Build(lanes=8, update_lanes=8, max_features=304, hinge=1),
    Build(lanes=8, update_lanes=2, max_features=304, polynomial=7),
    Build(lanes=32, update_lanes=8, max_features=320, polynomial=3, q3_bits=16),
    Build(lanes=16, update_lanes=4, max_features=304, prox=1),
    Build(lanes=16, update_lanes=8, max_features=304, hinge=1, refetch=1024, prox=1, ball=1),
    Build(lanes=8, update_lanes=2, max_features=1024, heads=10),
    Build(
        lanes=16,
        update_lanes=16,
        max_features=512,
        heads=3,
        hinge=1,
        polynomial=2,
        prox=1,
        level_bits=5,
        level_p_max=2,
    ),
)
UART_BUILD = Build(lanes=16, update_lanes=8, max_features=304, uart_baud=12_000_000)

_Row = dict[str, Any]


def build_name(build: Build) -> str:
    """Lanes, update lanes and what else ``build`` has."""
    levels = f" levels {build.level_bits}/{build.level_p_max}" if build.level_bits else ""
    heads = f" heads {build.heads}" if build.has("heads") else ""
    more = "".join(
        f" {option}" for option in ("hinge", "polynomial", "refetch", "prox", "ball") if build.has(option)
    )
    return f"L{build.lanes} U{build.update_lanes}{levels}{heads}{more}"


def _widths(build: Build) -> str:
    return f"{build.model_bits}/{build.q3_bits}/{build.delta_bits}/{build.gradient_bits}"


def _listed(result: EpochResult) -> list[bool]:
    return [] if result.doubts is None else result.doubts.tolist()


def compare(
    build: Build, backends: dict[str, Backend], runs: int, seed: int
) -> tuple[_Row, list[_Row], list[_Row]]:
    """Row of a build, what its configurations were, and what differs from the golden one of ``backends``."""
    from zipsgd_sim.random_runs import random_run

    rng = random.Random(seed)
    losses = words = saturated = 0
    configurations: list[_Row] = []
    differences: list[_Row] = []
    for number in range(runs):
        task = random_run(build, rng)
        table = task.config.levels
        configuration = {
            **asdict(replace(task.config, levels=None)),
            "levels": None if table is None else f"{table.bits} bits",
            "loss": task.config.loss.name.lower(),
            "samples": [epoch.order.size for epoch in task.epochs],
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
        "configurations": runs,
        "on levels": sum(each["levels"] is not None for each in configurations),
        "hinges": sum("hinge" in each["loss"] for each in configurations),
        "polynomials": sum("polynomial" in each["loss"] for each in configurations),
        "proximal": sum(each["prox"] for each in configurations),
        "refetching": sum(each["refetch"] > 0 for each in configurations),
        "balls": sum(each["ball"] for each in configurations),
        "heads": sum(each["heads"] > 1 for each in configurations),
        "saturated": saturated,
        "losses compared": losses,
        "words compared": words,
        "differing": sum(row["loss"] + row["flags"] + row["doubts"] + row["words"] for row in differences),
    }
    return row, configurations, differences


def run(runs: int = 8, builds: Sequence[Build] = BUILDS, uart_runs: int = 3) -> Result:
    """``runs`` configurations of each build over the byte-stream port, and ``uart_runs`` over the UART's pins."""
    tasks = [(build, False, runs) for build in builds] + [(UART_BUILD, True, uart_runs)] * (uart_runs > 0)
    rows: list[_Row] = []
    differences: list[_Row] = []
    configurations: dict[str, list[_Row]] = {}
    with Steps(len(tasks)) as steps:
        for number, (build, uart, count) in enumerate(tasks):
            port = "UART pins" if uart else "byte streams, stalled"
            name = build_name(build)
            steps.next(f"{name}, {port}: {count} configurations")
            with simulated(build, uart=uart, stall_seed=SEED + number, note=steps.note) as (_, device):
                backends: dict[str, Backend] = {
                    "golden": GoldenBackend(build),
                    "emulator": EmulatorBackend(build),
                    "gateware": device,
                }
                row, drawn, wrong = compare(build, backends, count, SEED + number)
            rows.append({"build": name, "widths": _widths(build), "port": port, **row})
            configurations[f"{name}, {port}"] = drawn
            differences += wrong
    total = sum(row["configurations"] for row in rows)
    drawn = [configuration for part in configurations.values() for configuration in part]
    ranges = ", ".join(
        f"{key} {min(row[key] for row in drawn)}..{max(row[key] for row in drawn)}"
        for key in ("features", "p", "m", "batch")
    )
    return {
        "goal": f"no bit differs from the golden model in emulator and gateware (every loss, model word, flag and sample left "
        f"out, after each of two epochs) over at least {GOAL} configurations, one of them over the UART's pins; here {total}: "
        f"{ranges}",
        "met": not differences and total >= GOAL and any(uart for _, uart, _ in tasks),
        "seeds": [SEED],
        "rows": rows,
        "differences": differences,
        "configurations": configurations,
    }


BENCH = Bench("identity", "the same bits from golden model, emulator and gateware, over random runs", run)
