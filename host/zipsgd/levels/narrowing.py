"""What the exact solvers share: brackets narrowed by the costs of paths on a grid, and a limit of memory."""

from zipsgd.compiled import compiled
from zipsgd.memory import default_memory

from .double_double import fast_two_sum, less, two_sum
from .grid import Grid
from .problem import Floats, Indices

__all__ = ["check_memory", "narrow"]

_ENTRY = 40
"""Bytes of an entry of a layer."""


@compiled
def narrow(
    grid: Grid,
    slopes: Floats,
    from_start: Floats,
    to_end: Floats,
    limit: tuple[float, float],
    inwards: int,
    low: Indices,
    high: Indices,
) -> None:
    """Narrow the brackets in place to the cells that may contain an end of a solution with a cost of at most ``limit``.

    Parameters
    ----------
    grid : Grid
        The grid.
    slopes : npt.NDArray[np.float64] of shape (layers,)
        Bonus per folded position of each layer.
    from_start, to_end : npt.NDArray[np.float64] of shape (points of all layers, 2)
        Costs of the cheapest paths, from :func:`.monge.forward` and :func:`.monge.backward`.
    limit : tuple[float, float]
        High and low part of the limit.
    inwards : int
        1 if ends are at points: a cell next to an excluded point then begins with the following point. Otherwise 0.
    low, high : npt.NDArray[np.int64] of shape (layers,)
        First and last possible point of each layer.
    """
    for j in range(1, low.size - 1):
        first, last = grid.first[j], grid.last[j]
        left, right = last + 1, first - 1
        for g in range(first, last + 1):
            at = grid.offset[j] + g - first
            value, error = two_sum(from_start[at, 0], to_end[at, 0])
            # Both contain the bonus of this level: add it once
            error += from_start[at, 1] + to_end[at, 1] + slopes[j] * grid.places[g, 5]
            value, error = fast_two_sum(value, error)
            if not less(limit[0], limit[1], value, error):
                left, right = min(left, g), g
        if left > first:
            low[j] = grid.points[left - 1] + inwards
        if right < last:
            high[j] = grid.points[right + 1] - inwards


def check_memory(entries: int, count: int, points: int) -> None:
    """Check that there is room for the layers of a grid.

    Parameters
    ----------
    entries : int
        Number of grid points in all layers.
    count : int
        Number of levels.
    points : int
        Number of points of the problem.

    Raises
    ------
    MemoryError
        They would take more than half of the available memory.
    """
    needed, room = entries * _ENTRY, 2 * default_memory()  # half of the available memory
    if needed > room:
        raise MemoryError(
            f"{count:,} optimal levels of {points:,} values or bins take {needed / 2**30:.1f} GiB, and there is room for "
            f"{room / 2**30:.1f}: choose fewer levels, or method='greedy'"
        )
