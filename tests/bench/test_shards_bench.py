"""The arithmetic of the bench of shards: its model of time, and what it predicts for boards."""

import math

import pytest

from zipsgd_bench.shards_scale import boards
from zipsgd_bench.shards_time import FIT, TimeModel, checked, fitted

MODEL = TimeModel(0.8, dict.fromkeys((1, 2, 4, 16), (0.01, 0.005)))


def test_workers_share_computing_as_far_as_there_are_cores() -> None:
    exchange = 0.01 + 8 * 0.005
    assert MODEL.epoch(1, 8, cores=2) == pytest.approx(0.8 + exchange)
    assert MODEL.epoch(2, 8, cores=2) == pytest.approx(0.4 + exchange)
    assert MODEL.epoch(4, 8, cores=2) == MODEL.epoch(2, 8, cores=2)
    assert MODEL.epoch(4, 8, cores=1.25) == pytest.approx(0.8 / 1.25 + exchange)


def test_a_worker_trains_whole_shards() -> None:
    assert MODEL.epoch(4, 6, cores=8) == pytest.approx(0.8 * 2 / 6 + MODEL.exchange(4, 6))
    assert MODEL.epoch(16, 2, cores=16) == pytest.approx(0.8 / 2 + MODEL.exchange(16, 2))


def test_the_model_is_found_again() -> None:
    model = TimeModel(0.8, {1: (0.01, 0.005), 2: (0.02, 0.003)})
    rounds = {
        (workers, shards): model.exchange(workers, shards) for workers in (1, 2) for shards in (2, 4, 8)
    }
    found = fitted(rounds, model.epoch(1, FIT, cores=2), FIT)
    assert found.compute == pytest.approx(model.compute)
    for workers in (1, 2):
        assert found.exchanges[workers] == pytest.approx(model.exchanges[workers])


def test_deviations_are_those_of_the_measured_epochs() -> None:
    expected = MODEL.epoch(2, 4, cores=1.5)
    rows = checked(MODEL, {(1, FIT): (MODEL.epoch(1, FIT, 2), 2.0), (2, 4): (1.1 * expected, 1.5)})
    assert [row["fitted"] for row in rows] == [True, False]
    assert [row["deviation, %"] for row in rows] == pytest.approx([0, 10])
    assert rows[1]["predicted, s"] == expected


def test_boards_share_rows_and_hosts_share_boards() -> None:
    one = boards("a set", 60_000, 1, 1, 0.002, 0.016)
    assert one["computing, s"] == pytest.approx(0.0806, rel=0.01)  # as the virtual board takes
    assert one["links, s"] == pytest.approx(8 * 785 * 10 / 3e6)
    assert one["between hosts, s"] == 0
    assert one["limited by"] == "computing"
    many = boards("a set", 60_000, 8, 2, 0.002, 0.016)
    assert many["computing, s"] == pytest.approx(one["computing, s"] / 8, rel=0.01)
    assert many["hosts, s"] == pytest.approx(4 * 0.002)
    assert many["between hosts, s"] == 0.016
    assert many["limited by"] == "links"


def test_rows_that_do_not_fit_are_no_epoch() -> None:
    assert math.isinf(boards("too large", 318_000_000, 1000, 10, 0.002, 0.016)["epoch, s"])
