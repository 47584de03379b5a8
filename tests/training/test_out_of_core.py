"""Training on sets that are not held in memory: the bits are those of sets that are."""

import gc
import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import zipsgd
from zipsgd import Options, Table, load, train
from zipsgd.cli import main
from zipsgd.rows import ColumnSelection
from zipsgd.training.callbacks import Callback
from zipsgd.training.full_precision import float_sgd
from zipsgd.training.preparation import prepare
from zipsgd_sim.board import VirtualBoard


class OnSamples(Callback):
    """Tells a function of the samples of epochs."""

    def __init__(self, function):
        self.on_samples = function


OPTIONS = Options(epochs=3, batch_size=8, seed=5)
CONFIGURATIONS = [
    OPTIONS,
    replace(OPTIONS, base_bits=1, fresh=False, estimator="naive"),
    replace(OPTIONS, base_bits=5, one_sided=True, batch_size=32, estimator="truncated"),
    replace(OPTIONS, levels="optimal", base_bits=0),
    replace(OPTIONS, levels="optimal", level_bits=5, shared_levels=True, step_size=0.05),
]
LITTLE = 2000
"""Bytes: less than the small table takes, and its samples, too."""


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks, windows and parts of a few samples; for both ways, as sums over a set depend on its blocks."""
    monkeypatch.setattr("zipsgd.rows._BLOCK_VALUES", 150)
    monkeypatch.setattr("zipsgd.packing.streaming._BLOCK_BYTES", 500)
    monkeypatch.setattr("zipsgd.backends.emulator._CODES", 300)


@pytest.fixture
def on_disk(small_table: Table, tmp_path: Path) -> Path:
    """The small table as a file, its label in the middle."""
    columns = [*small_table.features[:].T[:3], small_table.labels, *small_table.features[:].T[3:]]
    np.save(tmp_path / "small.npy", np.column_stack(columns))
    return tmp_path / "small.npy"


def outcome(result: zipsgd.Result) -> dict[str, object]:
    """All that does not depend on time or place."""
    left_out = ("seconds", "backend", "build", "columns", "label", "link_bytes", "cycles", "starved_cycles")
    return {name: value for name, value in result.as_dict().items() if name not in left_out}


@pytest.mark.parametrize("options", CONFIGURATIONS, ids=str)
@pytest.mark.parametrize("backend", ["emulator", "golden", "device"])
def test_a_file_that_stays_on_disk_gives_the_same_bits(options, backend, on_disk, small_table, level_board):
    if backend == "device":
        if (
            options.resolved(diagonal=True).planes > level_board.build.level_p_max
            and options.levels == "optimal"
        ):
            pytest.skip("the board's table is smaller")
        backend = level_board.url
    table = load(on_disk, label=3, memory=LITTLE)
    assert isinstance(table.features, ColumnSelection)
    assert not isinstance(prepare(table, options=options, memory=LITTLE).values, np.ndarray)
    assert isinstance(prepare(table, options=options).values, np.ndarray)
    expected = outcome(train(small_table, options=options, backend=backend))
    told: list[tuple[int, int]] = []
    streamed = train(
        table,
        options=options,
        backend=backend,
        memory=LITTLE,
        callbacks=[OnSamples(lambda *numbers: told.append(numbers))],
    )
    assert outcome(streamed) == expected
    assert outcome(train(table, options=options, backend=backend)) == expected
    assert outcome(train(small_table, options=options, backend=backend, memory=LITTLE)) == expected
    assert [done for epoch, done in told if epoch == 2][-1] == 210


def test_memory_makes_no_difference(small_table: Table) -> None:
    expected = outcome(train(small_table, options=OPTIONS))
    for memory in (1, 300, 3000, 5879, 5880):  # 4 * 210 * 7 bytes
        assert outcome(train(small_table, options=OPTIONS, memory=memory)) == expected


def test_float_sgd_is_the_same(small_table: Table) -> None:
    expected = float_sgd(prepare(small_table, options=OPTIONS))
    for memory in (1, LITTLE):
        again = float_sgd(prepare(small_table, options=OPTIONS, memory=memory))
        assert again.losses == expected.losses
        np.testing.assert_array_equal(again.models, expected.models)


def test_predicting_for_a_file_that_stays_on_disk(on_disk: Path, small_table: Table) -> None:
    result = train(small_table, options=OPTIONS)
    table = load(on_disk, label=3, memory=LITTLE)
    np.testing.assert_array_equal(result.predict(table.features), result.predict(small_table.features))
    assert result.score(table.features, table.labels) == result.score(small_table.features, table.labels)


def test_the_command_line(on_disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", str(on_disk), "--label", "3", "--epochs", "2"]
    paths = [tmp_path / name for name in ("whole.json", "parts.json")]
    assert main([*words, "--save", str(paths[0]), "--report", str(tmp_path / "whole")]) == 0
    assert "anew" not in capsys.readouterr().err
    words += ["--memory", "2k"]
    assert main([*words, "--save", str(paths[1]), "--report", str(tmp_path / "parts")]) == 0
    assert f"{on_disk}: more than 0 MB in memory, so that every epoch reads" in capsys.readouterr().err
    assert outcome(zipsgd.load_model(paths[0])) == outcome(zipsgd.load_model(paths[1]))
    whole, parts = (
        json.loads((tmp_path / name / "report.json").read_text())["comparison"] for name in ("whole", "parts")
    )
    assert whole == parts
    assert main(["verify", *words[1:]]) == 0
    assert "identical" in capsys.readouterr().out
    assert main(["predict", str(on_disk), "--model", str(paths[0])]) == 0
    expected = capsys.readouterr()
    assert main(["predict", str(on_disk), "--model", str(paths[0]), "--memory", "2k"]) == 0
    assert capsys.readouterr() == expected
    assert main([*words, "--memory", "much"]) == 2
    assert "a size of memory is written like 2G or 500M, not 'much'" in capsys.readouterr().err


@pytest.mark.parametrize("backend", ["emulator", "device"])
def test_no_thread_is_left_of_a_run_that_is_interrupted(
    backend: str, small_table: Table, board: VirtualBoard
) -> None:
    def stop(epoch: int, done: int) -> None:
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        train(
            small_table,
            options=OPTIONS,
            backend=board.url if backend == "device" else backend,
            memory=LITTLE,
            callbacks=[OnSamples(stop)],
        )
    gc.collect()
    assert threading.active_count() == before


LIMITED = """
import json
import resource
import sys

import numpy as np
from zipsgd import Options, load, train

small, large, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])

def run(path, memory):
    result = train(load(path, memory=memory), epochs=2, memory=memory)
    return [result.loss, result.final_loss, result.model_words, result.coef, result.step_sizes]

run(small, 1 << 20)  # compiles, and starts as many threads
status = dict(line.split(":") for line in open("/proc/self/status"))
used = 1024 * int(status["VmData"].split()[0])
resource.setrlimit(resource.RLIMIT_DATA, (used + limit, used + limit))
try:
    np.load(large)
except MemoryError:
    print(json.dumps(run(large, limit // 4)))
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="limits the memory that a process may write, as Linux counts it"
)
def test_a_set_of_four_times_the_memory_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # blocks as they are, in both processes
    rng = np.random.default_rng(11)
    array = rng.normal(size=(32_000, 784)).astype(np.float32)  # 100 MB
    array[:, -1] += array[:, :10].sum(axis=1)
    np.save(tmp_path / "small.npy", array[:1000])
    np.save(tmp_path / "large.npy", array)
    script = [sys.executable, "-c", LIMITED, tmp_path / "small.npy", tmp_path / "large.npy"]
    ended = subprocess.run(
        [*script, str(array.nbytes // 4)], capture_output=True, text=True, timeout=500, check=False
    )
    assert ended.returncode == 0, ended.stderr
    result = train(Table.from_arrays(array[:, :-1], array[:, -1]), options=Options(epochs=2))
    expected = [result.loss, result.final_loss, result.model_words, result.coef, result.step_sizes]
    assert json.loads(ended.stdout) == expected
