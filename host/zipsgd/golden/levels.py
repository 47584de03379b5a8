"""Levels that are not evenly spaced (ZipML, section 3): a table of them for each column, and what the device makes of it.

The wire carries what it always does, p base planes and m up planes, but the base k is now the number of a level, counted from
the lowest one of the value's column, and an up bit chooses between level k and level k + 1. The device's *transcoder* looks
the level up in a table and hands its bits to the datapath, plane by plane: Q_1's, then Q_2's. So two quantisations of v bits
each take 2 v cycles a chunk, and still p + 2 bits a value on the link. With p = 0 there are two levels, and up bits alone.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.formats import Build

from .quantise import FRACTION_BITS, Codes, level_offset
from .rounding import Int

__all__ = ["LevelTable", "table_words", "transcode"]


@dataclass(frozen=True)
class LevelTable:
    """Levels of each column.

    ``values``: int16, shape (features, 2^p + 1), not decreasing along a row, each a signed number of ``bits`` bits in units of
    2^(1 - bits). ``p``: base planes. A row with fewer levels repeats its last one.

    Raises
    ------
    ValueError
        The shape is no table's, or a level is out of range or out of order.
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
        return int(self.values.shape[1] - 1).bit_length() - 1

    def fixed_point(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.int32]:
        """Values as numbers of levels, in units of 2^-16 of the way to the next; shape (rows, features).

        As :func:`.fixed_point` does for even levels: the whole part, less 2^(p - 1), is the base and the fraction the up bits'
        probability. Raises ValueError for a value outside its column's levels.
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
        way = np.divide(scaled - low, gap, out=np.zeros_like(scaled), where=gap > 0)
        fraction = np.floor(way * float(1 << FRACTION_BITS) + 0.5).astype(np.int64)
        return (((k - level_offset(self.p)) << FRACTION_BITS) + fraction).astype(np.int32)


def transcode(codes: Codes, table: LevelTable) -> list[Codes]:
    """What the datapath sees: each quantisation on its own, as base planes of ``table.bits`` bits without up planes.

    With m = 0 there is one, level k.
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
    """The table as the device's level window takes it, from its first word on.

    A row for each plane of each chunk (most significant first, room for a power of two of planes), and in it a plane of L bits
    for each level (room for ``build.level_rows``): bit j is lane j's. A word holds up to 32 lanes of one.
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
