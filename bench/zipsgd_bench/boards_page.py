"""Writes the tables of docs/boards.md from what ``zipsgd bench gateware`` measured."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zipsgd.output import write_file

__all__ = ["tables", "with_tables"]

_BEGIN, _END = (
    "<!-- tables of results/gateware.json: python -m zipsgd_bench.boards_page -->\n",
    "<!-- end of the tables -->\n",
)
_BUILDS = {
    "board": "board",
    "device": "device",
    "lanes": "lanes",
    "features": "features",
    "heads": "heads",
    "cells": "cells",
    "ram": "block RAMs",
    "dsp": "multipliers",
    "MHz": "MHz reached",
    "asked": "asked",
}


def _rows(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}" if value < 1 else f"{value:.3g}"


def tables(result: Mapping[str, Any]) -> str:
    """The tables of the page: the builds, and the epochs on each.

    Parameters
    ----------
    result : mapping
        The result of the bench.

    Returns
    -------
    str
        Two tables in Markdown.
    """
    builds = [[f"{row[key] or 'none'}" for key in _BUILDS] for row in result["rows"]]
    for row in builds:
        row[0] = f"`{row[0]}`"
    names = [name for name in result["epochs"][0] if name != "board"]
    epochs = [[f"`{row['board']}`", *(_seconds(row[name]) for name in names)] for row in result["epochs"]]
    titles = [f"{name.removesuffix(' s')}, s" for name in names]
    return f"{_rows(list(_BUILDS.values()), builds)}\n{_rows(['epoch of', *titles], epochs)}"


def with_tables(page: str, result: Mapping[str, Any]) -> str:
    """The page with new tables.

    Parameters
    ----------
    page : str
        The page, with the places of its tables marked.
    result : mapping
        The result of the bench.

    Returns
    -------
    str
        The page.
    """
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{tables(result)}\n{_END}{after}"


if __name__ == "__main__":
    docs = Path("docs")
    measured = json.loads((docs / "results/gateware.json").read_text())
    write_file(docs / "boards.md", with_tables((docs / "boards.md").read_text(), measured))
