"""Scores of predictions, as scikit-learn defines them. All are the better the larger they are, and 1 at best."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["CLASS_SCORES", "REGRESSION_SCORES", "Score", "find_score", "winners"]

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Score:
    """A score.

    Parameters
    ----------
    name : str
        The name that users choose it by.
    title : str
        Its name in text.
    function : callable
        From outputs of shape (rows, heads), what they are to predict, and weights of shape (rows,) or None to the score. What
        is to be predicted are the labels of shape (rows, heads), or for classes their numbers of shape (rows,); -1 is a class
        that the models do not know. The score is NaN if it is not defined for these rows.
    """

    name: str
    title: str
    function: Callable[[_Float, npt.NDArray[Any], _Float | None], float]


def winners(outputs: _Float) -> npt.NDArray[np.int64]:
    """The predicted class of each row.

    Parameters
    ----------
    outputs : _Float of shape (rows, classes), or (rows, 1) for two classes
        Outputs of the models.

    Returns
    -------
    npt.NDArray[np.int64] of shape (rows,)
        Class numbers: the class with the largest output; of two classes, 1 where the output is above 0.
    """
    numbers: npt.NDArray[np.int64] = (
        outputs.argmax(axis=1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0).astype(np.int64)
    )
    return numbers


def _accuracy(outputs: _Float, numbers: _Int, weights: _Float | None) -> float:
    """The share of rows whose class is predicted correctly."""
    return float(np.average(winners(outputs) == numbers, weights=weights))


def _balanced_accuracy(outputs: _Float, numbers: _Int, weights: _Float | None) -> float:
    """The mean, over the classes of the rows, of the share of each class that is predicted correctly."""
    right = winners(outputs) == numbers
    _, of_row = np.unique(numbers, return_inverse=True)
    share = np.ones(numbers.size) if weights is None else weights
    totals = np.bincount(of_row, share)
    return float(np.mean((np.bincount(of_row, share * right) / totals)[totals > 0]))


def _f1_macro(outputs: _Float, numbers: _Int, weights: _Float | None) -> float:
    """The mean of F1, over the classes of the rows and of the predictions: 2 hits / (rows of it + predictions of it)."""
    said = winners(outputs)
    classes, places = np.unique(np.concatenate([numbers, said]), return_inverse=True)
    is_in, put_in = places[: said.size], places[said.size :]
    share = np.ones(said.size) if weights is None else weights
    hits = np.bincount(is_in, share * (said == numbers), classes.size)
    either = np.bincount(is_in, share, classes.size) + np.bincount(put_in, share, classes.size)
    return float(np.mean(2 * hits / np.where(either > 0, either, 1)))


def _auc(outputs: _Float, numbers: _Int, weights: _Float | None) -> float:
    """The area under the ROC curve. Of several classes the mean of one against the rest, over those that divide the rows.

    Several classes are ranked by their probabilities, the softmax of the outputs.
    """
    if outputs.shape[1] == 1:
        return _area(outputs[:, 0], numbers == 1, weights)
    shares = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    areas = np.array(
        [_area(share, numbers == number, weights) for number, share in enumerate(np.asarray(shares).T)]
    )
    defined = areas[~np.isnan(areas)]
    return float(defined.mean()) if defined.size else np.nan


def _area(ranked: _Float, positive: npt.NDArray[np.bool_], weights: _Float | None) -> float:
    """The probability that a positive row is ranked above a negative one; ties count one half. NaN without either."""
    _, places = np.unique(ranked, return_inverse=True)
    share = np.ones(ranked.size) if weights is None else weights
    above, below = np.bincount(places, share * positive), np.bincount(places, share * ~positive)
    pairs = above.sum() * below.sum()
    if not pairs > 0:
        return np.nan
    return float(above @ (np.cumsum(below) - below / 2) / pairs)


def _r2(outputs: _Float, labels: _Float, weights: _Float | None) -> float:
    """The share of the labels' variance that is explained, the mean over outputs; NaN if an output does not vary."""
    centre = np.average(labels, axis=0, weights=weights)
    return _explained((labels - outputs) ** 2, (labels - centre) ** 2, weights)


def _d2_absolute_error(outputs: _Float, labels: _Float, weights: _Float | None) -> float:
    """The share of the labels' mean distance from their median that is explained, the mean over outputs."""
    order = np.argsort(labels, axis=0)
    share = np.ones(len(labels)) if weights is None else weights
    heights = np.cumsum(share[order], axis=0)
    middle = np.argmax(heights >= heights[-1] / 2, axis=0)
    median = np.take_along_axis(labels, np.take_along_axis(order, middle[None], axis=0), axis=0)
    return _explained(np.abs(labels - outputs), np.abs(labels - median), weights)


def _explained(error: _Float, spread: _Float, weights: _Float | None) -> float:
    """One minus the ratio of mean error to mean spread, the mean over outputs; NaN if an output does not vary."""
    errors, spreads = (np.average(each, axis=0, weights=weights) for each in (error, spread))
    return float(np.mean(1 - errors / spreads)) if np.all(spreads > 0) else np.nan


def _by_name(*scores: Score) -> Mapping[str, Score]:
    return {score.name: score for score in scores}


CLASS_SCORES = _by_name(
    Score("accuracy", "accuracy", _accuracy),
    Score("balanced_accuracy", "balanced accuracy", _balanced_accuracy),
    Score("auc", "AUC", _auc),
    Score("f1_macro", "macro F1", _f1_macro),
)
"""Scores for classes by name. The first is the default."""
REGRESSION_SCORES = _by_name(
    Score("r2", "R2", _r2), Score("d2_absolute_error", "D2 of absolute errors", _d2_absolute_error)
)
"""Scores for numbers by name. The first is the default."""


def find_score(asked: str | None = None, *, classify: bool) -> Score:
    """The score that a user asks for.

    Parameters
    ----------
    asked : str or None
        A name of :data:`CLASS_SCORES` or :data:`REGRESSION_SCORES`; None for the default.
    classify : bool
        Whether labels are classes.

    Returns
    -------
    Score
        The score.

    Raises
    ------
    ValueError
        There is no such score, or it is not for such labels.
    """
    named, other = (CLASS_SCORES, REGRESSION_SCORES) if classify else (REGRESSION_SCORES, CLASS_SCORES)
    name = next(iter(named)) if asked is None else asked
    if name in named:
        return named[name]
    if name in other:
        what = "numbers: leave out classify=True (on the command line: --classify)"
        if not classify:
            what = "classes: set classify=True (on the command line: --classify)"
        raise ValueError(f"the score {asked!r} is for {what}, or choose one of {', '.join(named)}")
    raise ValueError(f"score must be one of {', '.join(named)}, not {asked!r}")
