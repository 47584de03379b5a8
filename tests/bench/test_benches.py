"""The benches' own arithmetic, at a small size; their goals are for ``zipsgd bench``."""

import json
from pathlib import Path

import numpy as np

from zipsgd.bench import BENCHES, describe, emulator, save, unbiased, wire
from zipsgd.bench.registry import Bench


def test_names_are_keys() -> None:
    assert {"unbiased", "emulator", "wire"} <= set(BENCHES)
    for name, bench in BENCHES.items():
        assert bench.name == name
        assert bench.summary


def test_result_is_saved_with_its_figure(tmp_path: Path) -> None:
    result = {
        "goal": "a <= 1",
        "met": False,
        "seeds": [3],
        "rows": [{"a": 2, "ok": False}],
        "more": [{"b": 0.5}],
    }

    def plot(drawn: object, path: Path) -> None:
        assert drawn is result
        path.write_bytes(b"figure")

    bench = Bench("demo", "a demonstration", lambda: result, plot)
    files = save(bench, bench.run(), tmp_path / "new")
    assert [file.name for file in files] == ["demo.json", "demo.png"]
    assert all(file.exists() for file in files)
    report = json.loads(files[0].read_text())
    assert report["command"] == "zipsgd bench demo"
    assert report["rows"] == result["rows"]
    assert report["environment"]["numpy"] == np.__version__
    assert describe(result).split() == [
        "a",
        "ok",
        "2",
        "no",
        "b",
        "0.5",
        "goal:",
        "a",
        "<=",
        "1:",
        "NOT",
        "MET",
    ]


def test_wire_meets_its_goal() -> None:
    result = wire.run()
    assert result["met"]
    assert [row["lanes"] for row in result["rows"]] == list(wire.LANES)
    assert {row["n=784 p=2 m=2, bytes"] for row in result["rows"]} == {2 + 4 * 98}


def test_a_biased_mean_is_seen() -> None:
    rng = np.random.default_rng(0)
    blocks = [rng.normal(0.5, 0.01, 4) for _ in range(64)]
    assert unbiased._row("x", "0.5", 64, blocks, np.full(4, 0.5))["within 4"]
    assert not unbiased._row("x", "0.51", 64, blocks, np.full(4, 0.51))["within 4"]
    # no spread at all: only the exact value will do
    same = [np.ones(2)] * 8
    assert unbiased._row("x", "1", 8, same, np.ones(2))["worst deviation (standard errors)"] == 0
    assert not unbiased._row("x", "2", 8, same, np.full(2, 2.0))["within 4"]


def test_means_are_unbiased_at_a_small_size() -> None:
    draws = 1 << 13
    for row in unbiased.samples(draws) + unbiased.gradients(draws) + unbiased.model_roundings(draws):
        assert row["draws of each"] >= draws
        assert row["within 4"], row


def test_solutions_are_told_apart() -> None:
    for row in unbiased.solutions(400):
        near, far = sorted(
            (row["distance to least squares / gap"], row["distance to (A^T A + sum D) x = A^T b / gap"])
        )
        assert near < 0.15, row
        assert far > 0.85, row
        assert (row["distance to least squares / gap"] == near) == (row["m"] == 2)


def test_emulator_bench_reports_all_contestants() -> None:
    result = emulator.run(rows=64, epochs=1, repeats=1)
    assert len(result["rows"]) == 3 + len(emulator.OTHERS)
    assert all(row["samples/s"] > 0 for row in result["rows"])
