"""What the estimators promise beyond scikit-learn's checks: the device's bits, however training is cut up or rows come."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from matplotlib.figure import Figure
from scipy import sparse
from sklearn import datasets
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import zipsgd
from zipsgd.estimators import ZipClassifier, ZipRegressor
from zipsgd.estimators.classifier import _nearest_probabilities
from zipsgd.estimators.penalty import PENALTIES
from zipsgd.rows import RowSelection
from zipsgd.training.content_order import content_order
from zipsgd.training.objective import CLASS_LOSSES

RNG = np.random.default_rng(3)
X = RNG.normal(size=(300, 5)) * [1, 10, 0.1, 3, 1] + [0, 4, 0, -7, 2]
Y = X @ [2, -0.1, 30, 0.2, 0] + 5 + RNG.normal(size=300) * 0.3
CLASSES = np.digitize(X @ [2, 0, 3, 0.1, -1], [-3, 0])
NAMES = np.array(["ant", "bee", "cat"])[CLASSES]
ITERATED = ("constant", "sqrt", "inverse", [1.0, 0.5, 0.25])


def words(estimator):
    return estimator.model_words_.tolist()


def test_the_bits_are_those_of_train():
    """Rows in the order of their contents, one run: what zipsgd.train makes of them."""
    order = content_order(RowSelection(X, np.arange(300)), Y[:, None])
    options = zipsgd.Options(base_bits=3, batch_size=9, epochs=4, seed=7, schedule="linear")
    result = zipsgd.train(zipsgd.Table.from_arrays(X[order], Y[order]), options=options)
    ours = ZipRegressor(base_bits=3, batch_size=9, max_iter=4, random_state=7).fit(X, Y)
    assert words(ours) == [result.model_words]
    np.testing.assert_array_equal(ours.coef_, result.coef)
    assert ours.intercept_ == result.intercept
    assert [entry["loss"] for entry in ours.history_] == pytest.approx(result.loss)
    assert [entry["step_size"] for entry in ours.history_] == result.step_sizes


def test_the_virtual_board_gives_the_same_bits():
    chosen = {"max_iter": 2, "random_state": 1, "base_bits": 1}
    ours = ZipRegressor(backend="sim", **chosen).fit(X[:60], Y[:60])
    expected = ZipRegressor(**chosen).fit(X[:60], Y[:60])
    assert words(ours) == words(expected)
    assert [entry["loss"] for entry in ours.history_] == [entry["loss"] for entry in expected.history_]
    assert all(entry["bits"] > 0 for entry in ours.history_)


@pytest.mark.parametrize("loss", CLASS_LOSSES)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_golden_model_gives_the_same_bits(loss, penalty):
    chosen = {"max_iter": 2, "random_state": 1, "loss": loss, "penalty": penalty, "alpha": 0.01}
    ours = ZipClassifier(backend="golden", **chosen).fit(X[:60], NAMES[:60])
    assert words(ours) == words(ZipClassifier(**chosen).fit(X[:60], NAMES[:60]))
    if penalty is not None:
        assert words(ours) != words(ZipClassifier(**{**chosen, "penalty": None}).fit(X[:60], NAMES[:60]))


@pytest.mark.parametrize("schedule", ITERATED)
@pytest.mark.parametrize("average", [False, 3])
def test_ten_epochs_are_five_and_five_more_and_ten_single_ones(schedule, average):
    chosen = {"schedule": schedule, "average": average, "random_state": 4, "calibrate": False}
    whole = ZipClassifier(max_iter=10, **chosen).fit(X, NAMES)
    parts = ZipClassifier(max_iter=5, warm_start=True, **chosen).fit(X, NAMES)
    assert parts.n_iter_ == parts.n_epochs_ == 5
    parts.fit(X, NAMES)
    single = ZipClassifier(**chosen)
    for _ in range(10):
        single.partial_fit(X, NAMES, classes=["ant", "bee", "cat"])
    assert words(whole) == words(parts) == words(single)
    for other in (parts, single):
        np.testing.assert_array_equal(other.coef_, whole.coef_)
        assert [entry["loss"] for entry in other.history_] == [entry["loss"] for entry in whole.history_]
    assert (whole.n_iter_, parts.n_iter_, single.n_iter_) == (10, 5, 1)
    assert whole.n_epochs_ == parts.n_epochs_ == single.n_epochs_ == 10


def test_a_linear_schedule_begins_again():
    warm = ZipRegressor(max_iter=4, warm_start=True, random_state=0).fit(X, Y).fit(X, Y)
    steps = [entry["step_size"] for entry in warm.history_]
    assert steps[:4] == steps[4:]
    assert [entry["epoch"] for entry in warm.history_] == list(range(1, 9))
    assert warm.score(X, Y) > 0.9


def test_the_order_of_rows_does_not_matter():
    shuffled = np.random.default_rng(0).permutation(300)
    first = ZipRegressor(max_iter=2, random_state=0).fit(X, Y)
    second = ZipRegressor(max_iter=2, random_state=0).fit(X[shuffled], Y[shuffled])
    assert words(first) == words(second)


def test_sparse_frames_and_arrays_give_the_same_bits():
    values = np.where(np.abs(X) < 1, 0, X)
    names = [f"x{i}" for i in range(5)]
    frame = pd.DataFrame(values, columns=names)
    arrow = frame.convert_dtypes(dtype_backend="pyarrow")
    table = pa.table({name: values[:, i] for i, name in enumerate(names)})
    plain = ZipClassifier(max_iter=3, random_state=0).fit(values, CLASSES)
    assert not hasattr(plain, "feature_names_in_")
    for other in (sparse.csr_array(values), sparse.coo_matrix(values), frame, arrow, table):
        fitted = ZipClassifier(max_iter=3, random_state=0).fit(other, CLASSES)
        assert words(fitted) == words(plain)
        np.testing.assert_array_equal(fitted.predict(other), plain.predict(values))
    for named in (frame, arrow):
        fitted = ZipClassifier(max_iter=3, random_state=0).fit(named, CLASSES)
        assert fitted.feature_names_in_.tolist() == names
    labels = pd.Series(NAMES, dtype=pd.ArrowDtype(pa.string()))
    assert ZipClassifier(max_iter=3, random_state=0).fit(arrow, labels).classes_.tolist() == [
        "ant",
        "bee",
        "cat",
    ]


def test_the_log_says_that_sparse_rows_are_made_dense(capsys, caplog):
    caplog.set_level("INFO", "zipsgd")
    ZipRegressor(max_iter=2, verbose=1).fit(sparse.csr_array(X), Y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "made dense" in caplog.messages[0]
    assert lines[0].startswith("[ZipRegressor] epoch 1: loss ")


def test_several_outputs_are_as_many_models():
    both = np.column_stack([Y, -3 * Y + X[:, 0]])
    fitted = ZipRegressor(random_state=0, max_iter=40).fit(X, both)
    assert fitted.coef_.shape == (2, 5)
    assert fitted.predict(X).shape == (300, 2)
    assert fitted.score(X, both) > 0.95
    for head in range(2):
        reference = LinearRegression().fit(X, both[:, head]).predict(X)
        np.testing.assert_allclose(fitted.predict(X)[:, head], reference, atol=0.25 * both[:, head].std())
    assert len(fitted.scalings_) == 2


def test_penalties_shrink_the_model_and_spare_the_intercept():
    values = (X - X.mean(axis=0)) / np.abs(X - X.mean(axis=0)).max(axis=0)

    def fit(penalty, alpha):
        chosen = {"penalty": penalty, "alpha": alpha, "l1_ratio": 0.5}
        return ZipRegressor(max_iter=60, random_state=0, base_bits=4, **chosen).fit(values, Y)

    free, ridge = fit(None, 0), fit("l2", 0.1)
    exact = Ridge(alpha=0.1 * 300).fit(values, Y)  # of the sum over rows rather than the mean
    np.testing.assert_allclose(ridge.coef_, exact.coef_, atol=0.03 * np.abs(free.coef_).max())
    assert ridge.intercept_ == pytest.approx(exact.intercept_, abs=0.1)
    lasso, both = fit("l1", 0.01), fit("elasticnet", 0.01)
    scaling = lasso.scalings_[0]
    exact = Lasso(alpha=0.01 * scaling.label_spread).fit(values, Y)
    np.testing.assert_allclose(lasso.coef_, exact.coef_, atol=0.03 * np.abs(free.coef_).max())
    assert np.abs(lasso.coef_).sum() < np.abs(both.coef_).sum() < np.abs(free.coef_).sum()
    assert (
        fit("l2", 1e-12).model_words_.tolist() == free.model_words_.tolist()
    )  # below what the device resolves


def test_a_hinge_takes_larger_steps_within_what_a_device_can_take():
    def first(loss, **options):
        model = ZipClassifier(loss=loss, max_iter=1, random_state=0, **options).fit(X, NAMES)
        return model.history_[0]

    hinge, squares = first("hinge"), first("squared_error")
    assert hinge["step_size"] == pytest.approx(2 * squares["step_size"], rel=0.1)  # two digits each
    for batch_size in (1, 64):
        for levels in ("uniform", "optimal"):
            flags = first("hinge", batch_size=batch_size, levels=levels)["flags"]
            assert set(flags) <= {"residual"}


def test_probabilities_are_the_nearest_on_the_simplex():
    scores = np.random.default_rng(0).normal(size=(50, 4))
    probabilities = _nearest_probabilities(scores)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert probabilities.min() == 0
    others = np.random.default_rng(1).dirichlet(np.ones(4), 500)
    distances = np.linalg.norm(scores[:, None] - others, axis=2).min(axis=1)
    assert np.all(np.linalg.norm(scores - probabilities, axis=1) <= distances)
    np.testing.assert_allclose(_nearest_probabilities(np.array([[0.3, 0.7], [-1, 2]])), [[0.3, 0.7], [0, 1]])
    assert not hasattr(ZipClassifier(loss="hinge"), "predict_proba")
    fitted = ZipClassifier(random_state=0).fit(X, NAMES)
    np.testing.assert_array_equal(fitted.classes_[fitted.predict_proba(X).argmax(axis=1)], fitted.predict(X))
    coin = np.random.default_rng(0).random(300) < 0.8  # nothing to learn but how often
    even = (
        ZipClassifier(loss="squared_error", random_state=0, max_iter=40).fit(X, coin).predict_proba(X)[:, 1]
    )
    assert even.mean() == pytest.approx(coin.mean(), abs=0.05)


def test_in_a_pipeline_a_grid_search_and_a_pickle():
    search = GridSearchCV(
        make_pipeline(StandardScaler(), ZipClassifier(max_iter=5, random_state=0)),
        {"zipclassifier__base_bits": [1, 2], "zipclassifier__schedule": ["linear", [1.0, 0.5]]},
        cv=3,
        n_jobs=2,
    ).fit(X, NAMES)
    assert search.best_score_ > 0.7
    fitted = search.best_estimator_[-1]
    copy = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(copy.decision_function(X), search.decision_function(X))
    fresh = clone(fitted)
    assert fresh.get_params() == fitted.get_params()
    assert not hasattr(fresh, "coef_")
    assert cross_val_score(ZipRegressor(random_state=0), X, Y, cv=3).min() > 0.9


def test_sets_of_scikit_learn_without_a_flag():
    for load, estimator, least in (
        (datasets.load_breast_cancer, ZipClassifier(), 0.94),
        (datasets.load_digits, ZipClassifier(), 0.93),
        (datasets.load_diabetes, ZipRegressor(), 0.5),
    ):
        values, labels = load(return_X_y=True)
        assert estimator.set_params(random_state=0).fit(values, labels).score(values, labels) > least


def test_history_and_its_plot():
    fitted = ZipRegressor(max_iter=3, early_stopping=True, random_state=0).fit(X, Y)
    entry = fitted.history_[-1]
    assert entry["samples"] == 270
    assert entry["bits"] == 270 * 8 * (4 + 2)  # six features take a byte a plane, the label two
    assert entry["samples_per_second"] == pytest.approx(270 / entry["seconds"])
    assert entry["flags"] == []
    axis = Figure().subplots()
    assert fitted.plot_history(axis) is axis
    assert axis.lines[0].get_ydata().tolist() == [each["loss"] for each in fitted.history_]
    assert len(axis.figure.axes) == 2


def test_a_plot_on_an_axis_of_its_own(monkeypatch):
    from matplotlib import pyplot

    monkeypatch.setattr(pyplot, "subplots", lambda: (None, Figure().subplots()))  # needs no display
    fitted = ZipRegressor(max_iter=3, random_state=0).fit(X, Y)
    axis = fitted.plot_history()
    assert len(axis.lines) == 1
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'zipsgd\[plot\]'"):
        fitted.plot_history()


def test_a_seed_is_kept_for_a_run_without_one():
    first = ZipRegressor(max_iter=2).fit(X, Y)
    assert words(ZipRegressor(max_iter=2, random_state=first.seed_).fit(X, Y)) == words(first)
    assert words(ZipRegressor(max_iter=2).fit(X, Y)) != words(first)


def test_a_step_too_large_is_warned_of():
    with pytest.warns(ConvergenceWarning, match=r"worse than a constant.*a smaller one than 8"):
        ZipRegressor(step_size=8.0, schedule="constant", random_state=0).fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ZipRegressor(random_state=0).fit(X, Y)


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"max_iter": 0}, "max_iter must be a whole number from 1, not 0"),
        ({"base_bits": 2.7}, r"base_bits must be a whole number from 0, not 2\.7"),
        ({"batch_size": 1.5}, "batch_size must be a whole number from 1"),
        ({"bits": 2.5}, "bits must be a whole number, one for each epoch"),
        ({"estimator": "third"}, "estimator must be one of auto, double"),
        ({"average": -1}, "average must be a whole number from 0"),
        ({"average": "yes"}, "average must be a whole number"),
        ({"step_size": None}, "step_size must be a number, not None"),
        ({"penalty": "l2", "alpha": "x"}, "alpha must be a number, not 'x'"),
        ({"penalty": "elasticnet", "l1_ratio": None}, "l1_ratio must be a number"),
        ({"early_stopping": True, "validation_fraction": "a"}, "validation_fraction must be a number"),
        ({"early_stopping": True, "n_iter_no_change": 0}, "n_iter_no_change must be a whole number from 1"),
        ({"early_stopping": True, "tol": float("nan")}, "tol must be a number, not nan"),
        ({"base_bits": 9}, "base_bits must be in 1..8, not 9"),
        ({"batch_size": "many"}, "batch_size must be"),
        ({"step_size": "small"}, "step_size must be"),
        ({"schedule": "often"}, "schedule must be one of linear"),
        ({"loss": "log_loss"}, "loss must be one of squared_hinge, hinge, logistic, squared_error"),
        ({"penalty": "l3"}, "penalty must be one of None, 'l2'"),
        ({"penalty": "l2", "alpha": -1.0}, "alpha must be"),
        ({"penalty": "l2", "alpha": 100.0, "step_size": 0.1}, "step size times L2 strength must be"),
        ({"penalty": "elasticnet", "l1_ratio": 2}, "l1_ratio must be"),
        ({"levels": "odd"}, "levels must be one of"),
        ({"early_stopping": True, "validation_fraction": 1.5}, "validation_fraction must be between 0 and 1"),
        ({"backend": "emulatr"}, "no backend 'emulatr'; backends: emulator"),
        ({"class_weight": "even"}, "class_weight must be"),
        ({"class_weight": {"ant": -1}}, "class_weight must be positive numbers, not -1 for the class 'ant'"),
        (
            {"class_weight": {"gnu": 2}},
            "class_weight names 'gnu', which is not a class: the classes are 'ant', 'bee'",
        ),
        ({"calibrate": "maybe"}, 'calibrate must be True, False or "auto", not'),
        ({"class_weight": {"bee": 0}}, "class_weight must be positive numbers"),
        ({"class_weight": {"bee": np.nan}}, "class_weight must be positive numbers"),
        ({"batch_size": 4097}, r"batch_size must be in 1\.\.4096"),
    ],
)
def test_bad_parameters_are_named(chosen, says):
    with pytest.raises(ValueError, match=says):
        ZipClassifier(**chosen).fit(X, NAMES)


def test_bad_classes_are_named():
    with pytest.raises(ValueError, match="y holds one class"):
        ZipClassifier().fit(X, np.ones(300))
    with pytest.raises(ValueError, match="classes holds one class, 'ant'; at least two are needed"):
        ZipClassifier().partial_fit(X, NAMES, classes=["ant"])
    with pytest.raises(ValueError, match="the first call of partial_fit needs classes"):
        ZipClassifier().partial_fit(X, NAMES)
    with pytest.raises(ValueError, match="not among the classes"):
        ZipClassifier().partial_fit(X, NAMES, classes=["ant", "bee"])
    fitted = ZipClassifier(warm_start=True, max_iter=1).fit(X, NAMES)
    with pytest.raises(ValueError, match="set warm_start=False"):
        fitted.fit(X, CLASSES)
    with pytest.raises(ValueError, match="not those of the first call"):
        fitted.partial_fit(X, NAMES, classes=["ant", "bee"])
    with pytest.raises(ValueError, match="needs all rows at once"):
        ZipClassifier(class_weight="balanced").partial_fit(X, NAMES, classes=["ant", "bee", "cat"])


@pytest.mark.parametrize(
    ("penalty", "alpha"), [("l1", 1.0), ("l1", 30.0), ("l2", 100.0), ("elasticnet", 10.0)]
)
def test_the_automatic_step_is_within_what_a_penalty_allows(penalty, alpha):
    strong = ZipRegressor(penalty=penalty, alpha=alpha, random_state=0).fit(X, Y)
    weak = ZipRegressor(penalty=penalty, alpha=1e-4, random_state=0).fit(X, Y)
    assert np.abs(strong.model_words_[:, :-1]).max() < 0.2 * np.abs(weak.model_words_[:, :-1]).max()


def test_average_may_be_a_numpy_boolean():
    fitted, plain = (ZipRegressor(average=each, random_state=0).fit(X, Y) for each in (np.True_, True))
    np.testing.assert_array_equal(fitted.coef_, plain.coef_)


def test_large_mini_batches():
    fitted = ZipRegressor(batch_size=200, random_state=0).fit(X, Y)
    assert words(fitted) == words(ZipRegressor(batch_size=200, random_state=0, backend="golden").fit(X, Y))


def test_weights_whose_sum_is_not_finite():
    huge = np.where(np.arange(len(X)) % 2, 1e308, 0.5e308)
    fitted = ZipRegressor(random_state=0, max_iter=2).fit(X, Y, sample_weight=huge)
    assert words(fitted) == words(
        ZipRegressor(random_state=0, max_iter=2).fit(X, Y, sample_weight=huge / 1e307)
    )
