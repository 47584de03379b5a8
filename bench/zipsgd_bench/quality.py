"""Compare test scores of models trained with at most 4 bits per value with scikit-learn's linear models on float64.

Besides real sets, there are three made ones: collinear columns with a heavy tail, seven classes of very different sizes in
columns with heavy tails, and columns of two values, which one bit per value holds.

All contestants see the same rows, and are tuned over a small grid in the same way: on 10,000 of the training rows (MNIST), or
by cross-validation. Their score on test rows is the mean over the splits. "least squares" is the exact solution on float64, as
a yardstick: for regression, the device minimises the same loss.
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
from zipsgd.extras import extra

from .hard_sets import binary_features, departures, heavy_tails
from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "Contest", "contest", "contests", "run"]

BITS = 4
NEAR = 0.5
"""Largest distance of zipsgd's score from the best other score, in points of accuracy or of 100 R2."""
SPLITS = tuple(range(20))
"""Seeds of the splits, for sets without a given split.

The test part has at least 143 rows. On one split, two contestants differ by about one point by chance. The standard error of
the mean over 20 splits is a quarter of a point, which is half of :data:`NEAR`.
"""
TEST_SHARE = 0.25
_FOLDS = 3
_HARD_ROWS = 20_000
"""Rows of the made sets."""
_HELD_ROWS = 10_000
"""Number of training rows that candidates are rated on, for sets with a given split. The candidates are trained on all other
rows, because the best parameters for few rows (more regularisation, fewer epochs) are not the best for many."""
EXACT = "least squares"
"""The contestant that is only a yardstick."""

_Split = tuple[Any, Any, Any, Any]
Contestants = Mapping[str, tuple[Any, dict[str, list[Any]]]]


@dataclass(frozen=True)
class Contest:
    """A comparison on one set.

    Parameters
    ----------
    name : str
        Name of the set.
    measure : str
        "accuracy" or "R2".
    splits : Sequence[Callable[[], _Split]]
        Functions that return X and y for training, and X and y for testing.
    contestants : Contestants
        Estimators and their grids, by name.
    held_rows : int | None
        Number of training rows that candidates are rated on; None for cross-validation.
    bits : int
        Bits per value of zipsgd's samples.
    """

    name: str
    measure: str
    splits: Sequence[Callable[[], _Split]]
    contestants: Contestants
    held_rows: int | None = None
    bits: int = BITS


def _regressors() -> Contestants:
    from sklearn.linear_model import LinearRegression, SGDRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from zipsgd.estimators import ZipRegressor

    return {
        "zipsgd": (
            ZipRegressor(bits=BITS, random_state=0),
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


def _classifiers(scaler: Any, bits: int = BITS) -> Contestants:
    from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    from zipsgd.estimators import ZipClassifier

    return {
        "zipsgd": (
            ZipClassifier(
                bits=bits,
                levels="optimal",
                penalty="l2",
                random_state=0,
            ),
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
    """The comparisons on all sets.

    Returns
    -------
    list[Contest]
        One comparison per set.

    Raises
    ------
    ModuleNotFoundError
        scikit-learn is not installed.
    """
    with extra("sklearn", "this bench"):
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
    hard = departures(_HARD_ROWS)
    found.append(Contest(hard.source, "R2", _splits(hard.features, hard.labels, False), _regressors()))
    splits = _splits(*heavy_tails(_HARD_ROWS), stratify=True)
    found.append(Contest("heavy tails, 7 classes", "accuracy", splits, _classifiers(StandardScaler())))
    splits = _splits(*binary_features(), stratify=True)
    found.append(
        Contest("columns of two values", "accuracy", splits, _classifiers(StandardScaler(), 1), bits=1)
    )
    found.append(Contest("MNIST", "accuracy", [_mnist], _classifiers(MinMaxScaler()), _HELD_ROWS))
    return found


def _tuned(estimator: Any, grid: dict[str, list[Any]], X: Any, y: Any, held_rows: int | None) -> Any:
    """The estimator with the best parameters of the grid, trained on all rows."""
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
    """Run one comparison.

    Parameters
    ----------
    entered : Contest
        The comparison.
    begin : Callable[[str], None]
        Called before each contestant.

    Returns
    -------
    dict[str, Any]
        A row: the score of zipsgd in points, the best other score, and the difference. ``all`` holds the scores of each
        contestant.
    """
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    points: dict[str, npt.NDArray[np.float64]] = {}
    seconds: dict[str, float] = {}
    for name, (estimator, grid) in entered.contestants.items():
        begin(f"{entered.name}: {name}")
        start = time.perf_counter()
        scores = []
        for split in entered.splits:
            X, y, test_x, test_y = split()
            # On small sets, more threads slow each other down
            with warnings.catch_warnings(), threadpool_limits(1):
                warnings.simplefilter("ignore")  # from candidates with which a solver does not converge
                scores.append(_tuned(estimator, grid, X, y, entered.held_rows).score(test_x, test_y))
        points[name] = 100 * np.array(scores)
        seconds[name] = time.perf_counter() - start
    means = {name: float(each.mean()) for name, each in points.items()}
    best = max((name for name in means if name not in ("zipsgd", EXACT)), key=lambda name: means[name])
    return {
        "set": entered.name,
        "measure": entered.measure,
        "bits a value": entered.bits,
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
    """Run the comparisons on all sets.

    Returns
    -------
    Result
        The result of the bench.
    """
    entered = contests()
    with Steps(sum(len(each.contestants) for each in entered)) as steps:
        rows = [contest(each, steps.next) for each in entered]
    details = {row["set"]: row.pop("all") for row in rows}
    return {
        "goal": f"on every set, the test accuracy (or 100 R2) with at most {BITS} bits per value is at most {NEAR} points "
        f"below the best of scikit-learn's linear models on float64",
        "met": all(row["met"] for row in rows),
        "seeds": list(SPLITS),
        "rows": rows,
        "contestants": details,
    }


BENCH = Bench(
    "quality", "test scores with at most 4 bits per value and of scikit-learn's linear models on float64", run
)
