"""Compare the automatic step size with smaller and larger ones on every named set, and on one made to be hard.

The scores of its models on held-out rows should be close to the best that a search over step sizes finds. One draw (the
default) and double sampling each have their own automatic step, so both are compared, at the default number of bits. The result
also lists what saturated: at any step size, quantisation noise can push the residuals of a few samples out of their range.
"""

import warnings
from typing import Any

import numpy as np

from zipsgd.data import SETS, Table, load_set
from zipsgd.extras import extra

from .convergence import METHODS
from .hard_sets import departures
from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "compare", "run"]

NAMES = tuple(name for name in SETS if name != "cifar10")
"""All sets but the one of 139 MB."""
HARD = "departures"
ESTIMATORS = ("one-draw", "double")
SIZES = (1 / 30, 1 / 10, 0.25, 0.5, 1.0, 2.0, 3.0)
"""Step sizes relative to the automatic one."""
SPLITS = (0, 1, 2, 3, 4)
LARGE = 50_000
"""From so many rows on, one split is enough."""
TEST_SHARE = 0.25
NEAR = 1.0
"""Largest distance from the score of the best size, in points of accuracy or of 100 R2."""


def compare(name: str, table: Table, classes: bool, estimator: str) -> dict[str, Any]:
    """Compare step sizes on one set.

    Parameters
    ----------
    name : str
        Name of the set.
    table : Table
        Features and labels.
    classes : bool
        Whether the labels are classes.
    estimator : str
        One of :data:`ESTIMATORS`.

    Returns
    -------
    dict[str, Any]
        A row: scores in points as means over the splits, and the flags of the runs with the automatic step.

    Raises
    ------
    ModuleNotFoundError
        scikit-learn is not installed.
    """
    with extra("sklearn", "this bench"):
        from sklearn.base import clone
        from sklearn.model_selection import train_test_split

    from zipsgd.estimators import ZipClassifier, ZipRegressor

    points: dict[float, list[float]] = {size: [] for size in SIZES}
    flags: set[str] = set()
    automatic = 0.0
    for split in SPLITS if len(table.labels) < LARGE else SPLITS[:1]:
        rows = train_test_split(
            table.features, table.labels, test_size=TEST_SHARE, random_state=split,
            stratify=table.labels if classes else None,
        )  # fmt: skip
        train_x, test_x, train_y, test_y = rows
        trained = (ZipClassifier if classes else ZipRegressor)(estimator=estimator, random_state=split)
        unasked = clone(trained).fit(train_x, train_y)
        automatic = unasked.history_[0]["step_size"]
        flags.update(flag for entry in unasked.history_ for flag in entry["flags"])
        for size in SIZES:
            fitted = unasked
            if size != 1:
                fitted = clone(trained).set_params(step_size=size * automatic).fit(train_x, train_y)
            points[size].append(100 * fitted.score(test_x, test_y))
    means = {size: float(np.mean(each)) for size, each in points.items()}
    best = max(means, key=lambda size: means[size])
    return {
        "set": name,
        "estimator": estimator,
        "measure": "accuracy" if classes else "R2",
        "splits": len(points[1.0]),
        "step": automatic,
        **{f"x {size:.2g}": means[size] for size in SIZES},
        "below best": means[best] - means[1.0],
        "saturated": ", ".join(sorted(flags)) or None,
        "met": means[best] - means[1.0] <= NEAR,
    }


def run() -> Result:
    """Compare step sizes on all sets.

    Returns
    -------
    Result
        The result of the bench.
    """
    rows = []
    with Steps((len(NAMES) + 1) * len(ESTIMATORS)) as steps, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from steps that are too large
        for name in (*NAMES, HARD):
            table, classes = (load_set(name), SETS[name].classes) if name != HARD else (departures(), False)
            for estimator in ESTIMATORS:
                steps.next(f"{name}: {METHODS[estimator]}")
                rows.append(compare(name, table, classes, estimator))
    tried = ", ".join(f"{size:.2g}" for size in SIZES)
    return {
        "goal": f"on every named set, and on collinear columns with a heavy tail ({HARD}), the score with the automatic step "
        f"size of one draw and of double sampling is at most {NEAR:g} point below the best score with step sizes of {tried} "
        f"times the automatic one",
        "met": all(row["met"] for row in rows),
        "seeds": list(SPLITS),
        "rows": rows,
    }


BENCH = Bench(
    "automatic-step", "scores with the automatic step size on every named set, and on a hard one", run
)
