"""Rows that are held out of training, to measure models on."""

import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from zipsgd.data import DataError, Table, class_name
from zipsgd.data.naming import listed

from .targets import classes_of

__all__ = ["hold_out", "stratified"]

_Int = npt.NDArray[np.int64]

_log = logging.getLogger(__name__)


def hold_out(table: Table, share: float, seed: int, *, classify: bool) -> tuple[Table, Table]:
    """Split a table at random into training rows and rows that are held out. Of classes, each keeps its share of the rows.

    Parameters
    ----------
    table : Table
        All rows.
    share : float
        Share of the rows that are held out, between 0 and 1.
    seed : int
        Seed of the random selection.
    classify : bool
        Whether the labels are classes. Each class then has at least one row to train on. A class that is too small to be held
        out is logged.

    Returns
    -------
    tuple of Table
        Training rows, and held-out rows.

    Raises
    ------
    DataError
        One of the two would have no rows.
    """
    if not classify:
        return table.split(share, seed)
    classes, numbers = classes_of(table)
    kept, held = stratified(numbers, share, seed, table.source, [class_name(label) for label in classes])
    return table.take(kept), table.take(held)


def stratified(
    numbers: _Int, share: float, seed: int, source: str, names: Sequence[str]
) -> tuple[_Int, _Int]:
    """Split rows at random into two parts in which each class has its share.

    Each class holds out its share of its rows, rounded down. The rows that are then missing from the share of all rows come
    from the classes that lost most by the rounding.

    Parameters
    ----------
    numbers : npt.NDArray[np.int64] of shape (rows,)
        Class number of each row.
    share : float
        Share of the rows that are held out, between 0 and 1.
    seed : int
        Seed of the random selection.
    source : str
        Beginning of messages.
    names : sequence of str
        The classes, for messages.

    Returns
    -------
    tuple of npt.NDArray[np.int64]
        Row numbers to train on, and row numbers that are held out, both ascending.

    Raises
    ------
    DataError
        No row would be held out, or too many for each class to have a row to train on.
    """
    sizes = np.bincount(numbers, minlength=len(names))
    present, rows = np.count_nonzero(sizes), numbers.size
    count = round(rows * share) if 0 < share < 1 else 0
    if not 0 < count <= rows - present:
        raise DataError(
            f"{source}: the share of rows to hold out must be between 0 and 1, and leave at least one of the {rows} rows to "
            f"hold out and one of each of the {present} classes to train on, which {share:g} does not"
        )
    room = np.maximum(sizes - 1, 0)
    exact = sizes * share
    taken = np.minimum(np.floor(exact).astype(np.int64), room)
    while (missing := count - int(taken.sum())) > 0:
        open_classes = np.flatnonzero(taken < room)
        most = open_classes[np.argsort((taken - exact)[open_classes], kind="stable")][:missing]
        taken[most] += 1
    rng = np.random.default_rng(seed)
    held = np.sort(
        np.concatenate(
            [rng.permutation(np.flatnonzero(numbers == each))[:size] for each, size in enumerate(taken)]
        )
    )
    small = np.flatnonzero((sizes > 0) & (taken == 0))
    if small.size:
        _log.info(
            "%s: no rows of %d small class%s are held out, all are trained on: %s",
            source,
            small.size,
            "es" * (small.size > 1),
            listed([f"{names[each]} ({sizes[each]})" for each in small.tolist()]),
        )
    return np.setdiff1d(np.arange(rows), held), held
