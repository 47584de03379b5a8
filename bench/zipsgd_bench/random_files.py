"""Random data files, sound and broken, and what other libraries read from them.

Everything is drawn from a ``random.Random``, so that a seed gives the same file again, and hypothesis can look for the simplest
file that fails.
"""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.data import DataError, Table, load
from zipsgd.extras import extra

__all__ = ["KINDS", "Case", "check", "draw"]

_Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A file, and what is to become of it.

    Parameters
    ----------
    kind : str
        Format of the file.
    content : bytes
        What it holds.
    label : int
        Number of the label's column in ``expected``.
    expected : _Values of shape (rows, columns) or None
        What another library reads from it; None if it is broken.
    says : str
        For a broken file, a regular expression that the message matches: it names the line and the column or field.
    options : dict
        Arguments of :func:`zipsgd.data.load`.
    """

    kind: str
    content: bytes
    label: int
    expected: _Values | None
    says: str
    options: dict[str, Any]


def _number(random: Random) -> float:
    scale = random.choice([1, 1, 1000, 1e-5, 1e12, 1e-300, 1e300])
    value = random.uniform(-1, 1) * scale
    return float(round(value)) if random.random() < 0.3 and scale <= 1e12 else value


def _spelled(random: Random, value: float, decimal: str) -> str:
    """A spelling of a number that is read as the same float64."""
    text = random.choice([repr(value), f"{value:.17g}", f"{value:+.17e}", f"{value:.17E}"])
    return text.replace(".", decimal)


_BAD_CELLS = ("", "x", "NA", "1..2", "2020-01-31", "1:2", "1,2,3", "inf", "nan", "0x10", "$5", "--1")


_NOTES = (
    "plain",
    "",
    "a, b; c\td",
    "two\nlines",
    "two\n# lines",
    'say "x", "y"',
    "#5",
    "größe",
    "1.5",
    "@me",
)


@dataclass(frozen=True)
class _Dialect:
    """How a text file is written."""

    delimiter: str
    decimal: str
    end: str
    quoting: float

    @classmethod
    def draw(cls, random: Random) -> "_Dialect":
        delimiter = random.choice([",", ";", "\t", " "])
        decimal = "," if delimiter in ";\t" and random.random() < 0.3 else "."
        return cls(delimiter, decimal, random.choice(["\n", "\n", "\r\n"]), random.choice([0, 0, 0.3, 1]))

    def line(self, random: Random, row: Sequence[str]) -> str:
        """A row as a line. Cells are quoted where they must be, and elsewhere at random."""
        special = re.compile(rf'[{self.delimiter}\s"#]')
        cells = [
            '"' + cell.replace('"', '""') + '"'
            if random.random() < self.quoting or not cell or special.search(cell)
            else cell
            for cell in row
        ]
        if self.delimiter == " ":
            return random.choice([" ", "  "]).join(cells)
        gap = random.choice(["", "", " ", "  "]) if self.delimiter != "\t" else ""
        return (self.delimiter + gap).join(cells)


def _fault(random: Random, cells: list[list[str]], dialect: _Dialect) -> tuple[int, int | None] | None:
    """Break a cell, or take one away. Its row, and its column if it is still there; None if all is well."""
    rows, columns = len(cells), len(cells[0])
    if rows > 1 and random.random() < 0.25:
        plain = dialect.delimiter == "," or dialect.decimal == "."
        row, column = random.randrange(rows), random.randrange(columns)
        cells[row][column] = random.choice(_BAD_CELLS if plain else _BAD_CELLS[:2])
        return row, column
    if rows > 2 and random.random() < 0.1:
        row = random.randrange(1, rows)
        cells[row].pop()
        return row, None
    return None


def _csv(random: Random) -> Case:
    """A text file in a random dialect, possibly with a column of text to ignore, and the table that pandas reads from it."""
    rows, columns = random.randint(1, 7), random.randint(2, 5)
    dialect = _Dialect.draw(random)
    headed = random.random() < 0.6
    cells = [
        [_spelled(random, _number(random), dialect.decimal) for _ in range(columns)] for _ in range(rows)
    ]
    names = [random.choice(["", "a b", "größe", "x;y"]) + f"h{i}" for i in range(columns)]
    fault = _fault(random, cells, dialect)
    note = random.randrange(columns) if random.random() < 0.3 else None
    if note is not None:
        names.insert(note, "note")
        for row in cells:
            row.insert(note, random.choice(_NOTES))
    lines: list[str] = []
    places: list[int] = []

    def passed_over() -> None:
        while random.random() < 0.15:
            lines.append(random.choice(["", "  ", "# a note", "@data", " \t ", '# "']))

    if headed:
        passed_over()
        lines.append(dialect.line(random, names))
    for row in cells:
        passed_over()
        places.append(len(lines))
        line = dialect.line(random, row)
        lines.append(line if line[0] not in "#@" else f'"{row[0]}"{line[len(row[0]) :]}')
    passed_over()
    content = (
        "\ufeff" * (random.random() < 0.1) + dialect.end.join(lines) + dialect.end * (random.random() < 0.8)
    ).encode()
    kept = [i for i in range(len(names)) if i != note]
    label = random.randrange(columns)
    options: dict[str, Any] = {"format": "csv", "label": kept[label]}
    # A first row of data that is broken, or quoted by chance, looks like a header
    if (
        random.random() < 0.5
        or dialect.quoting == 0.3
        or (fault is not None and fault[0] == 0 and not headed)
    ):
        options["header"] = headed
    if note is not None:
        options["ignore"] = "note" if headed else note
    if fault is None:
        return Case(
            "csv", content, label, _by_pandas([lines[place] for place in places], dialect, kept), "", options
        )
    begins = 1 + sum(1 + line.count("\n") for line in lines[: places[fault[0]]])
    if fault[1] is None:
        return Case("csv", content, label, None, rf"line {begins}: {len(names) - 1} values", options)
    broken = kept[fault[1]]
    column = re.escape(repr(names[broken] if headed else f"column {broken}"))
    return Case("csv", content, label, None, rf"line {begins}(, column {column}|: \d+ values)", options)


def _by_pandas(lines: Sequence[str], dialect: _Dialect, kept: Sequence[int]) -> _Values:
    """What pandas reads from lines of rows."""
    with extra("test", "this bench"):
        import pandas

    frame = pandas.read_csv(
        io.StringIO("\n".join(lines)),
        sep=r"\s+" if dialect.delimiter == " " else dialect.delimiter,
        decimal=dialect.decimal,
        header=None,
        skipinitialspace=True,
        usecols=list(kept),
    )
    return np.asarray(frame.to_numpy(dtype=np.float64))


def _libsvm(random: Random) -> Case:
    """A LIBSVM file, and the table that scikit-learn reads from it."""
    with extra("sklearn", "this bench"):
        from sklearn.datasets import load_svmlight_file

    lines: list[str] = []
    fault = 0
    for _ in range(random.randint(1, 7)):
        if random.random() < 0.1:
            lines.append(random.choice(["", "# a note", "   "]))
        indices = sorted(random.sample(range(1, 9), random.randint(1, 4)))
        fields = [f"{i}:{_spelled(random, _number(random), '.')}" for i in indices]
        label = _spelled(random, _number(random), ".")
        if not fault and random.random() < 0.06:
            fault = len(lines) + 1
            wrong = random.choice(
                ["label last", "two colons", "twice", "descending", "no value", "text", "empty index"]
            )
            if wrong == "label last":
                fields, label = [*fields[1:], label], fields[0]
            elif wrong == "descending":
                fields.append(f"{indices[-1] - 1 if indices[-1] > 1 else 1}:1")
            else:
                extra_field = {
                    "two colons": "10:3:4",
                    "twice": fields[-1],
                    "no value": "10:",
                    "text": "10:x",
                    "empty index": ":1",
                }[wrong]
                fields.append(extra_field)
        lines.append(
            random.choice([" ", "  ", "\t"]).join([label, *fields])
            + random.choice(["", "", " # of a row", "  "])
        )
    content = (random.choice(["\n", "\r\n"]).join(lines) + "\n").encode()
    if fault:
        return Case("libsvm", content, -1, None, rf"line {fault}, field \d+", {})
    features, labels = load_svmlight_file(io.BytesIO(content), zero_based=False)
    return Case("libsvm", content, -1, np.column_stack([features.toarray(), labels]), "", {})


def _array(random: Random, rows: int, columns: int) -> npt.NDArray[Any]:
    kind: type[np.generic] = random.choice([np.float64, np.float32, np.int32, np.uint8, np.float16, np.bool_])
    values = np.array([[random.uniform(-99, 99) for _ in range(columns)] for _ in range(rows)])
    return (np.abs(values) if kind is np.uint8 else values).astype(kind)


def _npy(random: Random) -> Case:
    """An NPY file, and the array that NumPy reads from it."""
    rows, columns = random.randint(1, 6), random.randint(2, 5)
    array = _array(random, rows, columns)
    says = ""
    if array.dtype.kind == "f" and random.random() < 0.3:
        row, column = random.randrange(rows), random.randrange(columns)
        array[row, column] = random.choice([np.nan, np.inf, -np.inf])
        says = rf"(column 'column {column}'|the label) is -?(nan|inf) in row {row + 1}"
    file = io.BytesIO()
    np.save(file, np.asfortranarray(array) if random.random() < 0.3 else array)
    read = np.load(io.BytesIO(file.getvalue())).astype(np.float64)
    label = random.randrange(columns)
    return Case("npy", file.getvalue(), label, None if says else read, says, {"label": label})


def _parquet(random: Random) -> Case:
    """A Parquet file of columns of several types, and the table that Arrow reads from it."""
    import pyarrow as pa
    from pyarrow import parquet

    rows, columns = random.randint(1, 9), random.randint(2, 5)
    data: dict[str, Any] = {f"h{i}": _array(random, rows, 1)[:, 0] for i in range(columns)}
    table = pa.table(data)
    says = ""
    if random.random() < 0.3:
        row, column = random.randrange(rows), random.randrange(columns)
        holed = [None if i == row else value for i, value in enumerate(data[f"h{column}"].tolist())]
        table = table.set_column(column, f"h{column}", pa.array(holed, table.schema.field(column).type))
        says = rf"row {row + 1}, column 'h{column}': the value is missing"
    file = io.BytesIO()
    parquet.write_table(table, file, row_group_size=random.randint(1, 9))
    read = parquet.read_table(io.BytesIO(file.getvalue()))
    values = None
    if not says:
        values = np.column_stack(
            [np.asarray(column.to_pylist(), dtype=np.float64) for column in read.columns]
        )
    label = random.randrange(columns)
    return Case(
        "parquet",
        file.getvalue(),
        label,
        values,
        says,
        {"label": label, "memory": random.choice([1, 1 << 20])},
    )


KINDS: dict[str, Callable[[Random], Case]] = {
    "csv": _csv,
    "libsvm": _libsvm,
    "npy": _npy,
    "parquet": _parquet,
}
"""By format: a function that draws a case."""


def draw(random: Random, kind: str) -> Case:
    """Draw a file of a format, see :data:`KINDS`."""
    return KINDS[kind](random)


def check(case: Case, folder: Path) -> str:
    """Read the file of a case.

    Parameters
    ----------
    case : Case
        The case.
    folder : Path
        Where its file is written.

    Returns
    -------
    str
        What is wrong; empty if it is read as the other library reads it, or refused with a message that names the place.
    """
    path = folder / f"t.{case.kind}"
    path.write_bytes(case.content)
    try:
        table = load(path, **case.options)
    except DataError as error:
        if case.expected is not None:
            return f"refused: {error}"
        return (
            "" if re.search(case.says, str(error)) else f"the message does not match {case.says!r}: {error}"
        )
    if case.expected is None:
        return f"read, but broken: {case.says}"
    return _difference(table, case)


def _difference(table: Table, case: Case) -> str:
    """What differs between a table and what another library reads; empty if nothing does."""
    expected = case.expected
    assert expected is not None
    features, labels = np.delete(expected, case.label, axis=1), expected[:, case.label]
    found = np.asarray(table.features[:], dtype=np.float64)
    if found.shape != features.shape:
        return f"shape {found.shape} instead of {features.shape}"
    if not np.array_equal(found, features) or not np.array_equal(table.labels, labels):
        return f"{found.tolist()} and {table.labels.tolist()} instead of {features.tolist()} and {labels.tolist()}"
    return ""
