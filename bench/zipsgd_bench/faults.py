"""Train over bad lines: the result must have the bits of a clean line, in a limited time.

Runs use the real driver and the virtual board, which takes one byte every :data:`BYTE_CYCLES` cycles. A proxy between them
damages, loses, inserts and repeats bytes, and delays and disconnects the line. All run on one computer. An answer takes one or
two milliseconds, about as long as over USB. The time limit applies to this line. On a faster line, round trips matter more, as
the throughput at one byte per cycle shows.
"""

import statistics
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zipsgd.backends import BackendOptions
from zipsgd.data import Table, load_set
from zipsgd.driver import DeviceError
from zipsgd.extras import extra
from zipsgd.output import save_figure
from zipsgd.protocol.formats import Build
from zipsgd.training.api import train
from zipsgd.training.options import Options
from zipsgd.training.result import Result as Model

from .progress import Steps
from .registry import Bench, Result

if TYPE_CHECKING:
    from zipsgd_sim.faults import Faults

__all__ = ["BENCH", "BUILD", "BYTE_CYCLES", "OPTIONS", "SET", "bits", "plot", "run"]

BUILD = Build(lanes=8, update_lanes=8, max_features=64)
SET = "diabetes"
OPTIONS = Options(epochs=5, seed=1)
BYTE_CYCLES = 20
RUNS = 200
MOST = 0.01
"""Largest share of bytes that are hit by a fault."""
SLOWEST = 10
RATES = (0.0, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
LINES = (BYTE_CYCLES, 1)
"""Cycles per byte of the lines whose throughput is measured."""
REPEATS = 7
CLEAN_EVERY = 10
"""Runs between two clean runs. The load of the computer may change in the meantime."""

_Row = dict[str, Any]


def bits(result: Model) -> tuple[list[float], list[int], list[str]]:
    """The part of a result that must not depend on faults.

    Parameters
    ----------
    result : Model
        Result of a run.

    Returns
    -------
    tuple[list[float], list[int], list[str]]
        Losses, model words, and flags.
    """
    return result.loss, result.model_words, result.flags


def _timed(url: str, table: Table, faults: "Faults") -> tuple[float, Model | str, int, int, int]:
    """Time from opening to closing the port; the model or the error; damaged bytes, delays and disconnections."""
    from zipsgd_sim.faults import Fault
    from zipsgd_sim.faulty_link import FaultyLink

    with FaultyLink(url, faults) as line:
        begun = time.perf_counter()
        result: Model | str
        try:
            result = train(table, options=OPTIONS, backend=line.url)
        except DeviceError as error:
            result = str(error)
        seconds = time.perf_counter() - begun
        hits = line.hits
    stalls, cuts = hits.pop(Fault.STALL, 0), hits.pop(Fault.DISCONNECT, 0)
    return seconds, result, hits.total(), stalls, cuts


def _by_scale(runs: list[_Row], clean: float) -> list[_Row]:
    """Summary of the runs by the order of magnitude of their fault rate."""
    rows = []
    for low, high in ((0, 1e-4), (1e-4, 1e-3), (1e-3, 1.0)):
        part = [run for run in runs if low <= run["rate"] < high]
        times = [run["seconds"] / clean for run in part]
        if part:
            rows.append(
                {
                    "bytes hit": f"{min(run['rate'] for run in part):.1g} to {max(run['rate'] for run in part):.1g}",
                    "runs": len(part),
                    "identical": sum(run["identical"] for run in part),
                    "hits": sum(run["hits"] for run in part),
                    "stalls": sum(run["stalls"] for run in part),
                    "disconnections": sum(run["disconnections"] for run in part),
                    "times the clean time": statistics.median(times),
                    "slowest": max(times),
                }
            )
    return rows


def _throughput(url: str, table: Table, cycles: int, repeats: int, steps: Steps) -> list[_Row]:
    """Throughput of epochs at each fault rate, with all kinds of faults equally frequent. The rates take turns."""
    from zipsgd_sim.faults import Faults

    models: dict[float, list[Model]] = {rate: [] for rate in RATES}
    for turn in range(repeats):
        steps.next(f"{cycles} cycles a byte, all rates of hits: turn {turn + 1}")
        for rate, found in models.items():
            part = rate / 4
            faults = Faults(corrupt=part, drop=part, insert=part, duplicate=part, seed=turn)
            model = _timed(url, table, faults)[1]
            if isinstance(model, Model):
                found.append(model)
    rows: list[_Row] = []
    for rate, found in models.items():
        speed = (
            statistics.median((model.sample_bytes or 0) / model.seconds for model in found) if found else 0.0
        )
        rows.append(
            {
                "cycles a byte": cycles,
                "rate of hits": rate,
                "sample bytes/s": round(speed),
                "share of clean": speed / (rows[0]["sample bytes/s"] if rows else speed),
                "bytes sent for one of samples": statistics.median(
                    (model.link_bytes or 0) / (model.sample_bytes or 1) for model in found
                )
                if found
                else None,
            }
        )
    return rows


def run(runs: int = RUNS, repeats: int = REPEATS, build: Build = BUILD) -> Result:
    """Run random fault schedules, and measure the throughput at each fault rate.

    Parameters
    ----------
    runs : int
        Number of random schedules.
    repeats : int
        Number of runs at each fault rate.
    build : Build
        Build of the virtual board.

    Returns
    -------
    Result
        The result of the bench.
    """
    with extra("sim", "this bench"):
        from zipsgd_sim.board import VirtualBoard
        from zipsgd_sim.faults import Faults, random_faults

    table = load_set(SET)
    expected = bits(train(table, options=OPTIONS, backend=BackendOptions(build=build)))
    clean: list[float] = []
    each: list[_Row] = []
    speeds: list[_Row] = []
    with Steps(-(-runs // CLEAN_EVERY) + len(LINES) * repeats) as steps:
        for cycles in LINES:
            with VirtualBoard(build, baud=10 * build.clock_hz // cycles, progress=steps.note) as board:
                _timed(board.url, table, Faults())  # compiles the packing
                speeds += _throughput(board.url, table, cycles, repeats, steps) if repeats else []
                for seed in range(runs if cycles == BYTE_CYCLES else 0):
                    if seed % CLEAN_EVERY == 0:
                        steps.next(f"schedules from {seed} on")
                        clean.append(_timed(board.url, table, Faults())[0])
                    faults = random_faults(seed, MOST)
                    seconds, model, hits, stalls, cuts = _timed(board.url, table, faults)
                    each.append(
                        {
                            "rate": faults.hit,
                            "identical": isinstance(model, Model) and bits(model) == expected,
                            "error": model if isinstance(model, str) else None,
                            "seconds": seconds,
                            "hits": hits,
                            "stalls": stalls,
                            "disconnections": cuts,
                            "faults": asdict(faults),
                        }
                    )
    usual = statistics.median(clean)
    identical = sum(row["identical"] for row in each)
    slowest = max(row["seconds"] for row in each) / usual
    return {
        "goal": f"{RUNS} runs with random faults (up to {MOST:.0%} of the bytes hit, delays, disconnections, and garbage at "
        f"power-up) produce the losses and model words of a clean line, and none takes more than {SLOWEST} times as long as a "
        f"clean run; measured: {identical} of {len(each)} are identical, and the slowest takes {slowest:.1f} times as long",
        "met": len(each) >= RUNS and identical == len(each) and slowest <= SLOWEST,
        "seeds": [OPTIONS.seed],
        "set": SET,
        "cycles a byte": BYTE_CYCLES,
        "clean run, s": usual,
        "rows": _by_scale(each, usual),
        "throughput": speeds,
        "runs": {str(seed): row for seed, row in enumerate(each)},
    }


def plot(result: Result, path: Path) -> None:
    """Plot the throughput by fault rate (left), and the time of each run relative to a clean one (right).

    Parameters
    ----------
    result : Result
        From :func:`run`.
    path : Path
        PNG file to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for place, cycles in enumerate(LINES):
        rows = [row for row in result["throughput"] if row["cycles a byte"] == cycles]
        hit = [row for row in rows if row["rate of hits"]]
        colour = f"C{place}"
        left.axhline(rows[0]["sample bytes/s"] / 1e3, color=colour, linestyle="--", linewidth=1)
        name = "a byte a cycle" if cycles == 1 else f"a byte in {cycles} cycles"
        left.plot(
            [row["rate of hits"] for row in hit],
            [row["sample bytes/s"] / 1e3 for row in hit],
            "o-",
            color=colour,
            label=name,
        )
    left.set(xlabel="share of the bytes hit", ylabel="samples, kB/s", xscale="log", yscale="log")
    left.set_title("throughput (dashed: clean line)")
    left.legend()
    runs, clean = list(result["runs"].values()), result["clean run, s"]
    for cut, marker in ((False, "o"), (True, "x")):
        part = [run for run in runs if (run["disconnections"] > 0) == cut]
        right.plot(
            [run["rate"] for run in part],
            [run["seconds"] / clean for run in part],
            marker,
            markersize=4,
            label="disconnected at least once" if cut else "never disconnected",
        )
    right.axhline(SLOWEST, color="k", linestyle=":", label="goal")
    right.set(xlabel="share of the bytes hit", ylabel="time / clean time", xscale="log", yscale="log")
    right.set_title(
        f"{len(runs)} random schedules, all bits as on a clean line" if result["met"] else "random schedules"
    )
    right.legend()
    for axes in (left, right):
        axes.grid(True, which="both", alpha=0.3)
    save_figure(figure, path)


BENCH = Bench("faults", "bits and time of training over bad lines", run, plot)
