"""The benches' own arithmetic, at a small size; their goals are for ``zipsgd bench``."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from zipsgd.backends import RunConfig
from zipsgd.backends.emulator import EmulatorBackend
from zipsgd.backends.golden import GoldenBackend
from zipsgd.protocol.formats import Build
from zipsgd_bench import (
    BENCHES,
    comparison,
    cycles,
    describe,
    draws,
    emulator,
    identity,
    link_rate,
    save,
    simulation,
    unbiased,
    wire,
)
from zipsgd_bench.progress import Steps
from zipsgd_bench.registry import Bench
from zipsgd_sim.options import build_array, run_array


def test_names_are_keys() -> None:
    assert set(BENCHES) >= {
        "identity",
        "unbiased",
        "convergence",
        "cycles",
        "wire",
        "link",
        "simulation",
        "emulator",
    }
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


def test_rows_of_a_table_need_not_have_the_same_keys() -> None:
    result = {"goal": "none", "met": True, "rows": [{"a": 1, "b": 2}, {"a": 3}, {"c": 4}]}
    assert [line.split() for line in describe(result).splitlines()[:4]] == [
        ["a", "b", "c"],
        ["1", "2", "-"],
        ["3", "-", "-"],
        ["-", "-", "4"],
    ]


def test_wire_meets_its_goal() -> None:
    result = wire.run()
    assert result["met"]
    assert [row["lanes"] for row in result["rows"]] == list(wire.LANES)
    assert {row["n=785 p=2 m=2, bytes"] for row in result["rows"]} == {2 + 4 * 98}


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
        assert row["draws"] >= draws
        assert row["within 4"], row


def test_the_step_of_one_draw_is_unbiased_at_a_small_size() -> None:
    for row in unbiased.corrected_steps(1):
        assert row["within 4"], row
        if "hinge" not in row["what"]:  # which needs more draws to tell
            assert row["deviation from the biased mean"] > 10, row


def test_solutions_are_told_apart() -> None:
    for row in unbiased.solutions(400):
        near, far = sorted(
            (row["distance to least squares / gap"], row["distance to (A^T A + sum D) x = A^T b / gap"])
        )
        assert near < 0.15, row
        assert far > 0.85, row
        assert (row["distance to least squares / gap"] == near) == (row["what"] != "naive stochastic")


def test_emulator_bench_reports_all_contestants() -> None:
    result = emulator.run(rows=64, epochs=1, repeats=1)
    assert len(result["rows"]) == len(emulator.HELD) + 2 + len(emulator.OTHERS)
    assert all(row["samples/s"] > 0 for row in result["rows"])


def test_steps_are_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Steps(2) as steps:
        steps.next("one")
        steps.note("by the way")
        steps.next("two")
    captured = capsys.readouterr()
    assert captured.err.splitlines() == ["1/2 one", "by the way", "2/2 two"]
    assert captured.out == ""


def test_the_draws_bench_tells_a_good_generator_from_a_poor_one() -> None:
    rows = draws.run(400_000)["rows"]
    good, poor = rows[:3], rows[3:]
    assert {row["generator"] for row in good} == {"two rotations"}
    assert max(abs(row["worst correlation"]) for row in good) < 0.03
    assert min(abs(row["worst correlation"]) for row in poor) > 0.08


def test_identity_at_a_small_size() -> None:
    """A few configurations of the smallest build, with and without stalls and resets."""
    build = max(build_array(), key=lambda build: ((*build.values(),).count("no"), -int(build["lanes"])))
    kinds = run_array(build)[:6]
    result = identity.run(kinds, uart_runs=0, from_the_store=[])
    assert result["differences"] == result["from the store"] == []
    (row,) = result["rows"]
    assert (row["configurations"], row["losses compared"], row["differing"]) == (6, 6 * 2 * 2, 0)
    assert {kind["resets"] for kind in kinds} == {kind["stalls"] for kind in kinds} == {"no", "yes"}
    assert not result["met"], "a few configurations, none of them over the pins, are not enough"


def test_identity_sees_a_difference(small_build: Build) -> None:
    class Other(EmulatorBackend):
        def begin(self, config: RunConfig, model: npt.NDArray[np.int64], seed: int) -> None:
            super().begin(config, model, seed + 1)

    backends = {"golden": GoldenBackend(small_build), "other": Other(small_build)}
    row, _, differences = comparison.compare(small_build, backends, [{}] * 2, seed=0)
    assert row["differing"] > 0
    assert {difference["differs"] for difference in differences} == {"other"}


@pytest.mark.parametrize("diagonal", [0, 1])
def test_the_bubble_is_the_sum_of_its_stages(diagonal: int) -> None:
    build = Build(lanes=4, update_lanes=4, max_features=64, diagonal=diagonal)
    rows = cycles.sweep(build, (3, 41), ((1, 2), (3, 1), (4, 0)), (1, 5))
    assert len(rows) == 12
    for row in rows:
        if row["batch"] == 1 or row["n"] == 41:
            assert row["lost"] == sum(cycles.stages(build.lanes, row["p"], row["m"], diagonal).values()), row
            assert row["lost"] <= cycles.BUBBLE + row["p"] + row["m"]


def test_the_line_is_full_of_samples(small_build: Build) -> None:
    row = link_rate.measure(small_build, "a small set", 9, 1000, baud=small_build.clock_hz // 4, size=6000)
    assert row["bytes a sample"] == 2 + (link_rate.P + link_rate.M) * 8 // 8
    assert row["share of the bytes"] > 0.9  # the frames around so short an epoch weigh more
    assert row["idle cycles"] <= 0.01 * row["of"]
    assert row["frames resent"] == 0


def test_simulation_bench_reports_every_place(small_build: Build) -> None:
    result = simulation.run(small_build, features=9, samples=64, epochs=1)
    assert all(row["cycles/s"] > 0 for row in result["rows"])
