"""Rows that are kept packed: the bits of rows that are not, read once, in the memory of their planes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zipsgd import BackendOptions, Options, load, prepare, train
from zipsgd.backends import EpochSamples, open_backend
from zipsgd.backends.packed_rows import PackedRows
from zipsgd.distributed import Workers, worker
from zipsgd.distributed.backend import ShardedBackend, sharded
from zipsgd.distributed.kept import Kept, keep_packed
from zipsgd.distributed.shards import Round, ShardRows
from zipsgd.golden.levels import LevelTable
from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig
from zipsgd.packing import unpack
from zipsgd.protocol.formats import Build
from zipsgd.protocol.run import LabelForm
from zipsgd.protocol.samples import SampleLayout
from zipsgd.training.result import Result
from zipsgd_sim.board import VirtualBoard

ROWS, FEATURES = 300, 21


class Counted:
    """Rows that count how often each is read, also in copies of them."""

    reads = np.zeros(ROWS, dtype=np.int64)
    shape = ROWS, FEATURES

    def __getitem__(self, rows: slice | npt.NDArray[np.int64], /) -> npt.NDArray[np.float32]:
        np.add.at(self.reads, rows, 1)
        values = np.random.default_rng(4).uniform(-1, 1, self.shape).astype(np.float32)
        values[:, -1] = 1
        return values[rows]


class Watched(Kept):
    """Remembers the size of each thing that was made."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[tuple[type, int]] = []

    def get(self, key: Any, make: Callable[[], Any], size: Callable[[Any], int], most: int) -> Any:
        def make_and_tell() -> Any:
            made = make()
            self.made.append((type(made), size(made)))
            return made

        return super().get(key, make_and_tell, size, most)

    @property
    def packed(self) -> list[int]:
        """Sizes of the packed rows."""
        return [size for kind, size in self.made if kind is PackedRows]


@pytest.fixture
def counted() -> Counted:
    Counted.reads[:] = 0
    return Counted()


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """What the workers of this process keep."""
    watched = Watched()
    monkeypatch.setattr(worker, "_rows", watched)
    return watched


def samples_of(
    values: Any, form: LabelForm = LabelForm.WORD, heads: int = 1, epoch: int = 0, **more: Any
) -> EpochSamples:
    random = np.random.default_rng(epoch)
    labels = random.integers(-(1 << 15), 1 << 15, (ROWS, heads)).astype(np.int16)
    if form == LabelForm.BYTE:
        labels = labels % 256
    elif form == LabelForm.SIGN:
        labels = np.where(labels > 0, 32767, -32767).astype(np.int16)
    order = random.permutation(ROWS)[:250]
    return EpochSamples(values, labels[:, 0] if heads == 1 else labels, order, 7, 0, **more)


@given(
    lanes=st.sampled_from([4, 8, 64]),
    m=st.integers(0, 3),
    intercept=st.booleans(),
    optimal=st.booleans(),
    form_and_heads=st.sampled_from(
        [(LabelForm.WORD, 1), (LabelForm.WORD, 3), (LabelForm.BYTE, 1), (LabelForm.SIGN, 1)]
    ),
)
def test_samples_have_the_same_bytes(
    lanes: int, m: int, intercept: bool, optimal: bool, form_and_heads: tuple[LabelForm, int]
) -> None:
    form, heads = form_and_heads
    Counted.reads[:] = 0
    levels = LevelTable(np.tile(np.array([-128, -80, 0, 60, 127], np.int16), (FEATURES, 1)), 8)
    table = levels if optimal else None
    values = np.random.default_rng(4).uniform(-0.99, 0.99, (ROWS, FEATURES)).astype(np.float32)
    values[:, -1] = levels.values[-1, -1] / 128 if optimal else 1
    layout = SampleLayout(FEATURES, 2, m, lanes, heads, intercept, form)
    config = RunConfig(
        FEATURES,
        2,
        m,
        levels=table,
        heads=heads,
        intercept=intercept,
        label_form=form,
        one_against_all=form == LabelForm.BYTE,
    )
    keep = keep_packed(Kept(), "shard", 1 << 20, 1 << 20)
    for epoch in range(2):
        wanted = samples_of(values, form, heads, epoch)
        found = replace(wanted, keep=keep)
        pairs = zip(wanted.packed(layout, table, 100), found.packed(layout, table, 100), strict=True)
        assert all(np.array_equal(one, other) for one, other in pairs)
        for one, other in zip(wanted.blocks(config, 100), found.blocks(config, 100), strict=True):
            assert np.array_equal(one.base, other.base)
            assert np.array_equal(one.up, other.up)
            assert np.array_equal(one.labels, other.labels)


def test_rows_are_read_once_and_kept_in_the_bytes_of_their_planes(counted: Counted) -> None:
    layout = SampleLayout(FEATURES, 3, 1, 8, intercept=True)
    kept, size = Watched(), ROWS * 4 * 3
    keep = keep_packed(kept, "shard", size + 2 * ROWS, 1 << 20)
    for epoch in range(3):
        list(samples_of(counted, epoch=epoch, keep=keep).packed(layout, None))
        # Other labels, as of another pass over the rows
        list(
            samples_of(counted, LabelForm.BYTE, epoch=epoch, keep=keep).packed(
                replace(layout, label_form=LabelForm.BYTE), None
            )
        )
    assert kept.made == [(PackedRows, size)]
    assert (counted.reads == 1).all()


def test_what_differs_in_its_bits_is_packed_by_itself(counted: Counted) -> None:
    layout, kept = SampleLayout(FEATURES, 2, 1, 8), Watched()
    levels = [
        LevelTable(np.tile(np.array([-128, middle, 0, 60, 127], np.int16), (FEATURES, 1)), 8)
        for middle in (-80, -60)
    ]
    samples = samples_of(np.zeros((ROWS, FEATURES), dtype=np.float32))
    keep = keep_packed(kept, "shard", 1 << 20, 1 << 20)
    cases = [
        (samples, layout, None),
        (samples, replace(layout, p=3), None),
        (samples, replace(layout, lanes=16), None),
        (samples, layout, levels[0]),
        (samples, layout, levels[1]),
        (replace(samples, seed=8), layout, None),
        (replace(samples, epoch=1), layout, None),
    ]
    for case, wanted, table in 2 * cases:
        list(replace(case, keep=keep).packed(wanted, table))
    list(replace(samples, keep=keep_packed(kept, "other", 1 << 20, 1 << 20)).packed(layout, None))
    assert len(kept.made) == len(cases) + 1


def test_rows_without_room_stay_where_they_are(counted: Counted) -> None:
    layout = SampleLayout(FEATURES, 3, 1, 8, intercept=True)
    kept = Watched()
    keep = keep_packed(kept, "shard", ROWS * (4 * 3 + 2) - 1, 1 << 20)
    samples = samples_of(counted, keep=keep)
    for times in (1, 2):
        (found,) = samples.packed(layout, None)
        assert (counted.reads[samples.order] == times).all()
    (wanted,) = replace(samples, keep=None).packed(layout, None)
    assert np.array_equal(found, wanted)
    assert np.array_equal(unpack(found, layout).labels, samples.labels[samples.order])
    assert not kept.made


def test_only_what_was_used_last_is_kept() -> None:
    layout, kept = SampleLayout(FEATURES, 3, 1, 8), Watched()
    samples = samples_of(np.zeros((ROWS, FEATURES), dtype=np.float32))
    size = ROWS * layout.plane_bytes
    for shard in (0, 1, 1, 0, 1, 2, 1, 0):  # there is room for two
        list(replace(samples, keep=keep_packed(kept, shard, 2 * size, 2 * size)).packed(layout, None))
    assert len(kept.made) == 4


def by_workers(build: Build) -> ShardedBackend:
    return Workers("emulator", build, executor=ThreadPoolExecutor(1), memory=ROWS * 20).open()


def in_turn(name: str) -> Callable[[Build], ShardedBackend]:
    return lambda build: sharded(open_backend(BackendOptions(name, build)), 1, 1, ROWS * 20)


@pytest.mark.parametrize("opened", [by_workers, in_turn("emulator"), in_turn("golden")])
def test_rounds_read_each_row_once(
    opened: Callable[[Build], ShardedBackend], counted: Counted, kept: Watched, small_build: Build
) -> None:
    """20 bytes a row hold 4 bits of each of 20 columns and a label, but not 84 bytes of float32."""
    config = RunConfig(FEATURES, 3, 1, 8, intercept=True)
    models = []
    for once in (True, False):
        samples = samples_of(counted, once=once)
        counted.reads[:] = 0
        backend = opened(small_build).with_shards(3, 2)
        backend.begin(config, np.zeros(FEATURES, dtype=np.int64), 5)
        for _ in range(3):
            backend.epoch(replace(samples, order=np.arange(ROWS)), Step.nearest(0.01), lambda done: None)
        models.append(backend.model())
        backend.close()
        assert (counted.reads == (1 if once else 3)).all()
    assert np.array_equal(*models)
    assert models[0].any()
    if kept.made:
        assert sorted(kept.packed) == sorted(
            12 * size // 2 for kind, size in kept.made[:6] if kind is ShardRows
        )


CLASSES = np.random.default_rng(5).normal(size=(400, 8)), np.arange(400) % 3
OUTPUTS = np.random.default_rng(3).normal(size=(400, 8)), np.random.default_rng(8).normal(size=(400, 3))
RUNS: dict[str, tuple[Any, Options]] = {
    "drawn once": ("synthetic10", Options(shards=2, fresh=False, bits=4)),
    "double sampling, rounds": ("synthetic10", Options(shards=3, rounds=4, fresh=False, estimator="double")),
    "nothing drawn": ("synthetic10", Options(shards=2, estimator="truncated")),
    "optimal levels": ("synthetic10", Options(shards=2, fresh=False, levels="optimal", bits=3)),
    "more bits later": ("synthetic10", Options(shards=2, fresh=False, bits=(2, 3))),
    "a loss by a polynomial": ("synthetic10", Options(shards=2, fresh=False, loss="huber")),
    "classes with weights": (CLASSES, Options(shards=3, fresh=False, classify=True, class_weight={"1": 1.5})),
    "several outputs": (OUTPUTS, Options(shards=2, fresh=False)),
    "resident": (CLASSES, Options(shards=2, classify=True, resident=True)),
}  # fmt: skip


def run(data: Any, options: Options, name: str = "emulator", build: Any = None, **words: Any) -> Result:
    workers = Workers(name, build, executor=ThreadPoolExecutor(1), **words)
    return run_here(data, options, workers)


def run_here(data: Any, options: Options, backend: Any = "emulator") -> Result:
    data = (load(data),) if isinstance(data, str) else data
    return train(*data, options=replace(options, epochs=2, seed=3), backend=backend)


@pytest.mark.parametrize("name", RUNS)
def test_runs_have_the_same_bits(name: str, kept: Watched) -> None:
    data, options = RUNS[name]
    wanted = run(data, options, memory=0)
    assert not kept.packed
    found = [run(data, options), run(data, options, "golden"), run_here(data, options)]
    assert len(kept.packed) == 2 * options.shards * (2 if name == "more bits later" else 1)
    for each in found:
        assert each.model_words == wanted.model_words
        assert each.loss == wanted.loss


def test_one_shard_is_a_run_without(kept: Watched) -> None:
    options = Options(fresh=False)
    assert run("synthetic10", options).model_words == run_here("synthetic10", options).model_words
    assert [kind for kind, _ in kept.made] == [ShardRows, PackedRows]
    assert kept.made[0][1] == 2 * len(load("synthetic10").labels)  # labels, and no values


def test_passes_share_rows(kept: Watched) -> None:
    """A build with one head takes the outputs in turn."""
    _, options = RUNS["several outputs"]
    build = {"heads": 1, "lanes": 4}
    found = run(OUTPUTS, options, build=build)
    assert found.model_words == run(OUTPUTS, options, build=build, memory=0).model_words
    assert len(kept.packed) == 2


def test_fresh_draws_need_values(kept: Watched) -> None:
    run("synthetic10", Options(shards=2))
    rows, features = load("synthetic10").features.shape
    assert [kind for kind, _ in kept.made] == [ShardRows, ShardRows]
    assert sum(size for _, size in kept.made) == 2 * rows * (4 * (features + 1) + 2)  # and in fixed point


@pytest.mark.parametrize(
    ("words", "once"),
    [
        ({}, False),
        ({"fresh": False}, True),
        ({"resident": True}, True),
        ({"estimator": "truncated"}, True),
        ({"levels": "optimal", "bits": 3}, False),
    ],
)
def test_samples_that_are_the_same_in_all_epochs_say_so(words: dict[str, Any], once: bool) -> None:
    task = prepare(load("synthetic10"), None, Options(**words))
    first, later = (task.samples(epoch, task.labels[:, 0]) for epoch in (0, 5))
    assert (first.once, later.once) == (once, once)
    layout = task.config.layout(Build())
    rows = np.arange(100)
    one, other = (
        np.concatenate(list(each.in_order(rows).packed(layout, task.config.levels)))
        for each in (first, later)
    )
    assert np.array_equal(one, other) == once
    part = Round(0, 5, later.epoch, once=later.once).samples(
        ShardRows.of(task.values, task.labels[:, 0], 2, 0, 0), 2, 0, 16, keep_packed(Kept(), 0, 0, 0)
    )
    assert (part.keep is not None) == once


def test_boards(small_build: Build, kept: Watched) -> None:
    options = Options(shards=2, rounds=2, fresh=False, bits=4)
    board = VirtualBoard(small_build, optimise=1)
    try:
        found = run("synthetic10", options, "ports", ports=(board.url,))
    finally:
        board.close()
    wanted = run("synthetic10", options, "golden", small_build, memory=0)
    assert found.model_words == wanted.model_words
    assert len(kept.packed) == 2
