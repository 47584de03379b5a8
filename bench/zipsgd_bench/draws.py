"""Statistics of the random generator's draws as they affect rounding: means, correlations, and the variance of sums.

A value whose fraction is f is rounded up if its random number is at least 1 - f. So for two draws, it matters whether both are
above their thresholds, for all thresholds. The bench measures nearby draws of one lane, the two numbers that one draw provides
(for Q4 and for Q3), and draws of two lanes. For comparison, it also measures a shift register that leaps 28 steps, whose nearby
draws depend on each other.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.golden.lfsr import advance, seed_words
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LFSR_BITS

from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "run"]

SEED = 8
LANES = 256
DRAWS = 10_000_000
LAGS = (*range(1, 25), 32, 48, 64)
WINDOW = 64
"""Number of draws in a sum whose variance is measured."""
FRACTIONS = (*(2.0**-k for k in (9, 6, 4, 2, 1)), 1 / 3, 0.7, *(1 - 2.0**-k for k in (2, 4, 6, 9)))
LIMIT = 5.0
"""Largest deviation of a mean in standard errors. The expected maximum over all measured means is about 3.5."""
MOST_CORRELATION, MOST_EXCESS = 0.01, 0.05
"""Largest correlation, and largest relative deviation of a sum's variance from that of independent roundings."""

_U64 = npt.NDArray[np.uint64]
_Ups = npt.NDArray[np.float32]
"""Whether each draw rounds up (0 or 1), minus the fraction: shape (draws, lanes)."""


def leap(state: _U64) -> _U64:
    """28 steps of the shift register x^31 + x^3 + 1, for comparison. A draw consists of the 28 new bits.

    Parameters
    ----------
    state : npt.NDArray[np.uint64]
        States of 31 bits.

    Returns
    -------
    npt.NDArray[np.uint64]
        The states 28 steps later.
    """
    fresh = (state ^ (state >> np.uint64(3))) & np.uint64((1 << 28) - 1)
    return (state >> np.uint64(28)) | (fresh << np.uint64(3))


_GENERATORS: dict[str, tuple[Callable[[_U64], _U64], int]] = {
    "two rotations": (advance, LFSR_BITS),
    "leaping shift register": (leap, 28),
}
"""For each generator, the function that computes the next state, and the number of upper bits that are drawn."""


def _states(step: Callable[[_U64], _U64], draws: int) -> npt.NDArray[np.uint32]:
    """Successive states of all lanes, of shape (draws per lane, LANES)."""
    state = np.array(seed_words(SEED, 0, LANES)[:-1], dtype=np.uint64)
    states = np.empty((-(-draws // LANES), LANES), dtype=np.uint32)
    for row in states:
        row[:] = state
        state = step(state)
    return states


def _fields(build: Build) -> dict[str, tuple[int, int]]:
    """First bit and width of each rounding's number in a draw."""
    return {
        "delta": (0, build.delta_drop),
        "Q4": (0, build.q4_drop),
        "Q3": (build.q4_drop, build.q3_drop),
    }


def _ups(draws: npt.NDArray[np.uint32], field: tuple[int, int], fraction: float) -> tuple[_Ups, float]:
    """Roundings minus their mean, and the fraction as represented by the field's bits."""
    first, width = field
    part = min(max(1, round(fraction * (1 << width))), (1 << width) - 1)
    numbers = draws >> np.uint32(first) & np.uint32((1 << width) - 1)
    exact = part / (1 << width)
    return (numbers >= np.uint32((1 << width) - part)).astype(np.float32) - np.float32(exact), exact


def _correlation(ups: _Ups, others: _Ups, exact: float, other: float) -> float:
    """Correlation of roundings at two fractions."""
    scale = np.sqrt(exact * (1 - exact) * other * (1 - other))
    return float((ups * others).mean(dtype=np.float64) / scale)


def _correlations(ups: _Ups, exact: float) -> Iterator[tuple[str, float]]:
    """Correlations of one fraction's roundings with later ones, and with those of the next lane."""
    for lag in LAGS:
        yield f"{lag} draws later", _correlation(ups[:-lag], ups[lag:], exact, exact)
    yield "next lane", _correlation(ups[:, :-1], ups[:, 1:], exact, exact)


def _with_others(ups: _Ups, exact: float, others: Mapping[float, _Ups]) -> Iterator[tuple[str, float]]:
    """Correlations with roundings at other fractions one draw before and after, as for the two deltas of a sample."""
    for other, theirs in others.items():
        yield f"{other:.4g} a draw before", _correlation(ups[1:], theirs[:-1], exact, other)
        yield f"{other:.4g} a draw later", _correlation(ups[:-1], theirs[1:], exact, other)


def _measure(name: str, draws: int, build: Build, steps: Steps) -> list[dict[str, Any]]:
    """A row for each number of a draw, with the worst values over all fractions."""
    step, bits = _GENERATORS[name]
    states = _states(step, draws)
    numbers = states >> np.uint32(LFSR_BITS - bits)
    rows = []
    of_q4: dict[float, _Ups] = {}
    for field_name, field in _fields(build).items():
        steps.next(f"{name}: {field_name}")
        row: dict[str, Any] = {
            "generator": name,
            "rounding": field_name,
            "bits": field[1],
            "draws": numbers.size,
            "worst mean (standard errors)": 0.0,
            "worst correlation": 0.0,
            "where": "",
            "standard error": numbers.size**-0.5,
            "variance of sums, least": np.inf,
            "variance of sums, most": 0.0,
        }
        before: dict[float, _Ups] = {}
        for fraction in FRACTIONS:
            ups, exact = _ups(numbers, field, fraction)
            variance = exact * (1 - exact)
            off = abs(float(ups.mean(dtype=np.float64))) / np.sqrt(variance / ups.size)
            row["worst mean (standard errors)"] = max(row["worst mean (standard errors)"], float(off))
            found = [*_correlations(ups, exact), *_with_others(ups, exact, before)]
            before[exact] = ups
            if field_name == "Q3":
                found += [
                    (f"Q4 of the same draw at {other:.4g}", _correlation(ups, theirs, exact, other))
                    for other, theirs in of_q4.items()
                ]
            for where, correlation in found:
                if abs(correlation) > abs(row["worst correlation"]):
                    row["worst correlation"], row["where"] = correlation, f"{where}, fraction {exact:.4g}"
            whole = (
                ups[: len(ups) // WINDOW * WINDOW].reshape(-1, WINDOW, LANES).sum(axis=1, dtype=np.float64)
            )
            ratio = float(np.mean(whole**2) / (WINDOW * variance))
            row["variance of sums, least"] = min(row["variance of sums, least"], ratio)
            row["variance of sums, most"] = max(row["variance of sums, most"], ratio)
        rows.append(row)
        if field_name == "Q4":
            of_q4 = before
    return rows


def _good(row: dict[str, Any]) -> bool:
    return bool(
        row["worst mean (standard errors)"] <= LIMIT
        and abs(row["worst correlation"]) <= MOST_CORRELATION
        and row["variance of sums, least"] >= 1 - MOST_EXCESS
        and row["variance of sums, most"] <= 1 + MOST_EXCESS
    )


def run(draws: int = DRAWS) -> Result:
    """Measure both generators.

    Parameters
    ----------
    draws : int
        Number of draws of each generator, over all lanes together.

    Returns
    -------
    Result
        The result of the bench.
    """
    build = Build()
    with Steps(len(_GENERATORS) * len(_fields(build))) as steps:
        rows = [row for name in _GENERATORS for row in _measure(name, draws, build, steps)]
    own = [row for row in rows if row["generator"] == "two rotations"]
    return {
        "goal": f"over {draws:,} draws and for fractions from 2^-9 to 1 - 2^-9: means are within {LIMIT:g} standard errors of "
        f"the exact value; correlations of draws up to {LAGS[-1]} apart, of neighbouring lanes, and of the two numbers of a "
        f"draw are at most {MOST_CORRELATION:.0%}; the variance of a sum of {WINDOW} roundings is within {MOST_EXCESS:.0%} of "
        "that of independent roundings. The leaping shift register is measured for comparison",
        "met": all(map(_good, own)),
        "seeds": [SEED],
        "rows": rows,
    }


BENCH = Bench("draws", "statistics of the random generator's draws: means, correlations, variances", run)
