"""Cheapest paths through the layers of a grid, by row minima of totally monotone matrices (SMAWK).

Aggarwal, Klawe, Moran, Shor, Wilber, *Geometric applications of a matrix-searching algorithm*, Algorithmica 2 (1987). Entry
(r, c) is the cost of the best path to column point c plus the cost of the interval between c and row point r. By the quadrangle
inequality, the leftmost minimum of a row moves right as r does. A layer of n points takes O(n) time and memory.
"""

import numpy as np

from zipsgd.compiled import compiled

from .cells import interval_cost
from .double_double import fast_two_sum, less, two_sum
from .problem import Floats, Indices

__all__ = ["backward", "forward", "trace"]

# A grid is an array of shape (points, 6): position, P0 and P1 as high and low parts, folded position. In layer j, a path is at
# one of the points first[j]..last[j]. The entries of the layer are offset[j]..offset[j + 1] - 1 in flat arrays.


@compiled
def _entry(
    nearest: bool, grid: Floats, values: Floats, base: int, row: int, column: int, direction: int
) -> tuple[float, float]:
    """The value at grid point ``column``, stored at values[base + column], plus the cost of the interval to point ``row``.

    Infinite if the column is past the row. ``direction`` is 1 if the columns are left of the rows, else -1.
    """
    if (column - row) * direction > 0:
        return np.inf, 0.0
    a, c = (column, row) if direction > 0 else (row, column)
    high, low = interval_cost(
        nearest,
        grid[a, 0],
        (grid[a, 1], grid[a, 2], grid[a, 3], grid[a, 4]),
        grid[c, 0],
        (grid[c, 1], grid[c, 2], grid[c, 3], grid[c, 4]),
    )
    total, error = two_sum(high, values[base + column, 0])
    return fast_two_sum(total, error + (low + values[base + column, 1]))


@compiled
def _row_minima(
    nearest: bool,
    grid: Floats,
    values: Floats,
    base: int,
    rows: tuple[int, int],
    columns: tuple[int, int],
    direction: int,
    into: Floats,
    into_base: int,
    best: Indices,
) -> None:
    """Minima over the points ``columns`` for the points ``rows``. Both are (first, number), and continue in ``direction``.

    Writes the minimum of row point p to into[into_base + p], and its column to best[into_base + p]. Of equal minima, the first.
    """
    row0, row_count = rows
    column0, column_count = columns
    depth = 0
    kept = np.empty(2 * row_count + 1, dtype=np.int64)  # columns that remain, depth after depth
    begins = np.zeros(66, dtype=np.int64)
    highs, lows = np.empty(row_count), np.empty(row_count)
    while row_count >> depth:
        # At this depth, every 2^depth-th row is used; drop columns until there are no more than rows
        count, start, step = row_count >> depth, (1 << depth) - 1, 1 << depth
        source = begins[depth - 1] if depth else 0
        candidates = begins[depth] - source if depth else column_count
        stack, size = begins[depth], 0
        for candidate in range(candidates):
            column = column0 + direction * candidate if depth == 0 else kept[source + candidate]
            while size:
                row = row0 + direction * (start + (size - 1) * step)
                high, low = _entry(nearest, grid, values, base, row, column, direction)
                if not less(high, low, highs[size - 1], lows[size - 1]):
                    break
                size -= 1
            if size < count:
                row = row0 + direction * (start + size * step)
                highs[size], lows[size] = _entry(nearest, grid, values, base, row, column, direction)
                kept[stack + size] = column
                size += 1
        depth += 1
        begins[depth] = stack + size
    while depth:
        # A row between two solved rows has its minimum between their minima
        depth -= 1
        count, start, step = row_count >> depth, (1 << depth) - 1, 1 << depth
        at = begins[depth]
        for i in range(0, count, 2):
            row = row0 + direction * (start + i * step)
            final = kept[begins[depth + 1] - 1]
            if i + 1 < count:
                final = best[into_base + row + direction * step]
            least, least_low = _entry(nearest, grid, values, base, row, kept[at], direction)
            where = kept[at]
            while kept[at] != final:
                at += 1
                high, low = _entry(nearest, grid, values, base, row, kept[at], direction)
                if less(high, low, least, least_low):
                    least, least_low, where = high, low, kept[at]
            into[into_base + row, 0], into[into_base + row, 1] = least, least_low
            best[into_base + row] = where


@compiled
def _tilt(grid: Floats, values: Floats, begin: int, first: int, last: int, slope: float) -> None:
    """Subtract ``slope`` times the folded position from each point of a layer."""
    for g in range(first, last + 1):
        i = begin + g - first
        high, low = two_sum(values[i, 0], -slope * grid[g, 5])
        values[i, 0], values[i, 1] = fast_two_sum(high, low + values[i, 1])


@compiled
def forward(
    nearest: bool,
    grid: Floats,
    first: Indices,
    last: Indices,
    offset: Indices,
    slopes: Floats,
    values: Floats,
    best: Indices,
) -> None:
    """Minimal costs of paths from layer 0 to each point of each layer. A point of layer j adds -slopes[j] times its position.

    Parameters
    ----------
    nearest : bool
        Whether paths are thresholds of nearest rounding. Otherwise they are levels of stochastic rounding.
    grid : npt.NDArray[np.float64] of shape (grid points, 6)
        ``Grid.places``.
    first, last : npt.NDArray[np.int64] of shape (layers,)
        First and last grid point of each layer.
    offset : npt.NDArray[np.int64] of shape (layers + 1,)
        Beginning of each layer in the flat arrays.
    slopes : npt.NDArray[np.float64] of shape (layers,)
        Bonus per folded position of each layer.
    values : npt.NDArray[np.float64] of shape (points of all layers, 2)
        Receives the costs as high and low parts.
    best : npt.NDArray[np.int64] of shape (points of all layers,)
        Receives the best grid point in the layer before.
    """
    values[0] = 0.0
    _tilt(grid, values, 0, first[0], last[0], slopes[0])
    for j in range(1, first.size):
        rows = (first[j], last[j] - first[j] + 1)
        columns = (first[j - 1], last[j - 1] - first[j - 1] + 1)
        base, into_base = offset[j - 1] - first[j - 1], offset[j] - first[j]
        _row_minima(nearest, grid, values, base, rows, columns, 1, values, into_base, best)
        _tilt(grid, values, offset[j], first[j], last[j], slopes[j])


@compiled
def backward(
    nearest: bool,
    grid: Floats,
    first: Indices,
    last: Indices,
    offset: Indices,
    slopes: Floats,
    values: Floats,
    best: Indices,
) -> None:
    """Minimal costs of paths from each point of each layer to the last layer.

    Parameters
    ----------
    nearest : bool
        Whether paths are thresholds of nearest rounding. Otherwise they are levels of stochastic rounding.
    grid : npt.NDArray[np.float64] of shape (grid points, 6)
        ``Grid.places``.
    first, last : npt.NDArray[np.int64] of shape (layers,)
        First and last grid point of each layer.
    offset : npt.NDArray[np.int64] of shape (layers + 1,)
        Beginning of each layer in the flat arrays.
    slopes : npt.NDArray[np.float64] of shape (layers,)
        Bonus per folded position of each layer.
    values : npt.NDArray[np.float64] of shape (points of all layers, 2)
        Receives the costs as high and low parts.
    best : npt.NDArray[np.int64] of shape (points of all layers,)
        Receives the best grid point in the layer after.
    """
    end = first.size - 1
    values[offset[end]] = 0.0
    _tilt(grid, values, offset[end], first[end], last[end], slopes[end])
    for j in range(end - 1, -1, -1):
        rows = (last[j], last[j] - first[j] + 1)
        columns = (last[j + 1], last[j + 1] - first[j + 1] + 1)
        base, into_base = offset[j + 1] - first[j + 1], offset[j] - first[j]
        _row_minima(nearest, grid, values, base, rows, columns, -1, values, into_base, best)
        _tilt(grid, values, offset[j], first[j], last[j], slopes[j])


@compiled
def trace(first: Indices, offset: Indices, best: Indices) -> Indices:
    """The path that :func:`forward` found. Of equal paths, the leftmost.

    Parameters
    ----------
    first : npt.NDArray[np.int64] of shape (layers,)
        First grid point of each layer.
    offset : npt.NDArray[np.int64] of shape (layers + 1,)
        Beginning of each layer in the flat arrays.
    best : npt.NDArray[np.int64] of shape (points of all layers,)
        From :func:`forward`.

    Returns
    -------
    npt.NDArray[np.int64] of shape (layers,)
        One grid point per layer.
    """
    path = np.empty(first.size, dtype=np.int64)
    point = first[-1]
    for j in range(first.size - 1, -1, -1):
        path[j] = point
        if j:
            point = best[offset[j] - first[j] + point]
    return path
