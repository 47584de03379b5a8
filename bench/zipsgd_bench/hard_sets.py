"""Sets that are made to be hard for SGD on few bits: collinear columns, heavy tails, and a reading far out."""

import numpy as np
import numpy.typing as npt

from zipsgd.data import Table

__all__ = ["departures", "far_reading"]

_Float = npt.NDArray[np.float64]

_DISTANCES = (200, 500, 760, 1000, 2500, 4900)
_SHARES = (0.2, 0.25, 0.25, 0.2, 0.099, 0.001)


def departures(rows: int = 200_000, seed: int = 0) -> Table:
    """Departures of flights, with the delay at arrival to predict.

    The time of day comes in three columns, one of which is a sum of the two others. The air time is nearly proportional to the
    distance. One flight in a hundred is late by hours, so that the delay has a long tail, which is the signal.

    Parameters
    ----------
    rows : int
        Number of departures.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    Table
        Eight columns and the target.
    """
    rng = np.random.default_rng(seed)
    hour, minute = rng.integers(5, 24, rows), rng.choice(np.arange(0, 60, 5), rows)
    late = rng.random(rows) < 0.01
    delay = np.round(rng.exponential(12, rows) * np.where(late, 41, 1) - 6)
    distance = rng.choice(_DISTANCES, rows, p=_SHARES)
    usual = distance / 7.5
    airtime = usual + 18 + rng.normal(0, 6, rows)
    month, number = rng.integers(1, 13, rows), rng.integers(1, 8500, rows)
    arrival = delay + 0.8 * (airtime - usual) + 0.3 * hour + rng.normal(0, 14, rows)
    names = ["month", "time", "hour", "minute", "delay", "distance", "airtime", "number"]
    columns: _Float = np.stack(
        [month, 100 * hour + minute, hour, minute, delay, distance, airtime, number], axis=1
    ).astype(np.float64)
    return Table.from_arrays(columns, arrival, names=names, source="departures")


def far_reading(far: float, rows: int = 10_000, seed: int = 0) -> tuple[Table, npt.NDArray[np.bool_]]:
    """Ordinary rows, and one of which all columns are far out.

    Parameters
    ----------
    far : float
        Value of the columns in that row, where others have a standard deviation of 1.
    rows : int
        Number of rows.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    Table
        Five columns and the target, which follows the far row, too.
    npt.NDArray[np.bool_] of shape (rows,)
        Which rows are ordinary.
    """
    rng = np.random.default_rng(seed)
    columns, noise = rng.normal(size=(rows, 5)), rng.normal(0, 1, rows)
    columns[rows // 2] = far
    target = columns @ [1, -0.5, 1, 0.5, 1] + noise
    return Table.from_arrays(columns, target, source=f"one row at {far:g}"), np.arange(rows) != rows // 2
