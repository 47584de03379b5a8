"""The argument ``--board``, and the board that it names."""

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from zipsgd.extras import extra

if TYPE_CHECKING:
    from zipsgd_hw.boards import Board

__all__ = ["add_board", "board_of", "known_boards"]


def add_board(command: argparse.ArgumentParser, required: bool = True) -> None:
    """Add the argument ``--board``.

    Parameters
    ----------
    command : argparse.ArgumentParser
        Parser of the command.
    required : bool
        Whether it must be given.
    """
    command.add_argument(
        "--board",
        required=required,
        metavar="NAME",
        help="name of a board, see 'zipsgd boards', or a file with a board of your own, such as ./my_board.py",
    )


def known_boards() -> Mapping[str, "Board"]:
    """The boards of the catalogue, by name.

    Returns
    -------
    mapping of str to Board
        The boards.

    Raises
    ------
    MissingExtra
        What a build needs is not installed.
    """
    with extra("build", "a build for a board"):
        from zipsgd_hw.boards import BOARDS
    return BOARDS


def board_of(name: str) -> "Board":
    """The board that ``--board`` names.

    Parameters
    ----------
    name : str
        Name of a board, or path of a file.

    Returns
    -------
    Board
        The board.

    Raises
    ------
    MissingExtra
        What a build needs is not installed.
    ValueError
        There is no such board, or the file does not define one.
    """
    known_boards()  # raises an error that says what to install
    from zipsgd_hw.boards import find_board

    return find_board(name)
