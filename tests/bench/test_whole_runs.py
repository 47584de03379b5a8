"""Whole benches on little, with what they take long for stood in for: what they put together, and when they call a goal met."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from zipsgd.data import Table
from zipsgd.protocol.formats import Build
from zipsgd_bench import (
    bitstream,
    convergence,
    cycles,
    describe,
    fuzz,
    gateware,
    less_data,
    link_rate,
    quality,
    unbiased,
)
from zipsgd_hw.boards import BuildFailed
from zipsgd_hw.link.physical import Uart
from zipsgd_sim.designs import rtl
from zipsgd_sim.fuzz import fuzz as hostile_bytes

Row = dict[str, Any]


def test_convergence(small_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = replace(convergence.OPTIONS, epochs=3)
    monkeypatch.setattr(convergence, "OPTIONS", short)
    monkeypatch.setattr(convergence, "SETS", ("small", "again"))
    monkeypatch.setattr(convergence, "load_set", lambda name: small_table)
    monkeypatch.setattr(convergence, "compare", partial(convergence.compare, options=short, seeds=(1, 2)))
    result = convergence.run()
    assert len(result["rows"]) == 2 * len(convergence.DRAWS) * len(convergence.PLANES)
    for row in result["rows"]:
        assert row["lowest"] <= row["ratio"] <= row["highest"]
        assert row["bits a value"] == row["p"] + convergence.DRAWS[row["estimator"]]
        goal = (
            convergence.GOALS.get(row["bits a value"]) if row["estimator"] in convergence.UNBIASED else None
        )
        assert row["met"] == (None if goal is None else row["ratio"] <= goal)
    assert {len(curve) for curves in result["curves"].values() for curve in curves.values()} == {3}
    convergence.plot(result, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_less_data(small_table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimal levels with half the bits, on all real sets but one."""

    def measure(trials: object, begin: Callable[[str], None]) -> list[Row]:
        begin("all")
        return [
            {"estimator": estimator, "levels": kind, "bits a value": bits, "ratio": 1.0}
            for estimator in less_data.COMPARED
            for kind, bits in (("uniform", 6), ("optimal", 3), ("shared", 4))
        ]

    monkeypatch.setattr(less_data, "load_set", lambda name: small_table)
    monkeypatch.setattr(less_data, "measure", measure)
    monkeypatch.setattr(less_data, "by_level_bits", lambda trials: [{"v=2": 1.0}])
    result = less_data.run()
    assert result["met"]
    assert {row["set"] for row in result["rows"]} == set(less_data.SETS)
    assert {row["times less"] for row in result["any estimator"]} == {2}
    assert {row["set"] for row in result["level bits"]} == set(less_data.REAL)
    monkeypatch.setattr(less_data, "GOAL", 2.5)
    assert not less_data.run()["met"]


def test_contests_are_on_all_sets(small_table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "load_set", lambda name: small_table)
    monkeypatch.setattr(
        quality,
        "mnist_digits",
        lambda: {name: name for name in ("train", "train_digits", "test", "test_digits")},
    )
    found = {each.name: each for each in quality.contests()}
    made = ["departures", "heavy tails, 7 classes", "columns of two values"]
    assert list(found) == ["cadata", "cpusmall", "breast cancer", "digits", *made, "MNIST"]
    assert all({"zipsgd", quality.EXACT} < each.contestants.keys() for each in found.values())
    train_x, train_y, test_x, test_y = found["cadata"].splits[0]()
    assert len(train_x) == len(train_y) > len(test_x) == len(test_y)
    assert sorted([*train_y, *test_y]) == sorted(small_table.labels)
    assert found["MNIST"].splits[0]() == ("train", "train_digits", "test", "test_digits")


@pytest.mark.parametrize(("ours", "met"), [("most_frequent", True), ("constant", False)])
def test_quality(ours: str, met: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against one that is right in two cases of three."""
    X, y = np.zeros((30, 1)), np.arange(30) % 3 > 0
    contestants = {
        "zipsgd": (DummyClassifier(strategy=ours, constant=False), {}),
        "other": (DummyClassifier(strategy="most_frequent"), {}),
        quality.EXACT: (DummyClassifier(strategy="most_frequent"), {}),
    }
    entered = quality.Contest("thirds", "accuracy", [lambda: (X, y, X, y)], contestants)
    monkeypatch.setattr(quality, "contests", lambda: [entered])
    result = quality.run()
    assert result["met"] is met
    assert result["contestants"]["thirds"]["other"]["mean"] == pytest.approx(200 / 3)
    assert "all" not in result["rows"][0]


@pytest.mark.parametrize(("share", "idle", "met"), [(0.98, 0, True), (0.98, 2, False), (0.96, 0, False)])
def test_link(share: float, idle: int, met: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def measure(build: Build, name: str, features: int, rows: int, **arguments: Any) -> Row:
        asked.append((name, arguments["baud"], arguments["pins"], build.clock_hz))
        return {"share of the bytes": share, "idle cycles": idle, "of": 1000}

    monkeypatch.setattr(link_rate, "measure", measure)
    assert link_rate.run()["met"] is met
    assert len(asked) == len(link_rate.SETS) * len(link_rate.MEGABAUD) + 1
    assert asked[-1] == ("MNIST", 12_000_000, True, 60_000_000)
    assert not any(pins for _, _, pins, _ in asked[:-1])


@pytest.mark.parametrize(("more", "met"), [(0, True), (10, False)])
def test_cycles(more: int, met: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many cycles as the stages add up to, or more where n is large."""

    def sweep(build: Build, features: Any, planes: Any, batches: Any) -> list[Row]:
        rows = []
        for n in features:
            for p, m in planes:
                for batch in batches:
                    limit = build.chunks(n) * (p + m) * batch
                    lost = sum(cycles.stages(build.lanes, p, m, build.diagonal).values()) + (
                        more if n > 1000 else 0
                    )
                    shape = {"n": n, "p": p, "m": m, "batch": batch, "planes": limit}
                    rows.append({**shape, "cycles": limit + lost, "lost": lost, "ratio": 1 + lost / limit})
        return rows

    monkeypatch.setattr(cycles, "sweep", sweep)
    result = cycles.run()
    assert result["met"] is met
    assert len(result["rows"]) == len(cycles.LANES) * len((*cycles.PLANES, *cycles.ONE_DRAW))
    assert {row["same for all n"] for row in result["rows"]} == {met}
    assert {row["bubble"] - row["sum of stages"] for row in result["rows"]} == {more}
    assert len(result["narrow"]) == 3 * len(cycles.NARROW)
    assert "bubble" in describe(result)


def test_unbiased(monkeypatch: pytest.MonkeyPatch) -> None:
    means = {"within 4": True}
    for name in ("samples", "gradients", "model_roundings", "corrected_steps"):
        monkeypatch.setattr(unbiased, name, lambda draws: [means])
    trained = [{"near its own": True}]
    monkeypatch.setattr(unbiased, "solutions", lambda epochs: trained)
    result = unbiased.run()
    assert (result["met"], len(result["rows"]), result["solutions"]) == (True, 4, trained)
    trained[0]["near its own"] = False
    assert not unbiased.run()["met"]
    trained[0]["near its own"], means["within 4"] = True, False
    assert not unbiased.run()["met"]


def test_fuzz(small_build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zipsgd_sim.fuzz.fuzz", partial(hostile_bytes, optimise=1))
    result = fuzz.run({small_build: 300})
    (row,) = result["rows"]
    assert row["frames"] >= 300
    assert (row["build"], row["findings"], result["found"]) == ("L4 U4 diagonal", 0, [])
    assert not result["met"], "300 frames are not enough"


@pytest.mark.parametrize("met", [True, False])
def test_gateware(met: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for the builds, one of which fails or not."""

    def build_board(name: str, *, out_dir: Path, progress: Callable[[str], None]) -> Row:
        if name == "icebreaker" and not met:
            raise BuildFailed("it is too slow")
        out_dir.mkdir()
        (out_dir / "board.bin").write_bytes(bytes(99))
        progress("built")
        used = {"used": 5, "available": 9, "percent": 55.6}
        clock = {"name": "clk", "target_mhz": 24.0, "met": True}
        return {
            "board": name,
            "device": "D",
            "build": Build(lanes=8, max_features=1024).as_dict(),
            "clocks": [{**clock, "fmax_mhz": 30.0}, {**clock, "fmax_mhz": 26.0}],
            "bitstream": "board.bin",
            "seed": 2,
            "utilisation": {"cells": used, "ff": used, "ram": used, "dsp": {**used, "used": None}},
        }

    monkeypatch.setattr("zipsgd_hw.boards.build_board", build_board)
    monkeypatch.setattr(gateware, "FOLDER", tmp_path)
    result = gateware.run()
    assert result["met"] is met
    assert list(result["failed"]) == [] if met else ["icebreaker"]
    row = next(row for row in result["rows"] if row["board"] == "icesugar")
    assert (row["cells"], row["dsp"], row["bitstream, bytes"], row["MHz"]) == (
        "5 of 9",
        None,
        99,
        "30.0, 26.0",
    )
    assert (result["boards"] >= 12, result["families"]) == (True, 3)
    epochs = {row["board"]: row for row in result["epochs"]}
    assert epochs["icesugar"]["MNIST, link s"] is None  # its model is too large
    assert 0 < epochs["icesugar"]["housing, store s"] < epochs["icesugar"]["housing, link s"]


def test_bitstream(small_build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateware itself, with a store, in the place of both that are taken apart."""
    build = replace(small_build, word_bytes=2, store_words=4096, schedule_words=64)
    report = {
        "build": build.as_dict(),
        "link_baud": 3_000_000,
        "bitstream": "top.bin",
        "utilisation": {"cells": 1},
        "tools": {},
    }
    monkeypatch.setattr("zipsgd_hw.boards.build_board", lambda *_, **__: report)
    monkeypatch.setattr("zipsgd_sim.bitstreams.bitstream_design", lambda path: rtl(build, Uart(3_000_000)))
    result = bitstream.run(runs=2)
    assert result["met"]
    for rows in (result["rows"], result["from the store"]):
        assert [row["power-up"] for row in rows] == list(bitstream.POWER_UPS)
        assert [row["resets"] > 0 for row in rows] == [False, True]
    assert {row["losses compared"] for row in result["rows"]} == {4}
    assert {row["checks compared"] for row in result["from the store"]} == {2}
