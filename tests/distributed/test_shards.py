"""The rows of shards, and their samples."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zipsgd import Options, load, prepare, train
from zipsgd.backends import EpochResult, EpochSamples, RunConfig
from zipsgd.distributed.shards import Round, ShardRows, rows_of_shard
from zipsgd.distributed.work import train_shard
from zipsgd.golden.diagonal import Diagonal
from zipsgd.golden.loss import Step
from zipsgd.training.parts import ALL_PARTS
from zipsgd.training.shard_numbers import suitable_rounds, suitable_shards, with_shards


@given(st.integers(1, 5000), st.integers(1, 70))
def test_each_row_is_in_one_shard(rows: int, shards: int) -> None:
    if shards > rows:
        with pytest.raises(ValueError, match="cannot be dealt"):
            rows_of_shard(rows, shards, 0)
        return
    parts = [rows_of_shard(rows, shards, shard) for shard in range(shards)]
    assert all((np.diff(part) > 0).all() for part in parts)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(rows))
    sizes = [part.size for part in parts]
    assert 1 <= min(sizes) <= max(sizes) <= min(sizes) + 32


def test_a_shard_has_rows_of_every_part_of_a_sorted_file() -> None:
    classes = np.repeat(np.arange(10), 6000)
    for shard in range(8):
        counts = np.bincount(classes[rows_of_shard(60_000, 8, shard)], minlength=10)
        assert counts.min() > 0.6 * counts.mean()


@pytest.mark.parametrize("resident", [False, True])
def test_a_single_shard_has_the_samples_of_a_run_without(resident: bool) -> None:
    task = prepare(load("synthetic10"), None, Options(seed=9, resident=resident))
    rows = ShardRows.of(task.values, task.labels[:, 0], 1, 0, 0)
    for epoch in (0, 3):
        wanted = task.samples(epoch, task.labels[:, 0])
        found = Round(9, epoch, wanted.epoch, stored=resident).samples(rows, 1, 0, 16)
        assert np.array_equal(found.order, wanted.order)
        assert (found.seed, found.epoch) == (wanted.seed, wanted.epoch)
        assert (found.stored is None) == (wanted.stored is None)


def test_the_rounds_of_an_epoch_take_each_row_of_a_shard_once() -> None:
    labels = np.arange(100, dtype=np.int16)
    rows = ShardRows.of(np.zeros((100, 2), dtype=np.float32), labels, 3, 1, 1 << 20)
    parts = [Round(5, 2, 2, part, 4).samples(rows, 3, 1, 2) for part in range(4)]
    assert [part.order.size % 2 for part in parts[:-1]] == [0, 0, 0]
    taken = np.concatenate([labels[rows_of_shard(100, 3, 1)][part.order] for part in parts])
    assert sorted(taken) == rows_of_shard(100, 3, 1).tolist()
    assert [Round(5, 2, 2, part, 4).number for part in range(4)] == [8, 9, 10, 11]


def test_a_shard_that_is_too_large_for_memory_stays_where_it_is() -> None:
    values = np.random.default_rng(1).random((400, 5), dtype=np.float32)
    labels = np.zeros(400, dtype=np.int16)
    count = rows_of_shard(400, 2, 1).size
    here, there = (ShardRows.of(values, labels, 2, 1, 4 * count * 5 - less) for less in (0, 1))
    assert isinstance(here.values, np.ndarray)
    assert not isinstance(there.values, np.ndarray)
    assert np.array_equal(here.values, there.values[np.arange(count)])
    assert here.size == there.size + here.values.nbytes


def test_a_number_of_shards_that_suits() -> None:
    for rows, workers, wanted in ((60_000, 1, 1), (60_000, 2, 2), (60_000, 3, 4), (2_500, 8, 2), (10, 4, 1)):
        assert suitable_shards(rows, workers) == wanted


def test_a_number_of_rounds_that_suits() -> None:
    for rows, shards, batch, wanted in (
        (60_000, 8, 16, 4),
        (60_000, 4, 16, 2),
        (60_000, 3, 16, 1),
        (20_640, 64, 16, 4),
        (1_000, 64, 16, 1),
        (20_000, 8, 1_000, 2),
    ):
        assert suitable_rounds(rows, shards, batch) == wanted


def test_numbers_that_the_options_leave_open() -> None:
    parts = replace(ALL_PARTS, workers=3)
    found = with_shards(Options(shards="auto"), 60_000, parts)
    assert (found.shards, found.rounds) == (4, 2)
    assert with_shards(Options(shards="auto", resident=True), 60_000, parts).rounds == 1
    assert with_shards(Options(shards="auto"), 60_000, ALL_PARTS) == Options()
    assert with_shards(Options(shards=2, rounds=7), 100, parts) == Options(shards=2, rounds=7)
    with pytest.raises(ValueError, match="does not say how many it has: give a number, such as shards=8"):
        with_shards(Options(shards="auto"), 60_000, replace(parts, workers=0))
    with pytest.raises(TypeError, match="shards must be a whole number, not 'many'"):
        Options(shards="many")


class Listening:
    """A backend that keeps the steps it is given."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, Step]] = []

    def begin(self, *rest: object) -> None:
        pass

    def epoch(self, samples: EpochSamples, step: Step, progress: object) -> EpochResult:
        self.steps.append((samples.order.size, step))
        return EpochResult(0, 0)

    def model(self) -> np.ndarray:
        return np.zeros(3, dtype=np.int64)


def test_each_round_corrects_the_bias_of_its_own_samples() -> None:
    """The weights grow once for each mini-batch. Its strength is for their mean number of samples."""
    config = RunConfig(3, 2, 1, 16, diagonal=Diagonal.nearest(np.array([0.3, 0.1, 0.0])))
    rows = ShardRows(np.zeros((200, 3), np.float32), np.zeros(200, np.int16))
    step, shards, rounds, starts = Step.nearest(2.0**-8), 3, 4, []
    for number in range(2 * rounds):
        for shard in range(shards):
            backend, turn = Listening(), Round(5, number // rounds, 0, number % rounds, rounds)
            train_shard(backend, config, rows, turn, np.zeros((1, 3), np.int32), step, shards, shard)
            ((samples, given),) = backend.steps
            batches = -(-samples // 16)
            share = 2.0**-given.growth.shift / given.growth.range
            assert abs(share / (step.value * samples / batches * config.diagonal.unit) - 1) < 1e-4
            assert samples == (56 if number % rounds == 3 else 48)
            starts.append((number, shard, given.growth.start))
    assert len({start for _, _, start in starts}) == len(starts)


def test_many_shards_at_two_bits_are_not_biased() -> None:
    table = load("cadata")
    one, many = (train(table, bits=2, shards=shards) for shards in (1, 32))
    assert many.final_loss < 1.03 * one.final_loss
    assert not {"model", "q3"} & set(many.flags)
