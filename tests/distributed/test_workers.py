"""Training by workers: the same bits by all kinds, and after whatever happens to them."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import dask.array as da
import loky
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from zipsgd import BackendOptions, Options, load, train
from zipsgd.data import Table
from zipsgd.distributed import RoundFailed, Workers
from zipsgd.distributed import rounds as rounds_module
from zipsgd.distributed import train as train_by_workers
from zipsgd.estimators import ZipClassifier, ZipRegressor
from zipsgd.training.result import Result
from zipsgd_sim.board import VirtualBoard

LONG = Options(shards=4, rounds=8, epochs=40, seed=3, step_size=0.1, schedule="constant")
"""Long enough to lose workers meanwhile."""


@cache
def alone(options: Options) -> Result:
    """The run that all others must equal, in this process."""
    return train(load("synthetic10"), options=options)


def loky_pool() -> Executor:
    return loky.get_reusable_executor(max_workers=2)


POOLS: dict[str, Callable[[], Executor]] = {
    "one thread": lambda: ThreadPoolExecutor(1),
    "two threads": lambda: ThreadPoolExecutor(2),
    "three threads": lambda: ThreadPoolExecutor(3),
    "loky": loky_pool,
}


def check_same(found: Result, wanted: Result) -> None:
    assert found.model_words == wanted.model_words
    assert found.loss == wanted.loss
    assert found.coef == wanted.coef


@pytest.mark.parametrize("shards", [1, 2, 4, 8])
def test_bits_depend_on_the_number_of_shards_alone(shards: int, table: Table, dask: Executor) -> None:
    options = Options(shards=shards, epochs=3, seed=5)
    wanted = alone(options)
    check_same(train(table, options=options, backend="golden"), wanted)
    pools = {**POOLS, "dask": lambda: dask}
    for pool in pools.values():
        check_same(train_by_workers(table, options=options, executor=pool), wanted)


def test_one_shard_is_a_run_without(table: Table, caplog: pytest.LogCaptureFixture) -> None:
    check_same(
        train_by_workers(table, shards=1, epochs=3, executor=ThreadPoolExecutor(2)), train(table, epochs=3)
    )
    assert "one shard is trained by one of the 2 workers: give shards='auto'" in caplog.text


def test_mpi(tmp_path: Path) -> None:
    script = tmp_path / "by_mpi.py"
    script.write_text(
        "from mpi4py.futures import MPIPoolExecutor\n"
        "from zipsgd import Options, load\n"
        "from zipsgd.distributed import train\n"
        "if __name__ == '__main__':\n"
        "    with MPIPoolExecutor() as executor:\n"
        "        result = train(load('synthetic10'), options=Options(shards=4, epochs=3, seed=5), executor=executor)\n"
        "    print(result.model_words)\n"
    )
    run = [sys.executable, "-m", "mpi4py.futures", str(script)]
    launch = [str(Path(sys.executable).with_name("mpiexec")), "-n", "3", *run]
    done = subprocess.run(launch, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(alone(Options(shards=4, epochs=3, seed=5)).model_words)


def test_classes_weights_and_resident_samples(dask: Executor) -> None:
    digits = load("digits")
    cases = [
        Options(shards=3, rounds=2, epochs=2, classify=True),
        Options(shards=3, epochs=2, classify=True, class_weight={"1": 1.5}),
        Options(shards=2, epochs=2, classify=True, resident=True),
        Options(shards=2, epochs=2, classify=True, bits=(2, 3)),
        Options(shards=2, epochs=2, classify=True, levels="optimal", bits=3),
    ]
    for options in cases:
        wanted = train(digits, options=options)
        check_same(train_by_workers(digits, options=options, executor=dask), wanted)
        if options.resident:
            check_same(train(digits, options=options, backend="golden"), wanted)


def test_estimators(table: Table) -> None:
    X, y = np.asarray(table.features), table.labels
    workers = Workers(executor=ThreadPoolExecutor(2))
    for kind, labels in ((ZipRegressor, y), (ZipClassifier, y > np.median(y))):
        wanted = kind(shards=4, rounds=2, max_iter=3, random_state=1).fit(X, labels)
        found = kind(shards=4, rounds=2, max_iter=3, random_state=1, backend=workers).fit(X, labels)
        assert np.array_equal(found.model_words_, wanted.model_words_)


def test_collections_of_dask(dask: Executor) -> None:
    values = np.random.default_rng(2).normal(size=(5_000, 8))
    y = values @ np.arange(8.0)
    options = Options(shards=2, epochs=2, step_size=0.1)
    wanted = train(values, y, options)
    lazy = da.from_array(values, chunks=(1_000, 8))
    check_same(train_by_workers(lazy, y, options, executor=dask, memory=1 << 10), wanted)


@pytest.mark.parametrize("kind", ["npy", "parquet"])
def test_rows_in_a_file_stay_there(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers read their own rows of it: the files for them are small."""
    values = np.random.default_rng(2).normal(size=(20_000, 30))
    values[:, -1] = values @ np.arange(30.0)
    file = tmp_path / f"rows.{kind}"
    if kind == "npy":
        np.save(file, values)
    else:
        columns = pa.table({f"x{place}": values[:, place] for place in range(30)})
        parquet.write_table(columns, file, row_group_size=2_000)
    rows = load(str(file), memory=1 << 20)
    spool = tmp_path / "spool"
    spool.mkdir()
    seen: list[int] = []
    pool = ThreadPoolExecutor(2)

    def watched() -> Executor:
        return pool

    real = rounds_module.Crew.train

    def train_and_look(self: rounds_module.Crew, *arguments: object) -> object:
        seen.append(sum(file.stat().st_size for file in spool.rglob("*") if file.name.startswith("values")))
        return real(self, *arguments)

    monkeypatch.setattr(rounds_module.Crew, "train", train_and_look)
    options = Options(shards=2, epochs=2, step_size=0.1)
    found = train_by_workers(rows, options=options, executor=watched, spool=spool, memory=1 << 20)
    check_same(found, train(rows, options=options))
    assert max(seen) < 100_000 < values.nbytes
    assert not list(spool.iterdir())  # and nothing is left


def test_a_worker_that_does_not_see_the_files_says_so(table: Table, tmp_path: Path) -> None:
    class Elsewhere(ThreadPoolExecutor):
        def submit(self, fn, job, /):
            for file in Path(job.values).parent.iterdir():
                file.rename(tmp_path / file.name)
            return super().submit(fn, job)

    with pytest.raises(ValueError, match="name a folder that all workers share"):
        train_by_workers(table, shards=2, epochs=1, executor=Elsewhere(1))


def test_workers_need_an_executor() -> None:
    with pytest.raises(ValueError, match="need an executor"):
        Workers()
    with pytest.raises(ValueError, match="ports go with name='ports'"):
        Workers(executor=ThreadPoolExecutor(1), ports=("COM3",))


def test_workers_do_not_refetch(table: Table) -> None:
    labels = table.labels > np.median(table.labels)
    options = Options(classify=True, loss="hinge", refetch="likely", epochs=1)
    with pytest.raises(ValueError, match="refetch does not work with workers: choose refetch='never'"):
        train_by_workers(np.asarray(table.features), labels, options, executor=ThreadPoolExecutor(1))


# What happens to workers


class Killer(threading.Thread):
    """Kills workers, one after the other."""

    def __init__(self, processes_of: Callable[[], list[int]], kills: int, seconds: float) -> None:
        super().__init__(daemon=True)
        self.killed = 0
        self.over = threading.Event()
        self._plan = processes_of, kills, seconds

    def run(self) -> None:
        processes_of, kills, seconds = self._plan
        while self.killed < kills and not self.over.wait(seconds):
            for number in processes_of()[self.killed % 2 :][:1]:
                os.kill(number, signal.SIGKILL)
                self.killed += 1

    def __enter__(self) -> "Killer":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.join()


def test_processes_that_are_killed(table: Table, caplog: pytest.LogCaptureFixture) -> None:
    wanted = alone(LONG)
    made: list[Executor] = []

    def pool() -> Executor:
        made.append(ProcessPoolExecutor(2, mp_context=get_context("fork")))
        return made[-1]

    def processes_of() -> list[int]:
        return list(getattr(made[-1], "_processes", None) or {}) if made else []

    with caplog.at_level(logging.WARNING), Killer(processes_of, 5, 0.5) as killer:
        found = train_by_workers(table, options=LONG, executor=pool)
    check_same(found, wanted)
    assert killer.killed
    assert len(made) > 1
    assert "is sent again" in caplog.text
    assert "of work were lost with workers, and done again" in caplog.text


def test_workers_of_dask_that_are_killed(table: Table, dask: Executor) -> None:
    from distributed import default_client

    client = default_client()

    def processes_of() -> list[int]:
        nannies = client.cluster.workers.values()
        return [nanny.process.pid for nanny in nannies if nanny.process is not None and nanny.process.pid]

    with Killer(processes_of, 2, 1.0) as killer:
        found = train_by_workers(table, options=LONG, executor=dask)
    check_same(found, alone(LONG))
    assert killer.killed


def test_a_shard_that_is_slow_goes_to_another_worker_as_well(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds_module, "_LEAST_SLOW_SECONDS", 0.2)
    monkeypatch.setattr(rounds_module, "_LOOK_SECONDS", 0.05)
    release, slow = threading.Event(), []

    class SomeSlow(ThreadPoolExecutor):
        def submit(self, fn, job, /):
            if job.shard == 1 and not slow:
                slow.append(job)
                return super().submit(lambda: (release.wait(60), fn(job))[1])
            return super().submit(fn, job)

    options = Options(shards=4, epochs=2, seed=5)
    begun = time.monotonic()
    with SomeSlow(4) as pool:
        found = train_by_workers(table, options=options, executor=pool)
        release.set()
    check_same(found, alone(options))
    assert slow
    assert time.monotonic() - begun < 50


def test_a_shard_that_is_lost_time_and_again(table: Table) -> None:
    class Cursed(ThreadPoolExecutor):
        def submit(self, fn, job, /):
            return super().submit(lambda: (_ for _ in ()).throw(OSError("the rack is on fire")))

    with pytest.raises(RoundFailed, match=r"was lost 6 times in round 0: the rack is on fire"):
        train_by_workers(table, shards=2, epochs=1, executor=Cursed(1))


def test_an_executor_that_is_gone(table: Table) -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(RoundFailed, match="give a function that makes one"):
        train_by_workers(table, shards=2, epochs=1, executor=pool)


def test_a_run_goes_on_with_other_workers(table: Table, tmp_path: Path, dask: Executor) -> None:
    options = Options(shards=4, epochs=6, seed=5)
    path = tmp_path / "run.json"

    class Enough(Exception):
        pass

    def stop(report: object) -> None:
        if getattr(report, "number", 0) == 3:
            raise Enough

    with pytest.raises(Enough):
        train_by_workers(
            table, options=options, executor=ThreadPoolExecutor(3), checkpoint=path, callbacks=[stop]
        )
    found = train_by_workers(table, options=options, executor=dask, checkpoint=path, resume=True)
    check_same(found, alone(options))


def test_as_many_shards_as_suit_the_workers(table: Table, dask: Executor, tmp_path: Path) -> None:
    def stop(report: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "run.json"
    for executor in (dask, ThreadPoolExecutor(2), lambda: ProcessPoolExecutor(2), loky_pool):
        with pytest.raises(KeyboardInterrupt):
            train_by_workers(table, epochs=2, executor=executor, callbacks=[stop], checkpoint=path)
        found = train_by_workers(
            table, epochs=2, executor=ThreadPoolExecutor(1), checkpoint=path, resume=True
        )
        assert (found.options["shards"], found.options["rounds"]) == (2, 1)
        path.unlink()
    model = ZipRegressor(shards="auto", max_iter=2, random_state=0, backend=Workers(executor=dask))
    same = ZipRegressor(shards=2, max_iter=2, random_state=0)
    X, y = table.features, table.labels
    assert np.array_equal(model.fit(X, y).model_words_, same.fit(X, y).model_words_)


def test_an_executor_of_unknown_size(table: Table) -> None:
    class Silent(Executor):
        pass

    with pytest.raises(ValueError, match="this executor does not say how many it has"):
        train_by_workers(table, executor=Silent())


def test_boards_of_which_one_is_lost_and_replaced(table: Table, small_build, caplog) -> None:
    """Four virtual boards on ports; one of them ends in mid-run, and another one takes its place."""
    options = Options(shards=4, rounds=2, epochs=4, seed=5)
    wanted = train(table, options=options, backend=BackendOptions("golden", small_build))
    boards = [VirtualBoard(small_build, optimise=1) for _ in range(4)]
    begun = threading.Event()

    def lose_one() -> None:
        begun.wait(60)
        boards[0].close()
        boards.append(VirtualBoard(small_build, optimise=1, port=int(boards[0].url.rpartition(":")[2])))

    thread = threading.Thread(target=lose_one)
    thread.start()
    try:
        with caplog.at_level(logging.INFO):
            found = train_by_workers(
                table,
                options=options,
                executor=ThreadPoolExecutor(3),
                backend="ports",
                ports=tuple(board.url for board in boards[:4]),
                callbacks=[lambda report: begun.set()],
            )
    finally:
        begun.set()
        thread.join()
        for board in boards[1:]:
            board.close()
    assert found.model_words == wanted.model_words
    assert found.loss == wanted.loss
    assert "shard 0 was trained on" in caplog.text
    assert "socket://" in caplog.text
