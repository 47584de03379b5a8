"""Whether the device's own quantisation of raw words has a bias, and whether a model learns from it as well.

Means of both roundings, of their product and of the product of neighbouring values are compared with the exact ones. The
standard error is that of independent draws. Then a set of real data is trained on as words of converters, and synthesis counts
the cells.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.data import load_set
from zipsgd.golden.device_quantiser import DeviceQuantiser, quantiser_seeds
from zipsgd.golden.scale_table import ScaleTable
from zipsgd.protocol.raw_words import value_frac
from zipsgd.training.options import Options

from .device_cells import PARTS, count_cells
from .device_training import compare
from .few_bits import quiet
from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "means", "run"]

SEED = 30
DRAWS = 10_000_000
LIMIT = 4.0
"""Largest distance of a mean from the exact value, in standard errors."""
PLANES = (1, 2, 4, 8)
RAW_BITS = 12
FRACTIONS = (0.5, 1 / 3, 0.9, 2.0**-7, 1 - 2.0**-7, 0.01, 0.75)
"""Distances of the values from the level below, in units of the levels' spacing; as near as 12 bits and a scale come."""
BLOCK = 1 << 16

SET = "cadata"
RUNS = (("one-draw", 2), ("one-draw", 3), ("one-draw", 4), ("double", 3), ("double", 4))
WIDTHS = (8, 12, 16)
SEEDS = (1, 2, 3, 4, 5)
OPTIONS = Options(epochs=20, scaling="range", keep="last", measure=True)
MOST_RATIO = 1.02
"""Largest ratio of the loss to that of the host's quantisation, with one draw at 3 bits."""

_Int = npt.NDArray[np.int64]


def _sample(p: int) -> tuple[ScaleTable, _Int]:
    """A table, and a raw word for each column, at the fractions of :data:`FRACTIONS` above some level; last a label."""
    rng = np.random.default_rng(SEED + p)
    one, half = 1 << value_frac(RAW_BITS), 1 << (RAW_BITS - 1)
    levels = rng.integers(-(1 << (p - 1)), 1 << (p - 1), len(FRACTIONS))
    wanted = (levels + np.array(FRACTIONS)) * (one >> (p - 1))
    words = np.where(
        wanted < 0, rng.integers(-half, -half // 2, wanted.size), rng.integers(half // 2, half, wanted.size)
    )
    scale = np.rint(wanted / words).astype(np.int64)
    rows = len(FRACTIONS) + 1
    table = ScaleTable(RAW_BITS, np.zeros(rows, np.int64), np.append(scale, 1), np.zeros(rows, np.bool_))
    return table, np.append(words, 0)


def means(draws: int, begin: Callable[[str], None] = lambda what: None) -> list[dict[str, Any]]:
    """Means of the device's roundings.

    Parameters
    ----------
    draws : int
        Draws of each value and generator.
    begin : Callable[[str], None]
        Called before each number of base planes.

    Returns
    -------
    list of dict of str to Any
        A row for each number of base planes and each value: the value, and how far the means of the first and the second
        rounding, of their product, and of the products of the first one with both of the next column are from the exact ones,
        in standard errors.
    """
    rows = []
    for p in PLANES:
        begin(f"means, {p} base planes")
        table, words = _sample(p)
        drop = value_frac(RAW_BITS) - (p - 1)
        values = table.scaled(words[None])[0][0, :-1]
        fraction = (values & ((1 << drop) - 1)) / (1 << drop)
        following = np.roll(fraction, -1)
        exact = np.stack([fraction, fraction, fraction**2, fraction * following, fraction * following])
        quantiser = DeviceQuantiser(table, p, 2, intercept=False, seeds=quantiser_seeds(SEED))
        counts = np.zeros(exact.shape, dtype=np.int64)
        for begun in range(0, draws, BLOCK):
            up = quantiser.quantise(np.tile(words, (min(BLOCK, draws - begun), 1))).up
            first, second = up & 1, up >> 1
            next_first, next_second = np.roll(first, -1, axis=1), np.roll(second, -1, axis=1)
            events = first, second, first & second, first & next_first, first & next_second
            counts += [np.count_nonzero(each, axis=0) for each in events]
        off = (counts / draws - exact) / np.sqrt(exact * (1 - exact) / draws)
        names = "first rounding", "second rounding", "both", "next column, first", "next column, second"
        for column, value in enumerate(values):
            rows.append(
                {
                    "p": p,
                    "value": float(value / (1 << value_frac(RAW_BITS))),
                    "above its level": float(fraction[column]),
                    "draws": draws,
                    **{name: float(off[place, column]) for place, name in enumerate(names)},
                    "within 4": bool(np.abs(off[:, column]).max() <= LIMIT),
                }
            )
    return rows


def run(draws: int = DRAWS) -> Result:
    """Measure means and losses, and count cells, in ``build/device-quantiser``. This takes some minutes.

    Parameters
    ----------
    draws : int
        Draws of each value and generator.

    Returns
    -------
    Result
        The result of the bench.

    Raises
    ------
    BuildFailed
        Yosys is missing or failed.
    """
    with Steps(len(PLANES) + len(RUNS) + len(PARTS)) as steps, quiet():
        rows = means(draws, steps.next)
        losses = compare(load_set(SET), OPTIONS, RUNS, WIDTHS, SEEDS, steps.next)
        cells = count_cells(steps.next)
    judged = [row for row in losses if (row["estimator"], row["bits a value"]) == ("one-draw", 3)]
    return {
        "goal": f"over {draws:,} draws of each value, the means of both roundings, of their product, and of that of "
        f"neighbouring columns are within {LIMIT:g} standard errors of the exact ones; on {SET} from raw words of "
        f"{WIDTHS[0]} to {WIDTHS[-1]} bits, one draw at 3 bits a value ends at no more than {MOST_RATIO} times the loss that "
        f"it has on values which the host quantised (median of {len(SEEDS)} seeds)",
        "met": all(row["within 4"] for row in rows)
        and all(row["device over host"] <= MOST_RATIO for row in judged),
        "seeds": [SEED, *SEEDS],
        "rows": rows,
        "losses": losses,
        "cells": cells,
    }


BENCH = Bench(
    "device-quantiser",
    "bias and cells of the device's quantisation of raw words, and losses of models trained on them",
    run,
)
