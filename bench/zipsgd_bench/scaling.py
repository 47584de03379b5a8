"""Compare the kinds of scaling, and the kinds of levels, on named sets and on data with long tails and values far out.

Clipping helps where values far out are errors or say little, and hurts where they are the signal. So ``scaling="auto"`` must
come close to the best kind on every set.
"""

import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd import Options, train
from zipsgd.data import SETS, Table, load_set

from .hard_sets import departures, far_row
from .progress import Steps
from .registry import Bench, Result

__all__ = [
    "BENCH",
    "Trial",
    "compare_kinds",
    "compare_levels",
    "run",
    "trials",
]

_Float = npt.NDArray[np.float64]

NAMES = ("cadata", "cpusmall", "diabetes", "breast_cancer", "digits", "synthetic10")
DEPARTURES = 100_000
"""Rows of the set of that name."""
FAR = (30, 100, 1000)
KINDS = ("auto", "range", "standard", "quantile", "none")
BITS = {1: 2.0, 2: 1.0, 4: 1.0}
"""Base bits, and the largest distance of "auto" from the best kind, in points of accuracy or of 100 R2. The choice does not
depend on the bits, but the noise of rounding does."""
LEVELS = ("uniform", "optimal", "auto")
SEEDS, MANY_SEEDS = (0, 1, 2), tuple(range(12))
"""Seeds and splits of sets of more, and of up to FEW_ROWS rows."""
FEW_ROWS = 1000
TEST_SHARE = 0.25


@dataclass(frozen=True)
class Trial:
    """A set that is split for training and for scoring, in another way for each seed.

    Parameters
    ----------
    name : str
        Name of the set.
    splits : list of (Table, Table)
        Rows to train on, and rows to score.
    classes : bool
        Whether the labels are classes.
    """

    name: str
    splits: list[tuple[Table, Table]]
    classes: bool = False

    def least_squares(self) -> float | None:
        """The mean score in points of exact least squares on the unscaled features; None for classes."""
        if self.classes:
            return None
        scores = []
        for rows, test in self.splits:
            features, labels = _array(rows), rows.labels
            centre, mean = features.mean(axis=0), labels.mean()
            model = np.linalg.lstsq(features - centre, labels - mean, rcond=None)[0]
            wrong = (_array(test) - centre) @ model + mean - test.labels
            scores.append(float(100 * (1 - np.mean(wrong**2) / test.labels.var())))
        return float(np.mean(scores))

    def scores(self, **words: Any) -> tuple[float, set[str], set[str]]:
        """The mean score in points over the splits, and the kinds of scaling and of levels that were used."""
        scores, scalings, levels = [], set(), set()
        for seed, (rows, test) in enumerate(self.splits):
            result = train(rows, options=Options(classify=self.classes, seed=seed, sort_rows=True, **words))
            scores.append(100 * result.score(test.features, test.labels))
            scalings.add(result.scaling)
            levels.add(result.levels)
        return float(np.mean(scores)), scalings, levels


def _array(table: Table) -> _Float:
    return np.asarray(table.features[np.arange(len(table.labels))], dtype=np.float64)


def _splits(table: Table) -> list[tuple[Table, Table]]:
    """More splits of small sets, where a row more or less is half a point."""
    count = len(SEEDS) if len(table.labels) > FEW_ROWS else len(MANY_SEEDS)
    return [table.split(TEST_SHARE, seed) for seed in range(count)]


def trials() -> Iterator[Trial]:
    """All sets.

    Yields
    ------
    Trial
        A set.
    """
    for name in NAMES:
        yield Trial(name, _splits(load_set(name)), SETS[name].classes)
    yield Trial("departures", _splits(departures(DEPARTURES, numbers=False)))
    for far in FAR:
        yield Trial(f"one row at {far:g}", [far_row(far)] * len(SEEDS))


def compare_kinds(trial: Trial, bits: int) -> dict[str, Any]:
    """Compare the kinds of scaling.

    Parameters
    ----------
    trial : Trial
        The set.
    bits : int
        Base bits.

    Returns
    -------
    dict[str, Any]
        A row: scores in points as means over the seeds.
    """
    scores, chosen = {}, ""
    for kind in KINDS:
        scores[kind], used, _ = trial.scores(base_bits=bits, scaling=kind)
        chosen = ", ".join(sorted(used)) if kind == "auto" else chosen
    below = max(scores.values()) - scores["auto"]
    return {
        "set": trial.name,
        "measure": "accuracy" if trial.classes else "R2",
        "base bits": bits,
        "least squares": trial.least_squares(),
        **scores,
        "chosen": chosen,
        "below best": below,
        "met": below <= BITS[bits],
    }


def compare_levels(trial: Trial, bits: int) -> dict[str, Any]:
    """Compare the kinds of levels, on columns that are scaled by their ranges.

    Parameters
    ----------
    trial : Trial
        The set.
    bits : int
        Base bits.

    Returns
    -------
    dict[str, Any]
        A row: scores in points as means over the seeds.
    """
    found = {kind: trial.scores(base_bits=bits, scaling="range", levels=kind) for kind in LEVELS}
    return {
        "set": trial.name,
        "base bits": bits,
        **{kind: score for kind, (score, _, _) in found.items()},
        "chosen": ", ".join(sorted(found["auto"][2])),
    }


def run() -> Result:
    """Compare kinds of scaling and of levels on all sets.

    Returns
    -------
    Result
        The result of the bench.
    """
    rows, levels = [], []
    log = logging.getLogger("zipsgd")
    before = log.level
    with Steps((len(NAMES) + 1 + len(FAR)) * len(BITS)) as steps, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of saturation, which some kinds must cause
        log.setLevel(logging.ERROR)
        try:
            for trial in trials():
                for bits in BITS:
                    steps.next(f"{trial.name}, {bits} base bits")
                    rows.append(compare_kinds(trial, bits))
                    levels.append(compare_levels(trial, bits))
        finally:
            log.setLevel(before)
    return {
        "goal": f'on every set, the score with scaling="auto" is at most {max(BITS.values()):g} points below the best kind of '
        f"scaling, and at most {min(BITS.values()):g} from 2 base bits on",
        "met": all(row["met"] for row in rows),
        "seeds": list(MANY_SEEDS),
        "rows": rows,
        "levels": levels,
    }


BENCH = Bench("scaling", "scores by kind of scaling and kind of levels, on sets with and without tails", run)
