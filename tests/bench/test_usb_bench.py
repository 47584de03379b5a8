"""The bench of USB at a small size; its goal is for ``zipsgd bench``."""

from functools import partial

import pytest

from zipsgd.data import Table
from zipsgd.protocol.formats import Build
from zipsgd_bench import usb
from zipsgd_bench.simulated import simulated
from zipsgd_sim.board import VirtualBoard

pytestmark = pytest.mark.filterwarnings("ignore::zipsgd.ConvergenceWarning")  # the runs are short


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, small_table: Table) -> None:
    monkeypatch.setattr(usb, "load_set", lambda name: small_table)
    monkeypatch.setattr(usb, "simulated", partial(simulated, optimise=1))
    monkeypatch.setattr("zipsgd_sim.board.VirtualBoard", partial(VirtualBoard, optimise=1))


def test_usb_at_a_small_size(small_build: Build) -> None:
    result = usb.run(small_build, 9, {"high": 20_000}, unplugs=1)
    (row,) = result["rows"]
    assert row["share of the bytes"] > 0.9
    assert 0 < row["MB/s"] < 24  # at most a byte a cycle
    assert row["packets to the device"] >= 20_000 // 512
    assert row["retries"] == 0
    assert [(row["run"], row["runs"], row["identical"]) for row in result["runs"]] == [
        ("undisturbed", 1, 1),
        ("unplugged", 1, 1),
    ]
    assert not result["met"], "a single speed is not enough"


def test_a_difference_is_seen(small_build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = iter(range(1000))
    monkeypatch.setattr(usb, "bits", lambda result: next(kept))
    result = usb.run(small_build, 9, {"high": 5_000}, unplugs=0)
    assert [row["identical"] for row in result["runs"]] == [0, 0]
