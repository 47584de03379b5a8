"""Sets that are made, each a function of a seed: what real sets of their kind are hard by, in a few lines."""

import numpy as np
import numpy.typing as npt

from zipsgd.data import Table

__all__ = ["binary_features", "departures", "far_row", "heavy_tails"]

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.int64]

_DISTANCES = (200, 500, 760, 1000, 2500, 4900)
_SHARES = (0.2, 0.25, 0.25, 0.2, 0.099, 0.001)
_FAR_ROW = 17


def departures(rows: int = 200_000, seed: int = 0, *, numbers: bool = True) -> Table:
    """Departures of flights, with the delay at arrival to predict.

    The time of day comes in three columns, one of which is a sum of the two others. The air time is nearly proportional to the
    distance. One flight in a hundred is late by hours, so that the delay has a long tail, which is the signal.

    Parameters
    ----------
    rows : int
        Number of departures.
    seed : int
        Seed of the random numbers.
    numbers : bool
        Whether there is a column of flight numbers, which say nothing of the delay.

    Returns
    -------
    Table
        Seven or eight columns and the target.
    """
    rng = np.random.default_rng(seed)
    hour, minute = rng.integers(5, 24, rows), rng.choice(np.arange(0, 60, 5), rows)
    delay = np.round(rng.exponential(12, rows) * np.where(rng.random(rows) < 0.01, 41, 1) - 6)
    distance = rng.choice(_DISTANCES, rows, p=_SHARES)
    usual = distance / 7.5
    airtime = usual + 18 + rng.normal(0, 6, rows)
    columns = {
        "month": rng.integers(1, 13, rows),
        "time": 100 * hour + minute,
        "hour": hour,
        "minute": minute,
        "delay": delay,
        "distance": distance,
        "airtime": airtime,
    }
    if numbers:
        columns["number"] = rng.integers(1, 8500, rows)
    arrival = delay + 0.8 * (airtime - usual) + 0.3 * hour + rng.normal(0, 14, rows)
    values: _Float = np.stack(list(columns.values()), axis=1).astype(np.float64)
    return Table.from_arrays(values, arrival, names=list(columns), source="departures")


def far_row(far: float, rows: int = 10_000, seed: int = 0) -> tuple[Table, Table]:
    """Ordinary rows, and one of which all columns are far out.

    Parameters
    ----------
    far : float
        Value of the columns in that row, where others have a standard deviation of 1.
    rows : int
        Number of rows, at least 18.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    all, ordinary : Table
        Five columns and the target, which follows the far row, too; and the same without the far row.
    """
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(rows, 5))
    columns[_FAR_ROW] = far
    target = columns @ [1, -0.5, 1, 0.5, 1] + rng.normal(size=rows)
    table = Table.from_arrays(columns, target, source=f"one row at {far:g}")
    return table, table.take(np.delete(np.arange(rows), _FAR_ROW))


def heavy_tails(rows: int = 20_000, seed: int = 0) -> tuple[_Float, _Int]:
    """Seven classes of very different sizes in nine integer columns with heavy tails, in the manner of Statlog's Shuttle.

    Three columns are measured, three are their differences, and three are almost always 0 but may be some thousands. The
    classes are intervals of two of the measurements, some of which lie between others, so that no plane separates such a class
    from all others.

    Parameters
    ----------
    rows : int
        Number of rows.
    seed : int
        Seed of all random numbers.

    Returns
    -------
    _Float of shape (rows, 9)
        Whole numbers.
    npt.NDArray[np.int64] of shape (rows,)
        Classes 0 to 6, of about 79, 13, 6, 0.65, 0.58, 0.08 and 0.05 % of the rows.
    """
    rng = np.random.default_rng(seed)
    first = np.rint(45 + 6 * rng.standard_t(5, rows)).clip(27, 126)
    second = np.rint(82 + 8 * rng.standard_t(3, rows)).clip(21, 149)
    third = np.rint(first - 6 + 11 * rng.standard_t(2.5, rows)).clip(-188, 436)
    between = first - third
    rare = [
        np.rint((rng.random(rows) < share) * rng.standard_t(1, rows) * size).clip(-limit, limit)
        for share, size, limit in ((0.1, 20, 5000), (0.1, 30, 4000), (0.5, 40, 13_000))
    ]
    differences = [
        np.rint(a - b + rng.integers(-1, 2, rows))
        for a, b in ((second, first), (second, third), (first, third))
    ]
    classes = np.zeros(rows, dtype=np.int64)
    classes[(between > 26) & (second > 72)] = 2
    classes[first > 52] = 1
    classes[(between < -45) & (second > 82)] = 3
    classes[(between < -45) & (second <= 82)] = 4
    classes[between > 180] = 5
    classes[between < -160] = 6
    swapped = (rng.random(rows) < 0.004) & (classes < 3)
    classes[swapped] = rng.choice(3, np.count_nonzero(swapped))
    columns = (first, rare[0], second, rare[1], third, rare[2], *differences)
    return np.stack(columns, axis=1), classes


def binary_features(rows: int = 6_000, seed: int = 0) -> tuple[_Float, _Int]:
    """Two classes of rows of 22 answers with two to nine options each, one column of 0 and 1 an option, as in Mushroom.

    Parameters
    ----------
    rows : int
        Number of rows.
    seed : int
        Seed of all random numbers.

    Returns
    -------
    _Float of shape (rows, columns)
        0 and 1.
    npt.NDArray[np.int64] of shape (rows,)
        Classes 0 and 1.
    """
    rng = np.random.default_rng(seed)
    options = rng.integers(2, 10, 22)
    columns, score = [], rng.normal(0, 0.5, rows)
    for count in options:
        answers = rng.choice(count, rows, p=rng.dirichlet(np.full(count, 0.7)))
        score += rng.normal(0, 1, count)[answers]
        columns.append(np.eye(count)[answers])
    return np.hstack(columns), (score > np.median(score)).astype(np.int64)
