"""Columns of two values, which one bit a value holds without any loss."""

import numpy as np

from zipsgd.rows import Rows, iterate_blocks

from .options import Options
from .task import Task

__all__ = ["one_bit_hint", "two_valued"]

_BITS = ("bits", "base_bits", "levels")
"""Options that determine the bits of a value."""


def two_valued(rows: Rows) -> bool:
    """Whether no column has more than two values, found in one pass over the rows that ends at the first third value.

    Parameters
    ----------
    rows : Rows of shape (rows, columns)
        Numbers.

    Returns
    -------
    bool
        Whether it is so.
    """
    seen: list[np.ndarray] = []
    for _, block in iterate_blocks(rows):
        values = np.concatenate([block, *seen])
        low, high = values.min(axis=0), values.max(axis=0)
        if np.any((low < values) & (values < high)):
            return False
        seen = [np.stack([low, high])]
    return True


def one_bit_hint(task: Task) -> str | None:
    """Tell users whose columns have two values that one bit a value is enough, unless they chose the bits themselves.

    Parameters
    ----------
    task : Task
        Data and options.

    Returns
    -------
    str or None
        The hint; None if there is nothing to say.
    """
    options, usual = task.options, Options(classify=task.options.classify, loss=task.options.loss)
    chosen = usual.resolved(diagonal=options.estimator == "one-draw")
    if any(getattr(options, name) != getattr(chosen, name) for name in _BITS):
        return None
    if not two_valued(task.table.features):
        return None
    return (
        f"no column has more than two values: --levels optimal --bits 1 loses nothing, at 1 bit a "
        f"value in place of {task.config.p + task.config.m}"
    )
