"""The guard: runs that went wrong are warned of, healthy ones are not, and the model of the right epoch is kept."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest

from zipsgd import (
    ConvergenceWarning,
    Finding,
    Options,
    Table,
    load,
    load_model,
    prepare,
    sweep,
    train,
    verify,
)
from zipsgd.backends import BackendOptions, build_for
from zipsgd.training.api import train_task
from zipsgd.training.guard import Evidence, Track, clearly_worse, describe, findings
from zipsgd.training.least_squares import difference, solve
from zipsgd.training.probe import Probe

RNG = np.random.default_rng(1)
X = RNG.normal(size=(400, 4)) * [1, 10, 0.1, 3] + [0, 4, 0, -7]
Y = X @ [2, -0.1, 3, 0.1] + RNG.normal(size=400) * 0.1
CLASSES = np.digitize(Y, [-2, 1]).astype(float)
TABLE = Table.from_arrays(X, Y)
HEALTHY = Evidence(
    track=Track((0.5, 0.9), (0.5, 0.1), 100, accuracy=False),
    kept=2,
    accuracy=False,
    shares={},
    ends=0,
    step=0.5,
    automatic=True,
    biased=False,
    base_bits=2,
    rows=100,
    loss=0.1,
    constant=1.0,
    zero=1.0,
    compared=(0.9, 0.91),
)
RISING = {"epochs": 8, "step_size": 0.5, "schedule": (1, 1, 1, 1, 1, 1, 1, 20)}
"""The last epoch takes far too long steps."""


def kinds(result):
    return [finding.kind for finding in result.warnings]


def trained(X, y=None, **options):
    """A run without the warning that ``train`` gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return train(X, y, **options)


# The rule


@pytest.mark.parametrize(
    ("changed", "kind", "says"),
    [
        ({"loss": 1.2}, "diverged", "worse than a constant: its loss is 1.2, that of a constant 1"),
        ({"compared": (0.6, 0.9)}, "noisy", "R2 0.600 on rows trained on, where least squares reaches 0.900"),
        (
            {"compared": (0.6, 0.9), "unfinished": True, "columns": ["a", "b"]},
            "unfinished",
            "most is lost in the weights of 'a' and 'b'",
        ),
        ({"compared": (0.6, 0.9), "far": 3.0}, "noisy", "weights of 3 times the range"),
        ({"compared": (0.6, 0.9), "squeezed": True}, "noisy", "columns have values far out"),
        (
            {"track": Track((0.5, 0.9, 0.7), (0.5, 0.1, 0.3), 100, accuracy=False), "kept": 2},
            "rising",
            "got worse after epoch 2 of 3: R2 on rows trained on fell from 0.900 to 0.700; the model of epoch 2 is kept",
        ),
        ({"shares": {"residual": 0.2}}, "residual", "20% of the residuals were saturated"),
        ({"shares": {"delta": 0.5}}, "delta", "50% of the deltas"),
        ({"shares": {"gradient": 0.03}}, "gradient", "3% of the mini-batches' steps"),
        ({"ends": 2}, "model", "2 weights reached the end of the range"),
        ({"empty": True, "loss": 1.0}, "empty", "the penalty leaves no weight"),
    ],
)
def test_each_kind_of_finding(changed, kind, says):
    assert findings(HEALTHY) == []
    (found,) = findings(replace(HEALTHY, **changed))
    assert found.kind == kind
    assert says in found.text
    assert found.remedies


def test_what_is_not_clear_is_no_finding():
    for changed in (
        {"loss": 1.04},  # nothing to learn, and a little noise
        {"loss": 0.01, "constant": 0.001, "compared": None},  # nearly all rows are of one class
        {"compared": (0.88, 0.9)},
        {"shares": {"residual": 0.02}},  # outliers
        {"track": Track((0.9, 0.88), (0.1, 0.12), 1000, accuracy=True)},
        {"track": Track((0.9, 0.8), (0.3, 0.1), 1000, accuracy=True)},  # the loss, which is minimised, fell
        {"track": None},
    ):
        assert findings(replace(HEALTHY, **changed)) == []
    assert clearly_worse(0.96, 0.98, 1000, accuracy=False)  # what is unexplained has doubled
    assert not clearly_worse(0.96, 0.98, 1000, accuracy=True)
    assert not clearly_worse(0.5, 0.9, 20, accuracy=True)  # eight rows
    assert not clearly_worse(-5.0, 0.9, 9, accuracy=False)


def test_remedies_fit_the_run():
    wrong = replace(HEALTHY, loss=2.0)
    assert findings(wrong)[0].remedies == ("a smaller step size than 0.5", "more base bits")
    given = replace(wrong, automatic=False, base_bits=8)
    assert findings(given)[0].remedies == (
        "the automatic step size, or a smaller one than 0.5",
        "larger mini-batches",
    )
    biased = replace(HEALTHY, compared=(0.5, 0.9), biased=True)
    assert findings(biased)[0].remedies == ("an estimator without bias, such as the automatic one",)
    line = describe(findings(replace(given, ends=1)))
    assert "\n" not in line
    assert line.count("the automatic step size") == 1


def test_least_squares_is_that_of_numpy():
    task = prepare(X, Y, Options())
    probe = Probe.of_task(task, thorough=True)
    exact = solve(probe)
    expected = np.linalg.lstsq(task.values, probe.labels, rcond=None)[0]
    np.testing.assert_allclose(exact.models, expected.T, atol=1e-6)
    residuals = probe.labels - task.values @ expected
    share = (residuals**2).mean() / probe.labels.var() * 405 / 395
    assert exact.merits(probe) == pytest.approx(1 - share, rel=1e-6)
    assert difference(exact, 0.5 * exact.models[0], 0).unfinished
    assert not difference(exact, 1.5 * exact.models[0], 0).unfinished
    off = exact.models[0] + [0, 0, 0.3, 0, 0]
    assert difference(exact, off, 0).columns == [2]
    assert not difference(exact, off, 0).squeezed
    small = replace(
        probe, values=task.values * np.float32([1, 1, 0.1, 1, 1])
    )  # as a value far out would leave the column
    exact = solve(small)
    assert difference(exact, exact.models[0] + [0, 0, 3, 0, 0], 0).squeezed
    assert solve(Probe.of_task(prepare(X[:9], Y[:9]))) is None  # nine rows for five features


def test_each_row_of_a_classifier_is_predicted_by_the_others():
    small, classes = X[:40], CLASSES[:40]
    task = prepare(small, classes, Options(classify=True))
    probe = Probe.of_task(task)
    right = 0
    for row in range(40):
        others = np.arange(40) != row
        model = np.linalg.lstsq(task.values[others], probe.labels[others], rcond=None)[0]
        right += (task.values[row] @ model).argmax() == task.numbers[row]
    assert solve(probe).merits(probe) == pytest.approx(right / 40)


# Runs that go wrong, and healthy ones


@pytest.mark.parametrize(
    ("labels", "options", "kind"),
    [
        (Y, {"step_size": 8.0, "schedule": "constant"}, "diverged"),
        (Y, {"base_bits": 1, "estimator": "naive"}, "noisy"),
        (Y, {"base_bits": 1, "step_size": 1.5, "schedule": "constant", "keep": "last"}, "noisy"),
        (Y, {"step_size": 0.001}, "unfinished"),
        (Y, RISING, "rising"),
        (Y, {"step_size": 15.0, "schedule": "constant"}, "gradient"),
        (Y, {"step_size": 15.0, "schedule": "constant"}, "delta"),
        (CLASSES, {"classify": True, "step_size": 3.0, "schedule": "constant", "base_bits": 1}, "residual"),
        (CLASSES, {"classify": True, "step_size": 3.0, "schedule": "constant"}, "model"),
        (Y, {"l1": 1.0}, "empty"),
        (np.column_stack([Y, X[:, 0]]), {"step_size": 8.0, "schedule": "constant"}, "diverged"),
        (Y, {"loss": "huber", "step_size": 15.0, "schedule": "constant"}, "diverged"),
    ],
)
def test_what_goes_wrong_is_warned_of(labels, options, kind):
    with pytest.warns(ConvergenceWarning) as raised:
        result = train(X, labels, **options)
    assert len(raised) == 1  # one warning
    assert kind in kinds(result)
    assert str(raised[0].message) == describe(result.warnings)


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        (Y, {}),
        (Y, {"base_bits": 1}),
        (Y, {"levels": "optimal"}),
        (Y, {"loss": "huber"}),
        (Y, {"l1": 0.02}),
        (Y, {"l2": 0.1}),
        (Y, {"bound": 0.1}),
        (Y, {"epochs": 1}),
        (Y, {"schedule": "constant", "average": 5}),
        (CLASSES, {"classify": True}),
        (CLASSES == 2, {"classify": True, "loss": "hinge"}),
        (CLASSES, {"classify": True, "loss": "logistic"}),
        (np.column_stack([Y, X[:, 0]]), {}),
        (np.random.default_rng(3).normal(size=400), {}),  # nothing to learn
    ],
)
def test_a_healthy_run_has_no_warning(labels, options):
    for seed in range(3):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = train(X, labels, seed=seed, **options)
        assert (result.warnings, result.kept_epoch) == ([], len(result.loss))


@pytest.mark.parametrize("name", ["diabetes", "breast_cancer", "digits"])
@pytest.mark.parametrize("base_bits", [1, 2])
def test_named_sets_train_without_warnings(name, base_bits):
    table = load(name)
    result = trained(table, classify=name != "diabetes", base_bits=base_bits)
    assert result.warnings == []


def test_noise_along_a_sum_of_columns_is_noticed():
    """A column that is a sum of others, and one with a long tail: at few bits the model is some points off, by seed."""
    rng = np.random.default_rng(0)
    tail = rng.exponential(12, 20_000) * (1 + 40 * (rng.random(20_000) < 0.01))
    hour, minute = rng.integers(5, 24, 20_000), rng.integers(0, 60, 20_000)
    columns = np.stack([100 * hour + minute, hour, minute, tail, rng.integers(1, 8500, 20_000)], 1)
    labels = tail + 0.3 * hour + rng.normal(0, 14, 20_000)
    centred = columns - columns.mean(axis=0)
    exact = centred @ np.linalg.lstsq(centred, labels - labels.mean(), rcond=None)[0]
    best = exact.var() / labels.var()
    results = [trained(columns, labels, base_bits=1, seed=seed, step_size=1.5) for seed in range(4)]
    short = [result for result in results if result.train_score < best - 0.012]
    assert short
    assert all("noisy" in kinds(result) for result in short)


@pytest.mark.parametrize(
    "narrow", [{"q3_bits": 6}, {"delta_bits": 8, "gradient_bits": 8}, {"gradient_bits": 8}]
)
def test_widths_that_are_too_narrow_are_noticed(narrow):
    build = replace(build_for(5, lanes=4), **narrow)
    result = trained(X, Y, base_bits=2, backend=BackendOptions("emulator", build))
    reference = trained(X, Y, base_bits=2)
    assert kinds(result) or result.final_loss < 2 * reference.final_loss


# Which model is kept


def models(X, y, **options):
    """The words of each epoch's model, and the result."""
    found = []
    result = trained(X, y, callbacks=[lambda report: found.append(report.model.words.tolist())], **options)
    return found, result


def test_the_best_epoch_is_kept_when_the_last_is_clearly_worse():
    words, result = models(X, Y, **RISING)
    assert result.kept_epoch < 8
    assert [result.model_words] == words[result.kept_epoch - 1]
    found = result.warnings[0]
    assert f"after epoch {result.kept_epoch} of 8" in found.text
    assert f"the model of epoch {result.kept_epoch} is kept" in found.text
    _, last = models(X, Y, keep="last", **RISING)
    assert last.kept_epoch == 8
    assert [last.model_words] == words[-1]
    assert "rising" in kinds(last)
    assert last.final_loss > 2 * result.final_loss


@pytest.mark.parametrize("held", [None, 0.3])
@pytest.mark.parametrize(
    ("labels", "more"),
    [
        (Y, {}),
        (np.column_stack([Y, X[:, 0]]), {}),
        (CLASSES, {"classify": True, "calibrate": False}),
        (Y, {"average": 2}),
    ],
)
def test_keep_best(labels, more, held):
    options = {"epochs": 8, "schedule": "constant", "base_bits": 1, **more}
    reports = []
    best = trained(X, labels, validation=held, keep="best", callbacks=[reports.append], **options)
    scores = [report.merit if held is None else report.validation_score for report in reports]
    assert best.kept_epoch == 1 + int(np.argmax(scores))
    kept = reports[best.kept_epoch - 1].model
    np.testing.assert_array_equal(np.atleast_2d(best.coef), kept.coef)
    np.testing.assert_array_equal(np.atleast_1d(best.intercept), kept.intercept)
    last = trained(X, labels, validation=held, keep="last", **options)
    assert last.loss == best.loss
    assert last.kept_epoch == 8


def test_patience_keeps_the_best_unless_the_last_is_asked_for():
    options = {"epochs": 40, "schedule": "constant", "base_bits": 1, "patience": 3, "validation": 0.3}
    words, best = models(X, Y, **options)
    assert best.kept_epoch == len(words) - 3
    assert [best.model_words] == words[-4]
    words, last = models(X, Y, keep="last", **options)
    assert last.kept_epoch == len(words)
    assert [last.model_words] == words[-1]


@pytest.mark.parametrize("keep", ["auto", "best"])
def test_a_resumed_run_keeps_the_same_model_and_gives_the_same_warning(keep, tmp_path):
    class Stopped(Exception):
        pass

    def stop(report):
        if report.number == 6:
            raise Stopped

    options = {**RISING, "base_bits": 2, "keep": keep}
    whole = trained(X, Y, **options)
    assert whole.kept_epoch < 6
    path = tmp_path / "run.json"
    with pytest.raises(Stopped):
        train(X, Y, checkpoint=path, callbacks=[stop], **options)
    with pytest.warns(ConvergenceWarning, match="got worse after epoch"):
        resumed = train(X, Y, checkpoint=path, resume=True, **options)
    assert (resumed.model_words, resumed.kept_epoch) == (whole.model_words, whole.kept_epoch)
    assert resumed.warnings == whole.warnings


def test_an_unknown_keep_is_named():
    with pytest.raises(ValueError, match="keep must be one of auto, best, last, not 'first'"):
        Options(keep="first")


# Other interfaces


def test_warnings_are_saved_with_the_model(tmp_path):
    result = trained(X, Y, **RISING)
    result.save(tmp_path / "m.json")
    assert load_model(tmp_path / "m.json") == result
    content = json.loads((tmp_path / "m.json").read_text())
    assert content["kept_epoch"] == result.kept_epoch
    assert content["warnings"][0]["kind"] == "rising"
    content["warnings"] = ["something"]
    (tmp_path / "bad.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="its warnings are not findings"):
        load_model(tmp_path / "bad.json")


def test_a_sweep_and_a_verification_warn():
    with pytest.warns(ConvergenceWarning, match="worse than a constant"):
        swept = sweep(X, Y, {"step_size": [8.0]}, Options(schedule="constant", epochs=5))
    assert "diverged" in swept.table()[0]["warnings"]
    with pytest.warns(ConvergenceWarning, match="worse than a constant") as raised:
        found = verify(X[:50], Y[:50], Options(schedule="constant", step_size=8.0, epochs=2))
    assert len(raised) == 1
    assert found.identical
    assert found.first.warnings == found.second.warnings


def test_a_prepared_task_has_its_findings_in_the_result():
    result = train_task(prepare(X, Y, Options(step_size=8.0, schedule="constant")))
    assert result.warnings[0].kind == "diverged"
    assert isinstance(result.warnings[0], Finding)
    assert result.as_dict()["warnings"][0]["kind"] == "diverged"
