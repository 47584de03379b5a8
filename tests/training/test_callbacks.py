"""What a run tells: callbacks, logs, reports of epochs."""

import csv
import json
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from scipy import sparse

from zipsgd import (
    BackendOptions,
    Callback,
    ConvergenceWarning,
    CsvLog,
    EpochReport,
    Options,
    StopTraining,
    Table,
    TensorBoardLog,
    compile_loss,
    float_sgd,
    plot,
    prepare,
    sweep,
    train,
)
from zipsgd.estimators import ZipClassifier, ZipRegressor

RNG = np.random.default_rng(1)
X = RNG.normal(size=(200, 4)) * [1, 10, 0.1, 3] + [0, 4, 0, -7]
Y = X @ [2, -0.1, 3, 0.1] + RNG.normal(size=200) * 0.1
CLASSES = np.digitize(Y, [-2, 1]).astype(float)


class Heard(Callback):
    """Keeps all that it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def on_begin(self, task: Any, build: Any) -> None:
        self.calls.append(("begin", task.rows))

    def on_samples(self, epoch: int, samples: int) -> None:
        self.calls.append(("samples", (epoch, samples)))

    def on_epoch(self, report: EpochReport) -> None:
        self.calls.append(("epoch", report.number))

    def on_end(self, result: Any) -> None:
        self.calls.append(("end", result))


def test_calls_come_in_order() -> None:
    heard = Heard()
    result = train(X, Y, epochs=2, callbacks=[heard])
    kinds = [kind for kind, _ in heard.calls]
    assert kinds[0] == "begin"
    assert kinds[-1] == "end"
    assert heard.calls[-1][1] is result
    assert [what for kind, what in heard.calls if kind == "epoch"] == [1, 2]
    assert ("samples", (2, 200)) in heard.calls


def test_the_end_is_told_of_a_run_that_fails() -> None:
    heard = Heard()

    def fail(report: EpochReport) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(X, Y, epochs=2, callbacks=[heard, fail])
    assert heard.calls[-1] == ("end", None)


def test_a_callback_ends_the_run() -> None:
    def stop(report: EpochReport) -> None:
        if report.number == 3:
            raise StopTraining

    result = train(X, Y, epochs=9, schedule="constant", callbacks=[stop])
    assert result.model_words == train(X, Y, epochs=3, schedule="constant").model_words
    assert len(result.loss) == 3


@pytest.mark.parametrize("classify", [False, True])
def test_reports_carry_the_model_and_what_it_is_worth(classify: bool) -> None:
    reports: list[EpochReport] = []
    labels = CLASSES if classify else Y
    held = (X[:50], labels[:50])
    result = train(
        X[50:],
        labels[50:],
        classify=classify,
        base_bits=2,
        epochs=3,
        measure=True,
        validation=held,
        callbacks=[reports.append],
    )
    last = reports[-1]
    assert last.model is not None
    np.testing.assert_array_equal(last.model.coef, np.atleast_2d(result.coef))
    assert last.exact_loss == result.final_loss == result.exact_losses[-1]
    assert last.score == result.train_score
    assert last.score == pytest.approx(result.score(X[50:], labels[50:]))
    assert last.validation_score == pytest.approx(result.held_out_score)
    assert last.validation_score == pytest.approx(result.score(*held))


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge", "logistic", "squared_error"])
def test_the_exact_loss_is_what_the_device_sees_at_high_precision(loss: str) -> None:
    """Of a model that does not move: the last step is next to nothing."""
    reports: list[EpochReport] = []
    schedule = [1.0, 1.0, 1e-4]
    train(
        X, CLASSES, classify=True, loss=loss, base_bits=8, epochs=3, schedule=schedule, measure=True,
        callbacks=[reports.append],
    )  # fmt: skip
    before = reports[1].exact_loss
    assert before is not None
    assert reports[2].loss == pytest.approx(before, rel=0.03)


def test_the_exact_loss_of_a_compiled_loss() -> None:
    soft = compile_loss("soft", np.tanh, of="residual", degree=5, radius=1)
    reports: list[EpochReport] = []
    options = Options(loss=soft, base_bits=8, epochs=3, schedule=[1.0, 1.0, 1e-4], measure=True)
    result = train(X, Y, options, callbacks=[reports.append])
    assert reports[2].loss == pytest.approx(reports[1].exact_loss, rel=0.05)
    assert result.loss_name == "soft"
    exact = float_sgd(prepare(X, Y, options))
    assert exact.losses[-1] == pytest.approx(result.final_loss, rel=0.1)


def test_several_outputs_are_measured_together() -> None:
    both = np.stack([Y, X[:, 0]], axis=1)
    result = train(X, both, epochs=4)
    assert np.shape(result.coef) == (2, 4)
    apart = [train(X, both[:, head], epochs=4) for head in range(2)]
    assert result.model_words == [each.model_words for each in apart]
    assert result.final_loss == pytest.approx(np.mean([each.final_loss for each in apart]))
    assert result.train_score == pytest.approx(np.mean([each.train_score for each in apart]))


def test_weights_are_copies_of_rows() -> None:
    weights = np.where(np.arange(200) < 100, 2.0, 0.0)
    result = train(X, Y, weights=weights, epochs=2, sort_rows=True)
    assert result.rows == 200
    twice = np.repeat(np.arange(100), 2)
    assert result.model_words == train(X[twice], Y[twice], epochs=2, sort_rows=True).model_words


def test_average_and_patience() -> None:
    models: list[np.ndarray] = []
    result = train(
        X, Y, epochs=4, average=2, schedule="constant",
        callbacks=[lambda report: models.append(report.model.coef)],
    )  # fmt: skip
    np.testing.assert_array_equal(models[-1][0], result.coef)
    patient = train(X, CLASSES, classify=True, epochs=80, patience=2, validation=0.2, schedule="sqrt")
    assert len(patient.loss) < 80
    assert patient.held_out_score == max(patient.validation_scores)
    with pytest.raises(ValueError, match="patience needs rows to measure models on"):
        train(X, Y, patience=2)


def test_a_csv_log(tmp_path: Path) -> None:
    result = train(X, Y, epochs=3, measure=True, callbacks=[CsvLog(tmp_path / "log.csv")])
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["exact_loss"]) for row in rows] == result.exact_losses
    assert [row["validation_loss"] for row in rows] == ["", "", ""]


def test_a_log_for_tensorboard(tmp_path: Path) -> None:
    train(X, Y, epochs=2, callbacks=[TensorBoardLog(tmp_path / "runs")])
    (events,) = (tmp_path / "runs").iterdir()
    assert b"step_size" in events.read_bytes()


def test_a_log_for_tensorboard_names_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'zipsgd\[tensorboard\]'"):
        TensorBoardLog(tmp_path)


@pytest.mark.parametrize(("estimator", "labels"), [(ZipRegressor, Y), (ZipClassifier, CLASSES)])
def test_estimators_tell_the_same(estimator: Any, labels: np.ndarray, tmp_path: Path) -> None:
    heard = Heard()
    fitted = estimator(max_iter=3, measure=True, random_state=0)
    assert fitted.set_callbacks(heard, CsvLog(tmp_path / "log.csv")) is fitted
    fitted.fit(X, labels)
    assert [what for kind, what in heard.calls if kind == "epoch"] == [1, 2, 3]
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 4
    assert fitted.history_[-1]["score"] == pytest.approx(fitted.score(X, labels))
    assert fitted.history_[-1]["exact_loss"] > 0
    heard.calls.clear()
    fitted.set_callbacks().fit(X, labels)
    assert heard.calls == []


def test_a_sweep_and_its_figure(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []
    swept = sweep(
        X, Y, {"base_bits": [1, 4], "estimator": ["naive", "double"]}, Options(epochs=3),
        on_run=lambda setting, result: seen.append(setting),
    )  # fmt: skip
    assert seen == swept.settings
    assert len(seen) == 4
    table = swept.table()
    assert [row["bits"] for row in table] == [2, 3, 5, 6]
    assert table[0]["loss"] > table[3]["loss"]
    axes = swept.plot(path=tmp_path / "sweep.png")
    assert len(axes.lines) == 5
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="a sweep needs a grid of options"):
        sweep(X, Y, {})
    with pytest.raises(ValueError, match="base_bits must be in"):
        sweep(X, Y, [{"base_bits": 2}, {"base_bits": 9}])


def test_one_result_is_drawn() -> None:
    result = train(X, Y, epochs=3)
    axes = plot(result)
    assert axes.lines[0].get_ydata().tolist() == result.loss


def test_words_that_are_no_options_are_named() -> None:
    with pytest.raises(TypeError, match="there is no option 'planes'; options: classify, loss, bits"):
        train(X, Y, planes=3)


def test_the_log_is_silent_by_default_and_tells_more_on_request(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    train(np.hstack([X, np.ones((200, 1))]), Y, epochs=1)
    assert capfd.readouterr() == ("", "")
    caplog.set_level(logging.DEBUG, "zipsgd")
    train(X, Y, epochs=1, backend=BackendOptions("golden"))
    assert any("200 rows of 5 features" in message for message in caplog.messages)
    assert any(message.startswith("golden: Build(") for message in caplog.messages)


def test_frames_sparse_matrices_and_tables_give_the_same_bits() -> None:
    expected = train(X, Y, epochs=2)
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    of_frame = train(frame, pandas.Series(Y, name="price"), epochs=2)
    assert (of_frame.columns, of_frame.label) == (["a", "b", "c", "d"], "price")
    table = Table.from_arrays(X, Y)
    for other in (of_frame, train(sparse.csr_array(X), Y, epochs=2), train(table, epochs=2)):
        assert other.model_words == expected.model_words
    np.testing.assert_array_equal(of_frame.predict(frame), expected.predict(X))
    frame["e"] = "text"
    with pytest.raises(ValueError, match="column 'e' holds no real numbers"):
        train(frame, Y)


def test_labels_that_do_not_vary_have_no_score() -> None:
    result = train(X, Y, epochs=1, validation=(X[:5], np.full(5, 2.0)))
    assert result.held_out_score is None
    assert math.isnan(result.score(X[:5], np.full(5, 2.0)))
    measured = train(X, Y, epochs=1, measure=True, validation=(X[:5], np.full(5, 2.0)))
    json.dumps(measured.as_dict(), allow_nan=False)
    assert measured.validation_scores == []
    assert len(measured.validation_losses) == 1


def test_columns_are_found_by_their_names() -> None:
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    result = train(frame, Y, epochs=3, validation=(frame[["d", "c", "b", "a"]], Y))
    np.testing.assert_array_equal(result.predict(frame[["c", "a", "d", "b"]]), result.predict(X))
    assert result.held_out_score == pytest.approx(result.train_score, abs=1e-3)
    with pytest.raises(ValueError, match="not all of the 4 that the model was trained on: 'b' missing"):
        result.predict(frame[["a", "c", "d"]])
    with pytest.raises(ValueError, match="the model takes 4 columns, and X has 3"):
        result.predict(X[:, :3])
    with pytest.raises(ValueError, match=r"the shape \(4,\).*of one row give X\[:1\]"):
        result.predict(X[0])


def test_a_step_too_large_is_warned_of() -> None:
    with pytest.warns(ConvergenceWarning, match=r"worse than a constant.*a smaller one than 8"):
        train(X, Y, epochs=3, step_size=8.0, schedule="constant")


def test_what_is_given_in_the_wrong_place_is_named() -> None:
    with pytest.raises(TypeError, match="options come third"):
        train(X, Options())
    with pytest.raises(ValueError, match="rows to hold out must be between 0 and 1"):
        train(X, Y, validation=20)
