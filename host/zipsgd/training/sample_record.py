"""How a model's rows become samples of the device, as a saved model tells it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np

from zipsgd.data.scaling import Scaling
from zipsgd.golden.levels import LevelTable

from .checks import are_numbers, is_number

if TYPE_CHECKING:
    from .task import Task

__all__ = ["SampleRecord"]


_LISTS = ("centre", "spread", "label_centre", "label_spread")


def _are_levels(value: object) -> bool:
    """Whether it is a list of lists of whole numbers of a byte."""
    return isinstance(value, list) and all(
        isinstance(row, list) and all(type(level) is int and -128 <= level < 128 for level in row)
        for row in value
    )


@dataclass(frozen=True)
class SampleRecord:
    """Scaling and rounding of the rows that a model was trained on.

    Parameters
    ----------
    centre, spread : list of float
        Of each column, see :class:`zipsgd.data.Scaling`.
    label_centre, label_spread : list of float
        Of each model's labels.
    base_planes, up_planes : int
        Planes p and m of a value in the last epoch.
    scale : float
        Factor of the scaled values, see :class:`.task.Task`.
    level_bits : int
        Bits of an optimal level; 0 for uniform levels.
    levels : list of list of int
        Optimal levels of each column and the intercept, see :class:`zipsgd.golden.levels.LevelTable`; empty for uniform ones.
    intercept : bool
        Whether the models have an intercept.
    """

    centre: list[float]
    spread: list[float]
    label_centre: list[float]
    label_spread: list[float]
    base_planes: int
    up_planes: int
    scale: float = 1.0
    level_bits: int = 0
    levels: list[list[int]] = field(default_factory=list)
    intercept: bool = True

    @classmethod
    def of_task(cls, task: "Task") -> "SampleRecord":
        """The record of a task.

        Parameters
        ----------
        task : Task
            The task, at the precision of the last epoch.

        Returns
        -------
        SampleRecord
            The record.
        """
        columns, table = task.scalings[0], task.config.levels
        return cls(
            columns.centre.tolist(),
            columns.spread.tolist(),
            [scaling.label_centre for scaling in task.scalings],
            [scaling.label_spread for scaling in task.scalings],
            task.config.p,
            task.config.m,
            task.scale,
            0 if table is None else table.bits,
            [] if table is None else table.values.tolist(),
            task.config.intercept,
        )

    @property
    def scalings(self) -> tuple[Scaling, ...]:
        """tuple of Scaling: The scaling of each model."""
        centre, spread = np.array(self.centre, dtype=np.float64), np.array(self.spread, dtype=np.float64)
        labels = zip(self.label_centre, self.label_spread, strict=True)
        constant = float(self.intercept)
        return tuple(Scaling(centre, spread, *label, constant=constant) for label in labels)

    @property
    def table(self) -> LevelTable | None:
        """LevelTable or None: The optimal levels; None for uniform ones."""
        return LevelTable(np.array(self.levels, dtype=np.int16), self.level_bits) if self.level_bits else None

    @classmethod
    def from_dict(cls, content: object, columns: int, models: int) -> "SampleRecord":
        """A record of a saved model.

        Parameters
        ----------
        content : object
            What the file has in its place.
        columns, models : int
            Columns and models of the result.

        Returns
        -------
        SampleRecord
            The record.

        Raises
        ------
        ValueError
            It is no record of such a result.
        """
        names = {each.name for each in fields(cls)}
        if not isinstance(content, Mapping) or content.keys() != names:
            raise ValueError("it does not say how rows become samples")
        record = cls(**content)
        for name, count in zip(_LISTS, (columns, columns, models, models), strict=True):
            values, positive = content[name], name.endswith("spread")
            if not are_numbers(values) or len(values) != count or (positive and min(values, default=1) <= 0):
                raise ValueError(f"its {name} is not a list of {count} numbers{' above 0' * positive}")
        planes = (record.base_planes, record.up_planes, record.level_bits)
        whole = all(type(value) is int and 0 <= value <= 8 for value in planes)
        if not whole or not is_number(record.scale) or record.scale <= 0:
            raise ValueError("its planes or scale are not numbers that can be")
        if not isinstance(record.intercept, bool):
            raise ValueError("it does not say whether there is an intercept")
        if not _are_levels(record.levels) or bool(record.levels) != bool(record.level_bits):
            raise ValueError("its levels are not lists of small whole numbers")
        table = record.table  # raises if it is none
        if table is not None and (len(table.values), table.p) != (columns + 1, record.base_planes):
            raise ValueError(f"its levels are not those of {columns} columns")
        return record
