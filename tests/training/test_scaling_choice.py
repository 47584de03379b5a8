"""The choice of scaling and levels, room for large weights, and that nothing is clipped silently."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import zipsgd
from zipsgd import Options, train
from zipsgd.backends import BackendOptions, build_for
from zipsgd.backends.emulator import EmulatorBackend
from zipsgd.cli import main
from zipsgd.data import Table
from zipsgd.protocol.formats import Build
from zipsgd.training.api import _at_end
from zipsgd.training.comparison import summary
from zipsgd.training.forecast import descend
from zipsgd.training.guard import ConvergenceWarning
from zipsgd.training.parts import Parts, connected, parts_of
from zipsgd.training.preparation import prepare
from zipsgd_bench.hard_sets import departures, far_row
from zipsgd_bench.scaling import Trial
from zipsgd_sim.board import VirtualBoard

ROWS = 4000


@pytest.fixture(scope="module")
def tail() -> Table:
    """Departures, whose labels follow a column with a long tail: clipping it would lose most of what there is."""
    return departures(60_000, numbers=False)


@pytest.fixture(scope="module")
def glitch() -> Table:
    """Normal columns with a wrong reading of 300 standard deviations in one of them, which the label does not follow."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(ROWS, 3))
    labels = features @ [1, 2, -1] + rng.normal(size=ROWS)
    features[5, 1] = 300
    return Table.from_arrays(features, labels, ["a", "b", "c"])


@pytest.mark.parametrize("far", [0, 30, 100, 1000])
def test_a_far_row_costs_next_to_nothing(far: float) -> None:
    """Within 0.02 of least squares on the other rows, at 2 base bits and the default options."""
    rows, test = far_row(far)
    result = train(rows)
    best = Trial("", [(rows, test)]).least_squares()
    assert best is not None
    assert 100 * result.score(test.features, test.labels) > best - 2
    assert (result.scaling == "range") == (far == 0) or far == 30
    assert result.clipped_labels == [int(far >= 100)]


def test_a_wrong_reading_is_clipped_and_said(glitch: Table, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "zipsgd")
    result, kept = train(glitch), train(glitch, scaling="range")
    usual = np.arange(ROWS) != 5
    scores = [each.score(glitch.features[usual], glitch.labels[usual]) for each in (result, kept)]
    assert scores[0] > 0.8 > scores[1] + 0.1
    assert result.scaling in ("standard", "quantile")
    assert "b" in {each["name"] for each in result.clipped}
    assert result.clipped_labels == [0]
    assert any("and 0." in message and "with 'range'" in message for message in caplog.messages)
    assert any("of 'b'" in message and "--scaling range" in message for message in caplog.messages)
    assert any("in training and in predictions" in line for line in summary(result))
    assert kept.clipped == []
    assert not any("clipped" in line for line in summary(kept))


def test_predictions_clip_alike(glitch: Table, tmp_path: Path) -> None:
    result = train(glitch, scaling="quantile")
    result.save(tmp_path / "m.json")
    clipped = next(each for each in result.clipped_columns if each.name == "b")
    rows = np.array([[0, clipped.high, 0], [0, 1e6, 0], [0, clipped.low, 0], [0, -1e6, 0], [0, 0.5, 0]])
    for model in (result, zipsgd.load_model(tmp_path / "m.json")):
        found = model.predict(rows)
        np.testing.assert_array_equal(found[[1, 3]], found[[0, 2]])
        np.testing.assert_allclose(found[4], 0.5 * model.coef[1] + model.intercept)
    # The score on validation rows is that of the same predictions
    held = zipsgd.train(glitch, scaling="quantile", validation=(glitch.features, glitch.labels), measure=True)
    assert held.validation_scores[-1] == pytest.approx(held.held_out_score)


def test_a_signal_in_the_tail_is_kept_and_its_column_named(
    tail: Table, caplog: pytest.LogCaptureFixture
) -> None:
    result = train(tail)
    assert (result.scaling, result.clipped, result.levels) == ("range", [], "uniform")
    assert result.coarse == ["delay"]
    caplog.clear()
    train(tail, step_size=0.2)
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "'delay'" in warning
    assert "--levels auto" in warning
    best = train(tail, levels="auto")
    assert (best.levels, best.coarse) == ("optimal", [])
    assert best.score(tail.features, tail.labels) > result.score(tail.features, tail.labels)
    assert best.options["levels"] == "auto"


def test_the_choice_depends_on_the_data_alone(glitch: Table, tail: Table) -> None:
    for table in (glitch, tail):
        kinds = {
            prepare(table, None, options).kind
            for options in (
                Options(),
                Options(base_bits=8, epochs=3, seed=7, batch_size=64),
                Options(loss="huber", step_size=0.01),
            )
        }
        assert len(kinds) == 1


def test_a_set_on_disk_is_scaled_alike(glitch: Table, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", glitch.features)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    tasks = [prepare(X, glitch.labels, memory=memory) for X, memory in ((glitch.features, None), (mapped, 0))]
    assert tasks[0].kind == tasks[1].kind != "range"
    np.testing.assert_array_equal(tasks[0].scalings[0].spread, tasks[1].scalings[0].spread)
    assert tasks[0].scalings[0].clipped[0].share == tasks[1].scalings[0].clipped[0].share


@pytest.mark.parametrize(("factor", "offset"), [(1, 1e9), (1e200, 0), (1e-200, 0), (-3, 5)])
def test_the_choice_does_not_depend_on_units(factor: float, offset: float, glitch: Table) -> None:
    expected = prepare(glitch).kind
    assert prepare(glitch.features, glitch.labels * factor + offset).kind == expected
    assert prepare(glitch.features * factor + offset, glitch.labels).kind == expected


def test_classes_and_several_outputs(glitch: Table) -> None:
    sides = (glitch.labels > 0).astype(float)
    with pytest.warns(ConvergenceWarning, match="end of the range"):
        classifier = train(glitch.features, sides, classify=True, base_bits=2)
    assert classifier.at_end == ["column 1"]
    assert classifier.scaling != "range"
    assert classifier.clipped_labels == [0]
    usual = np.arange(ROWS) != 5
    assert classifier.score(glitch.features[usual], sides[usual]) > 0.85
    both = np.column_stack([glitch.labels, glitch.labels])
    both[17, 1] = 1e4
    result = train(glitch.features, both)
    assert result.clipped_labels == [0, 1]


@pytest.mark.parametrize(("kind", "clipped"), [("range", 0), ("none", 0), ("standard", 1), ("quantile", 1)])
def test_far_labels(kind: str, clipped: int, caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, 2))
    y = X @ [1.0, 2] + rng.normal(size=ROWS)
    y[3] = 1e5
    task = prepare(X, y, Options(scaling=kind))
    assert task.targets.clipped == (clipped,)
    assert task.labels[3, 0] == 32767
    assert (np.std(task.labels[4:]) > 1000) == bool(clipped)
    assert any("1 of 4,000 labels" in message for message in caplog.messages) == bool(clipped)


def test_many_far_labels_count_where_they_are_explained() -> None:
    """Labels that follow a feature far out are its signal; placeholders for missing labels are errors."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 3))
    far = np.arange(12) * 1000
    y = X @ [1.0, 2, -1] + rng.normal(size=20_000)
    y[far] = 99_999
    task = prepare(X, y)
    assert task.targets.clipped == (12,)
    X[far, 0] = 400 + 40 * rng.normal(size=12)
    y[far] = X[far] @ [1.0, 2, -1] + rng.normal(size=12)
    task = prepare(X, y)
    assert (task.kind, task.targets.clipped) == ("range", (0,))
    result = train(X, y)
    assert result.score(X, y) > 0.8


def test_far_labels_that_cannot_be_tried_are_named(caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 600))
    y = X[:, 0].copy()
    y[3] = 1e5
    assert prepare(X, y).kind == "range"
    assert any("--scaling quantile" in message for message in caplog.messages)


def test_far_columns_of_few_rows_are_named(caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    X[8, 1] = 1e4
    assert prepare(X, X[:, 0] + rng.normal(size=200)).kind == "range"
    assert any("'column 1' are far" in message for message in caplog.messages)
    assert not any("column 0" in message for message in caplog.messages)


# Large weights


@pytest.fixture(scope="module")
def steep() -> Table:
    """Two columns that nearly agree, also in a row far out, and labels that follow their difference: weights of 70."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=30_000)
    features = common[:, None] + rng.normal(0, 0.3, (30_000, 2))
    features[7] = 45
    return Table.from_arrays(features, 10 * (features @ [1, -1]) + rng.normal(0, 0.5, 30_000))


def test_labels_make_room_for_large_weights(steep: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    options = Options(scaling="range", base_bits=8, epochs=40)
    result = train(steep, options=options)
    assert result.at_end == []
    assert "model" not in result.flags
    spread = prepare(steep, None, options).scalings[0].label_spread
    monkeypatch.setattr("zipsgd.training.targets.Targets.with_room", lambda self, weights: self)
    narrow = prepare(steep, None, options).scalings[0].label_spread
    assert np.log2(spread / narrow) in range(1, 8)
    with pytest.warns(ConvergenceWarning, match="end of the range"):
        without = train(steep, options=options)
    assert without.at_end  # what stands at the end after the last epoch varies
    assert set(without.at_end) <= {"column 0", "column 1"}
    assert any("at the end of their range" in line for line in summary(without))
    assert result.score(steep.features, steep.labels) > without.score(steep.features, steep.labels) + 0.1


def test_weights_that_fit_leave_the_labels_alone(tail: Table) -> None:
    task = prepare(tail, None, Options(scaling="range"))
    labels = tail.labels
    assert task.scalings[0].label_spread == max(labels.max() - labels.mean(), labels.mean() - labels.min())


@pytest.mark.parametrize("words", [{"l1": 0.01}, {"bound": 1.0}, {"radius": 1.0}, {"loss": "huber"}])
def test_labels_stay_where_their_spread_means_something(words: dict[str, object], steep: Table) -> None:
    options = Options(scaling="range", base_bits=8, epochs=40)
    assert not replace(options, **words).weights_follow_labels
    spreads = [
        prepare(steep, None, each).scalings[0].label_spread for each in (options, replace(options, **words))
    ]
    assert spreads[0] > spreads[1]


def test_weights_at_the_end_are_named() -> None:
    words = np.array([[5, 2**23 - 1, 0], [-(2**23), 8_000_000, 0]])
    assert _at_end(words, ["a", "b"], Build()) == ["a", "b"]
    assert _at_end(words[:1] // 2, ["a", "b"], Build()) == []
    assert _at_end(np.array([[0, 0, 2**23 - 1]]), ["a", "b"], Build()) == ["the intercept"]


def test_descend_is_gradient_descent() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(200, 4)) * [1, 0.5, 0.1, 0.01]
    targets = values @ np.array([[1.0], [2], [3], [4]])
    weights = np.zeros((4, 1))
    for _ in range(5000):
        weights -= 0.02 * values.T @ (values @ weights - targets) / 200
    np.testing.assert_allclose(descend(values, targets, 100), weights, atol=0.15)
    twice = np.repeat(values, 2, axis=0), np.repeat(targets, 2, axis=0)
    np.testing.assert_allclose(
        descend(values, targets, 100, np.full(200, 2.0)), descend(*twice, 100), rtol=1e-9
    )


# Levels


def test_levels_of_a_build_without_them_are_even(tail: Table, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "zipsgd")
    result = train(tail, levels="auto", backend=EmulatorBackend(Build()))
    assert result.levels == "uniform"
    assert any("no table of levels" in message for message in caplog.messages)


@pytest.mark.parametrize(
    ("backend", "parts"),
    [
        ("emulator", Parts(8, True)),
        (BackendOptions("sim", {"lanes": 16}), Parts(8, True)),
        (BackendOptions("sim", {"diagonal": False}), Parts(8, False)),
        (BackendOptions("emulator", Build()), Parts(-1, False)),
        (BackendOptions("/dev/ttyUSB7", build_for(9, level_planes=2)), Parts(2, False)),
        (BackendOptions("emulator", build_for(9, level_planes=0, diagonal=True)), Parts(0, True)),
    ],
)
def test_which_parts_a_backend_has(backend: str | BackendOptions, parts: Parts) -> None:
    assert parts_of(backend) == parts


def test_a_board_tells_its_parts(board: VirtualBoard, level_board: VirtualBoard) -> None:
    for each, parts in ((board, Parts(-1, True)), (level_board, Parts(2, True))):
        with connected(each.url) as found:
            assert parts_of(found) == parts
    with connected("emulator") as found:
        assert found == "emulator"


@pytest.mark.parametrize(
    ("words", "levels"),
    [({"base_bits": 0}, "optimal"), ({"base_bits": 6}, "uniform"), ({"base_bits": 1}, "optimal")],
)
def test_automatic_levels(words: dict[str, int], levels: str, tail: Table) -> None:
    task = prepare(tail, None, Options(levels="auto", **words))
    assert (task.config.levels is not None) == (levels == "optimal")


def test_even_levels_where_they_do(synthetic: Table) -> None:
    explicit, chosen = (train(synthetic, levels=levels, epochs=2) for levels in ("uniform", "auto"))
    assert chosen.levels == "uniform"
    assert chosen.model_words == explicit.model_words


@pytest.fixture(scope="module")
def synthetic() -> Table:
    return zipsgd.load("synthetic10")


# Options, and the command line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"scaling": "minmax"}, "scaling must be one of auto, range, standard, quantile, none, not 'minmax'"),
        ({"clip": 0.5}, "clip must be a share above 0 and below 0.5, not 0.5"),
        ({"clip": 0}, "clip must be a share above 0"),
    ],
)
def test_wrong_options(words: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Options(**words)


def test_command_line(glitch: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, model = tmp_path / "d.csv", tmp_path / "m.json"
    rows = np.column_stack([glitch.features, glitch.labels])
    np.savetxt(data, rows, delimiter=",", header="a,b,c,y", comments="")
    words = ["--label", "y", "--epochs", "2", "--save", str(model)]
    assert main(["train", str(data), *words, "--scaling", "quantile", "--clip", "0.01"]) == 0
    assert "scaling quantile: clipped 0.92 % of 'b', 0.88 % of 'c', 0.78 % of 'a'" in capsys.readouterr().out
    saved = zipsgd.load_model(model)
    assert (saved.scaling, saved.options["clip"]) == ("quantile", 0.01)
    assert main(["predict", str(data), "--model", str(model)]) == 0
    found = np.array(capsys.readouterr().out.split(), dtype=float)
    np.testing.assert_allclose(found, saved.predict(glitch.features), rtol=1e-6)
