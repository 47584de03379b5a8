"""What the bench of one draw is to show, from its rows."""

from collections.abc import Iterable
from typing import Any

__all__ = ["EQUAL_BITS", "FEW", "GOAL_SETS", "NEAR", "REAL", "equal_bits", "fewest", "goals"]

REAL = ("cadata", "cpusmall", "mnist49")
EQUAL_BITS = (3, 4, 5)
GOAL_SETS = 4
NEAR = (1.02, 1.05)
"""Largest ratios of losses that count as close."""
FEW = {2: 3, 1: 2}
"""For numbers of bits: on how many of the real sets that many or fewer should be close, by the second ratio."""

_Row = dict[str, Any]


def equal_bits(rows: Iterable[_Row]) -> list[_Row]:
    """Compare one draw with double sampling at equal bits a value and draws of each epoch.

    Parameters
    ----------
    rows : Iterable[dict[str, Any]]
        From :func:`zipsgd_bench.one_draw.measure`, with the name of the ``set``.

    Returns
    -------
    list[dict[str, Any]]
        A row for each set, kind of levels and number of bits: both ratios, and whether that of one draw is at most as high.
    """
    ratios = {
        (row["set"], row["levels"], row["bits"], row["estimator"]): row["ratio"]
        for row in rows
        if row["draws"] == "each epoch"
    }
    return [
        {
            "set": name,
            "levels": levels,
            "bits": bits,
            "double": double,
            "one-draw": one,
            "at most as high": one <= double,
        }
        for (name, levels, bits, estimator), double in ratios.items()
        if estimator == "double" and (one := ratios.get((name, levels, bits, "one-draw"))) is not None
    ]


def fewest(rows: Iterable[_Row]) -> list[_Row]:
    """The fewest bits a value that come close to float64 SGD, on the better levels.

    Parameters
    ----------
    rows : Iterable[dict[str, Any]]
        From :func:`zipsgd_bench.one_draw.measure`, with the name of the ``set``.

    Returns
    -------
    list[dict[str, Any]]
        A row for each set, kind of draws and estimator: for each of :data:`NEAR` the bits, the levels, and how many times as
        many bytes float32 has; None where no run comes close.
    """
    kinds: dict[tuple[str, str, str], list[_Row]] = {}
    for row in rows:
        kinds.setdefault((row["set"], row["draws"], row["estimator"]), []).append(row)
    table = []
    for (name, draws, estimator), part in kinds.items():
        found: _Row = {"set": name, "draws": draws, "estimator": estimator}
        for near in NEAR:
            close = [row for row in part if row["ratio"] <= near]
            best = min(close, key=lambda row: (row["bits"], row["ratio"]), default=dict[str, Any]())
            found[f"bits within {near}"] = best.get("bits")
            found[f"levels within {near}"] = best.get("levels")
            found[f"less than float32 within {near}"] = best.get("less than float32")
        table.append(found)
    return table


def goals(equal: Iterable[_Row], few: Iterable[_Row]) -> list[_Row]:
    """What the bench is to show, and whether it does.

    Parameters
    ----------
    equal, few : Iterable[dict[str, Any]]
        From :func:`equal_bits` and :func:`fewest`.

    Returns
    -------
    list[dict[str, Any]]
        A row for each goal: what is counted, how many there are, how many there should be, and whether there are.
    """
    even = [row for row in equal if row["levels"] == "uniform"]
    counts = [
        (
            f"sets on which one draw is at most as high as double sampling at {bits} bits",
            sum(row["at most as high"] for row in even if row["bits"] == bits),
            GOAL_SETS,
        )
        for bits in EQUAL_BITS
    ]
    ones = [row for row in few if (row["estimator"], row["draws"]) == ("one-draw", "each epoch")]
    key = f"bits within {NEAR[1]}"
    for most, sets in FEW.items():
        near = sum(row["set"] in REAL and (row[key] or most + 1) <= most for row in ones)
        allowed = f"{most} bits or fewer" if most > 1 else "1 bit"
        counts.append((f"real sets within {NEAR[1]} of float64 SGD with one draw on {allowed}", near, sets))
    return [{"goal": what, "is": is_, "at least": least, "met": is_ >= least} for what, is_, least in counts]
