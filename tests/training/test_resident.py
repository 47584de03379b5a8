"""Samples that stay in a board's store: the same bits on every backend, loaded once, and never wrong unnoticed."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from store_build import BUILD

from zipsgd import Options, prepare, train
from zipsgd.backends import BackendOptions, open_backend
from zipsgd.backends.device import DeviceBackend
from zipsgd.data import Table
from zipsgd.protocol.store import StoreLayout
from zipsgd_sim.board import VirtualBoard

_EMULATOR = BackendOptions("emulator", BUILD)


def _classes(table: Table) -> Table:
    """The same rows, with three classes for labels."""
    classes = np.digitize(table.labels, np.quantile(table.labels, [0.3, 0.6]))
    return replace(table, labels=classes.astype(np.float64))


_RUNS: list[dict[str, Any]] = [
    {},
    {"estimator": "double", "bits": 3, "batch_size": 7},
    {"classify": True, "loss": "squared_hinge", "bits": 2},
]


@pytest.mark.parametrize("words", _RUNS, ids=["default", "double", "classes"])
def test_every_backend_has_the_same_bits(
    words: dict[str, Any], small_table: Table, store_board: VirtualBoard
) -> None:
    table = _classes(small_table) if "classify" in words else small_table
    kept = [
        train(table, backend=backend, epochs=3, resident=True, **words)
        for backend in (_EMULATOR, BackendOptions("golden", BUILD), store_board.url)
    ]
    assert kept[0].model_words == kept[1].model_words == kept[2].model_words
    assert kept[0].loss == kept[1].loss == kept[2].loss
    streamed = train(table, backend=_EMULATOR, epochs=3, fresh=False, **words)
    assert kept[0].model_words != streamed.model_words, "the order of blocks is another one"
    assert abs(kept[0].loss[-1] - streamed.loss[-1]) < 0.3 * abs(streamed.loss[0])


def test_samples_are_loaded_once(
    small_table: Table, store_board: VirtualBoard, messages: pytest.LogCaptureFixture
) -> None:
    train(small_table, backend=store_board.url, epochs=1, resident=True, seed=1)
    assert "loaded 210 rows" in messages.text
    messages.clear()
    before = store_board.statistics()["received"]
    again = train(small_table, backend=store_board.url, epochs=20, resident=True, seed=1)
    assert "already holds the 210 rows" in messages.text
    assert "loaded" not in messages.text
    assert store_board.statistics()["received"] - before < 20 * 500, "settings, seeds and models alone"
    assert again.sample_bytes == 0
    other = train(small_table, backend=store_board.url, epochs=1, resident=True, seed=2)
    assert "loaded 210 rows" in messages.text, "in another order"
    assert (
        other.model_words
        == train(small_table, backend=_EMULATOR, epochs=1, resident=True, seed=2).model_words
    )


def test_a_set_without_room_is_streamed(
    small_table: Table, store_board: VirtualBoard, messages: pytest.LogCaptureFixture
) -> None:
    rows = np.tile(small_table.features, (4, 1)), np.tile(small_table.labels, 4)
    there = train(*rows, backend=store_board.url, epochs=2, resident=True)
    assert "of 840 rows fit into its store" in messages.text
    assert there.model_words == train(*rows, backend=_EMULATOR, epochs=2, resident=True).model_words


def test_a_board_runs_epochs_on_its_own(small_table: Table, store_board: VirtualBoard) -> None:
    settings: dict[str, Any] = {"epochs": 11, "resident": True, "seed": 3}
    alone = train(small_table, backend=store_board.url, unattended=5, **settings)
    watched = train(small_table, backend=store_board.url, **settings)
    assert alone.model_words == watched.model_words
    assert alone.model_words == train(small_table, backend=_EMULATOR, unattended=5, **settings).model_words
    assert len(alone.loss) == 11
    assert alone.loss[0] == pytest.approx(watched.loss[0], rel=0.2)


class _HostIsGone(Exception):
    pass


def test_results_wait_for_a_host_that_comes_back(
    small_table: Table,
    store_board: VirtualBoard,
    messages: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings: dict[str, Any] = {"epochs": 4, "resident": True, "seed": 4, "unattended": 4}
    backend = open_backend(store_board.url)
    assert isinstance(backend, DeviceBackend)
    device = backend.device

    def leave(*_: object) -> None:
        raise _HostIsGone

    monkeypatch.setattr(device, "collect", leave)
    with pytest.raises(_HostIsGone):
        train(small_table, backend=backend, **settings)
    backend.close()
    received = store_board.statistics()["received"]
    fetched = train(small_table, backend=store_board.url, **settings)
    assert "begun this run before" in messages.text
    assert store_board.statistics()["received"] - received < 1500, "neither samples nor a model"
    assert fetched.model_words == train(small_table, backend=_EMULATOR, **settings).model_words
    messages.clear()
    train(small_table, backend=store_board.url, **settings)
    assert "begun this run before" not in messages.text, "results are fetched once"


@pytest.mark.parametrize("unattended", [1, 3])
def test_a_memory_that_changes_is_found(
    unattended: int, small_table: Table, store_board: VirtualBoard, messages: pytest.LogCaptureFixture
) -> None:
    backend = open_backend(store_board.url)
    assert isinstance(backend, DeviceBackend)
    device = backend.device

    def spoil(report: Any) -> None:
        if report.number == 3:
            device.write_registers({"fill_start": 2, "fill": 16})
            device.send_samples([bytes(16)], lambda sent: None)

    settings: dict[str, Any] = {"epochs": 15, "resident": True, "unattended": unattended}
    kept = train(small_table, backend=backend, callbacks=[spoil], **settings)
    backend.close()
    assert "memory of the board" in messages.text
    assert kept.model_words == train(small_table, backend=_EMULATOR, **settings).model_words


def test_a_board_that_is_reset_is_loaded_again(small_table: Table, store_board: VirtualBoard) -> None:
    def reset(report: Any) -> None:
        if report.number == 2:
            store_board.reset()

    kept = train(small_table, backend=store_board.url, epochs=4, resident=True, callbacks=[reset])
    assert kept.model_words == train(small_table, backend=_EMULATOR, epochs=4, resident=True).model_words


def test_a_reset_in_a_later_schedule(
    small_table: Table, store_board: VirtualBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device begins the schedule again, with all settings of its own."""
    backend = open_backend(store_board.url)
    assert isinstance(backend, DeviceBackend)
    collect, turns = backend.device.collect, 0

    def reset_once(*arguments: Any) -> Any:
        nonlocal turns
        turns += 1
        if turns == 2:
            store_board.reset()
        return collect(*arguments)

    monkeypatch.setattr(backend.device, "collect", reset_once)
    settings: dict[str, Any] = {"epochs": 12, "resident": True, "unattended": 12, "schedule": "constant"}
    kept = train(small_table, backend=backend, **settings)
    backend.close()
    assert turns > 2
    assert kept.model_words == train(small_table, backend=_EMULATOR, **settings).model_words


@pytest.mark.parametrize("heads", [3, 4])
def test_a_build_for_several_heads_has_room(heads: int, small_table: Table) -> None:
    """Classes have one label of a byte, outputs a word each."""
    if heads == 3:
        task = prepare(_classes(small_table), options=Options(resident=True, classify=True))
    else:
        labels = np.stack([small_table.labels * factor for factor in (1, 2, 3, 4)], axis=1)
        task = prepare(small_table.features, labels, Options(resident=True))
    build = task.build()
    assert build.heads == heads
    layout = StoreLayout(210, task.config_of(heads).layout(build).size, build.word_bytes)
    assert build.store_bursts // 2 < layout.bursts <= build.store_bursts


def test_weights_that_are_drawn_anew_are_refused(small_table: Table) -> None:
    with pytest.raises(ValueError, match="drawn anew in each epoch"):
        train(small_table, weights=np.linspace(0.1, 1.9, 210), resident=True)


def test_a_fitting_build_has_a_store(small_table: Table) -> None:
    build = prepare(small_table, options=Options(resident=True)).build({"lanes": 16})
    assert build.word_bytes == 2
    assert build.store_bytes >= 210 * prepare(small_table).config.layout(build).size
    assert not prepare(small_table).build().store_words


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"resident": True, "bits": [2, 3]}, "same bits in all epochs"),
        ({"resident": True, "classify": True, "refetch": "likely"}, "no refetch"),
        ({"unattended": 2}, "resident=True and average=0"),
        ({"unattended": 65, "resident": True}, "in 1..64"),
        ({"unattended": 2, "resident": True, "average": 1}, "resident=True and average=0"),
    ],
)
def test_options_that_contradict(words: dict[str, Any], message: str, small_table: Table) -> None:
    with pytest.raises(ValueError, match=message):
        train(small_table, **words)


def test_estimators_keep_rows_on_the_board(
    small_table: Table, store_board: VirtualBoard, messages: pytest.LogCaptureFixture
) -> None:
    from zipsgd.estimators import ZipRegressor

    there = ZipRegressor(resident=True, max_iter=3, random_state=0, backend=store_board.url)
    there.fit(small_table.features, small_table.labels)
    assert "loaded 210 rows" in messages.text
    here = ZipRegressor(resident=True, max_iter=3, random_state=0, backend=_EMULATOR)
    here.fit(small_table.features, small_table.labels)
    assert there.model_words_.tolist() == here.model_words_.tolist()
