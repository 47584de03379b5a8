"""Predictions on a device: the same scores on every backend, streamed and from the store, and what they are worth."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from store_build import BUILD

from zipsgd import LimitError, Result, predict, train
from zipsgd.backends import Backend, BackendOptions, EpochSamples, RunConfig, Stored, open_backend
from zipsgd.data import Table
from zipsgd.golden.dot import dot
from zipsgd.golden.loss import Step
from zipsgd.golden.order import block_windows, row_order
from zipsgd.golden.trainer import GoldenTrainer
from zipsgd.protocol.formats import Build, BuildError
from zipsgd.protocol.numbers import BLOCK_ROWS, LABEL_ONE
from zipsgd.protocol.run import Flag, LabelForm
from zipsgd.training.scoring_model import ScoringModel
from zipsgd_sim.board import VirtualBoard
from zipsgd_sim.mishaps import after_bytes

_LEVELS = replace(BUILD, level_bits=8, level_p_max=2)
_EMULATOR = BackendOptions("emulator", BUILD)
_GOLDEN = BackendOptions("golden", BUILD)
_STILL = Step(0, 0)


def _classes(table: Table, count: int) -> Table:
    """The same rows, with classes for labels."""
    ends = np.quantile(table.labels, np.arange(1, count) / count)
    return replace(table, labels=np.digitize(table.labels, ends).astype(np.float64))


def _several(table: Table) -> tuple[np.ndarray, np.ndarray]:
    features = np.asarray(table.features)
    return features, np.stack([table.labels, features[:, 3] - table.labels], axis=1)


def _set(kind: str, table: Table) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What is trained on, and how."""
    return {
        "regression": ((table,), {"bits": 3}),
        "two outputs": (_several(table), {"estimator": "double", "bits": 4}),
        "two classes": ((_classes(table, 2),), {"classify": True}),
        "classes": ((_classes(table, 3),), {"classify": True, "bits": 2}),
    }[kind]


def test_optimal_levels(small_table: Table) -> None:
    """As trained, also for values beyond the levels of a column; and base planes alone need no transcoder."""
    on = [BackendOptions(name, _LEVELS) for name in ("emulator", "golden")]
    model = train(small_table, backend=on[0], levels="optimal", bits=3, scaling="range", epochs=1)
    features = np.array(small_table.features)
    features[3:5] += 100
    found, golden = (predict(model, features, backend=each, as_trained=True) for each in on)
    assert (found.scores == golden.scores).all()
    exact = model.outputs(small_table.features)
    assert np.std(np.delete(found.outputs - exact, [3, 4])) < 0.5 * np.std(exact)
    plain = predict(model, small_table.features, backend=_EMULATOR)
    assert np.std(plain.outputs - exact) < 0.01 * np.std(exact)


def _backends(board: VirtualBoard) -> list[Backend | BackendOptions | str]:
    return [_EMULATOR, _GOLDEN, board.url]


@pytest.mark.parametrize("kind", ["regression", "two outputs", "two classes", "classes"])
def test_every_backend_predicts_the_same(kind: str, small_table: Table, store_board: VirtualBoard) -> None:
    """With base planes alone, and as trained; as they come over the link, and from the store."""
    data, words = _set(kind, small_table)
    model = train(*data, backend=_EMULATOR, epochs=4, **words)
    features = np.asarray(small_table.features)
    exact = model.outputs(features)
    for how in ({}, {"bits": 3}, {"as_trained": True}):
        streamed = [predict(model, features, backend=each, **how) for each in _backends(store_board)]
        stored = [
            predict(model, features, backend=each, resident=True, **how) for each in _backends(store_board)
        ]
        for other in (*streamed, *stored):
            assert (other.scores == streamed[0].scores).all()
            assert (other.outputs == streamed[0].outputs).all()
            assert other.flags == []
        close = np.abs(streamed[0].outputs - exact).max() / np.ptp(exact)
        assert close < (0.03 if how == {} else 0.8), (how, close)
        assert stored[2].result.cycles is not None
        heads = exact.shape[1]
        assert streamed[0].epochs == -(-210 // (128 // heads))
    whole = predict(model, features, backend=_EMULATOR)
    assert (np.asarray(whole.predictions) == np.asarray(model.predicted(whole.outputs))).all()


@pytest.mark.parametrize("up_planes", [0, 1, 2])
@pytest.mark.parametrize("heads", [1, 3])
def test_scores_are_dot_products(heads: int, up_planes: int, store_board: VirtualBoard) -> None:
    """Of any epoch, also one that trains: with the model that the sample met."""
    rng = np.random.default_rng(heads)
    form = LabelForm.BYTE if heads > 1 else LabelForm.WORD
    config = RunConfig(
        12, 3, up_planes, 8, heads=heads, one_against_all=heads > 1, label_form=form, scored=True
    )
    values = rng.uniform(-1, 1, (40, 12)).astype(np.float32)
    labels = (
        rng.integers(0, heads, 40).astype(np.int16)
        if heads > 1
        else rng.integers(-9999, 9999, 40).astype(np.int16)
    )
    model = rng.integers(-(1 << 18), 1 << 18, config.model_shape())
    samples = EpochSamples(values, labels, rng.permutation(40), 5, 0)
    opened = [open_backend(_EMULATOR), open_backend(_GOLDEN), open_backend(store_board.url)]
    try:
        for step in (Step.nearest(0.01), _STILL):
            found = []
            for backend in opened:
                backend.begin(config, model, 9)
                found.append(backend.epoch(samples, step, lambda done: None))
            for other in found[1:]:
                assert (other.scores == found[0].scores).all()
                assert (other.loss_sum, other.flags) == (found[0].loss_sum, found[0].flags)
            unmoved = (opened[1].model() == model).all()
            assert unmoved == (step is _STILL)
        (codes,) = samples.blocks(config)
        golden = GoldenTrainer(BUILD, model, config, seed=9)
        first = replace(codes, base=codes.base[:8], up=codes.up[:8], labels=codes.labels[:8])
        z = np.stack([dot(first, head)[:, 0] for head in np.atleast_2d(golden.q3)], axis=1)
        assert (found[0].scores[:8] == z).all()
    finally:
        for backend in opened:
            backend.close()


def test_the_model_of_a_prediction_is_exact(small_table: Table) -> None:
    """Q3 takes its words over whatever is drawn, and no score exceeds a word."""
    model = train(small_table, backend=_EMULATOR, epochs=2)
    for build, bits in ((BUILD, 8), (replace(BUILD, max_features=1 << 14, q3_bits=18), 8), (BUILD, 1)):
        scoring = ScoringModel.of(model, build, bits)
        master = scoring.master(build)
        for seed in range(3):
            golden = GoldenTrainer(build, master[0], RunConfig(7, bits, 0), seed=seed)
            assert (golden.q3 == scoring.words[0]).all()
            assert not golden.flags & ~Flag.RESIDUAL
        largest = np.abs(scoring.words).sum(axis=1) << (bits - 1)
        assert (largest < 1 << 31).all()
        assert np.abs(scoring.words).max() in (2047, 131071)
        wide = replace(model, coef=[[1.0] * 6] * 2, intercept=[0.0, 0.0])
        assert (
            ScoringModel.of(wide, build, bits).words[0] == ScoringModel.of(wide, build, bits).words[1]
        ).all()
    many = replace(model.samples, centre=[0.0] * 20000, spread=[1.0] * 20000)
    large = replace(model, coef=[1.0] * 20000, samples=many)
    words = ScoringModel.of(large, replace(BUILD, q3_bits=18), 8).words
    assert 1 << 30 < words.sum() << 7 < 1 << 31


def test_bits_make_predictions_better(small_table: Table) -> None:
    model = train(small_table, epochs=10)
    features, exact = small_table.features, model.outputs(small_table.features)
    errors = [np.std(predict(model, features, bits=bits).outputs - exact) for bits in (1, 2, 4, 8)]
    assert errors[0] > 1.5 * errors[1] > 4 * errors[2] > 25 * errors[3]
    drawn = np.std(predict(model, features, as_trained=True).outputs - exact)
    assert drawn > 1.5 * errors[2], "at as many bits, an up plane adds its draw"
    assert predict(model, features).bits == 8
    assert predict(model, features, as_trained=True).bits == 4


def test_a_trained_board_has_the_rows(
    small_table: Table, store_board: VirtualBoard, messages: pytest.LogCaptureFixture
) -> None:
    """Those of the training: nothing is loaded, and only models, settings and scores go over the link."""
    for data, words in ((small_table, {}), (_classes(small_table, 3), {"classify": True})):
        model = train(data, backend=store_board.url, epochs=2, resident=True, seed=6, **words)
        features, labels = np.asarray(data.features), data.labels
        how: dict[str, Any] = {"as_trained": True, "resident": True}
        messages.clear()
        there = predict(model, features, labels, backend=store_board.url, **how)
        assert "already holds the 210 rows" in messages.text
        assert "loaded" not in messages.text
        assert there.result.sample_bytes == 0
        assert (there.scores == predict(model, features, backend=_EMULATOR, as_trained=True).scores).all()
    predict(model, features, backend=store_board.url, resident=True)
    assert "loaded 210 rows" in messages.text, "other bits"
    messages.clear()
    predict(model, features, backend=store_board.url, resident=True)
    assert "already holds the 210 rows" in messages.text


def test_a_memory_that_changes_is_found(
    small_table: Table, store_board: VirtualBoard, messages: pytest.LogCaptureFixture
) -> None:
    """Between the check of the store and a window: its rows are loaded again, and the scores are right."""
    model = train(small_table, backend=_EMULATOR, epochs=2)
    features = np.asarray(small_table.features)
    backend: Any = open_backend(store_board.url)
    try:
        device, run_window, left = backend.device, backend.device.run_window, [3]

        def spoil(*arguments: Any) -> Any:
            left[0] -= 1
            if not left[0]:
                device.write_registers({"fill_start": 0, "fill": 16})
                device.send_samples([bytes(range(16))], lambda sent: None)
            return run_window(*arguments)

        device.run_window = spoil
        spoilt = predict(replace(model), features, backend=backend, resident=True)
        left[0] = 1
        again = predict(model, features, backend=backend, resident=True)
    finally:
        backend.close()
    assert "has changed" in messages.text
    expected = predict(model, features, backend=_EMULATOR).scores
    assert (spoilt.scores == expected).all()
    assert (again.scores == expected).all()


def test_a_board_reset_in_between(
    small_table: Table, store_board: VirtualBoard, messages: pytest.LogCaptureFixture
) -> None:
    """It is given the model again, and the epoch is repeated."""
    model = train(small_table, backend=_EMULATOR, epochs=2)
    many = np.tile(np.asarray(small_table.features), (20, 1))
    expected = predict(model, many, backend=_EMULATOR).scores
    with after_bytes(store_board, store_board.statistics()["received"] + 6_000, store_board.reset) as times:
        found = predict(model, many, backend=store_board.url)
    assert len(times) == 2, "it was over before the reset"
    assert "again" in messages.text
    assert (found.scores == expected).all()


def test_rows_without_room_are_streamed(
    small_table: Table, store_board: VirtualBoard, messages: pytest.LogCaptureFixture
) -> None:
    model = train(small_table, backend=_EMULATOR, epochs=2)
    many = np.tile(np.asarray(small_table.features), (4, 1))
    there = predict(model, many, backend=store_board.url, resident=True)
    assert "of 840 rows fit into its store" in messages.text
    assert (there.scores == predict(model, many, backend=_EMULATOR).scores).all()


def test_values_out_of_range_are_told(small_table: Table, messages: pytest.LogCaptureFixture) -> None:
    model = train(small_table, scaling="range", epochs=4)
    features = np.array(small_table.features)
    predict(model, features)
    assert "beyond the range" not in messages.text
    features[3:5, 0] += 100
    found = predict(model, features)
    assert "2 of 210 rows have values beyond the range" in messages.text
    centre, spread = np.array(model.samples.centre), np.array(model.samples.spread)
    expected = model.outputs(np.clip(features, centre - spread, centre + spread))
    np.testing.assert_allclose(found.outputs, expected, atol=0.05 * np.ptp(expected))


def test_more_classes_than_heads(small_table: Table, store_board: VirtualBoard) -> None:
    """They take several passes, over samples that are loaded once."""
    table = _classes(small_table, 6)
    model = train(table, backend=_EMULATOR, classify=True, epochs=2)
    features = np.asarray(table.features)
    stored = predict(model, features, table.labels, backend=store_board.url, resident=True, as_trained=True)
    assert stored.scores.shape == (210, 6)
    assert (stored.scores == predict(model, features, backend=_EMULATOR, as_trained=True).scores).all()
    assert stored.result.sample_bytes < 1.2 * 210 * 5, "once"
    assert np.mean(stored.predictions == model.predict(features)) > 0.5


def test_no_rows_and_one_row(small_table: Table, store_board: VirtualBoard) -> None:
    model = train(small_table, backend=_EMULATOR, epochs=2)
    features = np.asarray(small_table.features)
    for resident in (False, True):
        one = predict(model, features[:1], backend=store_board.url, resident=resident)
        assert (one.scores == predict(model, features, backend=_EMULATOR).scores[:1]).all()
    assert predict(model, features[:0]).scores.shape == (0, 1)


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 31, 32, 160, 170, 1000, 4096, 4100])
@pytest.mark.parametrize("most", [16, 40, 64, 1024])
def test_windows_hold_each_block_once(rows: int, most: int) -> None:
    """And are as the gateware counts: modulo a number, back to the first block."""
    windows = block_windows(rows, most)
    orders = [row_order(window, rows) for window in windows]
    assert sorted(np.concatenate(orders)) == list(range(rows))
    assert all(order.size <= most for order in orders)
    assert len(windows) == -(-(rows // BLOCK_ROWS) // (most // BLOCK_ROWS)) + (rows % BLOCK_ROWS > 0)
    last = -(-rows // BLOCK_ROWS) - 1
    for window in windows:
        seen, block = [window.first], (window.first + window.stride) % window.modulus
        while block != window.first:
            seen.append(block)
            block = (block + window.stride) % window.modulus
        assert seen == window.positions().tolist()
        shorter = rows % BLOCK_ROWS and last in seen
        assert not shorter or (seen == [last] and window.modulus == last + 1), (
            "the device knows it as the last one"
        )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"score_words": 31}, "score_words must be 0 or a power of two from 32 on, not 31"),
        ({"score_words": 16}, "score_words must be 0 or a power of two from 32 on, not 16"),
        ({"score_words": 1 << 17}, r"score_words must be in 0\.\.65536"),
        (
            {"score_words": 32},
            "score_words must be at least 64, for a block of 16 samples and 4 heads, not 32",
        ),
    ],
)
def test_limits_of_the_list_are_named(changes: dict[str, int], says: str) -> None:
    with pytest.raises(BuildError, match=says):
        replace(BUILD, **changes)


def _predict_with(model: Result, build: Build, **words: Any) -> None:
    predict(model, np.zeros((3, 6)), backend=BackendOptions("golden", build), **words)


def test_what_a_build_lacks_is_named(small_table: Table) -> None:
    model = train(small_table, epochs=1)
    with pytest.raises(LimitError, match=r"does not give scores back.*take a build with score_words=1024"):
        _predict_with(model, replace(BUILD, score_words=0))
    with pytest.raises(LimitError, match=r"base planes p must be in 1\.\.4 on this build, not 6"):
        _predict_with(model, replace(BUILD, p_max=4), bits=6)
    optimal = train(small_table, levels="optimal", epochs=1)
    with pytest.raises(LimitError, match=r"no transcoder for the optimal levels.*leave out as_trained"):
        _predict_with(optimal, BUILD, as_trained=True)
    with pytest.raises(LimitError, match=r"samples of an epoch must be in 0\.\.42 on this build, not 43"):
        RunConfig(7, heads=3, scored=True).check(BUILD, 43)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"bits": 9}, r"bits must be a whole number in 1\.\.8, not 9"),
        ({"bits": 2.5}, r"bits must be a whole number in 1\.\.8, not 2.5"),
        ({"bits": 3, "as_trained": True}, "as_trained takes the bits of the training: leave out bits"),
    ],
)
def test_arguments_that_cannot_be_are_named(words: dict[str, Any], says: str, small_table: Table) -> None:
    with pytest.raises(ValueError, match=says):
        predict(train(small_table, epochs=1), small_table.features, **words)


def test_stored_windows_have_the_bits_of_streamed_ones(store_board: VirtualBoard) -> None:
    """Also where the epoch trains."""
    rng = np.random.default_rng(4)
    config = RunConfig(9, 2, 1, 4, intercept=True, scored=True)
    values = np.append(rng.uniform(-1, 1, (70, 8)), np.ones((70, 1)), axis=1).astype(np.float32)
    labels = rng.choice([-LABEL_ONE, LABEL_ONE], 70).astype(np.int16)
    rows = rng.permutation(70)
    model = rng.integers(-(1 << 18), 1 << 18, 9)
    board, golden = open_backend(store_board.url), open_backend(_GOLDEN)
    try:
        for backend in (board, golden):
            backend.begin(config, model, 2)
        for window in block_windows(70, 32):
            order = rows[row_order(window, 70)]
            samples = EpochSamples(values, labels, order, 5, 0, stored=Stored(rows, window))
            found, expected = (
                each.epoch(samples, Step.nearest(0.01), lambda done: None) for each in (board, golden)
            )
            assert (found.scores == expected.scores).all()
            assert (board.model() == golden.model()).all()
    finally:
        board.close()
