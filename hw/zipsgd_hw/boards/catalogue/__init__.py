"""The boards that zipsgd is built for: a row each, in a file for each family."""

from collections.abc import Iterable

from zipsgd_hw.boards.board import Board

from . import ecp5, gowin, ice40

__all__ = ["BOARDS", "by_name"]


def by_name(rows: Iterable[Board]) -> dict[str, Board]:
    """The rows of a catalogue, by name.

    Parameters
    ----------
    rows : iterable of Board
        The rows.

    Returns
    -------
    dict of str to Board
        Each board by its name, in the order of the rows.

    Raises
    ------
    ValueError
        Two rows have the same name.
    """
    boards: dict[str, Board] = {}
    for row in rows:
        if row.name in boards:
            raise ValueError(f"two rows of the boards are named {row.name!r}: give each its own name")
        boards[row.name] = row
    return boards


BOARDS: dict[str, Board] = by_name((*ice40.ROWS, *gowin.ROWS, *ecp5.ROWS))
"""Every board, by name."""
