"""Accuracy and balanced accuracy of all losses for classes, on sets that are difficult in different ways.

Each model has its default parameters but for what its row says. zipsgd scales the columns itself, by their ranges; for the
others a StandardScaler does. "one against all" means without calibration (:mod:`zipsgd.training.calibration`); "one against
one" has a model for each pair of classes, trained on the rows of both; "double sampling" is that in place of one draw, which is
the default for squared losses; "joint softmax" is SGD in float64 on one loss for all classes, with steps as they are and 16
times as large.
"""

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from zipsgd.data import load_set
from zipsgd.extras import extra
from zipsgd.training.objective import CLASS_LOSSES
from zipsgd.training.options import Options
from zipsgd.training.scores import CLASS_SCORES
from zipsgd.training.two_values import two_valued

from .hard_sets import binary_features, heavy_tails
from .joint_softmax import JointSoftmax
from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "SETS", "compare", "run"]

BITS = 4
NEAR = 0.5
"""Largest distance of zipsgd's accuracy from that of LogisticRegression, in points."""
SPLITS = (0, 1, 2, 3, 4)
TEST_SHARE = 0.25
REFERENCE = "LogisticRegression"
DEFAULT = "zipsgd, squared_hinge"
ONE_BIT = "zipsgd, squared_hinge, one bit a value"
"""Two levels for each column, and one quantisation: what columns of two values need."""


def _digits() -> tuple[Any, Any]:
    table = load_set("digits")
    return np.asarray(table.features), table.labels


SETS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "digits": _digits,
    "heavy tails": heavy_tails,
    "binary features": binary_features,
}


def _models(classes: int, binary: bool) -> Iterator[tuple[str, str | None, int, Callable[[], Any]]]:
    """Name, estimator, bits a value and maker of each model."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsOneClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    from zipsgd.estimators import ZipClassifier

    yield REFERENCE, None, 32, lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    svc = partial(LinearSVC, dual=False, random_state=0)
    yield "LinearSVC", None, 32, lambda: make_pipeline(StandardScaler(), svc())
    for step in (1, 16) if classes > 2 else ():
        yield f"joint softmax, step x {step}", None, 64, partial(JointSoftmax, step)
    ours = partial(ZipClassifier, random_state=0)  # BITS a value, and more for polynomial losses
    for loss in CLASS_LOSSES:
        found = Options(classify=True, loss=loss).precision(diagonal=True)
        bits = found.planes[0] + found.draws
        yield f"zipsgd, {loss}", found.estimator, bits, partial(ours, loss=loss)
        if classes > 2:
            uncalibrated = partial(ours, loss=loss, calibrate=False)
            yield f"zipsgd, {loss}, one against all", found.estimator, bits, uncalibrated
    used = Options(classify=True).precision(diagonal=True).estimator
    yield f"{DEFAULT}, double sampling", "double", BITS, partial(ours, estimator="double")
    if classes > 2:
        yield f"{DEFAULT}, one against one", used, BITS, lambda: OneVsOneClassifier(ours())
    yield f"{DEFAULT}, balanced weights", used, BITS, partial(ours, class_weight="balanced")
    if binary:
        yield ONE_BIT, used, 1, partial(ours, bits=1, levels="optimal")


def compare(
    name: str, X: Any, y: Any, begin: Callable[[str], None] = lambda what: None
) -> list[dict[str, Any]]:
    """Compare all models on one set.

    Parameters
    ----------
    name : str
        Name of the set.
    X, y : arrays of shape (rows, columns) and (rows,)
        Features and classes.
    begin : callable
        Called with the name of each model.

    Returns
    -------
    list of dict
        A row for each model: means over the splits, in points.

    Raises
    ------
    ModuleNotFoundError
        scikit-learn is not installed.
    """
    with extra("sklearn", "this bench"):
        from sklearn.model_selection import train_test_split
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    classes, numbers = np.unique(y, return_inverse=True)
    found: list[dict[str, Any]] = []
    for model, estimator, bits, make in _models(classes.size, two_valued(X)):
        begin(f"{name}: {model}")
        scores = []
        for split in SPLITS:
            train_x, test_x, train_y, test_y = train_test_split(
                X, numbers, test_size=TEST_SHARE, random_state=split, stratify=numbers
            )
            with warnings.catch_warnings(), threadpool_limits(1):
                warnings.simplefilter("ignore")  # of saturated values
                said = make().fit(train_x, train_y).predict(test_x)
            outputs = np.eye(classes.size)[said]
            scores.append(
                [
                    CLASS_SCORES[score].function(outputs, test_y, None)
                    for score in ("accuracy", "balanced_accuracy")
                ]
            )
        accuracy, balanced = 100 * np.mean(scores, axis=0)
        found.append(
            {
                "set": name,
                "model": model,
                "estimator": estimator,
                "bits a value": bits,
                "accuracy": float(accuracy),
                "balanced accuracy": float(balanced),
            }
        )
    reference = next(row["accuracy"] for row in found if row["model"] == REFERENCE)
    return [{**row, "below the reference": reference - row["accuracy"]} for row in found]


def run() -> Result:
    """Compare all models on all sets.

    Returns
    -------
    Result
        The result of the bench.
    """
    rows: list[dict[str, Any]] = []
    with Steps(39) as steps:
        for name, load in SETS.items():
            rows += compare(name, *load(), steps.next)
    bits = {"binary features": ONE_BIT}
    claimed = [row for row in rows if row["model"] == bits.get(row["set"], DEFAULT)]
    return {
        "goal": f"the accuracy of the default loss is at most {NEAR} points below that of {REFERENCE} on float64: on digits "
        f"and heavy tails at {BITS} bits a value, on binary features at one",
        "met": all(row["below the reference"] <= NEAR for row in claimed),
        "seeds": list(SPLITS),
        "rows": rows,
    }


BENCH = Bench("classes", "accuracy of all losses for classes, and of scikit-learn's linear classifiers", run)
