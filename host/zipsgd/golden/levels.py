"""Levels that are not evenly spaced: a table of levels for each column, and its use on the device (ZipML, section 3).

Samples still have p base planes and m up planes on the wire. But the base k is now the index of a level, counted from the
lowest level of the value's column, and an up bit selects level k or level k + 1. The device's *transcoder* looks the level up
in a table, and passes its bits to the datapath plane by plane: first those of Q_1, then those of Q_2. So two quantisations of
v bits each take 2 v cycles per chunk, while the link still carries p + 2 bits per value. With p = 0 there are two levels, and
samples consist of up bits only.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.formats import Build

from .quantise import FRACTION_BITS, Codes, level_offset
from .rounding import Int

__all__ = ["LevelTable", "check_intercept", "table_words", "transcode"]


@dataclass(frozen=True)
class LevelTable:
    """The levels of each column.

    Parameters
    ----------
    values : npt.NDArray[np.int16] of shape (features, 2^p + 1)
        Levels in ascending order along each row, as signed numbers of ``bits`` bits in units of 2^(1 - bits). A column with
        fewer levels repeats its last one.
    bits : int
        Width of a level, 2 to 8.

    Raises
    ------
    ValueError
        The shape is not that of a table, or a level is out of range or out of order.
    """

    values: npt.NDArray[np.int16]
    bits: int

    def __post_init__(self) -> None:
        limit = 1 << (self.bits - 1)
        if not 2 <= self.bits <= 8:
            raise ValueError(f"levels must have 2 to 8 bits, not {self.bits}")
        if self.values.ndim != 2 or self.values.shape[1] != (1 << self.p) + 1:
            raise ValueError(f"a table must have shape (features, 2^p + 1), not {self.values.shape}")
        if self.values.min() < -limit or self.values.max() >= limit:
            raise ValueError(f"levels of {self.bits} bits must be in {-limit}..{limit - 1}")
        if np.any(np.diff(self.values, axis=1) < 0):
            raise ValueError("the levels of a column must not decrease")

    @property
    def p(self) -> int:
        """int: Number of base planes."""
        return int(self.values.shape[1] - 1).bit_length() - 1

    def fixed_point(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.int32]:
        """Positions of values among their column's levels, in fixed point.

        This corresponds to :func:`zipsgd.golden.quantise.fixed_point` for evenly spaced levels. The whole part plus 2^(p - 1)
        is the index of the level below. The fraction is the distance from it relative to the gap, which is the up bits'
        probability.

        Parameters
        ----------
        values : npt.NDArray[np.floating] of shape (rows, features)
            Values between the lowest and the highest level of their columns.

        Returns
        -------
        npt.NDArray[np.int32] of shape (rows, features)
            In units of 2^-16 of a level index.

        Raises
        ------
        ValueError
            A value is outside its column's levels, or not a number.
        """
        scaled = values.astype(np.float64) * float(1 << (self.bits - 1))
        table = self.values.astype(np.float64)
        if not np.all((scaled >= table[:, 0]) & (scaled <= table[:, -1])):  # also catches NaN
            raise ValueError("features must lie within their column's levels before they are quantised")
        k = np.zeros(values.shape, dtype=np.int64)
        for i in range(1, table.shape[1] - 1):
            k += scaled >= table[:, i]
        column = np.arange(values.shape[1])
        low = table[column, k]
        gap = table[column, k + 1] - low
        position = np.divide(scaled - low, gap, out=np.zeros_like(scaled), where=gap > 0)
        fraction = np.floor(position * float(1 << FRACTION_BITS) + 0.5).astype(np.int64)
        return (((k - level_offset(self.p)) << FRACTION_BITS) + fraction).astype(np.int32)


def check_intercept(values: npt.NDArray[np.floating], rows: npt.ArrayLike, levels: LevelTable | None) -> None:
    """Check that the last feature is the highest level in every sample, as a device makes it.

    Parameters
    ----------
    values : npt.NDArray[np.floating] of shape (samples, features)
        Values of the samples.
    rows : npt.ArrayLike of shape (samples,)
        Row numbers of the samples, for the message.
    levels : LevelTable | None
        The levels of each column; None for evenly spaced levels, the highest of which is 1.

    Raises
    ------
    ValueError
        A value of the last feature is another one.
    """
    top = 1.0 if levels is None else float(levels.values[-1, -1]) * 2.0 ** (1 - levels.bits)
    wrong = values[:, -1] != top
    if wrong.any():
        sample = int(np.argmax(wrong))
        raise ValueError(
            f"the last feature is the intercept, which the device makes as {top}: that of row {np.asarray(rows)[sample]} must "
            f"not be {values[sample, -1]}"
        )


def transcode(codes: Codes, table: LevelTable) -> list[Codes]:
    """Quantisations as the datapath reads them: base planes of ``table.bits`` bits, without up planes.

    Parameters
    ----------
    codes : Codes
        Samples as they are on the wire.
    table : LevelTable
        The levels of each column.

    Returns
    -------
    list[Codes]
        One element for each up plane. With m = 0 there is one element, which holds level k.
    """
    column = np.arange(codes.base.shape[1])
    k: Int = codes.base.astype(np.int64) + level_offset(table.p)
    ups = [codes.up >> i & 1 for i in range(codes.m)] or [np.zeros_like(codes.up)]
    return [
        Codes(
            table.values[column, k + up].astype(np.int8), np.zeros_like(codes.up), codes.labels, table.bits, 0
        )
        for up in ups
    ]


def table_words(table: LevelTable, build: Build) -> list[int]:
    """The table as words for the device's level window.

    The window has a row for each plane of each chunk, most significant plane first, with room for a power of two of planes. A
    row holds one plane of L bits for each level, with room for ``build.level_rows`` levels. Bit j of a plane belongs to lane j.

    Parameters
    ----------
    table : LevelTable
        The levels of each column.
    build : Build
        Lanes and sizes of the window.

    Returns
    -------
    list[int]
        Words in the order of their addresses. A word holds up to 32 lanes of one plane.
    """
    features, levels = table.values.shape
    chunks = build.chunks(features)
    values = np.zeros((chunks * build.lanes, levels), dtype=np.int64)
    values[:features] = table.values
    room = 1 << (build.level_bits - 1).bit_length()
    bits = np.zeros((chunks, room, build.level_rows, build.lanes), dtype=np.uint8)
    for plane in range(table.bits):
        plane_bits = values >> (table.bits - 1 - plane) & 1
        bits[:, plane, :levels] = plane_bits.reshape(chunks, build.lanes, levels).transpose(0, 2, 1)
    part = min(build.lanes, 32)
    weights = 1 << np.arange(part, dtype=np.int64)
    words: list[int] = (bits.reshape(-1, part) @ weights).tolist()
    return words
