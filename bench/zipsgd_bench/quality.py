"""Test scores of models trained on at most 4 bits a value, against scikit-learn's linear models on float64.

All contestants see the same rows and are tuned over a small grid in the same way: by 10,000 of the training rows (MNIST), or by
cross-validation. Their score on test rows is the mean over splits. "least squares" is its exact solution on float64, as a
yardstick: on regression the loss that the device minimises too.
"""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.data import load_set
from zipsgd.data.sets import mnist_digits

from .extras import extra
from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "Contest", "contest", "contests", "run"]

P, M = 2, 2
NEAR = 0.5
"""Points of accuracy, or of 100 R2, that ours may lie below the best of the others."""
SPLITS = tuple(range(20))
"""Seeds of the splits of sets that have none of their own.

A test share has 143 rows or more, and on one split two contestants differ by about a point in either direction by chance. The
mean of 20 is known to a quarter of a point, half of what is to be told apart.
"""
TEST_SHARE = 0.25
_FOLDS = 3
_HELD_ROWS = 10_000
"""Of a set with a split of its own: training rows to rate candidates on. They are trained on all others, as what is best for a
few rows (more regularisation, fewer epochs) is not for many."""
EXACT = "least squares"
"""The contestant that is no opponent but a yardstick."""

_Split = tuple[Any, Any, Any, Any]
Contestants = Mapping[str, tuple[Any, dict[str, list[Any]]]]


@dataclass(frozen=True)
class Contest:
    """``splits``: X and y to train on, X and y to test on. ``held_rows``: to rate candidates on; None for cross-validation."""

    name: str
    measure: str
    splits: Sequence[Callable[[], _Split]]
    contestants: Contestants
    held_rows: int | None = None


def _regressors() -> Contestants:
    from sklearn.linear_model import LinearRegression, SGDRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from zipsgd.estimators import ZipRegressor

    return {
        "zipsgd": (
            ZipRegressor(base_bits=P, samples_per_value=M, random_state=0),
            {"max_iter": [20, 100]},
        ),
        "SGDRegressor": (
            make_pipeline(StandardScaler(), SGDRegressor(random_state=0)),
            {
                "sgdregressor__alpha": [1e-6, 1e-4, 1e-2],
                "sgdregressor__eta0": [0.001, 0.01],
                "sgdregressor__average": [False, True],
            },
        ),
        EXACT: (LinearRegression(), {}),
    }


def _classifiers(scaler: Any) -> Contestants:
    from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    from zipsgd.estimators import ZipClassifier

    return {
        "zipsgd": (
            ZipClassifier(base_bits=P, samples_per_value=M, levels="optimal", penalty="l2", random_state=0),
            {"loss": ["hinge", "squared_hinge"], "alpha": [1e-4, 1e-3], "max_iter": [20, 100]},
        ),
        "SGDClassifier": (
            make_pipeline(scaler, SGDClassifier(random_state=0)),
            {"sgdclassifier__loss": ["hinge", "log_loss"], "sgdclassifier__alpha": [1e-5, 1e-4, 1e-3]},
        ),
        "LogisticRegression": (
            make_pipeline(scaler, LogisticRegression(max_iter=300)),
            {"logisticregression__C": [0.03, 0.3, 3]},
        ),
        "LinearSVC": (
            make_pipeline(scaler, LinearSVC(dual=False, tol=1e-3, random_state=0)),
            {"linearsvc__C": [0.001, 0.01, 0.1]},
        ),
        EXACT: (RidgeClassifier(alpha=1e-3), {}),
    }


def _splits(X: Any, y: Any, stratify: bool) -> list[Callable[[], _Split]]:
    from sklearn.model_selection import train_test_split

    def split(seed: int) -> _Split:
        train_x, test_x, train_y, test_y = train_test_split(
            X, y, test_size=TEST_SHARE, random_state=seed, stratify=y if stratify else None
        )
        return train_x, train_y, test_x, test_y

    return [partial(split, seed) for seed in SPLITS]


def _mnist() -> _Split:
    sets = mnist_digits()
    return sets["train"], sets["train_digits"], sets["test"], sets["test_digits"]


def contests() -> list[Contest]:
    """Raises ModuleNotFoundError without scikit-learn."""
    with extra("sklearn"):
        from sklearn import datasets
        from sklearn.preprocessing import MinMaxScaler, StandardScaler
    found = []
    for name in ("cadata", "cpusmall"):
        table = load_set(name)
        found.append(Contest(name, "R2", _splits(table.features, table.labels, False), _regressors()))
    for name, bunch, scaler in (
        ("breast cancer", datasets.load_breast_cancer(), StandardScaler()),
        ("digits", datasets.load_digits(), MinMaxScaler()),
    ):
        splits = _splits(bunch.data, bunch.target, True)
        found.append(Contest(name, "accuracy", splits, _classifiers(scaler)))
    found.append(Contest("MNIST", "accuracy", [_mnist], _classifiers(MinMaxScaler()), _HELD_ROWS))
    return found


def _tuned(estimator: Any, grid: dict[str, list[Any]], X: Any, y: Any, held_rows: int | None) -> Any:
    """The estimator with the best of the grid, trained on all rows."""
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV, PredefinedSplit

    if not grid:
        return clone(estimator).fit(X, y)
    if held_rows is None:
        return GridSearchCV(estimator, grid, cv=_FOLDS).fit(X, y)
    held = np.full(len(y), -1)
    held[np.random.default_rng(0).permutation(len(y))[:held_rows]] = 0
    return GridSearchCV(estimator, grid, cv=PredefinedSplit(held)).fit(X, y)


def contest(entered: Contest, begin: Callable[[str], None] = lambda what: None) -> dict[str, Any]:
    """A row: our score in points, the best of the others, how far ours is from it; and ``all``, of each contestant."""
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    points: dict[str, npt.NDArray[np.float64]] = {}
    seconds: dict[str, float] = {}
    for name, (estimator, grid) in entered.contestants.items():
        begin(f"{entered.name}: {name}")
        start = time.perf_counter()
        scores = []
        for split in entered.splits:
            X, y, test_x, test_y = split()
            with warnings.catch_warnings(), threadpool_limits(1):  # more only hinder each other on small sets
                warnings.simplefilter("ignore")  # solvers that a candidate keeps from converging
                scores.append(_tuned(estimator, grid, X, y, entered.held_rows).score(test_x, test_y))
        points[name] = 100 * np.array(scores)
        seconds[name] = time.perf_counter() - start
    means = {name: float(each.mean()) for name, each in points.items()}
    best = max((name for name in means if name not in ("zipsgd", EXACT)), key=lambda name: means[name])
    return {
        "set": entered.name,
        "measure": entered.measure,
        "bits a value": P + M,
        "zipsgd": means["zipsgd"],
        "best other": best,
        "its score": means[best],
        "below it": means[best] - means["zipsgd"],
        EXACT: means[EXACT],
        "below that": means[EXACT] - means["zipsgd"],
        "met": means[best] - means["zipsgd"] <= NEAR,
        "all": {
            name: {"mean": means[name], "scores": points[name].tolist(), "seconds": seconds[name]}
            for name in means
        },
    }


def run() -> Result:
    """All sets."""
    entered = contests()
    with Steps(sum(len(each.contestants) for each in entered)) as steps:
        rows = [contest(each, steps.next) for each in entered]
    details = {row["set"]: row.pop("all") for row in rows}
    return {
        "goal": f"test accuracy, or 100 R2, at {P + M} bits a value at most {NEAR} points below the best of scikit-learn's "
        f"linear models on float64, on every set",
        "met": all(row["met"] for row in rows),
        "seeds": list(SPLITS),
        "rows": rows,
        "contestants": details,
    }


BENCH = Bench("quality", "test scores at 4 bits a value against scikit-learn's linear models on float64", run)
