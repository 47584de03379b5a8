"""Compare the speed of packing with copying the same array and with the golden model on the same machine."""

import tempfile
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.data import load
from zipsgd.golden.levels import LevelTable
from zipsgd.golden.quantise import fixed_point, quantise_fixed_point
from zipsgd.golden.weave import weave
from zipsgd.packing import ScaledRows, pack, stream, unpack
from zipsgd.protocol.samples import SampleLayout
from zipsgd.rows import ColumnSelection
from zipsgd.training.api import train
from zipsgd.training.options import Options

from .progress import Steps
from .registry import Bench, Result
from .turns import take_turns

__all__ = ["BENCH", "run"]

SEED = 1
P, M, FEATURES, LANES = 2, 2, 784, 64
GOAL = 1.0
GOLDEN_VALUES = 1 << 20

_Floats = npt.NDArray[np.floating]
_Labels = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Case:
    """A case of packing.

    Parameters
    ----------
    p : int
        Number of base planes.
    m : int
        Number of up planes.
    features : int
        Features of a sample.
    lanes : int
        Features per chunk.
    threads : int
        Number of threads.
    kind : type[np.floating]
        Type of the features.
    table : bool
        Use levels from a table instead of evenly spaced ones.
    """

    p: int = P
    m: int = M
    features: int = FEATURES
    lanes: int = LANES
    threads: int = 1
    kind: type[np.floating] = np.float32
    table: bool = False

    def columns(self) -> dict[str, Any]:
        """The parameters as the first columns of a row.

        Returns
        -------
        dict[str, Any]
            Values by column name.
        """
        return {
            "p": self.p,
            "m": self.m,
            "n": self.features,
            "lanes": self.lanes,
            "levels": "table" if self.table else "even",
            "input": self.kind.__name__,
            "threads": self.threads,
        }


MAIN = tuple(Case(lanes=lanes, threads=threads) for lanes in (8, LANES) for threads in (1, 2))
OTHERS = (
    Case(p=1),
    Case(p=8),
    Case(m=0),
    Case(m=1),
    Case(lanes=4),
    Case(lanes=256),
    Case(features=9, lanes=8),
    Case(features=1000),
    Case(kind=np.float64),
    Case(table=True),
)


class _Work:
    """The samples of a case, cut from ``values``."""

    def __init__(self, case: Case, values: _Floats, labels: _Labels) -> None:
        count = values.size // case.features
        flat = values.ravel()[: count * case.features]
        self.case = case
        self.samples = flat.reshape(count, case.features).astype(case.kind, copy=False)
        self.levels = None
        if case.table:
            row = np.linspace(-128, 127, (1 << case.p) + 1).astype(np.int16)
            self.levels = LevelTable(np.tile(row, (case.features, 1)), 8)
            self.samples = self.samples * case.kind(127 / 128)
        self.rows, self.labels = np.arange(count), np.resize(labels, count)
        self.few = slice(max(1, min(count, GOLDEN_VALUES // case.features)))
        self.layout = SampleLayout(case.features, case.p, case.m, case.lanes)
        self.out = np.empty((count, self.layout.size), dtype=np.uint8)

    def pack(self) -> None:
        pack(
            self.samples,
            self.labels,
            self.layout,
            seed=SEED,
            epoch=0,
            rows=self.rows,
            levels=self.levels,
            threads=self.case.threads,
            out=self.out,
        )

    def golden(self) -> None:
        """Pack a few of the samples with the golden model."""
        p, m, samples = self.case.p, self.case.m, self.samples[self.few]
        fixed = fixed_point(samples, p) if self.levels is None else self.levels.fixed_point(samples)
        codes = quantise_fixed_point(
            fixed, self.labels[self.few], p, m, seed=SEED, epoch=0, rows=self.rows[self.few]
        )
        weave(codes, self.layout)

    def unpack(self) -> None:
        unpack(self.out, self.layout)


def _in_memory(
    cases: tuple[Case, ...], values: _Floats, labels: _Labels, repeats: int
) -> list[dict[str, Any]]:
    """All methods for all cases, and copying the values, in turns."""
    copied = np.empty_like(values)
    contestants: dict[str, Callable[[], None]] = {"copy": lambda: np.copyto(copied, values)}
    works = [_Work(case, values, labels) for case in cases]
    for i, work in enumerate(works):
        contestants |= {f"pack {i}": work.pack, f"golden {i}": work.golden, f"unpack {i}": work.unpack}
    turns = take_turns(contestants, repeats)
    copy = values.nbytes / min(turns["copy"]) / 1e9
    table = []
    for i, work in enumerate(works):
        best = work.samples.nbytes / min(turns[f"pack {i}"]) / 1e9
        golden = work.samples[work.few].nbytes / min(turns[f"golden {i}"]) / 1e9
        table.append(
            work.case.columns()
            | {
                "GB/s": best,
                "median": work.samples.nbytes / median(turns[f"pack {i}"]) / 1e9,
                "copying": copy,
                "golden": golden,
                "over copying": best / copy,
                "over golden": best / golden,
                "unpack": work.samples.nbytes / min(turns[f"unpack {i}"]) / 1e9,
            }
        )
    return table


def _traced(work: Callable[[], object]) -> float:
    """Peak of the memory that is allocated during the work, in MB."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def _from_disk(path: Path, labels: _Labels, repeats: int) -> list[dict[str, Any]]:
    """Speed and memory of packing epochs in shuffled order from a file, with scaling."""
    features = ColumnSelection(np.load(path, mmap_mode="r"), range(FEATURES - 1))
    scaled = ScaledRows(features, np.zeros(FEATURES - 1), np.ones(FEATURES - 1))
    order = np.random.default_rng(SEED).permutation(labels.size)
    layout = SampleLayout(FEATURES, P, M, LANES, intercept=True)
    total = order.size * layout.size
    rows = []
    for threads, memory in ((1, 2 * total), (2, 2 * total), (1, total // 4), (2, total // 4)):

        def epoch(threads: int = threads, memory: int = memory) -> None:
            for _ in stream(
                scaled, labels, order, layout, seed=SEED, epoch=0, threads=threads, memory=memory
            ):
                pass

        seconds = take_turns({"": epoch}, repeats)[""]
        rows.append(
            {
                "set, MB": path.stat().st_size / 1e6,
                "packed, MB": total / 1e6,
                "memory, MB": memory / 1e6,
                "threads": threads,
                "GB/s": path.stat().st_size / min(seconds) / 1e9,
                "median": path.stat().st_size / median(seconds) / 1e9,
                "used at most, MB": _traced(epoch),
            }
        )
    return rows


def _training(path: Path, epochs: int) -> list[dict[str, Any]]:
    """Training on the emulator: speed of the best epoch, and memory from reading the file on."""
    size = path.stat().st_size
    rows = []
    for memory in (size, size // 4, size // 16):

        def run(epochs: int, memory: int = memory) -> list[float]:
            """Seconds of each epoch."""
            seconds: list[float] = []
            options = Options(base_bits=P, estimator="double", epochs=epochs, seed=SEED)
            table = load(path, memory=memory)
            train(
                table,
                options=options,
                memory=memory,
                callbacks=[lambda report: seconds.append(report.seconds)],
            )
            return seconds

        best = min(run(epochs))
        rows.append(
            {
                "set, MB": size / 1e6,
                "memory, MB": memory / 1e6,
                "held in memory": memory >= size,
                "GB/s": size / best / 1e9,
                "samples/s": round(np.load(path, mmap_mode="r").shape[0] / best),
                "used at most, MB": _traced(partial(run, 1)),
            }
        )
    return rows


def run(rows: int = 100_000, repeats: int = 15) -> Result:
    """Measure GB of input per second, for ``rows`` samples of 784 float32 values and for as many values in other cases.

    All methods of a table take turns, and the best turn counts, as other load can only slow down a turn. The file is in the
    operating system's cache.

    Parameters
    ----------
    rows : int
        Number of samples.
    repeats : int
        Number of turns.

    Returns
    -------
    Result
        The result of the bench.
    """
    rng = np.random.default_rng(SEED)
    values = rng.uniform(-1, 1, (rows, FEATURES)).astype(np.float32)
    labels = rng.integers(-(1 << 15), 1 << 15, rows).astype(np.int16)
    with Steps(3) as steps, tempfile.TemporaryDirectory() as folder:
        steps.next(f"p = {P}, m = {M}, n = {FEATURES} in turns with copying and the golden model")
        main = _in_memory(MAIN, values, labels, repeats)
        steps.next("other cases in turns")
        others = _in_memory(OTHERS, values, labels, repeats)
        steps.next("from disk")
        path = Path(folder) / "set.npy"
        np.save(path, values)
        disk = _from_disk(path, labels, max(1, repeats // 3))
        training = _training(path, max(2, repeats // 3))
    return {
        "goal": f"for float32 input, p = {P}, m = {M} and n = {FEATURES} on 8 and on {LANES} lanes, packing processes at least "
        f"{GOAL:g} GB/s with one thread, and at least {2 * GOAL:g} GB/s with two",
        "met": all(row["GB/s"] >= GOAL * row["threads"] for row in main),
        "seeds": [SEED],
        "samples": rows,
        "turns": repeats,
        "rows": main,
        "other cases": others,
        "from disk": disk,
        "training": training,
    }


BENCH = Bench(
    "packing", "speed of packing features, compared with copying them and with the golden model", run
)
