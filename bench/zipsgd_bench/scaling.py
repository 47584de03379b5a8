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
BITS = {3: 2.0, 4: 1.0, 5: 1.0}
"""Bits a value, and the largest distance of "auto" from the best kind, in points of accuracy or of 100 R2. The choice does not
depend on the bits, but the noise of rounding does. The estimator is the default."""
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

    def scores(self, **words: Any) -> tuple[float, dict[str, str]]:
        """The mean score in points over the splits, and the scaling, levels and estimator that were used."""
        scores: list[float] = []
        used: dict[str, set[str]] = {"scaling": set(), "levels": set(), "estimator": set()}
        for seed, (rows, test) in enumerate(self.splits):
            result = train(rows, options=Options(classify=self.classes, seed=seed, sort_rows=True, **words))
            scores.append(100 * result.score(test.features, test.labels))
            used["scaling"].add(result.scaling)
            used["levels"].add(result.levels)
            used["estimator"].add(result.options["estimator"])
        return float(np.mean(scores)), {what: ", ".join(sorted(names)) for what, names in used.items()}


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
        Bits a value.

    Returns
    -------
    dict[str, Any]
        A row: scores in points as means over the seeds.
    """
    found = {kind: trial.scores(bits=bits, scaling=kind) for kind in KINDS}
    scores, used = {kind: score for kind, (score, _) in found.items()}, found["auto"][1]
    below = max(scores.values()) - scores["auto"]
    return {
        "set": trial.name,
        "measure": "accuracy" if trial.classes else "R2",
        "bits": bits,
        "estimator": used["estimator"],
        "least squares": trial.least_squares(),
        **scores,
        "chosen": used["scaling"],
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
        Bits a value.

    Returns
    -------
    dict[str, Any]
        A row: scores in points as means over the seeds.
    """
    found = {kind: trial.scores(bits=bits, scaling="range", levels=kind) for kind in LEVELS}
    return {
        "set": trial.name,
        "bits": bits,
        "estimator": found["auto"][1]["estimator"],
        **{kind: score for kind, (score, _) in found.items()},
        "chosen": found["auto"][1]["levels"],
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
                    steps.next(f"{trial.name}, {bits} bits")
                    rows.append(compare_kinds(trial, bits))
                    levels.append(compare_levels(trial, bits))
        finally:
            log.setLevel(before)
    return {
        "goal": f'on every set, the score with scaling="auto" is at most {max(BITS.values()):g} points below the best kind of '
        f"scaling, and at most {min(BITS.values()):g} from 4 bits a value on",
        "met": all(row["met"] for row in rows),
        "seeds": list(MANY_SEEDS),
        "rows": rows,
        "levels": levels,
    }


BENCH = Bench("scaling", "scores by kind of scaling and kind of levels, on sets with and without tails", run)
