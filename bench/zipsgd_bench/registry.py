"""The definition of a bench, and the output of its result."""

import json
import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from zipsgd.output import write_file

__all__ = ["Bench", "Result", "describe", "save"]

Result = dict[str, Any]
"""The result of a bench for JSON: ``goal`` (text), ``met`` (bool), ``seeds``, ``rows`` (a table: dicts with the same keys), and
further entries. Further tables are lists of dicts too."""


@dataclass(frozen=True)
class Bench:
    """One measurement with a goal.

    Parameters
    ----------
    name : str
        Name on the command line.
    summary : str
        One line that describes the measurement.
    run : Callable[[], Result]
        Performs the measurement.
    plot : Callable[[Result, Path], None], optional
        Draws a result into a PNG file.
    """

    name: str
    summary: str
    run: Callable[[], Result]
    plot: Callable[[Result, Path], None] | None = None

    @property
    def command(self) -> str:
        """str: The command that runs the bench."""
        return f"zipsgd bench {self.name}"


def save(bench: Bench, result: Result, folder: Path) -> list[Path]:
    """Write a result as NAME.json, and its figure as NAME.png.

    Parameters
    ----------
    bench : Bench
        The bench.
    result : Result
        Its result.
    folder : Path
        Folder for the files; created if necessary.

    Returns
    -------
    list[Path]
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{name: version(name) for name in ("numpy", "numba")},
    }
    report = {
        "bench": bench.name,
        "summary": bench.summary,
        "command": bench.command,
        **result,
        "environment": environment,
    }
    files = [folder / f"{bench.name}.json"]
    write_file(files[0], json.dumps(report, indent=1) + "\n")
    if bench.plot is not None:
        files.append(folder / f"{bench.name}.png")
        bench.plot(result, files[1])
    return files


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def _table(rows: Iterable[Mapping[str, object]]) -> str:
    """Rows as aligned text, with a heading. A key that a row does not have is shown as missing."""
    listed = list(rows)
    if not listed:
        return ""
    names = list(dict.fromkeys(name for row in listed for name in row))
    cells = [names] + [[_cell(row.get(name)) for name in names] for row in listed]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells
    )


def describe(result: Result) -> str:
    """All tables of a result as text, and whether the goal is met.

    Parameters
    ----------
    result : Result
        The result.

    Returns
    -------
    str
        Text of several lines.
    """
    tables = [
        value for value in result.values() if isinstance(value, list) and value and isinstance(value[0], dict)
    ]
    verdict = f"goal: {result['goal']}: {'met' if result['met'] else 'NOT MET'}"
    return "\n\n".join([_table(rows) for rows in tables] + [verdict])
