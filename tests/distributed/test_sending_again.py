"""Shards that are sent again on Dask, and what a worker keeps of its shards."""

import time
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from zipsgd import Options, fixed_rows, train
from zipsgd.data import Table
from zipsgd.distributed import rounds as rounds_module
from zipsgd.distributed import train as train_by_workers
from zipsgd.distributed.work import Done
from zipsgd.distributed.worker import Job, run_job
from zipsgd.golden.quantise import fixed_point

OPTIONS = Options(shards=2, epochs=1, seed=5)


def test_dask_trains_a_shard_again_that_was_lost(
    table: Table, dask: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "lost"

    def lost_once(job: Job) -> Done:
        if not marker.exists():
            marker.touch()
            raise OSError("the board is gone")
        return run_job(job)

    monkeypatch.setattr(rounds_module, "run_job", lost_once)
    found = train_by_workers(table, options=OPTIONS, executor=dask)
    assert found.model_words == train(table, options=OPTIONS).model_words
    assert marker.exists()


def test_dask_sends_a_slow_shard_to_another_worker_as_well(
    table: Table, dask: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds_module, "_LEAST_SLOW_SECONDS", 0.2)
    monkeypatch.setattr(rounds_module, "_LOOK_SECONDS", 0.05)
    begun, again = tmp_path / "begun", tmp_path / "again"

    def slow_at_first(job: Job) -> Done:
        if job.shard == 1 and not begun.exists():
            begun.touch()
            end = time.monotonic() + 60
            while not again.exists() and time.monotonic() < end:
                time.sleep(0.02)
        elif job.shard == 1:
            again.touch()
        return run_job(job)

    monkeypatch.setattr(rounds_module, "run_job", slow_at_first)
    found = train_by_workers(table, options=OPTIONS, executor=dask)
    assert found.model_words == train(table, options=OPTIONS).model_words
    assert again.exists()


def test_a_worker_brings_its_shards_into_fixed_point_once(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought = []

    def counted(values: npt.NDArray[np.floating], p: int) -> npt.NDArray[np.int32]:
        brought.append(len(values))
        return fixed_point(values, p)

    monkeypatch.setattr(fixed_rows, "fixed_point", counted)
    options = Options(shards=4, rounds=1, epochs=5, scaling="range")
    train(table, options=options)
    assert len(brought) == 4
    brought.clear()
    with ThreadPoolExecutor(1) as pool:
        train_by_workers(table, options=options, executor=pool)
        assert len(brought) == 4
        brought.clear()
        rows, columns = table.features.shape
        little = 3 * 4 * rows * (columns + 1) // 4  # for one shard and the same in fixed point
        train_by_workers(table, options=options, executor=pool, worker_memory=little)
        assert len(brought) == 4 * 5
