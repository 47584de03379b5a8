"""Shards: whether the bits depend on their number alone, what they cost in convergence, time and memory, and how they scale."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from zipsgd.data import load_set
from zipsgd.distributed import train as train_by_workers
from zipsgd.training.api import train
from zipsgd.training.options import Options
from zipsgd.training.preparation import prepare

from .few_bits import quiet
from .progress import Steps
from .registry import Bench, Result
from .shards_convergence import GOAL, SEEDS, SETS, cases, measure
from .shards_engines import ENGINES, by_mpi, engine, killing
from .shards_scale import boards, memory_of_worker, overheads
from .shards_time import TOLERANCE, measured_times

__all__ = ["BENCH", "run"]

SHARDS, WORKERS = (1, 2, 4, 8), (1, 2, 3)
OPTIONS: dict[str, Any] = {"epochs": 3, "seed": 5}
KILLS = 20
LONG: dict[str, Any] = {"epochs": 2500, "seed": 5, "rounds": 4, "shards": 4}
SHARE, MEMORY = 0.10, 1.0
"""Most share of an epoch that the exchange takes, and most gigabytes of a worker."""
TIMES = 110
"""How often the rows of MNIST come in the large set: 20 GB as float32."""
_CODE = """\
import json
from zipsgd.data import load_set
from zipsgd.distributed import train
for shards in {shards}:
    result = train(load_set("cadata"), shards=shards, executor=executor, **{options})
    print(json.dumps(result.model_words))"""


def _words(name: str, workers: int, wanted: dict[int, list[int]]) -> int:
    """Words that differ, over all numbers of shards."""
    if name == "mpi4py":
        lines = by_mpi(_CODE.format(shards=SHARDS, options=OPTIONS), workers).splitlines()
        found = dict(zip(SHARDS, map(json.loads, lines[-len(SHARDS) :]), strict=True))
    else:
        table = load_set("cadata")
        with engine(name, workers) as executor:
            found = {
                shards: train_by_workers(table, shards=shards, executor=executor, **OPTIONS).model_words
                for shards in SHARDS
            }
    return sum(int(np.count_nonzero(np.subtract(found[shards], wanted[shards]))) for shards in SHARDS)


def _bits(steps: Steps) -> list[dict[str, Any]]:
    table, rows = load_set("cadata"), []
    wanted = {shards: train(table, shards=shards, **OPTIONS).model_words for shards in SHARDS}
    plain = train(table, **OPTIONS).model_words
    assert wanted[1] == plain
    for name in ENGINES:
        for workers in WORKERS:
            steps.next(f"bits: {name}, {workers} workers")
            rows.append(
                {
                    "engine": name,
                    "workers": workers,
                    "killed": 0,
                    "words that differ": _words(name, workers, wanted),
                }
            )
    steps.next(f"bits: {KILLS} kills")
    alone = train(table, **LONG)
    with engine("processes", 2) as executor, killing(KILLS, 3.0) as killed:
        found = train_by_workers(table, executor=executor, **LONG)
    differ = int(np.count_nonzero(np.subtract(found.model_words, alone.model_words)))
    rows.append({"engine": "processes", "workers": 2, "killed": len(killed), "words that differ": differ})
    return rows


def _memory() -> dict[str, Any]:
    task = prepare(load_set("mnist"), None, Options(classify=True))
    with tempfile.TemporaryDirectory() as folder, engine("loky", 2) as executor:
        file = str(Path(folder) / "rows.npy")
        np.save(file, np.asarray(task.values[:]))
        return memory_of_worker(file, TIMES, executor)


def _eight_over_one(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Loss of 8 shards over one, by set, with what :func:`zipsgd.train` does by itself."""
    wanted = {"shards": 8, "rounds": 4, "momentum": True}
    return {row["set"]: row["over one shard"] for row in rows if wanted.items() <= row.items()}


def run() -> Result:
    """Measure bits, convergence, exchange and memory.

    Returns
    -------
    Result
        The result of the bench.
    """
    count = len(ENGINES) * len(WORKERS) + 1 + sum(len(list(cases(name))) for name in SETS) + 3
    with quiet(), Steps(count) as steps:
        bits = _bits(steps)
        convergence = [row for name in SETS for row in measure(name, steps.next)]
        steps.next("exchange of each engine")
        exchange = overheads()
        steps.next("epochs of MNIST by 1, 2 and 4 workers")
        model, scale = measured_times()
        steps.next("memory")
        memory = _memory()
    deviation = max(abs(row["deviation, %"]) for row in scale)
    dask, threads = (
        next(row["ms a round"] for row in exchange if row["engine"] == name) / 1e3
        for name in ("dask", "threads")
    )
    share = dask / (dask + model.compute / 2)
    each = threads / 2  # of a shard, as the rounds of the threads have two
    predictions = [
        boards("MNIST, 60,000 rows, one model", 60_000, 1, 1, each, dask),
        boards("MNIST, 60,000 rows, one model", 60_000, 8, 1, each, dask),
        boards("6 million rows of 784 columns", 6_000_000, 64, 8, each, dask),
        boards("1 TB as float32: 318 million rows of 784 columns", 318_000_000, 3008, 47, each, dask),
    ]
    eight = _eight_over_one(convergence)
    same = all(row["words that differ"] == 0 for row in bits) and bits[-1]["killed"] == KILLS
    return {
        "goal": f"no word differs; by default, 8 shards are within {GOAL} of one; the exchange takes at most {SHARE:.0%} "
        f"of an epoch of MNIST by two workers; epochs deviate from the model of time by at most {TOLERANCE:g} per cent; a "
        f"worker takes at most {MEMORY:g} GB for a set of 20 GB",
        "met": same
        and max(eight.values()) <= GOAL
        and share <= SHARE
        and deviation <= TOLERANCE
        and memory["a worker's peak, GB"] <= MEMORY,
        "met_bits": same,
        "met_convergence": {name: value <= GOAL for name, value in eight.items()},
        "eight_shards_over_one": eight,
        "exchange_share": share,
        "met_exchange": share <= SHARE,
        "model": asdict(model),
        "largest_deviation_per_cent": deviation,
        "met_model": deviation <= TOLERANCE,
        "met_memory": memory["a worker's peak, GB"] <= MEMORY,
        "seeds": list(SEEDS),
        "bits": bits,
        "convergence": convergence,
        "exchange": exchange,
        "scale": scale,
        "memory": [memory],
        "predicted": predictions,
    }


BENCH = Bench("shards", "shards: bits, convergence, exchange, memory, and how they scale", run)
