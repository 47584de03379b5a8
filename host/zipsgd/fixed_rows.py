"""Rows as fixed-point numbers, which are kept, as making them can take longer than training on them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zipsgd.golden.levels import LevelTable
from zipsgd.golden.quantise import fixed_point

__all__ = ["FixedRows"]

_BLOCK_VALUES = 1 << 20
"""Values that are converted at a time, which limits the size of the float64 copies."""


@dataclass(frozen=True, eq=False)
class _Kept:
    values: npt.NDArray[np.float32]
    levels: LevelTable | None
    numbers: npt.NDArray[np.int32]


class FixedRows:
    """The fixed-point numbers of the rows that were used last.

    Those of two numbers of base planes are kept, as samples that are fetched again have more planes than the others.
    """

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}

    def of(self, values: npt.NDArray[np.float32], p: int, levels: LevelTable | None) -> npt.NDArray[np.int32]:
        """The fixed-point numbers of an array.

        The array is remembered by identity: do not change its contents between epochs.

        Parameters
        ----------
        values : npt.NDArray[np.float32] of shape (rows, features)
            Features in [-1, 1].
        p : int
            Number of base planes.
        levels : LevelTable or None
            The levels of each column; None for evenly spaced levels.

        Returns
        -------
        npt.NDArray[np.int32] of shape (rows, features)
            The numbers.

        Raises
        ------
        ValueError
            A value is outside [-1, 1].
        """
        kept = self._kept.get(p)
        if kept is not None and kept.values is values and kept.levels is levels:
            return kept.numbers
        numbers = np.empty(values.shape, dtype=np.int32)
        block = max(1, _BLOCK_VALUES // values.shape[1])
        for start in range(0, values.shape[0], block):
            part = values[start : start + block]
            numbers[start : start + block] = (
                fixed_point(part, p) if levels is None else levels.fixed_point(part)
            )
        others = [(other, kept) for other, kept in self._kept.items() if other != p and kept.values is values]
        self._kept = {**dict(others[-1:]), p: _Kept(values, levels, numbers)}
        return numbers
