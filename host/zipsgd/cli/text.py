"""Nested results as lines of text."""

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["aligned", "described"]


def _cell(value: object) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return " ".join(map(_cell, value.values()))
    if isinstance(value, list):
        return ", ".join(map(_cell, value)) or "none"
    return str(value)


def aligned(rows: Iterable[Mapping[str, object]]) -> list[str]:
    """Format rows as a table with aligned columns.

    Parameters
    ----------
    rows : iterable of mapping
        Rows with the same keys.

    Returns
    -------
    list of str
        The heading and a line for each row; empty without rows.
    """
    listed = list(rows)
    if not listed:
        return []
    cells = [list(listed[0])] + [list(map(_cell, row.values())) for row in listed]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def _table_of(value: object) -> list[Mapping[str, object]]:
    """The rows of a list of dicts, or of a dict of dicts with the same keys; an empty list for anything else."""
    if isinstance(value, Mapping):
        inner = list(value.values())
        if inner and all(isinstance(row, Mapping) and row.keys() == inner[0].keys() for row in inner):
            return [{"": name, **row} for name, row in value.items()]
    if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
        return value
    return []


def described(report: Mapping[str, Any]) -> list[str]:
    """Format a report: plain values first, then tables and nested values. None is shown as "missing".

    Parameters
    ----------
    report : mapping of str to Any
        The report.

    Returns
    -------
    list of str
        Lines of text.
    """
    plain = {
        name: value
        for name, value in report.items()
        if not isinstance(value, Mapping) and not _table_of(value)
    }
    width = max(map(len, plain), default=0)
    lines = [f"{name:{width}}  {_cell(value)}".rstrip() for name, value in plain.items()]
    for name, value in report.items():
        if name not in plain:
            inner = aligned(_table_of(value)) or described(value)
            lines += ["", f"{name}:", *(f"  {line}".rstrip() for line in inner)]
    return lines
