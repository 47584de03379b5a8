"""Parquet and Arrow files, read by groups of rows, so that a set may be larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from zipsgd.rows import Rows

from .arrays import class_name
from .columns import Texts, check_names, first_values
from .errors import DataError
from .grouped_rows import GroupedRows, group_starts

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["GroupColumns", "GroupRows", "Groups", "read_arrow", "read_parquet"]


@dataclass(frozen=True)
class Groups:
    """A file whose rows are in groups, each of which is read at once.

    Parameters
    ----------
    source : str
        Name of the data in messages.
    schema : pyarrow.Schema
        Names and types of the columns.
    counts : sequence of int
        Number of rows of each group.
    read : callable
        Reads columns, given by their numbers, of a group, given by its number.
    again : callable
        Opens the file again, for a process to which its rows are sent. They are read there from the same file.
    """

    source: str
    schema: pa.Schema
    counts: Sequence[int]
    read: Callable[[int, list[int]], Any]
    again: Callable[[], GroupColumns]

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """npt.NDArray[np.int64] of shape (groups + 1,): Number of the first row of each group, and the number of rows."""
        return group_starts(self.counts)

    def column(self, group: int, place: int) -> Any:
        """A column of a group, as one Arrow array. Raises DataError for a missing value."""
        return self._whole(self.read(group, [place]).column(0), group, place)

    def _whole(self, column: Any, group: int, place: int) -> Any:
        import pyarrow as pa

        array = pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column
        if array.null_count:
            row = int(self.starts[group]) + array.is_null().index(True).as_py() + 1
            raise DataError(
                f"{self.source}, row {row}, column {self.schema.names[place]!r}: the value is missing; fill it in or leave the "
                f"row out"
            )
        return array

    def matrix(self, group: int, places: Sequence[int], kind: type[np.floating]) -> npt.NDArray[np.floating]:
        """Columns of numbers of a group. Raises DataError for a missing value."""
        import pyarrow as pa

        values: npt.NDArray[np.floating] = np.empty((self.counts[group], len(places)), dtype=kind)
        table = self.read(group, list(places))
        for number, place in enumerate(places):
            array = self._whole(table.column(self.schema.names[place]), group, place)
            if pa.types.is_decimal(array.type) or pa.types.is_dictionary(array.type):
                array = array.cast(pa.float64())
            values[:, number] = array.to_numpy(zero_copy_only=False)
        return values


class GroupRows(GroupedRows):
    """Columns of numbers of a file of groups.

    Parameters
    ----------
    groups : Groups
        The file.
    places : sequence of int
        Numbers of the columns.
    """

    def __init__(self, groups: Groups, places: Sequence[int]) -> None:
        import pyarrow as pa

        kinds = [groups.schema.field(place).type for place in places]
        narrow = bool(kinds) and all(map(pa.types.is_float32, kinds))
        super().__init__(groups.counts, len(places), np.float32 if narrow else np.float64)
        self._groups, self._places = groups, tuple(places)

    def __reduce__(self) -> tuple[Any, ...]:
        return _read_again, (self._groups.again, self._places)

    def _read(self, number: int) -> npt.NDArray[np.floating]:
        return self._groups.matrix(number, self._places, self.kind)

    def select_columns(self, places: Sequence[int]) -> GroupRows:
        """Some of the columns, by their numbers among these."""
        return GroupRows(self._groups, [self._places[place] for place in places])


def _read_again(again: Callable[[], GroupColumns], places: Sequence[int]) -> Rows:
    return again().read(places)[0]


@dataclass(frozen=True)
class GroupColumns:
    """The columns of a file of groups, see :class:`.columns.Columns`.

    Parameters
    ----------
    groups : Groups
        The file. The numbers stay there, and are read by groups.
    """

    groups: Groups
    headed: ClassVar[bool] = True

    @property
    def source(self) -> str:
        """str: Name of the data in messages."""
        return self.groups.source

    @property
    def names(self) -> tuple[str, ...]:
        """tuple[str, ...]: Names of the columns."""
        return tuple(self.groups.schema.names)

    def _type(self, place: int) -> Any:
        import pyarrow as pa

        kind = self.groups.schema.field(place).type
        return kind.value_type if pa.types.is_dictionary(kind) else kind

    def is_text(self, place: int) -> bool:
        """Whether a column holds text."""
        import pyarrow as pa

        kind = self._type(place)
        return any(
            check(kind) for check in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
        )

    def examples(self, place: int) -> tuple[str, list[str]]:
        """A few values of a column of text, see :meth:`.columns.Columns.examples`."""
        head = self.groups.read(0, [place]).column(0).slice(0, 1000).drop_null().to_pylist()
        return "row 1", first_values(head)

    def _check_numbers(self, place: int) -> None:
        import pyarrow as pa

        kind = self._type(place)
        numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
        if not any(check(kind) for check in numbers):
            name = self.names[place]
            raise DataError(
                f"{self.source}, column {name!r}: the type is {kind}, but must be real numbers; make numbers of it, or leave "
                f"it out: --ignore (in Python: ignore=[{name!r}])"
            )

    def read(
        self, numbers: Sequence[int], texts: Sequence[int] = (), *, missing: Sequence[int] = ()
    ) -> tuple[Rows, list[Texts]]:
        """Read some columns, see :meth:`.columns.Columns.read`."""
        for place in numbers:
            self._check_numbers(place)
        return GroupRows(self.groups, numbers), [self._text(place, place in missing) for place in texts]

    def _text(self, place: int, missing: bool) -> Texts:
        parts = []
        for group in range(len(self.groups.counts)):
            column = (
                self.groups.read(group, [place]).column(0) if missing else self.groups.column(group, place)
            )
            parts.append(np.array(list(map(_text_of, column.to_pylist())), dtype=str))
        return np.concatenate(parts)


def _text_of(value: Any) -> str:
    """A value as it would be written in a file of text."""
    if value is None:
        return ""
    return class_name(value) if isinstance(value, float) else str(value)


def read_parquet(path: Path, source: str) -> GroupColumns:
    """Look at a Parquet file.

    Parameters
    ----------
    path : Path
        The file.
    source : str
        Its name in messages.

    Returns
    -------
    GroupColumns
        Its columns.

    Raises
    ------
    DataError
        The file is not a Parquet file.
    """
    import pyarrow as pa  # only now, so that `import zipsgd` is quick
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path, memory_map=False, pre_buffer=False)
        counts = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{source} is not a Parquet file: {error}") from None
    names = file.schema_arrow.names

    def read(group: int, places: list[int]) -> Any:
        try:
            return _whole(
                file.read_row_group(group, columns=[names[place] for place in places], use_threads=False)
            )
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DataError(f"{source} is broken in row group {group}: {error}") from None

    return _columns(Groups(source, file.schema_arrow, counts, read, partial(read_parquet, path, source)))


def read_arrow(path: Path, source: str) -> GroupColumns:
    """Look at an Arrow (Feather) file. The arguments and the result are those of :func:`read_parquet`."""
    import pyarrow as pa

    try:
        file = pa.ipc.open_file(pa.memory_map(str(path)))
        counts = [file.get_batch(i).num_rows for i in range(file.num_record_batches)]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{source} is not an Arrow file: {error}") from None

    def read(group: int, places: list[int]) -> Any:
        try:
            return _whole(file.get_batch(group).select(places))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DataError(f"{source} is broken in batch {group}: {error}") from None

    return _columns(Groups(source, file.schema, counts, read, partial(read_arrow, path, source)))


def _whole(part: Any) -> Any:
    """A group whose texts are inside it. Arrow itself does not look, and would read anywhere in memory, or crash."""
    part.validate(full=True)
    return part


def _columns(groups: Groups) -> GroupColumns:
    check_names(groups.schema.names, groups.source)
    if not sum(groups.counts):
        raise DataError(f"{groups.source} holds no rows")
    return GroupColumns(groups)
