"""Epochs on samples that stay in a board's store, measured on the virtual board with its chip of SDRAM.

All of MNIST lies in the ULX3S's SDRAM. The virtual board counts the cycles of an epoch for one model and for ten, and the words
that the chip has put on its bus. The emulator, which gives the same bits, and scikit-learn's SGD train on the same rows on this
computer. Other tables compare with a stream of float32 from the same memory, and show small sets on small boards.
"""

import statistics
import time
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

import zipsgd
from zipsgd.backends import BackendOptions
from zipsgd.backends.device import DeviceBackend
from zipsgd.data import Table, load_set
from zipsgd.protocol.formats import Build
from zipsgd.training.epochs import EpochReport
from zipsgd.training.options import Options
from zipsgd_hw.boards.catalogue import BOARDS
from zipsgd_hw.boards.memories import Sdram

from .few_bits import Trials, load, quiet
from .progress import Steps
from .registry import Bench, Result
from .simulated import sdram_of, simulated

if TYPE_CHECKING:
    from zipsgd_sim.board import VirtualBoard

__all__ = ["BENCH", "run"]

ULX3S = BOARDS["ulx3s-85f-store"]
CHIP = sdram_of(ULX3S)
WIDE_CHIP = Sdram("M12L64322A-7")
BITS = (2, 3, 4)
SHARE = 0.95
"""Least share of the memory's cycles that carry words of samples, for one model."""
SECONDS = 0.1
"""Longest epoch of all of MNIST for one model at 3 bits."""
NEAR = 1.02
"""Largest loss relative to float64 SGD at which epochs are compared with a stream of float32."""
GAIN = 10
WITH_LEVELS = replace(ULX3S.build, heads=1, max_features=4096, level_bits=8, level_p_max=2)
"""For one model on levels from a table."""
_ODD = "mnist, even against odd"
REAL = dict.fromkeys(("mnist49", _ODD, "cpusmall", "cadata"), ("uniform", "optimal")) | {
    "mnist": ("uniform",)
}
"""Kinds of levels on which a set is compared with a stream of float32; ten models on even ones alone."""
ICEBREAKER = BOARDS["icebreaker-store"]
SMALL_SECONDS = 0.5
EPOCHS = 20

_Row = dict[str, Any]


def _digits(heads: int) -> Table:
    """MNIST with ten classes, or with even against odd digits for one model."""
    table = load_set("mnist")
    return table if heads > 1 else replace(table, labels=table.labels % 2)


def _board(
    build: Build, chip: Sdram | None, steps: Steps
) -> "AbstractContextManager[tuple[VirtualBoard, DeviceBackend]]":
    """A virtual board that may take its time, because it is loaded with all of MNIST."""
    return simulated(build, sdram=chip, patience=60, note=steps.note)


class _Epochs:
    """A callback that keeps the reports."""

    def __init__(self) -> None:
        self.reports: list[EpochReport] = []

    def __call__(self, report: EpochReport) -> None:
        self.reports.append(report)


def _share(build: Build, chip: Sdram, sample_bytes: int, cycles: int, read: int) -> _Row:
    """How well a chip was used in an epoch of so many cycles of the build, in which it has read so many words."""
    words = sample_bytes * 8 // chip.specification.geometry.data_bits  # all were loaded
    memory_cycles = cycles * chip.hz(build) / build.clock_hz
    return {"share of the memory": words / memory_cycles, "passes over the memory": read / words}


def _train(table: Table, backend: Any, epochs: int, **options: Any) -> tuple[Any, list[EpochReport]]:
    kept = _Epochs()
    result = zipsgd.train(table, backend=backend, epochs=epochs, resident=True, callbacks=[kept], **options)
    return result.model_words, kept.reports


def _peer(table: Table) -> float:
    """Seconds of an epoch of scikit-learn's SGDClassifier."""
    from sklearn.linear_model import SGDClassifier

    values = np.asarray(table.features, dtype=np.float32) / np.float32(255)
    model = SGDClassifier(loss="squared_hinge", max_iter=1, tol=None, shuffle=True, random_state=0)
    begin = time.perf_counter()
    with np.errstate(all="ignore"):
        model.fit(values, table.labels)
    return time.perf_counter() - begin


def _mnist(steps: Steps) -> list[_Row]:
    """An epoch of all of MNIST for one model and for ten, at each number of bits."""
    build, rows = ULX3S.build, []
    with _board(build, CHIP, steps) as (board, device):
        for heads in (1, 10):
            table = _digits(heads)
            peer = _peer(table)
            for bits in BITS:
                steps.next(f"MNIST, {heads} heads, {bits} bits")
                settings = {"classify": True, "bits": bits, "calibrate": False}
                emulated, reports = _train(table, BackendOptions("emulator", build), 4, **settings)
                seconds = min(report.seconds for report in reports[1:])
                emulated, _ = _train(table, BackendOptions("emulator", build), 1, **settings)
                before = board.statistics()["memory_read"]
                words, reports = _train(table, device, 1, **settings)
                cycles = reports[0].result.cycles or 0
                read = board.statistics()["memory_read"] - before
                rows.append(
                    {
                        "heads": heads,
                        "bits": bits,
                        "cycles": cycles,
                        "seconds": cycles / build.clock_hz,
                        **_share(build, CHIP, reports[0].result.sample_bytes or 0, cycles, read),
                        "emulator over board": seconds * build.clock_hz / cycles,
                        "scikit-learn over board": peer * build.clock_hz / cycles,
                        "differing words": int(np.count_nonzero(np.array(words) != np.array(emulated))),
                    }
                )
    return rows


def _wide(steps: Steps) -> _Row:
    """The share of a memory of 32 bits, for as many rows of MNIST as fit."""
    size = WIDE_CHIP.specification.geometry
    build = replace(ULX3S.build, word_bytes=size.data_bits // 8, store_words=size.words, heads=1)
    table = _digits(1)
    rows = np.random.default_rng(0).permutation(len(table.labels))[:20_000]
    part = replace(table, features=np.asarray(table.features)[rows], labels=table.labels[rows])
    steps.next("a memory of 32 bits")
    with _board(build, WIDE_CHIP, steps) as (board, device):
        before = board.statistics()["memory_read"]
        _, reports = _train(part, device, 1, classify=True, bits=3)
        cycles = reports[0].result.cycles or 0
        read = board.statistics()["memory_read"] - before
    return {
        "chip": WIDE_CHIP.chip,
        "rows": len(rows),
        "bits": 3,
        "cycles": cycles,
        **_share(build, WIDE_CHIP, reports[0].result.sample_bytes or 0, cycles, read),
    }


def _fewest_bits(trials: Trials, levels: str) -> tuple[int, float]:
    """The fewest bits of one draw, made once, that end near float64 SGD, or the most that were tried; and the relative loss."""
    most = WITH_LEVELS.level_p_max + 1 if levels == "optimal" else 6
    for bits in range(2, most + 1):
        ratio = trials.measure(bits=bits, estimator="one-draw", levels=levels)["ratio"]
        if ratio <= NEAR:
            break
    return bits, ratio


def _against_float(steps: Steps) -> list[_Row]:
    """Epochs at the fewest bits that end near float64 SGD, relative to a perfect stream of float32 from the same memory."""
    rows = []
    memory = CHIP.hz(ULX3S.build) * CHIP.specification.geometry.data_bits / 8  # bytes a second
    with (
        _board(ULX3S.build, CHIP, steps) as (_, stock),
        _board(WITH_LEVELS, CHIP, steps) as (_, with_levels),
        quiet(),
    ):
        devices = {"uniform": stock, "optimal": with_levels}
        for name, kinds in REAL.items():
            table = _digits(1) if name == _ODD else load(name)
            classes = name in (_ODD, "mnist")
            options = Options(
                epochs=EPOCHS, scaling="range", keep="last", resident=True, classify=classes, calibrate=False
            )
            trials = Trials(table, options, (1,) if classes else (1, 2, 3))
            for levels in kinds:
                steps.next(f"{name} on {levels} levels against float32")
                bits, ratio = _fewest_bits(trials, levels)
                settings = {"bits": bits, "levels": levels, "scaling": "range", "classify": classes}
                _, reports = _train(table, devices[levels], 1, calibrate=False, **settings)
                cycles = reports[0].result.cycles or 0
                count, columns = table.features.shape
                stream = count * 4 * (columns + 1) / memory  # seconds
                rows.append(
                    {
                        "set": name,
                        "rows": count,
                        "columns": columns,
                        "levels": levels,
                        "bits": bits,
                        "loss over float64 SGD": ratio,
                        "cycles": cycles,
                        "float32 over board": stream * ULX3S.build.clock_hz / cycles,
                        "float32 fits": count * 4 * (columns + 1) <= ULX3S.build.store_bytes,
                    }
                )
    return rows


def _gains(rows: list[_Row]) -> list[float]:
    """The greatest gain of each set over a stream of float32, where the loss is near that of float64 SGD; greatest first."""
    gains: dict[str, float] = {}
    for row in rows:
        if row["loss over float64 SGD"] <= NEAR:
            gains[row["set"]] = max(gains.get(row["set"], 0.0), row["float32 over board"])
    return sorted(gains.values(), reverse=True)


def _small(steps: Steps) -> list[_Row]:
    """California housing in the memory of a small board, and in the ULX3S's block RAM."""
    table, rows = load_set("cadata"), []
    boards = {
        ICEBREAKER.name: (ICEBREAKER.build, "SPRAM"),
        ULX3S.name: (replace(ULX3S.build, store_words=1 << 15, heads=1), "block RAM"),
    }
    for name, (build, memory) in boards.items():
        steps.next(f"California housing on {name}")
        unattended = 5 if build.schedule_words else 1
        with _board(build, None, steps) as (_, device):
            words, reports = _train(table, device, EPOCHS, bits=4, unattended=unattended)
        emulated, _ = _train(table, BackendOptions("emulator", build), EPOCHS, bits=4, unattended=unattended)
        cycles = sum(report.result.cycles or 0 for report in reports)
        rows.append(
            {
                "board": name,
                "memory": memory,
                "epochs": EPOCHS,
                "clock": build.clock_hz,
                "cycles": cycles,
                "seconds": cycles / build.clock_hz,
                "differing words": int(np.count_nonzero(np.array(words) != np.array(emulated))),
            }
        )
    return rows


def run() -> Result:
    """Measure epochs from the store.

    Returns
    -------
    Result
        The result of the bench.
    """
    with Steps(2 * len(BITS) + 1 + sum(len(kinds) for kinds in REAL.values()) + 2) as steps:
        mnist = _mnist(steps)
        wide = _wide(steps)
        against = _against_float(steps)
        small = _small(steps)
    second = [*_gains(against), 0.0, 0.0][1]
    one = [row for row in mnist if row["heads"] == 1]
    ten = [row for row in mnist if row["heads"] == 10]
    goals = [
        {
            "goal": f"share of the memory's cycles with words of samples at least {SHARE:.0%}",
            "found": min(row["share of the memory"] for row in [*one, wide]),
            "met": all(row["share of the memory"] >= SHARE for row in [*one, wide]),
        },
        {
            "goal": f"one model at 3 bits: at most {SECONDS} s",
            "found": statistics.median(row["seconds"] for row in one if row["bits"] == 3),
            "met": all(row["seconds"] <= SECONDS for row in one if row["bits"] == 3),
        },
        {
            "goal": "ten models: no slower than the emulator",
            "found": min(row["emulator over board"] for row in ten),
            "met": all(row["emulator over board"] >= 1 for row in ten),
        },
        {
            "goal": f"{GAIN} times faster than a stream of float32 on two real sets",
            "found": second,
            "met": second >= GAIN,
        },
        {
            "goal": f"California housing, {EPOCHS} epochs on the small board: at most {SMALL_SECONDS} s",
            "found": small[0]["seconds"],
            "met": small[0]["seconds"] <= SMALL_SECONDS,
        },
        {
            "goal": "no differing word",
            "found": sum(row["differing words"] for row in [*mnist, *small]),
            "met": not any(row["differing words"] for row in [*mnist, *small]),
        },
    ]
    return {
        "goal": "; ".join(row["goal"] for row in goals),
        "met": all(row["met"] for row in goals),
        "seeds": [0],
        "rows": mnist,
        "a memory of 32 bits": [wide],
        "against float32": against,
        "small boards": small,
        "goals": goals,
    }


BENCH = Bench(
    "resident", "epochs on samples that stay in a board's store, beside CPUs and a stream of float32", run
)
