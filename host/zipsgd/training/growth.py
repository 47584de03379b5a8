"""Scalings that grow with the range of a stream, and models that are converted to the grown scaling."""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from zipsgd.data import DataError, Scaling

from .seen import Columns, Seen
from .state import State

__all__ = ["converted", "grown"]

_Float = npt.NDArray[np.float64]

_MARGIN = 1.25
"""Room beyond the range so far. So a range that grows steadily changes the scaling once for each quarter that it grows by."""
_NEAR = 0.85
"""Share of the spread from which on a column grows together with another one, so that models are converted less often."""
_MOST_NEW = 2.0
"""Length that the vector of weights may grow to with the range of the columns. With the weight 1, a single column moves the
output over the whole range of the labels."""

_MOST_RATIO = 2.0**60
"""Growth of a weight beyond which only the length counts."""


def _grown(centre: _Float, spread: _Float, before: Columns, now: Columns, what: str) -> tuple[_Float, _Float]:
    """Centre and spread, changed where the range exceeds them, or where a column varies for the first time."""
    away = np.maximum(now.high - centre, centre - now.low)
    wider = (now.low < before.low) | (now.high > before.high)
    exceeds = wider & ((away > spread) | ~before.varies)
    if not exceeds.any():
        return centre, spread
    exceeds |= (away > _NEAR * spread) & now.varies
    middle = np.clip(now.mean, now.low, now.high)
    needed = np.maximum(now.high - middle, middle - now.low) * _MARGIN
    if not np.isfinite(needed[exceeds]).all():
        raise DataError(
            f"{what}: values near the largest float64; divide {'them' if what == 'y' else 'columns'} by a constant first"
        )
    return np.where(exceeds, middle, centre), np.where(exceeds, needed, spread)


def grown(scalings: tuple[Scaling, ...], before: Seen, now: Seen, *, numbers: bool) -> tuple[Scaling, ...]:
    """The scalings for all rows of a stream so far.

    A column that stays in its range keeps its scaling, unless it is near the end of its range when another one grows. Otherwise
    its centre becomes the mean of all rows so far, and its spread the largest distance from there, and a quarter more. The same
    holds for labels.

    Parameters
    ----------
    scalings : tuple of Scaling
        Scaling of each head for the rows before.
    before, now : Seen
        Statistics without and with the new rows.
    numbers : bool
        Whether labels are numbers. Classes have a scaling that does not depend on the rows.

    Returns
    -------
    tuple of Scaling
        Scaling of each head; ``scalings`` itself if nothing exceeds its range.

    Raises
    ------
    DataError
        A range exceeds float64.
    """
    if not (now.features.wider or now.labels.wider):
        return scalings
    first = scalings[0]
    with np.errstate(over="ignore", invalid="ignore"):
        centre, spread = _grown(first.centre, first.spread, before.features, now.features, "X")
        label_centre = old_centre = np.array([scaling.label_centre for scaling in scalings])
        label_spread = old_spread = np.array([scaling.label_spread for scaling in scalings])
        if numbers:
            label_centre, label_spread = _grown(old_centre, old_spread, before.labels, now.labels, "y")
    if centre is first.centre and label_centre is old_centre:
        return scalings
    columns = replace(first, centre=centre, spread=spread)
    return tuple(
        columns.with_labels(float(middle), float(half)) for middle, half in zip(label_centre, label_spread)
    )


def converted(state: State, scalings: tuple[Scaling, ...], limit: int, *, settled: bool) -> State:
    """Convert a state to grown scalings, so that the models stay the same in the units of the data.

    There is one exception. If ranges of columns grow and that of the labels does not, scaled weights grow. What they were
    learnt from is then a small part of the range, and may be noise. So the vector of weights grows to the length 2 at most, or
    to its former length if that is larger: beyond, the model becomes flatter in the columns whose weights grow, about their
    former centre. If there have been few rows, from which many models follow, it does not grow at all.

    Parameters
    ----------
    state : State
        Models in the former scalings.
    scalings : tuple of Scaling
        The grown scalings.
    limit : int
        Words are clipped to -limit..limit - 1.
    settled : bool
        Whether the models are from enough rows, see :attr:`.seen.Seen.settled`.

    Returns
    -------
    State
        Models in the grown scalings.
    """
    if not state.scalings or state.scalings is scalings:
        return state
    words = []
    for head, old, new in zip(state.words, state.scalings, scalings, strict=True):
        before = head * np.float64(state.unit)
        with np.errstate(over="ignore"):
            ratio = new.spread / old.spread * (old.label_spread / new.label_spread)
        ratio = np.minimum(ratio, _MOST_RATIO)
        weights = np.where(before[:-1] == 0, 0, before[:-1] * ratio)
        grows = np.abs(weights) > np.abs(before[:-1])
        others, known = float(np.linalg.norm(weights[~grows])), float(np.linalg.norm(before[:-1]))
        most = max(known, _MOST_NEW) if settled else known
        room = math.sqrt(max(most**2 - others**2, 0.0))
        length = float(np.linalg.norm(weights[grows]))
        if length > room:
            weights[grows] *= room / length
        centre = old.label_centre + before[-1] * old.label_spread  # the output at the former centre
        moved = np.sum(weights * ((new.centre - old.centre) / new.spread))
        constant = (centre - new.label_centre) / new.label_spread + moved
        words.append(np.rint(np.append(weights, constant) / state.unit))
    clipped = np.clip(np.stack(words), -limit, limit - 1).astype(np.int64)
    return replace(state, words=clipped, scalings=scalings)
