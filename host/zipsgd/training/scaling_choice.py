"""The choice of a scaling, where the user leaves it open: the one with which a linear model explains most.

Clipping helps where values far out are errors or say little, and it hurts where they are the signal. So the kinds are tried:
for each of them, least squares is fitted to one half of a sample of the rows, and scored on the other half. Rows are scored by
their unclipped labels. Labels far beyond all others only count where they are many and are explained without clipping. The
choice depends on nothing but the data: not on bits, epochs or seed.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zipsgd.data import Scaling, Table
from zipsgd.data.naming import listed
from zipsgd.data.scaling_kinds import KINDS
from zipsgd.data.spread import far
from zipsgd.rows import Ranges

from .forecast import FEWEST_ROWS, descend, rows_for
from .steps import largest_step
from .targets import Labels, label_ends

__all__ = ["Choice", "choose_scaling"]

_Float = npt.NDArray[np.float64]

_log = logging.getLogger(__name__)

_TRIED = ("range", "standard", "quantile")
_GAIN = 0.005
"""Gain of R2 that is worth clipping features, and as much again for clipping labels."""
_SIGNIFICANT = 3.0
"""Standard errors that a gain must exceed."""
_EQUAL = 0.002
"""R2 that differs by less is equal."""
"""Most columns that a message names."""
_TAIL, _EXPLAINED = 10, 0.25
"""So many far labels, of whose squares so large a share is explained without clipping, are a tail and no errors."""
_TINY = np.finfo(np.float64).tiny
_FAR_LABELS = 256
"""Most rows with labels far beyond all others that are looked at."""
_EPOCHS, _BATCH, _BASE_BITS = 20, 16, 2
"""The run that is assumed, with a linear schedule."""


@dataclass(frozen=True)
class Choice:
    """A scaling that was chosen.

    Parameters
    ----------
    kind : str
        One of :data:`zipsgd.data.scaling_kinds.KINDS`.
    clip_labels : bool
        Whether labels far beyond all others are clipped.
    score, plain : float
        R2 on rows left out, with this scaling, and with "range" and all labels.
    """

    kind: str
    clip_labels: bool = False
    score: float = 0.0
    plain: float = 0.0


def choose_scaling(table: Table, labels: Labels, clip: float, found: Ranges) -> Choice:
    """The kind of scaling for which a linear model explains most; "range" if none is better by 0.005 of R2.

    Parameters
    ----------
    table : Table
        The rows.
    labels : Labels
        Labels of the rows.
    clip : float
        Share of the values to clip, see :class:`zipsgd.Options`.
    found : Ranges
        Range and mean of each column.

    Returns
    -------
    Choice
        The scaling.
    """
    index = rows_for(*table.features.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite([*(found.high - found.low), *np.ptp(labels.values, axis=0)]).all()
    if index is None or not finite:
        _warn_untried(table, labels, found)
        return Choice("range")
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # what overflows has the score NaN, which is never better
        trial = _Trial(table, labels, index, clip, found)
        tried = [each for kind in _TRIED for each in trial.attempts(kind)]
        plain = tried[0]
        mass = trial.counted(plain)
        scores = [trial.score(each, mass) for each in tried]
        better = [k for k in range(1, len(tried)) if trial.beats(tried[k], plain, mass)] or [0]
    most = max(scores[k] for k in better)
    # Of equals, that with the smaller weights, whose range ends at 8
    first = min((k for k in better if scores[k] >= most - _EQUAL), key=lambda k: tried[k].largest, default=0)
    choice = Choice(tried[first].kind, tried[first].clip_labels, scores[first], scores[0])
    _log.debug(
        "%s: R2 estimated from %d rows: %s",
        table.source,
        index.size,
        ", ".join(
            f"{each.kind}{' (labels clipped)' * each.clip_labels} {score:.4f}"
            for each, score in zip(tried, scores, strict=True)
        ),
    )
    if choice.kind != "range" or choice.clip_labels:
        _log.info(
            "%s: the scaling is %r%s: on rows left out, a linear model then has R2 %.3f, and %.3f with 'range'",
            table.source,
            choice.kind,
            " and far labels clipped" if choice.clip_labels else "",
            choice.score,
            choice.plain,
        )
    return choice


def _warn_untried(table: Table, labels: Labels, found: Ranges) -> None:
    """Warn of values far beyond all others, where it cannot be tried whether clipping them helps."""
    named = []
    if table.features.shape[0] < FEWEST_ROWS:
        rows = table.features[np.arange(table.features.shape[0])].astype(np.float64)
        named = [repr(table.names[column]) for column in np.flatnonzero(far(rows, found.low, found.high))]
    if labels.numbers is None and any(label_ends(each) is not None for each in labels.values.T):
        named.append("the labels")
    if named:
        _log.warning(
            "%s: some values of %s are far beyond all others, so that these differ by little on the device; --scaling quantile "
            "(in Python: scaling='quantile') clips the far ones",
            table.source,
            listed(named),
        )


@dataclass(frozen=True)
class _Attempt:
    """A scaling that was tried: the squared errors of rows left out, shape (rows, heads), and the largest weight."""

    kind: str
    clip_labels: bool
    squares: _Float
    largest: float


class _Trial:
    """Rows on which kinds of scaling are tried: a sample of the rows with usual labels, and the labels farthest out.

    The first ones count as often as there are such rows for each of them, so that a single far label counts as it does in the
    whole set.
    """

    def __init__(
        self, table: Table, labels: Labels, index: npt.NDArray[np.int64], clip: float, found: Ranges
    ) -> None:
        self._table, self._ranges, self._clip = table, found, clip
        count = len(labels.values)
        self._steps = _EPOCHS / 2 * count / _BATCH
        within, beyond = labels.values, np.zeros(count)
        ends = [] if labels.numbers is not None else [label_ends(each) for each in labels.values.T]
        if any(ends):
            whole = (-np.inf, np.inf)
            within = np.clip(labels.values, *np.transpose([whole if end is None else end for end in ends]))
            beyond = np.abs(within - labels.values).max(axis=1)
        outer = np.flatnonzero(beyond)
        self._clips_labels = bool(outer.size)
        usual = index[beyond[index] == 0]
        outer = outer[np.argsort(-beyond[outer], kind="stable")][:_FAR_LABELS]
        taken = np.concatenate([usual, outer])
        self._usual = np.arange(taken.size) < usual.size
        self._mass = np.where(self._usual, (count - outer.size) / usual.size, 1.0)
        self._rows = table.features[taken]
        centre = within[usual].mean(axis=0)
        unit = np.maximum(np.abs(within[usual] - centre).max(axis=0), _TINY)
        self._labels, self._within = (labels.values[taken] - centre) / unit, (within[taken] - centre) / unit

    def attempts(self, kind: str) -> Iterator[_Attempt]:
        """A kind of scaling with all labels, and with far ones clipped, if there are any. None if it clips nothing."""
        ends = KINDS[kind].ends(self._table.features, self._ranges, self._clip)
        if (
            KINDS[kind].clips
            and (ends.low == self._ranges.low).all()
            and (ends.high == self._ranges.high).all()
        ):
            return
        spread = np.where(ends.spread > 0, ends.spread, 1.0)
        scaled = Scaling(ends.centre, spread, 0.0, 1.0).features(self._rows)
        travel = self._steps * largest_step(scaled[self._usual], _BATCH, _BASE_BITS)
        for clipped in (False, True)[: 1 + self._clips_labels]:
            labels = self._within if clipped else self._labels
            yield _Attempt(kind, clipped, *self._squares(scaled.astype(np.float64), labels, travel))

    def _squares(self, values: _Float, labels: _Float, travel: float) -> tuple[_Float, float]:
        """Squared errors of the rows, each predicted by the model of the other half, and the largest weight."""
        halves = np.arange(len(values)) % 2 == 0
        outputs, largest = np.empty_like(labels), 0.0
        for half in (halves, ~halves):
            model = descend(values[half], labels[half], travel, self._mass[half])
            outputs[~half] = values[~half] @ model
            largest = max(largest, float(np.abs(model).max()))
        return np.square(outputs - self._labels), largest

    def counted(self, plain: _Attempt) -> _Float:
        """How much each row counts in the score, shape (rows,).

        A few far labels do not count, nor do many that ``plain`` does not explain: they are taken for errors. Many that it
        explains are the end of a tail that says something.
        """
        outer = ~self._usual
        unexplained = plain.squares[outer].sum() / max(np.square(self._labels[outer]).sum(), _TINY)
        tail = np.count_nonzero(outer) >= _TAIL and unexplained < 1 - _EXPLAINED
        return self._mass if tail else self._mass * self._usual

    def _relative(self, squares: _Float, mass: _Float) -> _Float:
        """Errors relative to the variance of the labels, in the mean over the heads, shape (rows,)."""
        centre = np.average(self._labels, axis=0, weights=mass)
        variance = np.average(np.square(self._labels - centre), axis=0, weights=mass)
        varies = variance > 0
        return np.asarray((squares[:, varies] / variance[varies]).mean(axis=1)) if varies.any() else mass * 0

    def score(self, attempt: _Attempt, mass: _Float) -> float:
        """R2 on rows left out."""
        return 1 - float(np.average(self._relative(attempt.squares, mass), weights=mass))

    def beats(self, attempt: _Attempt, plain: _Attempt, mass: _Float) -> bool:
        """Whether an attempt explains clearly more than ``plain``, and not by chance."""
        gains = self._relative(plain.squares - attempt.squares, mass)
        gain = np.average(gains, weights=mass)
        chance = np.sqrt(np.average(np.square(gains - gain), weights=mass) / np.count_nonzero(mass))
        wanted = _GAIN * ((attempt.kind != "range") + attempt.clip_labels)
        return bool(gain > max(wanted, _SIGNIFICANT * chance))
